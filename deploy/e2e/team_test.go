package e2e

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	natsgo "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/wagewire/wagewire/deploy/nats"
	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
	"github.com/wagewire/wagewire/schema/stream/streamtest"
)

// Whole account numbers are for teams that were granted them: a team with every other resource gets
// no byte of a person's account numbers, also not within a report.
func TestATeamWithoutBankAccountsGetsNoAccountNumber(t *testing.T) {
	t.Parallel()
	operators := newTool(t)
	s := upInProcess(t, startInProcess, nil)
	others := slices.DeleteFunc(schema.WorkerResources(), func(r schema.Resource) bool {
		return r == schema.BankAccounts
	})
	s.addTeam(t, operators, "lenders", others)
	s.addTeam(t, operators, "treasury", []schema.Resource{schema.BankAccounts})

	s.person = s.newPerson(t)
	accounts, err := s.servedByTruv(schema.BankAccounts)
	if err != nil || len(accounts) == 0 {
		t.Fatalf("Truv has %d bank accounts, %v", len(accounts), err)
	}
	granted := 0 // completions for the team without bank accounts
	for _, w := range schema.Catalogue() {
		if w.Erases || len(w.Workers) == 0 {
			continue
		}
		s.webhook(t, w.Name, s.person)
		granted += len(w.Workers)
		if slices.Contains(w.Workers, schema.BankAccounts) {
			granted--
		}
	}
	if err := s.settled(); err != nil {
		t.Fatal(err)
	}
	lenders := s.readAs(t, "lenders")
	treasury := s.readAs(t, "treasury")
	if len(lenders) != granted {
		t.Errorf("the team without bank accounts reads %d completions of %d", len(lenders), granted)
	}
	isTold := func(messages []jetstream.Msg, account string) bool {
		return slices.ContainsFunc(messages, func(m jetstream.Msg) bool {
			text := m.Subject() + string(m.Data())
			return strings.Contains(text, account)
		})
	}
	for account := range accounts {
		if isTold(lenders, account) {
			t.Error("a team without bank accounts reads an account number")
		}
		if !isTold(treasury, account) {
			t.Error("the team with bank accounts lacks an account number")
		}
	}
}

// addTeam makes a team with a key, as an operator does.
func (s *script) addTeam(t *testing.T, operators tool, name string, resources []schema.Resource) {
	t.Helper()
	var names []string
	for _, r := range resources {
		names = append(names, string(r))
	}
	keys := filepath.Dir(s.stack.Addresses().Credentials)
	operators.prints(t, s, "team", "add", name, "--resources", strings.Join(names, ","),
		"--dir", keys, "--yes")
}

// readAs reads every completion that a team gets, with the team's key.
func (s *script) readAs(t *testing.T, team string) (messages []jetstream.Msg) {
	t.Helper()
	addresses := s.stack.Addresses()
	seed := filepath.Join(filepath.Dir(addresses.Credentials), nats.TeamSeedFile(team))
	key, err := natsgo.NkeyOptionFromSeed(seed)
	if err != nil {
		t.Fatal(err)
	}
	var durable jetstream.Consumer
	streamtest.Eventually(t, "the broker knows team "+team, func() bool {
		nc, err := natsgo.Connect(addresses.NATS, key)
		if err != nil {
			return false
		}
		t.Cleanup(nc.Close)
		js, err := jetstream.NewWithDomain(nc, stream.Domain)
		if err != nil {
			t.Fatal(err)
		}
		durable, err = js.Consumer(t.Context(), schema.CompletionsStream, team)
		return err == nil
	})
	for {
		info, err := durable.Info(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if info.NumPending == 0 {
			return messages
		}
		m, err := durable.Next(jetstream.FetchContext(t.Context()))
		if err != nil {
			t.Fatal(err)
		}
		if err := m.DoubleAck(t.Context()); err != nil {
			t.Fatal(err)
		}
		messages = append(messages, m)
	}
}
