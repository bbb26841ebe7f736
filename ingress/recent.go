package ingress

import (
	"net/netip"
	"sync"
)

// recent remembers a value for each of the peers that were seen lately, at most peersMax. When the
// young half is full, the old half is forgotten. It is safe for concurrent use.
type recent[V any] struct {
	mu    sync.Mutex
	young map[netip.Prefix]V
	old   map[netip.Prefix]V
}

// peersMax is how many peers are remembered.
const peersMax = 4096

// get returns the peer's value, and whether the peer is remembered. A peer that is asked for is
// young again.
func (r *recent[V]) get(peer netip.Prefix) (V, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	value, ok := r.find(peer)
	if ok {
		r.keep(peer, value)
	}
	return value, ok
}

// add remembers the peer's value.
func (r *recent[V]) add(peer netip.Prefix, value V) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.keep(peer, value)
}

// getOr returns the peer's value. A peer that is not remembered gets the value of create.
func (r *recent[V]) getOr(peer netip.Prefix, create func() V) V {
	r.mu.Lock()
	defer r.mu.Unlock()
	value, ok := r.find(peer)
	if !ok {
		value = create()
	}
	r.keep(peer, value)
	return value
}

func (r *recent[V]) find(peer netip.Prefix) (V, bool) {
	if value, ok := r.young[peer]; ok {
		return value, true
	}
	value, ok := r.old[peer]
	return value, ok
}

// keep makes the peer young.
func (r *recent[V]) keep(peer netip.Prefix, value V) {
	_, isYoung := r.young[peer]
	if !isYoung && len(r.young) >= peersMax/2 {
		r.old = r.young
		r.young = nil
	}
	if r.young == nil {
		r.young = make(map[netip.Prefix]V)
	}
	r.young[peer] = value
}
