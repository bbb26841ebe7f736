package stream

import (
	"errors"
	"fmt"
)

// serverMin is the oldest nats-server that keeps every schedule: earlier releases with schedules,
// from 2.12 on, lost some of them.
var serverMin = [3]int{2, 15, 2}

// ErrOldServer: the broker is older than serverMin.
var ErrOldServer = errors.New("the nats-server is too old")

// ServerVersion is the version of the server at the other end of the connection, "" without a
// connection.
func (c *Conn) ServerVersion() string {
	if !c.up.Load() {
		return ""
	}
	return c.nats.ConnectedServerVersion()
}

// checkServer returns ErrOldServer if the server at the other end of the connection is too old. In
// a cluster, each process checks the server to which it is connected.
func (c *Conn) checkServer() error {
	if !c.up.Load() {
		return nil // another error says so; the client answers no question while it dials
	}
	version := c.nats.ConnectedServerVersion()
	if isAtLeast(version, serverMin) {
		return nil
	}
	return fmt.Errorf("%w: it is %s: upgrade it to %d.%d.%d or later, then try again",
		ErrOldServer, version, serverMin[0], serverMin[1], serverMin[2])
}

// isAtLeast reports whether the version, such as "2.15.2" or "2.16.0-preview.1", is not older than
// least. A version in another form counts as new.
func isAtLeast(version string, least [3]int) bool {
	var have [3]int
	if _, err := fmt.Sscanf(version, "%d.%d.%d", &have[0], &have[1], &have[2]); err != nil {
		return true
	}
	for i := range have {
		if have[i] != least[i] {
			return have[i] > least[i]
		}
	}
	return true
}
