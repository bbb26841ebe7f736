package stream_test

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/goleak"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
	"github.com/wagewire/wagewire/schema/stream/streamtest"
)

var update = flag.Bool("update", false, "write the golden files anew")

func TestMain(m *testing.M) {
	flag.Parse()
	// The tests wait for a server more than they compute.
	if err := flag.Set("test.parallel", "12"); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(m)
}

// waitFor is a cap on what comes in milliseconds; only a broken test or program reaches it.
const waitFor = 20 * time.Second

// eventually waits until the condition holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	look := time.NewTicker(10 * time.Millisecond)
	defer look.Stop()
	late := time.After(waitFor)
	for !holds() {
		select {
		case <-look.C:
		case <-late:
			t.Fatalf("not within %s: %s", waitFor, what)
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// start runs a server with a topology of the test's own.
func start(t *testing.T, change func(*schema.Topology)) (*streamtest.Server, *stream.Conn) {
	t.Helper()
	s, err := streamtest.Start(streamtest.Config{Dir: t.TempDir()})
	must(t, err)
	t.Cleanup(s.Stop)
	c := s.Connect(t)
	topology := streamtest.Topology()
	change(&topology)
	must(t, stream.NewOperator(c).Provision(t.Context(), topology))
	return s, c
}

// streamIn finds a stream of a topology.
func streamIn(topology *schema.Topology, name string) *schema.Stream {
	for i := range topology.Streams {
		if topology.Streams[i].Name == name {
			return &topology.Streams[i]
		}
	}
	panic("no stream " + name)
}

// broker looks at the server past package stream.
type broker struct {
	t    *testing.T
	nats *nats.Conn
	jetstream.JetStream
}

func look(t *testing.T, s *streamtest.Server) broker {
	t.Helper()
	nc, err := nats.Connect(s.URL(), nats.MaxReconnects(-1), nats.ReconnectWait(10*time.Millisecond))
	must(t, err)
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	must(t, err)
	return broker{t, nc, js}
}

func (b broker) stream(name string) jetstream.Stream {
	b.t.Helper()
	s, err := b.Stream(b.t.Context(), name)
	must(b.t, err)
	return s
}

func (b broker) state(name string) jetstream.StreamState {
	b.t.Helper()
	return b.stream(name).CachedInfo().State
}

// all reads every message of a stream that matches the filter, oldest first.
func (b broker) all(name, filter string) []*jetstream.RawStreamMsg {
	b.t.Helper()
	s := b.stream(name)
	var messages []*jetstream.RawStreamMsg
	for from := uint64(1); ; {
		m, err := s.GetMsg(b.t.Context(), from, jetstream.WithGetMsgSubject(filter))
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			return messages
		}
		must(b.t, err)
		messages, from = append(messages, m), m.Sequence+1
	}
}

func (b broker) queue(q schema.Queue) *jetstream.ConsumerInfo {
	b.t.Helper()
	consumer, err := b.Consumer(b.t.Context(), schema.EventsStream, q.Name)
	must(b.t, err)
	return consumer.CachedInfo()
}

// onDisk reports whether a text stands in the files of one of the streams.
func onDisk(t *testing.T, dir, text string, streams ...string) (found bool) {
	t.Helper()
	for _, name := range streams {
		files, err := filepath.Glob(filepath.Join(dir, "jetstream", "*", "streams", name, "msgs", "*"))
		must(t, err)
		if len(files) == 0 {
			t.Fatalf("no files of %s in %s", name, dir)
		}
		for _, file := range files {
			bytes, err := os.ReadFile(file)
			if err != nil {
				continue // removed meanwhile
			}
			found = found || strings.Contains(string(bytes), text)
		}
	}
	return found
}

var received = time.Date(2026, 1, 12, 2, 36, 2, 0, time.UTC)

// paystubs is a webhook of Pinwheel.
func paystubs(id, account string) schema.Event {
	body, err := json.Marshal(map[string]any{
		"event": "paystubs.added", "event_id": id,
		"payload": map[string]string{"account_id": account, "outcome": "success"},
	})
	if err != nil {
		panic(err)
	}
	return schema.Event{
		Provider: schema.Pinwheel, ID: id, Type: "paystubs.added", Resource: schema.Paystubs, Action: schema.ActionAdded,
		AccountID: account, OccurredAt: received.Add(-time.Second), ReceivedAt: received, Body: body,
	}
}

// link is a webhook of Truv: link-connected, link-disconnected or link-deleted.
func link(id, account, action string) schema.Event {
	e := schema.Event{
		Provider: schema.Truv, ID: id, Type: "link-" + action, Resource: schema.Link, Action: action,
		AccountID: account, OccurredAt: received.Add(-time.Second), ReceivedAt: received,
	}
	e.Body = fmt.Appendf(nil, `{"webhook_id":%q,"event_type":%q,"link_id":%q}`, id, e.Type, account)
	return e
}

func succeeded(e schema.Event, records ...string) schema.Completion {
	return completion(e, schema.Succeeded, records...)
}

func completion(e schema.Event, o schema.Outcome, records ...string) schema.Completion {
	c := schema.NewCompletion(e, e.Resource, o, received)
	for _, r := range records {
		c.Data.Records = append(c.Data.Records, json.RawMessage(r))
	}
	return c
}

func queueOf(r schema.Resource) schema.Queue { return schema.QueuesOf(r)[0] }

// publish stores events and fails the test where one is not new.
func publish(t *testing.T, c *stream.Conn, events ...schema.Event) {
	t.Helper()
	for _, e := range events {
		duplicate, err := c.PublishEvent(t.Context(), e)
		must(t, err)
		if duplicate {
			t.Fatalf("event %s was stored before", e.ID)
		}
	}
}

// job is a delivery that the queue's work holds until it is told to let go.
type job struct {
	*stream.Delivery
	release func()
}

// hold consumes a queue; the work of each delivery ends when the test releases it. stop ends the
// context and releases everything; returned is closed when Consume is back.
func hold(t *testing.T, c *stream.Conn, q schema.Queue, concurrency int) (jobs <-chan job, end func(), returned <-chan struct{}) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	over, back, out := make(chan struct{}), make(chan struct{}), make(chan job)
	go func() {
		defer close(back)
		err := c.Queue(q).Consume(ctx, concurrency, func(d *stream.Delivery) {
			released := make(chan struct{})
			select {
			case out <- job{d, sync.OnceFunc(func() { close(released) })}:
			case <-over:
				return
			}
			select {
			case <-released:
			case <-over:
			}
		})
		if err != nil {
			t.Errorf("Consume: %v", err)
		}
	}()
	t.Cleanup(func() { cancel(); close(over); <-back })
	return out, cancel, back
}

func next[T any](t *testing.T, what string, from <-chan T) T {
	t.Helper()
	select {
	case v := <-from:
		return v
	case <-time.After(waitFor):
		t.Fatalf("not within %s: %s", waitFor, what)
		panic("unreachable")
	}
}

// none fails the test if something comes although the round trips that would have brought it are
// over.
func none[T any](t *testing.T, what string, from <-chan T) {
	t.Helper()
	select {
	case v := <-from:
		t.Fatalf("%s: got %+v", what, v)
	default:
	}
}
