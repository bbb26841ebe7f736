package main

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
	// clockSkewMax is how far the clock of ingress may be ahead of the broker's. The search for an
	// event begins so much before the time at which ingress received the event.
	clockSkewMax = time.Hour
	// resendFor is the limit for storing an event again.
	resendFor = 30 * time.Second
)

// history has the stored events of some webhooks, to find a free number for a redrive. An event
// under a used number would be dropped as a duplicate, or as completed already.
type history struct {
	op *stream.Operator
	// passages are by the key of the webhook's own event.
	passages map[string][]passage
}

func newHistory(op *stream.Operator) history { return history{op, map[string][]passage{}} }

// passage is an event of a webhook: number 0 is the webhook's own, the others are redrives.
type passage struct {
	number     int
	queue      string
	bodySHA256 string
}

// originalKey is the key of the webhook's own event, whatever redrive e is.
func originalKey(e schema.Event) string {
	e.Redrive = 0
	return e.Key()
}

// ofAccount is an event, and the token of its account: "" means that events of any account may have
// its id. An event from headers alone does not know the account.
type ofAccount struct {
	schema.Event

	account string
}

// scansPerAccount is how many events can be read in the time in which the broker finds those of one
// account.
const scansPerAccount = 200

// read adds the events, and other events with their ids, from the stream. It reads all events since
// the first of them, or those of their accounts, if that is less work. All redrives of a body have
// its account. A second body with the same id may have another account, so read reads the events of
// every account if an event is given without an account.
func (past history) read(ctx context.Context, events ...ofAccount) error {
	events = slices.DeleteFunc(slices.Clone(events), func(e ofAccount) bool {
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
		wanted[originalKey(e.Event)] = true
		isAnyAccount = isAnyAccount || e.account == ""
		filters[schema.AccountEvents(e.Provider, "*", "*", e.account)] = true
		if e.ReceivedAt.Before(since) {
			since = e.ReceivedAt
		}
	}
	if !since.IsZero() {
		since = since.Add(-clockSkewMax)
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
			if wanted[originalKey(heading.Event)] {
				past.add(heading.Event, heading.BodySHA256)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (past history) of(e schema.Event) []passage { return past.passages[originalKey(e)] }

func (past history) add(e schema.Event, bodySHA256 string) {
	key := originalKey(e)
	past.passages[key] = append(past.passages[key], passage{e.Redrive, e.Queue, bodySHA256})
}

// nextNumber is the number after the last known redrive of the event.
func (past history) nextNumber(e schema.Event) int {
	last := e.Redrive
	for _, p := range past.of(e) {
		last = max(last, p.number)
	}
	return last + 1
}

// findRedrive finds a redrive of the same body through the queue, after the event itself.
func (past history) findRedrive(e schema.Event, queue string) (number int, found bool) {
	for _, p := range past.of(e) {
		if p.number > e.Redrive && p.queue == queue && p.bodySHA256 == digest(e.Body) {
			return p.number, true
		}
	}
	return 0, false
}

// resend stores a redrive of the event for the queue, or for all queues that read its type if queue
// is "", and returns the number of the redrive. With once, resend does not store the redrive if
// another process has stored the same redrive meanwhile; stored is then false.
func (past history) resend(
	ctx context.Context, e schema.Event, queue string, once bool,
) (number int, stored bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, resendFor)
	defer cancel()
	for number = past.nextNumber(e); ; number++ {
		isTaken, err := past.isCompleted(ctx, e, queue, number)
		if err != nil {
			return number, false, err
		}
		if isTaken {
			continue
		}
		stored, err = past.op.Redrive(ctx, e, queue, number)
		if err != nil {
			return number, false, err
		}
		if stored {
			redrive := e
			redrive.Redrive = number
			redrive.Queue = queue
			past.add(redrive, digest(e.Body))
			return number, true, nil
		}
		if !once {
			continue
		}
		// The same body has the same account.
		current := newHistory(past.op)
		if err := current.read(ctx, ofAccount{e, e.Account()}); err != nil {
			return number, false, err
		}
		if theirs, found := current.findRedrive(e, queue); found {
			return theirs, false, nil
		}
	}
}

// isCompleted reports whether the redrive of that number has a completion of the queue's resource,
// or of any resource if queue is "". The completion may be of any account: the webhook may name a
// person, or another body with the id has another account.
func (past history) isCompleted(
	ctx context.Context, e schema.Event, queue string, number int,
) (bool, error) {
	e.Redrive = number
	completions, err := past.op.CompletionsOf(ctx, e, "")
	return slices.ContainsFunc(completions, func(c schema.Completion) bool {
		return queue == "" || queue == schema.QueueName(c.Data.Provider, c.Data.Resource)
	}), err
}

const accountErased = "its account is erased"

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
