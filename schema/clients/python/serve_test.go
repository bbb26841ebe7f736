// Package python_test runs the kit for Python against a real broker.
package python_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
	"github.com/wagewire/wagewire/schema/stream/streamtest"
)

const (
	lending = "lending"
	// again is a second durable of the team, which a test makes when it wants one.
	again = "lending_again"
	// fakeOfNATS is the folder with a fake of nats-py.
	fakeOfNATS = "fakenats"
)

var at = time.Date(2026, 1, 12, 2, 36, 1, 0, time.UTC)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// library returns the folders for PYTHONPATH, and says which nats-py the test runs on.
var library = sync.OnceValues(func() (path, name string) {
	find := exec.CommandContext(context.Background(), "python3", "-c", "import nats.aio.client")
	find.Env = environment(".")
	if find.Run() == nil {
		return ".", "the installed nats-py"
	}
	return "." + string(filepath.ListSeparator) + fakeOfNATS,
		`a fake of nats-py: pip install "nats-py[nkeys]" to run on the real one`
})

// environment is that of every Python program of the tests. No program writes into the repository.
func environment(path string) []string {
	return append(os.Environ(), "PYTHONPATH="+path, "PYTHONDONTWRITEBYTECODE=1", "PYTHONUTF8=1")
}

func needsPython(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("python3"); err != nil {
		t.Skip("NOT RUN: the kit for Python needs python3 3.11 or later on the PATH")
	}
	_, name := library()
	t.Log("on " + name)
}

// installation is a broker with team lending, and the operator's connection to it. A client without
// a key is the team, because a fake of nats-py cannot sign. It has the rights of a team with a key,
// and no others.
type installation struct {
	*stream.Conn

	server *streamtest.Server
	team   stream.Team
	js     jetstream.JetStream
	// accounts is the file with the broker's accounts.
	accounts string
}

func serve(t *testing.T) *installation {
	t.Helper()
	needsPython(t)
	team := stream.Team{
		Name: lending, Durables: []string{lending},
		Resources: []schema.Resource{schema.Paystubs, schema.Income},
	}
	file := filepath.Join(t.TempDir(), "nats.conf")
	must(t, os.WriteFile(file, []byte(accountsOf(team, lending)), 0o600))
	server := streamtest.Run(t, streamtest.Config{AccountsFile: file})
	url := strings.Replace(server.URL(), "nats://", "nats://operator:operator@", 1)
	i := &installation{
		Conn:   streamtest.ConnectPatiently(t, url),
		server: server, team: team, accounts: file,
	}
	streamtest.Provision(t, i.Conn, streamtest.Topology())
	nc, err := nats.Connect(url)
	must(t, err)
	t.Cleanup(nc.Close)
	i.js, err = jetstream.New(nc)
	must(t, err)
	i.plan(t, team, stream.Reading{})
	return i
}

// setPassword changes the password of the team, as an operator does who changes a key.
func (i *installation) setPassword(t *testing.T, password string) {
	t.Helper()
	must(t, os.WriteFile(i.accounts, []byte(accountsOf(i.team, password)), 0o600))
	must(t, i.server.Reload())
}

// accountsOf grants the team one more durable, which a test may make.
func accountsOf(team stream.Team, password string) string {
	team.Durables = append(team.Durables, again)
	return streamtest.TeamAccountsWithoutKey(team, password)
}

// plan makes the durables of a team, as wagewire team add does.
func (i *installation) plan(t testing.TB, team stream.Team, how stream.Reading) {
	t.Helper()
	operator := stream.NewOperator(i.Conn)
	changes, err := operator.PlanTeam(t.Context(), team, how)
	must(t, err)
	must(t, operator.Apply(t.Context(), changes))
}

func paystubsOf(account, event string) schema.Event {
	return schema.Event{
		Provider: schema.Pinwheel, ID: event, Type: "paystubs.fully_synced",
		Resource: schema.Paystubs, Action: schema.ActionFullySynced, AccountID: account,
		OccurredAt: at, ReceivedAt: at, Body: []byte(`{}`),
	}
}

// completionOf is a completion of paystubs with the records.
func completionOf(e schema.Event, records ...string) schema.Completion {
	c := schema.NewCompletion(e, schema.Paystubs, schema.Succeeded, at)
	c.Data.AccountID = &e.AccountID
	c.Data.Scope = new(schema.Delta)
	for _, record := range records {
		c.Data.Records = append(c.Data.Records, json.RawMessage(record))
	}
	return c
}

// complete stores a completion of the account with the records.
func (i *installation) complete(t testing.TB, account, event string, records ...string) {
	t.Helper()
	e := paystubsOf(account, event)
	i.publish(t, e, completionOf(e, records...))
}

// completeLink stores a completion of a Truv link.
func (i *installation) completeLink(t testing.TB, account, event string, o schema.Outcome) {
	t.Helper()
	e := schema.Event{
		Provider: schema.Truv, ID: event, Type: "link-deleted", Resource: schema.Link,
		Action: schema.ActionDeleted, AccountID: account, OccurredAt: at, ReceivedAt: at,
	}
	c := schema.NewCompletion(e, schema.Link, o, at)
	c.Data.AccountID = &e.AccountID
	i.publish(t, e, c)
}

func (i *installation) publish(t testing.TB, e schema.Event, c schema.Completion) {
	t.Helper()
	stored, err := i.PublishCompletion(context.WithoutCancel(t.Context()), e, c)
	must(t, err)
	if !stored {
		t.Fatalf("%s is not stored", c.ID)
	}
}

// publishText stores any bytes as the completion of an event.
func (i *installation) publishText(t testing.TB, event, text string) {
	t.Helper()
	subject := paystubsOf("a-1", event).CompletionSubject(schema.Paystubs)
	_, err := i.js.Publish(t.Context(), subject, []byte(text))
	must(t, err)
}

// info is the state of the team's durable.
func (i *installation) info(t testing.TB) *jetstream.ConsumerInfo {
	t.Helper()
	consumer, err := i.js.Consumer(t.Context(), schema.CompletionsStream, lending)
	must(t, err)
	info, err := consumer.Info(t.Context())
	must(t, err)
	return info
}

// left is the number of completions that are not acknowledged.
func (i *installation) left(t testing.TB) int {
	t.Helper()
	info := i.info(t)
	return int(info.NumPending) + info.NumAckPending
}

// orders tell a program what to do. See tests/program.py.
type orders map[string]any

// line is what a program says.
type line struct {
	Did       string          `json:"did"`
	Event     string          `json:"event"`
	Attempt   int             `json:"attempt"`
	Outcome   string          `json:"outcome"`
	Account   string          `json:"account"`
	Status    *string         `json:"status"`
	Count     int             `json:"count"`
	Records   []string        `json:"records"`
	Unknown   json.RawMessage `json:"unknown"`
	Order     string          `json:"order"`
	Why       string          `json:"why"`
	Grew      int             `json:"grew"`
	Taken     int             `json:"taken"`
	Files     []string        `json:"files"`
	Cancelled bool            `json:"cancelled"`
}

// program is a running program of the team.
type program struct {
	t       *testing.T
	command *exec.Cmd
	stdin   io.WriteCloser
	lines   chan line
	// seen are the lines that were read so far, and waiting those that no wait has returned.
	seen    []line
	waiting []line
}

// start starts a program of the team, with variables besides NATS_URL.
func (i *installation) start(t *testing.T, o orders, env ...string) *program {
	t.Helper()
	text, err := json.Marshal(o)
	must(t, err)
	path, _ := library()
	command := exec.CommandContext(context.WithoutCancel(t.Context()),
		"python3", "tests/program.py", string(text))
	command.Env = append(environment(path), "NATS_URL="+i.server.URL())
	command.Env = append(command.Env, env...)
	command.Stderr = t.Output()
	stdin, err := command.StdinPipe()
	must(t, err)
	stdout, err := command.StdoutPipe()
	must(t, err)
	must(t, command.Start())
	p := &program{t: t, command: command, stdin: stdin, lines: make(chan line, 10_000)}
	t.Cleanup(p.kill)
	go func() {
		defer close(p.lines)
		text := json.NewDecoder(stdout)
		for {
			var said line
			if text.Decode(&said) != nil {
				return
			}
			p.lines <- said
		}
	}()
	return p
}

// wait returns the first line that says what, of the event unless event is "", and that no wait has
// returned before.
func (p *program) wait(did, event string) line {
	p.t.Helper()
	late := streamtest.Late(p.t)
	for {
		isIt := func(said line) bool {
			return said.Did == did && (event == "" || said.Event == event)
		}
		if n := slices.IndexFunc(p.waiting, isIt); n >= 0 {
			said := p.waiting[n]
			p.waiting = slices.Delete(p.waiting, n, n+1)
			return said
		}
		select {
		case said, isOpen := <-p.lines:
			if !isOpen {
				p.t.Fatalf("the program ended and never %s %s: %+v", did, event, p.seen)
			}
			p.seen = append(p.seen, said)
			p.waiting = append(p.waiting, said)
		case <-late:
			p.t.Fatalf("the test binary's time is up, and the program never %s %s: %+v",
				did, event, p.seen)
		}
	}
}

// tell writes a line to the program.
func (p *program) tell(text string) {
	p.t.Helper()
	_, err := io.WriteString(p.stdin, text+"\n")
	must(p.t, err)
}

func (p *program) signal(s syscall.Signal) {
	p.t.Helper()
	must(p.t, p.command.Process.Signal(s))
}

// end waits until the program has ended well, and returns everything that it said.
func (p *program) end() []line {
	p.t.Helper()
	for said := range p.lines {
		p.seen = append(p.seen, said)
	}
	if err := p.command.Wait(); err != nil {
		p.t.Errorf("the program: %v", err)
	}
	return p.seen
}

// stop ends the program by SIGTERM.
func (p *program) stop() []line {
	p.t.Helper()
	p.signal(syscall.SIGTERM)
	return p.end()
}

func (p *program) kill() {
	err := p.command.Process.Kill()
	if err != nil && !errors.Is(err, os.ErrProcessDone) {
		p.t.Error(err)
	}
	_ = p.command.Wait()
}

// events returns the events of the lines that say what, in their order.
func events(lines []line, did string) []string {
	var found []string
	for _, said := range lines {
		if said.Did == did {
			found = append(found, said.Event)
		}
	}
	return found
}
