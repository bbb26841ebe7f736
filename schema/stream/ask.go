package stream

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

const (
	// tryFor is how long a try waits for the broker's answer.
	tryFor = 1500 * time.Millisecond
	// pauseFirst is the pause after the first try. Each further pause is twice as long, up to
	// pauseMax.
	pauseFirst = 20 * time.Millisecond
	pauseMax   = 500 * time.Millisecond
)

// askUntilAnswered calls ask until the broker answers, or until ctx ends. An error is no answer if
// another try may cure it.
func askUntilAnswered[T any](
	ctx context.Context, c *Conn, ask func(context.Context) (T, error),
) (T, error) {
	for pause := pauseFirst; ; pause = min(2*pause, pauseMax) {
		answer, err := askOnce(ctx, c, ask)
		if err == nil || !isRetryable(err) {
			return answer, err
		}
		select {
		case <-ctx.Done():
			return answer, fmt.Errorf("%w (%w)", err, context.Cause(ctx))
		case <-time.After(pause/2 + rand.N(pause/2)):
		}
	}
}

func askOnce[T any](
	ctx context.Context, c *Conn, ask func(context.Context) (T, error),
) (answer T, err error) {
	if err := c.Connected(); err != nil {
		return answer, err
	}
	ctx, cancel := context.WithTimeout(ctx, c.tryFor)
	defer cancel()
	return ask(ctx)
}

func (c *Conn) lookUpStream(ctx context.Context, name string) (jetstream.Stream, error) {
	return askUntilAnswered(ctx, c, func(ctx context.Context) (jetstream.Stream, error) {
		return c.js.Stream(ctx, name)
	})
}

// hasMessage reports whether the stream has a message on the subject. It asks the stream's leader
// for a count and not for the message: the right to read a message is the right to read the whole
// stream, and workers need less.
func (c *Conn) hasMessage(ctx context.Context, stream, subject string) (bool, error) {
	return askUntilAnswered(ctx, c, func(ctx context.Context) (bool, error) {
		s, err := c.js.Stream(ctx, stream)
		if err != nil {
			return false, err
		}
		info, err := s.Info(ctx, jetstream.WithSubjectFilter(subject))
		if err != nil {
			return false, err
		}
		return info.State.Subjects[subject] > 0, nil
	})
}

// hasSequence reports whether the stream has the message with the sequence. It needs no right to
// read the stream.
func (c *Conn) hasSequence(ctx context.Context, stream string, sequence uint64) (bool, error) {
	return askUntilAnswered(ctx, c, func(ctx context.Context) (bool, error) {
		s, err := c.js.Stream(ctx, stream)
		if err != nil {
			return false, err
		}
		info, err := s.Info(ctx, jetstream.WithDeletedDetails(true))
		if err != nil {
			return false, err
		}
		state := info.State
		return state.FirstSeq <= sequence && sequence <= state.LastSeq &&
			!slices.Contains(state.Deleted, sequence), nil
	})
}

// readMessage reads a message from the stream's leader.
func (c *Conn) readMessage(
	ctx context.Context, stream string, sequence uint64,
) (*jetstream.RawStreamMsg, error) {
	return askUntilAnswered(ctx, c, func(ctx context.Context) (*jetstream.RawStreamMsg, error) {
		s, err := c.js.Stream(ctx, stream)
		if err != nil {
			return nil, err
		}
		return s.GetMsg(ctx, sequence)
	})
}
