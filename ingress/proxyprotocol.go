package ingress

import (
	"net"
	"time"

	"github.com/pires/go-proxyproto"
)

// behindProxies returns the listener, or one that understands the PROXY protocol of the trusted
// proxies. A trusted proxy may leave the protocol's header out. From anybody else the header is no
// HTTP, and is answered 400.
func behindProxies(
	l net.Listener, proxies TrustedProxies, headerReadFor time.Duration,
) net.Listener {
	if len(proxies) == 0 {
		return l
	}
	policy := func(o proxyproto.ConnPolicyOptions) (proxyproto.Policy, error) {
		if address, ok := parseHop(o.Upstream.String()); ok && proxies.contains(address) {
			return proxyproto.USE, nil
		}
		return proxyproto.SKIP, nil
	}
	return &proxyproto.Listener{
		Listener: l, ConnPolicy: policy, ReadHeaderTimeout: headerReadFor,
	}
}

// rawOf returns the connection below the PROXY protocol.
func rawOf(conn net.Conn) net.Conn {
	if proxied, ok := conn.(*proxyproto.Conn); ok {
		return proxied.Raw()
	}
	return conn
}
