package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/spf13/cobra"
	"go.uber.org/zap"

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
		return withAdvice(explainRights(err))
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
		return nil, fmt.Errorf("NATS_URL: %s: %w", server, withAdvice(err))
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
		if err == nil || lacksJetStream(err) {
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

// lacksJetStream reports whether waiting is useless because the broker has no JetStream.
func lacksJetStream(err error) bool {
	return errors.Is(err, nats.ErrNoResponders) ||
		errors.Is(err, jetstream.ErrJetStreamNotEnabled) ||
		errors.Is(err, jetstream.ErrJetStreamNotEnabledForAccount)
}

// explainRights adds to an error of a command which key has the rights for the command. The broker
// has answered a first request already. If nobody answers the next, the role of the key lacks the
// right to send the request.
func explainRights(err error) error {
	if !errors.Is(err, nats.ErrNoResponders) {
		return err
	}
	return fmt.Errorf("%w: the key in NATS_CREDS_FILE is not the operator's: "+
		"set NATS_CREDS_FILE to %s", err, operatorSeedFile())
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

// withAdvice adds to an error the advice for an operator.
func withAdvice(err error) error {
	if advice := adviceOn(err); advice != "" {
		return fmt.Errorf("%w: %s", err, advice)
	}
	return err
}

func adviceOn(err error) string {
	if api, ok := errors.AsType[*jetstream.APIError](err); ok {
		if advice := adviceOnCode(api.ErrorCode); advice != "" {
			return advice
		}
	}
	switch {
	case errors.Is(err, jetstream.ErrStreamNotFound):
		return "run: wagewire provision apply"
	case errors.Is(err, context.DeadlineExceeded):
		return "a cluster may be choosing a leader: try again soon; see the broker's log"
	case errors.Is(err, nats.ErrAuthorization):
		return "set NATS_CREDS_FILE to credentials that this server takes"
	default:
		return ""
	}
}

// Codes of nats-server 2.15 for the refusal of a stream or consumer that has no place.
const (
	codeAccountLimit      jetstream.ErrorCode = 10002
	codeNoPeers           jetstream.ErrorCode = 10005
	codeConsumerNotMade   jetstream.ErrorCode = 10012
	codeNoResources       jetstream.ErrorCode = 10023
	codeNoStorage         jetstream.ErrorCode = 10047
	codeStreamNotMade     jetstream.ErrorCode = 10049
	codeReplicasFixed     jetstream.ErrorCode = 10061
	codeReplicasOneServer jetstream.ErrorCode = 10074
	codeMaxBytesOfAccount jetstream.ErrorCode = 10122
)

func adviceOnCode(code jetstream.ErrorCode) string {
	switch code {
	case codeNoStorage, codeNoResources, codeAccountLimit, codeMaxBytesOfAccount:
		return "every stream reserves its max_bytes: " +
			"lower --max-bytes of one (STREAM_MAX_BYTES), " +
			"or raise max_file_store of the server or the limits of the account"
	case codeConsumerNotMade, codeStreamNotMade:
		return "see the broker's log, and whether its volume has room"
	case codeNoPeers:
		return "no server has room for it: " +
			"lower --replicas (STREAM_REPLICAS) or --max-bytes, or add servers to the cluster"
	case codeReplicasFixed, codeReplicasOneServer:
		return "this NATS is one server: lower --replicas to 1"
	default:
		return ""
	}
}
