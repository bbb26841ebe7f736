package client

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
)

const (
	// requestFor is how long a request waits at the broker.
	requestFor = 30 * time.Second
	// beatEvery is the pause between two signs of the broker while a request waits.
	beatEvery = 5 * time.Second
	// silentFor is the silence after which a request counts as lost.
	silentFor = 2 * beatEvery
	// drainFor is how long a stop waits for the completions that the broker has sent already.
	drainFor = 5 * time.Second
)

// The statuses of an answer without a completion.
const (
	statusBeat    = "100"
	statusNothing = "404"
	statusExpired = "408"
)

// errLost means that a request brings nothing any more.
var errLost = errors.New("the request is lost")

// inbox receives the completions of a hand. At most a single request for a single completion is
// open, so no completion waits in the program while the hand works.
//
// The client library has loops for messages too. The loops ask for the next message while the
// program works, or keep a request back after quick work.
type inbox struct {
	*subscribing

	subscription *nats.Subscription
	// isOpen is true while a request waits at the broker.
	isOpen bool
}

func (s *subscribing) openInbox() (*inbox, error) {
	subscription, err := s.nats.SubscribeSync(s.nats.NewInbox())
	if err != nil {
		return nil, fmt.Errorf("take from durable %s: %w", s.Durable, err)
	}
	return &inbox{subscribing: s, subscription: subscription}, nil
}

// next returns the next completion. The error is ctx.Err() after the end of ctx, or errLost.
func (i *inbox) next(ctx context.Context) (*nats.Msg, error) {
	for {
		if err := ctx.Err(); err != nil {
			return nil, err // a request that ends at once may take a completion with it
		}
		if err := i.request(ctx); err != nil {
			return nil, err
		}
		msg, err := i.receive(ctx)
		if err != nil {
			return nil, err
		}
		status := msg.Header.Get(statusHeader)
		switch {
		case status == "" && msg.Reply != "":
			i.isOpen = false
			return msg, nil
		case status == statusBeat:
		case status == statusNothing || status == statusExpired:
			i.isOpen = false
		default: // the durable is deleted, or has another leader; the broker stops, or is too busy
			description := msg.Header.Get("Description")
			return nil, fmt.Errorf("status %s %s: %w", status, description, errLost)
		}
	}
}

// request asks for a completion, unless a request is open. While the broker is away, request waits:
// the broker would answer a request of before to an inbox that nobody reads any more.
func (i *inbox) request(ctx context.Context) error {
	if i.isOpen {
		return nil
	}
	if err := i.waitForBroker(ctx); err != nil {
		return err
	}
	subject := fmt.Sprintf("$JS.%s.API.CONSUMER.MSG.NEXT.%s.%s", i.domain,
		i.consumer.CachedInfo().Stream, i.Durable)
	body := fmt.Appendf(nil, `{"batch":1,"expires":%d,"idle_heartbeat":%d}`, requestFor, beatEvery)
	err := i.nats.PublishRequest(subject, i.subscription.Subject, body)
	if errors.Is(err, nats.ErrReconnectBufExceeded) {
		return fmt.Errorf("%w: %w", errLost, err) // the broker went away a moment ago
	}
	if err != nil {
		return fmt.Errorf("take from durable %s: %w", i.Durable, err)
	}
	i.isOpen = true
	return nil
}

// receive waits for the next message of any kind.
func (i *inbox) receive(ctx context.Context) (*nats.Msg, error) {
	wait, cancel := context.WithTimeout(ctx, silentFor)
	defer cancel()
	msg, err := i.subscription.NextMsgWithContext(wait)
	switch {
	case ctx.Err() != nil && err != nil:
		return nil, ctx.Err()
	case errors.Is(err, context.DeadlineExceeded):
		return nil, fmt.Errorf("no sign of the broker for %s: %w", silentFor, errLost)
	case err != nil:
		return nil, fmt.Errorf("take from durable %s: %w", i.Durable, err)
	default:
		return msg, nil
	}
}

// close ends the request, and gives back the completions that the broker had sent before.
func (i *inbox) close(ctx context.Context) {
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainFor)
	defer cancel()
	err := i.subscription.Drain()
	for err == nil {
		var msg *nats.Msg
		msg, err = i.subscription.NextMsgWithContext(drain)
		if err == nil && msg.Header.Get(statusHeader) == "" {
			i.release(ctx, msg)
		}
	}
}
