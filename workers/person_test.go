package workers

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
	"github.com/wagewire/wagewire/workers/api"
)

const reportsQueue = "pinwheel_verification_reports"

// refreshedReports is the webhook of a person.
func refreshedReports(t *testing.T, id string, change ...func(map[string]any)) schema.Event {
	t.Helper()
	return sample(t, schema.Pinwheel, "verification_reports.refreshed", id, change...)
}

// of is the event of a person as the event of the account.
func of(e schema.Event, account string) schema.Event {
	e.Of = account
	return e
}

// bringsTo is a handler that brings a report of a person with the accounts.
func bringsTo(accounts ...string) Handler {
	return fetchFunc(func(ctx context.Context, job Job) (Fetched, error) {
		return Fetched{Accounts: accounts, Scope: schema.Snapshot}, bring(ctx, job, canaryRecord)
	})
}

// failsWith is a handler whose provider answers with the status, after it has listed the accounts.
func failsWith(status int, accounts ...string) Handler {
	return fetchFunc(func(context.Context, Job) (Fetched, error) {
		return Fetched{Accounts: accounts}, &api.StatusError{Endpoint: "/v1/x", Status: status}
	})
}

// laterThan is a handler that is like first at the first call, and like then afterwards.
func laterThan(first, then Handler) Handler {
	var calls atomic.Int64
	return fetchFunc(func(ctx context.Context, job Job) (Fetched, error) {
		if calls.Add(1) == 1 {
			return first.Fetch(ctx, job)
		}
		return then.Fetch(ctx, job)
	})
}

// eraseAccounts erases accounts of Pinwheel.
func (b *bench) eraseAccounts(accounts ...string) {
	b.Helper()
	for _, account := range accounts {
		for _, step := range b.conn.ErasureSteps(schema.Pinwheel, schema.Token(account)) {
			must(b.T, step.Run(b.Context()))
		}
	}
}

// ends are the outcomes of the event's completions, by account. The completion of the person is at
// "".
func (b *bench) ends(e schema.Event) map[string]schema.Outcome {
	b.Helper()
	ends := map[string]schema.Outcome{}
	for _, m := range b.all(schema.CompletionsStream, e.Completions()) {
		var c schema.Completion
		must(b.T, json.Unmarshal(m.Data, &c))
		account := ""
		if c.Data.AccountID != nil {
			account = *c.Data.AccountID
		}
		ends[account] = c.Data.Outcome
	}
	return ends
}

func TestAnEventOfAPersonIsCompletedForEachAccount(t *testing.T) {
	t.Parallel()
	type ends = map[string]schema.Outcome
	const odd = "account/3 é"
	for _, row := range []struct {
		promise string
		handler Handler
		erased  []string
		// logged is the outcome of the last job.
		logged  string
		want    ends
		letters int
	}{
		{"no account: the person's own completion", bringsTo(), nil, "succeeded",
			ends{"": schema.Succeeded}, 0},
		{"one account: its completion", bringsTo("a-1"), nil, "succeeded",
			ends{"a-1": schema.Succeeded}, 0},
		{"three accounts: a completion of each", bringsTo("a-1", "a-2", odd), nil, "succeeded",
			ends{"a-1": schema.Succeeded, "a-2": schema.Succeeded, odd: schema.Succeeded}, 0},
		{"an erased account is left out", bringsTo("a-1", "a-2", "a-3"), []string{"a-2"},
			"succeeded", ends{"a-1": schema.Succeeded, "a-3": schema.Succeeded}, 0},
		{"a last account that is erased is left out", bringsTo("a-1", "a-2"), []string{"a-2"},
			"succeeded", ends{"a-1": schema.Succeeded}, 0},
		{"no completion is left if every account is erased", bringsTo("a-1", "a-2"),
			[]string{"a-1", "a-2"}, "erased", ends{}, 0},
		{"each account learns that the provider has no report", failsWith(404, "a-1", "a-2"), nil,
			"unavailable", ends{"a-1": schema.Unavailable, "a-2": schema.Unavailable}, 0},
		{"each account learns that the fetch failed, with one dead letter",
			failsWith(422, "a-1", "a-2"), nil, "failed",
			ends{"a-1": schema.Failed, "a-2": schema.Failed}, 1},
		{"each account learns of the success after an outage",
			laterThan(failsWith(500), bringsTo("a-1", "a-2")), nil, "succeeded",
			ends{"a-1": schema.Succeeded, "a-2": schema.Succeeded}, 0},
		{"accounts that could not be listed: the person's own completion", failsWith(403), nil,
			"unavailable", ends{"": schema.Unavailable}, 0},
		{"accounts that could never be listed: the person's own, with a dead letter",
			failsWith(500), nil, "failed", ends{"": schema.Failed}, 1},
	} {
		t.Run(row.promise, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			b.eraseAccounts(row.erased...)
			e := refreshedReports(t, "person")
			b.start(schema.VerificationReports, row.handler, quick())
			b.publish(e)
			b.logged(e, row.logged, 1)
			b.idle(reportsQueue)
			if diff := cmp.Diff(row.want, b.ends(e)); diff != "" {
				t.Errorf("completions (-want +got):\n%s", diff)
			}
			for account := range row.want {
				checkCompletionOf(b, of(e, account))
			}
			if n := len(b.deadLetters(reportsQueue, e.Account())); n != row.letters {
				t.Errorf("%d dead letters, want %d", n, row.letters)
			}
			dropped := b.metric("wagewire_worker_dropped_total", nil)
			if int(dropped) != len(row.erased) {
				t.Errorf("%v completions of erased accounts, want %d", dropped, len(row.erased))
			}
		})
	}
}

// checkCompletionOf checks the names in the completion of an account, or of the person.
func checkCompletionOf(b *bench, e schema.Event) {
	b.Helper()
	c := b.completed(e, schema.VerificationReports)
	id := "pinwheel:" + e.ID + ":verification_reports"
	account := ""
	if e.Of != "" {
		id += ":" + schema.Token(e.Of)
		account = *c.Data.AccountID
	}
	m := b.all(schema.CompletionsStream, e.CompletionSubject(schema.VerificationReports))[0]
	switch {
	case c.ID != id || m.Header.Get("Nats-Msg-Id") != id:
		b.Errorf("id %s, message id %s; want %s", c.ID, m.Header.Get("Nats-Msg-Id"), id)
	case account != e.Of || *c.Data.EndUserID != e.AccountID || c.Subject != e.Account():
		b.Errorf("account %s, person %s, subject %s", account, *c.Data.EndUserID, c.Subject)
	case !strings.HasSuffix(c.Sequence, "/"+id):
		b.Errorf("sequence %s does not end in the id", c.Sequence)
	case c.Data.Outcome == schema.Succeeded && len(c.Data.Records) != 1:
		b.Errorf("%d records", len(c.Data.Records))
	}
}

func TestAPersonIsNamedEvenIfTheWebhookCannotBeDecoded(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	e := refreshedReports(t, "person", says("params", 7))
	b.start(schema.VerificationReports, bringsTo("a-1"), quick())
	b.publish(e)
	got := b.completed(e, schema.VerificationReports)
	if got.Data.Outcome != schema.Failed || got.Data.AccountID != nil ||
		got.Data.EndUserID == nil || *got.Data.EndUserID != e.AccountID {
		t.Errorf("completion %+v", got.Data)
	}
}

func TestARedriveOfAPersonIsCompletedForEachAccount(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	e := refreshedReports(t, "person")
	b.start(schema.VerificationReports, bringsTo("a-1", "a-2"), quick())
	b.publish(e)
	b.logged(e, "succeeded", 1)
	_, err := stream.NewOperator(b.conn).Redrive(t.Context(), e, reportsQueue, 1)
	must(t, err)
	again := e
	again.Redrive = 1
	b.logged(again, "succeeded", 1)
	for _, account := range []string{"a-1", "a-2"} {
		got := b.completed(of(again, account), schema.VerificationReports)
		if want := "pinwheel:person:r1:verification_reports:" + account; got.ID != want ||
			got.Data.Redrive != 1 {
			t.Errorf("id %s of redrive %d, want %s", got.ID, got.Data.Redrive, want)
		}
	}
	if n := len(b.completions()); n != 4 {
		t.Errorf("%d completions, want one of each account, twice", n)
	}
	b.idle(reportsQueue)
}

// A worker is killed after the completions of some accounts. The next worker completes the others.
func TestAWorkerKilledBetweenTwoAccountsLosesAndRepeatsNothing(t *testing.T) {
	t.Parallel()
	accounts := []string{"a-1", "a-2", "a-3"}
	for done := range len(accounts) + 1 {
		t.Run(fmt.Sprintf("after %d of %d", done, len(accounts)), func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			e := refreshedReports(t, "killed")
			b.publish(e)
			msg := b.take(reportsQueue)
			for _, account := range accounts[:done] {
				first := schema.NewCompletion(of(e, account), schema.VerificationReports,
					schema.Unavailable, time.Now())
				first.Data.Attempts = 1
				first.Data.AccountID = &account
				first.Data.EndUserID = &e.AccountID
				stored, err := b.conn.PublishCompletion(t.Context(), of(e, account), first)
				if err != nil || !stored {
					t.Fatalf("stored %v, error %v", stored, err)
				}
			}
			must(t, msg.Nak())
			b.start(schema.VerificationReports, bringsTo(accounts...), quick())
			b.logged(e, "succeeded", 1)
			b.idle(reportsQueue)
			want := map[string]schema.Outcome{}
			for n, account := range accounts {
				want[account] = schema.Succeeded
				if n < done {
					want[account] = schema.Unavailable // the first completion stays
				}
			}
			if diff := cmp.Diff(want, b.ends(e)); diff != "" {
				t.Errorf("completions (-want +got):\n%s", diff)
			}
			if n := len(b.completions()); n != len(accounts) {
				t.Errorf("%d completions, want %d", n, len(accounts))
			}
			if n := b.metric("wagewire_worker_fenced_total", nil); int(n) != done {
				t.Errorf("%v completions were fenced, want %d", n, done)
			}
		})
	}
}

func TestAPersonsOwnCompletionEndsTheEvent(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	e := refreshedReports(t, "person")
	b.publish(e)
	msg := b.take(reportsQueue)
	first := schema.NewCompletion(e, schema.VerificationReports, schema.Unavailable, time.Now())
	first.Data.Attempts = 1
	_, err := b.conn.PublishCompletion(t.Context(), e, first)
	must(t, err)
	must(t, msg.Nak())
	b.start(schema.VerificationReports, bringsTo("a-1"), quick())
	b.logged(e, "completed_before", 1)
	if n := len(b.completions()); n != 1 {
		t.Errorf("%d completions", n)
	}
	b.idle(reportsQueue)
}

func TestEachAccountOfAPersonHasLargeRecordsOfItsOwn(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	const records = 12
	accounts := []string{"a-1", "a-2", "a-3"}
	b.eraseAccounts("a-2")
	b.start(schema.VerificationReports, fetchFunc(func(
		ctx context.Context, job Job,
	) (Fetched, error) {
		for id := range records {
			if err := job.Records.Add(ctx, recordOf(id, 100<<10)); err != nil {
				return Fetched{}, err
			}
		}
		return Fetched{Accounts: accounts, Scope: schema.Snapshot}, nil
	}), quick())
	e := refreshedReports(t, "large")
	b.publish(e)
	b.logged(e, "succeeded", 1)
	b.idle(reportsQueue)
	refs := map[string]schema.RecordsRef{}
	for _, account := range []string{"a-1", "a-3"} {
		ref := b.completed(of(e, account), schema.VerificationReports).Data.RecordsRef
		if ref == nil || !strings.HasPrefix(ref.Name, schema.AccountRecords(e.Provider, account)) {
			t.Fatalf("the records of %s are at %+v", account, ref)
		}
		refs[account] = *ref
		checkRecordsAt(b, *ref, records)
	}
	if n := b.stored(); n != uint64(2*(refs["a-1"].Chunks+1)) { // the chunks, and a name
		t.Errorf("%d messages are stored, want those of two objects", n)
	}
	b.eraseAccounts("a-1")
	checkRecordsAt(b, refs["a-3"], records)
	if n := b.stored(); n != uint64(refs["a-3"].Chunks+1) {
		t.Errorf("%d messages are left, want those of the account that stays", n)
	}
}

func checkRecordsAt(b *bench, ref schema.RecordsRef, count int) {
	b.Helper()
	found, err := b.conn.Records(b.Context(), ref)
	must(b.T, err)
	if len(found) != count || ref.Count != count {
		b.Errorf("%d records, and %d in the reference; want %d", len(found), ref.Count, count)
	}
	for id, record := range found {
		if want := recordOf(id, 100<<10); string(record) != string(want.JSON) {
			b.Errorf("record %d is not as it was added", id)
		}
	}
}
