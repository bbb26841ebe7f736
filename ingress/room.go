package ingress

import (
	"errors"
	"net/netip"
	"sync"
)

// room is the memory for unverified bodies, beyond the first BodyFreeBytes of each. The limit on
// connections covers those. A body takes its room in steps, as bytes really arrive. No body is
// refused while the room is used up: the first body of the ledger is cut off.
type room struct {
	mu       sync.Mutex
	bytesMax int64
	used     int64
	// leaving is signalled when a body gives room back.
	leaving sync.Cond
	ledger  *ledger
}

// seat is a body's place in the room.
type seat struct {
	room  *room
	claim claim
	// hangUp ends the reading of the body. It must not block.
	hangUp func()
	held   int64
	isCut  bool
}

var errCutOff = errors.New("cut off: unverified bodies use up their room")

// newRoom returns a room of bytesMax bytes. A peer that holds more than share is cut off first.
func newRoom(bytesMax, share int64) *room {
	r := &room{bytesMax: bytesMax, ledger: newLedger(share)}
	r.leaving.L = &r.mu
	return r
}

// enter returns a seat for a body that is about to be read. The caller must call leave later.
func (r *room) enter(peer netip.Prefix, known rank, hangUp func()) *seat {
	s := &seat{room: r, hangUp: hangUp}
	s.claim = claim{rank: known, peer: peer, cut: s.cutOff}
	return s
}

// grow takes more bytes of the room. While the room is used up, grow cuts off the body that goes
// first. Where only complete bodies and bodies of better known senders are left, grow waits:
// complete bodies leave as fast as they are verified. The error is errCutOff if the body was cut
// off itself.
func (s *seat) grow(more int64) error {
	r := s.room
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ledger.advance(&s.claim, 0)
	for !s.isCut && r.used+more > r.bytesMax {
		first := r.ledger.first()
		if first == nil || first == &s.claim || first.rank > s.claim.rank {
			r.leaving.Wait()
		} else {
			first.cut()
		}
	}
	if s.isCut {
		return errCutOff
	}
	s.held += more
	r.used += more
	if s.claim.group != nil {
		r.ledger.advance(&s.claim, more)
		return nil
	}
	s.claim.weight = more
	r.ledger.put(&s.claim)
	return nil
}

// progress notes that another part of the body has arrived.
func (s *seat) progress() {
	s.room.mu.Lock()
	defer s.room.mu.Unlock()
	s.room.ledger.advance(&s.claim, 0)
}

// complete notes that the whole body has arrived: the body is no longer cut off. It returns
// errCutOff if that has already happened.
func (s *seat) complete() error {
	s.room.mu.Lock()
	defer s.room.mu.Unlock()
	if s.isCut {
		return errCutOff
	}
	s.room.ledger.remove(&s.claim)
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
	s.room.ledger.remove(&s.claim)
	s.room.used -= s.held
	s.held = 0
	s.room.leaving.Broadcast()
}

// bytes returns how much of the room is used.
func (r *room) bytes() int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.used
}
