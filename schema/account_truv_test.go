package schema_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/wagewire/wagewire/schema"
)

// truvAwaits is what a Truv account awaits until a report says what there is.
const truvAwaits = "[employment identity income paystubs shifts verification_reports]"

// truvWord is a completion with data of a Truv account.
func truvWord(event string, r schema.Resource, at int) word {
	return word{event: event, resource: r, action: schema.ActionCreated, at: at,
		outcome: schema.Succeeded, scope: schema.Snapshot, provider: schema.Truv}
}

// truvTask is the completion of a task's status without a report.
func truvTask(event string, at int, o schema.Outcome) word {
	w := truvWord(event, schema.VerificationReports, at)
	w.action = schema.ActionStatusUpdated
	w.outcome = o
	w.scope = ""
	if o != schema.Pending {
		w.class = schema.ClassProvider
		w.supported = []schema.Resource{schema.VerificationReports}
	}
	return w
}

// truvDone is the completion of a task that is done, with the report. refreshed is how long after
// the event the report was finished, as the report says. 0: the report does not say it.
func truvDone(event string, at, refreshed int, supported ...schema.Resource) word {
	w := truvTask(event, at, schema.Succeeded)
	w.class = ""
	w.scope = schema.Delta
	w.refreshed = refreshed
	w.supported = slices.Concat(supported, []schema.Resource{schema.VerificationReports})
	return w
}

// truvTimeline is a link as it comes: the task's way, two employments, the profile, the statements
// of each employment, shifts, bank accounts, the end of the task, and the link itself.
func truvTimeline() []word {
	return []word{
		truvTask("task-new", 0, schema.Pending),
		truvTask("task-login", 100, schema.Pending),
		truvTask("task-parse", 8000, schema.Pending),
		truvTask("task-full-parse", 30000, schema.Pending),
		truvWord("employment-1", schema.Employment, 31000),
		truvWord("employment-1", schema.Income, 31000),
		truvWord("employment-2", schema.Employment, 31200),
		truvWord("employment-2", schema.Income, 31200),
		truvWord("profile-1", schema.Identity, 31400),
		statementsOf("1", 32000), statementsOf("2", 32400),
		truvWord("shifts-1", schema.Shifts, 33000),
		truvWord("bank-accounts-1", schema.BankAccounts, 33500),
		truvDone("task-done", 72000, -1000, schema.Employment, schema.Income, schema.Identity,
			schema.Paystubs, schema.Shifts, schema.BankAccounts),
		{event: "link-1", resource: schema.Link, action: schema.ActionConnected, at: 80000,
			outcome: schema.Succeeded, scope: schema.Snapshot, provider: schema.Truv,
			endUser: "user-7"},
	}
}

func statementsOf(employment string, at int) word {
	w := truvWord(fmt.Sprint("statements-", employment, "-", at), schema.Paystubs, at)
	w.scope = schema.Delta
	w.employment = employment
	return w
}

// otherTask is the completion of a task for a product without a report.
func otherTask(event string, at int) word {
	w := truvTask(event, at, schema.Unavailable)
	w.code = schema.CodeNoReport
	w.supported = nil
	return w
}

// without returns the words that are not of the resource.
func without(r schema.Resource, words []word) []word {
	return slices.DeleteFunc(words, func(w word) bool { return w.resource == r })
}

func TestATruvAccountIsReadyExactlyWhenAllOfItsReportHasCome(t *testing.T) {
	for _, row := range []struct {
		promise string
		without []schema.Resource
	}{
		{"a link with everything", nil},
		{"a link without shifts", []schema.Resource{schema.Shifts}},
		{"a link with an employment alone",
			[]schema.Resource{schema.Identity, schema.Paystubs, schema.Shifts}},
	} {
		t.Run(row.promise, func(t *testing.T) {
			isThere := func(r schema.Resource) bool { return !slices.Contains(row.without, r) }
			var words []word
			needed := 0
			seen := map[schema.Resource]bool{}
			for _, w := range truvTimeline() {
				w.supported = slices.DeleteFunc(w.supported, func(r schema.Resource) bool {
					return !isThere(r)
				})
				if isThere(w.resource) {
					words = append(words, w)
				}
				isAwaited := strings.Contains(truvAwaits, string(w.resource))
				if isThere(w.resource) && isAwaited && !seen[w.resource] {
					seen[w.resource] = true
					needed++
				}
			}
			random := rand.New(rand.NewPCG(23, 29))
			for range 500 {
				random.Shuffle(len(words), func(i, j int) {
					words[i], words[j] = words[j], words[i]
				})
				readyAfterEach(t, words, needed)
			}
		})
	}
}

// readyAfterEach merges the words and fails the test unless the account is ready from the moment on
// at which so many awaited resources have their data.
func readyAfterEach(t *testing.T, words []word, needed int) {
	t.Helper()
	var account schema.Account
	final := map[schema.Resource]bool{}
	for _, w := range words {
		account, _ = account.Merge(w.completion(), nil, linked)
		isAwaited := strings.Contains(truvAwaits, string(w.resource))
		if isAwaited && w.outcome != schema.Pending {
			final[w.resource] = true
		}
		isReady := account.Data.Status == schema.AccountReady
		if isReady != (len(final) == needed) {
			t.Fatalf("after %v of %d resources the status is %s, waiting for %v",
				final, needed, account.Data.Status, account.Data.WaitingFor)
		}
	}
}

func TestTheStatusOfATruvAccount(t *testing.T) {
	loginError := truvTask("task-1", 5000, schema.Failed)
	noData := truvTask("task-1", 5000, schema.Unavailable)
	everything := []schema.Resource{schema.Employment, schema.Income, schema.Identity,
		schema.Paystubs, schema.Shifts, schema.BankAccounts}
	refreshFailed := truvTask("refresh-1", 900_000, schema.Failed)
	broken := word{event: "broken-1", resource: schema.Link, action: schema.ActionDisconnected,
		at: 900_500, outcome: schema.Disconnected, scope: schema.Snapshot, provider: schema.Truv}
	repaired := truvDone("refresh-2", 950_000, 0, everything...)
	repairedStale := repaired
	repairedStale.stale = true
	dead := statementsOf("3", 40000)
	dead.outcome = schema.Failed
	dead.scope = ""
	dead.class = schema.ClassTransient
	redriven := statementsOf("3", 40000)
	redriven.redrive = 1
	failedReport := truvTask("refresh-2", 950_000, schema.Failed)
	failedReport.class = schema.ClassTransient
	repairedByRedrive := repaired
	repairedByRedrive.redrive = 1
	gone := truvTask("refresh-2", 950_000, schema.Unavailable)
	gone.class = schema.ClassNotReady
	ofLink := word{event: "link-1", resource: schema.Link, action: schema.ActionConnected, at: 1,
		outcome: schema.Succeeded, scope: schema.Snapshot, provider: schema.Truv}
	ofEmployment := []word{truvWord("employment-1", schema.Employment, 31000),
		truvWord("employment-1", schema.Income, 31000)}
	noDataLater := truvTask("refresh-9", 995_000, schema.Unavailable)
	employmentReport := truvDone("voe-1", 980_000, 0, schema.Employment, schema.Income,
		schema.Identity)
	early := truvDone("task-done", 72000, -7000, schema.Employment, schema.Income)
	early.stale = true
	afterEarly := truvDone("task-done", 72000, -1000, everything...)
	afterEarly.redrive = 1
	refused := truvWord("profile-2", schema.Identity, 31500)
	refused.outcome = schema.Unavailable
	refused.scope = ""
	refused.class = schema.ClassForbidden
	staleStatements := statementsOf("3", 960_000)
	staleStatements.stale = true
	deleted := word{event: "x1", resource: schema.Link, action: schema.ActionDeleted, at: 60,
		outcome: schema.Deleted, provider: schema.Truv}
	for _, row := range []struct {
		promise string
		when    schema.ReadyWhen
		before  []word
		more    []word
		want    schema.AccountStatus
		waiting string
		failed  int
		report  schema.Outcome
	}{
		{promise: "a failed task leaves nothing to wait for", more: []word{loginError},
			want: schema.AccountIncomplete, failed: 1, report: schema.Failed},
		{promise: "also if data came before", more: []word{loginError, statementsOf("1", 4000)},
			want: schema.AccountIncomplete, failed: 1, report: schema.Failed},
		{promise: "a later task repairs it", before: truvTimeline(), more: []word{loginError},
			want: schema.AccountReady, report: schema.Succeeded},
		{promise: "also if its report does not say when it was finished",
			more: []word{loginError, truvDone("task-2", 9000, 0)},
			want: schema.AccountReady, report: schema.Succeeded},
		{promise: "also if its report was finished before the failure",
			more: []word{loginError, truvDone("task-2", 9000, -7000)},
			want: schema.AccountReady, report: schema.Succeeded},
		{promise: "such a report says again what there is",
			more: []word{loginError, truvDone("task-2", 9000, -7000, schema.Shifts)},
			want: schema.AccountLinking, waiting: "[shifts]", report: schema.Succeeded},
		{promise: "a later task covers it also if its report is not final", more: []word{loginError,
			staleReport("task-2", 9000, -7000)},
			want: schema.AccountReady, report: schema.Succeeded},
		{promise: "also if that report does not say when it was finished",
			more: []word{loginError, staleReport("task-2", 9000, 0)},
			want: schema.AccountReady, report: schema.Succeeded},
		{promise: "and if that task was a refresh", before: truvTimeline(),
			more: []word{refreshFailed, staleReport("refresh-2", 950_000, 0)},
			want: schema.AccountReady, report: schema.Succeeded},
		{promise: "a later task covers it also without data", more: []word{loginError,
			truvTask("task-2", 9000, schema.Unavailable)},
			want: schema.AccountReady, report: schema.Unavailable},
		{promise: "and if the report of the later task is gone", before: truvTimeline(),
			more: []word{refreshFailed, gone},
			want: schema.AccountReady, report: schema.Unavailable},
		{promise: "a report that nobody could fetch", before: truvTimeline(),
			more: []word{failedReport},
			want: schema.AccountIncomplete, failed: 1, report: schema.Failed},
		{promise: "such a report after its redrive", before: truvTimeline(),
			more: []word{failedReport, repairedByRedrive},
			want: schema.AccountReady, report: schema.Succeeded},
		{promise: "such a report before a later task", before: truvTimeline(),
			more: []word{failedReport, employmentReport},
			want: schema.AccountReady, report: schema.Succeeded},
		{promise: "an early report awaits what it showed, and what has come",
			more: slices.Concat(ofEmployment, []word{early, statementsOf("1", 32000)}),
			want: schema.AccountReady, report: schema.Succeeded},
		{promise: "the redrive of an early report awaits what the final one shows",
			more: slices.Concat(ofEmployment, []word{early, afterEarly}),
			want: schema.AccountLinking, waiting: "[identity paystubs shifts]",
			report: schema.Succeeded},
		{promise: "a report that is gone leaves nothing to wait for but what has come",
			more: append(slices.Clone(ofEmployment), gone),
			want: schema.AccountReady, report: schema.Unavailable},
		{promise: "a report that is gone hides no failure", more: []word{dead, gone},
			want: schema.AccountIncomplete, failed: 1, report: schema.Unavailable},
		{promise: "a task without data takes nothing from what a report showed",
			before: without(schema.Paystubs, truvTimeline()), more: []word{noDataLater},
			want: schema.AccountLinking, waiting: "[paystubs]", report: schema.Unavailable},
		{promise: "nor does the report of another product",
			before: without(schema.Paystubs, truvTimeline()), more: []word{employmentReport},
			want: schema.AccountLinking, waiting: "[paystubs]", report: schema.Succeeded},
		{promise: "a task without data hides no failure", before: truvTimeline(),
			more: []word{dead, noDataLater},
			want: schema.AccountIncomplete, failed: 1, report: schema.Unavailable},
		{promise: "nor does the report of another product hide one", before: truvTimeline(),
			more: []word{dead, employmentReport},
			want: schema.AccountIncomplete, failed: 1, report: schema.Succeeded},
		{promise: "a task without data ends ready, with nothing", more: []word{noData},
			want: schema.AccountReady, report: schema.Unavailable},
		{promise: "a task with data after one without waits for the data",
			more: []word{noData, truvDone("task-2", 9000, -7000, schema.Paystubs)},
			want: schema.AccountLinking, waiting: "[paystubs]", report: schema.Succeeded},
		{promise: "a failed refresh", before: truvTimeline(), more: []word{refreshFailed},
			want: schema.AccountIncomplete, failed: 1, report: schema.Failed},
		{promise: "a failed refresh that broke the link", before: truvTimeline(),
			more: []word{refreshFailed, broken},
			want: schema.AccountDisconnected, failed: 1, report: schema.Failed},
		{promise: "a link that works again, as the next task says", before: truvTimeline(),
			more: []word{refreshFailed, broken, repaired},
			want: schema.AccountReady, report: schema.Succeeded},
		{promise: "also if its report is not final",
			before: truvTimeline(), more: []word{refreshFailed, broken, repairedStale},
			want: schema.AccountReady, report: schema.Succeeded},
		{promise: "a report that is not final does not break the link again",
			before: truvTimeline(),
			more:   []word{refreshFailed, broken, repaired, staleReport("refresh-3", 990_000, 0)},
			want:   schema.AccountReady, report: schema.Succeeded},
		{promise: "a later task without data leaves the link as the task before found it",
			before: truvTimeline(), more: []word{refreshFailed, broken, repaired, noDataLater},
			want: schema.AccountReady, report: schema.Unavailable},
		{promise: "a task without data does not say that the link works",
			before: truvTimeline(), more: []word{refreshFailed, broken, noDataLater},
			want: schema.AccountDisconnected, report: schema.Unavailable},
		{promise: "a task of another product changes no status", before: truvTimeline(),
			more: []word{otherTask("deposit-1", 990_000)},
			want: schema.AccountReady, report: schema.Succeeded},
		{promise: "nor while it goes on", before: truvTimeline(),
			more: []word{truvTask("deposit-1", 990_000, schema.Pending)},
			want: schema.AccountReady, report: schema.Succeeded},
		{promise: "a task of another product repairs no failed task", before: truvTimeline(),
			more: []word{refreshFailed, otherTask("deposit-1", 990_000)},
			want: schema.AccountIncomplete, failed: 1, report: schema.Failed},
		{promise: "nor a broken link", before: truvTimeline(),
			more: []word{refreshFailed, broken, otherTask("deposit-1", 990_000)},
			want: schema.AccountDisconnected, failed: 1, report: schema.Failed},
		{promise: "a link with tasks of other products alone stays linking",
			more: []word{ofLink, otherTask("deposit-1", 9000)},
			want: schema.AccountLinking, waiting: truvAwaits, report: schema.Pending},
		{promise: "also before its link comes", more: []word{otherTask("deposit-1", 9000)},
			want: schema.AccountLinking, waiting: truvAwaits, report: schema.Pending},
		{promise: "it is ready if the link is enough for the operator",
			when: schema.ReadyWhen{schema.Link},
			more: []word{ofLink, otherTask("deposit-1", 9000)}, want: schema.AccountReady},
		{promise: "all data without the report waits for it, whatever other task is over",
			before: without(schema.VerificationReports, truvTimeline()),
			more:   []word{otherTask("deposit-1", 10)},
			want:   schema.AccountLinking, waiting: "[verification_reports]",
			report: schema.Pending},
		{promise: "a profile that Truv refuses", before: truvTimeline(), more: []word{refused},
			want: schema.AccountIncomplete, failed: 1, report: schema.Succeeded},
		{promise: "statements that nobody could fetch", before: truvTimeline(), more: []word{dead},
			want: schema.AccountIncomplete, failed: 1, report: schema.Succeeded},
		{promise: "statements after their redrive", before: truvTimeline(),
			more: []word{dead, redriven}, want: schema.AccountReady, report: schema.Succeeded},
		{promise: "statements that a later list of the same employment has",
			before: truvTimeline(), more: []word{dead, statementsOf("3", 960_000)},
			want: schema.AccountReady, report: schema.Succeeded},
		{promise: "a later list of another employment does not have them",
			before: truvTimeline(), more: []word{dead, statementsOf("2", 960_000)},
			want: schema.AccountIncomplete, failed: 1, report: schema.Succeeded},
		{promise: "nor has an earlier list of the same employment",
			before: truvTimeline(), more: []word{statementsOf("3", 39000), dead},
			want: schema.AccountIncomplete, failed: 1, report: schema.Succeeded},
		{promise: "nor has a list that is not all", before: truvTimeline(),
			more: []word{dead, staleStatements},
			want: schema.AccountIncomplete, failed: 1, report: schema.Succeeded},
		{promise: "bank accounts are awaited if the operator asks",
			when: schema.ReadyWhen{schema.BankAccounts},
			more: []word{truvDone("task-2", 9000, 0, everything...)},
			want: schema.AccountLinking, waiting: "[bank_accounts]", report: schema.Succeeded},
		{promise: "and are there with their completion", when: schema.ReadyWhen{schema.BankAccounts},
			before: truvTimeline(), want: schema.AccountReady, report: schema.Succeeded},
		{promise: "a report without bank accounts leaves nothing to wait for",
			when: schema.ReadyWhen{schema.BankAccounts},
			more: []word{truvDone("task-2", 9000, 0, schema.Employment)},
			want: schema.AccountReady, report: schema.Succeeded},
		{promise: "a deletion never ends", before: truvTimeline(), more: []word{deleted, repaired},
			want: schema.AccountDeleted},
	} {
		t.Run(row.promise, func(t *testing.T) {
			completions := completionsOf(slices.Concat(row.before, row.more)...)
			random := rand.New(rand.NewPCG(31, 37))
			for range 20 {
				got, _ := fold(t, row.when, completions...)
				compareState(t, got, row.want, row.waiting, row.failed)
				compare(t, "outcome of the report", row.report,
					got.Data.Resources[schema.VerificationReports].Outcome)
				random.Shuffle(len(completions), func(i, j int) {
					completions[i], completions[j] = completions[j], completions[i]
				})
			}
		})
	}
}

func TestStatementsOfManyEmploymentsFitInAState(t *testing.T) {
	var words []word
	for i := range schema.AccountEventsMax + 10 {
		employment := fmt.Sprintf("%064d", i)
		failed := statementsOf(employment, 2*i)
		failed.outcome = schema.Failed
		failed.scope = ""
		failed.class = schema.ClassTransient
		words = append(words, failed, statementsOf(employment, 2*i+1))
	}
	completions := completionsOf(words...)
	want, _ := fold(t, nil, completions...)
	paystubs := want.Data.Resources[schema.Paystubs]
	compare(t, "failed", []schema.FailedEvent{}, paystubs.Failed)
	compare(t, "lists", schema.AccountEventsMax,
		len(want.Data.Basis.Resources[schema.Paystubs].Statements))
	random := rand.New(rand.NewPCG(41, 43))
	for range 5 {
		random.Shuffle(len(completions), func(i, j int) {
			completions[i], completions[j] = completions[j], completions[i]
		})
		got, _ := fold(t, nil, completions...)
		compare(t, "state", lasting(t, want), lasting(t, got))
	}
}

func staleReport(event string, at, refreshed int) word {
	w := truvDone(event, at, refreshed)
	w.stale = true
	return w
}

// former is the state of a Truv account as the release before stored it: it knew the link alone.
const former = `{"specversion":"1.0","id":"truv:` + truvAccount + `:2026-01-12T02:37:50Z",
"source":"urn:wagewire:worker:accounts","type":"wagewire.account.ready.v1",
"subject":"` + truvAccount + `","time":"2026-01-12T02:37:50Z","datacontenttype":"application/json",
"dataschema":"urn:wagewire:schema:account:v1","data":{"provider":"truv",
"account_id":"` + truvAccount + `","end_user_id":"user-7","status":"ready",
"since":"2026-01-12T02:37:50Z","awaited":["link"],"waiting_for":[],"resources":{"link":{
"outcome":"succeeded","synced":null,"event":{"id":"link-1","type":"link-connected",
"occurred_at":"2026-01-12T02:37:50Z","received_at":"2026-01-12T02:37:50.3Z"},"refreshed_at":null,
"sequence":"2026-01-12T02:37:50.000000000Z/2026-01-12T02:37:51.000000000Z/truv:link-1:link",
"completion":{"id":"truv:link-1:link",
"subject":"wagewire.completions.truv.link.` + truvAccount + `.link-1"},"failed":[],"error":null}},
"basis":{"end_user":{"id":"user-7",
"sequence":"2026-01-12T02:37:50.000000000Z/2026-01-12T02:37:51.000000000Z/truv:link-1:link"},
"resources":{"link":{"word":WORD,"snapshot":WORD,"reached":WORD}}}}}`

// formerWord is the word of the link in the state of the release before.
const formerWord = `{"outcome":"succeeded","action":"connected","event":{"id":"link-1",
"type":"link-connected","occurred_at":"2026-01-12T02:37:50Z",
"received_at":"2026-01-12T02:37:50.3Z"},
"sequence":"2026-01-12T02:37:50.000000000Z/2026-01-12T02:37:51.000000000Z/truv:link-1:link"}`

func TestAStateOfTheReleaseBeforeMergesWithWhatIsNew(t *testing.T) {
	completions := completionsOf(truvTimeline()...)
	want, _ := fold(t, nil, completions...)
	account, err := schema.DecodeAccount([]byte(strings.ReplaceAll(former, "WORD", formerWord)))
	if err != nil {
		t.Fatal(err)
	}
	for i, c := range completions {
		account, _ = account.Merge(c, nil, linked)
		isLast := i >= len(completions)-2 // the report, and the link, which the state had
		if (account.Data.Status == schema.AccountReady) != isLast {
			t.Errorf("after %s the status is %s", c.ID, account.Data.Status)
		}
	}
	compare(t, "state", lasting(t, want), lasting(t, account))
}

func TestTheStateOfALinkConnectedLongAgo(t *testing.T) {
	again := word{event: "link-2", resource: schema.Link, action: schema.ActionConnected,
		at: 80_000_000, outcome: schema.Succeeded, scope: schema.Snapshot, provider: schema.Truv}
	changed := statementsOf("1", 90_000_000)
	changed.action = schema.ActionUpdated
	refreshed := truvDone("refresh-1", 91_000_000, 0, schema.Employment, schema.Paystubs)
	for _, row := range []struct {
		promise string
		when    schema.ReadyWhen
		more    []word
		want    schema.AccountStatus
		waiting string
	}{
		{"awaits the data with its next completion", nil, []word{again},
			schema.AccountLinking, truvAwaits},
		{"awaits what a refresh shows and does not bring", nil,
			[]word{again, changed, refreshed}, schema.AccountLinking, "[employment]"},
		{"is ready with the report of a refresh, if the operator awaits no more",
			schema.ReadyWhen{schema.VerificationReports}, []word{again, changed, refreshed},
			schema.AccountReady, "[]"},
		{"stays ready if the link is enough for the operator", schema.ReadyWhen{schema.Link},
			[]word{again}, schema.AccountReady, "[]"},
	} {
		t.Run(row.promise, func(t *testing.T) {
			account, err := schema.DecodeAccount(
				[]byte(strings.ReplaceAll(former, "WORD", formerWord)))
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range completionsOf(row.more...) {
				account, _ = account.Merge(c, row.when, linked)
			}
			compare(t, "status", row.want, account.Data.Status)
			compare(t, "waiting for", row.waiting, fmt.Sprint(account.Data.WaitingFor))
		})
	}
}
