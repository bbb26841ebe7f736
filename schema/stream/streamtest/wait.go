package streamtest

import (
	"testing"
	"time"
)

const (
	// lookEvery is the pause between two looks at a condition.
	lookEvery = 10 * time.Millisecond
	// reportFor is what is left of the test binary's time limit when a test that waits fails. It is enough to print why.
	reportFor = 5 * time.Second
)

// Eventually waits until the condition holds. The wait has no time limit of its own, because a busy machine may need any
// time: it ends shortly before the time limit of the test binary (go test -timeout), with an error that says what did not
// become true.
func Eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	late := Late(t)
	for !holds() {
		select {
		case <-look.C:
		case <-late:
			t.Fatalf("the test binary's time is up, and still not: %s", what)
		}
	}
}

// Late is a channel that gets a value shortly before the time limit of the test binary. A test that waits for a signal
// selects on Late too, and can then say which signal did not come. Without a time limit the channel gets nothing.
func Late(t testing.TB) <-chan time.Time {
	limited, ok := t.(interface{ Deadline() (time.Time, bool) })
	if !ok {
		return nil
	}
	deadline, ok := limited.Deadline()
	if !ok {
		return nil
	}
	return time.After(time.Until(deadline) - reportFor)
}
