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

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/goleak"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
	"github.com/wagewire/wagewire/schema/stream/streamtest"
)

var update = flag.Bool("update", false, "write the golden files anew")

func TestMain(m *testing.M) {
	if code, asked := streamtest.ServeProcess(os.Getenv); asked {
		os.Exit(code)
	}
	flag.Parse()
	// The tests wait for servers more than they compute.
	if err := flag.Set("test.parallel", "12"); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(m)
}

func operator(c *stream.Conn) *stream.Operator { return stream.NewOperator(c) }

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// start runs a server with a topology of the test's own.
func start(t *testing.T, change func(*schema.Topology)) (*streamtest.Server, *stream.Conn) {
	t.Helper()
	s := streamtest.Run(t, streamtest.Config{})
	c := s.Connect(t)
	topology := streamtest.Topology()
	change(&topology)
	streamtest.Provision(t, c, topology)
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

// serve runs a server with the options until the test ends.
func serve(t *testing.T, options server.Options) *server.Server {
	t.Helper()
	options.Host = "127.0.0.1"
	options.NoLog = true
	options.NoSigs = true
	s, err := server.NewServer(&options)
	must(t, err)
	s.Start()
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	streamtest.Eventually(t, "the server takes connections", func() bool {
		return s.ReadyForConnections(time.Second)
	})
	return s
}

// broker reads the server directly, without package stream.
type broker struct {
	t    *testing.T
	nats *nats.Conn
	jetstream.JetStream
}

func look(t *testing.T, s *streamtest.Server) broker {
	t.Helper()
	return lookAt(t, s.URL())
}

// lookAt is look with the URLs of servers.
func lookAt(t *testing.T, urls string) broker {
	t.Helper()
	nc, err := nats.Connect(
		urls, nats.MaxReconnects(-1), nats.ReconnectWait(10*time.Millisecond),
	)
	must(t, err)
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc, jetstream.WithDefaultTimeout(time.Hour))
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
		messages = append(messages, m)
		from = m.Sequence + 1
	}
}

func (b broker) queue(q schema.Queue) *jetstream.ConsumerInfo {
	b.t.Helper()
	consumer, err := b.Consumer(b.t.Context(), schema.EventsStream, q.Name)
	must(b.t, err)
	return consumer.CachedInfo()
}

// onDisk reports whether the files of one of the streams contain a text.
func onDisk(t *testing.T, dir, text string, streams ...string) (found bool) {
	t.Helper()
	for _, name := range streams {
		pattern := filepath.Join(dir, "jetstream", "*", "streams", name, "msgs", "*")
		files, err := filepath.Glob(pattern)
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
		Provider: schema.Pinwheel, ID: id, Type: "paystubs.added",
		Resource: schema.Paystubs, Action: schema.ActionAdded, AccountID: account,
		OccurredAt: received.Add(-time.Second), ReceivedAt: received, Body: body,
	}
}

// link is a webhook of Truv: link-connected, link-disconnected or link-deleted.
func link(id, account, action string) schema.Event {
	e := schema.Event{
		Provider: schema.Truv, ID: id, Type: "link-" + action,
		Resource: schema.Link, Action: action, AccountID: account,
		OccurredAt: received.Add(-time.Second), ReceivedAt: received,
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

// queueOf returns a queue of the resource. The links are Truv's, because those can be deleted.
func queueOf(r schema.Resource) schema.Queue {
	if r == schema.Link {
		return queueNamed(schema.QueueName(schema.Truv, r))
	}
	return schema.QueuesOf(r)[0]
}

func queueNamed(name string) schema.Queue {
	for _, q := range schema.Queues() {
		if q.Name == name {
			return q
		}
	}
	panic("no queue " + name)
}

// publish stores events.
func publish(t *testing.T, c *stream.Conn, events ...schema.Event) {
	t.Helper()
	for _, e := range events {
		_, err := c.PublishEvent(t.Context(), e)
		must(t, err)
	}
}

// job is a delivery whose work lasts until release is called.
type job struct {
	*stream.Delivery
	release func()
}

// hold consumes a queue. The work on each delivery lasts until the test releases the job. end ends
// the context of Consume. returned is closed when Consume has returned.
func hold(
	t *testing.T, c *stream.Conn, q schema.Queue, concurrency int,
) (jobs <-chan job, end func(), returned <-chan struct{}) {
	t.Helper()
	return holdTaking(t, c, q, stream.Taking{Hands: concurrency})
}

// holdTaking is hold with another taking.
func holdTaking(
	t *testing.T, c *stream.Conn, q schema.Queue, taking stream.Taking,
) (jobs <-chan job, end func(), returned <-chan struct{}) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	over := make(chan struct{})
	back := make(chan struct{})
	out := make(chan job)
	go func() {
		defer close(back)
		err := c.Queue(q).Consume(ctx, taking, func(d *stream.Delivery) {
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

// next waits for the next value.
func next[T any](t *testing.T, what string, from <-chan T) T {
	t.Helper()
	select {
	case v := <-from:
		return v
	case <-streamtest.Late(t):
		t.Fatalf("the test binary's time is up, and nothing came: %s", what)
		panic("unreachable")
	}
}

// none fails the test if a value is there. The caller has made the round trips that would bring
// one.
func none[T any](t *testing.T, what string, from <-chan T) {
	t.Helper()
	select {
	case v := <-from:
		t.Fatalf("%s: got %+v", what, v)
	default:
	}
}

// deliveriesMax changes how often a queue delivers a message, in each of its lanes.
func deliveriesMax(t *testing.T, s *streamtest.Server, queue string, most int) {
	t.Helper()
	b := look(t, s)
	for _, lane := range queueNamed(queue).Lanes() {
		consumer, err := b.Consumer(t.Context(), lane.Stream, lane.Consumer)
		must(t, err)
		config := consumer.CachedInfo().Config
		config.MaxDeliver = most
		_, err = b.UpdateConsumer(t.Context(), lane.Stream, config)
		must(t, err)
	}
}

// advise stores an advisory as the broker would.
func advise(
	t *testing.T, s *streamtest.Server, queue, name string, sequence uint64, deliveries int,
) {
	t.Helper()
	advisory, err := json.Marshal(map[string]any{
		"stream": name, "consumer": queue, "stream_seq": sequence, "deliveries": deliveries,
	})
	must(t, err)
	subject := "$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES." + name + "." + queue
	_, err = look(t, s).Publish(t.Context(), subject, advisory)
	must(t, err)
}

// retried publishes an event, lets it wait and ends the wait. It returns the sequence of the retry,
// which nobody has taken.
func retried(
	t *testing.T, s *streamtest.Server, c *stream.Conn, q schema.Queue, e schema.Event,
) uint64 {
	t.Helper()
	publish(t, c, e)
	jobs, end, returned := hold(t, c, q, 1)
	j := next(t, "delivery", jobs)
	must(t, j.Wait(schema.Wait{Class: schema.ClassTransient, Until: time.Now().Add(time.Hour)}))
	end()
	j.release()
	next(t, "Consume returns", returned)
	must(t, operator(c).Waiting(t.Context(), q.Name, "*", func(w stream.Waiting) error {
		_, err := operator(c).RetryNow(t.Context(), w)
		return err
	}))
	retries := look(t, s).all(q.WaitingStream(), schema.RetriesSubject(q.Name, "*"))
	return retries[len(retries)-1].Sequence
}
