package stream

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/wagewire/wagewire/schema"
)

// backlogFor is how long the broker keeps the consumer of Backlog if Backlog cannot delete it.
const backlogFor = 30 * time.Second

// Backlog returns how many stored events a new queue would begin with. The broker counts them for a
// consumer that lives for a moment and takes none. Without a stream of events, the number is 0.
func (o *Operator) Backlog(ctx context.Context, q schema.Queue) (events uint64, err error) {
	consumer, err := o.js.CreateConsumer(ctx, schema.EventsStream, jetstream.ConsumerConfig{
		FilterSubjects:    q.Subjects,
		AckPolicy:         jetstream.AckNonePolicy,
		InactiveThreshold: backlogFor,
		MemoryStorage:     true,
		Replicas:          1,
	})
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("count the stored events of queue %s: %w", q.Name, err)
	}
	info := consumer.CachedInfo()
	if err := o.js.DeleteConsumer(ctx, schema.EventsStream, info.Name); err != nil &&
		!isMissing(err) {
		return 0, fmt.Errorf("count the stored events of queue %s: %w", q.Name, err)
	}
	return info.NumPending, nil
}
