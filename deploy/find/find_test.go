package find_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

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

func TestATokenIsAPlainIDOrAHash(t *testing.T) {
	t.Parallel()
	hash := schema.HashToken("a person")
	for text, want := range map[string]bool{
		"a-1":                    true,
		hash:                     true,
		"":                       false,
		"h_":                     false,
		"h_;reboot${IFS}-f":      false,
		hash + "A":               false,
		hash[:len(hash)-1] + "1": false,
		hash + "\n":              false,
		strings.Repeat("a", 65):  false,
	} {
		if got := find.IsToken(text); got != want {
			t.Errorf("%q is a token: %t", text, got)
		}
	}
}

func TestAnAccountIsKnownByWhatIsStored(t *testing.T) {
	_, conn := streamtest.New(t)
	op := stream.NewOperator(conn)
	event := func(id, account string) schema.Event {
		return schema.Event{
			Provider: schema.Pinwheel, ID: id, Type: "income.added", Resource: schema.Income,
			Action: schema.ActionAdded, AccountID: account, ReceivedAt: receivedAt,
			OccurredAt: receivedAt,
			Body:       []byte(`{}`),
		}
	}
	letter := event("e-0", "letter")
	letter.Body = []byte(`{"payload":{"account_id":"letter"}}`)
	if _, err := conn.PublishEvent(t.Context(), letter); err != nil {
		t.Fatal(err)
	}
	die(t, conn)
	if err := conn.EraseEvents(t.Context(), letter.Provider, letter.Account()); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.PublishEvent(t.Context(), event("e-1", "webhook")); err != nil {
		t.Fatal(err)
	}
	completed := event("e-2", "completion")
	c := schema.NewCompletion(completed, schema.Income, schema.Succeeded, receivedAt)
	if _, err := conn.PublishCompletion(t.Context(), completed, c); err != nil {
		t.Fatal(err)
	}
	erased := event("e-3", "tombstone")
	for _, step := range conn.ErasureSteps(erased.Provider, erased.Account()) {
		if err := step.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	for name, isKnown := range map[string]bool{
		"webhook": true, "completion": true, "tombstone": true, "letter": true, "nobody": false,
		"*": false, "": false,
	} {
		places, err := find.Places(t.Context(), op, name)
		if err != nil {
			t.Fatal(err)
		}
		var want []find.Place
		if isKnown {
			want = []find.Place{{Provider: schema.Pinwheel, Token: name}}
		}
		if diff := cmp.Diff(want, places); diff != "" {
			t.Errorf("%q (-want +got):\n%s", name, diff)
		}
		entries, err := find.Token(t.Context(), op, schema.Pinwheel, schema.Token(name))
		if err != nil || len(entries) > 0 != isKnown {
			t.Errorf("%q: %d entries, %v", name, len(entries), err)
		}
	}
}

func TestWhatCannotBeReadHidesNothing(t *testing.T) {
	const canary = "salary 4711"
	server, conn := streamtest.New(t)
	plain, err := nats.Connect(server.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Close()
	js, err := jetstream.New(plain)
	if err != nil {
		t.Fatal(err)
	}
	op := stream.NewOperator(conn)
	e := schema.Event{
		Provider: schema.Pinwheel, ID: "e-1", Type: "income.added", Resource: schema.Income,
		Action: schema.ActionAdded, AccountID: "a-1", ReceivedAt: receivedAt, Body: []byte(`{}`),
	}
	if _, err := conn.PublishEvent(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	for subject, body := range map[string]string{
		e.CompletionSubject(schema.Income):             `{"time":"` + canary + `"}`,
		schema.AccountSubject(e.Provider, e.Account()): `{"data":{"since":"` + canary + `"}}`,
	} {
		if _, err := js.Publish(t.Context(), subject, []byte(body)); err != nil {
			t.Fatal(err)
		}
	}
	q, _ := schema.QueueNamed("pinwheel_income")
	if err := js.DeleteStream(t.Context(), q.WaitingStream()); err != nil {
		t.Fatal(err)
	}
	entries, err := find.Token(t.Context(), op, e.Provider, e.Account())
	if err != nil {
		t.Fatal(err)
	}
	var got []find.Kind
	for _, entry := range entries {
		if entry.Unreadable != (entry.What != find.Event) ||
			entry.Unreadable && entry.Says(receivedAt) != "cannot be read" {
			t.Errorf("%+v", entry)
		}
		got = append(got, entry.What)
	}
	slices.Sort(got)
	want := []find.Kind{find.Completion, find.Event, find.State, find.Waiting}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	entries, err = find.Token(t.Context(), op, e.Provider, "a-2")
	if err != nil || len(entries) > 0 {
		t.Errorf("of another account: %v, %v", entries, err)
	}
}

// die makes a dead letter of the next event of the income queue.
func die(t *testing.T, conn *stream.Conn) {
	t.Helper()
	q, _ := schema.QueueNamed("pinwheel_income")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var died error
	err := conn.Queue(q).Consume(ctx, stream.Taking{Hands: 1}, func(d *stream.Delivery) {
		defer cancel()
		l := d.DeadLetter(schema.ClassPermanent, schema.ReasonRejected, receivedAt)
		died = errors.Join(d.Err, conn.PublishDeadLetter(t.Context(), l),
			d.Never(schema.ReasonRejected))
	})
	if err := errors.Join(err, died); err != nil {
		t.Fatal(err)
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
		`verification_reports: failed, 1 attempt, class provider, code "log\u202ein"`: {
			What: find.Completion, Resource: schema.VerificationReports, Outcome: schema.Failed,
			Attempts: 1, Class: schema.ClassProvider, Code: "log\u202ein"},
		"cannot be read": {What: find.State},
		`"\u202eq": transient, 2 failures, next try in 1m0s`: {What: find.Waiting, Queue: "\u202eq",
			Class: schema.ClassTransient, Attempts: 2, NextTry: receivedAt.Add(time.Minute)},
		"ready":                 {What: find.State, Status: schema.AccountReady},
		"the account is erased": {What: find.Tombstone},
	} {
		if got := e.Says(receivedAt); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
