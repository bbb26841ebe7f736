package schema

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Limits of what a webhook may say of itself. Beyond them it is kept in quarantine, whole.
const (
	IDBytesMax   = 16 << 10
	TypeBytesMax = 256
)

// Event is a verified webhook in our terms. Body holds its bytes unchanged; all else is what routing needs.
type Event struct {
	Provider Provider
	// ID is the provider's: Pinwheel's event_id, Truv's webhook_id.
	ID string
	// Type is the provider's: "paystubs.added", "link-deleted".
	Type string
	// Resource and Action are the catalogue's.
	Resource Resource
	Action   string
	// AccountID is the id at the catalogue's account path, "" where the webhook names none.
	AccountID string
	// OccurredAt is the provider's time for what happened, or ReceivedAt where it gives none.
	OccurredAt time.Time
	ReceivedAt time.Time
	// Redrive is 0 for the webhook itself, and n where an operator sent it through the line for the nth time again: it then
	// has its own name and its own completion.
	Redrive int
	// Queue is the one queue a redrive is for, "" where all that read the type work on the event.
	Queue string
	// TraceParent is the W3C trace context in which the webhook was received, "" for none.
	TraceParent string
	Body        []byte
}

// ErrFull says that a stream has no room. Nothing was stored.
var ErrFull = errors.New("the stream is full")

// ErrIDConflict says that another body was stored before under the event's id. The first one stands.
var ErrIDConflict = errors.New("the id was stored before with another body")

// ErrInvalidEvent is wrapped by every error of Validate.
var ErrInvalidEvent = errors.New("invalid event")

// Validate reports what keeps the event from being stored and worked on.
func (e Event) Validate() error {
	var wrong string
	switch known := Lookup(e.Provider, e.Type); {
	case !e.Provider.Known():
		wrong = fmt.Sprintf("provider %q is not known", e.Provider)
	case e.ID == "":
		wrong = "the id is empty"
	case len(e.ID) > IDBytesMax:
		wrong = fmt.Sprintf("the id has more than %d bytes", IDBytesMax)
	case e.Type == "":
		wrong = "the type is empty"
	case len(e.Type) > TypeBytesMax:
		wrong = fmt.Sprintf("the type has more than %d bytes", TypeBytesMax)
	case len(e.AccountID) > IDBytesMax:
		wrong = fmt.Sprintf("the account id has more than %d bytes", IDBytesMax)
	case e.Resource != known.Resource || e.Action != known.Action:
		wrong = fmt.Sprintf("%s.%s is not the catalogue's resource and action for its type", e.Resource, e.Action)
	case e.ReceivedAt.IsZero() || e.OccurredAt.IsZero():
		wrong = "it has no time"
	case len(e.Body) == 0:
		wrong = "the body is empty"
	default:
		return nil
	}
	return fmt.Errorf("%w: %s", ErrInvalidEvent, wrong)
}

// ParseTime reads the timestamps of both providers: RFC 3339 with or without a fraction, "Z" or an offset, and
// Pinwheel's samples with a space for the T (OpenAPI 2025-07-08, shift.created_at). A year before 1970 is no time of theirs
// but somebody's zero value, and one after 9999 could not be written again.
func ParseTime(s string) (time.Time, error) {
	t, err := time.Parse(time.RFC3339Nano, strings.Replace(s, " ", "T", 1))
	if err != nil {
		return time.Time{}, fmt.Errorf("parse time: %q is not RFC 3339", s)
	}
	if year := t.UTC().Year(); year < 1970 || year > 9999 {
		return time.Time{}, fmt.Errorf("parse time: %q is not between the years 1970 and 9999", s)
	}
	return t, nil
}
