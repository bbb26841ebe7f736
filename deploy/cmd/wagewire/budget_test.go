package main

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/wagewire/wagewire/schema"
)

func TestAHoldIsShownAndEndedEarly(t *testing.T) {
	b := newBench(t)
	budget := b.conn.Budget(schema.Truv)
	now, err := budget.Now(t.Context())
	b.must(err)
	held := schema.Budget{}.WithHold(5, now, now.Add(10*time.Minute), 0)
	_, _, err = budget.Swap(t.Context(), held, 0)
	b.must(err)
	contains(t, b.runs(0, "status").stdout, "\ntruv    5/s   0.0/s        0        0s            until ")
	var got status
	b.must(json.Unmarshal([]byte(b.runs(0, "status", "--json").stdout), &got))
	if len(got.Budgets) != 1 || !got.Budgets[0].Hold.Until.Equal(held.Hold.Until) {
		t.Errorf("budgets %+v", got.Budgets)
	}

	contains(t, b.runs(0, "budget", "reset", "truv").stdout,
		"truv: a hold of ", " more is ended\n", "truv: the next call is possible in a second\n")
	read, _, err := budget.Load(t.Context())
	b.must(err)
	if !read.Hold.Until.IsZero() {
		t.Errorf("still held: %+v", read)
	}
	if again := b.runs(0, "budget", "reset", "truv").stdout; again !=
		"truv: the next call is possible in a second\n" {
		t.Errorf("without a hold: %q", again)
	}
}

func TestABudgetOfANewerReleaseIsShownAndReplaced(t *testing.T) {
	b := newBench(t)
	_, err := b.js.Publish(t.Context(), schema.BudgetSubject(schema.Pinwheel),
		[]byte(`{"version": 9}`))
	b.must(err)
	contains(t, b.runs(0, "status").stdout, "not readable, see below",
		"read the budget of pinwheel: version 9 of the format: a newer release of Wagewire wrote",
		"wagewire budget reset")
	b.runs(0, "budget", "reset", "pinwheel")
	if _, _, err := b.conn.Budget(schema.Pinwheel).Load(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestABudgetWithoutItsBucketSaysWhatToRun(t *testing.T) {
	b := newBench(t)
	b.must(b.js.DeleteStream(t.Context(), schema.BudgetsStream))
	contains(t, b.runs(1, "budget", "reset", "truv").stderr,
		"bucket WAGEWIRE_BUDGETS is not there: run: wagewire provision apply")
	contains(t, b.runs(4, "status").stdout, "not there: KV_WAGEWIRE_BUDGETS")
}
