package trace_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wagewire/wagewire/deploy/trace"
)

func TestPartsSayWhereTheTimeWent(t *testing.T) {
	of := func(seconds int) time.Duration { return time.Duration(seconds) * time.Second }
	at := func(seconds int) time.Time { return receivedAt.Add(of(seconds)) }
	part := func(name string, seconds int) trace.Part {
		return trace.Part{Name: name, For: of(seconds)}
	}
	const (
		provider = "at the provider, until received"
		stored   = "until stored"
		taken    = "until taken, with its waits"
		worker   = "at a worker, until completed"
	)
	whole := trace.Completion{
		OccurredAt: at(0), ReceivedAt: at(3), StoredAt: at(4), TakenAt: at(10), At: at(12),
	}
	old := whole
	old.StoredAt = time.Time{}
	old.TakenAt = time.Time{}
	skewed := whole
	skewed.ReceivedAt = at(5)
	skew := trace.Part{Name: stored, IsSkewed: true}
	for promise, test := range map[string]struct {
		life       trace.Life
		completion trace.Completion
		want       []trace.Part
	}{
		"the whole line": {trace.Life{}, whole, []trace.Part{
			part(provider, 3), part(stored, 1), part(taken, 6), part(worker, 2)}},
		"a redrive begins when it is stored": {trace.Life{Redrive: 1}, whole, []trace.Part{
			part(taken, 6), part(worker, 2)}},
		"an earlier release knew less": {trace.Life{}, old, []trace.Part{
			part(provider, 3), part(worker, 9)}},
		"the event knows when it was stored": {
			trace.Life{Stored: &trace.Stored{At: at(5)}}, old,
			[]trace.Part{part(provider, 3), part(stored, 2), part(worker, 7)}},
		"two clocks that disagree": {trace.Life{}, skewed, []trace.Part{
			part(provider, 5), skew, part(taken, 6), part(worker, 2)}},
		"the end alone": {trace.Life{}, trace.Completion{At: at(1)}, nil},
	} {
		if diff := cmp.Diff(test.want, test.life.Parts(&test.completion)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", promise, diff)
		}
	}
}
