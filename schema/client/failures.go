package client

import (
	"context"
	"sync"
	"time"
)

// failuresMax bounds the memory for completions that fail: more than a durable hands out at a time.
const failuresMax = 10_000

// standstillEvery is the shortest pause between two looks whether the durable stands still.
const standstillEvery = time.Minute

// outcomes remembers what became of a program's completions, to tell a completion that fails alone
// from a database that is down. The zero value remembers nothing.
type outcomes struct {
	mu sync.Mutex
	// failed has the completions that failed here and are not settled, by their sequences. The
	// value is true for a completion that failed alone the last time.
	failed map[uint64]bool
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

// fail notes that a completion failed, and reports whether the completion failed alone twice in a
// row. A completion fails alone if the handler took others since its failure before, and none of
// the others failed after that. Once is not enough: a database that is back for a moment leaves one
// completion that fails first behind a success.
func (o *outcomes) fail(sequence uint64) (isAloneAgain bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	// Its failure before was no success. So if the newest outcome is a success, it came later.
	wasAlone, isKnown := o.failed[sequence]
	isAlone := isKnown && o.isTaken
	o.isTaken = false
	if o.failed == nil || len(o.failed) >= failuresMax {
		o.failed = map[uint64]bool{}
	}
	o.failed[sequence] = isAlone
	return isAlone && wasAlone
}

// forget forgets a completion that was settled. Its failure still counts for the others.
func (o *outcomes) forget(sequence uint64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.failed, sequence)
}

// standstill looks now and then whether a durable stands still. The zero value has not looked.
type standstill struct {
	mu     sync.Mutex
	looked time.Time
}

// isDue reports whether it is time to look, and notes the look.
func (s *standstill) isDue(now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.looked.IsZero() && now.Sub(s.looked) < standstillEvery {
		return false
	}
	s.looked = now
	return true
}

// noteStandstill logs, at most once a minute, that each place of the durable is taken by a
// completion that comes again. Then the broker delivers no other one. A database that is down looks
// like a fault of the program with each completion, so nothing is set aside.
func (s *subscribing) noteStandstill(ctx context.Context) {
	if !s.standstill.isDue(time.Now()) {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, answerFor)
	defer cancel()
	info, err := s.consumer.Info(ctx)
	if err != nil {
		return // a later failure looks again
	}
	places := info.Config.MaxAckPending
	if places > 0 && info.NumAckPending >= places && info.NumRedelivered >= places {
		s.log.Error("the durable stands still: its completions come again and again, and no other "+
			"one comes; mark what never succeeds with Poison, and set Subscription.Aside",
			"durable", s.Durable, "completions", info.NumAckPending)
	}
}
