package health

import (
	"context"
	"time"

	"github.com/wagewire/wagewire/deploy/advice"
	"github.com/wagewire/wagewire/schema/stream"
)

const (
	// readFor is the limit of one reading of the broker.
	readFor = 30 * time.Second
	// restShare is how many times longer than a reading the pause after it is at least, so that
	// the broker spends little on being read when much waits.
	restShare = 4
)

// ReadAgain reads the state again and again until ctx ends, with pauses of every or more, and shows
// each. The state of a broker that cannot be read is Unknown.
func ReadAgain(
	ctx context.Context, op *stream.Operator, c Config, every time.Duration, show func(State),
) {
	for ctx.Err() == nil {
		began := time.Now()
		reading, cancel := context.WithTimeout(ctx, readFor)
		state, err := Read(reading, op, c)
		cancel()
		rest := max(every, restShare*time.Since(began))
		if err != nil {
			state = Unknown(advice.On(err))
			rest = every
		}
		show(state)
		select {
		case <-ctx.Done():
		case <-time.After(rest):
		}
	}
}
