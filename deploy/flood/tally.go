package flood

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
)

// Tally is the figures of a flood.
type Tally struct {
	// Opened is the number of connections that were opened, Refused of those that were not.
	Opened, Refused int
	// Sent is the number of openings that were sent completely.
	Sent int
	// Cut is the number of connections that ingress ended.
	Cut int
	// Answers is the number of answers by status.
	Answers map[int]int
}

// Add adds the figures of another flood.
func (t *Tally) Add(other Tally) {
	t.Opened += other.Opened
	t.Refused += other.Refused
	t.Sent += other.Sent
	t.Cut += other.Cut
	if t.Answers == nil {
		t.Answers = map[int]int{}
	}
	for status, n := range other.Answers {
		t.Answers[status] += n
	}
}

// String is the figures in one line.
func (t Tally) String() string {
	return fmt.Sprintf("%d connections (%d refused, %d cut), %d openings, answers: %s",
		t.Opened, t.Refused, t.Cut, t.Sent, formatAnswers(t.Answers))
}

// formatAnswers returns "200: 17, 503: 2".
func formatAnswers(answers map[int]int) string {
	var parts []string
	for _, status := range slices.Sorted(maps.Keys(answers)) {
		name := fmt.Sprint(status)
		if status == 0 {
			name = "none"
		}
		parts = append(parts, fmt.Sprintf("%s: %d", name, answers[status]))
	}
	if len(parts) == 0 {
		return "none"
	}
	return strings.Join(parts, ", ")
}

// counter is a Tally that many connections add to.
type counter struct {
	mu    sync.Mutex
	tally Tally
}

func (c *counter) add(change func(*Tally)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	change(&c.tally)
}

// get returns a copy of the figures.
func (c *counter) get() Tally {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := c.tally
	t.Answers = maps.Clone(t.Answers)
	return t
}
