package client

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/wagewire/wagewire/schema"
)

const (
	// HandsDefault is the number of completions in work at the same time, if a Subscription names
	// none.
	HandsDefault = 4
	// HandsMax is the largest number of hands: each is a request that waits at the broker.
	HandsMax = 100
	// AttemptsDefault is how often a completion is delivered before errors may make poison of
	// the completion, if a Subscription has no AttemptsMax.
	AttemptsDefault = 20

	// leftOutLines is how many completions outside of the filter have a line of the log together.
	leftOutLines = 1000

	// againAfter is the pause after a lost request.
	againAfter = time.Second
)

// ErrNoDurable means that the durable does not exist, or belongs to another team.
var ErrNoDurable = errors.New("no such durable")

// errGoexit means that a handler ended its goroutine and did not return, as FailNow of package
// testing does.
var errGoexit = errors.New("a handler called runtime.Goexit and did not return")

// Handler stores completions. Both methods may get the same completion again, and the completions
// of an account in any order: see Mirror. Completions of an account never come at the same time
// within a Client.
//
// The broker learns that a completion is done after the method returned nil. After an error the
// completion comes again, after 1 s, then 2 s, and so on up to 10 minutes. The context does not end
// when the Subscribe stops: the handler ends its work. The kit does not log the text of the error,
// because of personal data.
type Handler interface {
	// Store stores the completion. The outcome may be unknown to the release of the kit.
	Store(ctx context.Context, completion *Completion) error
	// Remove deletes everything of the completion's account, because the account was deleted at the
	// provider. Every deletion comes here, whatever the Subscription filters, and comes again until
	// Remove returns nil: nothing makes poison of a deletion.
	// Completions of the account that were set aside are copies too: see AsideDir.
	Remove(ctx context.Context, completion *Completion) error
}

// Funcs is a Handler of two functions. Both must be there.
type Funcs struct {
	OnStore  func(ctx context.Context, completion *Completion) error
	OnRemove func(ctx context.Context, completion *Completion) error
}

// Store calls OnStore.
func (f Funcs) Store(ctx context.Context, completion *Completion) error {
	return f.OnStore(ctx, completion)
}

// Remove calls OnRemove.
func (f Funcs) Remove(ctx context.Context, completion *Completion) error {
	return f.OnRemove(ctx, completion)
}

// Subscription says which completions a program takes, and how. The zero value takes everything of
// the team's first durable.
//
// The kit acknowledges completions outside of Resources and Accounts, and nobody sees them again.
// So use a single filter for each durable. A line of level info says how many they are: at the end,
// and after each 1,000.
type Subscription struct {
	// Durable is the name of the durable. If empty, the name of the team.
	Durable string
	// Resources are the resources to take, of schema.WorkerResources. If empty, all. Links come
	// only with all, or with schema.Link in the list. A resource that the durable does not deliver
	// is an error at the start.
	Resources []schema.Resource
	// Accounts are the provider's ids of the accounts to take. If empty, all.
	Accounts []string
	// Hands is how many completions are in work at the same time. If 0, HandsDefault. A hand waits
	// while its completion's account is in work, so many completions of a single account, one after
	// another on the stream, keep all hands waiting: other accounts come behind them.
	Hands int
	// Aside gets the completions that no delivery helps, from several goroutines. AsideDir is
	// ready-made. If nil, nothing is set aside: such a completion comes again every 10 minutes, and
	// a line of level error says so. The kit does not log the text of the function's error, because
	// of personal data. The completions are whole, with personal data, also of accounts that are
	// deleted later.
	Aside func(ctx context.Context, p Poisoned) error
	// AttemptsMax is how often a completion is delivered before errors make poison of the
	// completion. An error of the handler counts only if the completion failed alone twice in a
	// row: since its error before, the handler took another one, with a scope or a deletion, and no
	// other one failed after that. So a database that is down sets nothing aside, also if the
	// database is back for a moment, or if the handler returns nil for completions that change no
	// record. A deletion is never poison by its errors. If 0, AttemptsDefault.
	AttemptsMax int
}

func (s Subscription) withDefaults(team string) Subscription {
	s.Durable = cmp.Or(s.Durable, team)
	s.Hands = cmp.Or(s.Hands, HandsDefault)
	s.AttemptsMax = cmp.Or(s.AttemptsMax, AttemptsDefault)
	return s
}

func (s Subscription) check(h Handler) error {
	f, isFuncs := h.(Funcs)
	known := schema.WorkerResources()
	unknown := slices.IndexFunc(s.Resources,
		func(r schema.Resource) bool { return !slices.Contains(known, r) })
	switch {
	case s.Durable == "" || strings.ContainsAny(s.Durable, ".*> \t"):
		return fmt.Errorf("%q is not the name of a durable: set Subscription.Durable "+
			"or Config.Team", s.Durable)
	case s.Hands < 1 || s.Hands > HandsMax:
		return fmt.Errorf("Subscription.Hands is %d: want 1 to %d", s.Hands, HandsMax)
	case s.AttemptsMax < 1:
		return fmt.Errorf("Subscription.AttemptsMax is %d: want 1 or more", s.AttemptsMax)
	case unknown >= 0:
		return fmt.Errorf("Subscription.Resources has %q: the resources are %q",
			s.Resources[unknown], known)
	case h == nil || isFuncs && (f.OnStore == nil || f.OnRemove == nil):
		return errors.New("the handler has no function to store or none to remove")
	default:
		return nil
	}
}

// includes reports whether the filter has the subject of a completion.
func (s Subscription) includes(subject string) bool {
	tokens := strings.Split(subject, ".")
	if len(tokens) != 6 {
		return true // a later release may have other subjects
	}
	resource := schema.Resource(tokens[3])
	if len(s.Resources) > 0 && !slices.Contains(s.Resources, resource) {
		return false
	}
	return len(s.Accounts) == 0 || slices.ContainsFunc(s.Accounts,
		func(id string) bool { return schema.Token(id) == tokens[4] })
}

// leaveOut counts a completion outside of the filter.
func (s *subscribing) leaveOut() {
	if n := s.leftOut.Add(1); n%leftOutLines == 0 {
		s.logLeftOut(n)
	}
}

func (s *subscribing) logLeftOut(n int64) {
	s.log.Info("the filter has left out completions since the start", "durable", s.Durable,
		"completions", n)
}

// Subscribe hands the completions of a durable to the handler until ctx ends, and then returns nil.
// At the end Subscribe takes no more, gives back at once the completions that no handler has begun,
// waits for the handlers at work, and tells the broker about their completions.
//
// The error is ErrNoDurable if the durable does not exist, or is deleted meanwhile. An outage of
// the broker is no error: Subscribe goes on afterwards.
func (c *Client) Subscribe(ctx context.Context, s Subscription, h Handler) error {
	run, err := c.begin(ctx, s, h)
	if err != nil {
		return err
	}
	return run.take(ctx)
}

// CatchUp is Subscribe until the durable has nothing left: everything since the durable's position
// was handed over and acknowledged. A completion that comes again and again is left, so CatchUp
// waits until the completion is taken or set aside. If ctx ends before, the error is ctx.Err().
func (c *Client) CatchUp(ctx context.Context, s Subscription, h Handler) error {
	run, err := c.begin(ctx, s, h)
	if err != nil {
		return err
	}
	run.requestMin = catchUpMin
	run.requestMax = catchUpMax
	caught, stop := context.WithCancel(ctx)
	defer stop()
	var looks sync.WaitGroup
	looks.Go(func() {
		if run.waitForNothing(caught) {
			stop()
		}
	})
	err = run.take(caught)
	stop()
	looks.Wait()
	if err != nil {
		return err
	}
	return ctx.Err()
}

// subscribing is a call of Subscribe.
type subscribing struct {
	*Client

	Subscription
	handler  Handler
	consumer jetstream.Consumer
	outcomes outcomes
	// leftOut is the number of completions outside of the filter.
	leftOut atomic.Int64
	// standstill is for noteStandstill.
	standstill standstill
	// requestMin and requestMax are how long a request waits at the broker: the first behind a
	// completion, and the longest.
	requestMin time.Duration
	requestMax time.Duration
	// rest has the deliveries that no handler has begun when ctx ends.
	rest rest
	// quiet gets a value when a request has ended without a completion.
	quiet chan struct{}
}

func (c *Client) begin(ctx context.Context, s Subscription, h Handler) (*subscribing, error) {
	s = s.withDefaults(c.team)
	if err := s.check(h); err != nil {
		return nil, err
	}
	ask, cancel := context.WithTimeout(ctx, answerFor)
	defer cancel()
	consumer, err := c.js.Consumer(ask, schema.CompletionsStream, s.Durable)
	if isMissing(err) {
		return nil, fmt.Errorf("durable %s: %w for the key of this program: a further durable of "+
			"a team is named <team>_<name>; check the names and NATS_SEED_FILE, or ask the "+
			"operator: wagewire team list, wagewire team add", s.Durable, ErrNoDurable)
	}
	if err != nil {
		return nil, fmt.Errorf("look up durable %s: %w", s.Durable, err)
	}
	if err := s.checkGrant(c.team, consumer.CachedInfo().Config); err != nil {
		return nil, err
	}
	return &subscribing{
		Client: c, Subscription: s, handler: h, consumer: consumer,
		requestMin: requestFor,
		requestMax: requestFor,
		quiet:      make(chan struct{}, 1),
	}, nil
}

// checkGrant returns an error if the durable delivers no completion of some of Resources. Without
// the error, a Subscribe would acknowledge everything that the durable delivers, and store nothing.
func (s Subscription) checkGrant(team string, durable jetstream.ConsumerConfig) error {
	filters := durable.FilterSubjects
	if len(filters) == 0 { // one filter, or none: every completion
		filters = []string{cmp.Or(durable.FilterSubject, ">")}
	}
	granted := resourcesOf(filters)
	delivers := func(r schema.Resource) bool {
		return slices.Contains(granted, "*") || slices.Contains(granted, string(r))
	}
	var lacking []string
	for _, r := range s.Resources {
		if !delivers(r) && !slices.Contains(lacking, string(r)) {
			lacking = append(lacking, string(r))
		}
	}
	if len(lacking) == 0 {
		return nil
	}
	granted = slices.DeleteFunc(granted, func(r string) bool { return r == string(schema.Link) })
	return fmt.Errorf("durable %s does not deliver %s: the operator grants it with "+
		"`wagewire team add %s --resources %s`", s.Durable, strings.Join(lacking, ", "),
		cmp.Or(team, s.Durable), strings.Join(slices.Concat(granted, lacking), ","))
}

// resourcesOf returns the resources that filters of a durable name, each once. A wildcard is "*".
func resourcesOf(filters []string) []string {
	var resources []string
	for _, filter := range filters {
		resource := "*"
		if tokens := strings.Split(filter, "."); len(tokens) > 3 && tokens[3] != ">" {
			resource = tokens[3]
		}
		if !slices.Contains(resources, resource) {
			resources = append(resources, resource)
		}
	}
	return resources
}

// isMissing reports whether the broker has no such durable for this key. A broker does not tell a
// team whether the durable of another team is there.
func isMissing(err error) bool {
	return errors.Is(err, jetstream.ErrConsumerNotFound) ||
		errors.Is(err, jetstream.ErrStreamNotFound) ||
		errors.Is(err, jetstream.ErrJetStreamNotEnabled) ||
		errors.Is(err, nats.ErrNoResponders)
}

// take runs the hands until ctx ends, or the first hand fails.
func (s *subscribing) take(ctx context.Context) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var hands sync.WaitGroup
	errs := make(chan error, s.Hands)
	s.rest.asking = s.Hands
	for range s.Hands {
		hands.Go(func() {
			err := errGoexit // unless serve returns
			defer func() {
				if err != nil {
					errs <- err
					stop(err)
				}
				s.ask(ctx, -1)
			}()
			err = s.serve(ctx)
		})
	}
	hands.Wait()
	if n := s.leftOut.Load(); n > 0 {
		s.logLeftOut(n)
	}
	flush, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainFor)
	defer cancel()
	_ = s.nats.FlushWithContext(flush) // what is not sent comes again after a minute
	select {
	case err := <-errs:
		return err
	default:
		return nil
	}
}

// serve is the work of a hand. After a lost request the hand has a new inbox. The completions that
// still come for the lost request are given back.
func (s *subscribing) serve(ctx context.Context) error {
	for ctx.Err() == nil {
		err := s.serveInbox(ctx)
		if errors.Is(err, errLost) {
			s.log.Debug("another request follows", "error", err)
			err = s.prepareAgain(ctx)
		}
		if err != nil && ctx.Err() == nil {
			return err
		}
	}
	return nil // a stop while the broker is away is a stop like others
}

// prepareAgain waits until another request has a chance. The error is one of waitForBroker, or that
// the durable does not exist any more.
func (s *subscribing) prepareAgain(ctx context.Context) error {
	if err := s.waitForBroker(ctx); err != nil {
		return err
	}
	if err := s.lookForDurable(ctx); err != nil {
		return err
	}
	select {
	case <-time.After(againAfter):
	case <-ctx.Done():
	}
	return nil
}

// serveInbox asks for a completion when the one before is settled, until ctx ends.
func (s *subscribing) serveInbox(ctx context.Context) error {
	box, err := s.openInbox()
	if err != nil {
		return err
	}
	defer box.close(ctx)
	for {
		msg, err := box.next(ctx)
		if ctx.Err() != nil {
			if err == nil {
				s.release(ctx, msg)
			}
			return nil
		}
		if err != nil {
			return err
		}
		s.workApart(ctx, msg)
	}
}

// workApart is work by a hand that asks for nothing meanwhile.
func (s *subscribing) workApart(ctx context.Context, msg *nats.Msg) {
	s.ask(ctx, -1)
	defer s.ask(ctx, +1)
	s.work(ctx, msg)
}

// rest collects deliveries until all requests have ended. A delivery given back before could go to
// the request of a hand about to end, and be lost until the end of the lease.
type rest struct {
	mu  sync.Mutex
	all []*nats.Msg
	// asking is the number of hands that may have a request at the broker: the hands that do not
	// work, and have not ended.
	asking int
}

// ask changes the number of hands that may have a request. After the end of ctx a hand makes no
// other request, so without such a hand the rest is given back.
func (s *subscribing) ask(ctx context.Context, change int) {
	s.rest.mu.Lock()
	defer s.rest.mu.Unlock()
	s.rest.asking += change
	s.giveBackRest(ctx)
}

// giveBackRest gives back the rest if ctx has ended and no request is left. The caller holds the
// lock.
func (s *subscribing) giveBackRest(ctx context.Context) {
	if ctx.Err() == nil || s.rest.asking > 0 {
		return
	}
	for _, msg := range s.rest.all {
		s.giveBack(msg, 0)
	}
	s.rest.all = nil
}

// release gives back a delivery that no handler began: now, or behind the last request if ctx has
// ended.
func (s *subscribing) release(ctx context.Context, msg *nats.Msg) {
	if ctx.Err() == nil {
		s.giveBack(msg, 0)
		return
	}
	s.rest.mu.Lock()
	defer s.rest.mu.Unlock()
	s.rest.all = append(s.rest.all, msg)
	s.giveBackRest(ctx)
}

// lookForDurable returns an error if the durable certainly does not exist. During an outage there
// is no answer, and no error.
func (s *subscribing) lookForDurable(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, answerFor)
	defer cancel()
	_, err := s.consumer.Info(ctx)
	if errors.Is(err, jetstream.ErrConsumerNotFound) ||
		errors.Is(err, jetstream.ErrStreamNotFound) {
		return fmt.Errorf("durable %s was deleted: %w any more", s.Durable, ErrNoDurable)
	}
	if errors.Is(err, nats.ErrNoResponders) {
		s.log.Warn("the key has no right to the durable now", "durable", s.Durable)
	}
	return nil
}

// waitForNothing waits until the durable has nothing left, and returns false if ctx ends before.
// The broker's numbers may lag behind a new completion, but a request finds the completion. So a
// request must have ended without a completion first.
func (s *subscribing) waitForNothing(ctx context.Context) bool {
	for {
		select {
		case <-s.quiet:
			if s.hasNothing(ctx) {
				return true
			}
		case <-ctx.Done():
			return false
		}
	}
}

func (s *subscribing) hasNothing(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, answerFor)
	defer cancel()
	info, err := s.consumer.Info(ctx)
	return err == nil && info.NumPending == 0 && info.NumAckPending == 0
}
