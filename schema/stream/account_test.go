package stream_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
	"github.com/wagewire/wagewire/schema/stream/streamtest"
)

// ofAccount is a completion of a link with everything that a state needs.
func ofAccount(e schema.Event, o schema.Outcome) schema.Completion {
	c := completion(e, o)
	c.Data.AccountID = &e.AccountID
	c.Data.EndUserID = new("person-" + e.AccountID)
	c.Data.Scope = new(schema.Snapshot)
	return c
}

// merge reads a state, adds a completion, and stores the next state.
func merge(
	t *testing.T, c *stream.Conn, read stream.AccountState, completion schema.Completion,
) (stored bool) {
	t.Helper()
	next, changed := read.Merge(completion, nil, received)
	if !changed {
		t.Fatalf("%s changes nothing", completion.ID)
	}
	stored, err := c.StoreState(t.Context(), read, next)
	must(t, err)
	return stored
}

func stateOf(t *testing.T, c *stream.Conn, account string) stream.AccountState {
	t.Helper()
	state, err := c.State(t.Context(), schema.Truv, account)
	must(t, err)
	return state
}

func TestAStateReplacesOnlyTheStateThatWasRead(t *testing.T) {
	t.Parallel()
	s, c := streamtest.New(t)
	c.BePatient()
	none := stateOf(t, c, "a-1")
	connected := ofAccount(link("e-1", "a-1", schema.ActionConnected), schema.Succeeded)
	broken := ofAccount(link("e-2", "a-1", schema.ActionDisconnected), schema.Disconnected)
	if !merge(t, c, none, connected) {
		t.Error("the first state is not stored")
	}
	if merge(t, c, none, broken) {
		t.Error("a state that was made without the first is stored")
	}
	first := stateOf(t, c, "a-1")
	if !first.Exists() || first.Data.Status != schema.AccountLinking {
		t.Errorf("the state is %+v", first)
	}
	if !merge(t, c, first, broken) {
		t.Error("the second state is not stored")
	}
	if merge(t, c, first, broken) {
		t.Error("the second state is stored twice")
	}
	messages := look(t, s).all(schema.AccountsStream, schema.AllAccounts)
	if len(messages) != 1 || messages[0].Subject != "wagewire.accounts.truv.a-1" {
		t.Errorf("the stream has %d states", len(messages))
	}
}

func TestTheStateOfADeletedAccountLeavesNoNameOnDisk(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := streamtest.Run(t, streamtest.Config{Dir: dir})
	c := s.Connect(t)
	c.BePatient()
	streamtest.Provision(t, c, streamtest.Topology())
	connected := ofAccount(link("e-1", "a-1", schema.ActionConnected), schema.Succeeded)
	deleted := completion(link("e-2", "a-1", schema.ActionDeleted), schema.Deleted)
	deleted.Data.AccountID = new("a-1")
	if !merge(t, c, stateOf(t, c, "a-1"), connected) ||
		!merge(t, c, stateOf(t, c, "a-1"), deleted) {
		t.Error("a state is not stored")
	}
	if got := stateOf(t, c, "a-1"); got.Data.Status != schema.AccountDeleted {
		t.Errorf("the state is %+v", got)
	}
	s.Stop()
	if onDisk(t, dir, "person-a-1", schema.AccountsStream) {
		t.Error("the person's id is still on disk")
	}
	if !onDisk(t, dir, "wagewire.account.deleted.v1", schema.AccountsStream) {
		t.Error("the last state is not on disk")
	}
}

func TestAFullStreamOfStatesRefusesAStateAndDropsNone(t *testing.T) {
	t.Parallel()
	s, c := start(t, func(topology *schema.Topology) {
		streamIn(topology, schema.AccountsStream).MaxBytes = 16 << 10
	})
	c.BePatient()
	store := func(account string) (stored bool, err error) {
		read := stateOf(t, c, account)
		e := link("e-"+account, account, schema.ActionConnected)
		next, _ := read.Merge(ofAccount(e, schema.Succeeded), nil, received)
		return c.StoreState(t.Context(), read, next)
	}
	n := 0
	for ; ; n++ {
		stored, err := store(fmt.Sprint("a-", n))
		if stored == (err != nil) {
			t.Fatalf("StoreState = %v, %v", stored, err)
		}
		if errors.Is(err, stream.ErrFull) {
			break
		}
		must(t, err)
	}
	if got := look(t, s).state(schema.AccountsStream).Msgs; got != uint64(n) {
		t.Errorf("the stream has %d states of %d", got, n)
	}
	deleted := completion(link("e-d", "a-0", schema.ActionDeleted), schema.Deleted)
	deleted.Data.AccountID = new("a-0")
	if !merge(t, c, stateOf(t, c, "a-0"), deleted) {
		t.Error("an account is not deleted on a full stream")
	}
}

// before is the topology of the release without accounts.
func before(topology *schema.Topology) {
	topology.Streams = slices.DeleteFunc(topology.Streams, func(s schema.Stream) bool {
		return s.Name == schema.AccountsStream
	})
}

func TestAnInstallationWithoutAccountsGetsThemAndReadsTheCompletionsOfBefore(t *testing.T) {
	t.Parallel()
	s, c := start(t, before)
	must(t, look(t, s).DeleteConsumer(t.Context(), schema.CompletionsStream, "accounts"))
	e := link("e-1", "a-1", schema.ActionConnected)
	complete(t, c, e, ofAccount(e, schema.Succeeded))
	accounts := c.Accounts()
	if err := accounts.Ready(t.Context()); err == nil ||
		!strings.Contains(err.Error(), "wagewire provision apply") {
		t.Errorf("before: ready says %v", err)
	}
	changes := texts(plan(t, c, streamtest.Topology()))
	if len(changes) != 2 || !strings.HasPrefix(changes[0], "+ stream WAGEWIRE_ACCOUNTS\n") ||
		!strings.Contains(changes[0], "allow_direct: true") ||
		!strings.HasPrefix(changes[1], "+ durable accounts\n") {
		t.Fatalf("the plan is %q", changes)
	}
	streamtest.Provision(t, c, streamtest.Topology())
	must(t, accounts.Ready(t.Context()))
	told := consumeOne(t, accounts)
	if told.Err != nil || told.Completion.Data.Event.ID != "e-1" || told.Account != "a-1" {
		t.Errorf("told %+v", told)
	}
}

// consumeOne takes and settles one completion.
func consumeOne(t *testing.T, accounts *stream.Accounts) *stream.Told {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var told *stream.Told
	accounts.Consume(ctx, 1, func(got *stream.Told) {
		defer cancel()
		told = got
		if err := got.Done(); err != nil {
			t.Error(err)
		}
	})
	return told
}

func TestTheDurableOfAccountsIsNoTeams(t *testing.T) {
	t.Parallel()
	s, c := streamtest.New(t)
	if got := durables(t, c); len(got) != 0 {
		t.Errorf("teams list %+v", got)
	}
	if err := stream.CheckTeamName("accounts"); err == nil {
		t.Error("a team may be called accounts")
	}
	must(t, look(t, s).DeleteConsumer(t.Context(), schema.CompletionsStream, "accounts"))
	makeByHand(t, s, jetstream.ConsumerConfig{
		Durable: "accounts", AckPolicy: jetstream.AckExplicitPolicy,
	})
	changes := plan(t, c, streamtest.Topology())
	if len(changes) != 1 || !strings.Contains(changes[0].Refused, "the durable is of a team") {
		t.Errorf("the plan is %q", texts(changes))
	}
	if got := durables(t, c); len(got) != 1 {
		t.Errorf("teams list %+v", got)
	}
}

func TestACompletionForAccounts(t *testing.T) {
	t.Parallel()
	s, c := streamtest.New(t)
	e := link("e-1", "a-1", schema.ActionConnected)
	good, err := ofAccount(e, schema.Succeeded).Encode()
	must(t, err)
	person := ofAccount(e, schema.Succeeded)
	person.Data.AccountID = nil
	named, err := json.Marshal(person)
	must(t, err)
	for promise, row := range map[string]struct {
		subject string
		body    []byte
		wrong   string
		account string
	}{
		"is decoded":                      {e.CompletionSubject(schema.Link), good, "", "a-1"},
		"has no account if it names none": {"wagewire.completions.truv.link.h_X.e", named, "", "h_X"},
		"must be JSON": {
			"wagewire.completions.truv.link.a-1.e-2", []byte("{"), "decode the completion", "",
		},
		"must be of its subject": {
			"wagewire.completions.truv.link.a-2.e-1", good, "belongs to", "a-2",
		},
	} {
		t.Run(promise, func(t *testing.T) {
			_, err := look(t, s).PublishMsg(t.Context(),
				&nats.Msg{Subject: row.subject, Data: row.body})
			must(t, err)
			told := consumeOne(t, c.Accounts())
			wrong := ""
			if told.Err != nil {
				wrong = told.Err.Error()
			}
			if !strings.Contains(wrong, row.wrong) || (row.wrong == "") != (wrong == "") ||
				told.Account != row.account {
				t.Errorf("told %+v, want %q of %q", told, row.wrong, row.account)
			}
		})
	}
}

func TestATeamGetsTheStatesOfAccounts(t *testing.T) {
	t.Parallel()
	s, c := streamtest.New(t)
	for _, id := range []string{"a-1", "a-2"} {
		connected := ofAccount(link("e-"+id, id, schema.ActionConnected), schema.Succeeded)
		merge(t, c, stateOf(t, c, id), connected)
	}
	for _, want := range []int{1, 0} {
		changes, err := operator(c).PlanTeamAccounts(t.Context(), lending())
		must(t, err)
		if len(changes) != want {
			t.Errorf("the plan is %q, want %d changes", texts(changes), want)
		}
		must(t, operator(c).Apply(t.Context(), changes))
	}
	consumer, err := look(t, s).Consumer(t.Context(), schema.AccountsStream, "lending")
	must(t, err)
	if n := consumer.CachedInfo().NumPending; n != 2 {
		t.Errorf("the durable has %d states, want 2", n)
	}
	must(t, operator(c).DeleteTeamAccounts(t.Context(), "lending"))
	must(t, operator(c).DeleteTeamAccounts(t.Context(), "lending"))
	answer, err := look(t, s).nats.Request(
		"$JS.API.DIRECT.GET.WAGEWIRE_ACCOUNTS.wagewire.accounts.truv.a-2", nil, 5*time.Second)
	must(t, err)
	account, err := schema.DecodeAccount(answer.Data)
	must(t, err)
	if account.Data.AccountID != "a-2" || answer.Header.Get("Status") != "" {
		t.Errorf("the direct get brings %+v", account)
	}
}

func TestARestartReadsEveryCompletionAgain(t *testing.T) {
	t.Parallel()
	_, c := streamtest.New(t)
	c.BePatient()
	for _, id := range []string{"a-1", "a-2"} {
		e := link("e-"+id, id, schema.ActionConnected)
		complete(t, c, e, ofAccount(e, schema.Succeeded))
		merge(t, c, stateOf(t, c, id), ofAccount(e, schema.Succeeded))
		consumeOne(t, c.Accounts())
	}
	left := func() uint64 {
		progress, err := operator(c).AccountsProgress(t.Context())
		must(t, err)
		return progress.Left()
	}
	if n := left(); n != 0 {
		t.Errorf("%d completions are left", n)
	}
	must(t, operator(c).RestartAccounts(t.Context(), operator(c).PurgeStates))
	if n := left(); n != 2 {
		t.Errorf("after the restart %d completions are left, want 2", n)
	}
	must(t, operator(c).States(t.Context(), func(a schema.Account) error {
		t.Errorf("the state %+v is still there", a)
		return nil
	}))
	stored, err := operator(c).StoredCompletions(t.Context())
	must(t, err)
	for subject, want := range map[string]bool{
		"wagewire.accounts.truv.a-1":                true,
		"wagewire.completions.truv.link.a-1.e-a-1":  true,
		"wagewire.accounts.truv.a-3":                false,
		"wagewire.completions.truv.link.a-1.e-none": false,
	} {
		if stored.Has(subject) != want {
			t.Errorf("%s is stored: %v", subject, !want)
		}
	}
}
