package stream

import (
	"errors"
	"fmt"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/wagewire/wagewire/schema"
)

// Errors with a fixed meaning. After any other error, the caller may try again later.
var (
	// ErrErased: the account has a tombstone. Nothing about the account is stored any more.
	ErrErased = errors.New("the account is erased")
	// ErrBadState: the message of an account's state cannot be read. Nothing in this repository
	// writes such a message.
	ErrBadState = errors.New("the message is no state: " +
		"delete the message, or run: wagewire accounts rebuild --from-scratch")
	// ErrFull: the stream has no room. Nothing was stored.
	ErrFull = schema.ErrFull
	// ErrTooLarge: the event, or the completion without its records, is over the broker's limit of
	// a message. Another try has the same end.
	ErrTooLarge = schema.ErrTooLarge
	// ErrNoQueue: the broker does not have the queue or its stream.
	ErrNoQueue = errors.New("run: wagewire provision apply")
	// ErrNoRecords: the records of a completion are gone. They expired, or the account was erased.
	ErrNoRecords = errors.New("the records are gone")
)

// errSilent describes a broker after a write error on its disk: until somebody restarts it, such a
// broker answers all requests except those to the broken stream.
var errSilent = errors.New("the broker is there and does not store: " +
	"see its log and the room on its volume, then restart it")

// errCopiesDeleted ends a publish whose message was stored and deleted too often.
var errCopiesDeleted = fmt.Errorf("%d copies were stored and deleted within the duplicate window: "+
	"try again after the window", copiesMax)

// Codes of the broker's errors, as nats-server 2.15 sends them. The package comment explains the
// codes.
const (
	codeMessageTooLarge   = 10054
	codeWrongLastSequence = 10071
	codeStoreFailed       = 10077
	codeDuplicateInFlight = 10158
	codeConflictInFlight  = 10164
)

// apiErrorOf returns the error from the broker, nil if the broker sent none, for example after a
// timeout.
func apiErrorOf(err error) *jetstream.APIError {
	sent, _ := errors.AsType[*jetstream.APIError](err)
	return sent
}

// codeOf returns the code of the error from the broker, 0 if the broker sent none.
func codeOf(err error) jetstream.ErrorCode {
	if sent := apiErrorOf(err); sent != nil {
		return sent.ErrorCode
	}
	return 0
}

// isMissing reports whether the broker does not have a consumer or stream.
func isMissing(err error) bool {
	return errors.Is(err, jetstream.ErrConsumerNotFound) ||
		errors.Is(err, jetstream.ErrConsumerDoesNotExist) ||
		errors.Is(err, jetstream.ErrStreamNotFound)
}

// isRetryable reports whether another try may succeed.
func isRetryable(err error) bool {
	sent := apiErrorOf(err)
	switch {
	case sent == nil:
		return !errors.Is(err, errGivenUp) &&
			!errors.Is(err, nats.ErrConnectionClosed) &&
			!errors.Is(err, nats.ErrMaxPayload) &&
			!errors.Is(err, jetstream.ErrNotPullConsumer) &&
			!errors.Is(err, nats.ErrBadSubject)
	case sent.ErrorCode == codeDuplicateInFlight, sent.ErrorCode == codeConflictInFlight:
		return true
	case sent.ErrorCode == codeStoreFailed:
		// "maximum …" names a limit of the stream. With any other text the store is closing,
		// because the broker stops.
		return !strings.HasPrefix(sent.Description, "maximum")
	default:
		return sent.Code >= 500
	}
}

// markFull wraps codeStoreFailed in ErrFull. On the completions stream the code has a second
// meaning: see requireTaken.
func markFull(err error) error {
	if codeOf(err) == codeStoreFailed {
		return fmt.Errorf("%w: %w", ErrFull, err)
	}
	return err
}

// markTooLarge wraps an error about the size of a webhook in ErrTooLarge. Other messages have no
// such mark: a chunk of records is too large only until the next attempt makes smaller chunks.
func markTooLarge(err error) error {
	if errors.Is(err, nats.ErrMaxPayload) || codeOf(err) == codeMessageTooLarge {
		return fmt.Errorf("%w: %w", ErrTooLarge, err)
	}
	return err
}
