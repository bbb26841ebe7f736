// Package advice adds to the errors of the broker what an operator can do about each.
package advice

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	accounts "github.com/wagewire/wagewire/deploy/nats"
	"github.com/wagewire/wagewire/schema/stream"
)

// LacksJetStream reports whether waiting is useless because the broker has no JetStream.
func LacksJetStream(err error) bool {
	return errors.Is(err, nats.ErrNoResponders) ||
		errors.Is(err, jetstream.ErrJetStreamNotEnabled) ||
		errors.Is(err, jetstream.ErrJetStreamNotEnabledForAccount)
}

// onRights adds to an error which key has the rights of an operator. The broker has answered a
// first request already. If nobody answers the next, the role of the key lacks the right to send
// the request.
func onRights(err error) error {
	if !errors.Is(err, nats.ErrNoResponders) {
		return err
	}
	return fmt.Errorf("%w: the key in NATS_CREDS_FILE is not the operator's: "+
		"set NATS_CREDS_FILE to %s", err, accounts.SeedFile(stream.RoleOperator))
}

// On adds to an error of a question to the broker what an operator can do. The broker must have
// answered an earlier question.
func On(err error) error { return OnBroker(onRights(err)) }

// OnBroker adds to an error of a broker that may not have answered yet what an operator can do.
func OnBroker(err error) error {
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
