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
	// restartAfter is the pause before the restart of a command that ended by itself.
	restartAfter = 300 * time.Millisecond
	// stopFor is how long a command may take to end after SIGTERM.
	stopFor = 35 * time.Second
)

// process is a command that is restarted whenever it ends.
type process struct {
	name string
	path string
	args []string
	env  []string
	log  string

	mu      sync.Mutex
	running *exec.Cmd
	// killed is true between a kill and the end of the command. down is the pause before the
	// restart after a kill.
	killed   bool
	down     time.Duration
	paused   bool
	stopping bool

	kills, pauses int
	peak          int64 // bytes, over all restarts
	faults        []string
	ended         chan struct{}
}

func newProcess(dir, name, path string, env []string, args ...string) *process {
	return &process{
		name:  name,
		path:  path,
		args:  args,
		env:   env,
		log:   filepath.Join(dir, name+".log"),
		ended: make(chan struct{}),
	}
}

// run starts the command, and restarts it until stop is called or ctx ends. The end of ctx kills
// the command.
func (p *process) run(ctx context.Context) {
	defer close(p.ended)
	for {
		pause, err := p.runOnce(ctx)
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
		case <-time.After(pause):
		}
	}
}

// runOnce starts the command and waits for its end. It returns the pause before the restart, and an
// error if the command ended by itself or with a bad exit code.
func (p *process) runOnce(ctx context.Context) (pause time.Duration, err error) {
	log, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return restartAfter, err
	}
	defer func() { _ = log.Close() }()                 // the command writes the file
	cmd := exec.CommandContext(ctx, p.path, p.args...) //nolint:gosec // built by the harness
	cmd.Env = p.env
	cmd.Stdout = log
	cmd.Stderr = log
	cmd.SysProcAttr = ownGroup()
	started, err := p.start(cmd)
	if !started {
		return restartAfter, err
	}
	err = cmd.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.paused = false
	switch {
	case p.killed:
		return p.down, nil
	case ctx.Err() != nil:
		return 0, nil
	case p.stopping:
		return 0, p.endError(err)
	case err == nil:
		return restartAfter, p.endError(errors.New("exit status 0"))
	default:
		return restartAfter, p.endError(err)
	}
}

// start starts the command, unless the process is stopping.
func (p *process) start(cmd *exec.Cmd) (started bool, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stopping {
		return false, nil
	}
	if err := cmd.Start(); err != nil {
		return false, fmt.Errorf("%s: %w", p.name, err)
	}
	p.running = cmd
	p.killed = false
	return true, nil
}

// endError explains the end of the command with the last line of the log. Without err, there is
// nothing to explain.
func (p *process) endError(err error) error {
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

// signal sends a signal to the command. It returns false if the command does not run. The caller
// holds the lock.
func (p *process) signal(s os.Signal) bool {
	p.measure()
	return p.running != nil && p.running.Process.Signal(s) == nil
}

// measure updates the peak memory. It must run before the end of the command.
func (p *process) measure() {
	if p.running != nil {
		p.peak = max(p.peak, peakOf(p.running.Process.Pid))
	}
}

// kill kills the command, and run restarts it after down. It returns false if the command does not
// run.
func (p *process) kill(down time.Duration) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stopping || p.killed || !p.signal(syscall.SIGKILL) {
		return false
	}
	p.killed = true
	p.down = down
	p.kills++
	return true
}

// pause suspends the command for a while, and returns before the end of the pause. It returns false
// if the command does not run.
func (p *process) pause(ctx context.Context, length time.Duration) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stopping || p.killed || p.paused || !p.signal(syscall.SIGSTOP) {
		return false
	}
	p.paused = true
	p.pauses++
	suspended := p.running
	go func() {
		select {
		case <-ctx.Done():
		case <-time.After(length):
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.running == suspended {
			p.signal(syscall.SIGCONT)
			p.paused = false
		}
	}()
	return true
}

// isRunning reports whether the command runs and is not suspended.
func (p *process) isRunning() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.running != nil && !p.killed && !p.paused
}

// stop sends SIGTERM and waits for the end of the command. It returns an error after stopFor or
// after a bad exit code.
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

// history is the past of a process.
type history struct {
	kills, pauses int
	peak          int64 // bytes
	faults        []string
}

func (p *process) history() history {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.measure()
	return history{p.kills, p.pauses, p.peak, p.faults}
}
