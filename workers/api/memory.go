package api

import (
	"context"
	"sync"

	"golang.org/x/sync/semaphore"
)

// MemoryMin is the smallest Memory, in bytes: room for an answer of unknown length, and for a
// second answer at the same time.
const MemoryMin = 3 * BodyBytesMax

// Memory limits the bytes of answers that a process holds at a time. All Clients of a process share
// one Memory. A try waits for room before it reads a body, and the reader of an Answer gives the
// room back by Answer.Release.
//
// Nobody may wait for room while holding an Answer: if everybody did, all would wait for ever.
type Memory struct {
	room *semaphore.Weighted

	mu   sync.Mutex
	held int64
	peak int64
}

// NewMemory returns a Memory of the given number of bytes, at least MemoryMin.
func NewMemory(bytes int64) *Memory {
	return &Memory{room: semaphore.NewWeighted(max(bytes, MemoryMin))}
}

// Held returns the number of bytes in use now, and the largest number in use at any time so far.
func (m *Memory) Held() (now, peak int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.held, m.peak
}

// take waits until the Memory has room. The error is that of ctx.
func (m *Memory) take(ctx context.Context, bytes int64) (*share, error) {
	if m == nil {
		return nil, nil //nolint:nilnil // a Client without a Memory has no shares
	}
	if err := m.room.Acquire(ctx, bytes); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.held += bytes
	m.peak = max(m.peak, m.held)
	return &share{memory: m, bytes: bytes}, nil
}

// share is the part of a Memory that one answer uses. A nil share is empty.
type share struct {
	memory *Memory
	bytes  int64 // guarded by memory.mu
}

// shrink gives everything over the given number of bytes back.
func (s *share) shrink(bytes int64) {
	if s == nil {
		return
	}
	s.memory.mu.Lock()
	defer s.memory.mu.Unlock()
	if rest := s.bytes - bytes; rest > 0 {
		s.bytes = bytes
		s.memory.held -= rest
		s.memory.room.Release(rest)
	}
}

// Answer is the body of a 200. The body stays within the Memory of the process until Release.
type Answer struct {
	Body  []byte
	share *share
}

// Release gives the room of the body back to the Memory. Afterwards nobody may keep the body or a
// part of the body. A second call does nothing.
func (a Answer) Release() { a.share.shrink(0) }
