package trace

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

// Cause says why an event waits: "transient, 503 from /v1/accounts/{account_id}/income".
func Cause(class schema.Class, status int, endpoint string) string {
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

const (
	// PauseForever stands for a pause without an end, because the broker has no such pause.
	PauseForever = 100 * 365 * 24 * time.Hour
	// pauseForLong is the least pause that is shown without an end.
	pauseForLong = PauseForever / 2
)

// IsEndless reports whether a pause until the given time stands for a pause without an end.
func IsEndless(until, now time.Time) bool { return until.Sub(now) > pauseForLong }

// PauseEnd is "until resumed", or until which time a pause lasts.
func PauseEnd(until, now time.Time) string {
	if IsEndless(until, now) {
		return "until resumed"
	}
	return "until " + plain.Time(until)
}

// Rest says why a queue takes no events: an operator paused the queue, its provider refuses
// our credentials, or both. The zero value is a queue that takes events.
type Rest struct {
	// PausedUntil is when the operator's pause ends, zero without a pause.
	PausedUntil time.Time `json:"paused_until,omitzero"`
	// Refusal is nil unless the provider refuses our credentials.
	Refusal *schema.Pause `json:"refusal,omitempty"`
}

// ReadRest reads the rest of a queue. The refusals are those of ReadRefusals. A queue that does not
// exist does not rest.
func ReadRest(
	ctx context.Context, op *stream.Operator, q schema.Queue, refusals []schema.Pause,
) (Rest, error) {
	var rest Rest
	for _, p := range refusals {
		if p.Queue == q.Name {
			rest.Refusal = &p
		}
	}
	until, err := op.PausedUntil(ctx, q)
	if err != nil && !errors.Is(err, stream.ErrNoQueue) {
		return rest, err
	}
	rest.PausedUntil = until.UTC()
	return rest, nil
}

// ReadRefusals returns the pauses of the queues whose provider refuses our credentials. It returns
// none if the broker has no stream of pauses.
func ReadRefusals(ctx context.Context, op *stream.Operator) ([]schema.Pause, error) {
	refusals, err := op.Pauses(ctx)
	if errors.Is(err, stream.ErrNoQueue) { // an earlier release made no stream of pauses
		return nil, nil
	}
	return refusals, err
}

// Lines says why the queue takes no events, in sentences. There are none for a queue that takes
// events.
func (r Rest) Lines(now time.Time) []string {
	var lines []string
	if !r.PausedUntil.IsZero() {
		lines = append(lines, "the queue is paused "+PauseEnd(r.PausedUntil, now))
	}
	if r.Refusal != nil {
		lines = append(lines, RefusalLines(*r.Refusal, now)...)
	}
	return lines
}

// RefusalLines says what the provider answered last, and when an event asks again.
func RefusalLines(p schema.Pause, now time.Time) []string {
	return []string{
		fmt.Sprintf("the queue is paused since %s: the provider refuses our credentials",
			plain.Time(p.Since)),
		Cause(p.Class, p.Status, p.Endpoint),
		fmt.Sprintf("an event asks again %s; refused until now: %s",
			plain.In(p.ProbeAt, now), plain.Count(p.Probes, "probe")),
	}
}
