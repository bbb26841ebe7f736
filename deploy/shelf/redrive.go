package shelf

import (
	"context"
	"fmt"

	"github.com/wagewire/wagewire/deploy/plain"
	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
)

// Redriver sends the events of dead letters through their queues again.
type Redriver struct{ past History }

// NewRedriver returns a redriver of the dead letters. It reads what was stored of their events.
func NewRedriver(
	ctx context.Context, op *stream.Operator, letters []stream.Letter,
) (Redriver, error) {
	events := make([]OfAccount, len(letters))
	for i, l := range letters {
		events[i] = OfAccount{l.Event, l.Account}
	}
	r := Redriver{NewHistory(op)}
	return r, r.past.Read(ctx, events...)
}

// Send stores the event of the dead letter again, and only then deletes the dead letter. After a
// crash in between, the next redrive finds the stored event and only deletes the dead letter.
func (r Redriver) Send(ctx context.Context, l stream.Letter) (Outcome, error) {
	e, outcome, err := r.look(ctx, l)
	if err != nil || outcome.Result == Gone || outcome.Result == Kept {
		return outcome, err
	}
	if outcome.Result == Sent {
		number, isStored, err := r.past.Resend(ctx, e, outcome.Queue, true)
		if err != nil {
			return Outcome{}, err
		}
		outcome = r.outcomeOf(e, outcome.Queue, number, !isStored)
	}
	return outcome, r.past.op.Discard(ctx, schema.DeadLettersStream, l.Number)
}

// Preview says what Send would do, and changes nothing.
func (r Redriver) Preview(ctx context.Context, l stream.Letter) (Outcome, error) {
	_, outcome, err := r.look(ctx, l)
	return outcome, err
}

// look reads the dead letter again. Its outcome is Sent if nobody has sent the event yet.
func (r Redriver) look(ctx context.Context, l stream.Letter) (schema.Event, Outcome, error) {
	m, exists, err := r.past.op.Message(ctx, schema.DeadLettersStream, l.Number)
	if err != nil {
		return schema.Event{}, Outcome{}, err
	}
	if !exists {
		return schema.Event{}, Outcome{Result: Gone}, nil
	}
	l = stream.ReadLetter(m)
	e, obstacle, err := r.check(ctx, l)
	if err != nil {
		return e, Outcome{}, err
	}
	if obstacle != "" {
		return e, Outcome{Result: Kept, Obstacle: obstacle}, nil
	}
	queue := queueToRedrive(l, e)
	number, wasSent := r.past.findRedrive(e, queue)
	if !wasSent {
		number = r.past.NextNumber(e)
	}
	return e, r.outcomeOf(e, queue, number, wasSent), nil
}

func (Redriver) outcomeOf(e schema.Event, queue string, number int, wasSent bool) Outcome {
	e.Redrive = number
	outcome := Outcome{Result: Sent, Key: e.Key(), Type: e.Type, Redrive: number, Queue: queue}
	if wasSent {
		outcome.Result = SentBefore
	}
	return outcome
}

// queueToRedrive is the queue of the dead letter. An erasing event always goes to its provider's
// queue of erasures: an earlier release had no such queue, and its dead letters name another.
func queueToRedrive(l stream.Letter, e schema.Event) string {
	if e.Erases() {
		return schema.ErasuresName(e.Provider)
	}
	return l.Queue
}

// check decodes the event, and says why the dead letter cannot be redriven.
func (r Redriver) check(
	ctx context.Context, l stream.Letter,
) (e schema.Event, obstacle string, err error) {
	e, err = l.Decode()
	if err != nil {
		return e, "it cannot be decoded, only discarded: " + plain.Text(err.Error()), nil
	}
	if e.Redrive >= redriveMax {
		return e, fmt.Sprintf("it is redrive %d: no other can follow", e.Redrive), nil
	}
	q, exists := schema.QueueNamed(queueToRedrive(l, e))
	if !exists || !q.Reads(schema.Lookup(e.Provider, e.Type)) {
		obstacle = fmt.Sprintf("no queue %s reads %s any more", plain.Word(l.Queue),
			plain.Word(e.Type))
		return e, obstacle, nil
	}
	erased, err := isErased(ctx, r.past.op, e)
	if erased {
		obstacle = AccountErased + ": discard it"
	}
	return e, obstacle, err
}
