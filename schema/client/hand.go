package client

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/wagewire/wagewire/schema"
)

const (
	// renewEvery is how often the broker learns that a completion is still in work. The lease is a
	// minute.
	renewEvery = 20 * time.Second
	// pauseMin is the pause before the second delivery. Each pause doubles.
	pauseMin = time.Second
	pauseMax = 10 * time.Minute
	// settleTries is how often the broker is told that a completion is done. Then the completion
	// may come again.
	settleTries = 3
)

// The words of the broker's protocol for a delivery.
var (
	wordDone  = []byte("+ACK")
	wordNever = []byte("+TERM")
	wordBusy  = []byte("+WPI")
)

// wordAgain is the word to deliver again after a pause, in nanoseconds.
const wordAgain = `-NAK {"delay":%d}`

// verdict is what the broker learns about a delivery: a word of the end, or the pause before the
// next delivery.
type verdict struct {
	word  []byte
	pause time.Duration
}

// work is the life of a delivery: one account at a time, read, filter, handle, settle.
func (s *subscribing) work(ctx context.Context, msg *nats.Msg) {
	stopRenewing := s.renew(msg)
	defer stopRenewing()
	account := accountOf(msg.Subject)
	if !s.accounts.lock(ctx, account) {
		s.release(ctx, msg)
		return
	}
	defer s.accounts.unlock(account)

	ctx = context.WithoutCancel(ctx)
	place, err := msg.Metadata()
	if err != nil {
		s.log.Error("a message is no delivery", "error", err)
		return
	}
	c, err := decode(msg.Data, s.fetchChunk)
	if err == nil {
		c.StreamSequence = place.Sequence.Stream
		c.Deliveries = place.NumDelivered
		c.TraceParent = msg.Header.Get(traceParentHeader)
		err = s.handle(ctx, msg.Subject, c)
	}
	isDeletion := c != nil && c.Data.Outcome == schema.Deleted
	verdict := s.judge(ctx, msg.Data, place, isDeletion, err)
	stopRenewing() // a late sign would begin the lease anew, in place of a pause
	s.settle(ctx, msg, verdict)
	if err != nil && verdict.word == nil {
		s.noteStandstill(ctx)
	}
}

// accountOf is the key of the account in a subject.
func accountOf(subject string) string { return accountKey(schema.CompletionAccount(subject)) }

// accountKey names an account by its provider and token.
func accountKey(p schema.Provider, token string) string { return string(p) + "." + token }

// handle calls the handler, unless the completion is outside of the filter.
func (s *subscribing) handle(ctx context.Context, subject string, c *Completion) error {
	isDeletion := c.Data.Outcome == schema.Deleted
	if !isDeletion && !s.includes(subject) {
		s.leaveOut()
		return nil
	}
	if err := call(ctx, s.handler, c); err != nil {
		return err
	}
	if isDeletion || c.Data.Scope != nil {
		s.outcomes.take()
	}
	return nil
}

// call calls the handler. A panic becomes poison.
func call(ctx context.Context, h Handler, c *Completion) (err error) {
	defer func() {
		if value := recover(); value != nil {
			err = Poison(fmt.Errorf("the handler panicked with a %T:\n%s", value, stack()))
		}
	}()
	if c.Data.Outcome == schema.Deleted {
		return h.Remove(ctx, c)
	}
	return h.Store(ctx, c)
}

// stack lists the functions that led to a panic, the innermost first, each with its file and line.
// debug.Stack would show the words of the arguments, and an amount is such a word.
func stack() string {
	const callersMax = 64
	counters := make([]uintptr, callersMax)
	frames := runtime.CallersFrames(counters[:runtime.Callers(3, counters)]) // behind the recovery
	var text strings.Builder
	for {
		frame, more := frames.Next()
		fmt.Fprintf(&text, "%s\n\t%s:%d\n", frame.Function, frame.File, frame.Line)
		if !more {
			return text.String()
		}
	}
}

// judge turns the error of a delivery into a verdict, and sets poison aside.
func (s *subscribing) judge(
	ctx context.Context, raw []byte, place *nats.MsgMetadata, isDeletion bool, err error,
) verdict {
	sequence := place.Sequence.Stream
	if err == nil {
		s.outcomes.forget(sequence)
		return verdict{word: wordDone}
	}
	log := s.log.With("sequence", sequence, "delivery", place.NumDelivered)
	isAloneAgain := s.outcomes.fail(sequence)
	mayGiveUp := !isDeletion && place.NumDelivered >= uint64(s.AttemptsMax)
	reason, isPoison := reasonFor(err, place.NumDelivered, mayGiveUp, isAloneAgain)
	if !isPoison {
		log.Warn("a completion comes again", "error_type", typeOf(err))
		return verdict{pause: pauseAfter(place.NumDelivered)}
	}
	if s.Aside == nil {
		log.Error("no delivery helps a completion, and Subscription.Aside is not set")
		return verdict{pause: pauseMax}
	}
	poisoned := Poisoned{Stream: place.Stream, Sequence: sequence, Raw: raw, Reason: reason}
	if err := s.Aside(ctx, poisoned); err != nil {
		log.Error("a completion cannot be set aside", "error_type", typeOf(err))
		return verdict{pause: pauseMax}
	}
	log.Error("a completion was set aside")
	s.outcomes.forget(sequence)
	return verdict{word: wordNever}
}

// reasonFor reports whether no delivery helps, and why. Without mayGiveUp, only an error marked
// with Poison is a reason.
func reasonFor(
	err error, deliveries uint64, mayGiveUp, isAloneAgain bool,
) (reason string, isPoison bool) {
	if poison, ok := errors.AsType[poisonError](err); ok {
		return poison.Error(), true
	}
	if !mayGiveUp {
		return "", false
	}
	for _, broken := range []error{ErrRecordsGone, ErrRecordsChanged} {
		if errors.Is(err, broken) {
			return fmt.Sprintf("%d deliveries: %s", deliveries, broken), true
		}
	}
	return fmt.Sprintf("%d deliveries: the handler returned an error of type %s, and took others",
		deliveries, typeOf(err)), isAloneAgain
}

// settle tells the broker the verdict, and waits for the confirmation of an end. Without the
// confirmation, the completion comes again.
func (s *subscribing) settle(ctx context.Context, msg *nats.Msg, v verdict) {
	if v.word == nil {
		s.giveBack(msg, v.pause)
		return
	}
	var err error
	for range settleTries {
		if err = s.confirm(ctx, msg.Reply, v.word); err == nil {
			return
		}
	}
	s.log.Warn("the broker does not confirm: a completion may come again", "error", err)
}

// typeOf is the type of the innermost error. The text of a handler's error may have personal data.
func typeOf(err error) string {
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return fmt.Sprintf("%T", err)
		}
		err = inner
	}
}

// pauseAfter is the pause after the delivery n. Deliveries are numbered from 1.
func pauseAfter(n uint64) time.Duration {
	pause := pauseMin
	for ; n > 1 && pause < pauseMax; n-- {
		pause *= 2
	}
	return min(pause, pauseMax)
}

// giveBack lets the broker deliver again after a pause. If the word gets lost, the lease ends.
func (s *subscribing) giveBack(msg *nats.Msg, pause time.Duration) {
	_ = s.nats.Publish(msg.Reply, fmt.Appendf(nil, wordAgain, pause))
}

func (s *subscribing) confirm(ctx context.Context, subject string, word []byte) error {
	ctx, cancel := context.WithTimeout(ctx, answerFor)
	defer cancel()
	_, err := s.nats.RequestWithContext(ctx, subject, word)
	return err
}

// fetchChunk gets a chunk of the records in the store.
func (c *Client) fetchChunk(ctx context.Context, subject string) ([]byte, error) {
	return c.directGet(ctx, recordsStream, subject)
}

// renew keeps the lease of a delivery until stop is called.
func (s *subscribing) renew(msg *nats.Msg) (stop func()) {
	ended := make(chan struct{})
	var beats sync.WaitGroup
	beats.Go(func() {
		beat := time.NewTicker(renewEvery)
		defer beat.Stop()
		for {
			select {
			case <-beat.C:
				_ = s.nats.Publish(msg.Reply, wordBusy) // the next one may do
			case <-ended:
				return
			}
		}
	})
	return sync.OnceFunc(func() {
		close(ended)
		beats.Wait()
	})
}

// locks lets a single goroutine at a time work for an account. The zero value has no account
// locked.
type locks struct {
	mu sync.Mutex
	// busy has a channel for each locked account. The channel is closed with the unlock.
	busy map[string]chan struct{}
}

// lock waits for the account, and returns false if ctx ends before.
func (l *locks) lock(ctx context.Context, account string) bool {
	for {
		freed := l.tryLock(account)
		if freed == nil {
			return true
		}
		select {
		case <-freed:
		case <-ctx.Done():
			return false
		}
	}
}

// tryLock locks the account and returns nil, or returns the channel to wait for.
func (l *locks) tryLock(account string) (freed <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if busy, isBusy := l.busy[account]; isBusy {
		return busy
	}
	if l.busy == nil {
		l.busy = map[string]chan struct{}{}
	}
	l.busy[account] = make(chan struct{})
	return nil
}

func (l *locks) unlock(account string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	close(l.busy[account])
	delete(l.busy, account)
}
