package e2e

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/wagewire/wagewire/deploy/sandbox"
	"github.com/wagewire/wagewire/schema"
)

// stack is a running deployment of Wagewire with the fake providers and the secrets of the sandbox.
type stack interface {
	// Addresses returns the addresses of the parts. A stopped part keeps its address.
	Addresses() addresses
	// Stop stops a part, "nats" or a resource's worker, and waits for its end.
	Stop(part string) error
	// Start starts a stopped part again.
	Start(part string) error
	// Logs returns the logs of all parts, at level debug.
	Logs() ([]byte, error)
	// Metrics returns the present metrics of all parts.
	Metrics(ctx context.Context) ([]byte, error)
	// Close stops everything.
	Close() error
}

// addresses are URLs. Webhooks go to Webhooks/<provider>. Providers serves /<provider> and
// /control. Credentials is the file with the operator's credentials for NATS,
// and CA the certificate to trust, "" for a broker without TLS.
type addresses struct{ Webhooks, Providers, NATS, Credentials, CA string }

// starter starts a stack with its state in dir and with variables for its processes.
type starter func(ctx context.Context, dir string, variables map[string]string) (stack, error)

const natsPart = "nats"

// probeEvery is the time between two probes of a paused queue of an inProcess stack. A script that
// refuses credentials would otherwise wait for half a minute.
const probeEvery = time.Second

// inProcess is a stack inside the test process.
type inProcess struct {
	*sandbox.Sandbox
	log *logBuffer
}

func startInProcess(ctx context.Context, dir string, variables map[string]string) (stack, error) {
	p, err := startSandbox(ctx, dir, variables, sandbox.Config{})
	if err != nil {
		return nil, err
	}
	return p, nil
}

// startSandbox starts a sandbox with its log in memory. Without a port it has no console.
func startSandbox(
	ctx context.Context, dir string, variables map[string]string, c sandbox.Config,
) (*inProcess, error) {
	log := &logBuffer{}
	encoder := zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig())
	c.Dir = dir
	c.Getenv = func(key string) string { return variables[key] }
	c.PauseFor = probeEvery
	if c.ConsolePort == 0 {
		c.ConsolePort = -1
	}
	c.Log = zap.New(zapcore.NewCore(encoder, log, zapcore.DebugLevel))
	s, err := sandbox.Up(ctx, c)
	if err != nil {
		return nil, err
	}
	return &inProcess{s, log}, nil
}

func (p *inProcess) Addresses() addresses {
	return addresses{
		Webhooks: p.WebhooksURL, Providers: p.ProvidersURL, NATS: p.NATSURL,
		Credentials: p.OperatorKey,
	}
}

func (p *inProcess) Stop(part string) error {
	if part == natsPart {
		p.StopNATS()
		return nil
	}
	return p.StopWorker(schema.Resource(part))
}

func (p *inProcess) Start(part string) error {
	if part == natsPart {
		return p.StartNATS()
	}
	return p.StartWorker(schema.Resource(part))
}

func (p *inProcess) Logs() ([]byte, error) { return p.log.text(), nil }

func (p *inProcess) Metrics(ctx context.Context) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, p.AdminURL+"/metrics", nil)
	if err != nil {
		return nil, err
	}
	request.Close = true
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if response.StatusCode != 200 {
		err = errors.Join(err, fmt.Errorf("metrics: status %d", response.StatusCode))
	}
	return text, err
}

func (p *inProcess) Close() error {
	select {
	case err := <-p.Failed():
		return errors.Join(fmt.Errorf("a part stopped by itself: %w", err), p.Sandbox.Close())
	default:
		return p.Sandbox.Close()
	}
}

// logBuffer collects a log.
type logBuffer struct {
	mu    sync.Mutex
	lines []byte
}

func (b *logBuffer) Write(line []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.lines = append(b.lines, line...)
	return len(line), nil
}

func (b *logBuffer) Sync() error { return nil }

func (b *logBuffer) text() []byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]byte(nil), b.lines...)
}
