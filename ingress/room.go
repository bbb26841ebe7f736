package ingress

import (
	"errors"
	"net/netip"
	"sync"
	"time"
)

// room is the memory for unverified bodies, beyond the first BodyFreeBytes of each. The limit on
// connections covers those. A body takes its room in steps, as bytes really arrive. No body is
// refused while the room is used up. Another one is cut off:
//
//   - the body that has made no progress for the longest, if that is stallFor or more;
//   - otherwise all senders are fast, and the oldest body is cut off for a newer one. An older body
//     waits: a crowd of fast senders would cut each other off for ever, and none would be complete.
//
// The ledgers say which body comes first: a stranger's before that of a known peer, and before
// others those of a peer that holds more than its share.
type room struct {
	mu       sync.Mutex
	bytesMax int64
	used     int64
	// freed is closed, and made anew, when a body gives room back.
	freed chan struct{}
	// slowest has the bodies by their last progress, oldest by their first step.
	slowest *ledger
	oldest  *ledger
}

// stallFor is longer than the time in which each of a crowd of fast senders has its turn, and many
// times shorter than the time that a provider waits for an answer.
const stallFor = 500 * time.Millisecond

// seat is a body's place in the room.
type seat struct {
	room *room
	born time.Time
	held int64
	// pace and age are the body's claims in the ledgers of the room.
	pace claim
	age  claim
	// hangUp ends the reading of the body. It must not block.
	hangUp func()
	// gone is closed when the sender is gone.
	gone  <-chan struct{}
	isCut bool
}

var errCutOff = errors.New("cut off: unverified bodies use up their room")

// newRoom returns a room of bytesMax bytes. A peer that holds more than share is cut off first.
func newRoom(bytesMax, share int64) *room {
	return &room{
		bytesMax: bytesMax,
		freed:    make(chan struct{}),
		slowest:  newLedger(share),
		oldest:   newLedger(share),
	}
}

// enter returns a seat for a body that is about to be read. The caller must call leave later.
func (r *room) enter(from sender, hangUp func(), now time.Time) *seat {
	s := &seat{room: r, born: now, hangUp: hangUp, gone: from.gone()}
	s.pace = claim{rank: from.rank, peer: from.peer, cut: s.cutOff}
	s.age = s.pace
	return s
}

// grow takes more bytes of the room, and waits for them as long as no other body may be cut off.
// The error is errCutOff if the body was cut off itself, or its sender is gone.
func (s *seat) grow(more int64) error {
	for {
		wait, err := s.tryGrow(more, time.Now())
		if err != nil || wait == nil {
			return err
		}
		select {
		case <-wait:
		case <-time.After(stallFor):
		case <-s.gone:
			return errCutOff
		}
	}
}

// tryGrow takes more bytes of the room, or returns a channel that is closed when there may be more
// room. To wait for room is no lack of progress.
func (s *seat) tryGrow(more int64, now time.Time) (wait <-chan struct{}, err error) {
	r := s.room
	r.mu.Lock()
	defer r.mu.Unlock()
	r.slowest.advance(&s.pace, 0, now)
	for !s.isCut && r.used+more > r.bytesMax {
		other := s.nextCut(now)
		if other == nil {
			return r.freed, nil
		}
		other.cut()
	}
	if s.isCut {
		return nil, errCutOff
	}
	s.take(more, now)
	return nil, nil
}

// nextCut returns the body to cut off for the room of s, nil if s must wait.
func (s *seat) nextCut(now time.Time) *claim {
	if c := s.room.slowest.first(); s.isBefore(c) {
		isStranger := c.rank < s.pace.rank && c.peer != s.pace.peer
		if isStranger || now.Sub(c.at) >= stallFor {
			return c
		}
	}
	if c := s.room.oldest.first(); s.isBefore(c) && c.at.Before(s.born) {
		return c
	}
	return nil
}

// isBefore reports whether a claim is another body's, and its sender no better known.
func (s *seat) isBefore(c *claim) bool {
	return c != nil && c != &s.pace && c != &s.age && c.rank <= s.pace.rank
}

// take adds bytes to the seat.
func (s *seat) take(more int64, now time.Time) {
	r := s.room
	r.used += more
	if s.held == 0 {
		s.pace.weight = more
		s.age.weight = more
		r.slowest.put(&s.pace, now)
		r.oldest.put(&s.age, now)
	} else {
		r.slowest.advance(&s.pace, more, now)
		r.oldest.grow(&s.age, more)
	}
	s.held += more
}

// progress notes that another part of the body has arrived.
func (s *seat) progress(now time.Time) {
	s.room.mu.Lock()
	defer s.room.mu.Unlock()
	s.room.slowest.advance(&s.pace, 0, now)
}

// complete notes that the whole body has arrived: the body is no longer cut off. It returns
// errCutOff if that has already happened.
func (s *seat) complete() error {
	s.room.mu.Lock()
	defer s.room.mu.Unlock()
	if s.isCut {
		return errCutOff
	}
	s.withdraw()
	return nil
}

// leave gives the body's room back. It may be called after the body was cut off.
func (s *seat) leave() {
	s.room.mu.Lock()
	defer s.room.mu.Unlock()
	s.giveBack()
}

// cutOff gives the body's room back and hangs up. The caller holds the room's lock.
func (s *seat) cutOff() {
	s.isCut = true
	s.giveBack()
	s.hangUp()
}

func (s *seat) giveBack() {
	if s.held == 0 { // the seat has no claim either
		return
	}
	s.withdraw()
	s.room.used -= s.held
	s.held = 0
	close(s.room.freed)
	s.room.freed = make(chan struct{})
}

// withdraw takes the body's claims out of the ledgers.
func (s *seat) withdraw() {
	s.room.slowest.remove(&s.pace)
	s.room.oldest.remove(&s.age)
}

// promote notes that a peer has delivered a verified webhook.
func (r *room) promote(peer netip.Prefix) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.slowest.promote(peer, rankStranger, rankNeighbour)
	r.oldest.promote(peer, rankStranger, rankNeighbour)
}

// bytes returns how much of the room is used.
func (r *room) bytes() int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.used
}
