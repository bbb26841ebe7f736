package chaos

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	// againAfter is the pause before a command that ended by itself is started again.
	againAfter = 300 * time.Millisecond
	// stopFor is how long a command may take to end when it is told to.
	stopFor = 35 * time.Second
)

// process is a command that runs, whatever happens to it.
type process struct {
	name string
	path string
	args []string
	env  []string
	log  string

	mu      sync.Mutex
	running *exec.Cmd
	// expected: we ended it. down is how long it stays away.
	expected bool
	down     time.Duration
	paused   bool
	stopping bool

	kills, pauses int
	peak          int64 // bytes, of all its lives
	faults        []string
	ended         chan struct{}
}

func newProcess(dir, name, path string, env []string, args ...string) *process {
	return &process{name: name, path: path, args: args, env: env, log: filepath.Join(dir, name+".log"), ended: make(chan struct{})}
}

// run starts the command again and again, until it is stopped or ctx ends; with ctx it is killed.
func (p *process) run(ctx context.Context) {
	defer close(p.ended)
	for {
		wait, err := p.once(ctx)
		p.mu.Lock()
		p.running = nil
		if err != nil {
			p.faults = append(p.faults, err.Error())
		}
		stopping := p.stopping
		p.mu.Unlock()
		if stopping {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}

// once is one life of the command. It returns the pause before the next, and what was wrong with its end.
func (p *process) once(ctx context.Context) (again time.Duration, err error) {
	log, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return againAfter, err
	}
	defer func() { _ = log.Close() }()                 // the command wrote it, not we
	cmd := exec.CommandContext(ctx, p.path, p.args...) //nolint:gosec // our own commands, just built
	cmd.Env, cmd.Stdout, cmd.Stderr, cmd.SysProcAttr = p.env, log, log, own()
	p.mu.Lock()
	if p.stopping {
		p.mu.Unlock()
		return 0, nil
	}
	err = cmd.Start()
	p.running, p.expected = cmd, false
	p.mu.Unlock()
	if err != nil {
		return againAfter, fmt.Errorf("%s: %w", p.name, err)
	}
	err = cmd.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.paused = false
	switch {
	case p.expected:
		return p.down, nil
	case ctx.Err() != nil:
		return 0, nil
	case p.stopping:
		return 0, p.because(err)
	default:
		if err == nil {
			err = errors.New("exit status 0")
		}
		return againAfter, p.because(err)
	}
}

// because says how it ended, and what its log says last. A good end is no error.
func (p *process) because(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s ended by itself: %w: %s", p.name, err, lastLine(p.log))
}

func lastLine(path string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(string(bytes.TrimSpace(text)), "\n")
	return lines[len(lines)-1]
}

// signal sends a signal to the command alone. It reports whether there was one to take it.
func (p *process) signal(s os.Signal) bool {
	p.weigh()
	return p.running != nil && p.running.Process.Signal(s) == nil
}

// weigh notes the most memory that it has had: before its end, for later it cannot be asked.
func (p *process) weigh() {
	if p.running != nil {
		p.peak = max(p.peak, peakOf(p.running.Process.Pid))
	}
}

// kill ends it without a word; run starts it again when it was down for so long. false: it was not there.
func (p *process) kill(down time.Duration) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stopping || p.expected || !p.signal(syscall.SIGKILL) {
		return false
	}
	p.expected, p.down = true, down
	p.kills++
	return true
}

// pause stops it from running for a while, and returns at once.
func (p *process) pause(ctx context.Context, length time.Duration) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stopping || p.expected || p.paused || !p.signal(syscall.SIGSTOP) {
		return false
	}
	p.paused = true
	p.pauses++
	asleep := p.running
	go func() {
		select {
		case <-ctx.Done():
		case <-time.After(length):
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.running == asleep {
			p.signal(syscall.SIGCONT)
			p.paused = false
		}
	}()
	return true
}

// well reports whether it runs.
func (p *process) well() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.running != nil && !p.expected && !p.paused
}

// stop tells it to end, and returns when it has: an error where it does not in time, or badly.
func (p *process) stop() error {
	p.mu.Lock()
	p.stopping = true
	before := len(p.faults)
	p.signal(syscall.SIGCONT)
	p.signal(syscall.SIGTERM)
	p.mu.Unlock()
	select {
	case <-p.ended:
	case <-time.After(stopFor):
		p.mu.Lock()
		p.signal(syscall.SIGKILL)
		p.mu.Unlock()
		<-p.ended
		return fmt.Errorf("%s did not end within %v of SIGTERM", p.name, stopFor)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if faults := p.faults[before:]; len(faults) > 0 {
		p.faults = p.faults[:before]
		return errors.New(strings.Join(faults, "; "))
	}
	return nil
}

func (p *process) report() (kills, pauses int, peak int64, faults []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.weigh()
	return p.kills, p.pauses, p.peak, p.faults
}
