//go:build cluster

package cluster

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/wagewire/wagewire/deploy/nats"
	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
)

// forward opens a port of a pod or a Service to this machine, and returns its local address. The
// port is open until the test ends, or until the pod does.
func (r *release) forward(t *testing.T, target string, port int) (address string) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	command := exec.CommandContext(ctx, "kubectl", "port-forward", "--namespace", r.namespace,
		target, fmt.Sprintf(":%d", port))
	command.Env = r.surroundings
	stdout, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var stderr strings.Builder
	command.Stderr = &stderr
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(stdout)
	first, err := lines.ReadString('\n')
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		_, _ = io.Copy(io.Discard, lines) // a line for each connection
	}()
	t.Cleanup(func() {
		cancel()
		<-drained
		_ = command.Wait() // killed
	})
	if err != nil {
		t.Fatalf("kubectl port-forward %s: %v: %s", target, err, &stderr)
	}
	address, _, found := strings.Cut(strings.TrimPrefix(first, "Forwarding from "), " ")
	if !found {
		t.Fatalf("kubectl port-forward %s printed %q", target, first)
	}
	return address
}

// broker is how the operator connects to the NATS of the release.
func (r *release) broker(t *testing.T) stream.Config {
	t.Helper()
	return stream.Config{
		URL:       "nats://" + r.forward(t, "service/wagewire-nats", 4222),
		CredsFile: filepath.Join(r.keys, nats.SeedFile(stream.RoleOperator)),
		Domain:    stream.Domain,
	}
}

// connect connects to the NATS of the release, with the key of the operator.
func (r *release) connect(t *testing.T) *stream.Operator {
	t.Helper()
	conn, err := stream.Connect(r.broker(t), "test", zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	return stream.NewOperator(conn)
}

// completions returns every stored completion.
func completions(ctx context.Context, o *stream.Operator) (all []schema.Completion, err error) {
	err = o.Scan(ctx, schema.CompletionsStream,
		stream.Selection{Filters: []string{schema.AllCompletions}}, func(m stream.Stored) error {
			var c schema.Completion
			if err := json.Unmarshal(m.Body, &c); err != nil {
				return err
			}
			all = append(all, c)
			return nil
		})
	return all, err
}

// settled waits until every stored webhook of the fakes has its completions, and fails the test if
// a completion is wrong.
func (r *release) settled(t *testing.T, f *fakes) {
	t.Helper()
	o := r.connect(t)
	began := time.Now()
	var v verdict
	until(t, "every stored webhook has its completions", func(ctx context.Context) error {
		if err := f.readSent(ctx); err != nil {
			return err
		}
		all, err := completions(ctx, o)
		if err != nil {
			return err
		}
		v = f.ledger.judge(all)
		if n := len(v.missing); n > 0 {
			return fmt.Errorf("%d are missing, such as that of %s", n, v.missing[0])
		}
		return nil
	})
	if len(v.wrong) > 0 {
		t.Errorf("%d completions are wrong, such as %s", len(v.wrong), v.wrong[0])
	}
	if len(v.refused) > 0 {
		t.Errorf("%d webhooks were never stored, such as %s", len(v.refused), v.refused[0])
	}
	t.Logf("ledger: %d webhooks stored, %d completions, none missing, none twice; waited %v",
		v.accepted, v.completed, time.Since(began).Round(time.Second))
}
