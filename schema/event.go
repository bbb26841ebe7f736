package schema

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// EventBytesMax is the size of the largest event on its stream, headers included: 896 KiB for the
// webhook, and 64 KiB for the headers, where an id of IDBytesMax may take three times its size. A
// copy of the event with more headers still fits the broker's default limit of 1 MiB.
const EventBytesMax = 960 << 10

// Limits of a webhook's id and type. A webhook over a limit goes to quarantine, whole.
const (
	IDBytesMax   = 16 << 10
	TypeBytesMax = 256
)

// BackfillHeader is the HTTP header of a backfill: a webhook that an operator sends for an account
// linked long ago. The event on its stream has a header of the same name. Ingress reads the header
// after it has verified the signature. With another value than BackfillTrue the webhook is fresh.
// The signature does not cover the header: whoever can send a genuine webhook can also mark it.
const (
	BackfillHeader = "Wagewire-Backfill"
	BackfillTrue   = "true"
)

// Event is a verified webhook in our terms. Body holds the webhook's bytes, unchanged. The other
// fields serve routing.
type Event struct {
	Provider Provider
	// ID is the provider's id of the webhook: Pinwheel's event_id, Truv's webhook_id.
	ID string
	// Type is the provider's name of the type, such as "paystubs.added" or "link-deleted".
	Type string
	// Resource and Action are the tokens of the type's row in the catalogue.
	Resource Resource
	Action   string
	// AccountID is the id at the catalogue's account path, or "" if the webhook names no account.
	AccountID string
	// Of is set only in a copy of an event that names a person: an account of the person. The
	// completion and the records of the copy are about this account.
	Of string
	// OccurredAt is the provider's time of the event, or ReceivedAt if the webhook has no time.
	OccurredAt time.Time
	ReceivedAt time.Time
	// Redrive is 0 for the webhook itself, and n for the nth time an operator sent the event
	// through its queue again. A redrive has a key and a completion of its own.
	Redrive int
	// Backfill is true for a webhook that came with BackfillHeader, and for its redrives. If the
	// webhook comes twice, the first copy counts.
	Backfill bool
	// Queue is the only queue that works on a redrive. It is "" if every queue of the type does.
	Queue string
	// TraceParent is the W3C trace context of the webhook's receipt, or "".
	TraceParent string
	Body        []byte
}

// Replayed reports whether the event comes after fresh events: a redrive, or a backfill.
func (e Event) Replayed() bool { return e.Redrive > 0 || e.Backfill }

// ErrFull means that a stream has no room. Nothing was stored.
var ErrFull = errors.New("the stream is full")

// ErrTooLarge means that a message is larger than the broker allows. Another try has the same end,
// until an operator raises the limit. Nothing was stored.
var ErrTooLarge = errors.New("larger than max_payload of the broker")

// ErrIDConflict means that the stream already holds another body under the event's id. The stored
// body stays.
var ErrIDConflict = errors.New("the id was stored before with another body")

// ErrInvalidEvent is wrapped by every error of Validate.
var ErrInvalidEvent = errors.New("invalid event")

// Validate returns an error if the event can be neither stored nor worked on.
func (e Event) Validate() error {
	if fault := e.findFault(); fault != "" {
		return fmt.Errorf("%w: %s", ErrInvalidEvent, fault)
	}
	return nil
}

// findFault describes the first fault of the event. It returns "" for a valid event.
func (e Event) findFault() string {
	row := Lookup(e.Provider, e.Type)
	switch {
	case !e.Provider.Known():
		return fmt.Sprintf("provider %q is not known", e.Provider)
	case e.ID == "":
		return "the id is empty"
	case len(e.ID) > IDBytesMax:
		return fmt.Sprintf("the id has more than %d bytes", IDBytesMax)
	case e.Type == "":
		return "the type is empty"
	case len(e.Type) > TypeBytesMax:
		return fmt.Sprintf("the type has more than %d bytes", TypeBytesMax)
	case len(e.AccountID) > IDBytesMax:
		return fmt.Sprintf("the account id has more than %d bytes", IDBytesMax)
	case e.Resource != row.Resource || e.Action != row.Action:
		return fmt.Sprintf("%s.%s is not the catalogue's resource and action for type %q",
			e.Resource, e.Action, e.Type)
	case e.ReceivedAt.IsZero():
		return "the time of receipt is missing"
	case e.OccurredAt.IsZero():
		return "the time of the event is missing"
	case len(e.Body) == 0:
		return "the body is empty"
	default:
		return ""
	}
}

// ParseTime reads the timestamps of every provider: RFC 3339 with or without a fraction, with "Z"
// or an offset, and with a space for the T as in Pinwheel's samples (OpenAPI 2025-07-08,
// shift.created_at). ParseTime refuses years before 1970, because a provider sends no such time
// except as a zero value, and years after 9999, because RFC 3339 cannot express them. The error
// does not quote the text.
func ParseTime(s string) (time.Time, error) {
	t, err := time.Parse(time.RFC3339Nano, strings.Replace(s, " ", "T", 1))
	if err != nil {
		return time.Time{}, errors.New("parse time: it is not RFC 3339")
	}
	if year := t.UTC().Year(); year < 1970 || year > 9999 {
		return time.Time{}, errors.New("parse time: it is not between the years 1970 and 9999")
	}
	return t, nil
}
