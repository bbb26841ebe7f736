package pace

import (
	"time"

	"github.com/wagewire/wagewire/schema"
)

// turns are taken and not used, in the order of their times. A turn is the right to start a call at
// its time, or within schema.LapseAfter.
type turns []batch

// batch are turns that were taken together.
type batch struct {
	// next is the time of the next turn. The others follow at each interval.
	next time.Time
	// earliest is when the turns were taken. Turns that the budget has saved are older.
	earliest time.Time
	left     int
}

func (b batch) due() time.Time {
	if b.next.Before(b.earliest) {
		return b.earliest
	}
	return b.next
}

func (t turns) count() int {
	n := 0
	for _, b := range t {
		n += b.left
	}
	return n
}

// pop removes the first turn, and returns its time. There must be one.
func (t *turns) pop(interval time.Duration) (due time.Time) {
	first := &(*t)[0]
	due = first.due()
	t.drop(1, interval)
	return due
}

// drop removes the first n turns of the first batch.
func (t *turns) drop(n int, interval time.Duration) {
	first := &(*t)[0]
	first.next = first.next.Add(time.Duration(n) * interval)
	first.left -= n
	if first.left == 0 {
		*t = (*t)[1:]
	}
}

// dropLapsed removes the turns that have lapsed, and returns how many.
func (t *turns) dropLapsed(now time.Time, interval time.Duration) (lapsed int) {
	for len(*t) > 0 && isLapsed((*t)[0].due(), now) {
		first := (*t)[0]
		late := now.Add(-schema.LapseAfter).Sub(first.next)
		n := min(first.left, 1+int((late-1)/interval))
		t.drop(n, interval)
		lapsed += n
	}
	return lapsed
}

func isLapsed(due, now time.Time) bool { return now.Sub(due) > schema.LapseAfter }
