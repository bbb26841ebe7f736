package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"go.uber.org/zap"

	"github.com/wagewire/wagewire/deploy/advice"
	"github.com/wagewire/wagewire/deploy/command"
	"github.com/wagewire/wagewire/schema/process"
	"github.com/wagewire/wagewire/schema/stream"
)

const (
	// waitDefault is how long a command waits for NATS to answer.
	waitDefault = 30 * time.Second
	// checkEvery is the pause between two checks of NATS, and checkFor the limit of a check.
	checkEvery = 100 * time.Millisecond
	checkFor   = 5 * time.Second
)

// session is a command with a connection to NATS.
type session struct {
	terminal
	*stream.Operator
	// wait is the duration of --wait.
	wait time.Duration
}

// onNATS completes a command that works on NATS: the command connects, waits as --wait says, and
// calls work. The help lists the variables of NATS, and more of the command's own.
func onNATS(
	t terminal, cmd *cobra.Command, work func(context.Context, session, []string) error,
	more ...process.Variable,
) *cobra.Command {
	wait := addWait(cmd)
	command.AddEnvironment(cmd, append(brokerVariables(), more...))
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		op, err := connect(cmd.Context(), t, *wait, zap.NewNop())
		if err != nil {
			return err
		}
		defer op.Close()
		err = op.RunWhileOpen(cmd.Context(), func(ctx context.Context) error {
			return work(ctx, session{t, op, *wait}, args)
		})
		return advice.On(err)
	}
	return cmd
}

// connect returns an operator when NATS answers and has JetStream. Stderr tells of a wait.
func connect(
	ctx context.Context, t terminal, wait time.Duration, log *zap.Logger,
) (*stream.Operator, error) {
	op, server, err := dial(t.getenv, log)
	if err != nil {
		return nil, err
	}
	waiting := func() { fmt.Fprintf(t.stderr, "waiting up to %s for NATS at %s\n", wait, server) }
	if err := awaitBroker(ctx, op, wait, waiting); err != nil {
		op.Close()
		return nil, fmt.Errorf("NATS_URL: %s: %w", server, advice.OnBroker(err))
	}
	return op, nil
}

// dial opens a connection without waiting for NATS. The server is the address without secrets.
func dial(
	getenv func(string) string, log *zap.Logger,
) (op *stream.Operator, server string, err error) {
	var config stream.Config
	if err := process.ReadConfig(getenv, &config); err != nil {
		return nil, "", err
	}
	conn, err := stream.Connect(config, stream.RoleOperator, log)
	if err != nil {
		return nil, "", err
	}
	return stream.NewOperator(conn), withoutSecrets(config.URL), nil
}

// awaitBroker waits until the broker answers, and calls waiting once if the first check fails.
func awaitBroker(
	ctx context.Context, op *stream.Operator, wait time.Duration, waiting func(),
) error {
	late := time.NewTimer(wait)
	defer late.Stop()
	tick := time.NewTicker(checkEvery)
	defer tick.Stop()
	for first := true; ; first = false {
		err := checkBroker(ctx, op)
		if err == nil || advice.LacksJetStream(err) {
			return err
		}
		if first && wait > 0 {
			waiting()
		}
		select {
		case <-ctx.Done():
			return err
		case <-late.C:
			return fmt.Errorf("no answer within %s: %w", wait, err)
		case <-tick.C:
		}
	}
}

// checkBroker checks once. A missing or full stream counts as an answer too.
func checkBroker(ctx context.Context, op *stream.Operator) error {
	ctx, cancel := context.WithTimeout(ctx, checkFor)
	defer cancel()
	err := op.Reachable(ctx)
	if errors.Is(err, stream.ErrNoQueue) || errors.Is(err, stream.ErrFull) {
		return nil
	}
	return err
}

// withoutSecrets is the list of servers without users, passwords and tokens.
func withoutSecrets(list string) string {
	var servers []string
	for server := range strings.SplitSeq(list, ",") {
		server = strings.TrimSpace(server)
		if !strings.Contains(server, "://") { // valid for nats.go, but not for url.Parse
			server = "nats://" + server
		}
		u, err := url.Parse(server)
		if err != nil {
			return "(not a URL)"
		}
		u.User = nil
		servers = append(servers, u.String())
	}
	return strings.Join(servers, ",")
}
