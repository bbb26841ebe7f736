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

	"github.com/wagewire/wagewire/deploy/command"
	"github.com/wagewire/wagewire/deploy/usage"
)

const (
	// restartAfter is the pause before the restart of a command that ended by itself.
	restartAfter = 300 * time.Millisecond
	// stopFor is how long a command may take to end after SIGTERM.
	stopFor = 35 * time.Second
	// startFor is how long a command may take until it handles SIGTERM.
	startFor = 5 * time.Second
)

// process is a command that is restarted whenever it ends.
type process struct {
	name string
	path string
	args []string
	// env is the environment of the command's start with a number: the first has the number 1.
	env func(start int) []string
	log string

	mu      sync.Mutex
	running *exec.Cmd
	// killed is true between a kill and the end of the command. down is the pause before the
	// restart after a kill.
	killed   bool
	down     time.Duration
	paused   bool
	stopping bool
	// overdue kills the command long after a SIGTERM of terminate. It is nil before.
	overdue *time.Timer
	starts  int
	began   time.Time // of the command
	resumed time.Time // the end of the last pause

	kills, pauses, restarts int
	peak                    int64 // bytes, over all restarts
	faults                  []string
	ended                   chan struct{}
}

func newProcess(
	dir, name, path string, env func(start int) []string, args ...string,
) *process {
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
	cmd.Stdout = log
	cmd.Stderr = log
	cmd.SysProcAttr = command.OwnGroup()
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
	case p.overdue != nil && p.endedWell(err):
		return 0, nil
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

// endedWell reports whether there is nothing to note about the end after a SIGTERM of terminate. A
// command that has just started may not handle the signal yet. If the command took too long,
// terminate has noted that. The caller holds the lock.
func (p *process) endedWell(err error) bool {
	inTime := p.overdue.Stop()
	exit, failed := errors.AsType[*exec.ExitError](err)
	tooEarly := failed && !exit.Exited() && time.Since(p.began) < startFor
	return !inTime || err == nil || tooEarly
}

// start starts the command, unless the process is stopping.
func (p *process) start(cmd *exec.Cmd) (started bool, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stopping {
		return false, nil
	}
	p.starts++
	cmd.Env = p.env(p.starts)
	if err := cmd.Start(); err != nil {
		return false, fmt.Errorf("%s: %w", p.name, err)
	}
	p.running = cmd
	p.began = time.Now()
	p.killed = false
	p.overdue = nil
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
		peak, _ := usage.MemoryPeak(p.running.Process.Pid) // 0 if the system does not count
		p.peak = max(p.peak, peak)
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

// terminate sends SIGTERM, as a rollout does, and run restarts the command at once after its end. A
// command that does not end well within stopFor is a fault. terminate returns false if the command
// does not run, or ends already.
func (p *process) terminate() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stopping || p.killed || p.overdue != nil || !p.signal(syscall.SIGTERM) {
		return false
	}
	p.restarts++
	late := p.running
	p.overdue = time.AfterFunc(stopFor, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.running == late {
			p.faults = append(p.faults, p.notEnded().Error())
			p.signal(syscall.SIGKILL)
		}
	})
	return true
}

func (p *process) notEnded() error {
	return fmt.Errorf("%s did not end within %v of SIGTERM", p.name, stopFor)
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
			p.resumed = time.Now()
		}
	}()
	return true
}

// isRunning reports whether the command runs and is not suspended.
func (p *process) isRunning() bool {
	_, running := p.runningSince()
	return running
}

// runningSince returns the time since which the command runs without a pause. It returns false if
// the command does not run, is suspended, or ends already.
func (p *process) runningSince() (since time.Time, running bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	since = p.began
	if p.resumed.After(since) {
		since = p.resumed
	}
	return since, p.running != nil && !p.killed && !p.paused && p.overdue == nil
}

// isStart reports whether the last start of the command has the number.
func (p *process) isStart(number int) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.starts == number
}

// stop sends SIGTERM and waits for the end of the command. It returns an error after stopFor or
// after a bad exit code.
func (p *process) stop() error {
	p.mu.Lock()
	p.stopping = true
	before := len(p.faults)
	p.signal(syscall.SIGCONT)
	if p.overdue == nil { // a second SIGTERM would end the command at once
		p.signal(syscall.SIGTERM)
	}
	p.mu.Unlock()
	select {
	case <-p.ended:
	case <-time.After(stopFor):
		p.mu.Lock()
		p.signal(syscall.SIGKILL)
		p.mu.Unlock()
		<-p.ended
		return p.notEnded()
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
	kills, pauses, restarts int
	peak                    int64 // bytes
	faults                  []string
}

func (p *process) history() history {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.measure()
	return history{p.kills, p.pauses, p.restarts, p.peak, p.faults}
}
