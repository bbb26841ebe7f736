package stream

import (
	"fmt"
	"net/url"
	"strings"
	"time"

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

// encodeText makes any text fit for a header. As CloudEvents prescribes, it percent-encodes spaces,
// quotes, percent signs, and every byte outside printable ASCII.
func encodeText(text string) string {
	var b strings.Builder
	for i := range len(text) {
		if c := text[i]; c > ' ' && c < 0x7f && c != '"' && c != '%' {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

// decodeText reverses encodeText.
func decodeText(value string) (string, error) { return url.PathUnescape(value) }

func formatTime(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }
