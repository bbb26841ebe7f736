package shelf

import (
	"time"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
)

// LetterJSON is a dead letter for another program.
type LetterJSON struct {
	Number     uint64        `json:"number"`
	At         time.Time     `json:"at"`
	Queue      string        `json:"queue"`
	Class      schema.Class  `json:"class"`
	Reason     schema.Reason `json:"reason"`
	Attempts   int           `json:"attempts"`
	Event      string        `json:"event"`
	Type       string        `json:"type"`
	Account    string        `json:"account"`
	ReceivedAt time.Time     `json:"received_at,omitzero"`
	Sequence   uint64        `json:"event_sequence"`
	BodyBytes  int           `json:"body_bytes"`
	// Status and Endpoint are those of the provider's last answer. Error is that of the completion.
	Status   int                     `json:"status,omitempty"`
	Endpoint string                  `json:"endpoint,omitempty"`
	Error    *schema.CompletionError `json:"error,omitempty"`
	Headers  map[string][]string     `json:"headers,omitempty"`
	Body     *string                 `json:"body,omitempty"`
	// Console is the address of the letter's page.
	Console string `json:"console,omitempty"`
}

// NewLetterJSON returns the dead letter without headers and body.
func NewLetterJSON(l stream.Letter) LetterJSON {
	return LetterJSON{
		Number: l.Number, At: l.At.UTC(), Queue: l.Queue, Class: l.Class, Reason: l.Reason,
		Attempts: l.Attempts, Event: l.Event.Key(), Type: l.Event.Type, Account: l.Account,
		ReceivedAt: l.Event.ReceivedAt.UTC(), Sequence: l.Sequence, BodyBytes: l.BodyBytes,
		Status: l.Status, Endpoint: l.Endpoint, Error: l.Error,
	}
}
