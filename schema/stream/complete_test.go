package stream_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
	"github.com/wagewire/wagewire/schema/stream/streamtest"
)

// complete publishes a completion and reports whether the stream has a new one. PublishCompletion
// itself does not know if the broker answered its first try too late.
func complete(
	t *testing.T, c *stream.Conn, e schema.Event, completion schema.Completion,
) (stored bool) {
	t.Helper()
	before, err := c.Completed(t.Context(), e, completion.Data.Resource)
	must(t, err)
	stored, err = c.PublishCompletion(t.Context(), e, completion)
	must(t, err)
	after, err := c.Completed(t.Context(), e, completion.Data.Resource)
	must(t, err)
	if stored && before || !after {
		t.Errorf("completion %s: stored %v; on the stream before %v, after %v",
			completion.ID, stored, before, after)
	}
	return !before
}

func erase(t *testing.T, c *stream.Conn, e schema.Event) {
	t.Helper()
	for _, step := range c.ErasureSteps(e.Provider, e.Account()) {
		if err := step.Run(t.Context()); err != nil {
			t.Fatalf("%s: %v", step.Name, err)
		}
	}
}

// forgets waits until the completion's id has left the duplicate window. Then only the taken
// subject refuses a second one.
func (b broker) forgets(e schema.Event) {
	b.t.Helper()
	streamtest.Eventually(b.t, "the window has passed", func() bool {
		msg := &nats.Msg{Subject: e.CompletionSubject(e.Resource)}
		_, err := b.PublishMsg(b.t.Context(), msg, jetstream.WithMsgID(e.CompletionKey(e.Resource)))
		refused, is := errors.AsType[*jetstream.APIError](err)
		return is && refused.ErrorCode == 10077
	})
}

// records returns two records with about the given number of bytes together.
func records(bytes int, text string) []string {
	note := strings.Repeat(text, bytes/len(text))
	return []string{`{"id":"1","note":"` + note + `","gross":1234.50}`, `{"id":"2","net":0.10}`}
}

// objects are the names in the object store.
func (b broker) objects() (names []string) {
	b.t.Helper()
	store, err := b.ObjectStore(b.t.Context(), schema.RecordsBucket)
	must(b.t, err)
	list, err := store.List(b.t.Context())
	if errors.Is(err, jetstream.ErrNoObjectsFound) {
		return nil
	}
	must(b.t, err)
	for _, o := range list {
		names = append(names, o.Name)
	}
	return names
}

// ref is where the records of the event's completion are.
func (b broker) ref(e schema.Event) schema.RecordsRef {
	b.t.Helper()
	var c schema.Completion
	m := b.all(schema.CompletionsStream, e.CompletionSubject(e.Resource))[0]
	must(b.t, json.Unmarshal(m.Data, &c))
	return *c.Data.RecordsRef
}

func TestCompletionOnTheStreamIsWhatWasGiven(t *testing.T) {
	t.Parallel()
	s, c := streamtest.New(t)
	c.BePatient()
	e := paystubs("id", "account")
	want, err := succeeded(e, `{"gross": 1234.50}`).Encode()
	must(t, err)
	if !complete(t, c, e, succeeded(e, `{"gross": 1234.50}`)) {
		t.Error("not stored")
	}
	m := look(t, s).all(schema.CompletionsStream, e.CompletionSubject(schema.Paystubs))[0]
	if diff := cmp.Diff(string(want), string(m.Data)); diff != "" {
		t.Error(diff)
	}
	for header, want := range map[string]string{
		"Nats-Msg-Id":      "pinwheel:id:paystubs",
		"Wagewire-Outcome": "succeeded",
		"content-type":     "application/cloudevents+json",
		"Nats-TTL":         (21 * 24 * time.Hour).String(),
	} {
		if got := m.Header.Get(header); got != want {
			t.Errorf("header %s is %q, want %q", header, got, want)
		}
	}
}

func TestCompletionIsStoredOnce(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		promise string
		window  time.Duration
		between func(broker, *streamtest.Server, schema.Event)
	}{
		{"inside the window", 10 * time.Minute,
			func(broker, *streamtest.Server, schema.Event) {}},
		{"inside the window after a restart", 10 * time.Minute, restart},
		{"after the window", 100 * time.Millisecond,
			func(b broker, _ *streamtest.Server, e schema.Event) {
				b.forgets(e)
			}},
		{"after the window and a restart", 100 * time.Millisecond,
			func(b broker, s *streamtest.Server, e schema.Event) {
				restart(b, s, e)
				b.forgets(e)
			}},
	} {
		t.Run(test.promise, func(t *testing.T) {
			t.Parallel()
			s, c := start(t, func(topology *schema.Topology) {
				streamIn(topology, schema.CompletionsStream).Duplicates = test.window
			})
			c.BePatient()
			b, e := look(t, s), paystubs("id", "account")
			if done, err := c.Completed(t.Context(), e, e.Resource); done || err != nil {
				t.Errorf("before: Completed = %v, %v", done, err)
			}
			if !complete(t, c, e, succeeded(e)) {
				t.Error("the first was not stored")
			}
			test.between(b, s, e)
			if complete(t, c, e, completion(e, schema.Failed)) {
				t.Error("a second was stored")
			}
			if done, err := c.Completed(t.Context(), e, e.Resource); !done || err != nil {
				t.Errorf("after: Completed = %v, %v", done, err)
			}
			if done, err := c.Completed(t.Context(), e, schema.Income); done || err != nil {
				t.Errorf("another resource: Completed = %v, %v", done, err)
			}
			m := b.all(schema.CompletionsStream, ">")
			if len(m) != 1 || m[0].Header.Get("Wagewire-Outcome") != "succeeded" {
				t.Errorf("the stream holds %d messages", len(m))
			}
		})
	}
}

func restart(b broker, s *streamtest.Server, _ schema.Event) {
	s.Stop()
	must(b.t, s.Restart())
	streamtest.Eventually(b.t, "connected again", b.nats.IsConnected)
}

func TestCompletionPublishedAtOnceByManyIsStoredOnce(t *testing.T) {
	t.Parallel()
	s, c := start(t, func(topology *schema.Topology) {
		streamIn(topology, schema.CompletionsStream).Duplicates = 100 * time.Millisecond
	})
	const events, publishers = 20, 4
	var all sync.WaitGroup
	var mu sync.Mutex
	first := map[int]int{}
	for n := range events {
		for range publishers {
			all.Go(func() {
				e := paystubs(fmt.Sprint(n), "account")
				stored, err := c.PublishCompletion(t.Context(), e, succeeded(e))
				if err != nil {
					t.Error(err)
				}
				mu.Lock()
				defer mu.Unlock()
				if stored {
					first[n]++
				}
			})
		}
	}
	all.Wait()
	for n := range events {
		if first[n] > 1 { // 0 if the broker's answer to the first try was late
			t.Errorf("event %d: %d publishers report that they stored its completion", n, first[n])
		}
	}
	if n := look(t, s).state(schema.CompletionsStream).Msgs; n != events {
		t.Errorf("%d completions, want %d", n, events)
	}
}

func TestCompletionOfAnErasedAccount(t *testing.T) {
	t.Parallel()
	s, c := streamtest.New(t)
	c.BePatient()
	e := link("late", "erased", schema.ActionConnected)
	erase(t, c, e)
	for promise, o := range map[string]schema.Outcome{
		"with data is refused":   schema.Succeeded,
		"pending is refused":     schema.Pending,
		"failed is refused":      schema.Failed,
		"unavailable is refused": schema.Unavailable,
	} {
		stored, err := c.PublishCompletion(t.Context(), e, completion(e, o))
		if stored || !errors.Is(err, stream.ErrErased) {
			t.Errorf("%s: PublishCompletion = %v, %v", promise, stored, err)
		}
	}
	large := records(schema.CompletionBytesMax, "canary-1 ")
	stored, err := c.PublishCompletion(t.Context(), e, succeeded(e, large...))
	if stored || !errors.Is(err, stream.ErrErased) {
		t.Errorf("large: PublishCompletion = %v, %v", stored, err)
	}
	if n := look(t, s).state("OBJ_" + schema.RecordsBucket).LastSeq; n != 0 {
		t.Errorf("%d messages of record objects were written", n)
	}
	if !complete(t, c, e, completion(e, schema.Deleted)) {
		t.Error("deleted: not stored")
	}
	other := link("other", "other", schema.ActionConnected)
	if !complete(t, c, other, succeeded(other)) {
		t.Error("another account: not stored")
	}
}

func TestCompletionsRacingATombstoneAreNotStoredBehindIt(t *testing.T) {
	t.Parallel()
	s, c := streamtest.New(t)
	const publishers = 200
	stored := make(chan struct{}, publishers)
	var all sync.WaitGroup
	for n := range publishers {
		all.Go(func() {
			e := link(fmt.Sprint(n), "account", schema.ActionConnected)
			ok, err := c.PublishCompletion(t.Context(), e, succeeded(e))
			if err != nil && !errors.Is(err, stream.ErrErased) {
				t.Error(err)
			}
			if ok {
				stored <- struct{}{}
			}
		})
	}
	next(t, "a first completion", stored)
	must(t, c.ErasureSteps(schema.Truv, "account")[0].Run(t.Context()))
	all.Wait()
	b := look(t, s)
	subject := schema.TombstoneSubject(schema.Truv, "account")
	tombstone := b.all(schema.CompletionsStream, subject)[0].Sequence
	if last := b.state(schema.CompletionsStream).LastSeq; last != tombstone {
		t.Errorf("the tombstone has sequence %d, the last message %d", tombstone, last)
	}
	t.Logf("%d stored before the tombstone", tombstone-1)
}

func TestCompletionOnAFullStreamIsErrFullAndNotDoneAlready(t *testing.T) {
	t.Parallel()
	topology := streamtest.Topology()
	s, c := start(t, func(topology *schema.Topology) {
		streamIn(topology, schema.CompletionsStream).MaxBytes = 16 << 10
	})
	c.BePatient()
	var e schema.Event
	stored := 0
	for ; ; stored++ {
		e = paystubs(fmt.Sprint(stored), "account")
		ok, err := c.PublishCompletion(t.Context(), e, succeeded(e))
		if ok == (err != nil) {
			t.Fatalf("PublishCompletion = %v, %v", ok, err)
		}
		if errors.Is(err, stream.ErrFull) {
			break
		}
		must(t, err)
	}
	ok, err := c.PublishCompletion(t.Context(), e, succeeded(e))
	if ok || !errors.Is(err, stream.ErrFull) {
		t.Errorf("tried again: PublishCompletion = %v, %v; want ErrFull", ok, err)
	}
	if first := paystubs("0", "account"); complete(t, c, first, succeeded(first)) {
		t.Error("the first one was stored again")
	}
	if n := look(t, s).state(schema.CompletionsStream).Msgs; n != uint64(stored) {
		t.Errorf("%d stored, want %d", n, stored)
	}
	streamtest.Provision(t, c, topology)
	if !complete(t, c, e, succeeded(e)) {
		t.Error("with room again: not stored")
	}
}

func TestLargeCompletionsRecords(t *testing.T) {
	t.Parallel()
	s, c := streamtest.New(t)
	c.BePatient()
	b := look(t, s)
	e := paystubs("large", "account")
	intact := func() {
		t.Helper()
		var got schema.Completion
		must(t, json.Unmarshal(b.all(schema.CompletionsStream, ">")[0].Data, &got))
		if got.Data.Records != nil || got.Data.RecordsRef == nil || got.Data.RecordsRef.Count != 2 {
			t.Fatalf("records %d, ref %+v; want the ref alone",
				len(got.Data.Records), got.Data.RecordsRef)
		}
		read, err := c.Records(t.Context(), *got.Data.RecordsRef)
		must(t, err)
		var texts []string
		for _, r := range read {
			texts = append(texts, string(r))
		}
		if diff := cmp.Diff(records(schema.CompletionBytesMax, "first "), texts); diff != "" {
			t.Error("the records are not those that were given")
		}
		names := b.objects()
		if len(names) != 1 || names[0] != got.Data.RecordsRef.Name ||
			!strings.HasPrefix(names[0], "pinwheel/account/") {
			t.Errorf("objects %v, want only %s", names, got.Data.RecordsRef.Name)
		}
	}
	if !complete(t, c, e, succeeded(e, records(schema.CompletionBytesMax, "first ")...)) {
		t.Error("not stored")
	}
	intact()
	if complete(t, c, e, succeeded(e, records(schema.CompletionBytesMax, "first ")...)) {
		t.Error("the same was stored again")
	}
	intact()
	if complete(t, c, e, succeeded(e, records(schema.CompletionBytesMax, "second ")...)) {
		t.Error("another was stored")
	}
	intact()

	small := paystubs("small", "account")
	complete(t, c, small, succeeded(small, records(schema.CompletionBytesMax/2, "small ")...))
	intact()

	wrong := schema.RecordsRef{
		Bucket: schema.RecordsBucket, Name: b.objects()[0], SHA256: strings.Repeat("0", 64),
	}
	if _, err := c.Records(t.Context(), wrong); err == nil {
		t.Error("records with another hash were accepted")
	}
}

func TestLargeCompletionPublishedAtOnceKeepsTheRecordsItPointsTo(t *testing.T) {
	t.Parallel()
	s, c := streamtest.New(t)
	c.BePatient()
	e := paystubs("large", "account")
	var all sync.WaitGroup
	for n := range 6 {
		all.Go(func() {
			large := records(schema.CompletionBytesMax, fmt.Sprint("of ", n%2))
			if _, err := c.PublishCompletion(t.Context(), e, succeeded(e, large...)); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	b := look(t, s)
	if _, err := c.Records(t.Context(), b.ref(e)); err != nil {
		t.Error(err)
	}
	if left := b.objects(); len(left) != 1 {
		t.Errorf("objects %v, want one", left)
	}
}

func TestLargeCompletionWithoutRoom(t *testing.T) {
	t.Parallel()
	for promise, change := range map[string]func(*schema.Topology){
		"for its records is ErrFull": func(topology *schema.Topology) {
			topology.Records.MaxBytes = 256 << 10
		},
		"for its envelope is ErrFull": func(topology *schema.Topology) {
			streamIn(topology, schema.CompletionsStream).MaxBytes = 512
		},
	} {
		t.Run(promise, func(t *testing.T) {
			t.Parallel()
			s, c := start(t, change)
			c.BePatient()
			b, e := look(t, s), paystubs("large", "account")
			completion := succeeded(e, records(schema.CompletionBytesMax, "x")...)
			for range 2 {
				stored, err := c.PublishCompletion(t.Context(), e, completion)
				if stored || !errors.Is(err, stream.ErrFull) {
					t.Fatalf("PublishCompletion = %v, %v; want ErrFull", stored, err)
				}
				if left := b.state("OBJ_" + schema.RecordsBucket).Msgs; left != 0 {
					t.Fatalf("%d messages of the records are left behind", left)
				}
			}
			streamtest.Provision(t, c, streamtest.Topology())
			if !complete(t, c, e, completion) {
				t.Error("with room again: not stored")
			}
			if _, err := c.Records(t.Context(), b.ref(e)); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestDeadLetterKeepsTheEventAndIsStoredOnce(t *testing.T) {
	t.Parallel()
	s, c := streamtest.New(t)
	b, e := look(t, s), paystubs("dead", "account")
	publish(t, c, e)
	jobs, _, _ := hold(t, c, queueOf(schema.Paystubs), 1)
	j := next(t, "delivery", jobs)
	d := j.DeadLetter(schema.ClassPermanent, schema.ReasonRejected, received)
	must(t, c.PublishDeadLetter(t.Context(), d))
	must(t, c.PublishDeadLetter(t.Context(), d))
	must(t, j.Never(schema.ReasonRejected))
	j.release()

	event := b.all(schema.EventsStream, ">")[0]
	letters := b.all(schema.DeadLettersStream, ">")
	if len(letters) != 1 {
		t.Fatalf("%d dead letters, want 1", len(letters))
	}
	if letters[0].Subject != "wagewire.dead_letters.pinwheel_paystubs.account" ||
		string(letters[0].Data) != string(e.Body) {
		t.Errorf("on %s: %s", letters[0].Subject, letters[0].Data)
	}
	want := nats.Header{
		"Nats-Msg-Id":             letters[0].Header["Nats-Msg-Id"],
		"Nats-Expected-Stream":    {schema.DeadLettersStream},
		"Wagewire-Queue":          {"pinwheel_paystubs"},
		"Wagewire-Class":          {"permanent"},
		"Wagewire-Reason":         {"rejected"},
		"Wagewire-Attempts":       {"1"},
		"Wagewire-Event-Sequence": {"1"},
		"Wagewire-Failed-At":      {"2026-01-12T02:36:02Z"},
	}
	for key, values := range event.Header {
		if !strings.HasPrefix(key, "Nats-") {
			want[key] = values
		}
	}
	if diff := cmp.Diff(want, letters[0].Header); diff != "" {
		t.Errorf("headers (-want +got):\n%s", diff)
	}
	if got := event.Header.Get("Nats-Msg-Id"); got != "pinwheel:dead" {
		t.Errorf("the event's own message id is now %q", got)
	}
}

func TestCompletionWithoutServerIsAnErrorAndMayBeTriedAgain(t *testing.T) {
	t.Parallel()
	s, c := streamtest.New(t)
	e := paystubs("id", "account")
	s.Stop()
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	stored, err := c.PublishCompletion(ctx, e, succeeded(e))
	if stored || err == nil || errors.Is(err, stream.ErrFull) || errors.Is(err, stream.ErrErased) {
		t.Errorf("PublishCompletion = %v, %v; want an error that is no answer", stored, err)
	}
	must(t, s.Restart())
	streamtest.Eventually(t, "connected again", func() bool { return c.Connected() == nil })
	if !complete(t, c, e, succeeded(e)) {
		t.Error("not stored")
	}
}
