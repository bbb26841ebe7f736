package client

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/wagewire/wagewire/schema"
)

const (
	// requestFor is how long a request of Subscribe waits at the broker.
	requestFor = 30 * time.Second
	// The first request of CatchUp behind a completion waits for catchUpMin, and each without a
	// completion twice as long, up to catchUpMax. So CatchUp ends soon after the last completion.
	catchUpMin = 500 * time.Millisecond
	catchUpMax = 5 * time.Second
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
	statusRefused = "400"
	statusNothing = "404"
	statusExpired = "408"
)

// noRequest is a request that the broker refuses with statusRefused: the text begins like JSON, and
// is none. The broker would take any other text for a request for one completion.
const noRequest = "{"

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
	// requestFor is how long the next request waits there.
	requestFor time.Duration
}

func (s *subscribing) openInbox() (*inbox, error) {
	subscription, err := s.nats.SubscribeSync(s.nats.NewInbox())
	if err != nil {
		return nil, fmt.Errorf("take from durable %s: %w", s.Durable, err)
	}
	return &inbox{subscribing: s, subscription: subscription, requestFor: s.requestMin}, nil
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
			i.requestFor = i.requestMin
			return msg, nil
		case status == statusBeat:
		case status == statusNothing || status == statusExpired:
			i.isOpen = false
			i.requestFor = min(2*i.requestFor, i.requestMax)
			i.noteQuiet()
		default: // the durable is deleted, or has another leader; the broker stops, or is too busy
			description := msg.Header.Get("Description")
			return nil, fmt.Errorf("status %s %s: %w", status, description, errLost)
		}
	}
}

// noteQuiet tells CatchUp that a request has ended without a completion.
func (s *subscribing) noteQuiet() {
	select {
	case s.quiet <- struct{}{}:
	default: // the last value was not read yet
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
	beat := min(beatEvery, i.requestFor/2)
	err := i.send(fmt.Sprintf(`{"batch":1,"expires":%d,"idle_heartbeat":%d}`, i.requestFor, beat))
	if errors.Is(err, nats.ErrReconnectBufExceeded) {
		return fmt.Errorf("%w: %w", errLost, err) // the broker went away a moment ago
	}
	if err != nil {
		return fmt.Errorf("take from durable %s: %w", i.Durable, err)
	}
	i.isOpen = true
	return nil
}

// send sends a request, whose answers come to the inbox.
func (i *inbox) send(request string) error {
	subject := fmt.Sprintf("$JS.%s.API.CONSUMER.MSG.NEXT.%s.%s", i.domain,
		schema.CompletionsStream, i.Durable)
	return i.nats.PublishRequest(subject, i.subscription.Subject, []byte(request))
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
	case errors.Is(err, nats.ErrNoResponders): // as while the broker starts
		return nil, fmt.Errorf("%w: %w", errLost, err)
	case err != nil:
		return nil, fmt.Errorf("take from durable %s: %w", i.Durable, err)
	default:
		return msg, nil
	}
}

// close ends the request, and gives back the completions that the broker had sent before. A request
// that the broker looks at when the inbox is gone would get a completion that nobody receives until
// the end of its lease. The broker looks at requests in turn. So close first sends a request that
// the broker refuses, and waits for the refusal.
func (i *inbox) close(ctx context.Context) {
	if i.isOpen && i.nats.IsConnected() && i.send(noRequest) == nil {
		for status := ""; status != statusRefused; {
			var err error
			status, err = i.releaseNext(ctx)
			if err != nil {
				break // the broker is away, and has no requests then
			}
		}
	}
	err := i.subscription.Drain()
	for err == nil {
		_, err = i.releaseNext(ctx)
	}
}

// releaseNext waits for the next message, and gives back a completion. It returns the status of an
// answer without a completion.
func (i *inbox) releaseNext(ctx context.Context) (status string, err error) {
	limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainFor)
	defer cancel()
	msg, err := i.subscription.NextMsgWithContext(limited)
	if err != nil {
		return "", err
	}
	status = msg.Header.Get(statusHeader)
	if status == "" {
		i.release(ctx, msg)
	}
	return status, nil
}
