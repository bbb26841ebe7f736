package pace

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// answers are the times that a store's answers take, and how far its clock is ahead then.
type answers []struct{ takes, ahead time.Duration }

func (a *answers) next(context.Context) (time.Time, error) {
	if len(*a) == 0 {
		return time.Time{}, errors.New("no answer is left")
	}
	answer := (*a)[0]
	*a = (*a)[1:]
	now := time.Now().Add(answer.ahead) // the store reads its clock, and then the answer is slow
	time.Sleep(answer.takes)            //nolint:forbidigo // moves the bubble's clock
	return now, nil
}

func TestTheClockIsNeverEarlyAndHardlyLate(t *testing.T) {
	const ms = time.Millisecond
	const hour = time.Hour
	for promise, test := range map[string]struct {
		answers answers
		late    time.Duration // how late the clock is after the answers
	}{
		"a fast answer is enough": {answers{{5 * ms, hour}}, 5 * ms},
		"of slow answers the fastest counts": {
			answers{{400 * ms, hour}, {90 * ms, hour}, {4000 * ms, hour}}, 90 * ms},
		"a worse answer later changes nothing": {
			answers{{5 * ms, hour}, {300 * ms, hour}}, 5 * ms},
		"a better answer later counts": {
			answers{{90 * ms, hour}, {90 * ms, hour}, {90 * ms, hour}, {2 * ms, hour}}, 2 * ms},
		"a clock that went back is followed": {answers{{5 * ms, hour}, {6 * ms, 0}}, 6 * ms},
		"and one that went forward":          {answers{{5 * ms, 0}, {6 * ms, hour}}, 6 * ms},
	} {
		t.Run(promise, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ahead := test.answers[len(test.answers)-1].ahead
				var c clock
				for len(test.answers) > 0 {
					if err := c.sync(t.Context(), test.answers.next); err != nil {
						t.Fatal(err)
					}
					time.Sleep(syncEvery) //nolint:forbidigo // moves the bubble's clock
				}
				store := time.Now().Add(ahead)
				if late := store.Sub(c.now()); late != test.late {
					t.Errorf("late by %v, want %v", late, test.late)
				}
				if c.latest().Before(store) {
					t.Errorf("the latest time is %v before the store's", store.Sub(c.latest()))
				}
			})
		})
	}
}
