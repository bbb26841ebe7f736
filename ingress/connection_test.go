package ingress

import (
	"errors"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// stubListener accepts the connections of a channel.
type stubListener struct {
	net.Listener
	conns chan net.Conn
}

func (l *stubListener) Accept() (net.Conn, error) {
	if conn, ok := <-l.conns; ok {
		return conn, nil
	}
	return nil, errors.New("no more connections")
}

func (l *stubListener) Close() error { return nil }

// stubConn is a connection that does nothing.
type stubConn struct {
	net.Conn
	from  string
	isCut bool
}

func (c *stubConn) RemoteAddr() net.Addr {
	return net.TCPAddrFromAddrPort(netip.MustParseAddrPort(c.from))
}

func (c *stubConn) SetDeadline(at time.Time) error {
	c.isCut = at.Before(time.Now())
	return nil
}

func (c *stubConn) Close() error { return nil }

// gate is the limit of three connections, and the connections that came.
type gate struct {
	*testing.T
	all   *connections
	inner *stubListener
	conns []*connection
	cuts  []string
}

func newGate(t *testing.T) *gate {
	t.Helper()
	g := &gate{T: t, inner: &stubListener{conns: make(chan net.Conn, 1)}}
	c := Config{Limits: Limits{ConnectionsMax: 3, ClosingMax: 1}}
	if err := c.TrustedProxies.UnmarshalText([]byte("10.9.9.9")); err != nil {
		t.Fatal(err)
	}
	g.all = newConnections(c, new(recent[struct{}]), func(r string) { g.cuts = append(g.cuts, r) })
	g.all.Listener = g.inner
	return g
}

// accept accepts a connection of the nth address of 10.0.0.0/8.
func (g *gate) accept(n int) int { return g.acceptFrom(ipv4(n).Addr().String() + ":1") }

func (g *gate) acceptFrom(address string) int {
	g.Helper()
	g.inner.conns <- &stubConn{from: address}
	conn, err := g.all.Accept()
	if err != nil {
		g.Fatal(err)
	}
	g.conns = append(g.conns, conn.(*connection))
	return len(g.conns) - 1
}

// expectCut asserts which connections were cut off.
func (g *gate) expectCut(cut ...int) {
	g.Helper()
	want := make(map[int]bool)
	for _, n := range cut {
		want[n] = true
	}
	for n, conn := range g.conns {
		if got := conn.Conn.(*stubConn).isCut; got != want[n] {
			g.Errorf("connection %d: cut off %t, want %t", n, got, want[n])
		}
	}
	if len(g.cuts) != len(cut) {
		g.Errorf("counted as cut off: %v, want %d", g.cuts, len(cut))
	}
	if got := g.all.number(); got != len(g.conns)-len(cut) {
		g.Errorf("%d connections are open, want %d", got, len(g.conns)-len(cut))
	}
}

// end is what the server does with a connection that was cut off.
func (g *gate) end(n int) {
	g.Helper()
	if err := g.conns[n].Close(); err != nil {
		g.Error(err)
	}
}

func TestThreeConnectionsAreOpenAtMost(t *testing.T) {
	const proxy = "10.9.9.9:1"
	for promise, test := range map[string]func(g *gate){
		"the oldest is cut off for a fourth": func(g *gate) {
			for n := range 4 {
				g.accept(n)
			}
			g.expectCut(0)
		},
		"a connection with a new request is cut off after a silent one": func(g *gate) {
			for n := range 3 {
				g.accept(n)
			}
			g.conns[0].begin(ipv4(0))
			g.accept(3)
			g.expectCut(1)
		},
		"a connection with a verified webhook in hand is not cut off": func(g *gate) {
			for n := range 3 {
				g.accept(n)
			}
			g.conns[0].verified()
			g.accept(3)
			g.expectCut(1)
		},
		"a connection that delivered a webhook is cut off after strangers": func(g *gate) {
			for n := range 3 {
				g.accept(n)
			}
			g.conns[0].verified()
			noteIdle(g.conns[0], http.StateIdle)
			g.conns[1].begin(ipv4(1))
			g.conns[2].begin(ipv4(2))
			g.accept(3)
			g.expectCut(1)
		},
		"a known peer's connection is cut off after strangers": func(g *gate) {
			g.all.known.add(ipv4(0), struct{}{})
			for n := range 4 {
				g.accept(n)
			}
			g.expectCut(1)
		},
		"the connection of a peer that becomes known is cut off after strangers": func(g *gate) {
			for n := range 3 {
				g.accept(n)
			}
			g.all.promote(ipv4(0))
			g.accept(3)
			g.expectCut(1)
		},
		"a new connection is never cut off for itself": func(g *gate) {
			for n := range 3 {
				g.all.known.add(ipv4(n), struct{}{})
				g.accept(n)
			}
			g.accept(3)
			g.expectCut(0)
		},
		"nobody is cut off while verified webhooks are in hand of all": func(g *gate) {
			for n := range 3 {
				g.accept(n)
				g.conns[n].verified()
			}
			g.accept(3)
			g.expectCut()
		},
		"a proxy's connections are cut off last, however many": func(g *gate) {
			g.acceptFrom(proxy)
			g.acceptFrom(proxy)
			g.accept(1)
			g.accept(2)
			g.expectCut(2)
		},
		"a proxy's connection is not trusted for an earlier sender": func(g *gate) {
			n := g.acceptFrom(proxy)
			g.conns[n].verified()
			noteIdle(g.conns[n], http.StateIdle)
			if got := g.conns[n].begin(ipv4(1)); got != rankStranger {
				g.Errorf("the next sender's rank is %d, want that of a stranger", got)
			}
		},
		"a connection that ends makes room": func(g *gate) {
			for n := range 3 {
				g.accept(n)
			}
			g.end(1)
			g.end(1) // the server may close twice
			g.accept(3)
			if len(g.cuts) != 0 || g.all.number() != 3 {
				g.Errorf("%d are open, cut off: %v; want 3, none", g.all.number(), g.cuts)
			}
		},
		"a connection that is cut off twice counts once": func(g *gate) {
			n := g.accept(0)
			g.conns[n].cutOff()
			g.conns[n].cutOff()
			g.end(n)
			if g.all.number() != 0 || len(g.all.alive) != 0 {
				g.Errorf("%d are open, %d alive; want none", g.all.number(), len(g.all.alive))
			}
		},
	} {
		t.Run(promise, func(t *testing.T) { test(newGate(t)) })
	}
}

// The server's goroutine for a connection that was cut off ends a little later. Meanwhile it counts
// against ClosingMax, so that cutting off does not cost memory without end.
func TestNoMoreConnectionsAreAcceptedThanTheServerEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate(t)
		for n := range 4 {
			g.accept(n)
		}
		accepted := make(chan error, 1)
		accept := func() {
			_, err := g.all.Accept()
			accepted <- err
		}
		go accept()
		g.inner.conns <- &stubConn{from: "10.0.0.5:1"}
		synctest.Wait()
		if len(accepted) != 0 {
			t.Fatal("a connection is accepted while one that was cut off has not ended")
		}
		g.end(0)
		if err := <-accepted; err != nil {
			t.Errorf("accept: %v", err)
		}
		go accept()
		synctest.Wait()
		if err := g.all.Close(); err != nil {
			t.Error(err)
		}
		if err := <-accepted; !errors.Is(err, net.ErrClosed) {
			t.Errorf("accept after the end: %v, want net.ErrClosed", err)
		}
	})
}

func TestAListenerThatFailsKeepsNoPlace(t *testing.T) {
	g := newGate(t)
	close(g.inner.conns)
	for range 10 {
		_, err := g.all.Accept()
		if err == nil || !strings.Contains(err.Error(), "no more") {
			t.Fatalf("accept: %v, want the listener's error", err)
		}
	}
}
