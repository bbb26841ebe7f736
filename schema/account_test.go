package schema_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/jsonschema/jsonschematest"
)

const (
	pinwheelAccount = "449e7a5c-69d3-4b8a-aaaf-5c9b713ebc65"
	truvAccount     = "4bd7e1f06a9c4358b2e0c5f71d938a6e"
)

// linked is the beginning of the timelines below.
var linked = time.Date(2026, 1, 12, 2, 36, 30, 0, time.UTC)

// word describes a completion of a Pinwheel account, or of a Truv account if the provider is Truv.
type word struct {
	event    string
	resource schema.Resource
	action   string
	// at is the time of the event, in milliseconds after linked.
	at      int
	outcome schema.Outcome
	// refreshed is how long after the event the provider looked for the data, in milliseconds. 0:
	// the provider does not say.
	refreshed int
	scope     schema.Scope
	redrive   int
	class     schema.Class
	provider  schema.Provider
	supported []schema.Resource
	endUser   string
	stale     bool
	// employment is the employment of statements of Truv's. code is the code of the error.
	employment string
	code       string
	// typeName is the type of the webhook, if it is not that of the resource and the action.
	typeName string
}

// truvTypes are the objects in the names of Truv's webhooks, by resource.
var truvTypes = map[schema.Resource]string{
	schema.Employment: "employment", schema.Income: "employment", schema.Identity: "profile",
	schema.Paystubs: "statements", schema.Shifts: "shifts", schema.BankAccounts: "bank-accounts",
	schema.VerificationReports: "task", schema.Link: "link",
}

func (w word) completion() schema.Completion {
	provider := schema.Pinwheel
	account := pinwheelAccount
	if w.provider != "" {
		provider = w.provider
		account = truvAccount
	}
	occurred := linked.Add(time.Duration(w.at) * time.Millisecond)
	e := schema.Event{
		Provider: provider, ID: w.event, Type: fmt.Sprintf("%s.%s", w.resource, w.action),
		Resource: w.resource, Action: w.action, AccountID: account, Redrive: w.redrive,
		OccurredAt: occurred, ReceivedAt: occurred.Add(300 * time.Millisecond),
	}
	if provider == schema.Truv {
		e.Type = truvTypes[w.resource] + "-" + strings.ReplaceAll(w.action, "_", "-")
	}
	if w.typeName != "" {
		e.Type = w.typeName
	}
	fetched := occurred.Add(time.Second + time.Duration(w.redrive)*time.Hour)
	c := schema.NewCompletion(e, w.resource, w.outcome, fetched)
	c.Data.AccountID = &e.AccountID
	c.Data.Attempts = 1
	c.Data.Supported = w.supported
	c.Data.Stale = w.stale
	c.Data.EmploymentID = w.employment
	if w.endUser != "" {
		c.Data.EndUserID = &w.endUser
	}
	if w.scope != "" {
		c.Data.Scope = &w.scope
	}
	if w.class != "" {
		c.Data.Error = &schema.CompletionError{Class: string(w.class), Code: w.code}
	}
	if w.refreshed != 0 {
		at := occurred.Add(time.Duration(w.refreshed) * time.Millisecond)
		c.Data.RefreshedAt = &at
		if provider == schema.Pinwheel {
			c.Sequence = schema.Sequence(at, fetched, c.ID)
		}
	}
	isTruvData := provider == schema.Truv && w.resource != schema.Link &&
		w.resource != schema.VerificationReports
	if isTruvData && w.outcome.HasRecords() {
		c.Sequence = schema.Sequence(fetched, fetched, c.ID)
	}
	return c
}

func completionsOf(words ...word) []schema.Completion {
	var list []schema.Completion
	for _, w := range words {
		list = append(list, w.completion())
	}
	return list
}

// Common words of a Pinwheel account.
var (
	identity = word{event: "identity-1", resource: schema.Identity, action: schema.ActionAdded,
		at: 4384, outcome: schema.Succeeded, refreshed: 164, scope: schema.Snapshot}
	income = word{event: "income-1", resource: schema.Income, action: schema.ActionAdded,
		at: 4458, outcome: schema.Succeeded, refreshed: 171, scope: schema.Snapshot}
	employment = word{event: "employment-1", resource: schema.Employment,
		action: schema.ActionAdded, at: 10932, outcome: schema.Succeeded, refreshed: 144,
		scope: schema.Snapshot}
	allPaystubs = word{event: "paystubs-full", resource: schema.Paystubs,
		action: schema.ActionFullySynced, at: 8614, outcome: schema.Succeeded, refreshed: 192,
		scope: schema.Snapshot}
	allShifts = word{event: "shifts-full", resource: schema.Shifts,
		action: schema.ActionFullySynced, at: 9343, outcome: schema.Succeeded, refreshed: 245,
		scope: schema.Snapshot}
)

// chunk is a part of the past of a resource.
func chunk(r schema.Resource, n, at int) word {
	return word{
		event: fmt.Sprintf("%s-%d", r, n), resource: r, action: schema.ActionAdded, at: at,
		outcome: schema.Succeeded, refreshed: 190, scope: schema.Delta,
	}
}

// timeline is one account from its link to the last of its data: the chunks of the past come in
// parts, the last paystubs have the time of fully_synced, and the income is fetched again then.
func timeline() []word {
	again := allPaystubs
	again.resource = schema.Income
	return []word{
		{event: "account-1", resource: schema.Link, action: schema.ActionAdded, at: 3900,
			outcome: schema.Succeeded, scope: schema.Snapshot, endUser: "user-7",
			supported: []schema.Resource{schema.Shifts, schema.Paystubs, schema.Employment,
				schema.Identity, schema.Income}},
		identity, income,
		chunk(schema.Paystubs, 1, 5100), chunk(schema.Shifts, 1, 5900),
		chunk(schema.Paystubs, 2, 6800), chunk(schema.Paystubs, 3, 7300),
		chunk(schema.Shifts, 2, 8000), chunk(schema.Paystubs, 4, 8614), allPaystubs, again,
		chunk(schema.Shifts, 3, 9300), allShifts, employment,
	}
}

// fold merges completions one at a time, as the worker does with a state that it stores in between.
// It returns the last state and the types of all states.
func fold(
	t *testing.T, when schema.ReadyWhen, completions ...schema.Completion,
) (schema.Account, []string) {
	t.Helper()
	var account schema.Account
	var types []string
	for i, c := range completions {
		merged, changed := account.Merge(c, when, linked.Add(time.Duration(i)*time.Minute))
		if !changed {
			continue
		}
		text, err := merged.Encode()
		if err != nil {
			t.Fatal(err)
		}
		account, err = schema.DecodeAccount(text)
		if err != nil {
			t.Fatal(err)
		}
		types = append(types, account.Type)
	}
	return account, types
}

// lasting is the state without the parts that depend on the order of arrival.
func lasting(t *testing.T, a schema.Account) string {
	t.Helper()
	a.ID = ""
	a.Time = time.Time{}
	a.Type = ""
	a.Data.Since = time.Time{}
	text, err := a.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func count(list []string, want string) int {
	n := 0
	for _, value := range list {
		if value == want {
			n++
		}
	}
	return n
}

func TestTheTimelineOfAnAccountEndsReadyInAnyOrder(t *testing.T) {
	completions := completionsOf(timeline()...)
	want, _ := fold(t, nil, completions...)
	if want.Data.Status != schema.AccountReady {
		t.Fatalf("the status is %s, want ready", want.Data.Status)
	}
	random := rand.New(rand.NewPCG(7, 11))
	for range 1000 {
		shuffled := slices.Clone(completions)
		for range random.IntN(8) {
			shuffled = append(shuffled, completions[random.IntN(len(completions))])
		}
		random.Shuffle(len(shuffled), func(i, j int) {
			shuffled[i], shuffled[j] = shuffled[j], shuffled[i]
		})
		got, types := fold(t, nil, shuffled...)
		if lasting(t, got) != lasting(t, want) {
			compare(t, "state", lasting(t, want), lasting(t, got))
			return
		}
		if n := count(types, "wagewire.account.ready.v1"); n != 1 {
			t.Fatalf("ready is said %d times, want once: %q", n, types)
		}
	}
}

// TestTheStateIsThatOfTheSet merges words that contradict each other: failures, redrives in any
// number, snapshots that cover some of them, stale data and equal times.
func TestTheStateIsThatOfTheSet(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 5))
	for provider, vocabulary := range map[schema.Provider]struct {
		resources []schema.Resource
		actions   []string
	}{
		schema.Pinwheel: {
			[]schema.Resource{schema.Paystubs, schema.Shifts, schema.Income, schema.Link},
			[]string{schema.ActionAdded, schema.ActionSevenDaysSynced, schema.ActionFullySynced,
				schema.ActionDisconnected},
		},
		schema.Truv: {
			[]schema.Resource{schema.VerificationReports, schema.Paystubs, schema.Income,
				schema.Link},
			[]string{schema.ActionStatusUpdated, schema.ActionStatusUpdated, schema.ActionCreated,
				schema.ActionDisconnected},
		},
	} {
		t.Run(string(provider), func(t *testing.T) {
			checkSets(t, random, provider, vocabulary.resources, vocabulary.actions)
		})
	}
}

// checkSets merges sets of random completions in random orders.
func checkSets(
	t *testing.T, random *rand.Rand, p schema.Provider, resources []schema.Resource,
	actions []string,
) {
	t.Helper()
	outcomes := []schema.Outcome{
		schema.Succeeded, schema.Succeeded, schema.Pending, schema.Unavailable, schema.Failed,
		schema.Failed, schema.Disconnected,
	}
	scopes := []schema.Scope{"", schema.Snapshot, schema.Window, schema.Delta}
	for range 300 {
		var completions []schema.Completion
		for event := range 6 {
			base := word{
				event: fmt.Sprint("e", event), resource: resources[random.IntN(4)],
				action: actions[random.IntN(4)], at: random.IntN(4),
			}
			if p == schema.Truv {
				base.provider = p
			}
			for redrive := range 1 + random.IntN(3) {
				w := base
				w.redrive = redrive
				w.outcome = outcomes[random.IntN(len(outcomes))]
				w.refreshed = random.IntN(5) - 2
				w.scope = scopes[random.IntN(4)]
				if random.IntN(3) == 0 {
					w.class = schema.ClassForbidden
				}
				if random.IntN(2) == 0 {
					w.endUser = fmt.Sprint("user-", random.IntN(3))
				}
				w.stale = random.IntN(4) == 0
				w.employment = fmt.Sprint(random.IntN(3))
				if w.class != "" && random.IntN(3) == 0 {
					w.code = schema.CodeNoReport
				}
				tells := w.resource == schema.Link || w.resource == schema.VerificationReports
				if tells && random.IntN(2) == 0 {
					w.supported = resources[:1+random.IntN(3)]
				}
				completions = append(completions, w.completion())
			}
		}
		want, _ := fold(t, nil, completions...)
		for range 10 {
			shuffled := slices.Concat(completions, completions[:random.IntN(4)])
			random.Shuffle(len(shuffled), func(i, j int) {
				shuffled[i], shuffled[j] = shuffled[j], shuffled[i]
			})
			got, _ := fold(t, nil, shuffled...)
			if lasting(t, got) != lasting(t, want) {
				compare(t, "state", lasting(t, want), lasting(t, got))
				return
			}
		}
	}
}

// compareState compares a state with its status, the resources that it waits for, and the number of
// its failed events. The state must be one of the contract.
func compareState(
	t *testing.T, got schema.Account, status schema.AccountStatus, waitingFor string, failed int,
) {
	t.Helper()
	compare(t, "status", status, got.Data.Status)
	waiting := ""
	if len(got.Data.WaitingFor) > 0 {
		waiting = fmt.Sprint(got.Data.WaitingFor)
	}
	compare(t, "waiting for", waitingFor, waiting)
	failures := 0
	for _, r := range got.Data.Resources {
		failures += len(r.Failed)
	}
	compare(t, "failed events", failed, failures)
	text, err := got.Encode()
	if err != nil {
		t.Fatal(err)
	}
	jsonschematest.Account(t, text)
}

func TestTheStatusOfAnAccount(t *testing.T) {
	failed := chunk(schema.Paystubs, 9, 8900)
	failed.outcome = schema.Failed
	failed.refreshed = 0
	failed.class = schema.ClassTransient
	redriven := chunk(schema.Paystubs, 9, 8900)
	redriven.redrive = 1
	stale := redriven
	stale.refreshed = -400
	failedAgain := failed
	failedAgain.redrive = 2
	later := allPaystubs
	later.event = "paystubs-later"
	later.at = 9000
	pendingLate := employment
	pendingLate.event = "employment-2"
	pendingLate.at = 20000
	pendingLate.outcome = schema.Pending
	none := allShifts
	none.outcome = schema.Unavailable
	none.class = schema.ClassProvider
	forbidden := allShifts
	forbidden.outcome = schema.Unavailable
	forbidden.class = schema.ClassForbidden
	refused := failed
	refused.outcome = schema.Unavailable
	refused.class = schema.ClassForbidden
	refusedAgain := refused
	refusedAgain.redrive = 1
	incomeRefused := allPaystubs
	incomeRefused.resource = schema.Income
	incomeRefused.refreshed = 0
	incomeRefused.scope = ""
	incomeRefused.outcome = schema.Unavailable
	incomeRefused.class = schema.ClassForbidden
	incomeOlder := allPaystubs // income keeps its time when the paystubs are complete
	incomeOlder.resource = schema.Income
	incomeOlder.redrive = 1
	incomeOlder.refreshed = -3985
	partNone := chunk(schema.Paystubs, 1, 5100)
	partNone.action = schema.ActionSevenDaysSynced
	partNone.outcome = schema.Unavailable
	partNone.class = schema.ClassProvider
	weeksLate := chunk(schema.Paystubs, 1, 5100)
	weeksLate.redrive = 3
	documents := chunk(schema.Paystubs, 11, 12000)
	documents.typeName = "paystubs.documents.added"
	documents.scope = schema.Window
	documentsNone := documents
	documentsNone.outcome = schema.Unavailable
	documentsNone.refreshed = 0
	documentsNone.scope = ""
	documentsNone.class = schema.ClassNotReady
	platform := word{event: "account-2", resource: schema.Link, action: schema.ActionAdded,
		at: 13000, outcome: schema.Succeeded, scope: schema.Snapshot,
		supported: []schema.Resource{schema.Shifts, schema.Paystubs, schema.Employment,
			schema.Identity, schema.Income, schema.BankAccounts, schema.TaxForms}}
	allocations := word{event: "allocations-1", resource: schema.BankAccounts,
		action: schema.ActionAdded, at: 14000, outcome: schema.Succeeded, scope: schema.Snapshot}
	forms := chunk(schema.TaxForms, 1, 15000)
	connected := word{event: "c1", resource: schema.Link, action: schema.ActionConnected, at: 10,
		outcome: schema.Succeeded, scope: schema.Snapshot, provider: schema.Truv}
	broken := word{event: "d1", resource: schema.Link, action: schema.ActionDisconnected, at: 20,
		outcome: schema.Disconnected, scope: schema.Snapshot, provider: schema.Truv}
	brokenUnseen := broken
	brokenUnseen.outcome = schema.Failed
	brokenUnseen.class = schema.ClassTransient
	again := connected
	again.event = "c2"
	again.at = 30
	againUnseen := again
	againUnseen.outcome = schema.Failed
	againUnseen.class = schema.ClassTransient
	removed := word{event: "r1", resource: schema.Link, action: schema.ActionRemoved, at: 20000,
		outcome: schema.Unavailable, class: schema.ClassNotReady}
	deleted := word{event: "x1", resource: schema.Link, action: schema.ActionDeleted, at: 40,
		outcome: schema.Deleted, provider: schema.Truv}

	for _, row := range []struct {
		promise string
		when    schema.ReadyWhen
		more    []word
		alone   bool
		want    schema.AccountStatus
		waiting string
		failed  int
	}{
		{promise: "ready once every resource has its word", want: schema.AccountReady},
		{promise: "linking until then", alone: true, more: []word{identity, income, allShifts},
			want: schema.AccountLinking, waiting: "[employment paystubs]"},
		{promise: "parts of the past are no word", alone: true, when: schema.ReadyWhen{"paystubs"},
			more: []word{chunk(schema.Paystubs, 1, 5100)},
			want: schema.AccountLinking, waiting: "[paystubs]"},
		{promise: "incomplete after a failure", more: []word{failed},
			want: schema.AccountIncomplete, failed: 1},
		{promise: "ready after the redrive of the failed event", more: []word{failed, redriven},
			want: schema.AccountReady},
		{promise: "also if the redrive is read first", more: []word{redriven, failed},
			want: schema.AccountReady},
		{promise: "also if the data of the redrive is older than the event",
			more: []word{stale, failed}, want: schema.AccountReady},
		{promise: "incomplete if a later redrive failed",
			more: []word{failedAgain, redriven, failed},
			want: schema.AccountIncomplete, failed: 1},
		{promise: "ready after a newer snapshot of the resource", more: []word{failed, later},
			want: schema.AccountReady},
		{promise: "a snapshot of before repairs nothing", more: []word{allPaystubs, failed},
			want: schema.AccountIncomplete, failed: 1},
		{promise: "pending never displaces a word", more: []word{pendingLate},
			want: schema.AccountReady},
		{promise: "pending is no word", alone: true, when: schema.ReadyWhen{"employment"},
			more: []word{pendingLate}, want: schema.AccountLinking, waiting: "[employment]"},
		{promise: "a resource that the provider does not have is good", alone: true,
			when: schema.ReadyWhen{"shifts"}, more: []word{none}, want: schema.AccountReady},
		{promise: "a resource that the provider refuses is not", alone: true,
			when: schema.ReadyWhen{"shifts"}, more: []word{forbidden},
			want: schema.AccountIncomplete, failed: 1},
		{promise: "an event that the provider refuses is not forgotten after the next event",
			more: []word{refused, chunk(schema.Paystubs, 10, 9500)},
			want: schema.AccountIncomplete, failed: 1},
		{promise: "a redrive that the provider refuses repairs no failure",
			more: []word{failed, refusedAgain}, want: schema.AccountIncomplete, failed: 1},
		{promise: "ready after the redrive of a refused event", more: []word{refused, redriven},
			want: schema.AccountReady},
		{promise: "also if the data of the redrive is older than the refused event", alone: true,
			when: schema.ReadyWhen{"income"}, more: []word{income, incomeRefused, incomeOlder},
			want: schema.AccountReady},
		{promise: "a part of the past without data ends nothing", alone: true,
			when: schema.ReadyWhen{"paystubs"}, more: []word{partNone},
			want: schema.AccountLinking, waiting: "[paystubs]"},
		{promise: "a platform that has nothing of ours leaves nothing to wait for", alone: true,
			more: []word{{event: "account-1", resource: schema.Link, action: schema.ActionAdded,
				outcome: schema.Succeeded, scope: schema.Snapshot,
				supported: []schema.Resource{"tax_forms"}}},
			want: schema.AccountReady},
		{promise: "an account that the provider removed, and does not know any more",
			more: []word{removed}, want: schema.AccountDisconnected},
		{promise: "a platform without shifts awaits none", alone: true, more: []word{
			{event: "account-1", resource: schema.Link, action: schema.ActionAdded,
				outcome: schema.Succeeded, scope: schema.Snapshot,
				supported: []schema.Resource{schema.Identity, "tax_forms"}},
			identity,
		}, want: schema.AccountReady},
		{promise: "a completion late by weeks changes no status", more: []word{weeksLate},
			want: schema.AccountReady},
		{promise: "a link of Truv's alone says nothing of its data", alone: true,
			more: []word{connected}, want: schema.AccountLinking, waiting: truvAwaits},
		{promise: "the link is enough if the operator says so", alone: true,
			when: schema.ReadyWhen{schema.Link}, more: []word{connected},
			want: schema.AccountReady},
		{promise: "a broken link", alone: true, more: []word{connected, broken},
			want: schema.AccountDisconnected, waiting: truvAwaits},
		{promise: "a broken link whose fetch failed", alone: true,
			more: []word{brokenUnseen, connected}, want: schema.AccountDisconnected,
			waiting: truvAwaits, failed: 1},
		{promise: "a broken link stays broken after an event that nobody could fetch", alone: true,
			more: []word{againUnseen, broken}, want: schema.AccountDisconnected,
			waiting: truvAwaits, failed: 1},
		{promise: "an account linked twice is ready again", alone: true,
			when: schema.ReadyWhen{schema.Link},
			more: []word{again, connected, broken}, want: schema.AccountReady},
		{promise: "documents that nobody could fetch do not end the past", alone: true,
			when: schema.ReadyWhen{schema.Paystubs},
			more: []word{chunk(schema.Paystubs, 1, 5100), documentsNone},
			want: schema.AccountLinking, waiting: "[paystubs]"},
		{promise: "documents of paystubs change no status", more: []word{documents},
			want: schema.AccountReady},
		{promise: "bank accounts and tax forms of a platform are awaited by nobody who did not ask",
			more: []word{platform}, want: schema.AccountReady},
		{promise: "bank accounts are awaited if the operator asks", more: []word{platform},
			when: schema.ReadyWhen{schema.Income, schema.BankAccounts, schema.TaxForms},
			want: schema.AccountLinking, waiting: "[bank_accounts tax_forms]"},
		{promise: "and are there with their completion", more: []word{platform, allocations, forms},
			when: schema.ReadyWhen{schema.Income, schema.BankAccounts, schema.TaxForms},
			want: schema.AccountReady},
		{promise: "a platform without them leaves nothing to wait for",
			when: schema.ReadyWhen{schema.BankAccounts}, want: schema.AccountReady},
		{promise: "a deletion never ends", alone: true, more: []word{connected, deleted, again},
			want: schema.AccountDeleted},
	} {
		t.Run(row.promise, func(t *testing.T) {
			words := row.more
			if !row.alone {
				words = slices.Concat(timeline(), row.more)
			}
			got, _ := fold(t, row.when, completionsOf(words...)...)
			compareState(t, got, row.want, row.waiting, row.failed)
		})
	}
}

func TestAnAccountResource(t *testing.T) {
	ofFormer := allPaystubs.completion()
	ofFormer.Sequence = ""
	ofFormer.Data.Scope = nil
	failedBefore := chunk(schema.Paystubs, 8, 5000)
	failedBefore.outcome = schema.Failed
	redriven := failedBefore.completion()
	redriven.Sequence = ""
	redriven.ID = "pinwheel:paystubs-8:r2:paystubs"
	seven := chunk(schema.Paystubs, 7, 5000)
	seven.action = schema.ActionSevenDaysSynced
	for _, row := range []struct {
		promise     string
		completions []schema.Completion
		want        func(schema.AccountResource) bool
	}{
		{"says how much of the past was fetched",
			completionsOf(chunk(schema.Paystubs, 9, 9000), seven),
			func(r schema.AccountResource) bool {
				return *r.Synced == schema.ActionSevenDaysSynced
			}},
		{"says where the newest completion is", completionsOf(allPaystubs, seven),
			func(r schema.AccountResource) bool {
				return *r.Completion == schema.CompletionPlace{
					ID: "pinwheel:paystubs-full:paystubs",
					Subject: "wagewire.completions.pinwheel.paystubs." + pinwheelAccount +
						".paystubs-full",
				}
			}},
		{"has the sequence of the newest completion", completionsOf(allPaystubs, seven),
			func(r schema.AccountResource) bool {
				return *r.Sequence == allPaystubs.completion().Sequence
			}},
		{"knows a snapshot of the release without scopes by its action",
			append(completionsOf(failedBefore), ofFormer),
			func(r schema.AccountResource) bool { return len(r.Failed) == 0 }},
		{"knows a redrive of the release before by its id",
			append(completionsOf(failedBefore), redriven),
			func(r schema.AccountResource) bool {
				return len(r.Failed) == 1 && r.Failed[0].Redrive == 2
			}},
		{"is pending before the first completion", completionsOf(identity),
			func(r schema.AccountResource) bool {
				return r.Outcome == schema.Pending && r.Event == nil && r.Sequence == nil
			}},
	} {
		t.Run(row.promise, func(t *testing.T) {
			got, _ := fold(t, schema.ReadyWhen{"paystubs"}, row.completions...)
			paystubs := got.Data.Resources[schema.Paystubs]
			if !row.want(paystubs) {
				text, _ := json.MarshalIndent(paystubs, "", "  ")
				t.Errorf("the resource is %s", text)
			}
		})
	}
}

// TestAStateWithAsManyFailuresAsItCanHaveFitsInAMessage also shows that the newest failures stay.
func TestAStateWithAsManyFailuresAsItCanHaveFitsInAMessage(t *testing.T) {
	var account schema.Account
	resources := schema.WorkerResources()
	for _, r := range resources {
		for i := range schema.AccountEventsMax + 10 {
			w := chunk(r, 0, i)
			w.event = fmt.Sprintf("%064d", i)
			w.outcome = schema.Failed
			w.class = schema.ClassUnauthorized
			account, _ = account.Merge(w.completion(), nil, linked)
		}
	}
	for _, r := range resources {
		failed := account.Data.Resources[r].Failed
		newest := fmt.Sprintf("%064d", schema.AccountEventsMax+9)
		if len(failed) != schema.AccountEventsMax || failed[0].EventID != newest {
			t.Errorf("%s has %d failures, the first of event %s", r, len(failed), failed[0].EventID)
		}
	}
	text, err := account.Encode()
	if err != nil {
		t.Fatal(err)
	}
	const payloadMax = 1 << 20 // the broker's default
	if len(text) > payloadMax*9/10 {
		t.Errorf("the state has %d bytes, too many for a message of %d", len(text), payloadMax)
	}
}

func TestTheAwaitedResources(t *testing.T) {
	for _, row := range []struct {
		promise   string
		when      schema.ReadyWhen
		provider  schema.Provider
		supported []schema.Resource
		want      string
	}{
		{"are all that the provider has", nil, schema.Pinwheel, nil,
			"[employment identity income paystubs shifts]"},
		{"are all of Truv's, where a report belongs to one account", nil, schema.Truv, nil,
			truvAwaits},
		{"are those that Truv's report shows", nil, schema.Truv,
			[]schema.Resource{"bank_accounts", "employment", "income", "verification_reports"},
			"[employment income verification_reports]"},
		{"are the report alone after a task without data", nil, schema.Truv,
			[]schema.Resource{"verification_reports"}, "[verification_reports]"},
		{"are the link alone if the operator says so", schema.ReadyWhen{"link"}, schema.Truv,
			[]schema.Resource{"verification_reports"}, "[link]"},
		{"are bank accounts if the operator says so", schema.ReadyWhen{"bank_accounts"},
			schema.Truv, nil, "[bank_accounts]"},
		{"are bank accounts of every provider that has them",
			schema.ReadyWhen{"bank_accounts", "tax_forms"}, schema.Pinwheel, nil,
			"[bank_accounts tax_forms]"},
		{"are no bank accounts without a choice", nil, schema.Pinwheel,
			[]schema.Resource{"income", "bank_accounts", "tax_forms"}, "[income]"},
		{"are those of the operator", schema.ReadyWhen{"paystubs", "income", "income"},
			schema.Pinwheel, nil, "[income paystubs]"},
		{"are those that the platform has", nil, schema.Pinwheel,
			[]schema.Resource{"income", "tax_forms"}, "[income]"},
		{"are none if the platform has none of ours", nil, schema.Pinwheel,
			[]schema.Resource{}, "[]"},
		{"are those of the operator that the platform has", schema.ReadyWhen{"income", "shifts"},
			schema.Pinwheel, []schema.Resource{"income", "paystubs"}, "[income]"},
		{"are none if the platform has none of them", schema.ReadyWhen{"shifts"},
			schema.Pinwheel, []schema.Resource{"income"}, "[]"},
		{"are all of a provider that has none of the operator's", schema.ReadyWhen{"tax_forms"},
			schema.Truv, nil, truvAwaits},
	} {
		t.Run(row.promise, func(t *testing.T) {
			got := row.when.Awaited(row.provider, row.supported)
			compare(t, "awaited", row.want, fmt.Sprint(got))
		})
	}
}

func TestTheStateSaysWhereTheReportsOfThePersonAre(t *testing.T) {
	e := schema.Event{
		Provider: schema.Pinwheel, ID: "reports-1", Type: "verification_reports.refreshed",
		Resource: schema.VerificationReports, Action: schema.ActionRefreshed,
		AccountID: "person 7", Of: pinwheelAccount, OccurredAt: linked, ReceivedAt: linked,
	}
	c := schema.NewCompletion(e, schema.VerificationReports, schema.Succeeded, linked)
	c.Data.AccountID = new(pinwheelAccount)
	state, _ := schema.Account{}.Merge(c, nil, linked)
	want := &schema.CompletionPlace{
		ID: c.ID, Subject: e.CompletionSubject(schema.VerificationReports),
	}
	compare(t, "place", want, state.Data.Resources[schema.VerificationReports].Completion)
}

func TestAnUnknownResourceIsRefusedWithTheKnownOnes(t *testing.T) {
	for text, want := range map[string]string{
		"paystubs, income":     "",
		"paystub":              `"paystub" is not a resource of an account: write some of `,
		"paystubs,,income":     `"" is not a resource`,
		"verification_reports": "",
		"bank_accounts,link":   "",
		"notices": "bank_accounts, employment, identity, income, link, paystubs, shifts, " +
			"tax_forms, verification_reports",
	} {
		var when schema.ReadyWhen
		err := when.UnmarshalText([]byte(text))
		if want == "" && err != nil || want != "" && (err == nil ||
			!strings.Contains(err.Error(), want)) {
			t.Errorf("%q: the error is %v, want %q", text, err, want)
		}
	}
}

func TestTheStateOfEachStatusIsFrozen(t *testing.T) {
	failed := allPaystubs
	failed.outcome = schema.Failed
	failed.class = schema.ClassTransient
	failed.refreshed = 0
	connected := word{event: "c1", resource: schema.Link, action: schema.ActionConnected, at: 10,
		outcome: schema.Succeeded, scope: schema.Snapshot, provider: schema.Truv, endUser: "user-7"}
	broken := connected
	broken.event = "d1"
	broken.action = schema.ActionDisconnected
	broken.outcome = schema.Disconnected
	broken.at = 20
	deleted := word{event: "x1", resource: schema.Link, action: schema.ActionDeleted, at: 40,
		outcome: schema.Deleted, provider: schema.Truv}
	when := schema.ReadyWhen{schema.Income, schema.Paystubs}
	for name, words := range map[string][]word{
		"linking":      {chunk(schema.Paystubs, 1, 5100)},
		"updated":      {income, chunk(schema.Paystubs, 1, 5100)},
		"ready":        {income, chunk(schema.Paystubs, 1, 5100), allPaystubs},
		"incomplete":   {income, failed},
		"disconnected": {connected, broken},
		"deleted":      {connected, deleted},
	} {
		t.Run(name, func(t *testing.T) {
			account, _ := fold(t, when, completionsOf(words...)...)
			text, err := account.Encode()
			if err != nil {
				t.Fatal(err)
			}
			jsonschematest.Account(t, text)
			golden(t, "account."+name, text)
			if want := "wagewire.account." + name + ".v1"; account.Type != want {
				t.Errorf("the type is %s, want %s", account.Type, want)
			}
		})
	}
}

func TestADeletedAccountKeepsItsIDAndNothingElse(t *testing.T) {
	connected := word{event: "c1", resource: schema.Link, action: schema.ActionConnected, at: 10,
		outcome: schema.Succeeded, provider: schema.Truv, endUser: "user-7"}
	deleted := connected
	deleted.event = "x1"
	deleted.action = schema.ActionDeleted
	deleted.outcome = schema.Deleted
	account, types := fold(t, schema.ReadyWhen{schema.Link},
		completionsOf(connected, deleted, connected, deleted, connected)...)
	text, err := account.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(text), "user-7") || account.Data.AccountID != truvAccount {
		t.Errorf("the state is %s", text)
	}
	compare(t, "types", []string{"wagewire.account.ready.v1", "wagewire.account.deleted.v1"}, types)
}
