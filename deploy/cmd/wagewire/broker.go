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
	"go.uber.org/zap"

	"github.com/wagewire/wagewire/schema/process"
	"github.com/wagewire/wagewire/schema/stream"
)

const (
	// waitDefault is how long a command waits for a broker that is not there yet.
	waitDefault = 30 * time.Second
	lookEvery   = 100 * time.Millisecond
	lookFor     = 5 * time.Second
)

// connect returns a connection once the broker answers and has JetStream. It says on stderr that it waits.
func connect(ctx context.Context, t terminal, wait time.Duration, log *zap.Logger) (*stream.Operator, error) {
	var config stream.Config
	if err := process.ReadConfig(t.getenv, &config); err != nil {
		return nil, err
	}
	c, err := stream.Connect(config, stream.RoleOperator, log)
	if err != nil {
		return nil, err
	}
	conn := stream.NewOperator(c)
	server := serverOf(t.getenv)
	waiting := func() { fmt.Fprintf(t.stderr, "waiting up to %s for NATS at %s\n", wait, server) }
	if err := answers(ctx, conn, wait, waiting); err != nil {
		conn.Close()
		return nil, fmt.Errorf("NATS_URL: %s: %w%s", server, err, adviceOn(err))
	}
	return conn, nil
}

// answers waits until the broker does, and calls waiting once if that is not at once.
func answers(ctx context.Context, conn *stream.Operator, wait time.Duration, waiting func()) error {
	end := time.NewTimer(wait)
	defer end.Stop()
	again := time.NewTicker(lookEvery)
	defer again.Stop()
	for looked := false; ; looked = true {
		err := look(ctx, conn)
		if err == nil || withoutJetStream(err) {
			return err
		}
		if !looked && wait > 0 {
			waiting()
		}
		select {
		case <-ctx.Done():
			return err
		case <-end.C:
			return fmt.Errorf("no answer within %s: %w", wait, err)
		case <-again.C:
		}
	}
}

// look asks once. A stream that is missing or full is an answer, too.
func look(ctx context.Context, conn *stream.Operator) error {
	ctx, cancel := context.WithTimeout(ctx, lookFor)
	defer cancel()
	err := conn.Ready(ctx)
	if errors.Is(err, stream.ErrNoQueue) || errors.Is(err, stream.ErrFull) {
		return nil
	}
	return err
}

// withoutJetStream tells a broker that will never do from one that is not there yet.
func withoutJetStream(err error) bool {
	return errors.Is(err, nats.ErrNoResponders) || errors.Is(err, jetstream.ErrJetStreamNotEnabled) || errors.Is(err, jetstream.ErrJetStreamNotEnabledForAccount)
}

// serverOf is NATS_URL without the user, password or token that may stand in it.
func serverOf(getenv func(string) string) string {
	text := getenv("NATS_URL")
	if text == "" {
		return nats.DefaultURL
	}
	var servers []string
	for server := range strings.SplitSeq(text, ",") {
		// The library takes an address without a scheme, package url does not.
		if !strings.Contains(server, "://") {
			server = "nats://" + strings.TrimSpace(server)
		}
		u, err := url.Parse(strings.TrimSpace(server))
		if err != nil {
			return "(not a URL)"
		}
		u.User = nil
		servers = append(servers, u.String())
	}
	return strings.Join(servers, ",")
}

// Codes of the broker's answers to a stream it has no place for, as nats-server 2.15 gives them.
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

// adviceOn is what an operator can do about an error, after ": ", or "".
func adviceOn(err error) string {
	if api, ok := errors.AsType[*jetstream.APIError](err); ok {
		switch api.ErrorCode {
		case codeNoStorage, codeNoResources, codeAccountLimit, codeMaxBytesOfAccount:
			return ": every stream reserves its max_bytes: lower --max-bytes of one, or raise max_file_store of the server or the limits of the account"
		case codeConsumerNotMade, codeStreamNotMade:
			return ": see the broker's log, and whether its volume has room"
		case codeNoPeers:
			return ": no server has room for it: lower --replicas or --max-bytes, or add servers to the cluster"
		case codeReplicasFixed, codeReplicasOneServer:
			return ": this NATS is one server: lower --replicas to 1"
		}
	}
	switch {
	case errors.Is(err, jetstream.ErrJetStreamNotEnabledForAccount):
		return ": enable JetStream for the account, or use the credentials of one that has it in NATS_CREDS_FILE"
	case withoutJetStream(err):
		return ": JetStream is not enabled: start nats-server with --jetstream, or with a jetstream block in its configuration"
	case errors.Is(err, jetstream.ErrStreamNotFound):
		return ": run: wagewire provision apply"
	case errors.Is(err, context.DeadlineExceeded):
		return ": try again in a few seconds, a cluster may be choosing a leader; see the broker's log"
	case errors.Is(err, nats.ErrAuthorization):
		return ": set NATS_CREDS_FILE to credentials that this server takes"
	default:
		return ""
	}
}
