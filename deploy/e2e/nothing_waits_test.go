package e2e

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/wagewire/wagewire/deploy/fake"
	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
	"github.com/wagewire/wagewire/schema/stream/streamtest"
)

const (
	// handsOfAQueue is the default number of events that a queue has in hand.
	handsOfAQueue = 16
	// measured is how many events a median is of.
	measured = 100
)

// upInProcess starts a stack that ends with the test. The script has the commands for the stack.
func upInProcess(t *testing.T, start starter, variables map[string]string) *script {
	t.Helper()
	s := newScript(untilLate(t), start)
	t.Cleanup(s.stop)
	var err error
	s.stack, err = start(s.ctx, t.TempDir(), variables)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Log("the parts logged:\n" + s.lastLines())
		}
		if err := s.close(); err != nil {
			t.Error(err)
		}
	})
	if err := s.connect(); err != nil {
		t.Fatal(err)
	}
	return s
}

// newPerson makes a person with a payroll account.
func (s *script) newPerson(t *testing.T) person {
	t.Helper()
	var p person
	if err := s.control(http.MethodPost, "people", map[string]int{"paystubs": 1}, &p); err != nil {
		t.Fatal(err)
	}
	return p
}

// webhook sends a webhook about the person and returns its id. Ingress must answer 200 in the end.
func (s *script) webhook(t *testing.T, webhookType string, p person) string {
	t.Helper()
	var sent fake.Sent
	// A busy machine may answer 503, and a provider then sends again.
	in := map[string]any{"type": webhookType, "account": p.AccountID, "retry": true}
	if err := s.control(http.MethodPost, "webhooks", in, &sent); err != nil {
		t.Fatal(err)
	}
	if sent.Status != http.StatusOK {
		t.Fatalf("%s %s was answered %d", sent.Type, sent.ID, sent.Status)
	}
	return sent.ID
}

func (s *script) addFault(t *testing.T, f fake.Fault) {
	t.Helper()
	if err := s.control(http.MethodPost, "faults", f, nil); err != nil {
		t.Fatal(err)
	}
}

// Events that cannot be fetched now fill all hands of the link's queue. The next events of the same
// queue, and the erasures of the same worker, are completed at the first attempt, while all of the
// others still have no completion. The medians are for the log: a busy machine may take any time.
func TestNothingWaitsBehindEventsThatCannotBeFetched(t *testing.T) {
	t.Parallel()
	unreachable := func(_, secret string) (string, string) {
		return fmt.Sprintf("http://127.0.0.1:%d", streamtest.FreePort(t)), secret
	}
	tests := []struct {
		promise string
		start   starter
		// fault is one of the API, if the API is reachable.
		fault fake.Fault
		// path makes the fault one of the person alone.
		path func(person) string
		next []string
	}{
		{
			"no event and no erasure behind forbidden accounts", startInProcess,
			fake.Fault{Status: http.StatusForbidden},
			func(p person) string { return p.LinkID }, []string{"link-connected", "link-deleted"},
		},
		{
			"no erasure behind a provider that answers 503", startInProcess,
			fake.Fault{Status: http.StatusServiceUnavailable}, nil, []string{"link-deleted"},
		},
		{
			"no erasure behind a provider that refuses connections",
			startOutside(t, unreachable), fake.Fault{}, nil, []string{"link-deleted"},
		},
		{
			"no erasure behind refused credentials", startInProcess,
			fake.Fault{Status: http.StatusUnauthorized}, nil, []string{"link-deleted"},
		},
	}
	for _, test := range tests {
		t.Run(test.promise, func(t *testing.T) {
			t.Parallel()
			s := upInProcess(t, test.start, map[string]string{
				"RETRY_LADDER": "1h", "NOT_READY_LADDER": "1h", "TRUV_RATE_PER_S": "1000",
			})
			stuck := s.fillHands(t, test.fault, test.path)
			for _, webhookType := range test.next {
				took := s.timeEach(t, webhookType)
				t.Logf("%s: median %v, longest %v of %d", webhookType, took[len(took)/2],
					took[len(took)-1], len(took))
			}
			for _, id := range stuck {
				if all, err := s.completionsOf(s.ctx, id, ""); err != nil || len(all) > 0 {
					t.Errorf("%s has %d completions, error %v", id, len(all), err)
				}
			}
		})
	}
}

// fillHands sends as many webhooks about links as the queue has hands, each about a new person. The
// calls to Truv fail with the fault, or only those at the path of a person. fillHands returns the
// ids of the webhooks.
func (s *script) fillHands(t *testing.T, f fake.Fault, path func(person) string) []string {
	t.Helper()
	var ids []string
	f.Provider = string(schema.Truv)
	for range handsOfAQueue {
		p := s.newPerson(t)
		if path != nil {
			f.Path = path(p)
		}
		if f.Status != 0 {
			s.addFault(t, f)
		}
		ids = append(ids, s.webhook(t, "link-connected", p))
	}
	return ids
}

// timeEach sends a webhook about each of some new people, one after the other. Each must be
// completed at its first attempt. timeEach returns how long each took, shortest first: from before
// the webhook until a subscriber has the completion.
func (s *script) timeEach(t *testing.T, webhookType string) []time.Duration {
	t.Helper()
	tail, err := stream.NewOperator(s.conn).Tail(s.ctx, "", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	defer tail.Close()
	var took []time.Duration
	for range measured {
		p := s.newPerson(t)
		began := time.Now()
		id := s.webhook(t, webhookType, p)
		c, err := nextOf(s.ctx, tail, id)
		if err != nil {
			t.Fatal(err)
		}
		took = append(took, time.Since(began))
		if c.Data.Attempts != 1 ||
			!c.Data.Outcome.HasRecords() && c.Data.Outcome != schema.Deleted {
			t.Errorf("%s ended %s at attempt %d", id, c.Data.Outcome, c.Data.Attempts)
		}
	}
	slices.Sort(took)
	return took
}

// nextOf reads completions until that of the event.
func nextOf(ctx context.Context, tail *stream.Tail, id string) (schema.Completion, error) {
	for {
		c, err := tail.Next(ctx)
		if err != nil {
			return c, fmt.Errorf("the completion of %s: %w", id, errors.Join(err, context.Cause(ctx)))
		}
		if c.Data.Event.ID == id {
			return c, nil
		}
	}
}
