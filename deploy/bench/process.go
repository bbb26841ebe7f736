package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

const (
	// stopFor is how long a process may take to end after SIGTERM. It is killed then.
	stopFor = 30 * time.Second
	// healthyFor is how long one may take to become healthy.
	healthyFor = 20 * time.Second
	askEvery   = 10 * time.Millisecond
	// logTailBytes of a process that ended by itself stand in the error.
	logTailBytes = 2 << 10
)

// program says what to run.
type program struct {
	name, path string
	args       []string
	// env is all of its environment, each NAME=value.
	env []string
	// log is the file that its output is appended to.
	log string
	// healthURL answers 200 once it can be used.
	healthURL string
}

// process is a program that runs. It does not outlive its context, nor, on Linux, this process.
type process struct {
	program

	command *exec.Cmd
	end     context.CancelFunc
	ended   chan struct{}
	err     error // once it has ended
}

// start starts a program and returns when it is healthy.
func start(ctx context.Context, what program) (*process, error) {
	log, err := os.OpenFile(what.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", what.name, err)
	}
	defer func() { _ = log.Close() }() // the process has its own
	running, end := context.WithCancel(ctx)
	p := &process{program: what, end: end, ended: make(chan struct{})}
	p.command = exec.CommandContext(running, what.path, what.args...) //nolint:gosec // the paths are flags of this command
	p.command.Env, p.command.Stdout, p.command.Stderr = what.env, log, log
	p.command.Cancel = func() error { return p.command.Process.Signal(syscall.SIGTERM) }
	p.command.WaitDelay = stopFor
	p.command.SysProcAttr = dieWithParent()
	if err := p.command.Start(); err != nil {
		end()
		return nil, fmt.Errorf("start %s: %w", what.name, err)
	}
	go func() {
		defer close(p.ended)
		p.err = p.command.Wait()
	}()
	if err := p.healthy(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("start %s: %w", what.name, err), p.stop())
	}
	return p, nil
}

func (p *process) pid() int { return p.command.Process.Pid }

// stop sends SIGTERM and returns when the process has ended: nil where it ended with 0.
func (p *process) stop() error {
	p.end()
	<-p.ended
	if p.command.ProcessState.ExitCode() != 0 { // err is the context's where it is 0
		return fmt.Errorf("stop %s: %w%s", p.name, p.err, p.logTail())
	}
	return nil
}

// healthy returns when the process answers 200 at its healthURL.
func (p *process) healthy(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, healthyFor)
	defer cancel()
	every := time.NewTicker(askEvery)
	defer every.Stop()
	for {
		select {
		case <-p.ended:
			return fmt.Errorf("it ended: %w%s", p.err, p.logTail())
		case <-ctx.Done():
			return fmt.Errorf("%s does not answer 200: %w%s", p.healthURL, ctx.Err(), p.logTail())
		case <-every.C:
			if answers(ctx, p.healthURL) {
				return nil
			}
		}
	}
}

func answers(ctx context.Context, url string) bool {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return false
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return false
	}
	defer response.Body.Close()
	return response.StatusCode == http.StatusOK
}

func (p *process) logTail() string {
	text, err := os.ReadFile(p.log)
	if err != nil || len(text) == 0 {
		return ""
	}
	return "\n" + string(text[max(0, len(text)-logTailBytes):])
}

// freeAddr is an address of the loopback interface that nobody listens on.
func freeAddr(ctx context.Context) (string, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("find a free port: %w", err)
	}
	defer listener.Close()
	return listener.Addr().String(), nil
}

// natsText quotes the directory: it may hold anything.
const natsText = `listen: %q
http: %q
server_name: wagewire
jetstream { store_dir: %q, sync_interval: %s }
`

// The settings of sync_interval that are compared; later is the server's default.
var syncIntervals = [settings]string{syncLater: "2m", syncAlways: "always"}

// startNATS starts a nats-server and returns when its JetStream is ready, with the URL for clients.
func startNATS(ctx context.Context, path, dir string, setting int) (p *process, url string, err error) {
	addr, err := freeAddr(ctx)
	if err != nil {
		return nil, "", err
	}
	monitor, err := freeAddr(ctx)
	if err != nil {
		return nil, "", err
	}
	file := filepath.Join(dir, "nats.conf")
	if err := os.WriteFile(file, fmt.Appendf(nil, natsText, addr, monitor, dir, syncIntervals[setting]), 0o600); err != nil {
		return nil, "", err
	}
	p, err = start(ctx, program{
		name: "nats-server", path: path, args: []string{"-c", file}, log: filepath.Join(dir, "nats-server.log"),
		healthURL: "http://" + monitor + "/healthz",
	})
	return p, "nats://" + addr, err
}
