//go:build cluster

package cluster

import (
	"context"
	"testing"
	"time"

	"github.com/wagewire/wagewire/schema/stream/streamtest"
)

const (
	// askEvery is the pause between two looks at a state. askFor is how long a look may take.
	askEvery = time.Second
	askFor   = time.Minute
	// tellEvery is how often a wait says what it still waits for.
	tellEvery = 20 * time.Second
)

// until calls ask until it returns no error, or until the test binary's time is up. It says now and
// then what is still missing.
func until(t *testing.T, what string, ask func(context.Context) error) {
	t.Helper()
	tick := time.NewTicker(askEvery)
	defer tick.Stop()
	late := streamtest.Late(t)
	told := time.Now()
	for {
		look, end := context.WithTimeout(t.Context(), askFor)
		err := ask(look)
		end()
		if err == nil {
			return
		}
		if time.Since(told) > tellEvery {
			t.Logf("waiting until %s: %v", what, err)
			told = time.Now()
		}
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("the test binary's time is up, and still not: %s: %v", what, err)
		}
	}
}

// every calls do at once and then again and again, until ctx ends.
func every(ctx context.Context, pause time.Duration, do func()) {
	tick := time.NewTicker(pause)
	defer tick.Stop()
	for ctx.Err() == nil {
		do()
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
}
