package main

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/wagewire/wagewire/deploy/find"
	"github.com/wagewire/wagewire/schema"
)

// found runs find for a program, and returns the entries without times.
func (b *bench) found(args ...string) []find.Entry {
	b.Helper()
	var got struct{ Entries []find.Entry }
	b.must(json.Unmarshal([]byte(b.runs(0, append([]string{"find", "--json"}, args...)...).stdout),
		&got))
	return got.Entries
}

// withoutTimes compares entries without their times.
func withoutTimes() cmp.Option {
	return cmpopts.IgnoreFields(find.Entry{}, "At", "NextTry")
}

func TestFindListsAllOfAnAccountByTime(t *testing.T) {
	b := newBench(t)
	e1 := b.event("income.added", "e-1", "a.1")
	b.publish(e1, b.event("link-connected", "e-2", "a.1"),
		b.event("income.added", "e-3", "a-2"))
	b.work([]string{"e-1"}, schema.Income, schema.Link)
	b.completed("pinwheel:e-1:income")
	b.completed("truv:e-2:link")
	stored, err := b.conn.Redrive(t.Context(), e1, "pinwheel_income", 1)
	if !stored {
		t.Fatal(err)
	}
	b.completed("pinwheel:e-1:r1:income")
	b.publish(b.event("shifts.added", "e-4", "a.1"))
	b.letWait("pinwheel_shifts", outage())

	account := schema.Token("a.1")
	entry := func(what find.Kind, event, kind string) find.Entry {
		return find.Entry{
			Provider: schema.Pinwheel, What: what, Account: account, Event: event, Type: kind,
		}
	}
	waiting := entry(find.Waiting, "pinwheel:e-4", "shifts.added")
	waiting.Queue = "pinwheel_shifts"
	waiting.Class = schema.ClassTransient
	waiting.Attempts = 4
	redrive := entry(find.Event, "pinwheel:e-1:r1", "income.added")
	redrive.Queue = "pinwheel_income"
	failed := entry(find.Completion, "pinwheel:e-1", "income.added")
	failed.Resource = schema.Income
	failed.Outcome = schema.Failed
	failed.Class = schema.ClassPermanent
	failed.Code = "no_such_thing"
	failed.Attempts = 1
	again := failed
	again.Event = "pinwheel:e-1:r1"
	letter := entry(find.Letter, "pinwheel:e-1", "income.added")
	letter.Queue = "pinwheel_income"
	letter.Class = schema.ClassPermanent
	letter.Reason = schema.ReasonRejected
	letter.Attempts = 1
	letter.Number = 1
	second := letter
	second.Event = again.Event
	second.Number = 2
	want := []find.Entry{
		entry(find.Event, "pinwheel:e-1", "income.added"),
		entry(find.Event, "pinwheel:e-4", "shifts.added"), waiting,
		letter, failed, redrive, second, again,
	}
	got := b.found("a.1", "--provider", "pinwheel")
	if diff := cmp.Diff(want, got, withoutTimes()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if !slices.IsSortedFunc(got, func(a, b find.Entry) int { return a.At.Compare(b.At) }) {
		t.Errorf("not in the order of time: %+v", got)
	}
	if diff := cmp.Diff(got, b.found(account, "--provider", "pinwheel")); diff != "" {
		t.Errorf("by its token (-by id +by token):\n%s", diff)
	}
	if all := b.found("a.1"); len(all) != len(want)+2 {
		t.Errorf("%d entries of all providers, want %d", len(all), len(want)+2)
	}
	lines := strings.Split(b.runs(0, "find", "a.1", "--provider", "pinwheel").stdout, "\n")
	for i, pattern := range []string{
		`^AT  +PROVIDER  WHAT  +EVENT  +TYPE  +SAYS$`,
		`^2024-05-06T07:08:09Z  pinwheel  event  +pinwheel:e-1  +income.added  stored$`,
		`  event  +pinwheel:e-4  +shifts.added  stored$`,
		`  waiting  +pinwheel:e-4  +shifts.added  pinwheel_shifts: transient, 4 failures, next try in `,
		`  dead letter  pinwheel:e-1  +income.added  number 1 of pinwheel_income: permanent, rejected$`,
		`  completion  +pinwheel:e-1  +income.added  income: failed, 1 attempt, class permanent, code no_such_thing$`,
		`  event  +pinwheel:e-1:r1  +income.added  sent again to pinwheel_income$`,
	} {
		if !regexp.MustCompile(pattern).MatchString(lines[i]) {
			t.Errorf("line %d is %q, want %q", i, lines[i], pattern)
		}
	}
}

func TestFindShowsTheStateAndTheTombstone(t *testing.T) {
	b := newBench(t)
	e := b.event("income.added", "e-1", "a-1")
	b.publish(e)
	c := schema.NewCompletion(e, schema.Income, schema.Succeeded, receivedAt)
	c.Data.AccountID = &e.AccountID
	next, _ := schema.Account{}.Merge(c, schema.ReadyWhen{}, receivedAt)
	state, err := b.conn.State(t.Context(), e.Provider, e.Account())
	b.must(err)
	if stored, err := b.conn.StoreState(t.Context(), state, next); !stored {
		t.Fatal(err)
	}
	contains(t, b.runs(0, "find", "a-1").stdout, "  pinwheel  state  -", "  linking\n")
	b.erase(e)
	contains(t, b.runs(0, "find", "a-1").stdout, "  pinwheel  tombstone  -",
		"  the account is erased\n")
}

func TestFindKnowsPersons(t *testing.T) {
	b := newBench(t)
	b.publish(b.event("verification_reports.refreshed", "e-1", "person"))
	got := b.found("person")
	if len(got) != 1 || got[0].Account != schema.HashToken("person") {
		t.Errorf("got %+v", got)
	}
}

func TestFindSaysThatNothingIsThere(t *testing.T) {
	b := newBench(t)
	contains(t, b.runs(1, "find", "nobody").stderr, "nothing of account nobody is on the streams")
	if got := wagewire(t, env(), "find"); got.code != 2 {
		t.Errorf("got %+v", got)
	}
}
