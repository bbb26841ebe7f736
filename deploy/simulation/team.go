package simulation

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/wagewire/wagewire/schema"
)

const (
	teamName = "lending"
	// teamEvery is how often the team takes completions.
	teamEvery = 10 * time.Minute
	teamBatch = 500
)

// team is a team that takes completions, unless it falls behind.
type team struct {
	world *world
	held  atomic.Int32

	mu   sync.Mutex
	seen map[string]int // first deliveries, by the id of the completion
}

// run takes completions until ctx ends.
func (t *team) run(ctx context.Context) {
	tick := time.NewTicker(teamEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if t.held.Load() == 0 {
				t.take(ctx)
			}
		}
	}
}

// take takes what there is.
func (t *team) take(ctx context.Context) {
	js := t.world.broker.jetStream()
	if js == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	durable, err := js.Consumer(ctx, schema.CompletionsStream, teamName)
	if err != nil {
		return // the broker has stopped
	}
	for {
		batch, err := durable.FetchNoWait(teamBatch)
		if err != nil {
			return
		}
		n := 0
		for m := range batch.Messages() {
			n++
			t.note(m)
			_ = m.DoubleAck(ctx)
		}
		if n == 0 || batch.Error() != nil {
			return
		}
	}
}

func (t *team) note(m jetstream.Msg) {
	meta, err := m.Metadata()
	if err != nil || meta.NumDelivered > 1 {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.seen[m.Headers().Get(nats.MsgIdHdr)]++
}

// check compares what the team has seen with the completions of the stream.
func (t *team) check(stored []string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, id := range stored {
		n := t.seen[id]
		switch {
		case n == 0:
			t.world.violate("lost", id, "the team never got the completion")
		case n > 1:
			t.world.violate("twice", id, "the team got the completion %d times", n)
		}
	}
}
