package chaos

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/wagewire/wagewire/deploy/ledger"
	"github.com/wagewire/wagewire/schema"
)

// readAll passes every message of a stream to take.
func (b *broker) readAll(ctx context.Context, name string, take func(ledger.Message)) error {
	s, err := b.js.Stream(ctx, name)
	if err != nil {
		return fmt.Errorf("read %s: %w", name, err)
	}
	if s.CachedInfo().State.Msgs == 0 {
		return nil
	}
	return b.read(ctx, name, nil, 0, func(m ledger.Message, left uint64) bool {
		take(m)
		return left > 0
	})
}

// watch passes every completion to take as it comes, until ctx ends. seen counts the completions.
func (b *broker) watch(ctx context.Context, seen *atomic.Int64, take func(ledger.Message)) error {
	last := uint64(0)
	for {
		filter := []string{schema.AllCompletions}
		err := b.read(ctx, schema.CompletionsStream, filter, last+1,
			func(m ledger.Message, _ uint64) bool {
				last = m.Sequence
				seen.Add(1)
				take(m)
				return true
			})
		// The broker is down, or has lost the consumer. Continue after the last message.
		down := retry(ctx, readyFor, func(ctx context.Context) error {
			_, err := b.js.Stream(ctx, schema.CompletionsStream)
			return err
		})
		switch {
		case ctx.Err() != nil:
			return nil //nolint:nilerr // the end of ctx is the normal end
		case down != nil:
			return fmt.Errorf("watch %s: %w", schema.CompletionsStream, errors.Join(err, down))
		}
	}
}

// read reads a stream in order from a sequence on, until more returns false. left is the number of
// messages after m.
func (b *broker) read(
	ctx context.Context, name string, filter []string, from uint64,
	more func(m ledger.Message, left uint64) bool,
) error {
	config := jetstream.OrderedConsumerConfig{
		FilterSubjects: filter, DeliverPolicy: jetstream.DeliverAllPolicy,
	}
	if from > 0 {
		config.DeliverPolicy = jetstream.DeliverByStartSequencePolicy
		config.OptStartSeq = from
	}
	consumer, err := b.js.OrderedConsumer(ctx, name, config)
	if err != nil {
		return fmt.Errorf("read %s: %w", name, err)
	}
	messages, err := consumer.Messages()
	if err != nil {
		return fmt.Errorf("read %s: %w", name, err)
	}
	defer messages.Stop()
	for {
		msg, err := messages.Next(jetstream.NextContext(ctx))
		if errors.Is(err, jetstream.ErrNoHeartbeat) {
			continue
		}
		if err != nil {
			return fmt.Errorf("read %s: %w", name, err)
		}
		meta, err := msg.Metadata()
		if err != nil {
			return fmt.Errorf("read %s: %w", name, err)
		}
		m := ledger.Message{
			Subject: msg.Subject(), Header: msg.Headers(),
			Sequence: meta.Sequence.Stream, Data: msg.Data(),
		}
		if !more(m, meta.NumPending) {
			return nil
		}
	}
}

// records reads an object of the record store.
func (b *broker) records(ctx context.Context, ref schema.RecordsRef) ([]byte, error) {
	store, err := b.js.ObjectStore(ctx, ref.Bucket)
	if err != nil {
		return nil, err
	}
	return store.GetBytes(ctx, ref.Name)
}
