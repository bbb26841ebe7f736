package nats_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/wagewire/wagewire/schema/stream/streamtest"
)

// Reloads are tested on a server in a process of its own. The race detector finds races within
// nats-server during a reload, which would fail the tests of this process.

// configVariable makes a test binary a nats-server: it names the configuration file.
const configVariable = "WAGEWIRE_TEST_BROKER_CONFIG"

// done is the line with which a server process answers.
const done = "done"

// serveProcess runs a nats-server. It writes a line when the server takes connections, and a line
// after each reload. Each line of in asks for a reload, and the end of in ends the server.
func serveProcess(config string, in io.Reader, out io.Writer) error {
	o, err := server.ProcessConfigFile(config)
	if err != nil {
		return err
	}
	o.NoLog = true
	o.NoSigs = true
	s, err := server.NewServer(o)
	if err != nil {
		return err
	}
	s.Start()
	defer s.WaitForShutdown()
	defer s.Shutdown()
	if !s.ReadyForConnections(askFor) {
		return errors.New("the server takes no connections")
	}
	fmt.Fprintln(out, done)
	for lines := bufio.NewScanner(in); lines.Scan(); {
		if err := s.Reload(); err != nil {
			return err
		}
		fmt.Fprintln(out, done)
	}
	return nil
}

// serverProcess is a nats-server in a process of its own.
type serverProcess struct {
	in  io.WriteCloser
	out *bufio.Reader
}

// startProcess starts a server with a configuration file. It returns when the server takes
// connections. The server ends with the test.
func startProcess(t *testing.T, config string) *serverProcess {
	t.Helper()
	self, err := os.Executable()
	must(t, err)
	cmd := exec.CommandContext(context.Background(), self)
	cmd.Env = []string{configVariable + "=" + config, "SERVER_NAME=nats-1"}
	var failure strings.Builder
	cmd.Stderr = &failure
	in, err := cmd.StdinPipe()
	must(t, err)
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	stop := sync.OnceFunc(func() {
		_ = in.Close()
		_, _ = io.Copy(io.Discard, out)
		_ = cmd.Wait() // a race within the server gives a code other than 0
		if t.Failed() {
			t.Logf("the server wrote: %.1000s", failure.String())
		}
	})
	t.Cleanup(stop)
	p := &serverProcess{in, bufio.NewReader(out)}
	p.await(t, "the server takes connections")
	return p
}

// reload lets the server read its configuration again.
func (p *serverProcess) reload(t *testing.T) {
	t.Helper()
	_, err := fmt.Fprintln(p.in, "reload")
	must(t, err)
	p.await(t, "the server has its new configuration")
}

// await waits for the next line of the server.
func (p *serverProcess) await(t *testing.T, what string) {
	t.Helper()
	lines := make(chan string, 1)
	go func() {
		line, err := p.out.ReadString('\n')
		lines <- strings.TrimSpace(line) + errorText(err)
	}()
	select {
	case line := <-lines:
		if line != done {
			t.Fatalf("not so: %s: %s", what, line)
		}
	case <-streamtest.Late(t):
		t.Fatalf("the test binary's time is up, and still not: %s", what)
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
