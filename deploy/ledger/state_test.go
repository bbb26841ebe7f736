package ledger

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wagewire/wagewire/schema"
)

func TestStatesAreWhatTheCompletionsMake(t *testing.T) {
	account := "a1"
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	completion := func(r schema.Resource, webhookType string, o schema.Outcome) schema.Completion {
		e := schema.Event{
			Provider: schema.Pinwheel, ID: string(r) + "-1", Type: webhookType, AccountID: account,
			Resource: r, Action: schema.ActionAdded, OccurredAt: at, ReceivedAt: at,
		}
		c := schema.NewCompletion(e, r, o, at)
		c.Data.AccountID = new(account)
		return c
	}
	income := completion(schema.Income, "income.added", schema.Succeeded)
	identity := completion(schema.Identity, "identity.added", schema.Failed)
	state := func(all ...schema.Completion) schema.Account {
		var a schema.Account
		for _, c := range all {
			a, _ = a.Merge(c, nil, at)
		}
		return a
	}
	for promise, row := range map[string]struct {
		completions []schema.Completion
		states      []schema.Account
		want        []string // the names of the violations
	}{
		"the state of all completions is right": {
			[]schema.Completion{income, identity}, []schema.Account{state(income, identity)}, nil},
		"also in another order": {
			[]schema.Completion{income, identity}, []schema.Account{state(identity, income)}, nil},
		"a completion that the state lacks is a violation": {
			[]schema.Completion{income, identity}, []schema.Account{state(income)},
			[]string{State}},
		"a missing state is a violation": {
			[]schema.Completion{income}, nil, []string{State}},
		"a state without a completion is a violation": {
			nil, []schema.Account{state(income)}, []string{State}},
		"a state that breaks its schema is a violation": {
			nil, []schema.Account{{}}, []string{Invalid, Changed, State}},
	} {
		t.Run(promise, func(t *testing.T) {
			s := NewStates(nil)
			for _, c := range row.completions {
				body, err := c.Encode()
				if err != nil {
					t.Fatal(err)
				}
				s.AddCompletion(Message{Data: body})
			}
			for _, a := range row.states {
				body, err := a.Encode()
				if err != nil {
					t.Fatal(err)
				}
				subject := schema.AccountSubject(schema.Pinwheel, account)
				s.AddState(Message{Subject: subject, Data: body})
			}
			var got []string
			for _, v := range s.Violations() {
				got = append(got, v.What)
			}
			if diff := cmp.Diff(row.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s\n%v", diff, s.Violations())
			}
		})
	}
}
