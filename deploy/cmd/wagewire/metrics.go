package main

import (
	"context"
	"net"
	"net/http"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/wagewire/wagewire/deploy/command"
	"github.com/wagewire/wagewire/deploy/health"
	"github.com/wagewire/wagewire/schema/process"
)

const (
	// metricsAddr is the default of --addr.
	metricsAddr = ":9090"
	// readEvery is the time between two readings of the broker.
	readEvery = 10 * time.Second
	// metricsHeaderFor is how long a caller may take to send the headers of a request.
	metricsHeaderFor = 5 * time.Second
	// metricsReadFor is the limit of one reading of the broker.
	metricsReadFor = 30 * time.Second
)

func newMetricsCommand(t terminal) *cobra.Command {
	addr := metricsAddr
	every := readEvery
	cmd := &cobra.Command{
		Use:     "metrics",
		GroupID: groupObserve,
		Short:   "Serve what the broker holds, and what is wrong, as Prometheus metrics",
		Long: `wagewire metrics reads the broker again and again, as status does, and serves
/metrics for Prometheus: streams, queues, dead letters, the quarantine, providers, teams, processes,
and wagewire_finding_active for each finding of wagewire status. One process is enough for an
installation. deploy/metrics.md lists the metrics.

/readyz answers 200 if the last reading was successful, and /livez always. Processes of ingress and
of the workers serve their own metrics at ADMIN_ADDR.`,
		Example: `  Serve on port 9090:
    wagewire metrics
  Look at what is wrong:
    curl -s http://127.0.0.1:9090/metrics | grep 'wagewire_finding_active.* 1$'`,
		Args: command.NoArguments,
	}
	cmd.Flags().StringVar(&addr, "addr", addr, "listener for /metrics, /livez and /readyz")
	addDuration(cmd.Flags(), &every, "every", every.String(), "time between two readings")
	command.AddEnvironment(cmd,
		slices.Concat(brokerVariables(), health.Variables(), consoleVariables()))
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if every <= 0 {
			return command.UsageError("--every: it must be more than no time")
		}
		return serveMetrics(cmd.Context(), t, addr, every)
	}
	return untilInterrupted(cmd, func() bool { return true })
}

// serveMetrics serves metrics until ctx ends.
func serveMetrics(ctx context.Context, t terminal, addr string, every time.Duration) error {
	console, err := readConsole(t.getenv)
	if err != nil {
		return err
	}
	s, err := openService(t)
	if err != nil {
		return err
	}
	defer s.close()
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
	if err != nil {
		return command.UsageError("--addr: %v", err)
	}
	exporter := health.NewExporter(s.registry, console)
	server := &http.Server{
		Handler:           process.AdminHandler(exporter.Ready, s.registry),
		ReadHeaderTimeout: metricsHeaderFor,
	}
	return s.op.RunWhileOpen(ctx, func(ctx context.Context) error {
		group, ctx := errgroup.WithContext(ctx)
		group.Go(func() error { return process.Serve(ctx, listener, server) })
		group.Go(func() error {
			health.ReadAgain(ctx, s.op, s.health,
				health.Again{Every: every, Limit: metricsReadFor, Show: exporter.Show})
			return nil
		})
		return group.Wait()
	})
}
