package workers

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/zap/zaptest"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/jsonschema/jsonschematest"
	"github.com/wagewire/wagewire/schema/stream"
	"github.com/wagewire/wagewire/schema/stream/streamtest"
)

// keeper is a running keeper of the states.
type keeper struct {
	*Accounts
	stop func()
}

func startKeeper(t *testing.T, s *streamtest.Server) *keeper {
	t.Helper()
	accounts := NewAccounts(
		s.Connect(t), AccountsConfig{}, zaptest.NewLogger(t), prometheus.NewRegistry())
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() {
		if err := accounts.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	stop := func() { cancel(); running.Wait() }
	t.Cleanup(stop)
	return &keeper{accounts, stop}
}

// accountStory is the completions of an account, in the order of their events: parts of the past
// come before the whole past, and one event fails and is sent again.
func accountStory(account string) []schema.Completion {
	var story []schema.Completion
	at := time.Date(2026, 1, 12, 2, 36, 30, 0, time.UTC)
	tell := func(r schema.Resource, action string, o schema.Outcome, scope schema.Scope, n int) {
		at = at.Add(time.Second)
		e := schema.Event{
			Provider: schema.Pinwheel, ID: fmt.Sprintf("%s-%d", r, n), Type: string(r) + "." + action,
			Resource: r, Action: action, AccountID: account, OccurredAt: at, ReceivedAt: at,
		}
		redrives := 0
		if o == schema.Failed {
			redrives = 1
		}
		for e.Redrive = range redrives + 1 {
			c := schema.NewCompletion(e, r, o, at.Add(time.Minute))
			c.Data.AccountID = &e.AccountID
			c.Data.Scope = &scope
			c.Data.Attempts = 1
			if o == schema.Failed {
				c.Data.Scope = nil
				c.Data.Error = &schema.CompletionError{Class: string(schema.ClassTransient)}
			}
			story = append(story, c)
			o = schema.Succeeded
		}
	}
	tell(schema.Identity, schema.ActionAdded, schema.Succeeded, schema.Snapshot, 1)
	tell(schema.Income, schema.ActionAdded, schema.Succeeded, schema.Snapshot, 1)
	tell(schema.Paystubs, schema.ActionAdded, schema.Failed, schema.Delta, 1)
	tell(schema.Shifts, schema.ActionAdded, schema.Succeeded, schema.Delta, 1)
	tell(schema.Paystubs, schema.ActionFullySynced, schema.Failed, schema.Snapshot, 2)
	tell(schema.Shifts, schema.ActionFullySynced, schema.Succeeded, schema.Snapshot, 2)
	tell(schema.Employment, schema.ActionAdded, schema.Succeeded, schema.Snapshot, 1)
	return story
}

// dial returns a connection without package stream.
func dial(t *testing.T, s *streamtest.Server) *nats.Conn {
	t.Helper()
	nc, err := nats.Connect(s.URL())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	return nc
}

func jetStreamOf(t *testing.T, nc *nats.Conn) jetstream.JetStream {
	t.Helper()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	return js
}

func publishStory(t *testing.T, conn *stream.Conn, story []schema.Completion) {
	t.Helper()
	for _, i := range rand.Perm(len(story)) {
		c := story[i]
		e := schema.Event{
			Provider: c.Data.Provider, ID: c.Data.Event.ID, AccountID: *c.Data.AccountID,
			Redrive: c.Data.Redrive,
		}
		if _, err := conn.PublishCompletion(t.Context(), e, c); err != nil {
			t.Fatal(err)
		}
	}
}

// lastingState is the state without the parts that depend on the order of arrival.
func lastingState(a schema.Account) string {
	a.ID = ""
	a.Type = ""
	a.Time = time.Time{}
	a.Data.Since = time.Time{}
	text, err := a.Encode()
	if err != nil {
		panic(err)
	}
	return string(text)
}

func foldStory(story []schema.Completion) schema.Account {
	var account schema.Account
	for _, c := range story {
		account, _ = account.Merge(c, nil, time.Now())
	}
	return account
}

// awaitRead waits until every completion is read and settled.
func awaitRead(t *testing.T, conn *stream.Conn) {
	t.Helper()
	streamtest.Eventually(t, "every completion is read", func() bool {
		progress, err := stream.NewOperator(conn).AccountsProgress(t.Context())
		return err == nil && progress.Left() == 0
	})
}

func checkState(t *testing.T, conn *stream.Conn, account string, want schema.Account) {
	t.Helper()
	got, err := conn.State(t.Context(), schema.Pinwheel, account)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(lastingState(want), lastingState(got.Account)); diff != "" {
		t.Errorf("state of %s (-want +got):\n%s", account, diff)
	}
	if !got.Exists() {
		return
	}
	text, err := got.Encode()
	if err != nil {
		t.Fatal(err)
	}
	jsonschematest.Account(t, text)
}

// TestAKeeperThatDiesAnywhereLeavesTheStateOfTheSet lets a first keeper die at a point of its work
// on one completion. The completion comes again, and two keepers go on at the same time.
func TestAKeeperThatDiesAnywhereLeavesTheStateOfTheSet(t *testing.T) {
	t.Parallel()
	server, conn := streamtest.New(t)
	number := 0
	for _, point := range []string{"before the read", "before the store", "before the settlement"} {
		for at := range 3 {
			t.Run(fmt.Sprintf("%s of completion %d", point, at), func(t *testing.T) {
				number++
				account := fmt.Sprint("a-", number)
				story := accountStory(account)
				publishStory(t, conn, story)
				dieAt(t, streamtest.ConnectPatiently(t, server.URL()), point, at)
				first := startKeeper(t, server)
				second := startKeeper(t, server)
				awaitRead(t, conn)
				first.stop()
				second.stop()
				want := foldStory(story)
				if want.Data.Status != schema.AccountReady {
					t.Errorf("the story ends %s", want.Data.Status)
				}
				checkState(t, conn, account, want)
			})
		}
	}
}

// dieAt does the work on completions until a point, and gives the last one back, as the end of its
// lease would.
func dieAt(t *testing.T, conn *stream.Conn, point string, at int) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	n := 0
	conn.Accounts().Consume(ctx, 1, func(told *stream.Told) {
		if ctx.Err() != nil {
			_ = told.GiveBack(0)
			return
		}
		dies := n == at
		n++
		if dies {
			defer cancel()
			defer func() { _ = told.GiveBack(0) }()
		}
		if dies && point == "before the read" {
			return
		}
		read, err := conn.State(t.Context(), schema.Pinwheel, told.Account)
		if err != nil {
			t.Error(err)
		}
		next, changed := read.Merge(told.Completion, nil, time.Now())
		if dies && point == "before the store" {
			return
		}
		if changed {
			if stored, err := conn.StoreState(t.Context(), read, next); !stored || err != nil {
				t.Errorf("stored %v, %v", stored, err)
			}
		}
		if !dies {
			_ = told.Done()
		}
	})
}

func TestTwoKeepersOfOneAccountSayReadyOnce(t *testing.T) {
	t.Parallel()
	server, conn := streamtest.New(t)
	js := jetStreamOf(t, dial(t, server))
	keepEveryState(t, js)
	startKeeper(t, server)
	startKeeper(t, server)
	story := accountStory("a-1")
	publishStory(t, conn, story)
	awaitRead(t, conn)
	checkState(t, conn, "a-1", foldStory(story))
	var types []string
	ready := 0
	which := stream.Selection{
		Filters: []string{schema.AccountSubject(schema.Pinwheel, "a-1")},
	}
	err := stream.NewOperator(conn).Scan(t.Context(), schema.AccountsStream, which,
		func(m stream.Stored) error {
			state, err := schema.DecodeAccount(m.Body)
			types = append(types, state.Type)
			if state.Type == "wagewire.account.ready.v1" {
				ready++
			}
			return err
		})
	if err != nil {
		t.Fatal(err)
	}
	if ready != 1 {
		t.Errorf("ready was said %d times, want once, in %q", ready, types)
	}
}

// keepEveryState lets the stream keep all states of an account, not only the last. A subscriber
// to the subject would see those too that the broker refused.
func keepEveryState(t *testing.T, js jetstream.JetStream) {
	t.Helper()
	states, err := js.Stream(t.Context(), schema.AccountsStream)
	if err != nil {
		t.Fatal(err)
	}
	config := states.CachedInfo().Config
	config.MaxMsgsPerSubject = -1
	if _, err := js.UpdateStream(t.Context(), config); err != nil {
		t.Fatal(err)
	}
}

func TestAKeeperSkipsWhatIsPartOfNoState(t *testing.T) {
	t.Parallel()
	server, conn := streamtest.New(t)
	person := accountStory("a-1")[0]
	person.Data.AccountID = nil
	body, err := person.Encode()
	if err != nil {
		t.Fatal(err)
	}
	js := jetStreamOf(t, dial(t, server))
	for subject, body := range map[string][]byte{
		"wagewire.completions.pinwheel.verification_reports.h_X.e-1": body,
		"wagewire.completions.pinwheel.paystubs.a-1.e-2":             []byte("{"),
	} {
		if _, err := js.Publish(t.Context(), subject, body); err != nil {
			t.Fatal(err)
		}
	}
	keeper := startKeeper(t, server)
	story := accountStory("a-1")
	publishStory(t, conn, story)
	awaitRead(t, conn)
	checkState(t, conn, "a-1", foldStory(story))
	for result, want := range map[string]float64{
		resultSkipped: 1, resultUndecodable: 1, resultApplied: float64(len(story)),
	} {
		got := testutil.ToFloat64(keeper.metrics.completions.WithLabelValues(result))
		if got != want {
			t.Errorf("%s: %v, want %v", result, got, want)
		}
	}
}

func TestADeletionNeedsNoReadableState(t *testing.T) {
	t.Parallel()
	server, conn := streamtest.New(t)
	js := jetStreamOf(t, dial(t, server))
	subject := schema.AccountSubject(schema.Truv, "a-1")
	if _, err := js.Publish(t.Context(), subject, []byte(`{"data":7}`)); err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 1, 12, 2, 36, 30, 0, time.UTC)
	e := schema.Event{
		Provider: schema.Truv, ID: "e-1", Type: "link-deleted", Resource: schema.Link,
		Action: schema.ActionDeleted, AccountID: "a-1", OccurredAt: at, ReceivedAt: at,
	}
	deletion := schema.NewCompletion(e, schema.Link, schema.Deleted, at)
	deletion.Data.AccountID = &e.AccountID
	if _, err := conn.PublishCompletion(t.Context(), e, deletion); err != nil {
		t.Fatal(err)
	}
	startKeeper(t, server)
	awaitRead(t, conn)
	state, err := conn.State(t.Context(), schema.Truv, "a-1")
	if err != nil || state.Data.Status != schema.AccountDeleted {
		t.Errorf("the state is %s, error %v", state.Data.Status, err)
	}
}

func TestAKeeperSurvivesARebuildAndTheLossOfItsStream(t *testing.T) {
	t.Parallel()
	server, conn := streamtest.New(t)
	operator := stream.NewOperator(conn)
	keeper := startKeeper(t, server)
	story := accountStory("a-1")
	old := accountStory("a-old")
	publishStory(t, conn, append(old, story...))
	awaitRead(t, conn)
	js := jetStreamOf(t, dial(t, server))
	completions, err := js.Stream(t.Context(), schema.CompletionsStream)
	if err != nil {
		t.Fatal(err)
	}
	// The completions of an account become older than their retention.
	err = completions.Purge(t.Context(),
		jetstream.WithPurgeSubject("wagewire.completions.pinwheel.*.a-old.*"))
	if err != nil {
		t.Fatal(err)
	}
	if err := operator.RestartAccounts(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	awaitRead(t, conn)
	checkState(t, conn, "a-1", foldStory(story))
	checkState(t, conn, "a-old", foldStory(old))

	if err := js.DeleteStream(t.Context(), schema.AccountsStream); err != nil {
		t.Fatal(err)
	}
	if err := keeper.Ready(t.Context()); err == nil ||
		!strings.Contains(err.Error(), "wagewire provision apply") {
		t.Errorf("without the stream: ready says %v", err)
	}
	streamtest.Provision(t, conn, streamtest.Topology())
	if err := operator.RestartAccounts(t.Context(), operator.PurgeStates); err != nil {
		t.Fatal(err)
	}
	awaitRead(t, conn)
	checkState(t, conn, "a-1", foldStory(story))
	checkState(t, conn, "a-old", schema.Account{})
}

func TestACommandForAccounts(t *testing.T) {
	for promise, row := range map[string]struct {
		args  []string
		ready string
		code  int
		says  string
	}{
		"prints its help":    {args: []string{"--help"}, says: "ACCOUNT_READY_WHEN"},
		"prints its version": {args: []string{"--version"}, says: "accounts "},
		"refuses an unknown resource with the known ones": {
			ready: "paystub", code: 1, says: "employment, identity, income, link, paystubs, shifts",
		},
		"refuses an argument": {args: []string{"now"}, code: 2, says: `"now"`},
	} {
		t.Run(promise, func(t *testing.T) {
			var out bytes.Buffer
			code := runAccounts(t.Context(), row.args, func(key string) string {
				return map[string]string{"ACCOUNT_READY_WHEN": row.ready}[key]
			}, &out, &out)
			if code != row.code || !strings.Contains(out.String(), row.says) {
				t.Errorf("exit %d: %s", code, &out)
			}
			if row.ready != "" && !strings.Contains(out.String(), "ACCOUNT_READY_WHEN") {
				t.Errorf("the error names no variable: %s", &out)
			}
		})
	}
}
