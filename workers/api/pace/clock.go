package pace

import (
	"context"
	"sync"
	"time"
)

// syncEvery is how often the clock is compared with the store's.
const syncEvery = time.Minute

// clock tells the store's time from the monotonic clock of this process. The wall clock of the
// process does not matter. The clock is late by the time of one request at most, and never early,
// as far as both clocks run equally fast.
type clock struct {
	mu sync.Mutex
	// base was the store's time at the moment at. Both are zero before the first sync.
	base, at time.Time
	// asked is when the store was asked last.
	asked time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.nowLocked()
}

func (c *clock) nowLocked() time.Time { return c.base.Add(time.Since(c.at)) }

func (c *clock) isSet() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.at.IsZero()
}

// sync asks the store for its time, unless it did so lately. The answer is older than its arrival
// by the time of the request at most. If the clock is within that time already, it stays.
func (c *clock) sync(ctx context.Context, ask func(context.Context) (time.Time, error)) error {
	if c.isYoung() {
		return nil
	}
	asked := time.Now()
	answer, err := ask(ctx)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	took := time.Since(asked)
	c.asked = asked
	late := c.nowLocked().Sub(answer)
	if !c.at.IsZero() && 0 <= late && late <= took {
		return nil
	}
	c.base = answer
	c.at = asked.Add(took)
	return nil
}

func (c *clock) isYoung() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.at.IsZero() && time.Since(c.asked) < syncEvery
}
