package shelf

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"time"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
)

const (
	// ClockSkewMax is how far the clock of ingress may be ahead of the broker's. The search for an
	// event begins so much before the time at which ingress received the event.
	ClockSkewMax = time.Hour
	// resendFor is the limit for storing an event again.
	resendFor = 30 * time.Second
)

// History has the stored events of some webhooks, to find a free number for a redrive. An event
// under a used number would be dropped as a duplicate, or as completed already.
type History struct {
	op *stream.Operator
	// passages are by the key of the webhook's own event.
	passages map[string][]Passage
}

// NewHistory returns a history without events.
func NewHistory(op *stream.Operator) History { return History{op, map[string][]Passage{}} }

// Passage is an event of a webhook: number 0 is the webhook's own, the others are redrives.
type Passage struct {
	Number     int
	Queue      string
	BodySHA256 string
}

// OriginalKey is the key of the webhook's own event, whatever redrive e is.
func OriginalKey(e schema.Event) string {
	e.Redrive = 0
	return e.Key()
}

// OfAccount is an event, and the token of its account: "" means that events of any account may have
// its id. An event from headers alone does not know the account.
type OfAccount struct {
	schema.Event

	Token string
}

// scansPerAccount is how many events can be read in the time in which the broker finds those of one
// account.
const scansPerAccount = 200

// Read adds the events, and other events with their ids, from the stream. It reads all events since
// the first of them, or those of their accounts, if that is less work. All redrives of a body have
// its account. A second body with the same id may have another account, so Read reads the events of
// every account if an event is given without an account.
func (past History) Read(ctx context.Context, events ...OfAccount) error {
	events = slices.DeleteFunc(slices.Clone(events), func(e OfAccount) bool {
		// The event of a dead letter that cannot be decoded has no history.
		return !e.Provider.Known()
	})
	if len(events) == 0 {
		return nil
	}
	since := events[0].ReceivedAt
	wanted := map[string]bool{}
	filters := map[string]bool{}
	isAnyAccount := false
	for _, e := range events {
		wanted[OriginalKey(e.Event)] = true
		isAnyAccount = isAnyAccount || e.Token == ""
		filters[schema.AccountEvents(e.Provider, "*", "*", e.Token)] = true
		if e.ReceivedAt.Before(since) {
			since = e.ReceivedAt
		}
	}
	if !since.IsZero() {
		since = since.Add(-ClockSkewMax)
	}
	stored, err := past.op.CountMessages(ctx, schema.EventsStream)
	if err != nil {
		return err
	}
	selections := []stream.Selection{{Since: since}}
	if !isAnyAccount && uint64(len(filters))*scansPerAccount < stored {
		selections = nil
		for filter := range filters {
			selections = append(selections,
				stream.Selection{Since: since, Filters: []string{filter}})
		}
	}
	for _, which := range selections {
		err := past.op.Headings(ctx, which, func(heading stream.Heading) error {
			if wanted[OriginalKey(heading.Event)] {
				past.Add(heading.Event, heading.BodySHA256)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// Of returns the known events of the event's webhook.
func (past History) Of(e schema.Event) []Passage { return past.passages[OriginalKey(e)] }

// redriveMax is the number of the last redrive of a webhook. A larger number is not ours.
const redriveMax = 1_000_000

// Add adds an event, unless its number is larger than that of every redrive.
func (past History) Add(e schema.Event, bodySHA256 string) {
	if e.Redrive > redriveMax {
		return
	}
	key := OriginalKey(e)
	past.passages[key] = append(past.passages[key], Passage{e.Redrive, e.Queue, bodySHA256})
}

// NextNumber is the number after the last known redrive of the event.
func (past History) NextNumber(e schema.Event) int {
	last := e.Redrive
	for _, p := range past.Of(e) {
		last = max(last, p.Number)
	}
	return last + 1
}

// findRedrive finds a redrive of the same body through the queue, after the event itself.
func (past History) findRedrive(e schema.Event, queue string) (number int, found bool) {
	for _, p := range past.Of(e) {
		if p.Number > e.Redrive && p.Queue == queue && p.BodySHA256 == digest(e.Body) {
			return p.Number, true
		}
	}
	return 0, false
}

// Resend stores a redrive of the event for the queue, or for all queues that read its type if queue
// is "", and returns the number of the redrive. With once, Resend does not store the redrive if
// another process has stored the same redrive meanwhile; stored is then false.
func (past History) Resend(
	ctx context.Context, e schema.Event, queue string, once bool,
) (number int, stored bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, resendFor)
	defer cancel()
	for number = past.NextNumber(e); ; number++ {
		stored, err = past.storeAs(ctx, e, queue, number)
		if stored || err != nil {
			return number, stored, err
		}
		if !once {
			continue
		}
		// Somebody has used the number: another process, perhaps for this redrive. Its completion
		// may be here already. The same body has the same account.
		current := NewHistory(past.op)
		if err := current.Read(ctx, OfAccount{e, e.Account()}); err != nil {
			return number, false, err
		}
		if theirs, found := current.findRedrive(e, queue); found {
			return theirs, false, nil
		}
	}
}

// storeAs stores the redrive of that number. It returns false if the number is used.
func (past History) storeAs(
	ctx context.Context, e schema.Event, queue string, number int,
) (stored bool, err error) {
	isTaken, err := past.isCompleted(ctx, e, queue, number)
	if isTaken || err != nil {
		return false, err
	}
	stored, err = past.op.Redrive(ctx, e, queue, number)
	if stored && err == nil {
		redrive := e
		redrive.Redrive = number
		redrive.Queue = queue
		past.Add(redrive, digest(e.Body))
	}
	return stored, err
}

// isCompleted reports whether the redrive of that number has a completion of the queue's resource,
// or of any resource if queue is "". The completion may be of any account: the webhook may name a
// person, or another body with the id has another account.
func (past History) isCompleted(
	ctx context.Context, e schema.Event, queue string, number int,
) (bool, error) {
	e.Redrive = number
	completions, err := past.op.CompletionsOf(ctx, e, "")
	return slices.ContainsFunc(completions, func(c schema.Completion) bool {
		return queue == "" || queue == schema.QueueName(c.Data.Provider, c.Data.Resource)
	}), err
}

// AccountErased is why an event is not sent again.
const AccountErased = "its account is erased"

// isErased reports whether an erased account forbids to resend the event. An erasure
// may be repeated, and must be repeated if the first did not end.
func isErased(ctx context.Context, op *stream.Operator, e schema.Event) (bool, error) {
	if e.Erases() {
		return false, nil
	}
	return op.Erased(ctx, e.Provider, e.Account())
}

func digest(body []byte) string {
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:])
}
