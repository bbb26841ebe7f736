package main

import (
	"strings"
	"testing"
	"time"

	"github.com/wagewire/wagewire/deploy/fake"
	"github.com/wagewire/wagewire/deploy/sandbox"
	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
	"github.com/wagewire/wagewire/schema/stream/streamtest"
)

// An outage of a provider, as an operator has it: events wait for an hour, the provider heals, and
// one command completes the events without the rest of the hour. Every part is the real one.
func TestOneCommandEndsTheWaitAfterAnOutage(t *testing.T) {
	t.Parallel()
	s, err := sandbox.Up(t.Context(), sandbox.Config{
		AdminPort: -1, ConsolePort: -1, Getenv: env("RETRY_LADDER", "1h"),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	tail, err := stream.NewOperator(s.Conn).Tail(t.Context(), "", time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(tail.Close)
	if _, err := s.Fake.AddFault(fake.Fault{Path: "income", Status: 503}); err != nil {
		t.Fatal(err)
	}
	ids := map[string]bool{}
	for range 3 {
		ids[sendIncome(t, s)] = true
	}
	getenv := env("NATS_URL", s.NATSURL)
	streamtest.Eventually(t, "three events wait", func() bool {
		got := wagewire(t, getenv, "retry", "pinwheel_income", "--dry-run")
		return strings.HasSuffix(got.stderr, "would try 3 events now\n")
	})

	s.Fake.ClearFaults()
	got := wagewire(t, getenv, "retry", "pinwheel_income", "--yes")
	if got.code != 0 || !strings.HasSuffix(got.stderr, "3 events tried now, 0 no longer waited\n") {
		t.Fatalf("got %+v", got)
	}
	for range 3 {
		c, err := tail.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if !ids[c.Data.Event.ID] || c.Data.Outcome != schema.Succeeded || c.Data.Attempts != 2 {
			t.Errorf("%s ended %s at attempt %d", c.Data.Event.ID, c.Data.Outcome, c.Data.Attempts)
		}
		delete(ids, c.Data.Event.ID)
	}
}

// sendIncome sends a webhook about a new person's income, and returns the webhook's id.
func sendIncome(t *testing.T, s *sandbox.Sandbox) string {
	t.Helper()
	w, err := s.Fake.Event(s.Fake.Person(fake.PersonOptions{}), "income.added", fake.EventOptions{})
	if err != nil {
		t.Fatal(err)
	}
	answer, err := s.Fake.SendWithRetries(t.Context(), w)
	if err != nil || answer.Status != 200 {
		t.Fatalf("answered %d %s, %v", answer.Status, answer.Body, err)
	}
	return w.ID
}
