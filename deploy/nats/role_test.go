package nats_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	natsgo "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/wagewire/wagewire/deploy/nats"
	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
	"github.com/wagewire/wagewire/schema/stream/streamtest"
)

// quick does not wait for the disk. No test here is about power cuts.
func quick(o *server.Options) { o.SyncAlways = false }

// The broker allows everything that the code of a role does. A refusal fails the test, even if the
// code ignores it.

func TestTheOperatorProvisionsTheDefaultTopology(t *testing.T) {
	t.Parallel()
	b := start(t, nil)
	c := b.connect(t, stream.RoleOperator)
	provision(t, c, schema.DefaultTopology())
	changes, err := c.Plan(t.Context(), schema.DefaultTopology())
	if err != nil || len(changes) != 0 {
		t.Errorf("a second plan: %v, %v", changes, err)
	}
	streams, queues, err := c.Status(t.Context())
	if err != nil || len(streams) != 11+len(schema.Queues()) ||
		len(queues) != len(schema.Queues()) {
		t.Errorf("%d streams, %d queues, %v", len(streams), len(queues), err)
	}
}

func TestIngressDoesItsWork(t *testing.T) {
	t.Parallel()
	b := start(t, quick)
	operator, c := b.connect(t, stream.RoleOperator), b.connect(t, stream.RoleIngress)
	if err := c.Ready(t.Context()); !errors.Is(err, stream.ErrNoQueue) {
		t.Errorf("without streams: ready is %v", err)
	}
	provision(t, operator, schema.DefaultTopology())
	becomesReady(t, c)
	types := append(schema.Catalogue(), schema.Lookup(schema.Pinwheel, "something.new"),
		schema.Lookup(schema.Truv, "something-new"))
	for _, of := range types {
		e := webhook(of, "id-"+schema.Token(of.Name), "account")
		if _, err := c.PublishEvent(t.Context(), e); err != nil {
			t.Fatalf("%s: %v", of.Name, err)
		}
	}
	e := webhook(types[0], "id-"+schema.Token(types[0].Name), "account")
	if duplicate, err := c.PublishEvent(t.Context(), e); !duplicate || err != nil {
		t.Errorf("again: %v, %v", duplicate, err)
	}
	e.Body = append(e.Body, ' ')
	if _, err := c.PublishEvent(t.Context(), e); !errors.Is(err, schema.ErrIDConflict) {
		t.Errorf("with another body: %v", err)
	}
	for _, p := range schema.Providers() {
		must(t, c.PublishQuarantined(t.Context(),
			schema.Quarantined{Provider: p, Reason: "unreadable", ReceivedAt: e.ReceivedAt,
				Body: []byte("{")}))
	}
}

func TestTheWorkerOfAccountsDoesItsWork(t *testing.T) {
	t.Parallel()
	b := start(t, quick)
	operator, c := b.connect(t, stream.RoleOperator), b.connect(t, stream.RoleAccounts)
	accounts := c.Accounts()
	if err := accounts.Ready(t.Context()); !errors.Is(err, stream.ErrNoQueue) {
		t.Errorf("without streams: ready is %v", err)
	}
	provision(t, operator, schema.DefaultTopology())
	becomesReady(t, accounts)
	e := schema.Event{Provider: schema.Truv, ID: "e-1", AccountID: "a-1"}
	completion := schema.NewCompletion(e, schema.Link, schema.Succeeded, time.Now())
	completion.Data.AccountID = &e.AccountID
	if _, err := operator.PublishCompletion(t.Context(), e, completion); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	accounts.Consume(ctx, 1, func(told *stream.Told) {
		defer cancel()
		if told.Err != nil || told.Account != "a-1" {
			t.Errorf("told %+v", told)
		}
		if err := told.Done(); err != nil {
			t.Error(err)
		}
	})
	for _, outcome := range []schema.Outcome{schema.Succeeded, schema.Deleted} {
		completion.Data.Outcome = outcome
		read, err := c.State(t.Context(), schema.Truv, "a-1")
		must(t, err)
		next, _ := read.Merge(completion, nil, time.Now())
		if stored, err := c.StoreState(t.Context(), read, next); !stored || err != nil {
			t.Errorf("%s: stored %v, %v", outcome, stored, err)
		}
	}
}

const lease = time.Second

func TestEveryWorkerDoesItsWork(t *testing.T) {
	t.Parallel()
	for _, q := range schema.Queues() {
		t.Run(q.Name, func(t *testing.T) {
			t.Parallel()
			b := start(t, quick)
			operator := b.connectPatiently(t, stream.RoleOperator)
			ingress := b.connect(t, stream.RoleIngress)
			topology := schema.DefaultTopology()
			topology.Lease = lease
			provision(t, operator, topology)
			w := worker{b.connectPatiently(t, stream.WorkerRole(q.Resource)), ingress, operator,
				b.dial(t, stream.RoleOperator), q}
			w.queue(t)
			w.completions(t)
			w.fences(t)
			w.exhausted(t)
			w.closes(t)
			if erasureOf(q).Erases && !q.Erases { // the queue of erasures has the same worker
				w.erasure(t)
			}
		})
	}
}

// worker is the process of a worker, with the processes around it.
type worker struct {
	process
	ingress, operator process
	full              client
	of                schema.Queue
}

// erasureOf returns the type that erases an account, if the queue's worker reads one.
func erasureOf(q schema.Queue) schema.WebhookType {
	for _, of := range schema.Catalogue() {
		if of.Provider == q.Provider && of.Erases && slices.Contains(of.Workers, q.Resource) {
			return of
		}
	}
	return schema.WebhookType{}
}

func (w worker) event(t *testing.T, id, account string) schema.Event {
	t.Helper()
	e := webhook(typeOf(w.of), id, account)
	_, err := w.ingress.PublishEvent(t.Context(), e)
	must(t, err)
	return e
}

// backfill is event for a replayed event.
func (w worker) backfill(t *testing.T, id, account string) {
	t.Helper()
	e := webhook(typeOf(w.of), id, account)
	e.Backfill = true
	_, err := w.ingress.PublishEvent(t.Context(), e)
	must(t, err)
}

func (w worker) completion(e schema.Event, records ...string) schema.Completion {
	c := schema.NewCompletion(e, w.of.Resource, schema.Succeeded, e.ReceivedAt)
	for _, r := range records {
		c.Data.Records = append(c.Data.Records, json.RawMessage(r))
	}
	return c
}

// complete completes an event and reports whether the completion was stored.
func (w worker) complete(t *testing.T, e schema.Event, records ...string) bool {
	t.Helper()
	stored, err := w.PublishCompletion(t.Context(), e, w.completion(e, records...))
	must(t, err)
	return stored
}

func large(text string) string {
	return `{"note":"` + strings.Repeat(text, schema.CompletionBytesMax/len(text)+1) + `"}`
}

// delivery names a delivery of an event.
type delivery struct {
	id      string
	attempt int
}

// every takes from every lane.
var every = stream.Taking{Hands: 2, RetryHands: 1, ReplayHands: 1}

// queue takes events from the queue and settles them with every verdict. A slow machine may deliver
// an event more often.
func (w worker) queue(t *testing.T) {
	becomesReady(t, w.Queue(w.of))
	w.event(t, "later", "a")
	w.event(t, "held", "a")
	w.event(t, "dead", "a")
	w.backfill(t, "replayed", "a")
	settled := make(chan delivery, 100)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = w.Queue(w.of).Consume(ctx, every, func(d *stream.Delivery) {
			if err := w.settle(ctx, d); err != nil {
				t.Errorf("%s: %v", d.Event.ID, err)
			}
			settled <- delivery{d.Event.ID, d.Attempt()}
		})
	}()
	missing := map[delivery]bool{{"later", 1}: true, {"later", 2}: true, {"held", 1}: true,
		{"dead", 1}: true, {"replayed", 1}: true, {"replayed", 2}: true}
	for len(missing) > 0 {
		delete(missing, next(t, fmt.Sprintf("the deliveries %v", missing), settled))
	}
	streamtest.Eventually(t, "the queue has settled 4 events", func() bool {
		position, err := w.operator.Position(t.Context(), w.of.EventsLane())
		return err == nil && position.Settled == 4
	})
	cancel()
	<-done
}

// settle settles a delivery by the name of its event.
func (w worker) settle(ctx context.Context, d *stream.Delivery) error {
	switch {
	case d.Event.ID == "replayed" && d.Replay == d.Queue.Erases:
		return fmt.Errorf("from the lane of replays: %t", d.Replay)
	case (d.Event.ID == "later" || d.Event.ID == "replayed") && d.Attempt() == 1:
		return d.Wait(schema.Wait{
			Class: schema.ClassTransient, Until: time.Now(),
			Failures: schema.Failures{schema.ClassTransient: 1},
		})
	case d.Event.ID == "held" && d.Deliveries == 1:
		<-time.After(2 * lease) // heartbeats are sent meanwhile, and a refusal fails the test
		return d.Done()
	case d.Event.ID == "dead":
		letter := d.DeadLetter(schema.ClassPermanent, schema.ReasonRejected, time.Now())
		return errors.Join(
			w.PublishDeadLetter(ctx, letter), d.Never(schema.ReasonRejected))
	default:
		return d.Done()
	}
}

// completions stores small and large ones, once.
func (w worker) completions(t *testing.T) {
	small, big := w.event(t, "small", "a"), w.event(t, "big", "a")
	if !w.complete(t, small, `{"id":"1"}`) || w.complete(t, small, `{"id":"1"}`) {
		t.Error("small: want it stored once")
	}
	if !w.complete(t, big, large("x ")) || w.complete(t, big, large("y ")) {
		t.Error("large: want it stored once")
	}
	js := w.full.jetstream(t)
	store, err := js.ObjectStore(t.Context(), schema.RecordsBucket)
	must(t, err)
	if objects, err := store.List(t.Context()); err != nil || len(objects) != 1 {
		t.Errorf("%d objects, %v: the second's were to be taken back", len(objects), err)
	}
	taken := w.event(t, "taken", "a")
	// Without an id: only the subject is known.
	_, err = js.Publish(t.Context(), taken.CompletionSubject(w.of.Resource), []byte("{}"))
	must(t, err)
	if w.complete(t, taken, `{"id":"1"}`) {
		t.Error("taken: stored a second time")
	}
	if there, err := w.Completed(t.Context(), taken, w.of.Resource); !there || err != nil {
		t.Errorf("taken: completed is %v, %v", there, err)
	}
}

// closes begins and ends every closure of a worker. A queue without calls has none.
func (w worker) closes(t *testing.T) {
	if !w.of.CallsProvider() {
		return
	}
	q := w.Queue(w.of)
	for _, r := range []schema.ClosureReason{
		schema.ClosureRefused, schema.ClosureHeld, schema.ClosureDown,
	} {
		must(t, q.CloseFor(t.Context(), r, time.Hour))
		closures, err := w.operator.Closures(t.Context())
		if err != nil || !slices.Equal(closures[w.of.Name], []schema.ClosureReason{r}) {
			t.Errorf("%s: closures %v, %v", r, closures[w.of.Name], err)
		}
		must(t, w.operator.EndClosure(t.Context(), w.of.ClosureSubject(r)))
		streamtest.Eventually(t, "the closure ends", func() bool {
			closures, err := w.operator.Closures(t.Context())
			return err == nil && len(closures) == 0
		})
	}
}

// A broker with the accounts.conf of the release before stores closures for no worker.
func TestAWorkerGoesOnWithTheAccountsOfTheReleaseBeforeClosures(t *testing.T) {
	t.Parallel()
	dir := copyInstallation(t)
	path := filepath.Join(dir, nats.AccountsFile)
	text, err := os.ReadFile(path)
	must(t, err)
	var former strings.Builder
	for line := range strings.Lines(string(text)) {
		if !strings.Contains(line, "wagewire.closures.") {
			former.WriteString(line)
		}
	}
	must(t, os.WriteFile(path, []byte(former.String()), 0o600))
	b := startIn(t, dir, "nats.conf", quick)
	operator, ingress := b.connect(t, stream.RoleOperator), b.connect(t, stream.RoleIngress)
	topology := schema.DefaultTopology()
	topology.Lease = lease
	provision(t, operator, topology)
	q := schema.QueuesOf(schema.Paystubs)[0]
	w := worker{b.connectPatiently(t, stream.WorkerRole(q.Resource)), ingress, operator,
		b.dial(t, stream.RoleOperator), q}
	err = w.Queue(q).CloseFor(t.Context(), schema.ClosureDown, time.Hour)
	if !errors.Is(err, stream.ErrNoClosures) {
		t.Errorf("close: %v", err)
	}
	w.queue(t)
}

// fences meets a tombstone, before and between.
func (w worker) fences(t *testing.T) {
	e := w.event(t, "gone", "gone")
	if there, err := w.Erased(t.Context(), e.Provider, e.Account()); there || err != nil {
		t.Errorf("erased is %v, %v", there, err)
	}
	_, err := w.full.jetstream(t).Publish(t.Context(),
		schema.TombstoneSubject(e.Provider, e.Account()), nil)
	must(t, err)
	for _, record := range []string{`{"id":"1"}`, large("x ")} {
		if stored, err := w.PublishCompletion(t.Context(), e, w.completion(e, record)); stored ||
			!errors.Is(err, stream.ErrErased) {
			t.Errorf("complete is %v, %v", stored, err)
		}
	}
}

// exhausted lets the broker give an event up, and then the event's retry. It does the same with a
// replayed event.
func (w worker) exhausted(t *testing.T) {
	for _, lane := range w.of.Lanes() {
		queue, err := w.full.jetstream(t).Consumer(t.Context(), lane.Stream, lane.Consumer)
		must(t, err)
		config := queue.CachedInfo().Config
		config.MaxDeliver = 1
		_, err = w.full.jetstream(t).UpdateConsumer(t.Context(), lane.Stream, config)
		must(t, err)
	}
	told := make(chan string, 10)
	background(t, func(ctx context.Context) error {
		return w.Queue(w.of).Exhausted(ctx,
			func(d *stream.Delivery) error { told <- d.Event.ID; return nil })
	})
	w.event(t, "exhausted", "b")
	w.backfill(t, "exhausted-replay", "b")
	background(t, func(ctx context.Context) error {
		return w.Queue(w.of).Consume(ctx, every, func(d *stream.Delivery) {
			if strings.HasPrefix(d.Event.ID, "exhausted") {
				_ = d.GiveBack()
			} else {
				_ = d.Done()
			}
		})
	})
	missing := map[string]bool{"exhausted": true, "exhausted-replay": true}
	for len(missing) > 0 { // on a slow machine, other events run out of deliveries too
		delete(missing, next(t, "an event without further deliveries", told))
	}
	streamtest.Eventually(t, "the advisory is settled", func() bool {
		advisories, err := w.full.jetstream(t).Consumer(t.Context(), schema.AdvisoriesStream,
			w.of.Name)
		return err == nil && advisories.CachedInfo().NumAckPending == 0 &&
			advisories.CachedInfo().NumPending == 0
	})
}

// erasure takes an account out of the streams.
func (w worker) erasure(t *testing.T) {
	e := w.event(t, "to-erase", "erased")
	w.complete(t, e, large("x "))
	must(t, w.PublishDeadLetter(t.Context(),
		schema.DeadLetter{Queue: w.of.Name, Account: e.Account(), Sequence: 99, At: e.ReceivedAt,
			Body: e.Body}))
	deleted := webhook(erasureOf(w.of), "deleted", "erased")
	_, err := w.ingress.PublishEvent(t.Context(), deleted)
	must(t, err)
	for _, step := range w.ErasureSteps(e.Provider, e.Account()) {
		if err := step.Run(t.Context()); err != nil {
			t.Fatalf("%s: %v", step.Name, err)
		}
	}
	stored, err := w.PublishCompletion(t.Context(), deleted,
		schema.NewCompletion(deleted, w.of.Resource, schema.Deleted, e.ReceivedAt))
	if !stored || err != nil {
		t.Errorf("completion deleted: %v, %v", stored, err)
	}
	for _, step := range w.LastErasureSteps(deleted) {
		if err := step.Run(t.Context()); err != nil {
			t.Fatalf("%s: %v", step.Name, err)
		}
	}
	for name, filter := range map[string]string{
		w.of.WaitingStream():     schema.AccountWaiting("*", e.Account()),
		schema.CompletionsStream: schema.AccountCompletions(e.Provider, e.Account()),
		schema.EventsStream:      schema.AccountEvents(e.Provider, "*", "*", e.Account()),
		schema.DeadLettersStream: schema.DeadLetterSubject(w.of.Name, e.Account()),
	} {
		var left []string
		must(t, w.operator.Scan(t.Context(), name, stream.Selection{Filters: []string{filter}},
			func(m stream.Stored) error {
				left = append(left, m.Subject)
				return nil
			}))
		left = slices.DeleteFunc(left, func(subject string) bool {
			return subject == deleted.CompletionSubject(w.of.Resource)
		})
		if len(left) != 0 {
			t.Errorf("%s still has %v", name, left)
		}
	}
}

// A rollup is a publish that deletes: of one object, or of all.
func TestNoWorkerCanDeleteAllRecordsByPublishing(t *testing.T) {
	t.Parallel()
	b := start(t, quick)
	provision(t, b.connect(t, stream.RoleOperator), schema.DefaultTopology())
	for _, q := range schema.Queues() {
		js := b.dial(t, stream.WorkerRole(q.Resource)).jetstream(t)
		_, err := js.PublishMsg(t.Context(), &natsgo.Msg{
			Subject: "$O." + schema.RecordsBucket + ".M.x",
			Header:  natsgo.Header{jetstream.MsgRollup: {jetstream.MsgRollupAll}},
		})
		if answer, ok := errors.AsType[*jetstream.APIError](err); !ok ||
			!strings.Contains(answer.Description, "rollup") {
			t.Errorf("%s: %v", q.Name, err)
		}
	}
}

func TestATeamReadsItsCompletionsAndRecords(t *testing.T) {
	t.Parallel()
	b := start(t, quick)
	operator := b.connect(t, stream.RoleOperator)
	provision(t, operator, schema.DefaultTopology())
	makeDurables(t, b.dial(t, stream.RoleOperator).jetstream(t), demoTeams(t)[0])
	paystubs := b.connect(t, stream.WorkerRole(schema.Paystubs))
	for _, id := range []string{"first", "second"} {
		e := webhook(schema.Lookup(schema.Pinwheel, "paystubs.added"), id, "account")
		completion := schema.NewCompletion(e, schema.Paystubs, schema.Succeeded, e.ReceivedAt)
		completion.Data.Records = []json.RawMessage{json.RawMessage(large("x "))}
		_, err := paystubs.PublishCompletion(t.Context(), e, completion)
		must(t, err)
	}

	c := b.dial(t, team)
	durable, err := c.jetstream(t).Consumer(t.Context(), schema.CompletionsStream, team)
	must(t, err)
	msg := nextMessage(t, "a completion", durable)
	must(t, msg.InProgress())
	must(t, msg.DoubleAck(t.Context()))
	var read schema.Completion
	must(t, json.Unmarshal(msg.Data(), &read))
	records, err := b.connect(t, team).Records(t.Context(), *read.Data.RecordsRef)
	if err != nil || len(records) != 1 {
		t.Errorf("%d records, %v; want 1", len(records), err)
	}

	// The client's older interface, as in other languages.
	old, err := c.JetStream(natsgo.Domain(stream.Domain))
	must(t, err)
	sub, err := old.PullSubscribe("", team, natsgo.Bind(schema.CompletionsStream, team))
	must(t, err)
	streamtest.Eventually(t, "a completion for an old client", func() bool {
		fetched, err := sub.Fetch(1, natsgo.MaxWait(pullFor))
		if isTimeout(err) {
			return false
		}
		must(t, err)
		must(t, fetched[0].AckSync())
		return true
	})
}

func TestATeamCannotMakeAConsumer(t *testing.T) {
	t.Parallel()
	b := start(t, quick)
	provision(t, b.connect(t, stream.RoleOperator), schema.DefaultTopology())
	js := b.dial(t, team).jetstream(t)
	_, err := js.CreateOrUpdateConsumer(t.Context(), schema.CompletionsStream,
		jetstream.ConsumerConfig{Durable: team, AckPolicy: jetstream.AckExplicitPolicy})
	if !errors.Is(err, natsgo.ErrNoResponders) &&
		!errors.Is(err, jetstream.ErrJetStreamNotEnabled) {
		t.Errorf("error %v", err)
	}
}
