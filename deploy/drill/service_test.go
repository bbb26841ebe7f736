package drill

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"go.uber.org/zap"

	"github.com/wagewire/wagewire/deploy/command"
	"github.com/wagewire/wagewire/schema/stream"
	"github.com/wagewire/wagewire/schema/stream/streamtest"
)

const (
	// restartAfter is the pause before a process that ended is started again.
	restartAfter = 300 * time.Millisecond
	// stopFor is how long a process may take to end after SIGTERM.
	stopFor = 30 * time.Second
)

// service is a process that is started again whenever it ends.
type service struct {
	mu  sync.Mutex
	now *os.Process // nil while none runs
	// started is when now was started.
	started time.Time
}

// serve runs the command as a service until the script ends.
func (d *drill) serve(name string, args ...string) {
	s := &service{}
	d.services[name] = s
	d.running.Go(func() {
		for d.ctx.Err() == nil {
			if err := d.runOnce(s, name, args); err != nil && d.ctx.Err() == nil {
				d.t.Logf("%s: %v", name, err)
			}
			select {
			case <-d.ctx.Done():
			case <-time.After(restartAfter):
			}
		}
	})
}

// runOnce starts the command and returns when it has ended.
func (d *drill) runOnce(s *service, name string, args []string) error {
	log, err := os.OpenFile(d.logFile(name), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }() // the process writes the file
	cmd := exec.CommandContext(d.ctx, filepath.Join(d.bin, name), args...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = stopFor
	cmd.SysProcAttr = command.OwnGroup()
	cmd.Dir = d.dir
	cmd.Env = d.env
	cmd.Stdout = log
	cmd.Stderr = log
	began := time.Now()
	if err := cmd.Start(); err != nil {
		return err
	}
	s.set(cmd.Process, began)
	defer s.set(nil, time.Time{})
	return cmd.Wait()
}

func (s *service) set(p *os.Process, started time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now = p
	s.started = started
}

// kill kills the process and returns when it was started, zero if none runs.
func (s *service) kill() (started time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.now == nil || s.now.Kill() != nil {
		return time.Time{}
	}
	return s.started
}

func (s *service) startedAt() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.started
}

// crash ROLE: each process of the role is killed when it has reported.
func (d *drill) crash(_ *testscript.TestScript, args []string) error {
	if len(args) != 1 || d.services[args[0]] == nil {
		return errUsage
	}
	d.spare()
	d.spare = d.repeat(func(ctx context.Context) {
		s := d.services[args[0]]
		if started := s.startedAt(); !started.IsZero() && d.untilReported(args[0], started) == nil {
			s.kill()
		}
	})
	return nil
}

// spare ROLE
func (d *drill) spareRole(_ *testscript.TestScript, args []string) error {
	if len(args) != 1 {
		return errUsage
	}
	d.spare()
	return nil
}

// repeat calls do again and again until stop, which returns after the last call.
func (d *drill) repeat(do func(context.Context)) (stop func()) {
	ctx, cancel := context.WithCancel(d.ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for ctx.Err() == nil {
			do(ctx)
			select {
			case <-ctx.Done():
			case <-time.After(lookEvery):
			}
		}
	}()
	return func() {
		cancel()
		<-ended
	}
}

// nats stop, nats start [FILE_BYTES_MAX]
func (d *drill) switchNATS(_ *testscript.TestScript, args []string) error {
	switch strings.Join(args[:min(1, len(args))], "") {
	case "stop":
		d.stopNATS()
		return nil
	case "start":
		limit := 0
		if len(args) > 1 {
			var err error
			if limit, err = strconv.Atoi(args[1]); err != nil {
				return err
			}
		}
		return d.startNATS(limit)
	default:
		return errUsage
	}
}

func (d *drill) startNATS(fileBytesMax int) error {
	dir := filepath.Join(d.dir, "nats")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	d.stopNATS = streamtest.StartProcess(d.t, dir, d.natsPort, fileBytesMax)
	return nil
}

// operator connects to the broker as an operator.
func (d *drill) operator() (*stream.Operator, error) {
	config := stream.Config{URL: d.natsURL()}
	conn, err := stream.Connect(config, "drill", zap.NewNop())
	if err != nil {
		return nil, err
	}
	return stream.NewOperator(conn), nil
}

// errNoReport: no process of the role has reported since.
var errNoReport = errors.New("no report")

// untilReported waits for the report of a process of the role that was started since.
func (d *drill) untilReported(role string, since time.Time) error {
	op, err := d.operator()
	if err != nil {
		return err
	}
	defer op.Close()
	return d.until(func() error {
		ask, cancel := context.WithTimeout(d.ctx, askFor)
		defer cancel()
		reports, err := op.Reports(ask)
		if err != nil {
			return err
		}
		for _, r := range reports {
			if r.Role == role && r.Started.After(since) {
				return nil
			}
		}
		return errNoReport
	})
}

// until calls holds again and again until it returns nil, or the test binary's time is up.
func (d *drill) until(holds func() error) error {
	for {
		err := holds()
		if err == nil {
			return nil
		}
		select {
		case <-d.ctx.Done():
			return errors.Join(context.Cause(d.ctx), err)
		case <-time.After(lookEvery):
		}
	}
}
