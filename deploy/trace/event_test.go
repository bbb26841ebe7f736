package trace_test

import (
	"errors"
	"flag"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wagewire/wagewire/deploy/trace"
	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
	"github.com/wagewire/wagewire/schema/stream/streamtest"
)

func TestMain(m *testing.M) {
	flag.Parse()
	// The tests wait for a server more than they compute.
	if err := flag.Set("test.parallel", "8"); err != nil {
		panic(err)
	}
	m.Run()
}

var receivedAt = time.Date(2024, 5, 6, 7, 8, 9, 0, time.UTC)

// income is a webhook of an account.
func income(id, account string) schema.Event {
	return schema.Event{
		Provider: schema.Pinwheel, ID: id, Type: "income.added", Resource: schema.Income,
		Action: schema.ActionAdded, AccountID: account, OccurredAt: receivedAt.Add(-time.Second),
		ReceivedAt: receivedAt, Body: []byte(`{"event":"income.added"}`),
	}
}

// bench is a broker with events.
func bench(t *testing.T, events ...schema.Event) *stream.Operator {
	t.Helper()
	t.Parallel()
	_, conn := streamtest.New(t)
	for _, e := range events {
		if duplicate, err := conn.PublishEvent(t.Context(), e); duplicate || err != nil {
			t.Fatalf("publish %s: duplicate %t, %v", e.Key(), duplicate, err)
		}
	}
	return stream.NewOperator(conn)
}

func TestALifeTellsTheWayOfAnEvent(t *testing.T) {
	op := bench(t, income("e-1", "a-1"), income("e-2", "a-1"))
	if _, err := op.Redrive(t.Context(), income("e-1", "a-1"), "pinwheel_income", 1); err != nil {
		t.Fatal(err)
	}
	lives, isPartial, err := trace.Event(t.Context(), op, "e-1", trace.Newest)
	if err != nil || isPartial || len(lives) != 2 {
		t.Fatalf("%d lives, partial %t, %v", len(lives), isPartial, err)
	}
	var said []string
	for _, l := range lives {
		said = append(said, l.Event+" "+l.Type+" "+l.Account)
		for _, i := range l.Incidents() {
			text, _, _ := strings.Cut(i.Text, " as ")
			said = append(said, text)
		}
		for _, f := range l.Queues {
			said = append(said, f.Queue+": "+f.State.String())
			for _, i := range f.Incidents(receivedAt) {
				said = append(said, i.Text)
			}
		}
	}
	want := []string{
		"pinwheel:e-1 income.added a-1", "occurred, says the provider", "received", "stored",
		"pinwheel_income: ready",
		"pinwheel:e-1:r1 income.added a-1", "occurred, says the provider", "received",
		"sent again to pinwheel_income alone, stored", "pinwheel_income: ready",
	}
	if diff := cmp.Diff(want, said); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestWhatIsNotFoundIsExplained(t *testing.T) {
	for promise, test := range map[string]struct {
		newest uint64
		unread []string
		says   string
	}{
		"all was looked at": {trace.Newest, nil,
			`nothing of event "no one" is on the streams: it was never stored`},
		"all was looked at, as asked": {0, nil,
			`nothing of event "no one" is on the streams: it was never stored`},
		"some events were not looked at": {1, []string{"the newest 1 of 2 events"},
			`nothing of event "no one" is among the completions, the waiting events, and ` +
				`the newest 1 of 2 events: it was never stored`},
	} {
		t.Run(promise, func(t *testing.T) {
			op := bench(t, income("e-1", "a-1"), income("e-2", "a-1"))
			lives, isPartial, err := trace.Event(t.Context(), op, "no one", test.newest)
			if err != nil || len(lives) > 0 || isPartial != (test.unread != nil) {
				t.Fatalf("%d lives, partial %t, %v", len(lives), isPartial, err)
			}
			err = trace.Explain(t.Context(), op, "no one", test.newest)
			missing, ok := errors.AsType[*trace.NotFoundError](err)
			if !ok {
				t.Fatalf("got %v", err)
			}
			if diff := cmp.Diff(test.unread, missing.Unread); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if !strings.HasPrefix(err.Error(), test.says) {
				t.Errorf("says %q, want %q", err, test.says)
			}
		})
	}
}

func TestARestIsExplained(t *testing.T) {
	op := bench(t)
	q, _ := schema.QueueNamed("pinwheel_income")
	now := receivedAt
	refusals := []schema.Pause{
		{Queue: "truv_link", Since: now},
		{Queue: q.Name, Since: now, Class: schema.ClassUnauthorized, Status: 401,
			Endpoint: "/v1/income", ProbeAt: now.Add(time.Minute), Probes: 1},
	}
	lines := func(refusals []schema.Pause) []string {
		t.Helper()
		rest, err := trace.ReadRest(t.Context(), op, q, refusals)
		if err != nil {
			t.Fatal(err)
		}
		return rest.Lines(now)
	}
	if got := lines(refusals[:1]); got != nil {
		t.Errorf("a queue that takes events: %q", got)
	}
	if err := op.Pause(t.Context(), q, time.Now().Add(trace.PauseForever)); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"the queue is paused until resumed",
		"the queue is paused since 2024-05-06T07:08:09Z: the provider refuses our credentials",
		"unauthorized, 401 from /v1/income",
		"an event asks again in 1m0s; refused until now: 1 probe",
	}
	if diff := cmp.Diff(want, lines(refusals)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestACauseIsOneLine(t *testing.T) {
	for promise, test := range map[string]struct {
		class    schema.Class
		status   int
		endpoint string
		want     string
	}{
		"a class alone":            {schema.ClassContract, 0, "", "contract"},
		"an answer":                {schema.ClassTransient, 503, "/v1/a", "transient, 503 from /v1/a"},
		"no answer":                {schema.ClassTransient, 0, "/v1/a", "transient, no answer from /v1/a"},
		"a name that would escape": {"\x1b[31m", 0, "", `"\x1b[31m"`},
	} {
		if got := trace.Cause(test.class, test.status, test.endpoint); got != test.want {
			t.Errorf("%s: got %q, want %q", promise, got, test.want)
		}
	}
}

func TestACompletionIsFoundByItsID(t *testing.T) {
	op := bench(t)
	complete := func(e schema.Event) string {
		t.Helper()
		if _, err := op.PublishEvent(t.Context(), e); err != nil {
			t.Fatal(err)
		}
		c := schema.NewCompletion(e, schema.Income, schema.Succeeded, receivedAt)
		c.Data.AccountID = &e.AccountID
		if _, err := op.PublishCompletion(t.Context(), e, c); err != nil {
			t.Fatal(err)
		}
		return c.ID
	}
	plain := complete(income("e-1", "a-1"))
	odd := complete(income("an id.with: signs", "a-1"))
	for id, isStored := range map[string]bool{
		plain: true, odd: true, "pinwheel:e-1:shifts": false, "pinwheel:e-2:income": false,
		"pinwheel:e-1": false, "*": false, "": false,
	} {
		c, isThere, err := trace.FindCompletion(t.Context(), op, id)
		if err != nil || isThere != isStored || isThere && c.ID != id {
			t.Errorf("%q: there %t, %q, %v", id, isThere, c.ID, err)
		}
	}
}
