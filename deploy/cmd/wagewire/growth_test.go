package main

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
	"github.com/wagewire/wagewire/schema/stream/streamtest"
)

// messages counts what passes the broker while do runs: requests, answers and deliveries.
func messages(t *testing.T, s *streamtest.Server, do func()) int64 {
	t.Helper()
	nc, err := nats.Connect(s.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	var count atomic.Int64
	end := nats.NewInbox()
	ended := make(chan struct{})
	_, err = nc.Subscribe(">", func(m *nats.Msg) {
		if m.Subject == end {
			close(ended)
			return
		}
		count.Add(1)
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := nc.FlushTimeout(time.Minute); err != nil {
		t.Fatal(err)
	}
	do()
	if err := nc.Publish(end, nil); err != nil {
		t.Fatal(err)
	}
	<-ended
	return count.Load()
}

func TestNoCommandReadsMoreBecauseMoreIsKept(t *testing.T) {
	t.Parallel()
	const few, many = 300, 3000
	const usageError = 2
	// The events of an account come at one in five, so each account has the same number in both.
	const perAccount = 5
	last := fmt.Sprint(few - 1)
	account := fmt.Sprintf("a-%d", (few-1)/perAccount)
	commands := map[string][]string{
		"status":             {"status"},
		"trace":              {"trace", last},
		"find":               {"find", account},
		"dead show":          {"dead", "show", "1"},
		"replay an account":  {"replay", "--queue", "pinwheel_paystubs", "--account", account, "--dry-run"},
		"doctor":             {"doctor"},
		"quarantine list":    {"quarantine", "list"},
		"team list":          {"team", "list"},
		"accounts list":      {"accounts", "list"},
		"provision plan":     {"provision", "plan"},
		"redrive one letter": {"dead", "redrive", "1", "--dry-run"},
	}
	counts := map[string][2]int64{}
	for i, kept := range []int{few, many} {
		s, _ := streamtest.New(t)
		c := streamtest.ConnectPatiently(t, s.URL())
		for n := range kept {
			e := schema.Event{
				Provider: schema.Pinwheel, ID: fmt.Sprint(n), Type: "paystubs.added",
				Resource: schema.Paystubs, Action: "added",
				AccountID:  fmt.Sprintf("a-%d", n/perAccount),
				OccurredAt: receivedAt, ReceivedAt: receivedAt, Body: []byte("{}"),
			}
			if _, err := c.PublishEvent(t.Context(), e); err != nil {
				t.Fatal(err)
			}
			completion := schema.NewCompletion(e, schema.Paystubs, schema.Succeeded, receivedAt)
			if _, err := c.PublishCompletion(t.Context(), e, completion); err != nil {
				t.Fatal(err)
			}
			if n == few-1 {
				stored, _, err := stream.NewOperator(c).Message(
					t.Context(), schema.EventsStream, few)
				if err != nil {
					t.Fatal(err)
				}
				letter := schema.DeadLetter{
					Queue: "pinwheel_paystubs", Account: e.Account(),
					Class: schema.ClassPermanent, Reason: schema.ReasonRejected, At: receivedAt,
					Headers: stored.Header, Body: stored.Body,
				}
				if err := c.PublishDeadLetter(t.Context(), letter); err != nil {
					t.Fatal(err)
				}
			}
		}
		for name, args := range commands {
			pair := counts[name]
			pair[i] = messages(t, s, func() {
				got := wagewire(t, s.Getenv(), args...)
				if got.code == usageError || strings.Contains(got.stderr, "NATS") {
					t.Errorf("%s: exit code %d\n%s", name, got.code, got.stderr)
				}
			})
			counts[name] = pair
		}
	}
	// A try may be repeated on a busy machine.
	const repeated = 20
	for name, count := range counts {
		if count[1] > count[0]+repeated {
			t.Errorf("%s: %d messages with %d kept, %d with %d kept", name, count[0], few,
				count[1], many)
		}
		if count[0] == 0 {
			t.Errorf("%s: nothing is counted", name)
		}
		t.Logf("%s: %d messages with %d kept, %d with %d kept", name, count[0], few, count[1], many)
	}
}
