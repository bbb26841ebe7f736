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
	// none. HandsMax is the largest number: each hand is a request that waits at the broker.
	HandsDefault = 4
	HandsMax     = 100
	// AttemptsDefault is how often a completion is delivered before its errors may make it poison,
	// if a Subscription does not say it.
	AttemptsDefault = 20

	// requestFor is how long a request waits at the broker. beatEvery is the pause between two signs
	// of the broker meanwhile.
	requestFor = 30 * time.Second
	beatEvery  = 5 * time.Second
	// drainFor is how long a stop waits for what the broker has sent already.
	drainFor = 5 * time.Second
	// lookEvery is how often CatchUp asks the broker what is left.
	lookEvery = 5 * time.Second
)

// ErrNoDurable means that the durable is not there, or is not of this team.
var ErrNoDurable = errors.New("no such durable")

// Handler stores what comes. Both methods may get the same completion again, and the completions
// of an account in any order: see Mirror. Completions of one account never come at the same time
// within a Client.
//
// The broker learns that a completion is done after the method returned nil. After an error the
// completion comes again, after 1 s, then 2 s, and so on up to 10 minutes. The context does not end
// when the Subscribe stops: the handler ends its work. The kit does not log the error's text, which
// may have personal data.
type Handler interface {
	// Store stores the completion. The outcome may be one that this release does not know.
	Store(ctx context.Context, completion *Completion) error
	// Remove deletes everything of the account that the completion names: the account was deleted
	// at the provider. It is called for every deletion, whatever the Subscription filters.
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
// So use one filter for one durable.
type Subscription struct {
	// Durable is the name of the durable. If empty, the name of the team.
	Durable string
	// Resources are the resources to take. If empty, all. Links come only with all or if
	// schema.Link is among them.
	Resources []schema.Resource
	// Accounts are the provider's ids of the accounts to take. If empty, all.
	Accounts []string
	// Hands is how many completions are in work at the same time. If 0, HandsDefault.
	Hands int
	// Aside gets the completions that no delivery helps. AsideDir is ready-made. If nil, nothing is
	// set aside: such a completion comes again every 10 minutes, and a line of level error says so.
	Aside func(ctx context.Context, p Poisoned) error
	// AttemptsMax is how often a completion is delivered before its errors make it poison. An error
	// of the handler counts only if the handler took another completion since the first error: a
	// database that is down sets nothing aside. If 0, AttemptsDefault.
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
	switch {
	case s.Durable == "" || strings.ContainsAny(s.Durable, ".*> \t"):
		return fmt.Errorf("%q is not the name of a durable: set Subscription.Durable "+
			"or Config.Team", s.Durable)
	case s.Hands < 1 || s.Hands > HandsMax:
		return fmt.Errorf("Subscription.Hands is %d: want 1 to %d", s.Hands, HandsMax)
	case s.AttemptsMax < 1:
		return fmt.Errorf("Subscription.AttemptsMax is %d: want 1 or more", s.AttemptsMax)
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

// Subscribe hands the completions of a durable to the handler until ctx ends, and then returns nil.
// First it takes no more, waits for the handlers at work, tells the broker about them, and gives
// back what no handler has begun.
//
// The error is ErrNoDurable if the durable is not there, or is deleted meanwhile. A broker that is
// away is no error: Subscribe goes on when the broker is there again.
func (c *Client) Subscribe(ctx context.Context, s Subscription, h Handler) error {
	run, err := c.begin(ctx, s, h)
	if err != nil {
		return err
	}
	return run.take(ctx)
}

// CatchUp is Subscribe until the durable has nothing left: everything since its position was handed
// over and acknowledged. A completion that comes again and again is left, and so CatchUp waits until
// it is set aside. If ctx ends before, the error is that of ctx.
func (c *Client) CatchUp(ctx context.Context, s Subscription, h Handler) error {
	run, err := c.begin(ctx, s, h)
	if err != nil {
		return err
	}
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

// subscribing is one call of Subscribe.
type subscribing struct {
	*Client

	Subscription
	handler  Handler
	consumer jetstream.Consumer
	failures failures
	// taken counts the completions that the handler took.
	taken atomic.Uint64
	// last gets a value when the durable's last completion was settled.
	last chan struct{}
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
		return nil, fmt.Errorf("durable %s: %w for the key of this program: check the name of the "+
			"team and NATS_SEED_FILE, or ask the operator: wagewire team add", s.Durable,
			ErrNoDurable)
	}
	if err != nil {
		return nil, fmt.Errorf("look up durable %s: %w", s.Durable, err)
	}
	return &subscribing{
		Client: c, Subscription: s, handler: h, consumer: consumer,
		last: make(chan struct{}, 1),
	}, nil
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
	for range s.Hands {
		hands.Go(func() {
			if err := s.serve(ctx); err != nil {
				errs <- err
				stop(err)
			}
		})
	}
	hands.Wait()
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

// serve is the work of one hand: a completion is asked for when the one before is settled, so none
// waits inside of the program.
func (s *subscribing) serve(ctx context.Context) error {
	messages, err := s.consumer.Messages(jetstream.PullMaxMessages(1),
		jetstream.PullExpiry(requestFor), jetstream.PullHeartbeat(beatEvery))
	if err != nil {
		return fmt.Errorf("take from durable %s: %w", s.Durable, err)
	}
	defer s.giveBackRest(messages)
	for {
		msg, err := messages.Next(jetstream.NextContext(ctx))
		switch {
		case ctx.Err() != nil:
			if err == nil {
				_ = msg.Nak()
			}
			return nil
		case errors.Is(err, jetstream.ErrNoHeartbeat):
			if err := s.lookForDurable(ctx); err != nil {
				return err
			}
		case errors.Is(err, jetstream.ErrConsumerDeleted):
			return s.deleted()
		case err != nil:
			return fmt.Errorf("take from durable %s: %w", s.Durable, err)
		default:
			s.work(ctx, msg)
		}
	}
}

func (s *subscribing) deleted() error {
	return fmt.Errorf("durable %s was deleted: %w any more", s.Durable, ErrNoDurable)
}

// lookForDurable returns an error if the durable is certainly not there. A broker that is away gives
// no answer.
func (s *subscribing) lookForDurable(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, answerFor)
	defer cancel()
	_, err := s.consumer.Info(ctx)
	if errors.Is(err, jetstream.ErrConsumerNotFound) {
		return s.deleted()
	}
	return nil
}

// giveBackRest ends the requests of a hand, and gives back what the broker had sent before it
// learned of the end.
func (s *subscribing) giveBackRest(messages jetstream.MessagesContext) {
	messages.Drain()
	for {
		msg, err := messages.Next(jetstream.NextMaxWait(drainFor))
		switch {
		case err == nil:
			_ = msg.Nak()
		case errors.Is(err, jetstream.ErrNoHeartbeat):
		default:
			messages.Stop()
			return
		}
	}
}

// waitForNothing waits until the durable has nothing left, and returns false if ctx ends before.
func (s *subscribing) waitForNothing(ctx context.Context) bool {
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	for {
		if s.hasNothing(ctx) {
			return true
		}
		select {
		case <-s.last:
		case <-look.C:
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
