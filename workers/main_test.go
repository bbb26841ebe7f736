package workers

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"flag"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/process"
	"github.com/wagewire/wagewire/schema/stream"
	"github.com/wagewire/wagewire/schema/stream/streamtest"
)

// commandVariable makes this test binary the command of the resource it names.
const commandVariable = "WAGEWIRE_TEST_COMMAND"

func TestMain(m *testing.M) {
	if r := os.Getenv(commandVariable); r != "" {
		Main(schema.Resource(r), testOpener)
	}
	if code, asked := streamtest.ServeProcess(os.Getenv); asked {
		os.Exit(code)
	}
	// The default of 100 random walks takes too long.
	if err := flag.Set("rapid.checks", "20"); err != nil {
		panic(err)
	}
	// Most of these tests wait for a broker or a process more than they work.
	flag.Parse()
	if err := flag.Set("test.parallel", "8"); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(m)
}

// testOpener opens handlers of this test. A provider has one variable.
var testOpener = Opener{
	Open: openTest,
	Variables: func(schema.Provider) []process.Variable {
		return []process.Variable{{Name: "TEST_SECRET_FILE"}}
	},
}

// openTest opens a handler that brings one record, one that never ends, or one that asks a
// provider. "nothing" opens no source.
func openTest(_ schema.Resource, of Surroundings) (map[schema.Provider]Source, error) {
	switch of.Getenv("TEST_SECRET_FILE") {
	case "brings":
		return sourcesOf(brings), nil
	case "hangs":
		return sourcesOf(fetchFunc(func(context.Context, Job) (Fetched, error) { select {} })), nil
	case "asks":
		return sourcesOf(asks{url: of.Getenv("TEST_PROVIDER_URL"), dies: of.Getenv("TEST_DIES")}), nil
	case "nothing":
		return map[schema.Provider]Source{}, nil
	default:
		return nil, errors.New("TEST_SECRET_FILE is not set")
	}
}

func TestAWrongStartIsOneLineThatNamesWhatToChange(t *testing.T) {
	taken, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	tests := []struct {
		promise string
		args    []string
		env     map[string]string
		code    int
		names   string
	}{
		{"an unknown flag", []string{"--verbose"}, nil, 2, "-verbose"},
		{"a flag with a value it cannot have", []string{"--version=maybe"}, nil, 2, "version"},
		{"an argument", []string{"paystubs"}, nil, 2, `"paystubs"`},
		{"an argument after a flag", []string{"--version", "now"}, nil, 2, `"now"`},
		{"an argument after healthcheck", []string{"healthcheck", "now"}, nil, 2, `"healthcheck"`},
		{"a healthcheck of nowhere", []string{"healthcheck"}, nil, 1, "ADMIN_ADDR is not set"},
		{"a healthcheck of what is no worker", []string{"healthcheck"},
			map[string]string{"ADMIN_ADDR": "127.0.0.1:1"}, 1, "ask http://127.0.0.1:1/readyz"},
		{"a secret file that is not set", nil, nil, 1, "TEST_SECRET_FILE"},
		{"no source for any queue", nil, map[string]string{"TEST_SECRET_FILE": "nothing"}, 1,
			"no source for the queues of employment: pinwheel_employment"},
		{"a bad number of hands", nil, map[string]string{"WORKER_CONCURRENCY": "lots"}, 1,
			"WORKER_CONCURRENCY"},
		{"a bad ladder", nil, map[string]string{"RETRY_LADDER": "soon"}, 1, "RETRY_LADDER"},
		{"a bad short ladder", nil, map[string]string{"NOT_READY_LADDER": "soon"}, 1,
			"NOT_READY_LADDER"},
		{"a console with a prefix", nil,
			map[string]string{"CONSOLE_URL": "https://w.example.com/console"}, 1, "CONSOLE_URL"},
		{"a bad log level", nil, map[string]string{"LOG_LEVEL": "loud"}, 1, "LOG_LEVEL"},
		{"a bad log format", nil, map[string]string{"LOG_FORMAT": "prose"}, 1, "LOG_FORMAT"},
		{"a bad NATS_URL", nil, map[string]string{"TEST_SECRET_FILE": "brings",
			"NATS_URL": "nats://%zz"}, 1, "NATS_URL"},
		{"credentials that are not there", nil,
			map[string]string{"TEST_SECRET_FILE": "brings", "NATS_CREDS_FILE": "/nowhere/to.creds"},
			1, "NATS_CREDS_FILE"},
		{"an admin address in use", nil, map[string]string{"TEST_SECRET_FILE": "brings",
			"NATS_URL": "nats://127.0.0.1:1", "LOG_LEVEL": "error",
			"ADMIN_ADDR": taken.Addr().String()}, 1, "ADMIN_ADDR"},
	}
	for _, test := range tests {
		t.Run(test.promise, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			code := run(t.Context(), schema.Employment, testOpener, test.args,
				func(key string) string { return test.env[key] }, &stdout, &stderr)
			if code != test.code {
				t.Errorf("exit %d, want %d", code, test.code)
			}
			if !strings.Contains(stderr.String(), test.names) || stdout.Len() != 0 {
				t.Errorf("standard error %q does not name %s, or standard output %q is not empty",
					&stderr, test.names, &stdout)
			}
			if lines := strings.Count(stderr.String(), "\n"); lines != 1 {
				t.Errorf("%d lines, want one:\n%s", lines, &stderr)
			}
		})
	}
}

func TestVersion(t *testing.T) {
	var stdout, stderr bytes.Buffer
	if code := run(t.Context(), schema.VerificationReports, testOpener, []string{"--version"},
		func(string) string { return "" }, &stdout, &stderr); code != 0 {
		t.Errorf("exit %d", code)
	}
	if got := stdout.String(); !strings.HasPrefix(got, "verification-reports ") ||
		strings.Count(got, "\n") != 1 || stderr.Len() != 0 {
		t.Errorf("standard output %q, standard error %q", got, &stderr)
	}
}

// command is a worker command in a process of its own.
type command struct {
	*testing.T
	cmd   *exec.Cmd
	admin string
	ended chan error

	mu     sync.Mutex
	output strings.Builder
	more   chan struct{}
}

func start(t *testing.T, env ...string) *command {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := &command{T: t, admin: "127.0.0.1:" + strconv.Itoa(streamtest.FreePort(t)),
		ended: make(chan error, 1), more: make(chan struct{}, 1)}
	c.cmd = exec.CommandContext(context.Background(), self)
	c.cmd.Env = append([]string{commandVariable + "=employment", "ADMIN_ADDR=" + c.admin,
		"TEST_SECRET_FILE=brings", "WORKER_CONCURRENCY=2"}, env...)
	stderr, err := c.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		lines := bufio.NewScanner(stderr)
		for lines.Scan() {
			c.mu.Lock()
			c.output.WriteString(lines.Text() + "\n")
			c.mu.Unlock()
			select {
			case c.more <- struct{}{}:
			default:
			}
		}
		c.ended <- c.cmd.Wait()
	}()
	t.Cleanup(func() {
		if c.cmd.Process.Kill() == nil {
			if err := <-c.ended; err == nil {
				t.Error("it was killed, and yet ended with 0")
			}
		}
		http.DefaultClient.CloseIdleConnections()
	})
	return c
}

// says waits until the command has logged the text.
func (c *command) says(text string) {
	c.Helper()
	late := streamtest.Late(c)
	for !strings.Contains(c.log(), text) {
		select {
		case <-c.more:
		case <-late:
			c.Fatalf("the test binary's time is up, and %q is still not in\n%s", text, c.log())
		}
	}
}

func (c *command) log() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.output.String()
}

// answers waits until an admin page answers with the status, and returns the page.
func (c *command) answers(page string, status int) (body string) {
	c.Helper()
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	late := streamtest.Late(c)
	for {
		if resp, err := http.Get("http://" + c.admin + page); err == nil {
			text, _ := io.ReadAll(resp.Body)
			_ = resp.Body.Close()
			if body = string(text); resp.StatusCode == status {
				return body
			}
		}
		select {
		case <-look.C:
		case <-late:
			c.Fatalf("time is up, and %s does not answer %d; its last answer was %q, the log\n%s",
				page, status, body, c.log())
		}
	}
}

// stops sends SIGTERM and returns how the command ended.
func (c *command) stops() error {
	c.Helper()
	if err := c.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		c.Fatal(err)
	}
	return receive(c.T, "the command ends", c.ended)
}

func TestWithoutItsQueueACommandLivesIsNotReadyAndSaysWhatToRun(t *testing.T) {
	t.Parallel()
	server, err := streamtest.Start(streamtest.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Stop)
	c := start(t, "NATS_URL="+server.URL())
	c.says("run: wagewire provision apply")
	c.answers("/livez", 200)
	if got := c.answers("/readyz", 503); !strings.Contains(got, "run: wagewire provision apply") {
		t.Errorf("/readyz says %q", got)
	}
	conn := server.Connect(t)
	if err := stream.NewOperator(conn).Provision(t.Context(), streamtest.Topology()); err != nil {
		t.Fatal(err)
	}
	c.answers("/readyz", 200)
	if err := c.stops(); err != nil {
		t.Errorf("after SIGTERM: %v, want exit 0", err)
	}
}

func TestWithoutNATSACommandLivesAndThenWorks(t *testing.T) {
	t.Parallel()
	port := streamtest.FreePort(t)
	c := start(t, "NATS_URL=nats://127.0.0.1:"+strconv.Itoa(port))
	c.answers("/livez", 200)
	if got := c.answers("/readyz", 503); !strings.Contains(got, "nats is not connected") {
		t.Errorf("/readyz says %q", got)
	}
	server, err := streamtest.Start(streamtest.Config{Dir: t.TempDir(), Port: port})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Stop)
	conn := server.Connect(t)
	if err := stream.NewOperator(conn).Provision(t.Context(), streamtest.Topology()); err != nil {
		t.Fatal(err)
	}
	c.answers("/readyz", 200)
	e := employment(t, "at-last")
	if _, err := conn.PublishEvent(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	c.says(`"event_id":"` + e.Key() + `"`)
	if done, err := conn.Completed(t.Context(), e, schema.Employment); err != nil || !done {
		t.Errorf("completed %v, error %v", done, err)
	}
	if got := c.answers("/metrics", 200); !strings.Contains(got,
		`wagewire_worker_jobs_total{class="",outcome="succeeded",queue="pinwheel_employment"} 1`) {
		t.Errorf("the job is not in the metrics")
	}
	if err := c.stops(); err != nil {
		t.Errorf("after SIGTERM: %v, want exit 0", err)
	}
	if log := c.log(); !strings.Contains(log, `"worker starts"`) ||
		!strings.Contains(log, `"worker stopped"`) || strings.Contains(log, "Canary") {
		t.Errorf("the log is\n%s", log)
	}
}

func TestASecondSignalEndsACommandAtOnce(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	c := start(t, "NATS_URL="+b.url, "TEST_SECRET_FILE=hangs")
	c.answers("/livez", 200)
	b.publish(employment(t, "endless"))
	streamtest.Eventually(b, "the event is in hand",
		func() bool { return b.queue("pinwheel_employment").NumAckPending == 1 })
	var err error
	nextSignal := time.NewTicker(100 * time.Millisecond) // two signals of one moment are one
	defer nextSignal.Stop()
	late := streamtest.Late(t)
	for signals := 0; err == nil; signals++ {
		if err := c.cmd.Process.Signal(syscall.SIGTERM); err != nil &&
			!errors.Is(err, os.ErrProcessDone) {
			t.Fatal(err)
		}
		select {
		case err = <-c.ended:
			if err == nil || signals == 0 {
				t.Fatalf("it ended after signal %d with %v", signals+1, err)
			}
		case <-nextSignal.C:
		case <-late:
			t.Fatal("the test binary's time is up, and the command has not ended")
		}
	}
	if exit, ok := errors.AsType[*exec.ExitError](err); !ok ||
		exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGTERM {
		t.Errorf("it ended with %v, want by the signal", err)
	}
}
