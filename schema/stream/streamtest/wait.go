package streamtest

import (
	"testing"
	"time"
)

const (
	// lookEvery is the pause between two looks at a condition.
	lookEvery = 10 * time.Millisecond
	// reportFor is the rest of the test binary's time limit after Late: enough to print the reason.
	reportFor = 5 * time.Second
)

// Eventually waits until the condition holds. The wait has no time limit of its own, because a busy
// machine may need any time. It fails shortly before the time limit of the test binary (go test
// -timeout).
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

// Late returns a channel for use in a select beside another signal. The channel gets a value
// shortly before the time limit of the test binary, so the test can report the missing signal.
// Without a time limit the channel gets nothing.
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
