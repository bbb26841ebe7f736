package ingress

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
)

// A peer is the address for which limits are counted: an IPv4 address, or the /64 of an IPv6
// address, because a site chooses the other 64 bits freely. The zero prefix is the peer of every
// text that is no address.

// ipv6Bits is the length of the prefix of a site.
const ipv6Bits = 64

// TrustedProxies are the addresses of proxies whose word about a sender's address is taken: in the
// header X-Forwarded-For and in the PROXY protocol, version 1 and 2. Nobody else's word is taken.
type TrustedProxies []netip.Prefix

// UnmarshalText reads addresses and CIDR prefixes, separated by commas. The error names the first
// entry that is neither.
func (t *TrustedProxies) UnmarshalText(text []byte) error {
	var proxies TrustedProxies
	for entry := range strings.SplitSeq(string(text), ",") {
		proxy, err := parseProxy(strings.TrimSpace(entry))
		if err != nil {
			return err
		}
		proxies = append(proxies, proxy)
	}
	*t = proxies
	return nil
}

var errTrustsAll = errors.New("trusts every sender's word: name the proxies' own addresses")

func parseProxy(entry string) (netip.Prefix, error) {
	if address, err := netip.ParseAddr(entry); err == nil && address.Zone() == "" {
		address = address.Unmap()
		return netip.PrefixFrom(address, address.BitLen()), nil
	}
	prefix, err := netip.ParsePrefix(entry)
	if err != nil {
		return netip.Prefix{}, fmt.Errorf(
			"%q is neither an address such as 10.0.0.7 nor a prefix such as 10.0.0.0/24", entry)
	}
	const mappedBits = 96 // of ::ffff:0:0/96, the IPv4 addresses written as IPv6
	if prefix.Addr().Is4In6() && prefix.Bits() >= mappedBits {
		prefix = netip.PrefixFrom(prefix.Addr().Unmap(), prefix.Bits()-mappedBits)
	}
	if prefix.Bits() == 0 {
		return netip.Prefix{}, fmt.Errorf("%q %w", entry, errTrustsAll)
	}
	return prefix.Masked(), nil
}

func (t TrustedProxies) contains(address netip.Addr) bool {
	for _, proxy := range t {
		if proxy.Contains(address) {
			return true
		}
	}
	return false
}

// peerOf returns the peer of a request. It is the connection's remote address. If that is a trusted
// proxy, the peer is the last address in X-Forwarded-For that is no trusted proxy. An entry that is
// no address ends the search at the proxy that wrote the entry.
func (t TrustedProxies) peerOf(r *http.Request) netip.Prefix {
	hop, ok := parseHop(r.RemoteAddr)
	if !ok {
		return netip.Prefix{}
	}
	if !t.contains(hop) {
		return siteOf(hop)
	}
	entries := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for len(entries) > 0 && t.contains(hop) {
		last := len(entries) - 1
		next, ok := parseHop(strings.TrimSpace(entries[last]))
		if !ok {
			break
		}
		hop = next
		entries = entries[:last]
	}
	return siteOf(hop)
}

// parseHop reads an address, with or without a port.
func parseHop(text string) (address netip.Addr, ok bool) {
	if at, err := netip.ParseAddrPort(text); err == nil {
		return at.Addr().Unmap().WithZone(""), true
	}
	bare := strings.TrimSuffix(strings.TrimPrefix(text, "["), "]")
	address, err := netip.ParseAddr(bare)
	return address.Unmap().WithZone(""), err == nil
}

// siteOf returns the peer of an address.
func siteOf(address netip.Addr) netip.Prefix {
	bits := address.BitLen()
	if address.Is6() {
		bits = ipv6Bits
	}
	return netip.PrefixFrom(address, bits).Masked()
}
