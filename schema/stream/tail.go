package stream

import (
	"context"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/wagewire/wagewire/schema"
)

// Tail reads completions as they are stored, in the order of the stream, through reconnects. It
// takes no completion from anybody else: each Tail sees every completion.
type Tail struct {
	reader      *reader
	completions jetstream.MessagesContext
}

// Tail begins with the completions stored since the given time. The zero time is the beginning of
// the stream. filter is a subject filter below wagewire.completions, such as
// "wagewire.completions.pinwheel.>"; "" stands for every completion.
func (o *Operator) Tail(ctx context.Context, filter string, since time.Time) (*Tail, error) {
	if filter == "" {
		filter = schema.AllCompletions
	}
	config := orderedFrom(since)
	config.FilterSubjects = []string{filter}
	r, err := o.newReader(ctx, schema.CompletionsStream, config)
	if err != nil {
		return nil, fmt.Errorf("tail %s: %w", schema.CompletionsStream, err)
	}
	completions, err := r.consumer.Messages()
	if err != nil {
		r.delete()
		return nil, fmt.Errorf("tail %s: %w", schema.CompletionsStream, err)
	}
	return &Tail{r, completions}, nil
}

// Next waits for the next completion, until ctx ends.
func (t *Tail) Next(ctx context.Context) (schema.Completion, error) {
	var completion schema.Completion
	msg, err := t.completions.Next(jetstream.NextContext(ctx))
	if err != nil {
		return completion, fmt.Errorf("tail %s: %w", schema.CompletionsStream, err)
	}
	if err := schema.DecodeJSON(msg.Data(), &completion); err != nil {
		return completion, fmt.Errorf("tail %s: decode %s: %w",
			schema.CompletionsStream, msg.Subject(), err)
	}
	return completion, nil
}

// Close ends the tail.
func (t *Tail) Close() {
	t.completions.Stop()
	t.reader.delete()
}
