package shelf

import (
	"context"

	"github.com/wagewire/wagewire/schema/stream"
)

// Discarder deletes messages for good.
type Discarder[T any] struct {
	op   *stream.Operator
	kind Kind[T]
}

// NewDiscarder returns a discarder for a shelf.
func NewDiscarder[T any](op *stream.Operator, kind Kind[T]) Discarder[T] {
	return Discarder[T]{op, kind}
}

// Send overwrites and deletes the message. Of two processes that delete a message at the same
// moment, both may say Discarded.
func (d Discarder[T]) Send(ctx context.Context, message T) (Outcome, error) {
	outcome, err := d.Preview(ctx, message)
	if err != nil || outcome.Result == Gone {
		return outcome, err
	}
	return outcome, d.op.Discard(ctx, d.kind.Stream, d.kind.Number(message))
}

// Preview says what Send would do, and changes nothing.
func (d Discarder[T]) Preview(ctx context.Context, message T) (Outcome, error) {
	_, exists, err := d.op.Message(ctx, d.kind.Stream, d.kind.Number(message))
	if err != nil {
		return Outcome{}, err
	}
	if !exists {
		return Outcome{Result: Gone}, nil
	}
	return Outcome{Result: Discarded}, nil
}
