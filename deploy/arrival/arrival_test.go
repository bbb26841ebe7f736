package arrival

import (
	"context"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wagewire/wagewire/schema/stream/streamtest"
)

var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// after is a time so many milliseconds after start.
func after(milliseconds int) time.Time {
	return start.Add(time.Duration(milliseconds) * time.Millisecond)
}

// callsAt are the arrivals of calls so many milliseconds after start.
func callsAt(milliseconds ...int) (calls []time.Time) {
	for _, ms := range milliseconds {
		calls = append(calls, after(ms))
	}
	return calls
}

func TestBusiestTime(t *testing.T) {
	never := func(time.Time, time.Time) bool { return false }
	stalled := func(_, to time.Time) bool { return to.Sub(start) > 2*time.Second }
	for promise, row := range map[string]struct {
		calls        []time.Time
		wasLate      func(from, to time.Time) bool
		most, judged int
	}{
		"no call":                         {nil, never, 0, 0},
		"a second may begin anywhere":     {callsAt(0, 900, 1000, 1100, 2500), never, 3, 5},
		"a call may be late on its way":   {callsAt(0, 899, 1800), never, 2, 3},
		"a late call is not judged":       {callsAt(0, 2100, 2101, 2102), stalled, 1, 1},
		"the calls of a moment all count": {callsAt(5, 5, 5, 5), never, 4, 4},
	} {
		t.Run(promise, func(t *testing.T) {
			most, judged := Busiest(row.calls, time.Second, row.wasLate)
			if most != row.most || judged != row.judged {
				t.Errorf("%d calls, %d judged; want %d and %d", most, judged, row.most, row.judged)
			}
		})
	}
}

func TestAStallMakesCallsLate(t *testing.T) {
	var p Pulse
	for ms := 0; ms <= 9000; ms += 100 {
		if ms <= 200 || ms >= 5000 {
			p.Beat(after(ms))
		}
	}
	for promise, row := range map[string]struct {
		from, to int
		want     bool
	}{
		"before the stall":               {0, 200, false},
		"in the stall":                   {1000, 1100, true},
		"from before to its begin":       {150, 201, true},
		"until it has recovered":         {5999, 6050, true},
		"after it has recovered":         {6000, 6900, false},
		"a time around the whole stall":  {0, 9000, true},
		"long before, and up to a pause": {-1000, 0, false},
		"the last beat is young":         {9100, 9100, false},
		"in a stall that goes on":        {9100, 9101, true},
	} {
		if got := p.WasLate(after(row.from), after(row.to)); got != row.want {
			t.Errorf("%s: late is %t, want %t", promise, got, row.want)
		}
	}
}

func TestTheHeartBeats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out, in := net.Pipe()
		p := &Pulse{out: out, in: in}
		ctx, cancel := context.WithCancel(t.Context())
		go p.Run(ctx)
		time.Sleep(10 * LateMax) //nolint:forbidigo // moves the fake clock
		if now := time.Now(); p.WasLate(now, now) || p.Stalls() != 0 {
			t.Errorf("%d stalls of a machine without load", p.Stalls())
		}
		cancel()
		synctest.Wait()
		time.Sleep(LateMax + beatEvery) //nolint:forbidigo // moves the fake clock
		if now := time.Now(); !p.WasLate(now, now) {
			t.Error("no stall after the heart has stopped")
		}
	})
}

func TestABeatComesOverAConnectionOfTheMachine(t *testing.T) {
	p, err := NewPulse()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		p.Run(ctx)
	}()
	streamtest.Eventually(t, "a beat", func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		return !p.beat.IsZero()
	})
	cancel()
	<-ended
}
