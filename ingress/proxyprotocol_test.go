package ingress

import (
	"fmt"
	"io"
	"net"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/pires/go-proxyproto"
)

// proxyHeader is what a proxy writes before the bytes of a sender.
func proxyHeader(t *testing.T, version byte, sender string) string {
	t.Helper()
	header := proxyproto.HeaderProxyFromAddrs(version,
		&net.TCPAddr{IP: net.ParseIP(sender), Port: 50000},
		&net.TCPAddr{IP: net.ParseIP("198.51.100.1"), Port: 8080})
	text, err := header.Format()
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// forgedOnWire is a request of Truv that fails verification.
func forgedOnWire(more ...string) string {
	return message(head(truvPath, "another body", append(more, "Content-Length: 1")...), "x")
}

// Each row sends a forgery of a first sender and of a second one.
func TestSendersBehindAProxyAreToldApart(t *testing.T) {
	const (
		first  = "203.0.113.7"
		second = "203.0.113.8"
		itself = "127.0.0.1/32"
	)
	apart := []string{first + "/32", second + "/32"}
	together := []string{itself}
	byProtocol := func(version byte) func(t *testing.T, sender string) string {
		return func(t *testing.T, sender string) string {
			return proxyHeader(t, version, sender) + forgedOnWire()
		}
	}
	byHeader := func(_ *testing.T, sender string) string {
		return forgedOnWire("X-Forwarded-For: " + sender)
	}
	behind := func(address string) func(t *testing.T, sender string) string {
		return func(t *testing.T, sender string) string {
			return proxyHeader(t, 1, address) + byHeader(t, sender)
		}
	}
	for promise, test := range map[string]struct {
		proxies string
		send    func(t *testing.T, sender string) string
		status  int
		peers   []string
	}{
		"by X-Forwarded-For":               {"127.0.0.1", byHeader, 401, apart},
		"by the PROXY protocol, version 1": {"127.0.0.0/8", byProtocol(1), 401, apart},
		"by the PROXY protocol, version 2": {"127.0.0.1", byProtocol(2), 401, apart},
		"by X-Forwarded-For of a proxy behind one with the PROXY protocol": {
			"127.0.0.1, 10.0.0.7", behind("10.0.0.7"), 401, apart},

		"but not by the word of anybody, where no proxy is trusted": {
			"", byHeader, 401, together},
		"but not by the word of anybody but the trusted proxy": {
			"10.0.0.7", byHeader, 401, together},
		"but not by the word of a sender behind a trusted proxy": {
			"127.0.0.1", behind("203.0.113.9"), 401, []string{"203.0.113.9/32"}},
		"but not by the PROXY protocol, where no proxy is trusted": {
			"", byProtocol(1), 400, nil},
		"but not by the PROXY protocol of anybody but the trusted proxy": {
			"10.0.0.7", byProtocol(1), 400, nil},
		"but not by version 2 of anybody but the trusted proxy": {
			"10.0.0.7", byProtocol(2), 400, nil},
	} {
		t.Run(promise, func(t *testing.T) {
			c := testConfig(t)
			if test.proxies != "" {
				c.TrustedProxies = trust(t, test.proxies)
			}
			s, _ := start(t, c, &fakePublisher{})
			for _, sender := range []string{first, second} {
				got := exchange(t, s, test.send(t, sender))
				if len(got) != 1 || got[0] != test.status {
					t.Errorf("sender %s is answered %v, want %d", sender, got, test.status)
				}
			}
			if diff := cmp.Diff(test.peers, forgers(s)); diff != "" {
				t.Errorf("the peers differ (-want +got):\n%s", diff)
			}
		})
	}
}

// forgers lists the peers that have sent forgeries.
func forgers(s *Server) []string {
	s.forgeries.peers.mu.Lock()
	defer s.forgeries.peers.mu.Unlock()
	var peers []string
	for peer := range s.forgeries.peers.young {
		peers = append(peers, peer.String())
	}
	slices.Sort(peers)
	return peers
}

func trust(t *testing.T, text string) TrustedProxies {
	t.Helper()
	var proxies TrustedProxies
	if err := proxies.UnmarshalText([]byte(text)); err != nil {
		t.Fatal(err)
	}
	return proxies
}

// exchange sends a text over a new connection, and returns the answers.
func exchange(t *testing.T, s *Server, text string) []int {
	t.Helper()
	conn := dial(t, s)
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
	statuses, _ := readAnswers(t, conn)
	return statuses
}

func TestAWebhookThroughAProxyIsStored(t *testing.T) {
	for promise, before := range map[string]string{
		"with the PROXY protocol":         proxyHeader(t, 1, "203.0.113.7"),
		"with version 2 of it":            proxyHeader(t, 2, "2001:db8::1"),
		"without the PROXY protocol":      "",
		"of the proxy's own health check": "PROXY UNKNOWN\r\n",
	} {
		t.Run(promise, func(t *testing.T) {
			c := testConfig(t)
			c.TrustedProxies = trust(t, "127.0.0.1")
			broker := &fakePublisher{}
			s, _ := start(t, c, broker)
			whole := message(head(truvPath, connected, "Connection: close",
				fmt.Sprintf("Content-Length: %d", len(connected))), connected)
			if got := exchange(t, s, before+whole); len(got) != 1 || got[0] != 200 {
				t.Errorf("answered %v, want 200", got)
			}
		})
	}
}
