package shelf

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/wagewire/wagewire/deploy/plain"
	"github.com/wagewire/wagewire/ingress/webhook"
	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
)

// Releaser sends webhooks in quarantine through the line.
type Releaser struct{ past History }

// NewReleaser returns a releaser of the webhooks. It reads the whole events stream once, because
// another event with the id of a webhook may be older and of another account. A release is rare.
func NewReleaser(
	ctx context.Context, op *stream.Operator, webhooks []stream.Unread,
) (Releaser, error) {
	r := Releaser{NewHistory(op)}
	var events []OfAccount
	for _, u := range webhooks {
		m, exists, err := op.Message(ctx, schema.QuarantineStream, u.Number)
		if err != nil {
			return r, err
		}
		if !exists {
			continue
		}
		if e, err := Parse(stream.ReadUnread(m)); err == nil { // Send tells the error
			events = append(events, OfAccount{Event: schema.Event{Provider: e.Provider, ID: e.ID}})
		}
	}
	return r, r.past.Read(ctx, events...)
}

// Parse reads the webhook as the ingress of this version does.
func Parse(u stream.Unread) (schema.Event, error) {
	return webhook.Parse(webhook.Received{Provider: u.Provider, Body: u.Body, At: u.ReceivedAt})
}

// Send stores the event of the webhook, and only then deletes the webhook from quarantine.
func (r Releaser) Send(ctx context.Context, u stream.Unread) (Outcome, error) {
	e, outcome, err := r.look(ctx, u)
	if err != nil || outcome.Result == Gone || outcome.Result == Kept {
		return outcome, err
	}
	if outcome.Result == Sent {
		outcome, err = r.store(ctx, e, outcome)
		if err != nil {
			return Outcome{}, err
		}
	}
	return outcome, r.past.op.Discard(ctx, schema.QuarantineStream, u.Number)
}

// Preview says what Send would do, and changes nothing.
func (r Releaser) Preview(ctx context.Context, u stream.Unread) (Outcome, error) {
	_, outcome, err := r.look(ctx, u)
	return outcome, err
}

// look reads the webhook again. Its outcome is Sent if the event is not stored yet.
func (r Releaser) look(ctx context.Context, u stream.Unread) (schema.Event, Outcome, error) {
	m, exists, err := r.past.op.Message(ctx, schema.QuarantineStream, u.Number)
	if err != nil {
		return schema.Event{}, Outcome{}, err
	}
	if !exists {
		return schema.Event{}, Outcome{Result: Gone}, nil
	}
	e, err := Parse(stream.ReadUnread(m))
	if unreadable, ok := errors.AsType[*webhook.UnreadableError](err); ok {
		obstacle := fmt.Sprintf("it still cannot be read (%s): %s",
			unreadable.Reason, plain.Text(unreadable.Error()))
		return e, Outcome{Result: Kept, Obstacle: obstacle}, nil
	}
	if err != nil {
		return e, Outcome{}, err
	}
	erased, err := isErased(ctx, r.past.op, e)
	if err != nil {
		return e, Outcome{}, err
	}
	if erased {
		return e, Outcome{Result: Kept, Obstacle: AccountErased + ": discard it"}, nil
	}
	outcome, err := r.place(ctx, e)
	return e, outcome, err
}

// place says under which id the event is or will be stored: its own if the id is free, and a
// redrive of the id if not.
func (r Releaser) place(ctx context.Context, e schema.Event) (Outcome, error) {
	sameBody := func(p Passage) bool { return p.BodySHA256 == digest(e.Body) }
	if i := slices.IndexFunc(r.past.Of(e), sameBody); i >= 0 {
		return stored(e, r.past.Of(e)[i].Number, SentBefore), nil
	}
	// The first body with the id may be of another account.
	completions, err := r.past.op.CompletionsOf(ctx, e, "")
	if err != nil {
		return Outcome{}, err
	}
	if len(r.past.Of(e)) == 0 && len(completions) == 0 {
		return stored(e, 0, Sent), nil
	}
	outcome := stored(e, r.past.NextNumber(e), Sent)
	outcome.HasRival = true
	return outcome, nil
}

func stored(e schema.Event, number int, result Result) Outcome {
	e.Redrive = number
	return Outcome{Result: result, Key: e.Key(), Type: e.Type, Redrive: number}
}

// store stores the event as the outcome of place says, or as a redrive if somebody else has used
// the id meanwhile.
func (r Releaser) store(ctx context.Context, e schema.Event, outcome Outcome) (Outcome, error) {
	if !outcome.HasRival {
		isDuplicate, err := r.storeFirst(ctx, e)
		switch {
		case isDuplicate && err == nil:
			return stored(e, 0, SentBefore), nil
		case !errors.Is(err, schema.ErrIDConflict):
			return outcome, err
		}
	}
	number, isStored, err := r.past.Resend(ctx, e, "", true)
	if err != nil {
		return Outcome{}, err
	}
	outcome = stored(e, number, Sent)
	outcome.HasRival = true
	if !isStored {
		outcome.Result = SentBefore
	}
	return outcome, nil
}

// storeFirst stores the event under its own id. isDuplicate is true if somebody else has stored the
// event meanwhile. The error is schema.ErrIDConflict if the stored event has another body.
func (r Releaser) storeFirst(ctx context.Context, e schema.Event) (isDuplicate bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, resendFor)
	defer cancel()
	isDuplicate, err = r.past.op.PublishEvent(ctx, e)
	if err == nil {
		r.past.Add(e, digest(e.Body))
	}
	return isDuplicate, err
}
