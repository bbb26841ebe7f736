package stream

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

const (
	// tryFor is how long a try waits for the broker's answer.
	tryFor = 1500 * time.Millisecond
	// pauseFirst is the pause after the first try: about as long as a cluster takes to store a
	// message, because two completions of an account are in each other's way for as long
	// (codeConflictInFlight). Each further pause is twice as long, up to pauseMax.
	pauseFirst = 2 * time.Millisecond
	pauseMax   = 500 * time.Millisecond
)

// askUntilAnswered calls ask until the broker answers, or until ctx ends. An error is no answer if
// another try may cure it.
func askUntilAnswered[T any](
	ctx context.Context, c *Conn, ask func(context.Context) (T, error),
) (T, error) {
	return askWhile(ctx, isRetryable, func() (T, error) { return askOnce(ctx, c, ask) })
}

// askWhile calls ask until it succeeds, with pauses in between, as long as the errors are passing
// ones and ctx has not ended.
func askWhile[T any](
	ctx context.Context, isPassing func(error) bool, ask func() (T, error),
) (T, error) {
	for pause := pauseFirst; ; pause = min(2*pause, pauseMax) {
		answer, err := ask()
		if err == nil || !isPassing(err) {
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
	found, err := c.subjectsOf(ctx, stream, subject)
	return len(found) > 0, err
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

// subjectsOf asks the stream's leader for the subjects that match a filter and have a message.
func (c *Conn) subjectsOf(ctx context.Context, stream, filter string) ([]string, error) {
	return askUntilAnswered(ctx, c, func(ctx context.Context) ([]string, error) {
		s, err := c.js.Stream(ctx, stream)
		if err != nil {
			return nil, err
		}
		info, err := s.Info(ctx, jetstream.WithSubjectFilter(filter))
		if err != nil {
			return nil, err
		}
		return slices.Collect(maps.Keys(info.State.Subjects)), nil
	})
}

// messageRequest asks for a message by its sequence, for the first at or after the sequence that
// matches a filter, or for the last of a subject.
type messageRequest struct {
	Sequence uint64 `json:"seq,omitempty"`
	NextFor  string `json:"next_by_subj,omitempty"`
	LastFor  string `json:"last_by_subj,omitempty"`
}

// readMessage reads a message from the stream's leader. The error is jetstream.ErrMsgNotFound if
// the message is gone.
func (c *Conn) readMessage(
	ctx context.Context, stream string, sequence uint64,
) (*jetstream.RawStreamMsg, error) {
	return c.getMessage(ctx, stream, messageRequest{Sequence: sequence})
}

// nextMessage reads from the stream's leader the first message at or after a sequence that matches
// the filter. The error is jetstream.ErrMsgNotFound if there is none.
func (c *Conn) nextMessage(
	ctx context.Context, stream, filter string, from uint64,
) (*jetstream.RawStreamMsg, error) {
	return c.getMessage(ctx, stream, messageRequest{Sequence: from, NextFor: filter})
}

func (c *Conn) getMessage(
	ctx context.Context, stream string, request messageRequest,
) (*jetstream.RawStreamMsg, error) {
	return askUntilAnswered(ctx, c, func(ctx context.Context) (*jetstream.RawStreamMsg, error) {
		return c.getMessageOnce(ctx, stream, request)
	})
}

// getMessageOnce sends the broker's own request, which the leader answers. The client's GetMsg
// looks the stream up first, and reads records from any replica: not every worker has these rights.
func (c *Conn) getMessageOnce(
	ctx context.Context, stream string, request messageRequest,
) (*jetstream.RawStreamMsg, error) {
	var answer struct {
		Message struct {
			Subject  string    `json:"subject"`
			Sequence uint64    `json:"seq"`
			Header   []byte    `json:"hdrs"`
			Data     []byte    `json:"data"`
			Time     time.Time `json:"time"`
		} `json:"message"`
	}
	err := c.askStream(ctx, apiMessageGet, stream, request, &answer)
	if codeOf(err) == jetstream.JSErrCodeMessageNotFound {
		return nil, jetstream.ErrMsgNotFound
	}
	if err != nil {
		return nil, err
	}
	m := answer.Message
	read := &jetstream.RawStreamMsg{
		Subject: m.Subject, Sequence: m.Sequence, Data: m.Data, Time: m.Time,
	}
	if len(m.Header) > 0 {
		read.Header, err = nats.DecodeHeadersMsg(m.Header)
	}
	return read, err
}

// deleteMessage overwrites and deletes a message, unless the message is gone.
func (c *Conn) deleteMessage(ctx context.Context, stream string, sequence uint64) error {
	_, err := askUntilAnswered(ctx, c, func(ctx context.Context) (struct{}, error) {
		return struct{}{}, c.deleteMessageOnce(ctx, stream, messageRequest{Sequence: sequence})
	})
	if err != nil {
		return fmt.Errorf("delete message %d of %s: %w", sequence, stream, err)
	}
	return nil
}

// deleteMessageOnce returns nil if the message is gone already. The broker has several codes for a
// missing message, so deleteMessageOnce looks the message up.
func (c *Conn) deleteMessageOnce(
	ctx context.Context, stream string, which messageRequest,
) error {
	err := c.askStream(ctx, apiMessageDelete, stream, which, nil)
	if err == nil {
		return nil
	}
	_, lookup := c.getMessageOnce(ctx, stream, which)
	if errors.Is(lookup, jetstream.ErrMsgNotFound) {
		return nil
	}
	return cmp.Or(lookup, err) // without an answer to the look, the next try may have one
}

// askStream sends a request of the broker's API about a stream, and decodes the response into
// answer if answer is not nil. The error is the broker's *jetstream.APIError, or that of the
// request.
func (c *Conn) askStream(
	ctx context.Context, request, stream string, which messageRequest, answer any,
) error {
	body, err := json.Marshal(which)
	if err != nil {
		return err
	}
	response, err := c.nats.RequestWithContext(ctx, c.apiSubject(request, stream), body)
	if err != nil {
		return err
	}
	var refusal struct {
		Error *jetstream.APIError `json:"error"`
	}
	if err := json.Unmarshal(response.Data, &refusal); err != nil {
		return err
	}
	if refusal.Error != nil {
		return refusal.Error
	}
	if answer == nil {
		return nil
	}
	return json.Unmarshal(response.Data, answer)
}
