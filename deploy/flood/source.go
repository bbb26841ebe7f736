package flood

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"strconv"
	"sync/atomic"
)

// sourcesMax keeps every source address within 127.1.0.0/16.
const sourcesMax = 1 << 16

// HasManySources is true if the system has more than one loopback address by default.
const HasManySources = runtime.GOOS == "linux"

// dialer opens connections to one address of the loopback interface.
type dialer struct {
	addr    netip.AddrPort
	sources int
	dialled atomic.Uint32
}

// newDialer resolves the address, such as localhost:8080. Every address outside the loopback
// interface is an error: nobody may attack another machine by mistake.
func newDialer(ctx context.Context, addr string, sources int) (*dialer, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, fmt.Errorf("address of ingress: %w", err)
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return nil, fmt.Errorf("address of ingress: port %q is not a number", port)
	}
	ips, err := net.DefaultResolver.LookupNetIP(ctx, "ip4", host)
	if err != nil {
		return nil, fmt.Errorf("address of ingress: %w", err)
	}
	for _, ip := range ips {
		if !ip.Unmap().IsLoopback() {
			return nil, fmt.Errorf("address of ingress: %s is not on the loopback interface: "+
				"a flood attacks only its own machine", addr)
		}
	}
	if sources < 1 || sources > sourcesMax {
		return nil, fmt.Errorf("%d source addresses are not from 1 to %d", sources, sourcesMax)
	}
	if sources > 1 && !HasManySources {
		return nil, fmt.Errorf("%d source addresses: only Linux has so many", sources)
	}
	return &dialer{addr: netip.AddrPortFrom(ips[0].Unmap(), uint16(n)), sources: sources}, nil
}

// dial opens a connection. Each connection comes from another source address, in turn.
func (d *dialer) dial(ctx context.Context) (net.Conn, error) {
	var from net.Dialer
	if d.sources > 1 {
		n := int(d.dialled.Add(1)) % d.sources
		from.LocalAddr = &net.TCPAddr{IP: net.IPv4(127, 1, byte(n>>8), byte(n))}
	}
	return from.DialContext(ctx, "tcp", d.addr.String())
}
