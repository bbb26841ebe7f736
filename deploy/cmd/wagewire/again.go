package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"time"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
)

const (
	// clocksDiffer is how far ingress's clock may be ahead of the broker's: an event is looked for so much earlier than the
	// time at which it was received.
	clocksDiffer = time.Hour
	// sendFor is how long storing one event again may take.
	sendFor = 30 * time.Second
)

// history is what the events stream holds of some webhooks, by nameOf. It finds the name of a redrive that nothing had before:
// neither the broker's memory of ids nor a completion may swallow it.
type history map[string][]passage

// passage is one time that a webhook was sent through the line.
type passage struct {
	n          int // 0 for the webhook itself
	queue, sum string
}

// nameOf is the name that an event shares with all its redrives.
func nameOf(e schema.Event) string {
	e.Redrive = 0
	return e.Key()
}

// historyOf reads the history of the events, and of whatever else has their ids.
func historyOf(ctx context.Context, conn *stream.Operator, events ...schema.Event) (history, error) {
	h := history{}
	var since time.Time
	for i, e := range events {
		h[nameOf(e)] = nil
		if at := e.ReceivedAt; i == 0 || at.Before(since) {
			since = at
		}
	}
	if len(events) == 0 {
		return h, nil
	}
	if !since.IsZero() {
		since = since.Add(-clocksDiffer)
	}
	err := conn.Headings(ctx, stream.Selection{Since: since}, func(heading stream.Heading) error {
		if _, wanted := h[nameOf(heading.Event)]; wanted {
			h.add(heading.Event, heading.BodySHA256)
		}
		return nil
	})
	return h, err
}

func (h history) add(e schema.Event, sum string) {
	name := nameOf(e)
	h[name] = append(h[name], passage{e.Redrive, e.Queue, sum})
}

// next is the number of the next redrive.
func (h history) next(e schema.Event) int {
	n := e.Redrive
	for _, s := range h[nameOf(e)] {
		n = max(n, s.n)
	}
	return n + 1
}

// sentBefore finds a redrive of this very event through the queue, later than the event itself.
func (h history) sentBefore(e schema.Event, queue string) (n int, sent bool) {
	for _, s := range h[nameOf(e)] {
		if s.n > e.Redrive && s.queue == queue && s.sum == sumOf(e.Body) {
			return s.n, true
		}
	}
	return 0, false
}

// send sends the event through the queue again, or through all that read its type where queue is "", and returns the number
// of the redrive. Where once is set, stored is false if somebody else just did the same.
func (h history) send(ctx context.Context, conn *stream.Operator, e schema.Event, queue string, once bool) (n int, stored bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, sendFor)
	defer cancel()
	for n = h.next(e); ; n++ {
		taken, err := completedAs(ctx, conn, e, queue, n)
		if err != nil {
			return n, false, err
		}
		if taken {
			continue
		}
		if stored, err = conn.Redrive(ctx, e, queue, n); err != nil {
			return n, false, err
		}
		if stored {
			sent := e
			sent.Redrive, sent.Queue = n, queue
			h.add(sent, sumOf(e.Body))
			return n, true, nil
		}
		if !once {
			continue
		}
		now, err := historyOf(ctx, conn, e)
		if err != nil {
			return n, false, err
		}
		if n, sent := now.sentBefore(e, queue); sent {
			return n, false, nil
		}
	}
}

// completedAs reports whether the nth redrive of the event has a completion of a resource that the queue, or any, fetches.
func completedAs(ctx context.Context, conn *stream.Operator, e schema.Event, queue string, n int) (bool, error) {
	e.Redrive = n
	for _, r := range schema.Lookup(e.Provider, e.Type).Workers {
		if queue != "" && queue != schema.QueueName(e.Provider, r) {
			continue
		}
		if completed, err := conn.Completed(ctx, e, r); completed || err != nil {
			return completed, err
		}
	}
	return false, nil
}

// refused says why an event is not sent again, "" where nothing speaks against it.
func refused(ctx context.Context, conn *stream.Operator, e schema.Event) (string, error) {
	if e.Resource == schema.Link && e.Action == schema.ActionDeleted {
		return "", nil // an erasure may be repeated, and must be where it did not end
	}
	erased, err := conn.Erased(ctx, e.Provider, e.Account())
	if erased {
		return "its account is erased", err
	}
	return "", err
}

func sumOf(body []byte) string {
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:])
}
