package stream_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
)

func TestRoleOf(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"ingress":                       "ingress",
		"wagewire-paystubs":             "paystubs",
		"wagewire-verification-reports": "verification-reports",
		"wagewire":                      "wagewire",
		"a.b":                           schema.Token("a.b"),
		"*":                             schema.Token("*"),
		">":                             schema.Token(">"),
		"":                              schema.Token(""),
	} {
		got := stream.RoleOf(name)
		if got != want || got == "" || strings.ContainsAny(got, ".*> ") {
			t.Errorf("the role of %q is %q, want %q", name, got, want)
		}
	}
}

// forbiddenVerbs are the requests that change a stream or a queue.
var forbiddenVerbs = []string{
	"STREAM.CREATE", "STREAM.UPDATE", "STREAM.DELETE", "STREAM.PURGE", "STREAM.RESTORE",
	"CONSUMER.CREATE", "CONSUMER.DURABLE.CREATE", "CONSUMER.DELETE", "CONSUMER.PAUSE",
	"CONSUMER.RESET",
}

// isTooWide reports whether a grant covers more than it should. For the events, a grant must name
// the consumer.
func isTooWide(subject string) bool {
	return subject == ">" || strings.HasPrefix(subject, "*") ||
		strings.HasPrefix(subject, "$JS.API.>") || strings.HasPrefix(subject, "$JS.API.*") ||
		strings.Contains(subject, schema.EventsStream+".*") ||
		strings.Contains(subject, schema.EventsStream+".>")
}

// The tests in deploy/nats use the grants on a broker. This test has rules for every future grant.
func TestGrants(t *testing.T) {
	t.Parallel()
	roles := map[string]bool{}
	for _, grant := range stream.Grants() {
		if roles[grant.Role] {
			t.Errorf("two grants for %s", grant.Role)
		}
		roles[grant.Role] = true
		for _, subject := range grant.Listens {
			isPause := strings.HasPrefix(subject, "wagewire.pauses.")
			isBudget := strings.HasPrefix(subject, "wagewire.budgets.")
			if !isPause && !isBudget || isTooWide(subject) {
				t.Errorf("%s listens to %s, want its pauses and budgets", grant.Role, subject)
			}
		}
		for _, subject := range grant.Requests {
			for _, verb := range forbiddenVerbs {
				if strings.Contains(subject, verb) {
					t.Errorf("%s may %s", grant.Role, subject)
				}
			}
			if isTooWide(subject) {
				t.Errorf("%s may request %s", grant.Role, subject)
			}
		}
	}
	for _, r := range []string{
		"ingress", "employment", "identity", "income", "paystubs", "shifts", "verification-reports",
		"bank-accounts", "tax-forms", "link", "notices", "accounts",
	} {
		if !roles[r] {
			t.Errorf("no grant for %s", r)
		}
	}
	if len(roles) != 12 {
		t.Errorf("%d roles", len(roles))
	}
}

func TestAWorkerWithoutCallsHasNoRightsForBudgetsAndRefusals(t *testing.T) {
	t.Parallel()
	for _, q := range schema.QueuesOf(schema.Notices) {
		i := slices.IndexFunc(stream.Grants(),
			func(g stream.Grant) bool { return g.Role == stream.WorkerRole(q.Resource) })
		grant := stream.Grants()[i]
		for _, subject := range slices.Concat(grant.Requests, grant.Listens) {
			for _, forbidden := range []string{
				schema.BudgetSubject(q.Provider), schema.StoredBudgetSubject(q.Provider),
				schema.BudgetsStream, schema.PausesStream, schema.PauseSubject(q.Name),
				schema.ClosureSubject("", ""),
			} {
				if strings.Contains(subject, strings.TrimRight(forbidden, ".")) {
					t.Errorf("%s may send or hear %s", grant.Role, subject)
				}
			}
		}
		if len(grant.Listens) != 0 {
			t.Errorf("%s listens to %v", grant.Role, grant.Listens)
		}
	}
}

func TestOnlyWorkersThatEraseMayPublishTombstones(t *testing.T) {
	t.Parallel()
	erases := map[string]bool{}
	for _, webhook := range schema.Catalogue() {
		for _, r := range webhook.Workers {
			subject := schema.TombstoneSubject(webhook.Provider, "*")
			key := stream.WorkerRole(r) + " " + subject
			erases[key] = erases[key] || webhook.Erases
		}
	}
	for _, grant := range stream.Grants() {
		for _, p := range schema.Providers() {
			subject := schema.TombstoneSubject(p, "*")
			may := slices.Contains(grant.Requests, subject)
			if want := erases[grant.Role+" "+subject]; may != want {
				t.Errorf("%s may publish %s: %v, want %v", grant.Role, subject, may, want)
			}
		}
	}
}

func TestOnlyItsWorkerAndErasuresReachTheWaitingEventsOfAQueue(t *testing.T) {
	t.Parallel()
	for _, q := range schema.Queues() {
		isErasing := map[string]bool{}
		for _, other := range schema.Queues() {
			if other.Erases && other.Provider == q.Provider {
				isErasing[stream.WorkerRole(other.Resource)] = true
			}
		}
		for _, grant := range stream.Grants() {
			isWorker := grant.Role == stream.WorkerRole(q.Resource)
			erases := isWorker || isErasing[grant.Role]
			for subject, want := range map[string]bool{
				schema.AccountWaiting(q.Name, "*"):                              isWorker,
				schema.RetriesSubject(q.Name, "*"):                              isWorker,
				schema.ReplaysSubject(q.Name, "*"):                              isWorker && !q.Erases,
				"$JS.API.CONSUMER.MSG.NEXT." + q.WaitingStream() + "." + q.Name: isWorker,
				"$JS.API.STREAM.MSG.GET." + q.WaitingStream():                   erases,
				"$JS.API.STREAM.MSG.DELETE." + q.WaitingStream():                erases,
			} {
				if may := slices.Contains(grant.Requests, subject); may != want {
					t.Errorf("%s may request %s: %v, want %v", grant.Role, subject, may, want)
				}
			}
		}
	}
}
