package stream_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
	"github.com/wagewire/wagewire/schema/stream/streamtest"
)

// The event of the golden file: the provider's own sample, with the white space it came with.
const employmentAdded = `{
"event": "employment.added",
"event_id": "5a141122-4235-4fa1-bd76-0628573880b0",
"payload": {
"account_id": "449e7a5c-69d3-4b8a-aaaf-5c9b713ebc65",
"end_user_id": "my_user_12345",
"timestamp": "2021-01-12T02:36:01.287148+00:00",
"outcome": "success"
}
}
`

func TestEventOnTheWireIsTheGoldenFile(t *testing.T) {
	t.Parallel()
	s, c := streamtest.New(t)
	occurred, err := schema.ParseTime("2021-01-12T02:36:01.287148+00:00")
	must(t, err)
	publish(t, c, schema.Event{
		Provider:    schema.Pinwheel,
		ID:          "5a141122-4235-4fa1-bd76-0628573880b0",
		Type:        "employment.added",
		Resource:    schema.Employment,
		Action:      schema.ActionAdded,
		AccountID:   "449e7a5c-69d3-4b8a-aaaf-5c9b713ebc65",
		OccurredAt:  occurred,
		ReceivedAt:  time.Date(2021, 1, 12, 2, 36, 2, 500_000_000, time.UTC),
		TraceParent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
		Body:        []byte(employmentAdded),
	})
	m := look(t, s).all(schema.EventsStream, ">")[0]
	if string(m.Data) != employmentAdded {
		t.Errorf("the body has changed: %q", m.Data)
	}
	var got bytes.Buffer
	enc := json.NewEncoder(&got)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	must(t, enc.Encode(map[string]any{
		"subject": m.Subject, "headers": m.Header, "body": string(m.Data),
	}))
	const golden = "testdata/event.golden.json"
	if *update {
		must(t, os.WriteFile(golden, got.Bytes(), 0o600))
	}
	want, err := os.ReadFile(golden)
	must(t, err)
	if diff := cmp.Diff(string(want), got.String()); diff != "" {
		t.Errorf("an event on the wire has changed; -update accepts it (-golden +got):\n%s", diff)
	}
}

func TestEventPublishedTwice(t *testing.T) {
	t.Parallel()
	s, c := streamtest.New(t)
	b := look(t, s)
	anotherBody := func(e schema.Event) schema.Event {
		e.Body = append(bytes.Clone(e.Body), ' ')
		return e
	}
	anotherTrace := func(e schema.Event) schema.Event {
		e.TraceParent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
		e.ReceivedAt = e.ReceivedAt.Add(time.Minute)
		return e
	}
	for _, test := range []struct {
		promise string
		second  func(schema.Event) schema.Event
		err     error
	}{
		{promise: "sent again is a duplicate"},
		{promise: "sent again with another trace and time is a duplicate", second: anotherTrace},
		{
			promise: "with another body under the same id is a conflict",
			second:  anotherBody, err: schema.ErrIDConflict,
		},
	} {
		t.Run(test.promise, func(t *testing.T) {
			e := paystubs(schema.Token(test.promise), schema.Token(test.promise))
			publish(t, c, e)
			last := b.state(schema.EventsStream).LastSeq
			if test.second != nil {
				e = test.second(e)
			}
			duplicate, err := c.PublishEvent(t.Context(), e)
			if !duplicate || !errors.Is(err, test.err) {
				t.Errorf("PublishEvent = %v, %v; want true, %v", duplicate, err, test.err)
			}
			if got := b.state(schema.EventsStream).LastSeq; got != last {
				t.Errorf("something was stored: last sequence %d, was %d", got, last)
			}
		})
	}
}

func TestEventWithAnyIDIsStoredAndComesBackAsItWas(t *testing.T) {
	t.Parallel()
	s, c := streamtest.New(t)
	b := look(t, s)
	jobs, _, _ := hold(t, c, queueOf(schema.Paystubs), 1)
	for name, id := range map[string]string{
		"CR LF":            "a\r\nNats-Rollup: all",
		"star":             "*",
		"dots":             "a.b.c",
		"more":             ">",
		"NUL":              "a\x00b",
		"space":            " a b ",
		"10 kB":            strings.Repeat("x", 10_000),
		"16 kB of control": strings.Repeat("\x01", schema.IDBytesMax),
		"unicode":          "Zoë 💶",
		"percent":          "100%25",
		"quote":            `"a"`,
		"bad UTF-8":        "\xff\xfe",
		"hash-like":        schema.HashToken("x"),
		"no account":       schema.NoAccount,
	} {
		account := strings.ToValidUTF8(id, "?")
		e := paystubs(id, account)
		publish(t, c, e)
		stored := b.all(schema.EventsStream, e.Subject())
		if len(stored) != 1 {
			t.Fatalf("%s: %d messages on %s", name, len(stored), e.Subject())
		}
		for _, header := range []string{"Nats-Msg-Id", "ce-subject"} {
			value := stored[0].Header.Get(header)
			if !strings.Contains(value, "h_") || len(value) > 80 ||
				strings.ContainsAny(value, " .*>\r\n\x00") {
				t.Errorf("%s: header %s is %q, want a hash", name, header, value)
			}
		}
		j := next(t, "delivery of "+name, jobs)
		if j.Err != nil || j.Event.ID != id || j.Event.AccountID != account {
			t.Errorf("%s: came back as id %q, account %q, error %v",
				name, j.Event.ID, j.Event.AccountID, j.Err)
		}
		must(t, j.Done())
		j.release()
	}
}

func TestEventPublishedAtOnceBy64IsStoredOnce(t *testing.T) {
	t.Parallel()
	s, c := streamtest.New(t)
	var all sync.WaitGroup
	var mu sync.Mutex
	fresh := 0
	for range 64 {
		all.Go(func() {
			duplicate, err := c.PublishEvent(t.Context(), paystubs("one", "account"))
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			if !duplicate {
				fresh++
			}
		})
	}
	all.Wait()
	// None is fresh if the broker's answer to the first was late: its second try was a duplicate.
	if n := look(t, s).state(schema.EventsStream).Msgs; n != 1 || fresh > 1 {
		t.Errorf("%d events stored, %d publishes reported as the first; want 1 of each", n, fresh)
	}
}

func TestEventWithoutServerIsAnErrorAndSendsNothingLater(t *testing.T) {
	t.Parallel()
	s, c := streamtest.New(t)
	s.Stop()
	streamtest.Eventually(t, "disconnected", func() bool { return c.Connected() != nil })
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	duplicate, err := c.PublishEvent(ctx, paystubs("lost", "account"))
	if duplicate || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("PublishEvent = %v, %v; want the deadline's error", duplicate, err)
	}
	must(t, s.Restart())
	publish(t, c, paystubs("after", "account")) // waits for the connection itself
	if n := look(t, s).state(schema.EventsStream).Msgs; n != 1 {
		t.Errorf("%d events, want the second one only", n)
	}
}

func TestEventsPublishedWhileTheServerRestartsAreStoredOnce(t *testing.T) {
	t.Parallel()
	s, c := streamtest.New(t)
	const publishers, each = 4, 50
	begun := make(chan struct{}, publishers*each)
	var all sync.WaitGroup
	for p := range publishers {
		all.Go(func() {
			for n := range each {
				e := paystubs(fmt.Sprintf("%d-%d", p, n), "account")
				if _, err := c.PublishEvent(t.Context(), e); err != nil {
					t.Error(err)
				}
				begun <- struct{}{}
			}
		})
	}
	for range 20 {
		next(t, "publish", begun)
	}
	s.Stop()
	must(t, s.Restart())
	all.Wait()
	if n := look(t, s).state(schema.EventsStream).Msgs; n != publishers*each {
		t.Errorf("%d events stored, want %d", n, publishers*each)
	}
}

func TestEventWithoutStreamIsAnErrorAndReadySaysWhatToDo(t *testing.T) {
	t.Parallel()
	s := streamtest.Run(t, streamtest.Config{})
	c := s.Connect(t)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if duplicate, err := c.PublishEvent(ctx, paystubs("one", "account")); duplicate || err == nil {
		t.Errorf("PublishEvent = %v, %v; want an error", duplicate, err)
	}
	err := c.Ready(t.Context())
	if !errors.Is(err, stream.ErrNoQueue) ||
		!strings.Contains(err.Error(), "run: wagewire provision apply") {
		t.Errorf("Ready = %v", err)
	}
	err = c.Queue(queueOf(schema.Paystubs)).Ready(t.Context())
	if !errors.Is(err, stream.ErrNoQueue) {
		t.Errorf("Queue.Ready = %v", err)
	}
	streamtest.Provision(t, c, streamtest.Topology())
	must(t, c.Ready(t.Context()))
	must(t, c.Queue(queueOf(schema.Paystubs)).Ready(t.Context()))
}

func TestEventOnAFullStreamIsErrFullAndReadyFailsBefore(t *testing.T) {
	t.Parallel()
	s, c := start(t, func(topology *schema.Topology) {
		streamIn(topology, schema.EventsStream).MaxBytes = 64 << 10
	})
	stored := uint64(0)
	notReady := false
	for ; ; stored++ {
		if err := c.Ready(t.Context()); err != nil && !notReady {
			notReady = true
			if !errors.Is(err, stream.ErrFull) {
				t.Errorf("Ready = %v, want ErrFull", err)
			}
		}
		duplicate, err := c.PublishEvent(t.Context(), paystubs(fmt.Sprint(stored), "account"))
		if errors.Is(err, stream.ErrFull) && !duplicate {
			break
		}
		must(t, err)
	}
	if !notReady {
		t.Error("the stream was full and Ready never returned an error")
	}
	if n := look(t, s).state(schema.EventsStream).Msgs; n != stored {
		t.Errorf("%d events stored, %d acknowledged", n, stored)
	}
	duplicate, err := c.PublishEvent(t.Context(), paystubs("0", "account"))
	if !duplicate || err != nil {
		t.Errorf("a duplicate on a full stream: %v, %v", duplicate, err)
	}
}

func TestQuarantineStoresTheSameBytesOnce(t *testing.T) {
	t.Parallel()
	s, c := streamtest.New(t)
	q := schema.Quarantined{
		Provider: schema.Truv, Reason: schema.QuarantineJSON, ReceivedAt: received,
		Body: []byte("{\xff"),
	}
	must(t, c.PublishQuarantined(t.Context(), q))
	q.Reason = schema.QuarantineStale
	q.ReceivedAt = received.Add(time.Hour)
	must(t, c.PublishQuarantined(t.Context(), q))
	q.Body = []byte("[")
	must(t, c.PublishQuarantined(t.Context(), q))
	stored := look(t, s).all(schema.QuarantineStream, schema.QuarantineSubject(schema.Truv))
	if len(stored) != 2 || string(stored[0].Data) != "{\xff" ||
		stored[0].Header.Get("Wagewire-Reason") != "json" {
		t.Errorf("quarantine holds %+v", stored)
	}
}
