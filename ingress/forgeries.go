package ingress

import (
	"net/netip"
	"time"

	"golang.org/x/time/rate"
)

// How many forgeries are answered 401, for each peer and for all peers together. More get 429. A
// forgery is a request that fails verification.
const (
	forgeriesPerSecond = 1
	forgeriesAtOnce    = 20

	forgeriesOfAllPerSecond = 20
	forgeriesOfAllAtOnce    = 200
)

// forgeries counts forgeries by peer. Verified requests are never counted.
type forgeries struct {
	all   *rate.Limiter
	peers recent[*rate.Limiter]
}

func newForgeries() *forgeries {
	return &forgeries{all: rate.NewLimiter(forgeriesOfAllPerSecond, forgeriesOfAllAtOnce)}
}

// allow counts a forgery, and returns false above a limit. The limit of the peer comes first: a
// single sender cannot use up the limit of all.
func (f *forgeries) allow(peer netip.Prefix, now time.Time) bool {
	limiter := f.peers.getOr(peer, func() *rate.Limiter {
		return rate.NewLimiter(forgeriesPerSecond, forgeriesAtOnce)
	})
	return limiter.AllowN(now, 1) && f.all.AllowN(now, 1)
}
