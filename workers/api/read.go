package api

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"time"
)

// smallBytesMax is the size up to which an answer of unknown length is read without a look at the
// Memory. Most answers are compressed or come in pieces, so their length is unknown, and most are
// smaller.
const smallBytesMax = 64 << 10

var errTooLarge = errors.New("over 16 MiB")

// readAnswer reads a body within the Memory. Before readAnswer reads, it takes the length of the
// body out of the Memory. The error is errTooLarge, or the transport's own, or that of ctx.
func (c *Client) readAnswer(
	ctx context.Context, resp *http.Response, clock *tryClock,
) (Answer, error) {
	if resp.ContentLength < 0 {
		return c.readUnknownLength(ctx, resp.Body, clock)
	}
	if resp.ContentLength > BodyBytesMax {
		return Answer{}, errTooLarge
	}
	share, err := c.takeRoom(ctx, resp.ContentLength, clock)
	if err != nil {
		return Answer{}, err
	}
	body := make([]byte, resp.ContentLength)
	_, err = io.ReadFull(resp.Body, body)
	if err != nil {
		share.shrink(0)
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return Answer{}, err
	}
	return Answer{Body: body, share: share}, nil
}

// readUnknownLength reads a body without a Content-Length. It takes two largest answers out of the
// Memory, because io.ReadAll copies all that it has read into one slice at the end.
func (c *Client) readUnknownLength(
	ctx context.Context, from io.Reader, clock *tryClock,
) (Answer, error) {
	small, err := io.ReadAll(io.LimitReader(from, smallBytesMax))
	if err != nil {
		return Answer{}, err
	}
	if len(small) < smallBytesMax {
		share, err := c.takeRoom(ctx, int64(len(small)), clock)
		return Answer{Body: small, share: share}, err
	}
	share, err := c.takeRoom(ctx, 2*BodyBytesMax, clock)
	if err != nil {
		return Answer{}, err
	}
	whole := io.LimitReader(io.MultiReader(bytes.NewReader(small), from), BodyBytesMax+1)
	body, err := io.ReadAll(whole)
	if err == nil && len(body) > BodyBytesMax {
		err = errTooLarge
	}
	if err != nil {
		share.shrink(0)
		return Answer{}, err
	}
	share.shrink(int64(len(body)))
	return Answer{Body: body, share: share}, nil
}

// takeRoom waits for room in the Memory, for as long as ctx lives. The clock stands still.
func (c *Client) takeRoom(ctx context.Context, bytes int64, clock *tryClock) (*share, error) {
	clock.stop()
	defer clock.resume()
	return c.config.Answers.take(ctx, bytes)
}

// tryClock ends a try when the time of the try is used up.
type tryClock struct {
	timer *time.Timer
	limit time.Duration
	used  time.Duration
	since time.Time // zero while the clock stands still
}

// startClock returns a running clock that calls end after the limit.
func startClock(limit time.Duration, end func()) *tryClock {
	return &tryClock{timer: time.AfterFunc(limit, end), limit: limit, since: time.Now()}
}

// stop makes the clock stand still, and returns the time used so far.
func (c *tryClock) stop() time.Duration {
	c.timer.Stop()
	if !c.since.IsZero() {
		c.used += time.Since(c.since)
		c.since = time.Time{}
	}
	return c.used
}

func (c *tryClock) resume() {
	c.since = time.Now()
	c.timer.Reset(max(0, c.limit-c.used))
}
