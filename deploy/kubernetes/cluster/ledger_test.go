package cluster

import (
	"strings"
	"testing"

	"github.com/wagewire/wagewire/deploy/fake"
	"github.com/wagewire/wagewire/schema"
)

// sent is a webhook of the tests below, with the status of the response.
func sent(webhookType, id string, status int) fake.Sent {
	provider := fake.Truv
	if strings.Contains(webhookType, ".") {
		provider = fake.Pinwheel
	}
	return fake.Sent{
		Provider: provider, Type: webhookType, ID: id, Account: "an-account", Status: status,
	}
}

// completionOf is the completion of a webhook by the worker of a resource.
func completionOf(
	s fake.Sent, resource schema.Resource, outcome schema.Outcome,
) schema.Completion {
	var c schema.Completion
	event := schema.Event{Provider: schema.Provider(s.Provider), ID: s.ID, Type: s.Type}
	c.ID = event.CompletionKey(resource)
	c.Data.Provider = event.Provider
	c.Data.Resource = resource
	c.Data.Outcome = outcome
	c.Data.Event.ID = s.ID
	return c
}

func TestLedgerJudges(t *testing.T) {
	income := sent("income.added", "a", 200)
	refused := sent("income.added", "b", 503)
	connected := sent("link-connected", "c", 200)
	deleted := sent("link-deleted", "d", 200)
	unworked := sent("bill.added", "e", 200)
	done := completionOf(income, schema.Income, schema.Succeeded)
	for promise, row := range map[string]struct {
		sent        []fake.Sent
		completions []schema.Completion
		// Each is part of the only line of a list, or "" for an empty list.
		missing, wrong, refused string
	}{
		"a stored webhook with its completion is well": {
			[]fake.Sent{income}, []schema.Completion{done}, "", "", "",
		},
		"a stored webhook without a completion is missing": {
			[]fake.Sent{income}, nil, "income.added", "", "",
		},
		"a webhook that was refused and then stored needs its completion": {
			[]fake.Sent{refused, sent("income.added", "b", 200)}, nil, "income.added", "", "",
		},
		"a refused webhook is noted and needs no completion": {
			[]fake.Sent{refused}, nil, "", "", "income.added",
		},
		"a refused webhook may have been stored": {
			[]fake.Sent{refused},
			[]schema.Completion{completionOf(refused, schema.Income, schema.Succeeded)},
			"", "", "income.added",
		},
		"a type without workers needs no completion": {[]fake.Sent{unworked}, nil, "", "", ""},
		"a second completion is wrong": {
			[]fake.Sent{income}, []schema.Completion{done, done}, "", "there are two completions", "",
		},
		"a completion of nothing is wrong": {
			nil, []schema.Completion{done}, "", "the webhook was never sent", "",
		},
		"a completion by another worker is wrong": {
			[]fake.Sent{income},
			[]schema.Completion{done, completionOf(income, schema.Shifts, schema.Succeeded)},
			"", "no worker for shifts", "",
		},
		"a failure is wrong": {
			[]fake.Sent{income},
			[]schema.Completion{completionOf(income, schema.Income, schema.Failed)},
			"", "outcome failed", "",
		},
		"an erased account keeps the completion of its deletion": {
			[]fake.Sent{connected, deleted},
			[]schema.Completion{completionOf(deleted, schema.Link, schema.Deleted)}, "", "", "",
		},
		"a deletion without a completion is missing": {
			[]fake.Sent{connected, deleted}, nil, "link-deleted", "", "",
		},
	} {
		t.Run(promise, func(t *testing.T) {
			l := newLedger()
			l.add(row.sent)
			l.add(row.sent)
			v := l.judge(row.completions)
			checkLine(t, "missing", v.missing, row.missing)
			checkLine(t, "wrong", v.wrong, row.wrong)
			checkLine(t, "refused", v.refused, row.refused)
		})
	}
}

// checkLine fails the test unless the list is one line with want in it, or empty if want is.
func checkLine(t *testing.T, what string, list []string, want string) {
	t.Helper()
	good := len(list) == 0
	if want != "" {
		good = len(list) == 1 && strings.Contains(list[0], want)
	}
	if !good {
		t.Errorf("%s: %q, want %q in one line", what, list, want)
	}
}

func TestLedgerListsRefusals(t *testing.T) {
	l := newLedger()
	l.add([]fake.Sent{
		sent("income.added", "a", 200), sent("income.added", "b", 503),
		sent("income.added", "b", 200),
	})
	checkLine(t, "refusals", l.refusals(), "answered 503")
}
