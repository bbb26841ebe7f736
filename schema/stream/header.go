package stream

import (
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/wagewire/wagewire/schema"
)

// Names of the headers of our messages. The headers of an event follow CloudEvents 1.0 in binary
// mode.
const (
	headerSpecVersion = "ce-specversion"
	headerID          = "ce-id"
	headerSource      = "ce-source"
	headerType        = "ce-type"
	headerSubject     = "ce-subject"
	headerTime        = "ce-time"
	headerContentType = "content-type"
	headerTraceParent = "traceparent"
	headerReceivedAt  = "Wagewire-Received-At"
	headerBodySHA256  = "Wagewire-Body-Sha256"
	headerOutcome     = "Wagewire-Outcome"
	headerQueue       = "Wagewire-Queue"
	headerClass       = "Wagewire-Class"
	headerReason      = "Wagewire-Reason"
	headerAttempts    = "Wagewire-Attempts"
	headerSequence    = "Wagewire-Event-Sequence"
	headerFailedAt    = "Wagewire-Failed-At"
	headerRedrive     = "Wagewire-Redrive"
	headerBackfill    = schema.BackfillHeader
	headerStatus      = "Wagewire-Status"
	headerEndpoint    = "Wagewire-Endpoint"
	headerStep        = "Wagewire-Step"
	headerSince       = "Wagewire-Waiting-Since"
	headerUntil       = "Wagewire-Next-Try"
	headerFailures    = "Wagewire-Failures"
	headerTook        = "Wagewire-Provider-Took"
	headerLastTrace   = "Wagewire-Last-Traceparent"
	headerProgress    = "Wagewire-Progress"
)

// Headers of a status: the broker's answer that is no message.
const (
	statusHeader      = "Status"
	descriptionHeader = "Description"
)

const (
	jsonContentType = "application/json"
	providerURN     = "urn:wagewire:provider:"
	// brokerHeaders is the prefix of the headers with a meaning in NATS itself.
	brokerHeaders = "Nats-"
)

// moreHeaders is how many headers a message gets besides those of newHeader: its id, its stream, and
// its trace.
const moreHeaders = 3

// newHeader returns the headers of a message: names and values in turn.
func newHeader(namesAndValues ...string) nats.Header {
	header := make(nats.Header, len(namesAndValues)/2+moreHeaders)
	for i := 0; i < len(namesAndValues); i += 2 {
		header[namesAndValues[i]] = namesAndValues[i+1 : i+2 : i+2]
	}
	return header
}

// setHeader sets a header of a message.
func setHeader(msg *nats.Msg, name, value string) {
	if msg.Header == nil {
		msg.Header = nats.Header{}
	}
	msg.Header.Set(name, value)
}

// encodeText makes any text fit for a header. As CloudEvents prescribes, it percent-encodes spaces,
// quotes, percent signs, and every byte outside printable ASCII.
func encodeText(text string) string {
	plain := 0
	for plain < len(text) && isPlain(text[plain]) {
		plain++
	}
	if plain == len(text) {
		return text
	}
	var b strings.Builder
	for i := range len(text) {
		if c := text[i]; isPlain(c) {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

// isPlain reports whether a byte stands for itself in a header.
func isPlain(c byte) bool { return c > ' ' && c < 0x7f && c != '"' && c != '%' }

// decodeText reverses encodeText.
func decodeText(value string) (string, error) { return url.PathUnescape(value) }

func formatTime(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }
