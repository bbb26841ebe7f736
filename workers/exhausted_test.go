package workers

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
	"github.com/wagewire/wagewire/schema/stream/streamtest"
)

// exhaust provisions the queue so that one delivery, never settled, is all there is.
func (b *bench) exhaust(queue string) {
	b.Helper()
	for _, stream := range []string{schema.EventsStream, schema.WaitingStream} {
		config := b.consumer(stream, queue).Config
		config.MaxDeliver = 1
		config.AckWait = 100 * time.Millisecond
		if _, err := b.js.UpdateConsumer(b.Context(), stream, config); err != nil {
			b.Fatal(err)
		}
	}
}

// requeue waits until the broker has reported the end of an event's deliveries, and the event is among
// the retries.
func (b *bench) requeue(queue string) {
	b.Helper()
	i := slices.IndexFunc(schema.Queues(), func(q schema.Queue) bool { return q.Name == queue })
	ctx, stop := context.WithCancel(b.Context())
	stopped := make(chan error, 1)
	go func() {
		stopped <- b.conn.Queue(schema.Queues()[i]).Exhausted(ctx, func(*stream.Delivery) error {
			return errors.New("the deliveries of a retry have not run out yet")
		})
	}()
	streamtest.Eventually(b, "the event is among the retries", func() bool {
		return b.retries(queue).NumPending == 1
	})
	stop()
	if err := receive(b.T, "the end of the advisories", stopped); err != nil {
		b.Fatal(err)
	}
}

func TestAnEventWhoseDeliveriesRanOutHasItsLastWord(t *testing.T) {
	for name, row := range map[string]struct {
		event    func(*testing.T) schema.Event
		resource schema.Resource
		outcome  schema.Outcome
		letters  int
	}{
		"as a dead letter and a completion `failed`": {
			func(t *testing.T) schema.Event { return employment(t, "killer") }, schema.Employment,
			schema.Failed, 1,
		},
		"but a deletion is carried out": {
			func(t *testing.T) schema.Event {
				return sample(t, schema.Truv, "link-deleted", "killer", ofLink("gone"))
			}, schema.Link, schema.Deleted, 0,
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			e := row.event(t)
			queue := schema.QueueName(e.Provider, row.resource)
			if e.Erases() {
				queue = schema.ErasuresName(e.Provider)
			}
			b.exhaust(queue)
			b.publish(e)
			b.take(queue) // by a worker that dies of it
			b.requeue(queue)
			b.takeFrom(schema.WaitingStream, queue) // and by another
			b.start(row.resource, brings, quick())
			c := b.completed(e, row.resource)
			if c.Data.Outcome != row.outcome {
				t.Errorf("outcome %s, want %s", c.Data.Outcome, row.outcome)
			}
			if row.letters > 0 && (c.Data.Error == nil ||
				c.Data.Error.Class != string(schema.ClassExhausted)) {
				t.Errorf("error %+v, want class %s", c.Data.Error, schema.ClassExhausted)
			}
			if n := len(b.deadLetters(queue, e.Account())); n != row.letters {
				t.Errorf("%d dead letters, want %d", n, row.letters)
			}
			streamtest.Eventually(b, "the advisory is settled", func() bool {
				advisories, err := b.js.Consumer(t.Context(), schema.AdvisoriesStream, queue)
				if err != nil {
					t.Fatal(err)
				}
				info := advisories.CachedInfo()
				return info.NumPending == 0 && info.NumAckPending == 0
			})
			if !e.Erases() {
				return
			}
			if diff := cmp.Diff(erased, b.holds(e.AccountID)); diff != "" {
				t.Errorf("what is left of the link (-want +got):\n%s", diff)
			}
		})
	}
}
