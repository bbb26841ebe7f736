package stream_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
	"github.com/wagewire/wagewire/schema/stream/streamtest"
)

// at is some time of the broker.
var at = time.Date(2026, 11, 26, 12, 0, 30, 123, time.UTC)

// taken is a budget after a process took turns.
func taken(turns int) schema.Budget {
	after, _ := schema.Budget{}.Take(schema.Taking{
		Now: at, RatePerS: 10, Turns: turns, Waited: time.Second,
	})
	return after
}

func TestABudgetIsSwappedOnlyForTheRevisionThatWasRead(t *testing.T) {
	t.Parallel()
	_, c := streamtest.New(t)
	first := c.Budget(schema.Pinwheel)
	second := c.Budget(schema.Pinwheel)
	read, revision, err := first.Load(t.Context())
	must(t, err)
	if revision != 0 || read != (schema.Budget{}) {
		t.Errorf("before the first: revision %d, %+v", revision, read)
	}
	next, swapped, err := first.Swap(t.Context(), taken(1), revision)
	must(t, err)
	if !swapped || next == 0 {
		t.Errorf("swapped %t, revision %d", swapped, next)
	}
	if _, swapped, err := second.Swap(t.Context(), taken(2), revision); swapped || err != nil {
		t.Errorf("the second swap of a revision: swapped %t, %v", swapped, err)
	}
	read, revision, err = second.Load(t.Context())
	must(t, err)
	if diff := cmp.Diff(taken(1), read); diff != "" || revision != next {
		t.Errorf("revision %d, want %d (-want +got):\n%s", revision, next, diff)
	}
}

func TestBudgetsOfProvidersAreApart(t *testing.T) {
	t.Parallel()
	_, c := streamtest.New(t)
	if _, _, err := c.Budget(schema.Pinwheel).Swap(t.Context(), taken(1), 0); err != nil {
		t.Fatal(err)
	}
	if _, swapped, err := c.Budget(schema.Truv).Swap(t.Context(), taken(2), 0); !swapped {
		t.Errorf("swapped %t, %v", swapped, err)
	}
	all, err := operator(c).Budgets(t.Context())
	must(t, err)
	for i := range all {
		if all[i].At.IsZero() {
			t.Error("a budget without the broker's time")
		}
		all[i].At = time.Time{}
	}
	want := []stream.BudgetStatus{
		{Provider: schema.Pinwheel, Budget: taken(1)},
		{Provider: schema.Truv, Budget: taken(2)},
	}
	if diff := cmp.Diff(want, all); diff != "" {
		t.Errorf("budgets (-want +got):\n%s", diff)
	}
}

func TestAWatchTellsWhatIsStoredAndNothingElse(t *testing.T) {
	t.Parallel()
	s, c := streamtest.New(t)
	type stored struct {
		Turns    int
		Revision uint64
	}
	told := make(chan stored, 10)
	stop, err := s.Connect(t).Budget(schema.Truv).Watch(func(b schema.Budget, revision uint64) {
		told <- stored{b.Minute.Turns, revision}
	})
	must(t, err)
	defer stop()
	must(t, c.Budget(schema.Truv).Ready(t.Context())) // the broker knows of the watch soon
	b := c.Budget(schema.Truv)
	var revision uint64
	streamtest.Eventually(t, "the watch tells of a budget", func() bool {
		next, swapped, err := b.Swap(t.Context(), taken(1), revision)
		must(t, err)
		if !swapped {
			t.Fatal("not swapped")
		}
		revision = next
		for {
			select {
			case got := <-told:
				if got == (stored{1, revision}) { // and not a late one of an earlier turn
					return true
				}
			case <-time.After(50 * time.Millisecond):
				return false // the broker may not know of the watch yet
			}
		}
	})
	if _, swapped, err := b.Swap(t.Context(), taken(3), revision-1); swapped || err != nil {
		t.Errorf("swapped %t, %v", swapped, err)
	}
	js := look(t, s)
	_, err = js.Publish(t.Context(), schema.BudgetSubject(schema.Truv), []byte("garbage"))
	must(t, err)
	if got := next(t, "what is stored next", told); got.Turns != 0 || got.Revision <= revision {
		t.Errorf("told of %+v, want a value that cannot be read", got)
	}
}

func TestTheTimeOfTheBrokerIsNotLaterThanNow(t *testing.T) {
	t.Parallel()
	_, c := streamtest.New(t)
	before := time.Now()
	got, err := c.Budget(schema.Truv).Now(t.Context())
	must(t, err)
	if got.Before(before.Round(0).Add(-time.Millisecond)) || got.After(time.Now()) {
		t.Errorf("%s, want between %s and now", got, before)
	}
}

func TestABudgetThatCannotBeReadSaysWhy(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		value string
		want  error
		ready bool
		says  string
	}{
		"garbage":           {"}{", schema.ErrBudgetUnreadable, true, "not a budget"},
		"another document":  {`{"name": "x"}`, schema.ErrBudgetUnreadable, true, "not a budget"},
		"a text for a time": {`{"version": 1, "next": "soon"}`, schema.ErrBudgetUnreadable, true, ""},
		"a newer version":   {`{"version": 2, "next": []}`, schema.ErrBudgetNewer, false, "newer release"},
		"a deleted value":   {"", nil, true, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, c := streamtest.New(t)
			subject := schema.BudgetSubject(schema.Pinwheel)
			_, err := look(t, s).Publish(t.Context(), subject, []byte(test.value))
			must(t, err)
			b := c.Budget(schema.Pinwheel)
			_, revision, err := b.Load(t.Context())
			if !errors.Is(err, test.want) || revision != 1 {
				t.Errorf("revision %d, error %v", revision, err)
			}
			if err != nil && (!strings.Contains(err.Error(), test.says) ||
				!strings.Contains(err.Error(), "pinwheel")) {
				t.Errorf("error %v does not say %q", err, test.says)
			}
			if ready := b.Ready(t.Context()); (ready == nil) != test.ready {
				t.Errorf("ready: %v", ready)
			}
			if _, swapped, err := b.Swap(t.Context(), taken(1), revision); !swapped || err != nil {
				t.Errorf("replace: swapped %t, %v", swapped, err)
			}
		})
	}
}

func TestWithoutTheBucketABudgetSaysWhatToRun(t *testing.T) {
	t.Parallel()
	s, c := streamtest.New(t)
	must(t, look(t, s).DeleteStream(t.Context(), schema.BudgetsStream))
	b := c.Budget(schema.Pinwheel)
	_, _, loaded := b.Load(t.Context())
	_, timed := b.Now(t.Context())
	for doing, err := range map[string]error{
		"load": loaded, "time": timed, "ready": b.Ready(t.Context()),
	} {
		if !errors.Is(err, stream.ErrNoQueue) ||
			!strings.Contains(err.Error(), "WAGEWIRE_BUDGETS is not there") {
			t.Errorf("%s: %v", doing, err)
		}
	}
	if _, err := operator(c).Budgets(t.Context()); !errors.Is(err, stream.ErrNoQueue) {
		t.Errorf("budgets: %v", err)
	}
}

func TestAClientOfKeyValueBucketsReadsABudget(t *testing.T) {
	t.Parallel()
	s, c := streamtest.New(t)
	if _, _, err := c.Budget(schema.Truv).Swap(t.Context(), taken(1), 0); err != nil {
		t.Fatal(err)
	}
	bucket, err := look(t, s).KeyValue(t.Context(), schema.BudgetsBucket)
	must(t, err)
	entry, err := bucket.Get(t.Context(), string(schema.Truv))
	must(t, err)
	var got schema.Budget
	must(t, json.Unmarshal(entry.Value(), &got))
	if diff := cmp.Diff(taken(1), got); diff != "" {
		t.Errorf("value (-want +got):\n%s", diff)
	}
	must(t, bucket.Delete(t.Context(), string(schema.Truv)))
	read, _, err := c.Budget(schema.Truv).Load(t.Context())
	if read != (schema.Budget{}) || err != nil {
		t.Errorf("after a delete: %+v, %v", read, err)
	}
}

func TestAResetEndsAHoldAndReplacesWhatCannotBeRead(t *testing.T) {
	t.Parallel()
	s, c := streamtest.New(t)
	b := c.Budget(schema.Truv)
	now, err := b.Now(t.Context())
	must(t, err)
	hold := schema.Budget{}.WithHold(5, now, now.Add(10*time.Minute), 3)
	_, _, err = b.Swap(t.Context(), hold, 0)
	must(t, err)
	held, err := operator(c).ResetBudget(t.Context(), schema.Truv)
	if err != nil || held <= 0 || held > 10*time.Minute {
		t.Errorf("held for %v, %v", held, err)
	}
	wantNew := func() {
		t.Helper()
		got, _, err := b.Load(t.Context())
		must(t, err)
		if got.Hold != (schema.BudgetHold{}) || got.Next.Before(now.Add(time.Second)) ||
			got.Next.After(now.Add(9*time.Minute)) {
			t.Errorf("after the reset: %+v", got)
		}
	}
	wantNew()
	_, err = look(t, s).Publish(t.Context(), schema.BudgetSubject(schema.Truv),
		[]byte(`{"version": 2}`))
	must(t, err)
	if _, err := operator(c).ResetBudget(t.Context(), schema.Truv); err != nil {
		t.Error(err)
	}
	wantNew()
}

// A key for one provider's budget must not reach another's.
func TestNoHeaderRemovesAnotherBudget(t *testing.T) {
	t.Parallel()
	s, c := streamtest.New(t)
	if _, _, err := c.Budget(schema.Truv).Swap(t.Context(), taken(1), 0); err != nil {
		t.Fatal(err)
	}
	for _, rollup := range []string{jetstream.MsgRollupAll, jetstream.MsgRollupSubject} {
		_, err := look(t, s).PublishMsg(context.WithoutCancel(t.Context()), &nats.Msg{
			Subject: schema.BudgetSubject(schema.Pinwheel), Data: []byte("{}"),
			Header: nats.Header{jetstream.MsgRollup: {rollup}},
		})
		if err == nil {
			t.Errorf("the rollup %s was taken", rollup)
		}
	}
	if _, revision, err := c.Budget(schema.Truv).Load(t.Context()); revision != 1 || err != nil {
		t.Errorf("revision %d, %v", revision, err)
	}
}
