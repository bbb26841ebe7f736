package streamtest

import (
	"fmt"
	"net"
	"os"
	"sync/atomic"
	"testing"
)

const (
	// portMin is the first port for tests. The kernel gives ports over portMin+ports to outgoing
	// connections: such a port may be taken while its server is stopped.
	portMin = 20_000
	ports   = 12_000
	// portsOfProcess keeps processes that run at the same time apart.
	portsOfProcess = 100
)

// portsGiven counts the ports that FreePort has returned.
var portsGiven atomic.Uint32

// FreePort returns a port of the loopback interface that nobody listens on, and a different port
// for each call. A server may stop and start again on the port. Another process may still take the
// port before the caller does: let a server choose its own port (":0") wherever it can say which
// one it chose.
func FreePort(t testing.TB) int {
	t.Helper()
	for range ports {
		n := os.Getpid()*portsOfProcess + int(portsGiven.Add(1))
		port := portMin + n%ports
		address := fmt.Sprintf("127.0.0.1:%d", port)
		l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", address)
		if err == nil {
			_ = l.Close()
			return port
		}
	}
	t.Fatal("no port is free")
	return 0
}
