package find

import (
	"fmt"
	"time"

	"github.com/wagewire/wagewire/deploy/plain"
	"github.com/wagewire/wagewire/schema"
)

// Entry is a message about the account. Fields that a kind of message lacks are empty.
type Entry struct {
	At       time.Time       `json:"at"`
	Provider schema.Provider `json:"provider"`
	What     Kind            `json:"what"`
	// Account is the account's token.
	Account string `json:"account"`
	// Event is the key of the event.
	Event    string          `json:"event,omitempty"`
	Type     string          `json:"type,omitempty"`
	Queue    string          `json:"queue,omitempty"`
	Resource schema.Resource `json:"resource,omitempty"`
	Outcome  schema.Outcome  `json:"outcome,omitempty"`
	Class    schema.Class    `json:"class,omitempty"`
	// Code is the provider's word for the error, such as login_error of a task of Truv's.
	Code     string               `json:"code,omitempty"`
	Reason   schema.Reason        `json:"reason,omitempty"`
	Attempts int                  `json:"attempts,omitempty"`
	Number   uint64               `json:"number,omitempty"`
	NextTry  time.Time            `json:"next_try,omitzero"`
	Status   schema.AccountStatus `json:"status,omitempty"`
	Backfill bool                 `json:"backfill,omitempty"`
	// Unreadable: the message is not what the stream is for, and the fields of its content are
	// empty. For waiting events it says that the broker lacks a stream of them.
	Unreadable bool `json:"unreadable,omitempty"`
	// Data is the state of the account, in the entry of a state.
	Data schema.AccountData `json:"-"`
	// Supported are the resources that the account's payroll platform has, in the completion of
	// a link.
	Supported []schema.Resource `json:"-"`
}

// Kind is what an entry is.
type Kind string

// The kinds of entries.
const (
	Event      Kind = "event"
	Waiting    Kind = "waiting"
	Completion Kind = "completion"
	Letter     Kind = "dead letter"
	State      Kind = "state"
	Tombstone  Kind = "tombstone"
)

// Says is the rest of a line about the entry, in plain words. It names no provider, kind, event and
// type.
func (e Entry) Says(now time.Time) string {
	if e.Unreadable {
		return "cannot be read"
	}
	switch e.What {
	case Event:
		return e.saysOfEvent()
	case Waiting:
		return fmt.Sprintf("%s: %s, %s, next try %s", plain.Word(e.Queue), plain.Word(e.Class),
			plain.Count(e.Attempts, "failure"), plain.In(e.NextTry, now))
	case Completion:
		says := fmt.Sprintf("%s: %s, %s", plain.Word(e.Resource), plain.Word(e.Outcome),
			plain.Count(e.Attempts, "attempt"))
		if e.Class != "" {
			says += ", class " + plain.Word(e.Class)
		}
		if e.Code != "" {
			says += ", code " + plain.Word(e.Code)
		}
		return says
	case Letter:
		return fmt.Sprintf("number %d of %s: %s, %s", e.Number, plain.Word(e.Queue),
			plain.Word(e.Class), plain.Word(e.Reason))
	case State:
		if e.Status == "" {
			return "cannot be read"
		}
		return plain.Word(e.Status)
	default:
		return "the account is erased"
	}
}

func (e Entry) saysOfEvent() string {
	switch {
	case e.Queue != "":
		return "sent again to " + plain.Word(e.Queue)
	case e.Backfill:
		return "stored, as a backfill"
	default:
		return "stored"
	}
}
