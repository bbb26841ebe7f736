package pace

import (
	"context"
	"sync"
	"time"
)

const (
	// syncEvery is how often the clock is compared with the store's. While it may be later than
	// lateMax, it is compared after syncSoon, and then each time after twice as long.
	syncEvery = time.Minute
	syncSoon  = 2 * time.Second
	lateMax   = 50 * time.Millisecond
	// exactFor is how long a request may take whose answer is taken at once. After a longer
	// request, another one may bring a better answer.
	exactFor = 20 * time.Millisecond
	// syncTries is how many requests there are at most before the first call.
	syncTries = 3
)

// clock tells the store's time from the monotonic clock of this process. The wall clock of the
// process does not matter. The clock is never early, as far as both clocks run equally fast, and at
// most so late as the store's answer took.
type clock struct {
	mu      sync.Mutex
	reading reading
	// asked is when the store was asked last, and next how long after that it is asked again.
	asked time.Time
	next  time.Duration
}

// reading is an answer of the store: at some moment of late before at, its time was base.
type reading struct {
	base, at time.Time
	late     time.Duration
}

// now is the earliest time that the store's clock may show.
func (r reading) now() time.Time { return r.base.Add(time.Since(r.at)) }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.reading.now()
}

// latest is the latest time that the store's clock may show.
func (c *clock) latest() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.reading.now().Add(c.reading.late)
}

func (c *clock) isSet() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.reading.at.IsZero()
}

// sync asks the store for its time, unless it did so lately. If the clock is within what the answer
// allows, and is more exact, it stays.
func (c *clock) sync(ctx context.Context, ask func(context.Context) (time.Time, error)) error {
	if c.isYoung() {
		return nil
	}
	best, err := c.read(ctx, ask)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked = time.Now()
	c.next = min(max(2*c.next, syncSoon), syncEvery)
	ahead := c.reading.now().Sub(best.now())
	isWithin := 0 <= ahead && ahead <= best.late
	if c.reading.at.IsZero() || !isWithin || best.late < c.reading.late {
		c.reading = best
	}
	if c.reading.late <= lateMax {
		c.next = syncEvery
	}
	return nil
}

func (c *clock) isYoung() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.reading.at.IsZero() && time.Since(c.asked) < c.next
}

// read asks, the first time until an answer comes fast, and returns the answer that came fastest.
func (c *clock) read(
	ctx context.Context, ask func(context.Context) (time.Time, error),
) (best reading, err error) {
	tries := syncTries
	if c.isSet() {
		tries = 1
	}
	for i := range tries {
		asked := time.Now()
		base, err := ask(ctx)
		if err != nil {
			return reading{}, err
		}
		late := time.Since(asked)
		if i == 0 || late < best.late {
			best = reading{base: base, at: asked.Add(late), late: late}
		}
		if best.late <= exactFor {
			break
		}
	}
	return best, nil
}
