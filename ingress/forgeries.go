package ingress

import (
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// How many forgeries are answered 401, for each address and for all addresses together. More get
// 429. A forgery is a request that fails verification.
const (
	forgeriesPerSecond = 1
	forgeriesAtOnce    = 20

	forgeriesOfAllPerSecond = 20
	forgeriesOfAllAtOnce    = 200

	// addressesMax is how many addresses are remembered.
	addressesMax = 4096
	// ipv6Bits is the length of the prefix of a site. A site chooses the other bits freely.
	ipv6Bits = 64
)

// forgeries counts forgeries by address. Behind a proxy every request has the proxy's address, so
// all senders share a limit. Verified requests are never counted. When the young half of the
// addresses is full, the old half is forgotten.
type forgeries struct {
	all *rate.Limiter

	mu    sync.Mutex
	young map[netip.Prefix]*rate.Limiter
	old   map[netip.Prefix]*rate.Limiter
}

func newForgeries() *forgeries {
	return &forgeries{
		all:   rate.NewLimiter(forgeriesOfAllPerSecond, forgeriesOfAllAtOnce),
		young: make(map[netip.Prefix]*rate.Limiter),
	}
}

// allow counts a forgery, and returns false above a limit. The limit of the address comes first: a
// single sender cannot use up the limit of all.
func (f *forgeries) allow(remote string, now time.Time) bool {
	return f.limiter(prefixOf(remote)).AllowN(now, 1) && f.all.AllowN(now, 1)
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
		f.old = f.young
		f.young = make(map[netip.Prefix]*rate.Limiter)
	}
	f.young[address] = l
	return l
}

// prefixOf returns the address, or the /64 of an IPv6 address. All texts that are no address share
// a prefix.
func prefixOf(remote string) netip.Prefix {
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
