package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/wagewire/wagewire/ingress/webhook"
	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
	"github.com/wagewire/wagewire/schema/stream/streamtest"
	"github.com/wagewire/wagewire/workers"
	"github.com/wagewire/wagewire/workers/api"
)

func TestMain(m *testing.M) {
	flag.Parse()
	// The tests wait for a server more than they compute.
	if err := flag.Set("test.parallel", "8"); err != nil {
		panic(err)
	}
	m.Run()
}

// receivedAt is when the events of these tests were: before any clock on which they run.
var receivedAt = time.Date(2024, 5, 6, 7, 8, 9, 0, time.UTC)

// bench is a broker with workers on it, and the completions they store.
type bench struct {
	*testing.T
	server *streamtest.Server
	conn   *stream.Operator
	js     jetstream.JetStream // looks at the broker past package stream
	tail   *stream.Tail
	// seen are the completions read so far, oldest first.
	seen []schema.Completion
}

// newBench starts a broker. The test runs beside others that have one: they wait more than they
// compute.
func newBench(t *testing.T) *bench {
	t.Helper()
	t.Parallel()
	s, conn := streamtest.New(t)
	nc, err := nats.Connect(s.URL())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	tail, err := stream.NewOperator(conn).Tail(t.Context(), "", time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(tail.Close)
	return &bench{T: t, server: s, conn: stream.NewOperator(conn), js: js, tail: tail}
}

func (b *bench) must(err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

// event is a webhook of the type, as ingress reads it.
func (b *bench) event(kind, id, account string) schema.Event {
	b.Helper()
	p := schema.Pinwheel
	if strings.HasPrefix(kind, "link-") {
		p = schema.Truv
	}
	o := overrides{id: id, account: account}
	if kind == "verification_reports.refreshed" {
		o.account, o.endUser = "", account
	}
	body, err := newSample(schema.Lookup(p, kind), o, receivedAt)
	b.must(err)
	e, err := webhook.Parse(webhook.Received{Provider: p, Body: body, At: receivedAt})
	b.must(err)
	return e
}

// another is the same webhook with other bytes.
func another(e schema.Event) schema.Event {
	e.Body = append(bytes.Clone(e.Body), ' ')
	return e
}

func (b *bench) publish(events ...schema.Event) {
	b.Helper()
	for _, e := range events {
		if duplicate, err := b.conn.PublishEvent(b.Context(), e); duplicate || err != nil {
			b.Fatalf("publish %s: duplicate %t, %v", e.Key(), duplicate, err)
		}
	}
}

// publishLongAgo stores an event whose id the broker does not know any more: its duplicate window
// is over.
func (b *bench) publishLongAgo(e schema.Event) {
	b.Helper()
	b.publish(e)
	s, err := b.js.Stream(b.Context(), schema.EventsStream)
	b.must(err)
	m, err := s.GetLastMsgForSubject(b.Context(), e.Subject())
	b.must(err)
	b.must(s.DeleteMsg(b.Context(), m.Sequence))
	m.Header.Set(jetstream.MsgIDHeader, "forgotten")
	_, err = b.js.PublishMsg(b.Context(),
		&nats.Msg{Subject: m.Subject, Header: m.Header, Data: m.Data})
	b.must(err)
}

// payrolls is a Handler: what the provider of a test says.
type payrolls struct {
	mu sync.Mutex
	// rejects are the ids that it refuses for good.
	rejects map[string]bool
	// accounts are the accounts of every person.
	accounts []string
	// asked are the keys of the events that were fetched, in order.
	asked []string
}

func (p *payrolls) Fetch(ctx context.Context, job workers.Job) (workers.Fetched, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked = append(p.asked, job.Event.Key())
	if p.rejects[job.Event.ID] {
		return workers.Fetched{}, &api.StatusError{Endpoint: "/v1/test", Status: 400,
			Code: "no_such_thing"}
	}
	if job.Event.Action == schema.ActionDeleted {
		return workers.Fetched{Outcome: schema.Deleted}, nil
	}
	record := api.Record{ID: "r-1", JSON: []byte(`{"id":"r-1"}`)}
	fetched := workers.Fetched{}
	if job.Event.NamesEndUser() {
		fetched.Accounts = p.accounts
	}
	return fetched, job.Records.Add(ctx, record)
}

// knows says which accounts every person has.
func (p *payrolls) knows(accounts ...string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.accounts = accounts
}

// recovers says that the provider refuses nothing any more.
func (p *payrolls) recovers() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.rejects = nil
}

// work runs a worker of each resource until the test ends or stop is called. Each queue has one
// hand: its events are worked on in their order.
func (b *bench) work(rejects []string, resources ...schema.Resource) (p *payrolls, stop func()) {
	b.Helper()
	p = &payrolls{rejects: map[string]bool{}}
	for _, id := range rejects {
		p.rejects[id] = true
	}
	ctx, cancel := context.WithCancel(b.Context())
	var running sync.WaitGroup
	for _, r := range resources {
		sources := map[schema.Provider]workers.Source{}
		for _, name := range schema.Providers() {
			decode := func(schema.Event) (workers.Payload, error) { return workers.Payload{}, nil }
			sources[name] = workers.Source{Decode: decode, Handler: p}
		}
		w := workers.New(r, sources, b.server.Connect(b), workers.Config{Concurrency: 1},
			zap.NewNop(), prometheus.NewRegistry())
		running.Go(func() {
			if err := w.Run(ctx); err != nil {
				b.Errorf("worker of %s: %v", r, err)
			}
		})
	}
	stop = func() { cancel(); running.Wait() }
	b.Cleanup(stop)
	return p, stop
}

// completed waits for the completion of the id, such as pinwheel:e-1:r1:paystubs.
func (b *bench) completed(id string) schema.Completion {
	b.Helper()
	for {
		for _, c := range b.seen {
			if c.ID == id {
				return c
			}
		}
		c, err := b.tail.Next(b.Context())
		b.must(err)
		b.seen = append(b.seen, c)
	}
}

// all are the completions that are there right now, as "id outcome".
func (b *bench) all() []string {
	b.Helper()
	var all []string
	b.must(b.conn.Scan(b.Context(), schema.CompletionsStream,
		stream.Selection{Filters: []string{schema.AllCompletions}}, func(m stream.Stored) error {
			var c schema.Completion
			all = append(all, "")
			err := json.Unmarshal(m.Body, &c)
			all[len(all)-1] = fmt.Sprintf("%s %s", c.ID, c.Data.Outcome)
			return err
		}))
	slices.Sort(all)
	return all
}

// keys are the keys of the events on their stream, in its order.
func (b *bench) keys() []string {
	b.Helper()
	var keys []string
	b.must(b.conn.Headings(b.Context(), stream.Selection{}, func(h stream.Heading) error {
		key := h.Event.Key()
		if h.Event.Queue != "" {
			key += " to " + h.Event.Queue
		}
		keys = append(keys, key)
		return nil
	}))
	return keys
}

// headersOf are the headers of a stored event.
func (b *bench) headersOf(sequence uint64) map[string][]string {
	b.Helper()
	m, exists, err := b.conn.Message(b.Context(), schema.EventsStream, sequence)
	if !exists {
		b.Fatalf("event %d is gone: %v", sequence, err)
	}
	return m.Header
}

// letters are the dead letters' keys, by number.
func (b *bench) letters() map[uint64]string {
	b.Helper()
	letters := map[uint64]string{}
	b.must(b.conn.Scan(b.Context(), schema.DeadLettersStream, stream.Selection{HeadersOnly: true},
		func(m stream.Stored) error {
			l := stream.ReadLetter(m)
			letters[l.Number] = l.Queue + " " + l.Event.Key()
			return nil
		}))
	return letters
}

// die makes dead letters of the events, one for each queue that reads them, without a worker.
func (b *bench) die(
	class schema.Class, reason schema.Reason, at time.Time, events ...schema.Event,
) {
	b.Helper()
	for _, e := range events {
		ends := false
		for _, q := range schema.Queues() {
			if !q.Reads(schema.Lookup(e.Provider, e.Type)) || e.Queue != "" &&
				e.Queue != q.Name {
				continue
			}
			ctx, cancel := context.WithCancel(b.Context())
			// Exactly one is taken: concurrency is one, and the context ends with it.
			b.must(b.conn.Queue(q).Consume(ctx, stream.Taking{Hands: 1}, func(d *stream.Delivery) {
				defer cancel()
				if d.Event.Key() != e.Key() {
					b.Errorf("queue %s delivers %s, want %s", q.Name, d.Event.Key(), e.Key())
				}
				b.must(b.conn.PublishDeadLetter(b.Context(), d.DeadLetter(class, reason, at)))
				b.must(d.Never(reason))
			}))
			cancel()
			ends = true
		}
		if !ends {
			b.Fatalf("no queue reads %s", e.Type)
		}
	}
}

// wagewire runs the command against the bench's broker.
func (b *bench) wagewire(args ...string) result {
	b.Helper()
	return wagewire(b.T, b.server.Getenv(), args...)
}

// runs is wagewire that must exit with the code.
func (b *bench) runs(code int, args ...string) result {
	b.Helper()
	got := b.wagewire(args...)
	if got.code != code {
		b.Fatalf("wagewire %s: exit code %d, want %d; stdout %q, stderr %q",
			strings.Join(args, " "), got.code, code, got.stdout, got.stderr)
	}
	return got
}

// answering runs the command where somebody answers what it asks.
func (b *bench) answering(answer string, args ...string) result {
	b.Helper()
	var stdout, stderr bytes.Buffer
	code := execute(b.Context(), args, terminal{
		getenv: b.server.Getenv(), stdin: strings.NewReader(answer), canAnswer: true,
		stdout: &stdout, stderr: &stderr,
	})
	return result{code, stdout.String(), stderr.String()}
}

// queueAt waits until the broker says of a queue what holds.
func (b *bench) queueAt(name string, holds func(*jetstream.ConsumerInfo) bool) {
	b.Helper()
	streamtest.Eventually(b, "the state of queue "+name+" that the test waits for", func() bool {
		c, err := b.js.Consumer(b.Context(), schema.EventsStream, name)
		b.must(err)
		return holds(c.CachedInfo())
	})
}

// retriesAt is queueAt for the queue's retries.
func (b *bench) retriesAt(name string, holds func(*jetstream.ConsumerInfo) bool) {
	b.Helper()
	streamtest.Eventually(b, "the state of the retries of "+name+" that the test waits for",
		func() bool {
			c, err := b.js.Consumer(b.Context(), schema.Queue{Name: name}.WaitingStream(), name)
			b.must(err)
			return holds(c.CachedInfo())
		})
}

// tomorrow is beyond the end of every test: what waits until then does not end its wait by itself.
var tomorrow = time.Now().Add(24 * time.Hour).UTC().Truncate(time.Second)

// outage is a wait in an outage of a provider.
func outage() schema.Wait {
	return schema.Wait{
		Class: schema.ClassTransient, Status: 503, Endpoint: "/v1/accounts/{account_id}/income",
		Step: 3, Steps: 12, Since: receivedAt, Until: tomorrow,
		Failures: schema.Failures{schema.ClassNotReady: 1, schema.ClassTransient: 3},
	}
}

// letWait takes the next event of the queue, and lets it wait.
func (b *bench) letWait(queue string, w schema.Wait) {
	b.Helper()
	b.letWaitEach(queue, w, 1)
}

// letWaitEach takes the next n events of the queue, and lets each wait.
func (b *bench) letWaitEach(queue string, w schema.Wait, n int) {
	b.Helper()
	q, _ := schema.QueueNamed(queue)
	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	taking := stream.Taking{Hands: 1, ReplayHands: 1}
	b.must(b.conn.Queue(q).Consume(ctx, taking, func(d *stream.Delivery) {
		n--
		if n == 0 {
			cancel()
		}
		b.must(d.Wait(w))
	}))
}

// takeRetry takes the next retry of the queue, without a settlement.
func (b *bench) takeRetry(queue string) {
	b.Helper()
	c, err := b.js.Consumer(b.Context(), schema.Queue{Name: queue}.WaitingStream(), queue)
	b.must(err)
	_, err = c.Next(jetstream.FetchMaxWait(waitDefault))
	b.must(err)
}

// refuse stores that the provider of the queue refuses our credentials.
func (b *bench) refuse(queue string) {
	b.Helper()
	q, _ := schema.QueueNamed(queue)
	stored, err := b.conn.Queue(q).StorePause(b.Context(), stream.PauseState{}, schema.Pause{
		Paused: true, Since: receivedAt, Class: schema.ClassUnauthorized, Status: 401,
		Endpoint: "/v1/accounts/{account_id}/income", ProbeAt: tomorrow, Probes: 4,
	})
	if !stored {
		b.Fatalf("the pause of %s is not stored: %v", queue, err)
	}
}

// quarantine stores a body as ingress does that could not read it.
func (b *bench) quarantine(p schema.Provider, reason schema.QuarantineReason, body []byte) {
	b.Helper()
	b.must(b.conn.PublishQuarantined(b.Context(),
		schema.Quarantined{Provider: p, Reason: reason, ReceivedAt: receivedAt, Body: body}))
}

// erase takes an account out of the streams, all but its events.
func (b *bench) erase(e schema.Event) {
	b.Helper()
	for _, step := range b.conn.ErasureSteps(e.Provider, e.Account()) {
		b.must(step.Run(b.Context()))
	}
}

func contains(t *testing.T, text string, all ...string) {
	t.Helper()
	for _, want := range all {
		if !strings.Contains(text, want) {
			t.Errorf("it does not say %q but\n%s", want, text)
		}
	}
}
