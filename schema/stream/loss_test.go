package stream_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
	"github.com/wagewire/wagewire/schema/stream/streamtest"
)

// large is an event over the limit that tests lower max_payload to.
func large(id string) schema.Event {
	e := paystubs(id, "account")
	e.Body = bytes.Repeat([]byte(" "), 32<<10)
	return e
}

// lose makes the client library give up the connection: an operator lowers max_payload, and the
// connection sends an event over the new limit.
func lose(t *testing.T, s *streamtest.Server, c *stream.Conn) {
	t.Helper()
	must(t, s.SetPayloadMax(16<<10))
	if _, err := c.PublishEvent(t.Context(), large("large")); err == nil {
		t.Fatal("the large event was stored")
	}
	next(t, "the loss of the connection", c.Lost())
}

func isLoss(err error) bool {
	return err != nil && strings.Contains(err.Error(), "closed the connection for good") &&
		strings.Contains(err.Error(), "Maximum Payload Violation")
}

func TestALostConnectionSaysWhyEverywhereAndAtOnce(t *testing.T) {
	t.Parallel()
	s, c := streamtest.New(t)
	if err := c.Connected(); err != nil {
		t.Fatal(err)
	}
	lose(t, s, c)
	_, published := c.PublishEvent(t.Context(), paystubs("small", "account")) // t.Context never ends
	for promise, err := range map[string]error{
		"AwaitLoss":    c.AwaitLoss(t.Context()),
		"Connected":    c.Connected(),
		"Ready":        c.Ready(t.Context()),
		"PublishEvent": published,
		"Queue.Ready":  c.Queue(queueOf(schema.Paystubs)).Ready(t.Context()),
	} {
		if !isLoss(err) {
			t.Errorf("%s: error %v", promise, err)
		}
	}
}

func TestAPublishInHandEndsWithTheConnection(t *testing.T) {
	t.Parallel()
	s, c := streamtest.New(t)
	c.BePatient()
	must(t, s.SetPayloadMax(16<<10))
	_, err := c.PublishEvent(t.Context(), large("large")) // t.Context never ends
	if err == nil {
		t.Error("the large event was stored")
	}
}

func TestANewConnectionKnowsTheLowerLimit(t *testing.T) {
	t.Parallel()
	s, c := streamtest.New(t)
	lose(t, s, c)
	again := s.Connect(t)
	_, err := again.PublishEvent(t.Context(), large("large"))
	if !errors.Is(err, schema.ErrTooLarge) {
		t.Errorf("a large event: error %v, want ErrTooLarge", err)
	}
	publish(t, again, paystubs("small", "account"))
	e := paystubs("records", "account")
	if !complete(t, again, e, succeeded(e, records(64<<10, "text ")...)) {
		t.Error("a completion over the limit is not stored with its records elsewhere")
	}
	if err := again.Connected(); err != nil {
		t.Error(err)
	}
}

func TestRunWhileOpen(t *testing.T) {
	t.Parallel()
	s, c := streamtest.New(t)
	ours := errors.New("ours")
	run := func(context.Context) error { return ours }
	if err := c.RunWhileOpen(t.Context(), run); !errors.Is(err, ours) {
		t.Errorf("the error of run: got %v", err)
	}
	ctx, stop := context.WithCancel(t.Context())
	untilDone := func(ctx context.Context) error {
		<-ctx.Done()
		return ctx.Err()
	}
	ended := make(chan error, 1)
	go func() { ended <- c.RunWhileOpen(ctx, untilDone) }()
	stop()
	if err := next(t, "the end of run", ended); !errors.Is(err, context.Canceled) {
		t.Errorf("the end of ctx: got %v", err)
	}
	go func() { ended <- c.RunWhileOpen(t.Context(), untilDone) }()
	lose(t, s, c)
	if err := next(t, "the end of run", ended); !isLoss(err) {
		t.Errorf("the loss of the connection: got %v", err)
	}
}

func TestCloseIsNoLoss(t *testing.T) {
	t.Parallel()
	s, _ := streamtest.New(t)
	c := s.Connect(t)
	c.Close()
	select {
	case <-c.Lost():
		t.Error("Close counts as a loss")
	default:
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if err := c.AwaitLoss(ctx); err != nil {
		t.Errorf("AwaitLoss: %v", err)
	}
}
