package ingress

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// bodies are seats of a room, and how often each was told to hang up.
type bodies struct {
	*testing.T
	room  *room
	seats []*seat
	ends  []int
}

// body adds a body of a peer that holds some of the room. Bodies are born a second apart.
func (b *bodies) body(peer int, known rank, holds int64) int {
	b.Helper()
	n := len(b.seats)
	b.ends = append(b.ends, 0)
	from := sender{peer: ipv4(peer), rank: known}
	b.seats = append(b.seats, b.room.enter(from, func() { b.ends[n]++ }, second(n)))
	if holds > 0 {
		b.grow(n, holds, second(n))
	}
	return n
}

// grow asserts that a body gets more of the room at once.
func (b *bodies) grow(n int, more int64, at time.Time) {
	b.Helper()
	if wait, err := b.seats[n].tryGrow(more, at); err != nil || wait != nil {
		b.Errorf("body %d does not get %d bytes: waits %t, %v", n, more, wait != nil, err)
	}
}

// expectWait asserts that a body does not get more of the room now.
func (b *bodies) expectWait(n int, more int64, at time.Time) {
	b.Helper()
	if wait, err := b.seats[n].tryGrow(more, at); err != nil || wait == nil {
		b.Errorf("body %d gets %d bytes, or the error %v; want it to wait", n, more, err)
	}
}

func (b *bodies) complete(n int) {
	b.Helper()
	if err := b.seats[n].complete(); err != nil {
		b.Errorf("body %d is not complete: %v", n, err)
	}
}

// expectCut asserts which bodies were cut off, each once, and what the room holds.
func (b *bodies) expectCut(used int64, cut ...int) {
	b.Helper()
	want := make(map[int]bool)
	for _, n := range cut {
		want[n] = true
	}
	for n, seat := range b.seats {
		if seat.isCut != want[n] || (b.ends[n] == 1) != want[n] {
			b.Errorf("body %d: cut off %t, told %d times; want cut off %t",
				n, seat.isCut, b.ends[n], want[n])
		}
	}
	if got := b.room.bytes(); got != used {
		b.Errorf("%d bytes of the room are used, want %d", got, used)
	}
}

func TestARoomOfAHundredBytes(t *testing.T) {
	const full, share = 100, 60
	for promise, test := range map[string]func(b *bodies){
		"has room for a hundred bytes of bodies": func(b *bodies) {
			b.body(1, rankStranger, 50)
			b.body(2, rankStranger, 50)
			b.expectCut(100)
		},
		"cuts off the slowest for the newest": func(b *bodies) {
			slow := b.body(1, rankStranger, 50)
			b.body(2, rankStranger, 50)
			b.body(3, rankStranger, 10)
			b.expectCut(60, slow)
		},
		"keeps a body that makes progress, and cuts off one that makes none": func(b *bodies) {
			first := b.body(1, rankStranger, 50)
			slow := b.body(2, rankStranger, 50)
			b.seats[first].progress(second(2))
			b.body(3, rankStranger, 10)
			b.expectCut(60, slow)
		},
		"cuts off the oldest for the newest, where all are fast": func(b *bodies) {
			first := b.body(1, rankStranger, 50)
			other := b.body(2, rankStranger, 50)
			b.seats[other].progress(second(2))
			b.seats[first].progress(second(2))
			b.body(3, rankStranger, 10)
			b.expectCut(60, first)
		},
		"lets the oldest wait for the newest, where all are fast": func(b *bodies) {
			first := b.body(1, rankStranger, 50)
			other := b.body(2, rankStranger, 50)
			b.seats[other].progress(second(2))
			b.expectWait(first, 10, second(2))
			b.expectCut(100)
		},
		"cuts off a newer body that has stalled": func(b *bodies) {
			first := b.body(1, rankStranger, 50)
			stalled := b.body(2, rankStranger, 50)
			b.grow(first, 10, second(1).Add(stallFor))
			b.expectCut(60, stalled)
		},
		"does not hold against a body that it waits for room": func(b *bodies) {
			first := b.body(1, rankStranger, 50)
			stalled := b.body(2, rankStranger, 50)
			b.expectWait(first, 10, second(1).Add(stallFor/2))
			b.body(3, rankStranger, 0)
			b.grow(2, 10, second(1).Add(stallFor))
			b.expectCut(60, stalled)
		},
		"cuts off the peer that holds most, not a slower body": func(b *bodies) {
			b.body(1, rankStranger, 30)
			most := b.body(2, rankStranger, 40)
			b.body(2, rankStranger, 30)
			b.body(3, rankStranger, 10)
			b.expectCut(70, most)
		},
		"cuts off as many as the newest needs": func(b *bodies) {
			one := b.body(1, rankStranger, 40)
			another := b.body(2, rankStranger, 40)
			b.body(3, rankStranger, 90)
			b.expectCut(90, one, another)
		},
		"cuts off strangers for a known peer, even fast ones": func(b *bodies) {
			b.body(1, rankNeighbour, 50)
			unknown := b.body(2, rankStranger, 50)
			b.grow(0, 10, second(1))
			b.expectCut(60, unknown)
		},
		"does not cut off an older body of the same peer for its rank": func(b *bodies) {
			b.body(1, rankStranger, 100)
			b.seats[0].progress(second(9))
			b.body(1, rankNeighbour, 0)
			b.seats[1].born = second(0)
			b.expectWait(1, 10, second(9))
			b.expectCut(100)
		},
		"does not cut off a known peer for strangers": func(b *bodies) {
			b.body(1, rankNeighbour, 100)
			b.body(2, rankStranger, 0)
			b.expectWait(1, 10, second(9))
			b.expectCut(100)
		},
		"does not cut off a complete body": func(b *bodies) {
			whole := b.body(1, rankStranger, 50)
			slow := b.body(2, rankStranger, 50)
			b.complete(whole)
			b.body(3, rankStranger, 10)
			b.expectCut(60, slow)
		},
		"tells a body that it was cut off, at its next step and at its end": func(b *bodies) {
			slow := b.body(1, rankStranger, 100)
			b.body(2, rankStranger, 100)
			if _, err := b.seats[slow].tryGrow(1, second(2)); !errors.Is(err, errCutOff) {
				b.Errorf("grow: %v, want errCutOff", err)
			}
			if err := b.seats[slow].complete(); !errors.Is(err, errCutOff) {
				b.Errorf("complete: %v, want errCutOff", err)
			}
			b.seats[slow].leave()
			b.expectCut(100, slow)
		},
		"has room again when a body leaves, even twice": func(b *bodies) {
			n := b.body(1, rankStranger, 100)
			b.seats[n].leave()
			b.seats[n].leave()
			b.body(2, rankStranger, 100)
			b.expectCut(100)
		},
	} {
		t.Run(promise, func(t *testing.T) {
			test(&bodies{T: t, room: newRoom(full, share)})
		})
	}
}

// A body that waits gets the room that another one gives back, and is told of its own end.
func TestABodyThatWaitsForRoom(t *testing.T) {
	for promise, test := range map[string]struct {
		then func(b *bodies, waiting int, gone chan struct{})
		want error
	}{
		"gets what a complete body gives back": {
			then: func(b *bodies, _ int, _ chan struct{}) { b.seats[0].leave() }},
		"is told that it was cut off": {
			then: func(b *bodies, waiting int, _ chan struct{}) {
				b.room.mu.Lock()
				defer b.room.mu.Unlock()
				b.seats[waiting].cutOff()
			},
			want: errCutOff},
		"does not wait for longer than its sender": {
			then: func(_ *bodies, _ int, gone chan struct{}) { close(gone) },
			want: errCutOff},
	} {
		t.Run(promise, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := &bodies{T: t, room: newRoom(100, 60)}
				b.complete(b.body(1, rankStranger, 90))
				n := b.body(2, rankStranger, 10)
				gone := make(chan struct{})
				b.seats[n].gone = gone
				grown := make(chan error, 1)
				go func() { grown <- b.seats[n].grow(10) }()
				synctest.Wait()
				select {
				case err := <-grown:
					t.Fatalf("the body does not wait: %v", err)
				default:
				}
				test.then(b, n, gone)
				if err := <-grown; !errors.Is(err, test.want) {
					t.Errorf("grow: %v, want %v", err, test.want)
				}
			})
		})
	}
}
