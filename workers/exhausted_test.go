package workers

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
	"github.com/wagewire/wagewire/schema/stream/streamtest"
)

// queueNamed is the queue of the name.
func queueNamed(t *testing.T, name string) schema.Queue {
	t.Helper()
	for _, q := range schema.Queues() {
		if q.Name == name {
			return q
		}
	}
	t.Fatalf("no queue %s", name)
	return schema.Queue{}
}

// exhaust provisions the queue so that one delivery, never settled, is all there is.
func (b *bench) exhaust(queue string) {
	b.Helper()
	for _, lane := range queueNamed(b.T, queue).Lanes() {
		config := b.consumer(lane.Stream, lane.Consumer).Config
		config.MaxDeliver = 1
		config.AckWait = 100 * time.Millisecond
		if _, err := b.js.UpdateConsumer(b.Context(), lane.Stream, config); err != nil {
			b.Fatal(err)
		}
	}
}

// retry lets the first event of the queue wait, and ends the wait.
func (b *bench) retry(q schema.Queue) {
	b.Helper()
	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	taking := stream.Taking{Hands: 1, ReplayHands: 1}
	err := b.conn.Queue(q).Consume(ctx, taking, func(d *stream.Delivery) {
		until := time.Now().Add(time.Hour)
		if err := d.Wait(schema.Wait{Class: schema.ClassTransient, Until: until}); err != nil {
			b.Error(err)
		}
		cancel()
	})
	if err != nil {
		b.Fatal(err)
	}
	b.retryNow(q.Name)
}

func TestAnEventWhoseDeliveriesRanOutHasItsLastWord(t *testing.T) {
	for name, row := range map[string]struct {
		event    func(*testing.T) schema.Event
		queue    string
		resource schema.Resource
		outcome  schema.Outcome
		letters  int
	}{
		"as a dead letter and a completion `failed`": {
			func(t *testing.T) schema.Event { return employment(t, "killer") },
			"pinwheel_employment", schema.Employment, schema.Failed, 1,
		},
		"as a dead letter and a completion `failed` of its own, if it was sent again": {
			func(t *testing.T) schema.Event {
				e := employment(t, "killer")
				e.Redrive = 1
				return e
			}, "pinwheel_employment", schema.Employment, schema.Failed, 1,
		},
		"but a deletion is carried out": {
			func(t *testing.T) schema.Event {
				return sample(t, schema.Truv, "link-deleted", "killer", ofLink("gone"))
			}, "truv_erasures", schema.Link, schema.Deleted, 0,
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			e := row.event(t)
			queue := row.queue
			q := queueNamed(t, queue)
			b.publish(e)
			b.retry(q)
			b.exhaust(queue)
			lane := q.LaneOf(q.DueSubject(e))
			b.takeFrom(lane.Stream, lane.Consumer) // by a worker that dies of it
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

func TestAnEventWhoseDeliveriesRanOutBeforeItsFirstRetryIsTriedAgain(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	const queue = "pinwheel_employment"
	b.exhaust(queue)
	e := employment(t, "killed-often")
	b.publish(e)
	b.take(queue) // by a worker that dies of it
	b.start(schema.Employment, brings, quick())
	if got := b.completed(e, schema.Employment); got.Data.Outcome != schema.Succeeded ||
		got.Data.Attempts != 1 {
		t.Errorf("completion %+v", got.Data)
	}
}
