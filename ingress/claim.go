package ingress

import (
	"container/heap"
	"container/list"
	"net/netip"
	"time"
)

// A claim is what a request without a verified signature holds: bytes of the room for bodies, or a
// connection. The ledger says which claim goes first when there is no more.
type claim struct {
	// rank orders claims by what is known of the sender. The lowest rank goes first.
	rank   rank
	peer   netip.Prefix
	weight int64
	// cut ends what the claim belongs to. It must not block.
	cut func()

	group   *group // nil while the claim is not in a ledger
	element *list.Element
	at      time.Time // of the last progress
}

// rank is what is known of a sender.
type rank int

// The ranks of a claim. Behind a trusted proxy a connection has its rank plus rankProxied.
const (
	rankStranger  rank = iota // nothing is known
	rankNeighbour             // the peer has delivered a verified webhook
	rankProven                // this connection has delivered a verified webhook
	rankProxied
)

// ledger has the claims that may be cut off. Every operation takes O(log n) for n peers.
//
// The first to go is of the lowest rank. Within the rank, the claim belongs to the peer that holds
// most above its share. Peers within their share are equal: the claim that has made no progress for
// the longest goes first. A claim that was just made is the last of its peer, and that of a sender
// who is slow on purpose the first.
type ledger struct {
	// share is the weight that a peer may hold before the peer's claims go first.
	share  int64
	groups map[groupKey]*group
	order  groups
}

type groupKey struct {
	rank rank
	peer netip.Prefix
}

// group is the claims of a rank and peer, in the order of their last progress.
type group struct {
	key    groupKey
	share  int64
	claims list.List
	weight int64
	index  int
}

func newLedger(share int64) *ledger {
	return &ledger{share: share, groups: make(map[groupKey]*group)}
}

// put adds a claim that is not in the ledger.
func (l *ledger) put(c *claim, now time.Time) {
	key := groupKey{c.rank, c.peer}
	g, ok := l.groups[key]
	if !ok {
		g = &group{key: key, share: l.share}
		l.groups[key] = g
	}
	c.at = now
	c.group = g
	c.element = g.claims.PushBack(c)
	g.weight += c.weight
	if ok {
		heap.Fix(&l.order, g.index)
	} else {
		heap.Push(&l.order, g)
	}
}

// move adds a claim, or moves it to where its rank and peer belong, as the one that made progress
// last.
func (l *ledger) move(c *claim, now time.Time) {
	if c.group != nil && c.group.key == (groupKey{c.rank, c.peer}) {
		l.advance(c, 0, now)
		return
	}
	l.remove(c)
	l.put(c, now)
}

// advance notes that a claim has made progress and has grown by more. It does nothing if the claim
// is not in the ledger.
func (l *ledger) advance(c *claim, more int64, now time.Time) {
	if c.group != nil {
		c.at = now
		c.group.claims.MoveToBack(c.element)
		l.grow(c, more)
	}
}

// grow notes that a claim in the ledger has grown.
func (l *ledger) grow(c *claim, more int64) {
	c.weight += more
	c.group.weight += more
	heap.Fix(&l.order, c.group.index)
}

// remove takes a claim out of the ledger. It does nothing if the claim is not in the ledger.
func (l *ledger) remove(c *claim) {
	g := c.group
	if g == nil {
		return
	}
	g.claims.Remove(c.element)
	g.weight -= c.weight
	c.group = nil
	c.element = nil
	if g.claims.Len() > 0 {
		heap.Fix(&l.order, g.index)
		return
	}
	heap.Remove(&l.order, g.index)
	delete(l.groups, g.key)
}

// promote raises the rank of a peer's claims.
func (l *ledger) promote(peer netip.Prefix, from, to rank) {
	g, ok := l.groups[groupKey{from, peer}]
	if !ok {
		return
	}
	for range g.claims.Len() {
		c := g.oldest()
		l.remove(c)
		c.rank = to
		l.put(c, c.at)
	}
}

// first returns the claim that goes first, nil if there is none.
func (l *ledger) first() *claim {
	if len(l.order) == 0 {
		return nil
	}
	return l.order[0].oldest()
}

func (g *group) oldest() *claim { return g.claims.Front().Value.(*claim) }

// goesBefore reports whether a claim of g goes before every claim of other.
func (g *group) goesBefore(other *group) bool {
	if g.key.rank != other.key.rank {
		return g.key.rank < other.key.rank
	}
	if a, b := g.aboveShare(), other.aboveShare(); a != b {
		return a > b
	}
	return g.oldest().at.Before(other.oldest().at)
}

func (g *group) aboveShare() int64 { return max(0, g.weight-g.share) }

// groups is a heap.Interface: the group that goes first is at index 0.
type groups []*group

func (g groups) Len() int           { return len(g) }
func (g groups) Less(i, j int) bool { return g[i].goesBefore(g[j]) }

func (g groups) Swap(i, j int) {
	g[i], g[j] = g[j], g[i]
	g[i].index = i
	g[j].index = j
}

// Push is part of heap.Interface.
func (g *groups) Push(added any) {
	added.(*group).index = len(*g)
	*g = append(*g, added.(*group))
}

// Pop is part of heap.Interface.
func (g *groups) Pop() any {
	last := len(*g) - 1
	removed := (*g)[last]
	(*g)[last] = nil
	*g = (*g)[:last]
	return removed
}
