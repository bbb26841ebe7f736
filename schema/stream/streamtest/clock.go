package streamtest

import (
	"sync"
	"sync/atomic"
	"time"
	_ "unsafe" // for go:linkname
)

// nats-server finds messages that are too old by a time that a goroutine of its package ats keeps.
// The goroutine waits for a channel from outside of the bubble, so it would stop the virtual time.
// A goroutine outside of the bubble would tell the real time, in which every message is too old.
// The package offers no other way to set the time.
var (
	// brokerTime is the time in nanoseconds since 1970.
	//
	//go:linkname brokerTime github.com/nats-io/nats-server/v2/server/ats.utime
	brokerTime atomic.Int64
	// brokerTimeUsers counts the servers. The first one starts the goroutine.
	//
	//go:linkname brokerTimeUsers github.com/nats-io/nats-server/v2/server/ats.refs
	brokerTimeUsers atomic.Int64
)

// tellEvery is how often the broker learns the virtual time. Ages are counted in days.
const tellEvery = 10 * time.Second

// tellBrokerTime tells the servers of a bubble the virtual time until stop is called.
func tellBrokerTime() (stop func()) {
	brokerTimeUsers.Add(1)
	brokerTime.Store(time.Now().UnixNano())
	ended := make(chan struct{})
	var clock sync.WaitGroup
	clock.Go(func() {
		tick := time.NewTicker(tellEvery)
		defer tick.Stop()
		for {
			select {
			case <-ended:
				return
			case now := <-tick.C:
				brokerTime.Store(now.UnixNano())
			}
		}
	})
	return func() {
		close(ended)
		clock.Wait()
		brokerTimeUsers.Add(-1)
	}
}
