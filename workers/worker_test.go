package workers

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"
	"go.uber.org/zap"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
	"github.com/wagewire/wagewire/schema/stream/streamtest"
	"github.com/wagewire/wagewire/workers/api"
)

func TestACompletionIsWordForWordTheContracts(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	const big = `{"id":"rec-1","ytd":12345678901234567890.10,"tiny":1E-400,"huge":-0.10e+400,"html":"<b>&\u0026</b>","line":"\u2028","né":null,"later_field":[{"z":1,"a":2}]}`
	b.start(schema.Employment, fetchFunc(func(ctx context.Context, job Job) (Fetched, error) {
		return Fetched{
			Scope:       schema.Snapshot,
			RefreshedAt: time.Date(2026, 2, 3, 10, 19, 12, 500000000, time.FixedZone("", -5*3600)),
		}, bring(ctx, job, big, `{}`)
	}), quick())
	e := employment(t, "e0f3a9c1")
	b.publish(e)
	b.logged(e, "succeeded", 1)

	got := string(b.completion(e, schema.Employment))
	var c schema.Completion
	if err := json.Unmarshal([]byte(got), &c); err != nil {
		t.Fatal(err)
	}
	want := `{"specversion":"1.0","id":"pinwheel:e0f3a9c1:employment","source":"urn:wagewire:worker:employment",` +
		`"type":"wagewire.employment.succeeded.v1","subject":"acct-e0f3a9c1","time":"` +
		c.Time.Format(time.RFC3339Nano) + `",` +
		`"sequence":"` + c.Sequence + `",` +
		`"datacontenttype":"application/json","dataschema":"urn:wagewire:schema:completion:v1",` +
		`"data":{"provider":"pinwheel","resource":"employment","action":"added","outcome":"succeeded",` +
		`"event":{"id":"e0f3a9c1","type":"employment.added","occurred_at":"2026-02-03T15:19:11.058437Z","received_at":"2026-02-03T15:19:12Z"},` +
		`"account_id":"acct-e0f3a9c1","end_user_id":"person-77-e0f3a9c1","redrive":0,"refreshed_at":"2026-02-03T15:19:12.5Z","attempts":1,` +
		`"stored_at":"` + c.Data.StoredAt.Format(time.RFC3339Nano) + `",` +
		`"taken_at":"` + c.Data.TakenAt.Format(time.RFC3339Nano) + `",` +
		`"scope":"snapshot","from":null,"to":null,` +
		`"records":[` + big + `,{}],"deleted":[],"missing":[],"stale":false,"error":null}}`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if c.Time.Location() != time.UTC || c.Time.Before(e.ReceivedAt) {
		t.Errorf("time %v, want the time of completion in UTC", c.Time)
	}
	event := b.all(schema.EventsStream, e.Subject())[0]
	if !c.Data.StoredAt.Equal(event.Time) || c.Data.TakenAt.Before(c.Data.StoredAt) ||
		c.Time.Before(c.Data.TakenAt) {
		t.Errorf("stored %v, taken %v, completed %v: want the broker's %v and then each in turn",
			c.Data.StoredAt, c.Data.TakenAt, c.Time, event.Time)
	}
	if data, rest, _ := strings.Cut(c.Sequence, "/"); data != "2026-02-03T15:19:12.500000000Z" ||
		!strings.HasSuffix(rest, "/"+c.ID) || rest > c.Time.Format(time.RFC3339Nano) {
		t.Errorf("sequence %s, want the data's time, the beginning of the fetch and the id",
			c.Sequence)
	}
	stored := b.all(schema.CompletionsStream, e.CompletionSubject(schema.Employment))[0]
	for header, want := range map[string]string{"Nats-Msg-Id": "pinwheel:e0f3a9c1:employment",
		"Wagewire-Outcome": "succeeded"} {
		if got := stored.Header.Get(header); got != want {
			t.Errorf("header %s: %q, want %q", header, got, want)
		}
	}
	b.idle("pinwheel_employment")
}

func TestEveryTypeThatHasAWorkerIsCompletedByEachOfThem(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for _, r := range schema.WorkerResources() {
		b.start(r, fetchFunc(func(ctx context.Context, job Job) (Fetched, error) {
			if job.Event.Action == schema.ActionDeleted {
				return Fetched{Outcome: schema.Deleted}, nil
			}
			return Fetched{}, bring(ctx, job, canaryRecord)
		}), quick())
	}
	types, completions := 0, 0
	for _, row := range schema.Catalogue() {
		if len(row.Workers) == 0 {
			continue
		}
		types++
		e := sample(t, row.Provider, row.Name, fmt.Sprintf("type-%d", types))
		b.publish(e)
		for _, r := range row.Workers {
			completions++
			t.Run(fmt.Sprintf("%s by %s", row.Name, r), func(*testing.T) {
				got := b.completed(e, r)
				want := schema.Succeeded
				if row.Action == schema.ActionDeleted {
					want = schema.Deleted
				}
				account, person := "acct-"+e.ID, "person-77-"+e.ID
				switch {
				case got.Data.Outcome != want || got.ID != e.Key()+":"+string(r) ||
					got.Data.Attempts != 1:
					t.Errorf("completion %+v", got)
				case row.Provider == schema.Truv &&
					(got.Data.EndUserID != nil || *got.Data.AccountID != account),
					row.Provider == schema.Pinwheel && *got.Data.EndUserID != person,
					e.NamesEndUser() && got.Data.AccountID != nil,
					row.Provider == schema.Pinwheel && !e.NamesEndUser() &&
						*got.Data.AccountID != account:
					t.Errorf("account %v and end user %v are not the event's", got.Data.AccountID,
						got.Data.EndUserID)
				}
			})
		}
	}
	// Six types have two workers: paystubs.fully_synced, three that are also notices, and Truv's
	// employments, whose income is a resource of its own.
	if types != 37 || completions != 43 {
		t.Errorf("%d types and %d completions, want 37 and 43", types, completions)
	}
	for _, q := range schema.Queues() {
		b.idle(q.Name)
		if n := len(b.deadLetters(q.Name, "*")); n != 0 {
			t.Errorf("queue %s has %d dead letters", q.Name, n)
		}
	}
}

func TestAWorkerWithoutCallsNeedsNeitherBudgetNorPauses(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for _, name := range []string{
		schema.BudgetsStream, schema.PausesStream, schema.ClosuresStream,
	} {
		if err := b.js.DeleteStream(t.Context(), name); err != nil {
			t.Fatal(err)
		}
	}
	handler := fetchFunc(func(ctx context.Context, job Job) (Fetched, error) {
		return Fetched{}, bring(ctx, job, canaryRecord)
	})
	w := New(schema.Notices, sourcesOf(handler), b.connect(), quick(), b.log, b.registry)
	if err := w.Ready(t.Context()); err != nil {
		t.Error(err)
	}
	b.run(w)
	e := sample(t, schema.Pinwheel, "documents.added", "notice")
	b.publish(e)
	if got := b.completed(e, schema.Notices); got.Data.Outcome != schema.Succeeded {
		t.Errorf("completion %+v", got)
	}
	b.idle("pinwheel_notices")
	for _, line := range b.lines.All() {
		if line.Level >= zap.WarnLevel {
			t.Errorf("the log says %s", line.Message)
		}
	}
}

// TestEveryEventHasItsLastWord runs one worker; each row is an event of its own account, and what
// the provider says to it attempt by attempt. The last answer is repeated.
func TestEveryEventHasItsLastWord(t *testing.T) {
	t.Parallel()
	status := func(code int, words ...string) error {
		e := &api.StatusError{Endpoint: "/v1/accounts/{account_id}/paystubs", Status: code,
			Message: canaryName}
		if len(words) == 2 {
			e.Code, e.Type = words[0], words[1]
		}
		return e
	}
	type reply struct {
		fetched Fetched
		records []string
		err     error
		panics  any
	}
	record := []string{canaryRecord}
	ok := reply{records: record}
	missing := reply{records: record, fetched: Fetched{Missing: []string{"stub-9"}}}
	stale := reply{records: record, fetched: Fetched{Stale: true,
		RefreshedAt: time.Unix(1700000000, 0)}}
	broken := reply{err: &api.ContractError{Endpoint: "/v1/x", Why: "a cursor came twice"}}
	retries, notReady := len(quick().Ladders.Retry), len(quick().Ladders.NotReady)

	tests := []struct {
		promise    string
		webhook    string
		change     func(map[string]any)
		replies    []reply
		calls      int
		outcome    schema.Outcome
		attempts   int
		records    int
		missing    []string
		stale      bool
		error      *schema.CompletionError
		deadLetter schema.Reason
	}{
		{promise: "data that is there completes at the first attempt", replies: []reply{ok},
			calls: 1, outcome: schema.Succeeded, attempts: 1, records: 1},
		{promise: "no data announced completes with no records", replies: []reply{{}}, calls: 1,
			outcome: schema.Succeeded, attempts: 1},
		{promise: "what the event says is deleted is passed on",
			replies: []reply{{fetched: Fetched{Deleted: []string{"stub-0"}}}}, calls: 1,
			outcome: schema.Succeeded, attempts: 1},
		{promise: "what the handler finds unavailable is",
			replies: []reply{{fetched: Fetched{Outcome: schema.Unavailable}}}, calls: 1,
			outcome: schema.Unavailable, attempts: 1},
		{promise: "pending is completed without a fetch", change: says("outcome", "pending"),
			outcome: schema.Pending, attempts: 1},
		{promise: "the provider's error is completed without a fetch, in its words",
			outcome: schema.Failed, attempts: 1,
			change: func(body map[string]any) {
				says("outcome", "error")(body)
				says("error_code", "invalidUserCredentials")(body)
				says("error_type", "user_error")(body)
			},
			error: &schema.CompletionError{Class: "provider", Code: "invalidUserCredentials",
				Type: "user_error", Message: "the provider's job failed"}},

		{promise: "missing data is waited for", replies: []reply{missing, ok}, calls: 2,
			outcome: schema.Succeeded, attempts: 2, records: 1},
		{promise: "data still missing after the short ladder is accepted and named",
			replies: []reply{missing}, calls: notReady + 1,
			outcome: schema.Succeeded, attempts: notReady + 1, records: 1,
			missing: []string{"stub-9"}},
		{promise: "stale data is waited for", replies: []reply{stale, stale, ok}, calls: 3,
			outcome: schema.Succeeded, attempts: 3, records: 1},
		{promise: "data still stale after the short ladder is accepted and marked",
			replies: []reply{stale}, calls: notReady + 1,
			outcome: schema.Succeeded, attempts: notReady + 1, records: 1, stale: true},
		{promise: "404 is waited for", replies: []reply{{err: status(404)}, ok}, calls: 2,
			outcome: schema.Succeeded, attempts: 2, records: 1},
		{promise: "404 after the short ladder is unavailable", replies: []reply{{err: status(404)}},
			calls: notReady + 1, outcome: schema.Unavailable, attempts: notReady + 1,
			error: &schema.CompletionError{Class: "not_ready", Code: "http_404",
				Message: "get /v1/accounts/{account_id}/paystubs: status 404"}},

		{promise: "an outage is waited for", replies: []reply{{err: status(503)},
			{err: &api.NetworkError{Endpoint: "/v1/x", Why: "connection cut"}}, ok}, calls: 3,
			outcome: schema.Succeeded, attempts: 3, records: 1},
		{promise: "an outage longer than the ladder fails, with a dead letter",
			replies: []reply{{err: status(503, "server_error", "api_error")}}, calls: retries + 1,
			outcome: schema.Failed, attempts: retries + 1, deadLetter: schema.ReasonLadderEnded,
			error: &schema.CompletionError{Class: "transient", Code: "server_error",
				Type:    "api_error",
				Message: "get /v1/accounts/{account_id}/paystubs: status 503 server_error api_error"}},
		{promise: "a network error longer than the ladder fails, with a dead letter",
			replies: []reply{{err: &api.NetworkError{Endpoint: "/v1/x", Why: "connection cut"}}},
			calls:   retries + 1,
			outcome: schema.Failed, attempts: retries + 1, deadLetter: schema.ReasonLadderEnded,
			error: &schema.CompletionError{Class: "transient", Code: "ladder_ended",
				Message: "get /v1/x: connection cut"}},
		{promise: "a broken contract fails after five tries, with a dead letter",
			replies: []reply{broken}, calls: 5,
			outcome: schema.Failed, attempts: 5, deadLetter: schema.ReasonContract,
			error: &schema.CompletionError{Class: "contract", Code: "contract_broken",
				Message: "get /v1/x: a cursor came twice"}},
		{promise: "a broken contract that mends succeeds",
			replies: []reply{broken, broken, broken, broken, ok}, calls: 5,
			outcome: schema.Succeeded, attempts: 5, records: 1},
		{promise: "422 fails at once, with a dead letter", replies: []reply{{err: status(422)}},
			calls: 1, outcome: schema.Failed, attempts: 1, deadLetter: schema.ReasonRejected,
			error: &schema.CompletionError{Class: "permanent", Code: "http_422",
				Message: "get /v1/accounts/{account_id}/paystubs: status 422"}},
		{promise: "410 is unavailable at once, with a dead letter",
			replies: []reply{{err: status(410)}}, calls: 1, outcome: schema.Unavailable,
			attempts: 1, deadLetter: schema.ReasonRejected,
			error: &schema.CompletionError{Class: "permanent", Code: "http_410",
				Message: "get /v1/accounts/{account_id}/paystubs: status 410"}},
		{promise: "a redirect fails at once, with a dead letter",
			replies: []reply{{err: status(302)}}, calls: 1, outcome: schema.Failed, attempts: 1,
			deadLetter: schema.ReasonRedirected,
			error: &schema.CompletionError{Class: "permanent", Code: "http_302",
				Message: "get /v1/accounts/{account_id}/paystubs: status 302"}},
		{promise: "a handler that panics fails at once, with a dead letter that has the type only",
			replies: []reply{{panics: canaryName}}, calls: 1, outcome: schema.Failed, attempts: 1,
			deadLetter: schema.ReasonPanic,
			error: &schema.CompletionError{Class: "poison", Code: "panic",
				Message: "the handler panicked: string"}},
		{promise: "after a panic the worker completes the next", replies: []reply{ok}, calls: 1,
			outcome: schema.Succeeded, attempts: 1, records: 1},
		{promise: "a body of odd types fails without a fetch, with a dead letter",
			change: says("params", canaryName), outcome: schema.Failed, attempts: 1,
			deadLetter: schema.ReasonUndecodable,
			error: &schema.CompletionError{Class: "poison", Code: "undecodable",
				Message: "the event cannot be decoded: paystubs.added: payload.params is of another type"}},
		{promise: "an event that names no account fails without a fetch, with a dead letter",
			change: says("account_id", nil), outcome: schema.Failed, attempts: 1,
			deadLetter: schema.ReasonUndecodable,
			error: &schema.CompletionError{Class: "poison", Code: "undecodable",
				Message: "the event cannot be decoded: paystubs.added names no account"}},
	}

	b := newBench(t)
	var mu sync.Mutex
	script, calls := map[string][]reply{}, map[string]int{}
	b.start(schema.Paystubs, fetchFunc(func(ctx context.Context, job Job) (Fetched, error) {
		mu.Lock()
		calls[job.Event.ID]++
		replies := script[job.Event.ID]
		r := replies[min(calls[job.Event.ID], len(replies))-1]
		mu.Unlock()
		if job.Attempt != calls[job.Event.ID] {
			t.Errorf("call %d of %s is attempt %d", calls[job.Event.ID], job.Event.ID, job.Attempt)
		}
		if r.panics != nil {
			panic(r.panics)
		}
		if r.err != nil {
			return Fetched{}, r.err
		}
		return r.fetched, bring(ctx, job, r.records...)
	}), quick())

	for i, test := range tests {
		t.Run(test.promise, func(t *testing.T) {
			id := fmt.Sprintf("row-%d", i)
			mu.Lock()
			script[id] = test.replies
			mu.Unlock()
			if test.change == nil {
				test.change = func(map[string]any) {}
			}
			e := sample(t, schema.Pinwheel, "paystubs.added", id, test.change)
			b.publish(e)
			b.logged(e, string(test.outcome), 1)
			got := b.completed(e, schema.Paystubs)
			if test.missing == nil {
				test.missing = []string{}
			}
			type lastWord struct {
				Outcome           schema.Outcome
				Attempts, Records int
				Missing           []string
				Stale             bool
				Error             *schema.CompletionError
			}
			want := lastWord{test.outcome, test.attempts, test.records, test.missing, test.stale,
				test.error}
			have := lastWord{got.Data.Outcome, got.Data.Attempts, len(got.Data.Records),
				got.Data.Missing, got.Data.Stale, got.Data.Error}
			if diff := cmp.Diff(want, have); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			mu.Lock()
			defer mu.Unlock()
			if calls[id] != test.calls {
				t.Errorf("the handler was called %d times, want %d", calls[id], test.calls)
			}
			if lines := b.jobs(e); len(lines) != test.attempts {
				t.Errorf("%d job lines for %d attempts", len(lines), test.attempts)
			}
			letters := b.deadLetters("pinwheel_paystubs", e.Account())
			if test.deadLetter == "" {
				if len(letters) != 0 {
					t.Errorf("%d dead letters", len(letters))
				}
				return
			}
			if len(letters) != 1 {
				t.Fatalf("%d dead letters, want 1", len(letters))
			}
			letter := letters[0]
			if string(letter.Data) != string(e.Body) ||
				letter.Header.Get("Wagewire-Reason") != string(test.deadLetter) ||
				letter.Header.Get("Wagewire-Class") != test.error.Class ||
				letter.Header.Get("Wagewire-Attempts") != fmt.Sprint(test.attempts) {
				t.Errorf("dead letter %v %s", letter.Header, letter.Data)
			}
			last := b.lastPlace(e, "pinwheel_paystubs")
			streamtest.Eventually(b, "the event's deliveries end",
				func() bool { return b.terminated()[last] != nil })
			ended := b.terminated()[last]
			stored := b.all(schema.CompletionsStream, e.CompletionSubject(schema.Paystubs))[0].Time
			if stored.Before(letter.Time) || ended.Time.Before(stored) {
				t.Errorf("dead letter %v, completion %v, terminated %v: not in this order",
					letter.Time, stored, ended.Time)
			}
			if !strings.Contains(string(ended.Data), `"reason":"`+string(test.deadLetter)+`"`) {
				t.Errorf("the broker was not told why: %s", ended.Data)
			}
		})
	}
	b.idle("pinwheel_paystubs")
	classes := map[string]float64{"transient": 2, "contract": 1, "permanent": 3, "poison": 3}
	for class, want := range classes {
		labels := map[string]string{"queue": "pinwheel_paystubs", "class": class}
		if got := b.metric("wagewire_worker_dead_letters_total", labels); got != want {
			t.Errorf("%v dead letters of class %s were counted, want %v", got, class, want)
		}
	}
	counted := b.metric("wagewire_worker_jobs_total", nil)
	timed := b.metric("wagewire_worker_job_seconds", nil)
	logged := b.lines.FilterMessage("job").Len()
	if counted != float64(logged) || timed != float64(logged) {
		t.Errorf("%v jobs counted and %v timed, of %d", counted, timed, logged)
	}
}

// Income reads paystubs.fully_synced too. The outcome of the paystubs' job is no word about income.
// Nor is the outcome of the job for the documents a word about the paystubs.
func TestASecondReaderActsOnTheSuccessOfAJobOnly(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name           string
		second, saying schema.Resource
	}{
		{"paystubs.fully_synced", schema.Income, schema.Paystubs},
		{"paystubs.documents.added", schema.Paystubs, schema.Notices},
	} {
		for outcome, want := range map[string]schema.Outcome{
			"success": schema.Succeeded, "pending": "", "error": "",
		} {
			t.Run(row.name+" "+outcome, func(t *testing.T) {
				t.Parallel()
				b := newBench(t)
				b.start(row.second, brings, quick())
				b.start(row.saying, brings, quick())
				e := sample(t, schema.Pinwheel, row.name, "second", says("outcome", outcome))
				b.publish(e)
				b.completed(e, row.saying)
				b.idle("pinwheel_" + string(row.second))
				var got schema.Outcome
				if b.completion(e, row.second) != nil {
					got = b.completed(e, row.second).Data.Outcome
				}
				if got != want {
					t.Errorf("%s is %q, want %q", row.second, got, want)
				}
				if want == "" {
					b.logged(e, "other_resource", 1)
				}
			})
		}
	}
}

func TestAnEventThatCannotBeDecodedBecomesADeadLetterOnly(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	good := employment(t, "odd-good")
	b.publish(good)
	original := b.all(schema.EventsStream, good.Subject())[0]
	events, err := b.js.Stream(t.Context(), schema.EventsStream)
	if err != nil {
		t.Fatal(err)
	}
	if err := events.Purge(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.start(schema.Employment, fetchFunc(func(_ context.Context, job Job) (Fetched, error) {
		if strings.HasPrefix(job.Event.ID, "odd") {
			t.Errorf("the handler was called for %+v", job.Event)
		}
		return Fetched{}, nil
	}), quick())
	for i, test := range []struct {
		promise string
		spoil   func(*nats.Msg)
	}{
		{"without any header", func(m *nats.Msg) { m.Header = nil }},
		{"without an id", func(m *nats.Msg) { m.Header.Del("ce-id") }},
		{"with a time that is none", func(m *nats.Msg) { m.Header.Set("ce-time", "soon") }},
		{"with another's body",
			func(m *nats.Msg) { m.Data = []byte(`{"payload":{"account_id":"acct-odd-good"}}`) }},
		{"with a body that is no JSON", func(m *nats.Msg) { m.Data = []byte(canaryName) }},
		{"with another's account in its body",
			func(m *nats.Msg) {
				m.Subject = strings.Replace(m.Subject, "acct-odd-good", "acct-odd-other", 1)
			}},
		{"with a type of another resource",
			func(m *nats.Msg) { m.Header.Set("ce-type", "pinwheel.income.added") }},
	} {
		t.Run(test.promise, func(t *testing.T) {
			msg := &nats.Msg{Subject: original.Subject, Header: maps.Clone(original.Header),
				Data: original.Data}
			msg.Header.Del("Nats-Msg-Id")
			test.spoil(msg)
			account := msg.Subject[strings.LastIndex(msg.Subject, ".")+1:]
			before := len(b.deadLetters("pinwheel_employment", account))
			ack, err := b.js.PublishMsg(t.Context(), msg)
			if err != nil {
				t.Fatal(err)
			}
			streamtest.Eventually(b, "the event is terminated",
				func() bool {
					return b.terminated()[place{schema.EventsStream, ack.Sequence}] != nil
				})
			letters := b.deadLetters("pinwheel_employment", account)
			if len(letters) != before+1 {
				t.Fatalf("%d new dead letters, want 1", len(letters)-before)
			}
			letter := letters[before]
			if string(letter.Data) != string(msg.Data) ||
				letter.Header.Get("Wagewire-Reason") != "undecodable" ||
				letter.Header.Get("Wagewire-Class") != "poison" {
				t.Errorf("dead letter %v %s", letter.Header, letter.Data)
			}
			if n := len(b.completions()); n != 0 {
				t.Errorf("%d completions", n)
			}
			b.until("a job line each",
				func() bool { return b.lines.FilterMessage("job").Len() == i+1 })
		})
	}
	next := employment(t, "next")
	b.publish(next)
	b.completed(next, schema.Employment)
	b.idle("pinwheel_employment")
}

func TestRefusedCredentialsPauseTheQueueAndBurnNothing(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	var allow atomic.Bool
	var calls, inFlight, most atomic.Int64
	probed := make(chan struct{}, 12)
	handler := fetchFunc(func(context.Context, Job) (Fetched, error) {
		calls.Add(1)
		now := inFlight.Add(1)
		defer inFlight.Add(-1)
		if allow.Load() {
			return Fetched{}, nil
		}
		most.Store(max(most.Load(), now))
		select {
		case probed <- struct{}{}:
		default: // the test reads the first ones only
		}
		return Fetched{}, &api.StatusError{Status: 401, Message: canaryName}
	})
	b.start(schema.Employment, handler, quick())
	gauge := map[string]string{"queue": "pinwheel_employment"}
	if got := b.metric("wagewire_worker_paused", gauge); got != 0 {
		t.Errorf("the gauge is %v before anything happened", got)
	}
	events := []schema.Event{employment(t, "p-0"), employment(t, "p-1"), employment(t, "p-2"),
		employment(t, "p-3"), employment(t, "p-4"), employment(t, "p-5")}
	b.publish(events[0])
	b.until("the pause is logged", func() bool {
		return b.lines.FilterMessage("queue paused: the provider refuses our credentials").Len() > 0
	})
	if got := b.metric("wagewire_worker_paused", gauge); got != 1 {
		t.Errorf("the gauge is %v while paused", got)
	}
	b.publish(events[1:]...)
	for range cap(probed) {
		receive(t, "a probe", probed)
	}
	if most.Load() != 1 {
		t.Errorf("%d probes at a time", most.Load())
	}
	if got := len(b.completions()) + len(b.deadLetters("*", "*")); got != 0 {
		t.Errorf("%d last words while paused", got)
	}
	allow.Store(true)
	for _, e := range events {
		if got := b.completed(e, schema.Employment); got.Data.Outcome != schema.Succeeded ||
			got.Data.Attempts != 1 {
			t.Errorf("%s ended %s at attempt %d, want succeeded at 1", e.ID, got.Data.Outcome,
				got.Data.Attempts)
		}
	}
	b.idle("pinwheel_employment")
	if got := b.metric("wagewire_worker_paused", gauge); got != 0 {
		t.Errorf("the gauge is %v after the queue resumed", got)
	}
	paused := b.lines.FilterMessageSnippet("queue paused").All()
	resumed := b.lines.FilterMessage("queue resumed").Len()
	if len(paused) != 1 || resumed != 1 || paused[0].Level != zap.ErrorLevel {
		t.Errorf("%d pauses and %d resumptions logged, want one each, the pause as an error",
			len(paused), resumed)
	}
}

func TestTheProcessesOfAQueueShareItsPause(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	var allow atomic.Bool
	var calls atomic.Int64
	handler := fetchFunc(func(context.Context, Job) (Fetched, error) {
		calls.Add(1)
		if allow.Load() {
			return Fetched{}, nil
		}
		return Fetched{}, &api.StatusError{Endpoint: "/v1/x", Status: 401}
	})
	const processes = 3
	for range processes {
		b.start(schema.Employment, handler, quick())
	}
	events := many(t, 6, "shared")
	b.publish(events[0])
	b.until("every process knows of the pause", func() bool {
		return b.lines.FilterMessageSnippet("paused: the provider refuses").Len() >= processes
	})
	b.publish(events[1:]...)
	pauses, err := b.js.Stream(t.Context(), schema.PausesStream)
	if err != nil {
		t.Fatal(err)
	}
	streamtest.Eventually(b, "a dozen probes", func() bool { return calls.Load() >= 12 })
	asked := calls.Load() // counted first: a process asks only after the broker has stored its turn
	info, err := pauses.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if turns := int64(info.State.LastSeq); asked > turns {
		t.Errorf("%d calls with %d changes of the pause: a process asked without a turn",
			asked, turns)
	}
	paused, err := stream.NewOperator(b.conn).Pauses(t.Context())
	if err != nil || len(paused) != 1 || paused[0].Queue != "pinwheel_employment" ||
		paused[0].Status != 401 || paused[0].Endpoint != "/v1/x" {
		t.Errorf("operators see %+v, %v", paused, err)
	}

	allow.Store(true)
	for _, e := range events {
		if got := b.completed(e, schema.Employment); got.Data.Attempts != 1 {
			t.Errorf("%s: %d attempts", e.ID, got.Data.Attempts)
		}
	}
	b.until("every process resumes", func() bool {
		return b.lines.FilterMessage("queue resumed").Len() >= processes
	})
	streamtest.Eventually(b, "operators see no pause", func() bool {
		paused, err := stream.NewOperator(b.conn).Pauses(t.Context())
		return err == nil && len(paused) == 0
	})
}

func TestALinkIsErasedWhileItsQueueIsPaused(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	config := quick()
	config.PauseFor = h
	b.start(schema.Link, fetchFunc(func(_ context.Context, job Job) (Fetched, error) {
		if job.Event.Action == schema.ActionDeleted {
			return Fetched{Outcome: schema.Deleted}, nil
		}
		return Fetched{}, &api.StatusError{Status: 401}
	}), config)
	b.publish(sample(t, schema.Truv, "link-connected", "held"))
	b.until("the queue is paused",
		func() bool { return b.lines.FilterMessageSnippet("queue paused").Len() == 1 })
	deleted := sample(t, schema.Truv, "link-deleted", "gone")
	b.publish(deleted)
	b.logged(deleted, "deleted", 1)
	if b.lines.FilterMessage("queue resumed").Len() != 0 {
		t.Error("the erasure, which calls no provider, opened the queue")
	}
}

func TestAnEventCompletedBeforeIsNotFetchedAgain(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	e := employment(t, "twice")
	b.publish(e)
	// A worker takes it, completes it, and dies.
	msg := b.take("pinwheel_employment")
	first := schema.NewCompletion(e, schema.Employment, schema.Unavailable, time.Now())
	first.Data.Attempts = 1
	patient := streamtest.ConnectPatiently(t, b.url)
	if stored, err := patient.PublishCompletion(t.Context(), e, first); err != nil || !stored {
		t.Fatalf("stored %v, error %v", stored, err)
	}
	if err := msg.Nak(); err != nil {
		t.Fatal(err)
	}
	b.start(schema.Employment, fetchFunc(func(context.Context, Job) (Fetched, error) {
		t.Error("the handler was called")
		return Fetched{}, nil
	}), quick())
	if line := b.logged(e, "completed_before", 1); line["level"] != zap.InfoLevel {
		t.Errorf("logged as %v", line)
	}
	if got := b.completed(e, schema.Employment); got.Data.Outcome != schema.Unavailable {
		t.Errorf("outcome %s: the first completion was changed", got.Data.Outcome)
	}
	b.idle("pinwheel_employment")
}

func TestAnEventKilledBeforeItsCompletionIsFetchedAgain(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	e := employment(t, "killed")
	b.publish(e)
	if err := b.take("pinwheel_employment").Nak(); err != nil {
		t.Fatal(err)
	}
	b.start(schema.Employment, brings, quick())
	if got := b.completed(e, schema.Employment); got.Data.Attempts != 1 ||
		len(got.Data.Records) != 1 {
		t.Errorf("completion %+v", got.Data)
	}
	b.idle("pinwheel_employment")
}

func TestTwoWorkersWithOneEventStoreOneCompletion(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	var calls atomic.Int64
	first, both := make(chan struct{}), make(chan struct{})
	handler := fetchFunc(func(ctx context.Context, job Job) (Fetched, error) {
		switch calls.Add(1) {
		case 1:
			close(first)
		case 2:
			close(both)
		}
		select {
		case <-both:
		case <-ctx.Done():
		}
		return Fetched{}, bring(ctx, job, canaryRecord)
	})
	config := quick()
	config.Concurrency = 1
	b.start(schema.Employment, handler, config)
	b.start(schema.Employment, handler, config)
	e := employment(t, "contended")
	b.publish(e)
	receive(t, "the first worker has it", first)
	b.loseLease("pinwheel_employment", e)
	b.logged(e, "succeeded", 2)
	if stored := b.completions(); len(stored) != 1 {
		t.Errorf("%d completions", len(stored))
	}
	if got := b.metric("wagewire_worker_fenced_total",
		map[string]string{"queue": "pinwheel_employment"}); got != 1 {
		t.Errorf("%v completions were fenced, want 1", got)
	}
	b.idle("pinwheel_employment")
}

func TestAnEventIsNotEndedBeforeItsDeadLetterIsStored(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	if err := b.js.DeleteStream(t.Context(), schema.DeadLettersStream); err != nil {
		t.Fatal(err)
	}
	config := quick()
	config.StoreFor = 500 * time.Millisecond
	b.start(schema.Employment, fetchFunc(func(context.Context, Job) (Fetched, error) {
		return Fetched{}, &api.StatusError{Endpoint: "/v1/x", Status: 422}
	}), config)
	e := employment(t, "unburied")
	b.publish(e)
	// More often than the ladder has steps: it never ends the event.
	for range len(storeLadder) + 2 {
		b.waitsFor("pinwheel_employment", 1)
		b.retryNow("pinwheel_employment")
	}
	line := b.logged(e, "later", len(storeLadder)+2)
	if line["class"] != "not_stored" || !strings.Contains(line["error"].(string), "not stored") {
		t.Errorf("logged as %v", line)
	}
	if len(b.terminated()) != 0 || b.completion(e, schema.Employment) != nil {
		t.Error("it was ended without a dead letter")
	}
	if err := stream.NewOperator(b.conn).Provision(t.Context(),
		schema.DefaultTopology()); err != nil {
		t.Fatal(err)
	}
	streamtest.Eventually(b, "the event is completed", func() bool {
		b.retryNow("pinwheel_employment") // a slow broker may take longer than StoreFor
		return b.completion(e, schema.Employment) != nil
	})
	if got := b.completed(e, schema.Employment); got.Data.Outcome != schema.Failed {
		t.Errorf("outcome %s", got.Data.Outcome)
	}
	if n := len(b.deadLetters("pinwheel_employment", e.Account())); n != 1 {
		t.Errorf("%d dead letters", n)
	}
	streamtest.Eventually(b, "the event waits no more", func() bool {
		b.retryNow("pinwheel_employment") // its completion may be stored, but answered late
		return b.lag("pinwheel_employment") == 0 && len(b.waiting("pinwheel_employment")) == 0
	})
}

func TestAFullCompletionsStreamIsWaitedFor(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	s, err := b.js.Stream(t.Context(), schema.CompletionsStream)
	if err != nil {
		t.Fatal(err)
	}
	full := s.CachedInfo().Config
	full.MaxMsgs = 1
	if _, err := b.js.UpdateStream(t.Context(), full); err != nil {
		t.Fatal(err)
	}
	b.start(schema.Employment, brings, quick())
	first, second := employment(t, "full-1"), employment(t, "full-2")
	b.publish(first)
	b.logged(first, "succeeded", 1)
	b.publish(second)
	line := b.logged(second, "later", 1)
	if line["delay"] != storeLadder[0] || line["class"] != "not_stored" ||
		line["level"] != zap.WarnLevel ||
		!strings.Contains(line["error"].(string), stream.ErrFull.Error()) {
		t.Errorf("logged as %v", line)
	}
	if w := b.waitsFor("pinwheel_employment", 1)[0]; w.Class != schema.ClassNotStored {
		t.Errorf("it waits because of %s", w.Class)
	}
	if b.completion(second, schema.Employment) != nil || len(b.terminated()) != 0 ||
		len(b.deadLetters("*", "*")) != 0 {
		t.Error("it was ended")
	}
}

func TestALargeCompletionHasItsRecordsInTheObjectStore(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	var records []string
	for i := range 400 {
		records = append(records, fmt.Sprintf(`{"id":"stub-%d","net":%d.10,"note":"<&>","lines":"%s"}`,
			i, i, strings.Repeat("x", 2000)))
	}
	b.start(schema.Paystubs, fetchFunc(func(ctx context.Context, job Job) (Fetched, error) {
		return Fetched{Deleted: []string{"stub-gone"}}, bring(ctx, job, records...)
	}), quick())
	e := sample(t, schema.Pinwheel, "paystubs.fully_synced", "large")
	b.publish(e)
	b.logged(e, "succeeded", 1)
	got := b.completed(e, schema.Paystubs)
	if got.Data.Records != nil || got.Data.RecordsRef == nil || got.Data.RecordsRef.Count != 400 ||
		!slices.Equal(got.Data.Deleted, []string{"stub-gone"}) {
		t.Fatalf("completion %+v", got.Data)
	}
	fetched, err := b.conn.Records(t.Context(), *got.Data.RecordsRef)
	if err != nil {
		t.Fatal(err)
	}
	sameBytes := func(a string, b json.RawMessage) bool { return a == string(b) }
	if !slices.EqualFunc(records, fetched, sameBytes) {
		t.Error("the stored records are not the fetched ones, byte for byte")
	}
}

func TestStop(t *testing.T) {
	t.Parallel()
	type hand struct {
		*bench
		e                schema.Event
		begun            chan context.Context
		release, stopped chan struct{}
		abandoned        chan struct{} // closed when the test ends
	}
	// begin starts a worker that has one event in hand and tells it to stop.
	begin := func(t *testing.T, stopFor time.Duration) *hand {
		s := &hand{bench: newBench(t), begun: make(chan context.Context, 1),
			release: make(chan struct{}),
			stopped: make(chan struct{}), abandoned: make(chan struct{})}
		config := quick()
		config.StopFor, config.Concurrency = stopFor, 1
		stop := s.start(schema.Employment, fetchFunc(func(ctx context.Context, job Job) (Fetched,
			error) {
			s.begun <- ctx
			select {
			case <-s.release:
				return Fetched{}, bring(ctx, job, canaryRecord)
			case <-ctx.Done():
				return Fetched{}, ctx.Err()
			case <-s.abandoned:
				return Fetched{}, context.Canceled
			}
		}), config)
		t.Cleanup(func() { close(s.abandoned) }) // else a test that failed would wait for stopFor
		s.e = employment(t, "in-hand")
		s.publish(s.e)
		ctx := receive(t, "the handler is called", s.begun)
		go func() { defer close(s.stopped); stop() }()
		if ctx.Err() != nil {
			t.Error("the handler's context ended with the stop")
		}
		return s
	}

	t.Run("finishes the work in hand, and takes nothing new", func(t *testing.T) {
		s := begin(t, h)
		close(s.release)
		receive(t, "the worker has stopped", s.stopped)
		if got := s.completed(s.e, schema.Employment); got.Data.Attempts != 1 ||
			got.Data.Outcome != schema.Succeeded {
			t.Errorf("completion %+v", got.Data)
		}
		s.idle("pinwheel_employment")
		next := employment(t, "next")
		s.publish(next)
		streamtest.Eventually(s, "the next event waits",
			func() bool { return s.queue("pinwheel_employment").NumPending == 1 })
		if info := s.queue("pinwheel_employment"); info.NumAckPending != 0 {
			t.Errorf("%d events are out after the stop", info.NumAckPending)
		}
	})
	t.Run("gives work that takes too long back at once", func(t *testing.T) {
		s := begin(t, time.Millisecond)
		receive(t, "the worker has stopped", s.stopped)
		s.logged(s.e, "given_back", 1)
		if s.completion(s.e, schema.Employment) != nil {
			t.Error("it was completed")
		}
		s.start(schema.Employment, brings, quick())
		if got := s.completed(s.e, schema.Employment); got.Data.Attempts != 1 ||
			got.Data.Outcome != schema.Succeeded {
			t.Errorf("completion %+v", got.Data)
		}
	})
}

func TestNewFillsInTheDefaults(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	w := New(schema.Income, sourcesOf(brings), b.conn, Config{}, b.log, b.registry)
	want := Config{Concurrency: 16, Ladders: Ladders{Retry: retrySteps, NotReady: notReadySteps},
		AnswerBytesMax: 192 << 20, PauseFor: PauseFor, StopFor: StopFor, StoreFor: StoreFor}
	if diff := cmp.Diff(want, w.config); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if err := w.Ready(t.Context()); err != nil {
		t.Errorf("Ready: %v", err)
	}
}
