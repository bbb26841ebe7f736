package ingress

import (
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// How many requests that fail verification are answered 401, from one address and from all, before the rest get 429.
const (
	forgeriesPerSecond, forgeriesAtOnce           = 1, 20
	forgeriesOfAllPerSecond, forgeriesOfAllAtOnce = 20, 200

	// addressesMax is how many addresses are remembered.
	addressesMax = 4096
	// ipv6Bits is the part of an address that one site cannot choose.
	ipv6Bits = 64
)

// forgeries counts requests that fail verification, by the address they come from. Behind a proxy that is the proxy's, so
// that all share one limit; verified requests are never counted. When the young half of the addresses is full, the old half
// is forgotten.
type forgeries struct {
	all *rate.Limiter

	mu         sync.Mutex
	young, old map[netip.Prefix]*rate.Limiter
}

func newForgeries() *forgeries {
	return &forgeries{
		all:   rate.NewLimiter(forgeriesOfAllPerSecond, forgeriesOfAllAtOnce),
		young: make(map[netip.Prefix]*rate.Limiter),
	}
}

// allow counts one more. The address's own limit comes first: one sender alone does not use up what there is for all.
func (f *forgeries) allow(remote string, now time.Time) bool {
	return f.limiter(addressOf(remote)).AllowN(now, 1) && f.all.AllowN(now, 1)
}

func (f *forgeries) limiter(address netip.Prefix) *rate.Limiter {
	f.mu.Lock()
	defer f.mu.Unlock()
	if l, ok := f.young[address]; ok {
		return l
	}
	l, ok := f.old[address]
	if !ok {
		l = rate.NewLimiter(forgeriesPerSecond, forgeriesAtOnce)
	}
	if len(f.young) >= addressesMax/2 {
		f.young, f.old = make(map[netip.Prefix]*rate.Limiter), f.young
	}
	f.young[address] = l
	return l
}

// addressOf returns the address, or for IPv6 the /64 it is in. What is no address counts as one.
func addressOf(remote string) netip.Prefix {
	at, err := netip.ParseAddrPort(remote)
	if err != nil {
		return netip.Prefix{}
	}
	address := at.Addr().Unmap().WithZone("")
	bits := address.BitLen()
	if address.Is6() {
		bits = ipv6Bits
	}
	return netip.PrefixFrom(address, bits).Masked()
}
