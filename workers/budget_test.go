package workers

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
	"github.com/wagewire/wagewire/schema/stream/streamtest"
	"github.com/wagewire/wagewire/workers/api"
	"github.com/wagewire/wagewire/workers/api/pace"
)

// provider is a provider in memory: it counts calls, and answers 429 as often as it is told.
type provider struct {
	mu     sync.Mutex
	calls  int
	busy   int
	called chan struct{}
	// faults gets what the pace of the calls tells of its store.
	faults chan error
}

func newProvider() *provider {
	return &provider{called: make(chan struct{}, 100), faults: make(chan error, 100)}
}

func (p *provider) RoundTrip(*http.Request) (*http.Response, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.calls++
	p.called <- struct{}{}
	answer := &http.Response{StatusCode: 200, Header: http.Header{}, ContentLength: 2,
		Body: http.NoBody}
	if p.busy > 0 {
		p.busy--
		answer.StatusCode = http.StatusTooManyRequests
		answer.Header.Set("Retry-After", "600")
		return answer, nil
	}
	answer.Body = readCloser{strings.NewReader("{}")}
	return answer, nil
}

type readCloser struct{ *strings.Reader }

func (readCloser) Close() error { return nil }

func (p *provider) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.calls
}

// paced runs the worker of a resource as a process of its own, with calls to the provider at the
// pace of the budget. replays gets a value for each turn: whether it was for a replayed event.
func (b *bench) paced(r schema.Resource, p *provider, replays chan<- bool) (worker *Worker) {
	b.Helper()
	conn := b.connect()
	pacer, err := pace.New(pace.Config{
		RatePerS: 100, Store: conn.Budget(schema.Pinwheel),
		OnFault: func(err error) { p.faults <- err },
		OnTurn: func(replay bool, _ time.Duration) {
			if replays != nil {
				replays <- replay
			}
		},
	})
	must(b.T, err)
	b.Cleanup(pacer.Close)
	client, err := api.New(api.Config{
		URL: "https://api.test", Pace: pacer, Transport: p,
		Secrets: func() ([]string, error) { return []string{"sekret"}, nil },
	}, api.Dialect{Header: func(string) http.Header { return nil }})
	must(b.T, err)
	source := sourcesOf(fetchFunc(func(ctx context.Context, job Job) (Fetched, error) {
		answer, err := client.Get(ctx, api.Path("/v1/things"))
		if err != nil {
			return Fetched{}, err
		}
		answer.Release()
		return Fetched{}, bring(ctx, job, canaryRecord)
	}))
	for provider, s := range source {
		s.Pace = pacer
		source[provider] = s
	}
	worker = New(r, source, conn, quick(), b.log, prometheus.NewRegistry())
	b.run(worker)
	return worker
}

func (b *bench) deleteBudgets() {
	b.Helper()
	must(b.T, b.js.DeleteStream(b.Context(), schema.BudgetsStream))
}

// The broker of the release before has no bucket.
func TestAWorkerWithoutTheBucketWaitsForAnUpgradeOfTheBroker(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.deleteBudgets()
	p := newProvider()
	first := employment(t, "before")
	b.publish(first)
	worker := b.paced(schema.Employment, p, nil)
	if fault := receive(t, "a fault", p.faults); !errors.Is(fault, stream.ErrNoQueue) {
		t.Errorf("the fault is %v", fault)
	}
	err := worker.Ready(t.Context())
	if err == nil || !strings.Contains(err.Error(), "WAGEWIRE_BUDGETS is not there") ||
		!strings.Contains(err.Error(), "wagewire provision apply") {
		t.Errorf("ready: %v", err)
	}
	if p.count() != 0 {
		t.Errorf("%d calls without a budget", p.count())
	}
	changes, err := stream.NewOperator(b.conn).Plan(t.Context(), streamtest.Topology())
	must(t, err)
	if len(changes) != 1 || !changes[0].Create || changes[0].Refused != "" {
		t.Errorf("an upgrade plans %v", changes)
	}
	streamtest.Provision(t, b.conn, streamtest.Topology())
	second := employment(t, "after")
	b.publish(second)
	for _, e := range []schema.Event{first, second} {
		if c := b.completed(e, schema.Employment); c.Data.Outcome != schema.Succeeded {
			t.Errorf("%s is %s", e.Key(), c.Data.Outcome)
		}
	}
	must(t, worker.Ready(t.Context()))
}

func TestAHoldOfOneProcessClosesTheQueuesOfAll(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	p := newProvider()
	held := make(chan time.Duration, 10)
	worker := b.paced(schema.Income, p, nil)
	b.publish(sample(t, schema.Pinwheel, "income.added", "warm-up"))
	receive(t, "a first call", p.called)
	worker.queues[0].source.Pace.OnHold(func(left time.Duration) { held <- left })

	p.busy = 1
	b.paced(schema.Employment, p, nil)
	waits := employment(t, "held")
	b.publish(waits)
	receive(t, "the call that is answered 429", p.called)
	if left := receive(t, "the other process hears of the hold", held); left > 11*time.Minute ||
		left <= api.HoldInHandMax {
		t.Errorf("a hold of %v", left)
	}
	// The gate is closed before OnHold is called here.
	if n, _ := worker.queues[0].pause.Admit(4, 0); n != 0 {
		t.Errorf("the queue of the other process takes %d events in the hold", n)
	}
	b.logged(waits, "later", 1)
	calls := p.count()
	next := sample(t, schema.Pinwheel, "income.added", "during")
	b.publish(next)

	left, err := stream.NewOperator(b.conn).ResetBudget(t.Context(), schema.Pinwheel)
	must(t, err)
	if left <= 0 {
		t.Errorf("the hold had %v left", left)
	}
	if c := b.completed(next, schema.Income); c.Data.Outcome != schema.Succeeded {
		t.Errorf("the event is %s", c.Data.Outcome)
	}
	if p.count() <= calls {
		t.Error("no call after the hold")
	}
}

func TestTheCallsOfAReplayedEventAreMarked(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	replays := make(chan bool, 10)
	b.paced(schema.Employment, newProvider(), replays)
	e := employment(t, "once")
	b.publish(e)
	if receive(t, "the turn of a fresh event", replays) {
		t.Error("the call of a fresh event is that of a replay")
	}
	b.completed(e, schema.Employment)
	_, err := stream.NewOperator(b.conn).Redrive(t.Context(), e, "pinwheel_employment", 1)
	must(t, err)
	if !receive(t, "the turn of a redrive", replays) {
		t.Error("the call of a redrive is that of a fresh event")
	}
	backfill := employment(t, "backfill")
	backfill.Backfill = true
	b.publish(backfill)
	if !receive(t, "the turn of a backfill", replays) {
		t.Error("the call of a backfill is that of a fresh event")
	}
}
