package client

import "sync"

// failuresMax bounds the memory for completions that fail: more than a durable hands out at a time.
const failuresMax = 10_000

// outcomes remembers what became of a program's completions, to tell a completion that fails alone
// from a database that is down. The zero value remembers nothing.
type outcomes struct {
	mu sync.Mutex
	// failed has the completions that failed here and are not settled, by their sequences.
	failed map[uint64]struct{}
	// isTaken is true if the newest outcome is a completion that the handler took. A completion
	// that changes no record does not count, because a handler needs no database for it.
	isTaken bool
}

// take notes that the handler took a completion with a scope, or a deletion.
func (o *outcomes) take() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.isTaken = true
}

// fail notes that a completion failed, and reports whether the completion fails alone: since its
// failure before, the handler took others, and none of the others failed after that.
func (o *outcomes) fail(sequence uint64) (isAlone bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	// Its failure before was no success. So if the newest outcome is a success, it came later.
	_, isKnown := o.failed[sequence]
	isAlone = isKnown && o.isTaken
	o.isTaken = false
	if o.failed == nil || len(o.failed) >= failuresMax {
		o.failed = map[uint64]struct{}{}
	}
	o.failed[sequence] = struct{}{}
	return isAlone
}

// forget forgets a completion that was settled. Its failure still counts for the others.
func (o *outcomes) forget(sequence uint64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.failed, sequence)
}
