package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/wagewire/wagewire/deploy/plain"
	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
)

// formatCause says why an event waits: "transient, 503 from /v1/accounts/{account_id}/income".
func formatCause(class schema.Class, status int, endpoint string) string {
	var b strings.Builder
	b.WriteString(plain.Word(class))
	switch {
	case status > 0:
		fmt.Fprintf(&b, ", %d", status)
	case endpoint != "":
		b.WriteString(", no answer")
	}
	if endpoint != "" {
		b.WriteString(" from " + plain.Word(endpoint))
	}
	return b.String()
}

// queueRest says why a queue takes no events: an operator paused the queue, its provider refuses
// our credentials, or both.
type queueRest struct {
	// until is when the operator's pause ends, zero without a pause.
	until time.Time
	// refusal is nil unless the provider refuses our credentials.
	refusal *schema.Pause
}

// readRest reads the state of a queue. A queue that does not exist does not rest.
func readRest(
	ctx context.Context, op *stream.Operator, q schema.Queue, refusals []schema.Pause,
) (queueRest, error) {
	var rest queueRest
	for _, p := range refusals {
		if p.Queue == q.Name {
			rest.refusal = &p
		}
	}
	until, err := op.PausedUntil(ctx, q)
	if err != nil && !errors.Is(err, stream.ErrNoQueue) {
		return rest, err
	}
	rest.until = until
	return rest, nil
}

// readRefusals returns the queues whose provider refuses our credentials.
func readRefusals(ctx context.Context, op *stream.Operator) ([]schema.Pause, error) {
	refusals, err := op.Pauses(ctx)
	if errors.Is(err, stream.ErrNoQueue) { // an earlier release made no stream of pauses
		return nil, nil
	}
	return refusals, err
}

// lines says why the queue takes no events, a line for each reason.
func (r queueRest) lines(now time.Time) []string {
	var lines []string
	if !r.until.IsZero() {
		lines = append(lines, "the queue is paused "+formatPause(r.until, now))
	}
	if r.refusal != nil {
		lines = append(lines, formatRefusal(*r.refusal, now)...)
	}
	return lines
}

// formatRefusal says what the provider answered last, and when an event asks again.
func formatRefusal(p schema.Pause, now time.Time) []string {
	return []string{
		fmt.Sprintf("the queue is paused since %s: the provider refuses our credentials",
			plain.Time(p.Since)),
		formatCause(p.Class, p.Status, p.Endpoint),
		fmt.Sprintf("an event asks again %s; refused until now: %s",
			plain.In(p.ProbeAt, now), plain.Count(p.Probes, "probe")),
	}
}
