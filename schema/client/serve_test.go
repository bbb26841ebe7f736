package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/zap"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/client"
	"github.com/wagewire/wagewire/schema/stream"
	"github.com/wagewire/wagewire/schema/stream/streamtest"
)

const lending = "lending"

// again is a durable that the team has the right to, and that the operator has not made yet.
var again = stream.TeamDurable(lending, "again")

var at = time.Date(2026, 1, 12, 2, 36, 1, 0, time.UTC)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// installation is a broker with team lending, and the operator's connection to it.
type installation struct {
	*stream.Conn

	// server is nil in a bubble, and bubble is nil outside of one.
	server *streamtest.Server
	bubble *streamtest.BubbleServer
	team   stream.Team
	config client.Config
}

// inBubble runs a test with an installation without keys in virtual time.
func inBubble(t *testing.T, test func(*testing.T, *installation)) {
	t.Helper()
	streamtest.InBubble(t, true, func(t *testing.T, server *streamtest.BubbleServer) {
		i := &installation{
			Conn: streamtest.ConnectTo(t, server.Config()), bubble: server,
			team:   stream.Team{Name: lending, Durables: []string{lending}},
			config: client.Config{Team: lending, Dialer: server, Log: logTo(t)},
		}
		i.team.Resources = []schema.Resource{schema.Paystubs, schema.Income}
		must(t, i.provision(t.Context()))
		test(t, i)
	})
}

// serve starts a broker on which team lending has a key, and no other rights than a team has. Team
// other is there too, with a durable of its own.
func serve(t testing.TB) *installation {
	t.Helper()
	i, err := start(t.TempDir())
	must(t, err)
	t.Cleanup(i.stop)
	i.config.Log = logTo(t)
	return i
}

// start is serve without a test. The files are in the directory.
func start(dir string) (*installation, error) {
	seed := filepath.Join(dir, "lending.nk")
	key, err := streamtest.MakeTeamKey(seed)
	if err != nil {
		return nil, err
	}
	team := stream.Team{
		Name: lending, Durables: []string{lending, again},
		Resources: []schema.Resource{schema.Paystubs, schema.Income}, Key: key,
	}
	file := filepath.Join(dir, "nats.conf")
	if err := os.WriteFile(file, []byte(streamtest.TeamAccounts(team)), 0o600); err != nil {
		return nil, err
	}
	server, err := streamtest.Start(streamtest.Config{Dir: dir, AccountsFile: file})
	if err != nil {
		return nil, err
	}
	team.Durables = team.Durables[:1]
	i := &installation{
		server: server, team: team,
		config: client.Config{URL: server.URL(), Team: lending, SeedFile: seed},
	}
	i.Conn, err = stream.Connect(stream.Config{URL: server.URL(), TryFor: time.Hour},
		stream.RoleOperator, zap.NewNop())
	if err != nil {
		server.Stop()
		return nil, err
	}
	if err := i.provision(context.Background()); err != nil {
		i.stop()
		return nil, err
	}
	return i, nil
}

// provision makes the streams that a team reads, and the durables. A busy machine may take longer
// than the client waits for an answer.
func (i *installation) provision(ctx context.Context) error {
	operator := stream.NewOperator(i.Conn)
	topology := streamtest.Topology()
	topology.Queues = nil
	topology.Streams = slices.DeleteFunc(topology.Streams, func(s schema.Stream) bool {
		return s.Name != schema.CompletionsStream && s.Name != schema.AccountsStream
	})
	err := operator.Provision(ctx, topology)
	for errors.Is(err, context.DeadlineExceeded) {
		err = operator.Provision(ctx, topology)
	}
	if err == nil {
		err = i.plan(ctx, i.team, stream.Reading{})
	}
	if err == nil {
		err = i.plan(ctx, stream.Team{Name: "other", Durables: []string{"other"}}, stream.Reading{})
	}
	return err
}

func (i *installation) stop() {
	i.Close()
	if i.server != nil {
		i.server.Stop()
	}
}

func logTo(t testing.TB) *slog.Logger { return slog.New(slog.NewTextHandler(t.Output(), nil)) }

// lines keeps the lines of a log.
type lines struct {
	mu  sync.Mutex
	all []string
}

// Write keeps a line.
func (l *lines) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, string(line))
	return len(line), nil
}

// with returns the lines that have the text.
func (l *lines) with(text string) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(l.all),
		func(line string) bool { return !strings.Contains(line, text) })
}

// setPlaces lets the durable hand out n completions at a time.
func (i *installation) setPlaces(t testing.TB, n int) {
	t.Helper()
	nc, err := nats.Connect(i.config.URL, nats.SetCustomDialer(i.bubble))
	must(t, err)
	defer nc.Close()
	js, err := jetstream.NewWithDomain(nc, stream.Domain)
	must(t, err)
	consumer, err := js.Consumer(t.Context(), schema.CompletionsStream, lending)
	must(t, err)
	config := consumer.CachedInfo().Config
	config.MaxAckPending = n
	_, err = js.UpdateConsumer(t.Context(), schema.CompletionsStream, config)
	must(t, err)
}

// plan makes the durables of a team, as wagewire team add does.
func (i *installation) plan(ctx context.Context, team stream.Team, how stream.Reading) error {
	operator := stream.NewOperator(i.Conn)
	changes, err := operator.PlanTeam(ctx, team, how)
	if err != nil {
		return err
	}
	return operator.Apply(ctx, changes)
}

// connect opens a connection of the team's program.
func (i *installation) connect(t testing.TB) *client.Client {
	t.Helper()
	c, err := client.Connect(t.Context(), i.config)
	must(t, err)
	t.Cleanup(c.Close)
	return c
}

// complete stores a completion of the account with the records.
func (i *installation) complete(t testing.TB, account, event string, records ...string) {
	t.Helper()
	e := paystubsOf(account, event)
	c := schema.NewCompletion(e, schema.Paystubs, schema.Succeeded, at)
	c.Data.Scope = new(schema.Delta)
	i.store(t, e, c, records)
}

// erase stores the completion that tells of the deletion of an account.
func (i *installation) erase(t testing.TB, account, event string) {
	t.Helper()
	i.publish(t, deletionOf(account, event), schema.Link, schema.Deleted)
}

func deletionOf(account, event string) schema.Event {
	return schema.Event{
		Provider: schema.Truv, ID: event, Type: "link-deleted", Resource: schema.Link,
		Action: schema.ActionDeleted, AccountID: account, OccurredAt: at, ReceivedAt: at,
	}
}

// completeAll is complete with all that the provider has.
func (i *installation) completeAll(t testing.TB, account, event string, records ...string) {
	t.Helper()
	e := paystubsOf(account, event)
	c := schema.NewCompletion(e, schema.Paystubs, schema.Succeeded, at)
	c.Data.Scope = new(schema.Snapshot)
	i.store(t, e, c, records)
}

func (i *installation) publish(
	t testing.TB, e schema.Event, r schema.Resource, o schema.Outcome, records ...string,
) {
	t.Helper()
	i.store(t, e, schema.NewCompletion(e, r, o, at), records)
}

func (i *installation) store(
	t testing.TB, e schema.Event, c schema.Completion, records []string,
) {
	t.Helper()
	must(t, i.put(context.WithoutCancel(t.Context()), e, c, records...))
}

// put stores a completion of an event's account.
func (i *installation) put(
	ctx context.Context, e schema.Event, c schema.Completion, records ...string,
) error {
	c.Data.AccountID = &e.AccountID
	for _, record := range records {
		c.Data.Records = append(c.Data.Records, json.RawMessage(record))
	}
	stored, err := i.PublishCompletion(ctx, e, c)
	if err == nil && !stored {
		err = fmt.Errorf("%s is not stored", c.ID)
	}
	return err
}

func paystubsOf(account, event string) schema.Event {
	return schema.Event{
		Provider: schema.Pinwheel, ID: event, Type: "paystubs.fully_synced",
		Resource: schema.Paystubs, Action: schema.ActionFullySynced, AccountID: account,
		OccurredAt: at, ReceivedAt: at, Body: []byte(`{}`),
	}
}

// program is a team's program that notes what comes.
type program struct {
	client.Funcs

	mu    sync.Mutex
	noted []string
	// came gets a value with each note.
	came chan string
}

// note notes the completion with its records.
func (p *program) note(ctx context.Context, word string, c *client.Completion) error {
	text := word + " " + c.Data.Event.ID
	for record, err := range c.Records(ctx) {
		if err != nil {
			return err
		}
		text += " " + string(record)
	}
	p.mu.Lock()
	p.noted = append(p.noted, text)
	p.mu.Unlock()
	p.came <- text
	return nil
}

func newProgram() *program {
	p := &program{came: make(chan string, 1000)}
	p.OnStore = func(ctx context.Context, c *client.Completion) error {
		return p.note(ctx, "store", c)
	}
	p.OnRemove = func(ctx context.Context, c *client.Completion) error {
		return p.note(ctx, "remove", c)
	}
	return p
}

// wait returns the next n notes.
func (p *program) wait(t testing.TB, n int) []string {
	t.Helper()
	var notes []string
	late := streamtest.Late(t)
	for range n {
		select {
		case note := <-p.came:
			notes = append(notes, note)
		case <-late:
			t.Fatalf("the test binary's time is up after %q", notes)
		}
	}
	return notes
}

// subscribe runs the program until stop is called, which returns the error of Subscribe.
func subscribe(
	t testing.TB, c *client.Client, s client.Subscription, h client.Handler,
) (stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- c.Subscribe(ctx, s, h) }()
	stop = sync.OnceValue(func() error {
		cancel()
		return <-ended
	})
	t.Cleanup(func() { _ = stop() })
	return stop
}
