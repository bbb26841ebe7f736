package api

import (
	"context"
	"sync"

	"golang.org/x/sync/semaphore"
)

// BudgetMin is the smallest Budget, in bytes: room for an answer of unknown length, and for a
// second answer at the same time.
const BudgetMin = 3 * BodyBytesMax

// Budget limits the bytes of answers that a process holds at a time. All Clients of a process share
// one Budget. A try waits for room before it reads a body, and the reader of an Answer gives the
// room back by Answer.Release.
//
// Nobody may wait for room while holding an Answer: if everybody did, all would wait for ever.
type Budget struct {
	room *semaphore.Weighted

	mu   sync.Mutex
	held int64
	peak int64
}

// NewBudget returns a Budget of the given number of bytes, at least BudgetMin.
func NewBudget(bytes int64) *Budget {
	return &Budget{room: semaphore.NewWeighted(max(bytes, BudgetMin))}
}

// Held returns the number of bytes in use now, and the largest number in use at any time so far.
func (b *Budget) Held() (now, peak int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.held, b.peak
}

// take waits until the Budget has room. The error is that of ctx.
func (b *Budget) take(ctx context.Context, bytes int64) (*share, error) {
	if b == nil {
		return nil, nil //nolint:nilnil // a Client without a Budget has no shares
	}
	if err := b.room.Acquire(ctx, bytes); err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.held += bytes
	b.peak = max(b.peak, b.held)
	return &share{budget: b, bytes: bytes}, nil
}

// share is the part of a Budget that one answer uses. A nil share is empty.
type share struct {
	budget *Budget
	bytes  int64 // guarded by budget.mu
}

// shrink gives everything over the given number of bytes back.
func (s *share) shrink(bytes int64) {
	if s == nil {
		return
	}
	s.budget.mu.Lock()
	defer s.budget.mu.Unlock()
	if rest := s.bytes - bytes; rest > 0 {
		s.bytes = bytes
		s.budget.held -= rest
		s.budget.room.Release(rest)
	}
}

// Answer is the body of a 200. The body stays within the Budget of the process until Release.
type Answer struct {
	Body  []byte
	share *share
}

// Release gives the room of the body back to the Budget. Afterwards nobody may keep the body or a
// part of the body. A second call does nothing.
func (a Answer) Release() { a.share.shrink(0) }
