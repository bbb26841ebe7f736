package ingress

import (
	"math/rand/v2"
	"testing"
	"time"
)

// made returns a ledger with claims in the order given, and the claims.
func made(share int64, claims ...*claim) *ledger {
	l := newLedger(share)
	for n, c := range claims {
		l.put(c, second(n))
	}
	return l
}

// second is a time, n seconds after the start of a test.
func second(n int) time.Time { return time.Unix(int64(n), 0) }

func stranger(peer int, weight int64) *claim {
	return &claim{rank: rankStranger, peer: ipv4(peer), weight: weight}
}

func TestTheLedgerSaysWhoGoesFirst(t *testing.T) {
	ranked := func(r rank, peer int, weight int64) *claim {
		return &claim{rank: r, peer: ipv4(peer), weight: weight}
	}
	const share = 10
	for promise, test := range map[string]struct {
		claims []*claim
		then   func(l *ledger, claims []*claim)
		want   int // index of the claim, -1 for none
	}{
		"nobody, where there is no claim": {want: -1},
		"the oldest of several peers within their share": {
			claims: []*claim{stranger(1, 1), stranger(2, 9), stranger(3, 5)}, want: 0},
		"the oldest of one peer": {
			claims: []*claim{stranger(1, 1), stranger(1, 9)}, want: 0},
		"a claim that makes progress later than another one": {
			claims: []*claim{stranger(1, 1), stranger(2, 1)},
			then:   func(l *ledger, claims []*claim) { l.advance(claims[0], 1, second(9)) },
			want:   1},
		"the oldest of the peer above its share, before an older one": {
			claims: []*claim{stranger(1, 9), stranger(2, 6), stranger(2, 6)}, want: 1},
		"the oldest of the peer that is furthest above its share": {
			claims: []*claim{
				stranger(1, 8), stranger(1, 8), stranger(2, 9), stranger(2, 9), stranger(3, 9),
			},
			want: 2},
		"a claim that grew above the peer's share": {
			claims: []*claim{stranger(1, 1), stranger(2, 1)},
			then:   func(l *ledger, claims []*claim) { l.advance(claims[1], 10, second(9)) },
			want:   1},
		"a stranger, before a known peer that holds most": {
			claims: []*claim{ranked(rankNeighbour, 1, 99), stranger(2, 1)}, want: 1},
		"a neighbour, before a proven connection": {
			claims: []*claim{ranked(rankProven, 1, 99), ranked(rankNeighbour, 1, 1)}, want: 1},
		"a connection of one's own, before a proxy's": {
			claims: []*claim{ranked(rankProxied, 1, 99), ranked(rankProven, 2, 1)}, want: 1},
		"the next, when the first is removed": {
			claims: []*claim{stranger(1, 1), stranger(2, 1)},
			then:   func(l *ledger, claims []*claim) { l.remove(claims[0]) },
			want:   1},
		"a stranger, after another one has become known": {
			claims: []*claim{stranger(1, 1), stranger(1, 2), stranger(2, 1)},
			then: func(l *ledger, _ []*claim) {
				l.promote(ipv4(1), rankStranger, rankNeighbour)
				l.promote(ipv4(9), rankStranger, rankNeighbour)
			},
			want: 2},
		"the oldest of those that became known together": {
			claims: []*claim{stranger(1, 1), stranger(1, 2), stranger(1, 3)},
			then: func(l *ledger, _ []*claim) {
				l.promote(ipv4(1), rankStranger, rankNeighbour)
			},
			want: 0},
		"nobody, when all are removed, some twice": {
			claims: []*claim{stranger(1, 1), stranger(1, 1)},
			then: func(l *ledger, claims []*claim) {
				l.remove(claims[0])
				l.remove(claims[0])
				l.remove(claims[1])
			},
			want: -1},
	} {
		t.Run(promise, func(t *testing.T) {
			l := made(share, test.claims...)
			if test.then != nil {
				test.then(l, test.claims)
			}
			got := l.first()
			if test.want < 0 {
				if got != nil {
					t.Errorf("%+v goes first, want none", got)
				}
				return
			}
			if got != test.claims[test.want] {
				t.Errorf("%+v goes first, want number %d", got, test.want)
			}
		})
	}
}

// Whatever happens to hundreds of claims, the first is the one that a search of them all finds.
func TestTheLedgerAgreesWithASearch(t *testing.T) {
	const share = 20
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	l := newLedger(share)
	var in []*claim
	for n := range 4_000 {
		action := random.IntN(4)
		switch {
		case action == 0 && len(in) > 0:
			i := random.IntN(len(in))
			l.remove(in[i])
			in[i] = in[len(in)-1]
			in = in[:len(in)-1]
		case action == 1 && len(in) > 0:
			l.advance(in[random.IntN(len(in))], random.Int64N(5), second(n))
		case len(in) < 300:
			c := stranger(random.IntN(50), random.Int64N(5))
			c.rank = rank(random.IntN(4))
			l.put(c, second(n))
			in = append(in, c)
		}
		if got, want := l.first(), searchFirst(in, share); got != want {
			t.Fatalf("%+v goes first of %d claims, want %+v", got, len(in), want)
		}
	}
}

// searchFirst is the ledger's rule, told a second time and slowly.
func searchFirst(claims []*claim, share int64) *claim {
	held := make(map[groupKey]int64)
	for _, c := range claims {
		held[groupKey{c.rank, c.peer}] += c.weight
	}
	above := func(c *claim) int64 { return max(0, held[groupKey{c.rank, c.peer}]-share) }
	var first *claim
	for _, c := range claims {
		switch {
		case first == nil, c.rank < first.rank:
			first = c
		case c.rank > first.rank, above(c) < above(first):
		case above(c) > above(first), c.at.Before(first.at):
			first = c
		}
	}
	return first
}
