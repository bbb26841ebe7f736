package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"go.uber.org/zap"

	"github.com/wagewire/wagewire/deploy/advice"
	"github.com/wagewire/wagewire/deploy/command"
	"github.com/wagewire/wagewire/schema/stream"
)

// healthcheckFor is shorter than a container's limit, so that a failed check can say why.
const healthcheckFor = 3 * time.Second

func newHealthcheckCommand(t terminal) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "healthcheck",
		Short: "Exit 0 if NATS answers and can store an event",
		Long: `wagewire healthcheck exits 0 if NATS answers and stores a message, and if the
stream of the events exists and is not nearly full. If not, one line says why. Containers of the
image run this command as their health check.`,
		Example: `  Start ingress when an event can be stored:
    wagewire healthcheck && ingress`,
		RunE: func(cmd *cobra.Command, _ []string) error { return checkHealth(cmd, t) },
	}
	command.AddEnvironment(cmd, brokerVariables())
	return cmd
}

func checkHealth(cmd *cobra.Command, t terminal) error {
	op, server, err := dial(t.getenv, zap.NewNop())
	if err != nil {
		return err
	}
	defer op.Close()
	ctx, cancel := context.WithTimeout(cmd.Context(), healthcheckFor)
	defer cancel()
	if err := awaitBroker(ctx, op, healthcheckFor, func() {}); err != nil {
		return fmt.Errorf("NATS_URL: %s: %w", server, advice.OnBroker(err))
	}
	if err := op.Ready(ctx); err != nil {
		return err
	}
	err = op.Stores(ctx)
	if errors.Is(err, stream.ErrNoReports) { // provisioned by an earlier release
		return nil
	}
	return err
}
