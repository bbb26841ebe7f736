package health

import (
	"context"
	"time"

	"github.com/wagewire/wagewire/deploy/advice"
	"github.com/wagewire/wagewire/schema/stream"
)

// restShare is how many times longer than a reading the pause after it is at least, so that the
// broker spends little on being read when much waits.
const restShare = 4

// Again says how ReadAgain reads.
type Again struct {
	// Every is the least pause between two readings, and Limit the limit of one.
	Every, Limit time.Duration
	// Begin is called before each reading, unless it is nil, and Show after it.
	Begin func()
	Show  func(State)
}

// ReadAgain reads the state again and again until ctx ends. The state of a broker that cannot be
// read is Unknown.
func ReadAgain(ctx context.Context, op *stream.Operator, c Config, a Again) {
	for ctx.Err() == nil {
		if a.Begin != nil {
			a.Begin()
		}
		began := time.Now()
		reading, cancel := context.WithTimeout(ctx, a.Limit)
		state, err := Read(reading, op, c)
		cancel()
		rest := max(a.Every, restShare*time.Since(began))
		if err != nil {
			state = Unknown(advice.On(err))
			rest = a.Every
		}
		a.Show(state)
		select {
		case <-ctx.Done():
		case <-time.After(rest):
		}
	}
}
