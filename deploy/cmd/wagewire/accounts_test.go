package main

import (
	"context"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
	"github.com/wagewire/wagewire/workers"
)

// tellAccount stores a completion of the account's link.
func (b *bench) tellAccount(account string, o schema.Outcome) schema.Event {
	b.Helper()
	e := schema.Event{
		Provider: schema.Truv, ID: "e-" + account, Type: "link-connected",
		Resource: schema.Link, Action: schema.ActionConnected, AccountID: account,
		OccurredAt: receivedAt, ReceivedAt: receivedAt,
	}
	c := schema.NewCompletion(e, schema.Link, o, receivedAt)
	c.Data.AccountID = &account
	if o == schema.Failed {
		c.Data.Error = &schema.CompletionError{Class: string(schema.ClassTransient)}
	}
	_, err := b.conn.PublishCompletion(b.Context(), e, c)
	b.must(err)
	return e
}

// keepAccounts runs the worker accounts until the test ends.
func (b *bench) keepAccounts() {
	b.Helper()
	accounts := workers.NewAccounts(b.server.Connect(b.T),
		workers.AccountsConfig{ReadyWhen: schema.ReadyWhen{schema.Link}},
		zap.NewNop(), prometheus.NewRegistry())
	ctx, cancel := context.WithCancel(b.Context())
	var running sync.WaitGroup
	running.Go(func() { _ = accounts.Run(ctx) })
	b.Cleanup(func() { cancel(); running.Wait() })
}

func TestAccountsAreShownListedAndMadeAnew(t *testing.T) {
	b := newBench(t)
	b.tellAccount("a-1", schema.Succeeded)
	b.tellAccount("a-2", schema.Failed)
	gone := b.tellAccount("a.3", schema.Succeeded)
	b.keepAccounts()
	contains(t, b.runs(0, "accounts", "rebuild").stdout, "every stored completion is read\n")
	contains(t, b.runs(0, "accounts", "list").stdout, "ready         2\n", "incomplete    1\n")
	contains(t, b.runs(0, "accounts", "list", "--status", "incomplete").stdout, "truv  a-2\n")
	contains(t, b.runs(0, "accounts", "show", "a-1").stdout, `"status": "ready"`)
	contains(t, b.runs(0, "accounts", "show", "a.3").stdout, `"account_id": "a.3"`)
	contains(t, b.runs(0, "accounts", "show", gone.Account()).stdout, `"account_id": "a.3"`)
	contains(t, b.runs(1, "accounts", "show", "*").stderr, "there is no state of account")

	// A message that is no state keeps nobody from the others.
	_, err := b.js.Publish(t.Context(), "wagewire.accounts.truv.odd", []byte("7"))
	b.must(err)
	odd := b.runs(1, "accounts", "list")
	contains(t, odd.stdout, "ready         2\n")
	contains(t, odd.stderr, "of WAGEWIRE_ACCOUNTS: the message is no state: delete the message")

	// The completion of an account is gone, as after its retention.
	completions, err := b.js.Stream(t.Context(), schema.CompletionsStream)
	b.must(err)
	m, err := completions.GetLastMsgForSubject(t.Context(), gone.CompletionSubject(schema.Link))
	b.must(err)
	b.must(completions.DeleteMsg(t.Context(), m.Sequence))
	dry := b.runs(0, "accounts", "rebuild", "--from-scratch", "--dry-run")
	contains(t, dry.stdout, "3 states; 1 remembers completions that are no longer stored, and would forget them\n")
	contains(t, dry.stderr, "nothing was done\n")
	b.runs(0, "accounts", "rebuild")
	contains(t, b.runs(0, "accounts", "show", "a.3").stdout, `"status": "ready"`)
	contains(t, b.runs(2, "accounts", "rebuild", "--from-scratch").stderr, "--yes")
	b.runs(0, "accounts", "rebuild", "--from-scratch", "--yes")
	contains(t, b.runs(1, "accounts", "show", "a.3").stderr, "there is no state of account a.3")
	contains(t, b.runs(0, "accounts", "show", "a-2").stdout, `"status": "incomplete"`)
}

func TestATeamThatIsRemovedLosesItsDurableOfAccounts(t *testing.T) {
	b := newBench(t)
	dir := secretsOf(t)
	b.runs(0, "team", "add", "lending", "--resources", "paystubs", "--dir", dir)
	_, err := b.js.Consumer(t.Context(), schema.AccountsStream, "lending")
	b.must(err)
	b.runs(0, "team", "remove", "lending", "--dir", dir, "--yes")
	if _, err := b.js.Consumer(t.Context(), schema.AccountsStream, "lending"); err == nil {
		t.Error("the durable of accounts is still there")
	}
	contains(t, b.runs(2, "team", "add", stream.RoleAccounts, "--resources", "paystubs", "--dir",
		dir).stderr, "the name of a durable of Wagewire")
}
