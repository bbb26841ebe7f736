package workers

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/jsonschema"
	"github.com/wagewire/wagewire/schema/jsonschema/jsonschematest"
	"github.com/wagewire/wagewire/schema/stream"
	"github.com/wagewire/wagewire/schema/stream/streamtest"
	"github.com/wagewire/wagewire/workers/api"
)

// Canaries stand in fetched records, webhooks, provider prose and panics. None may ever be in a log
// line.
const (
	canaryName   = "Canary Quillfeather"
	canaryAmount = "31337.4200"
	canaryRecord = `{"id":"rec-1","name":"` + canaryName + `","net_pay":` + canaryAmount + `}`
)

// quick is a Config whose ladders take milliseconds; each has as many steps as rows of the tables
// need.
func quick() Config {
	const ms = time.Millisecond
	return Config{
		Concurrency: 4, PauseFor: 50 * ms, StopFor: time.Second,
		StoreFor: time.Hour, // a slow broker must not cost an attempt
		Ladders: Ladders{
			Retry:    []time.Duration{2 * ms, 3 * ms, 4 * ms, 5 * ms, 6 * ms, 7 * ms},
			NotReady: []time.Duration{2 * ms, 3 * ms},
		},
	}
}

// fetchFunc is a Handler in one function.
type fetchFunc func(context.Context, Job) (Fetched, error)

// Fetch calls f. Records without a scope are a snapshot, because most tests do not care.
func (f fetchFunc) Fetch(ctx context.Context, job Job) (Fetched, error) {
	fetched, err := f(ctx, job)
	fetched.Scope = cmp.Or(fetched.Scope, schema.Snapshot)
	return fetched, err
}

// brings is a Handler that brings the record, whatever it is asked for.
var brings = fetchFunc(func(ctx context.Context, job Job) (Fetched, error) {
	return Fetched{}, bring(ctx, job, canaryRecord)
})

// bring adds records to a job, as a handler does.
func bring(ctx context.Context, job Job, records ...string) error {
	for _, record := range records {
		if err := job.Records.Add(ctx, api.Record{JSON: json.RawMessage(record)}); err != nil {
			return err
		}
	}
	return nil
}

// bench is a broker with workers on it, and what they log and count.
type bench struct {
	*testing.T
	url      string
	conn     *stream.Conn
	js       jetstream.JetStream // looks at the broker past package stream
	nats     *nats.Conn
	lines    *observer.ObservedLogs
	wrote    chan struct{}
	log      *zap.Logger
	registry *prometheus.Registry
	ctx      context.Context // of the workers; it ends before any of them is waited for
	end      func()
}

func newBench(t *testing.T) *bench {
	t.Helper()
	server, _ := streamtest.New(t)
	return newBenchAt(t, server.URL())
}

// newBenchAt is a bench at a broker that runs already. Whoever runs it may restart it.
func newBenchAt(t *testing.T, url string) *bench {
	t.Helper()
	b := &bench{T: t, url: url, wrote: make(chan struct{}, 1), registry: prometheus.NewRegistry()}
	b.ctx, b.end = context.WithCancel(context.Background())
	b.conn = b.connect()
	var err error
	b.nats, err = nats.Connect(url, nats.MaxReconnects(-1), nats.ReconnectWait(20*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.nats.Close)
	if b.js, err = jetstream.New(b.nats); err != nil {
		t.Fatal(err)
	}
	var core zapcore.Core
	core, b.lines = observer.New(zap.DebugLevel)
	b.log = zap.New(core, zap.Hooks(func(zapcore.Entry) error {
		select {
		case b.wrote <- struct{}{}:
		default:
		}
		return nil
	}))
	t.Cleanup(func() {
		b.end()
		checkNoCanary(t, b.lines)
		b.checkCompletions()
	})
	return b
}

// checkCompletions fails the test if any stored completion breaks the published schema. A broker
// that the test stopped, or that lost the stream, has none to show.
func (b *bench) checkCompletions() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	s, err := b.js.Stream(ctx, schema.CompletionsStream)
	if err != nil {
		return
	}
	rules, err := jsonschematest.Compile(jsonschema.Completion())
	if err != nil {
		b.Fatal(err)
	}
	for from := uint64(1); ; {
		m, err := s.GetMsg(ctx, from, jetstream.WithGetMsgSubject(schema.AllCompletions))
		if err != nil { // there is no further completion
			return
		}
		if err := rules.Check(m.Data); err != nil {
			b.Errorf("%s: %v", m.Subject, err)
		}
		from = m.Sequence + 1
	}
}

// checkNoCanary fails the test if a log line holds a canary.
func checkNoCanary(t *testing.T, lines *observer.ObservedLogs) {
	for _, line := range lines.All() {
		encoder := zapcore.NewJSONEncoder(zapcore.EncoderConfig{MessageKey: "msg"})
		text, err := encoder.EncodeEntry(line.Entry, line.Context)
		if err != nil {
			t.Error(err)
			continue
		}
		for _, canary := range []string{"Canary", "Quillfeather", "31337.42", "person-77",
			"sekret"} {
			if strings.Contains(text.String(), canary) {
				t.Errorf("a log line holds %q: %s", canary, text)
			}
		}
	}
}

// connect opens one more connection, as a process of ours has it.
func (b *bench) connect() *stream.Conn {
	b.Helper()
	return streamtest.ConnectTo(b, stream.Config{URL: b.url})
}

// start runs a worker until the test ends, or stop is called: it returns when Run has, and fails
// the test if that was not nil.
func (b *bench) start(r schema.Resource, handler Handler, config Config) (stop func()) {
	b.Helper()
	return b.run(New(r, sourcesOf(handler), b.connect(), config, b.log, b.registry))
}

// run runs a worker as start does.
func (b *bench) run(worker *Worker) (stop func()) {
	b.Helper()
	ctx, cancel := context.WithCancel(b.ctx)
	ran := make(chan error, 1)
	go func() { ran <- worker.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		select {
		case err := <-ran:
			if err != nil {
				b.Errorf("Run: %v", err)
			}
		case <-streamtest.Late(b):
			b.Error("the test binary's time is up, and the worker has not stopped")
		}
	})
	b.Cleanup(func() { b.end(); stop() })
	return stop
}

// receive waits for a value of the channel.
func receive[T any](t *testing.T, what string, from <-chan T) T {
	t.Helper()
	select {
	case v := <-from:
		return v
	case <-streamtest.Late(t):
		t.Fatalf("the test binary's time is up, and still not: %s", what)
		panic("unreachable")
	}
}

// until waits for a condition that a log line announces.
func (b *bench) until(what string, holds func() bool) {
	b.Helper()
	late := streamtest.Late(b)
	for !holds() {
		select {
		case <-b.wrote:
		case <-late:
			for _, line := range b.lines.All() {
				b.Logf("%s %v", line.Message, line.ContextMap())
			}
			b.Fatalf("the test binary's time is up, and still not: %s", what)
		}
	}
}

// jobs are the job lines of an event with one of the outcomes; none given is any. An event may have
// several: attempts, resources.
func (b *bench) jobs(e schema.Event, outcomes ...string) (lines []map[string]any) {
	for _, line := range b.lines.FilterMessage("job").All() {
		fields := line.ContextMap()
		if fields["event_id"] == e.Key() && (len(outcomes) == 0 ||
			slices.Contains(outcomes, fields["outcome"].(string))) {
			fields["level"] = line.Level
			lines = append(lines, fields)
		}
	}
	return lines
}

// logged waits until the log has n jobs of the event with the outcome, and returns the last one.
func (b *bench) logged(e schema.Event, outcome string, n int) map[string]any {
	b.Helper()
	b.until(fmt.Sprintf("%d jobs of %s with outcome %s", n, e.Key(), outcome),
		func() bool { return len(b.jobs(e, outcome)) >= n })
	return b.jobs(e, outcome)[n-1]
}

// sample is the catalogue's sample webhook of the type, as an event of its own id and account,
// after the change.
func sample(t *testing.T, p schema.Provider, name, id string,
	change ...func(body map[string]any)) schema.Event {
	t.Helper()
	text, ok := jsonschema.Sample(p, name)
	if !ok {
		t.Fatalf("no sample of %s %s", p, name)
	}
	var body map[string]any
	if err := json.Unmarshal(text, &body); err != nil {
		t.Fatal(err)
	}
	body["webhook_id"], body["event_id"] = id, id
	if payload, ok := body["payload"].(map[string]any); ok {
		payload["end_user_id"] = "person-77-" + id
		if payload["account_id"] != nil {
			payload["account_id"] = "acct-" + id
		}
	} else {
		body["link_id"] = "acct-" + id
	}
	body["unread"] = canaryName
	for _, c := range change {
		c(body)
	}
	row := schema.Lookup(p, name)
	e := schema.Event{
		Provider: p, ID: id, Type: name, Resource: row.Resource, Action: row.Action,
		OccurredAt: time.Date(2026, 2, 3, 15, 19, 11, 58437000, time.UTC),
		ReceivedAt: time.Date(2026, 2, 3, 15, 19, 12, 0, time.UTC),
	}
	var err error
	if e.Body, err = json.Marshal(body); err != nil {
		t.Fatal(err)
	}
	if e.AccountID, err = row.AccountIDIn(e.Body); err != nil {
		t.Fatal(err)
	}
	return e
}

// says sets a field of a Pinwheel webhook's payload.
func says(key string, value any) func(map[string]any) {
	return func(body map[string]any) { body["payload"].(map[string]any)[key] = value }
}

// ofLink makes a Truv webhook one of that link.
func ofLink(id string) func(map[string]any) {
	return func(body map[string]any) { body["link_id"] = id }
}

func employment(t *testing.T, id string, change ...func(map[string]any)) schema.Event {
	t.Helper()
	return sample(t, schema.Pinwheel, "employment.added", id, change...)
}

func (b *bench) publish(events ...schema.Event) {
	b.Helper()
	for _, e := range events {
		// A duplicate is a second try of the client: the broker was slow to answer the first.
		if _, err := b.conn.PublishEvent(b.Context(), e); err != nil {
			b.Fatal(err)
		}
	}
}

// all are the messages of a stream that match the filter, oldest first.
func (b *bench) all(name, filter string) (messages []*jetstream.RawStreamMsg) {
	b.Helper()
	s, err := b.js.Stream(b.Context(), name)
	if err != nil {
		b.Fatal(err)
	}
	for from := uint64(1); ; {
		m, err := s.GetMsg(b.Context(), from, jetstream.WithGetMsgSubject(filter))
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			return messages
		}
		if err != nil {
			b.Fatal(err)
		}
		messages, from = append(messages, m), m.Sequence+1
	}
}

// completion is the resource's completion of the event as it is on the stream, nil where it is not.
// What is there must be of the schema.
func (b *bench) completion(e schema.Event, r schema.Resource) []byte {
	b.Helper()
	found := b.all(schema.CompletionsStream, e.CompletionSubject(r))
	if len(found) == 0 {
		return nil
	}
	if len(found) > 1 {
		b.Errorf("%s has %d completions", e.Key(), len(found))
	}
	jsonschematest.Completion(b.T, found[0].Data)
	return found[0].Data
}

// completed waits for the completion and takes it apart.
func (b *bench) completed(e schema.Event, r schema.Resource) schema.Completion {
	b.Helper()
	var text []byte
	streamtest.Eventually(b, "the completion of "+e.Key(),
		func() bool { text = b.completion(e, r); return text != nil })
	var c schema.Completion
	if err := json.Unmarshal(text, &c); err != nil {
		b.Fatal(err)
	}
	return c
}

// completions are all completions.
func (b *bench) completions() []*jetstream.RawStreamMsg {
	b.Helper()
	return b.all(schema.CompletionsStream, "wagewire.completions.>")
}

func (b *bench) deadLetters(queue, account string) []*jetstream.RawStreamMsg {
	b.Helper()
	return b.all(schema.DeadLettersStream, schema.DeadLetterSubject(queue, account))
}

// place is the place of a message: an event, or a retry.
type place struct {
	stream   string
	sequence uint64
}

// terminated are the broker's words on messages that ended, by their place.
func (b *bench) terminated() map[place]*jetstream.RawStreamMsg {
	b.Helper()
	ended := map[place]*jetstream.RawStreamMsg{}
	const filter = "$JS.EVENT.ADVISORY.CONSUMER.MSG_TERMINATED.>"
	for _, m := range b.all(schema.AdvisoriesStream, filter) {
		var advisory struct {
			Stream   string `json:"stream"`
			Sequence uint64 `json:"stream_seq"`
		}
		if err := json.Unmarshal(m.Data, &advisory); err != nil {
			b.Fatal(err)
		}
		ended[place{advisory.Stream, advisory.Sequence}] = m
	}
	return ended
}

// lastPlace is the place from which the queue got the event last.
func (b *bench) lastPlace(e schema.Event, queue string) place {
	b.Helper()
	q := queueNamed(b.T, queue)
	stream := q.WaitingStream()
	retries := b.all(stream, q.DueSubject(e))
	if n := len(retries); n > 0 {
		return place{stream, retries[n-1].Sequence}
	}
	return place{schema.EventsStream, b.sequence(e)}
}

// sequence is the event's place in the stream.
func (b *bench) sequence(e schema.Event) uint64 {
	b.Helper()
	for _, m := range b.all(schema.EventsStream, e.Subject()) {
		if m.Header.Get("Nats-Msg-Id") == e.Key() {
			return m.Sequence
		}
	}
	b.Fatalf("%s is not on the stream", e.Key())
	return 0
}

// queue is the queue's consumer of events.
func (b *bench) queue(name string) *jetstream.ConsumerInfo {
	b.Helper()
	return b.consumer(schema.EventsStream, name)
}

func (b *bench) consumer(stream, name string) *jetstream.ConsumerInfo {
	b.Helper()
	consumer, err := b.js.Consumer(b.Context(), stream, name)
	if err != nil {
		b.Fatal(err)
	}
	return consumer.CachedInfo()
}

// lag is the number of a queue's events that are ready or in hand.
func (b *bench) lag(name string) int {
	b.Helper()
	lag := 0
	for _, lane := range queueNamed(b.T, name).Lanes() {
		info := b.consumer(lane.Stream, lane.Consumer)
		lag += int(info.NumPending) + info.NumAckPending
	}
	return lag
}

// waiting are the events that wait for their next try in the queue.
func (b *bench) waiting(queue string) (waiting []stream.Waiting) {
	b.Helper()
	err := stream.NewOperator(b.conn).Waiting(b.Context(), queue, "*", func(w stream.Waiting) error {
		waiting = append(waiting, w)
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
	return waiting
}

// waitsFor waits until n events wait in the queue, and returns them.
func (b *bench) waitsFor(queue string, n int) (waiting []stream.Waiting) {
	b.Helper()
	streamtest.Eventually(b, fmt.Sprintf("%d events wait in queue %s", n, queue), func() bool {
		waiting = b.waiting(queue)
		return len(waiting) == n
	})
	return waiting
}

// retryNow ends every wait of the queue.
func (b *bench) retryNow(queue string) {
	b.Helper()
	for _, w := range b.waiting(queue) {
		if _, err := stream.NewOperator(b.conn).RetryNow(b.Context(), w); err != nil {
			b.Fatal(err)
		}
	}
}

// idle waits until every event of the queue is settled for good. After a failure it does not wait:
// the failed part of the test may have left an event in hand.
func (b *bench) idle(name string) {
	b.Helper()
	if b.Failed() {
		return
	}
	streamtest.Eventually(b, "queue "+name+" is idle", func() bool {
		return b.lag(name) == 0 && len(b.waiting(name)) == 0
	})
}

// take takes one event from a queue, as a worker would that dies with it in hand. Nak gives it to
// the next at once, as the end of the lease does.
func (b *bench) take(queue string) jetstream.Msg {
	b.Helper()
	return b.takeFrom(schema.EventsStream, queue)
}

// takeFrom takes an event, or a retry.
func (b *bench) takeFrom(stream, queue string) jetstream.Msg {
	b.Helper()
	consumer, err := b.js.Consumer(b.Context(), stream, queue)
	if err != nil {
		b.Fatal(err)
	}
	wait := time.Hour
	if deadline, ok := b.Deadline(); ok {
		wait = time.Until(deadline) - 10*time.Second // a failure must still be printed
	}
	msg, err := consumer.Next(jetstream.FetchMaxWait(wait), jetstream.FetchHeartbeat(wait/3))
	if err != nil {
		b.Fatal(err)
	}
	return msg
}

// loseLease makes the broker deliver an event again that a worker has in hand, as the end of its
// lease would.
func (b *bench) loseLease(queue string, e schema.Event) {
	b.Helper()
	ack := fmt.Sprintf("$JS.ACK.%s.%s.1.%d.%d.%d.0", schema.EventsStream, queue, b.sequence(e),
		b.queue(queue).Delivered.Consumer, time.Now().UnixNano())
	if err := errors.Join(b.nats.Publish(ack, []byte("-NAK")), b.nats.FlushTimeout(time.Hour)); err != nil {
		b.Fatal(err)
	}
}

// loseEveryLease is loseLease for the only event of a queue, whether the event or its retry is in
// hand.
func (b *bench) loseEveryLease(queue string) {
	b.Helper()
	for _, lane := range queueNamed(b.T, queue).Lanes() {
		info := b.consumer(lane.Stream, lane.Consumer)
		if info.NumAckPending == 0 {
			continue
		}
		ack := fmt.Sprintf("$JS.ACK.%s.%s.1.%d.%d.%d.0", lane.Stream, lane.Consumer,
			info.Delivered.Stream, info.Delivered.Consumer, time.Now().UnixNano())
		if err := errors.Join(b.nats.Publish(ack, []byte("-NAK")), b.nats.FlushTimeout(time.Hour)); err != nil {
			b.Fatal(err)
		}
	}
}

// metric sums what the registry has under the name and labels.
func (b *bench) metric(name string, labels map[string]string) (sum float64) {
	b.Helper()
	families, err := b.registry.Gather()
	if err != nil {
		b.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() != name {
			continue
		}
		for _, m := range family.GetMetric() {
			has := map[string]string{}
			for _, pair := range m.GetLabel() {
				has[pair.GetName()] = pair.GetValue()
			}
			want := maps.Clone(has)
			maps.Copy(want, labels)
			if maps.Equal(has, want) {
				sum += m.GetCounter().GetValue() + m.GetGauge().GetValue() +
					float64(m.GetHistogram().GetSampleCount())
			}
		}
	}
	return sum
}

// sourcesOf gives every provider the handler. A webhook says what it says in Pinwheel's words.
func sourcesOf(handler Handler) map[schema.Provider]Source {
	sources := map[schema.Provider]Source{}
	for _, p := range schema.Providers() {
		sources[p] = Source{Decode: decodeTest, Handler: handler}
	}
	return sources
}

func decodeTest(e schema.Event) (Payload, error) {
	var body struct {
		Payload struct {
			EndUserID string `json:"end_user_id"`
			Outcome   string
			ErrorCode string   `json:"error_code"`
			ErrorType string   `json:"error_type"`
			Params    struct{} `json:"params"`
		} `json:"payload"`
	}
	err := json.Unmarshal(e.Body, &body)
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return Payload{}, fmt.Errorf("%w: %s: %s is of another type", ErrUndecodable, e.Type,
			wrong.Field)
	}
	if err != nil {
		return Payload{}, fmt.Errorf("%w: %s: not JSON", ErrUndecodable, e.Type)
	}
	b := body.Payload
	outcomes := map[string]schema.Outcome{"pending": schema.Pending, "error": schema.Failed}
	return Payload{EndUserID: b.EndUserID, Outcome: outcomes[b.Outcome], ErrorCode: b.ErrorCode,
		ErrorType: b.ErrorType}, nil
}
