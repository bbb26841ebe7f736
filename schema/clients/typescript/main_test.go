package typescript_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
	"github.com/wagewire/wagewire/schema/stream/broker"
	"github.com/wagewire/wagewire/schema/stream/streamtest"
)

// workshop is the folder with the compiled kit. All tests share it, and nothing is installed or
// compiled in the tree.
var workshop string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "wagewire-typescript-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	workshop = filepath.Join(dir, "schema", "clients", "typescript")
	code := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

// build installs the kit's packages, and compiles the kit with its tests.
var build = sync.OnceValue(func() error {
	if err := copyKit(workshop); err != nil {
		return err
	}
	if err := writeGolden(filepath.Join(workshop, "test", "golden.ts")); err != nil {
		return err
	}
	if err := command(workshop, "npm", "install", "--no-package-lock", "--no-audit", "--no-fund",
		"--loglevel=error"); err != nil {
		return err
	}
	return command(workshop, "node_modules/.bin/tsc", "-p", "test")
})

// copyKit copies the sources to a folder, and the licence where the package expects it.
func copyKit(dir string) error {
	sources := []string{"*.ts", "*.json", "*.md", "*.mjs", "test/*", "../../../LICENSE"}
	for _, pattern := range sources {
		paths, err := filepath.Glob(pattern)
		if err != nil {
			return err
		}
		for _, path := range paths {
			text, err := os.ReadFile(path)
			if err == nil {
				err = os.MkdirAll(filepath.Dir(filepath.Join(dir, path)), 0o700)
			}
			if err == nil {
				err = os.WriteFile(filepath.Join(dir, path), text, 0o600)
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

func command(dir, name string, args ...string) error {
	run := exec.Command(name, args...)
	run.Dir = dir
	out, err := run.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, out)
	}
	return nil
}

// built waits for the compiled kit.
func built(t *testing.T) {
	t.Helper()
	for _, program := range []string{"node", "npm"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("NOT RUN: the kit for TypeScript needs %s on the PATH", program)
		}
	}
	if err := build(); err != nil {
		t.Fatal(err)
	}
}

// recordsBytesMax is the room for large records, in bytes.
const recordsBytesMax = 256 << 20

// world is a broker with team lending, as the team's operator sees it.
type world struct {
	t      *testing.T
	team   stream.Team
	url    string
	dir    string
	seed   string
	port   int
	server *server.Server
	conn   *stream.Conn
	nats   *nats.Conn
	js     jetstream.JetStream
}

// serve starts a broker on which the team has its account, and no other rights than that. The test
// runs beside other tests from here on.
func serve(t *testing.T) *world {
	t.Helper()
	t.Parallel()
	built(t)
	w := &world{t: t, dir: t.TempDir(), port: server.RANDOM_PORT}
	key := w.makeKey("lending.nk")
	w.seed = filepath.Join(w.dir, "lending.nk")
	w.team = stream.Team{
		Name: "lending", Resources: []schema.Resource{schema.Paystubs, schema.Income},
		Durables: []string{"lending", "lending_since"}, Key: key,
	}
	w.start()
	w.conn = streamtest.ConnectTo(t, stream.Config{URL: w.url})
	topology := broker.SmallTopology()
	topology.Queues = nil // no worker runs here
	topology.Records.MaxBytes = recordsBytesMax
	streamtest.Provision(t, w.conn, topology)
	var err error
	w.nats, err = nats.Connect(w.url, nats.MaxReconnects(-1))
	w.must(err)
	t.Cleanup(w.nats.Close)
	w.js, err = jetstream.New(w.nats)
	w.must(err)
	w.makeDurable("lending", stream.Reading{})
	return w
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// makeKey writes the seed of a new key, and returns its public half.
func (w *world) makeKey(name string) string {
	w.t.Helper()
	public, err := streamtest.MakeTeamKey(filepath.Join(w.dir, name))
	w.must(err)
	return public
}

// start starts nats-server with two accounts: the operator's, and the team's.
func (w *world) start() {
	w.t.Helper()
	file := filepath.Join(w.dir, "nats.conf")
	w.must(os.WriteFile(file, []byte(streamtest.TeamAccounts(w.team)), 0o600))
	options, err := server.ProcessConfigFile(file)
	w.must(err)
	options.Host = "127.0.0.1"
	options.Port = w.port
	options.StoreDir = w.dir
	options.NoLog = true
	options.NoSigs = true
	options.AuthTimeout = time.Minute.Seconds() // a busy machine may take long
	w.server, err = server.NewServer(options)
	w.must(err)
	w.server.Start()
	w.t.Cleanup(w.stop)
	w.url = w.server.ClientURL()
	w.port = w.server.Addr().(*net.TCPAddr).Port
	streamtest.Eventually(w.t, "the server takes connections", func() bool {
		return w.server.ReadyForConnections(time.Second)
	})
}

func (w *world) stop() {
	w.server.Shutdown()
	w.server.WaitForShutdown()
}

// makeDurable makes a durable of the team.
func (w *world) makeDurable(name string, how stream.Reading) {
	w.t.Helper()
	team := w.team
	team.Durables = []string{name}
	operator := stream.NewOperator(w.conn)
	changes, err := operator.PlanTeam(w.t.Context(), team, how)
	if err == nil {
		err = operator.Apply(w.t.Context(), changes)
	}
	w.must(err)
}

func (w *world) durable() *jetstream.ConsumerInfo {
	w.t.Helper()
	consumer, err := w.js.Consumer(w.t.Context(), schema.CompletionsStream, "lending")
	w.must(err)
	info, err := consumer.Info(w.t.Context())
	w.must(err)
	return info
}

// settled waits until the durable has nothing left.
func (w *world) settled() {
	w.t.Helper()
	streamtest.Eventually(w.t, "the durable has nothing left", func() bool {
		info := w.durable()
		return info.NumPending == 0 && info.NumAckPending == 0
	})
}

// noon is when everything happened.
func noon() time.Time { return time.Date(2026, 1, 12, 12, 0, 0, 0, time.UTC) }

// eventOf is the event of a completion about paystubs.
func eventOf(id, account string) schema.Event {
	return schema.Event{
		Provider: schema.Pinwheel, ID: id, Type: "paystubs.fully_synced",
		Resource: schema.Paystubs, Action: schema.ActionFullySynced, AccountID: account,
		OccurredAt: noon(), ReceivedAt: noon(), Body: []byte(`{}`),
	}
}

// deletionOf is the event of a deleted account.
func deletionOf(id, account string) schema.Event {
	return schema.Event{
		Provider: schema.Truv, ID: id, Type: "link-deleted", Resource: schema.Link,
		Action: schema.ActionDeleted, AccountID: account, OccurredAt: noon(), ReceivedAt: noon(),
	}
}

// publish stores a completion of the event with records, and returns its id. Without records it is
// pending, and the deletion of an account is deleted.
func (w *world) publish(e schema.Event, records ...string) string {
	w.t.Helper()
	outcome := schema.Pending
	if e.Action == schema.ActionDeleted {
		outcome = schema.Deleted
	} else if len(records) > 0 {
		outcome = schema.Succeeded
	}
	c := schema.NewCompletion(e, e.Resource, outcome, noon())
	if outcome == schema.Succeeded {
		c.Data.Scope = new(schema.Snapshot)
	}
	c.Data.AccountID = &e.AccountID
	for _, record := range records {
		c.Data.Records = append(c.Data.Records, json.RawMessage(record))
	}
	_, err := w.conn.PublishCompletion(w.t.Context(), e, c)
	w.must(err)
	return c.ID
}

// publishRaw stores bytes as the completion of an event about paystubs of the account a-1.
func (w *world) publishRaw(id string, body []byte) {
	w.t.Helper()
	subject := eventOf(id, "a-1").CompletionSubject(schema.Paystubs)
	_, err := w.js.Publish(w.t.Context(), subject, body)
	w.must(err)
}

// plan is what the driver does.
type plan struct {
	Mode    string `json:"mode"`
	Team    string `json:"team,omitempty"`
	Durable string `json:"durable,omitempty"`
	// Resources is a list, or what a program takes for one.
	Resources   any      `json:"resources,omitempty"`
	Accounts    []string `json:"accounts,omitempty"`
	Hands       int      `json:"hands,omitempty"`
	AttemptsMax int      `json:"attemptsMax,omitempty"`
	Aside       string   `json:"aside,omitempty"`
	Asks        bool     `json:"asks,omitempty"`
	HasClock    bool     `json:"hasClock,omitempty"`
	Measures    int      `json:"measures,omitempty"`
	Account     string   `json:"account,omitempty"`
	Messages    [][]byte `json:"messages,omitempty"`
	IDs         []string `json:"ids,omitempty"`
}

// line is what the driver tells.
type line struct {
	Call       string          `json:"call"`
	ID         string          `json:"id"`
	Outcome    string          `json:"outcome"`
	Order      string          `json:"order"`
	Deliveries int             `json:"deliveries"`
	Count      int             `json:"count"`
	First      string          `json:"first"`
	SHA256     string          `json:"sha256"`
	Memory     int64           `json:"memory"`
	Raw        []byte          `json:"raw"`
	Fault      string          `json:"fault"`
	Name       string          `json:"name"`
	Message    string          `json:"message"`
	All        string          `json:"all"`
	State      *schema.Account `json:"state"`
	Taken      int             `json:"taken"`
	Left       int             `json:"left"`
}

// program is a running driver.
type program struct {
	t      *testing.T
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	lines  chan line
	exited chan struct{}
	log    *logged
}

// logged has what the kit logs.
type logged struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logged) Write(text []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(text)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// run starts the driver with the team's key.
func (w *world) run(p plan, env ...string) *program {
	w.t.Helper()
	return start(w.t, p, append([]string{"NATS_URL=" + w.url, "NATS_SEED_FILE=" + w.seed}, env...)...)
}

func start(t *testing.T, p plan, env ...string) *program {
	t.Helper()
	text, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "node", "--expose-gc",
		filepath.Join(workshop, "dist", "test", "driver.js"), string(text))
	cmd.Dir = workshop
	cmd.Env = append(os.Environ(), env...)
	running := &program{
		t: t, cmd: cmd, lines: make(chan line), exited: make(chan struct{}), log: &logged{},
	}
	cmd.Stderr = running.log
	running.stdin, err = cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go running.follow(stdout)
	t.Cleanup(func() {
		running.kill()
		if t.Failed() {
			t.Logf("the kit logged:\n%s", running.log)
		}
	})
	return running
}

// follow reads the lines of the program until its end.
func (p *program) follow(stdout io.Reader) {
	defer close(p.exited)
	defer close(p.lines)
	all := bufio.NewReader(stdout)
	for {
		text, err := all.ReadBytes('\n')
		if err != nil {
			_ = p.cmd.Wait()
			return
		}
		var told line
		if err := json.Unmarshal(text, &told); err != nil {
			told = line{Call: "nonsense", Message: string(text)}
		}
		select {
		case p.lines <- told:
		case <-p.t.Context().Done():
		}
	}
}

// next returns the next line.
func (p *program) next() line {
	p.t.Helper()
	select {
	case told, ok := <-p.lines:
		if !ok {
			p.t.Fatalf("the program has ended")
		}
		return told
	case <-streamtest.Late(p.t):
		p.t.Fatal("the program tells nothing")
		return line{}
	}
}

// expect returns the next line, which must be a call about the completion. An empty id is any.
func (p *program) expect(call, id string) line {
	p.t.Helper()
	told := p.next()
	if told.Call != call || id != "" && told.ID != id {
		p.t.Fatalf("the program told %+v, want %s %s", told, call, id)
	}
	return told
}

func (p *program) answer(id, answer string) {
	p.t.Helper()
	p.write(map[string]any{"id": id, "answer": answer})
}

func (p *program) write(message map[string]any) {
	p.t.Helper()
	text, err := json.Marshal(message)
	if err == nil {
		_, err = p.stdin.Write(append(text, '\n'))
	}
	if err != nil {
		p.t.Fatal(err)
	}
}

func (p *program) terminate() {
	p.t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		p.t.Fatal(err)
	}
}

// kill kills the program, which may have ended.
func (p *program) kill() {
	_ = p.cmd.Process.Kill()
	for range p.lines { // the lines of a killed program mean nothing
	}
	<-p.exited
}

// end waits until the program has ended well.
func (p *program) end() {
	p.t.Helper()
	p.expect("end", "")
	select {
	case <-p.exited:
	case <-streamtest.Late(p.t):
		p.t.Fatal("the program does not end")
	}
	if code := p.cmd.ProcessState.ExitCode(); code != 0 {
		p.t.Errorf("the program ended with exit code %d", code)
	}
}

// asideFiles returns the files of a directory with their texts. It returns none if there is no such
// directory.
func asideFiles(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	for _, entry := range entries {
		text, err := os.ReadFile(filepath.Join(dir, entry.Name()))
		if err != nil {
			t.Fatal(err)
		}
		files[entry.Name()] = string(text)
		if info, err := entry.Info(); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s can be read by others", entry.Name())
		}
	}
	return files
}
