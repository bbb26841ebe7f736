package bench

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

const (
	// stopFor is how long a process may take to end after SIGTERM, before SIGKILL.
	stopFor = 30 * time.Second
	// healthyFor is how long a process may take to become healthy.
	healthyFor = 20 * time.Second
	// askEvery is the pause between two health checks.
	askEvery = 10 * time.Millisecond
	// logTailBytes is how much of a process's log an error shows.
	logTailBytes = 2 << 10
)

// program is a command to run.
type program struct {
	name, path string
	args       []string
	// env is the whole environment: NAME=value.
	env []string
	// log is the file for the output.
	log string
	// healthURL answers 200 when the program is ready. Empty means that nobody waits for it.
	healthURL string
	// metricsURL serves the metrics of one of our own commands.
	metricsURL string
}

// process is a running program. It ends with its context and, on Linux, with the bench.
type process struct {
	program

	command *exec.Cmd
	end     context.CancelFunc
	ended   chan struct{}
	err     error // valid after ended is closed
}

// startProcess starts a program and returns when the program is healthy.
func startProcess(ctx context.Context, what program) (*process, error) {
	log, err := os.OpenFile(what.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", what.name, err)
	}
	defer func() { _ = log.Close() }() // the process has a copy of the descriptor
	running, end := context.WithCancel(ctx)
	p := &process{program: what, end: end, ended: make(chan struct{})}
	//nolint:gosec // the paths are flags of the bench command
	p.command = exec.CommandContext(running, what.path, what.args...)
	p.command.Env = what.env
	p.command.Stdout = log
	p.command.Stderr = log
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
	if what.healthURL == "" {
		return p, nil
	}
	if err := p.waitHealthy(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("start %s: %w", what.name, err), p.stop())
	}
	return p, nil
}

func (p *process) pid() int { return p.command.Process.Pid }

// stop sends SIGTERM and waits for the end of the process. An exit code other than 0 is an error.
func (p *process) stop() error {
	p.end()
	<-p.ended
	// After exit code 0, p.err is the error of the context.
	if p.command.ProcessState.ExitCode() != 0 {
		return fmt.Errorf("stop %s: %w%s", p.name, p.err, p.logTail())
	}
	return nil
}

// waitHealthy returns when the process answers 200 at its healthURL.
func (p *process) waitHealthy(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, healthyFor)
	defer cancel()
	every := time.NewTicker(askEvery)
	defer every.Stop()
	for {
		select {
		case <-p.ended:
			return fmt.Errorf("the process ended: %w%s", p.err, p.logTail())
		case <-ctx.Done():
			return fmt.Errorf("%s does not answer 200: %w%s", p.healthURL, ctx.Err(), p.logTail())
		case <-every.C:
			if isHealthy(ctx, p.healthURL) {
				return nil
			}
		}
	}
}

func isHealthy(ctx context.Context, url string) bool {
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

// freeAddr returns a free address of the loopback interface.
func freeAddr(ctx context.Context) (string, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("find a free port: %w", err)
	}
	defer listener.Close()
	return listener.Addr().String(), nil
}

// natsText is the configuration of nats-server. %q is for paths with spaces.
const natsText = `listen: %q
http: %q
server_name: %s
jetstream { store_dir: %q, sync_interval: %s }
`

// clusterText is added for a server of a cluster.
const clusterText = `cluster { name: wagewire, listen: %q, routes: [%s] }
`

// startNATS starts a nats-server and returns when JetStream is ready.
func startNATS(ctx context.Context, path string, c natsConfig) (*process, error) {
	text := fmt.Appendf(nil, natsText, c.addr, c.monitor, c.name, c.dir, c.sync)
	if len(c.routes) > 0 {
		text = fmt.Appendf(text, clusterText, c.route, strings.Join(c.routes, ", "))
	}
	text = append(text, c.extra...)
	file := filepath.Join(c.dir, "nats.conf")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		return nil, err
	}
	return startProcess(ctx, program{
		name: "nats-server", path: path, args: []string{"-c", file},
		log:       filepath.Join(c.dir, "nats-server.log"),
		healthURL: "http://" + c.monitor + "/healthz",
	})
}
