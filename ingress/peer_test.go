package ingress

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestTrustedProxiesAreRead(t *testing.T) {
	for text, want := range map[string][]string{
		"10.0.0.7":                            {"10.0.0.7/32"},
		"10.0.0.7, 192.168.0.0/16":            {"10.0.0.7/32", "192.168.0.0/16"},
		"10.1.2.3/8":                          {"10.0.0.0/8"},
		"2001:db8::1":                         {"2001:db8::1/128"},
		"2001:db8::/32,::1":                   {"2001:db8::/32", "::1/128"},
		"::ffff:10.0.0.7,::ffff:10.0.0.0/120": {"10.0.0.7/32", "10.0.0.0/24"},
	} {
		var got TrustedProxies
		if err := got.UnmarshalText([]byte(text)); err != nil {
			t.Errorf("%q: %v", text, err)
		}
		var proxies TrustedProxies
		for _, prefix := range want {
			proxies = append(proxies, netip.MustParsePrefix(prefix))
		}
		if diff := cmp.Diff(proxies, got, cmpopts.EquateComparable(netip.Prefix{})); diff != "" {
			t.Errorf("%q is read wrongly (-want +got):\n%s", text, diff)
		}
	}
}

func TestTrustedProxiesAreRefusedByName(t *testing.T) {
	for text, want := range map[string]string{
		"proxy.internal":       `"proxy.internal" is neither an address such as 10.0.0.7`,
		"10.0.0.7,10.0.0.0/33": `"10.0.0.0/33" is neither an address such as 10.0.0.7`,
		"10.0.0.7,":            `"" is neither an address such as 10.0.0.7`,
		"10.0.0.7:80":          `"10.0.0.7:80" is neither an address such as 10.0.0.7`,
		"fe80::1%eth0":         `"fe80::1%eth0" is neither an address such as 10.0.0.7`,
		"0.0.0.0/0":            `"0.0.0.0/0" trusts every sender's word`,
		"::/0":                 `"::/0" trusts every sender's word`,
		"::ffff:0:0/96":        `"::ffff:0:0/96" trusts every sender's word`,
	} {
		env := map[string]string{"TRUSTED_PROXIES": text}
		_, err := ConfigFromEnv(func(key string) string { return env[key] })
		expectError(t, err, "TRUSTED_PROXIES: "+want)
	}
}

func TestThePeerOfARequest(t *testing.T) {
	var proxies TrustedProxies
	if err := proxies.UnmarshalText([]byte("10.0.0.0/24, 2001:db8:1::1")); err != nil {
		t.Fatal(err)
	}
	const sender = "203.0.113.7/32"
	for promise, test := range map[string]struct {
		remote    string
		forwarded []string
		want      string
	}{
		"is the remote address":              {"203.0.113.7:1", nil, sender},
		"is an IPv4 address written as IPv6": {"[::ffff:203.0.113.7]:1", nil, sender},
		"is the site of an IPv6 address": {
			"[2001:db8:2::1:2:3:4%eth0]:1", nil, "2001:db8:2::/64"},
		"is not what a stranger says": {
			"203.0.113.7:1", []string{"198.51.100.1"}, sender},
		"is not what a stranger says of a trusted proxy": {
			"203.0.113.7:1", []string{"198.51.100.1, 10.0.0.7"}, sender},
		"is what a trusted proxy says":      {"10.0.0.7:1", []string{"203.0.113.7"}, sender},
		"is what a trusted IPv6 proxy says": {"[2001:db8:1::1]:1", []string{"203.0.113.7"}, sender},
		"is the last address that no proxy of ours has": {
			"10.0.0.7:1", []string{"198.51.100.1, 203.0.113.7, 10.0.0.8, 10.0.0.9"}, sender},
		"is the last of several header lines": {
			"10.0.0.7:1", []string{"198.51.100.1", "203.0.113.7"}, sender},
		"may be written with a port": {"10.0.0.7:1", []string{"203.0.113.7:50000"}, sender},
		"may be in brackets": {
			"10.0.0.7:1", []string{"[2001:db8:2::1]"}, "2001:db8:2::/64"},
		"may be written in brackets, with a port": {
			"10.0.0.7:1", []string{"[2001:db8:2::1]:9"}, "2001:db8:2::/64"},
		"is the proxy, if it says nothing":  {"10.0.0.7:1", nil, "10.0.0.7/32"},
		"is the proxy, if it says nonsense": {"10.0.0.7:1", []string{"unknown"}, "10.0.0.7/32"},
		"is the proxy that wrote nonsense, whatever stands before": {
			"10.0.0.7:1", []string{"203.0.113.7, _hidden, 10.0.0.8"}, "10.0.0.8/32"},
		"is the proxy that wrote nothing behind a comma": {
			"10.0.0.7:1", []string{"203.0.113.7,"}, "10.0.0.7/32"},
		"is the first proxy, if all are ours": {
			"10.0.0.7:1", []string{"10.0.0.8, 10.0.0.9"}, "10.0.0.8/32"},
	} {
		t.Run(promise, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodPost, truvPath, nil)
			r.RemoteAddr = test.remote
			r.Header["X-Forwarded-For"] = test.forwarded
			if got := proxies.peerOf(r).String(); got != test.want {
				t.Errorf("the peer is %s, want %s", got, test.want)
			}
		})
	}
	r := httptest.NewRequest(http.MethodPost, truvPath, nil)
	r.RemoteAddr = "pipe"
	if got := proxies.peerOf(r); got.IsValid() {
		t.Errorf("the peer of no address is %s", got)
	}
}

func TestThePeersRememberedAreBounded(t *testing.T) {
	var r recent[int]
	for n := range 3 * peersMax {
		r.add(ipv4(n), n)
		if total := len(r.young) + len(r.old); total > peersMax {
			t.Fatalf("%d peers are remembered", total)
		}
	}
	if _, ok := r.get(ipv4(0)); ok {
		t.Error("the first of many peers is remembered")
	}
	if got, ok := r.get(ipv4(3*peersMax - 1)); !ok || got != 3*peersMax-1 {
		t.Errorf("the last peer's value is %d, %t", got, ok)
	}
}
