package trace

import "time"

// Part is a part of the time between a webhook and its completion.
type Part struct {
	// Name says where the time went.
	Name string
	// For is never negative. IsSkewed is true if two clocks disagree, so that it would be.
	For      time.Duration
	IsSkewed bool
}

// Parts says where the time of a completion of the life went, in the order of the line. A redrive
// begins when it is stored. A part without its two times is left out.
func (l *Life) Parts(c *Completion) []Part {
	stored := c.StoredAt
	if stored.IsZero() && l.Stored != nil {
		stored = l.Stored.At
	}
	times := []struct {
		until string // the part before the time
		at    time.Time
	}{
		{"", c.OccurredAt},
		{"at the provider, until received", c.ReceivedAt},
		{"until stored", stored},
		{"until taken, with its waits", c.TakenAt},
		{"at a worker, until completed", c.At},
	}
	if l.Redrive > 0 {
		times = times[2:]
	}
	var parts []Part
	var since time.Time
	for _, t := range times {
		if t.at.IsZero() {
			continue
		}
		if !since.IsZero() {
			took := t.at.Sub(since)
			parts = append(parts, Part{Name: t.until, For: max(took, 0), IsSkewed: took < 0})
		}
		since = t.at
	}
	return parts
}
