package ledger

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"time"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/jsonschema/jsonschematest"
)

// States compares the states of accounts with the stored completions: each state must be what all
// completions of its account make together. A run adds every message of both streams, in any order,
// after the worker of accounts has read the last completion.
type States struct {
	when schema.ReadyWhen
	// made are the states of the completions, stored those of the stream: by subject.
	made   map[string]schema.Account
	stored map[string]schema.Account
	faults []Violation
}

// NewStates returns a comparison for a worker of accounts with the setting.
func NewStates(when schema.ReadyWhen) *States {
	return &States{
		when: when, made: map[string]schema.Account{}, stored: map[string]schema.Account{},
	}
}

// AddCompletion adds a message of the completions stream. A tombstone, and a completion of a person
// without an account, are part of no state.
func (s *States) AddCompletion(m Message) {
	var c schema.Completion
	if err := json.Unmarshal(m.Data, &c); err != nil || c.Data.AccountID == nil {
		return // a tombstone has no body
	}
	subject := schema.AccountSubject(c.Data.Provider, schema.Token(*c.Data.AccountID))
	if merged, changed := s.made[subject].Merge(c, s.when, time.Unix(0, 0)); changed {
		s.made[subject] = merged
	}
}

// AddState adds a message of the stream of states.
func (s *States) AddState(m Message) {
	if err := jsonschematest.CheckAccount(m.Data); err != nil {
		s.violate(Invalid, m.Subject, err.Error())
	}
	account, err := schema.DecodeAccount(m.Data)
	if err != nil {
		s.violate(Invalid, m.Subject, err.Error())
		return
	}
	if want := schema.AccountSubject(account.Data.Provider, account.Subject); want != m.Subject {
		s.violate(Changed, m.Subject, "the state belongs to "+want)
	}
	s.stored[m.Subject] = account
}

func (s *States) violate(what, subject, why string) {
	s.faults = append(s.faults, Violation{what, subject, why})
}

// Violations returns the faults of the states, and each difference from the completions.
func (s *States) Violations() []Violation {
	all := slices.Clone(s.faults)
	for _, subject := range slices.Sorted(maps.Keys(s.made)) {
		want := dataOf(s.made[subject])
		stored, ok := s.stored[subject]
		if !ok {
			all = append(all, Violation{State, subject,
				"there is no state; the completions make " + string(want)})
			continue
		}
		if got := dataOf(stored); !bytes.Equal(got, want) {
			all = append(all, Violation{State, subject,
				"the state is " + string(got) + ", and the completions make " + string(want)})
		}
	}
	for _, subject := range slices.Sorted(maps.Keys(s.stored)) {
		if _, ok := s.made[subject]; !ok {
			all = append(all, Violation{State, subject, "no completion makes this state"})
		}
	}
	return all
}

// dataOf is the JSON of a state's data. The time of the status depends on when the worker read the
// completions, and is left out.
func dataOf(a schema.Account) []byte {
	a.Data.Since = time.Time{}
	text, err := json.Marshal(a.Data)
	if err != nil {
		panic(err) // the data was decoded from JSON
	}
	return text
}
