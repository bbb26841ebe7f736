package find_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wagewire/wagewire/deploy/find"
	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
	"github.com/wagewire/wagewire/schema/stream/streamtest"
)

var receivedAt = time.Date(2024, 5, 6, 7, 8, 9, 0, time.UTC)

func TestAnAccountIsFoundByEachOfItsNames(t *testing.T) {
	_, conn := streamtest.New(t)
	for i, id := range []string{"e-1", "e-2"} {
		e := schema.Event{
			Provider: schema.Pinwheel, ID: id, Type: "income.added", Resource: schema.Income,
			Action: schema.ActionAdded, AccountID: "a.1", Body: []byte(`{}`),
			ReceivedAt: receivedAt.Add(-time.Duration(i) * time.Hour),
		}
		if _, err := conn.PublishEvent(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	op := stream.NewOperator(conn)
	token := schema.Token("a.1")
	entry := func(id string, at time.Time) find.Entry {
		return find.Entry{At: at, Provider: schema.Pinwheel, What: find.Event, Account: token,
			Event: "pinwheel:" + id, Type: "income.added"}
	}
	all := []find.Entry{entry("e-2", receivedAt.Add(-time.Hour)), entry("e-1", receivedAt)}
	for promise, test := range map[string]struct {
		providers []schema.Provider
		name      string
		want      []find.Entry
	}{
		"by its id, oldest first":   {schema.Providers(), "a.1", all},
		"by its token":              {schema.Providers(), token, all},
		"not at another provider":   {[]schema.Provider{schema.Truv}, "a.1", nil},
		"not by the name of others": {schema.Providers(), "a.2", nil},
		"not by a wildcard":         {schema.Providers(), "*", nil},
	} {
		got, err := find.Account(t.Context(), op, test.providers, test.name)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", promise, diff)
		}
	}
}

func TestTokensAreThoseOfSubjects(t *testing.T) {
	hash := schema.HashToken("a-1")
	for name, want := range map[string][]string{
		"a-1":   {"a-1", hash},
		hash:    {hash, schema.HashToken(hash)},
		"a b":   {schema.HashToken("a b")},
		"h_*":   {schema.HashToken("h_*")},
		"h_a.b": {schema.HashToken("h_a.b")},
	} {
		slices.Sort(want)
		if diff := cmp.Diff(want, find.Tokens(name)); diff != "" {
			t.Errorf("%q (-want +got):\n%s", name, diff)
		}
	}
}

func TestAnEntrySaysWhatItIs(t *testing.T) {
	for want, e := range map[string]find.Entry{
		"stored":                  {What: find.Event},
		"stored, as a backfill":   {What: find.Event, Backfill: true},
		`sent again to "\u202eq"`: {What: find.Event, Queue: "\u202eq"},
		"q: transient, 2 failures, next try in 1m0s": {What: find.Waiting, Queue: "q",
			Class: schema.ClassTransient, Attempts: 2, NextTry: receivedAt.Add(time.Minute)},
		"income: succeeded, 1 attempt": {What: find.Completion, Resource: schema.Income,
			Outcome: schema.Succeeded, Attempts: 1},
		"cannot be read":        {What: find.State},
		"ready":                 {What: find.State, Status: schema.AccountReady},
		"the account is erased": {What: find.Tombstone},
	} {
		if got := e.Says(receivedAt); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
