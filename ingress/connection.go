package ingress

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"
)

// connections is a net.Listener that limits the number of open connections. At the limit, another
// connection is accepted all the same, and the first connection of the ledger is cut off. A
// connection with a verified webhook in hand is not in the ledger.
type connections struct {
	net.Listener
	proxies TrustedProxies
	known   *recent[struct{}]
	// cutOff is told why a connection is cut off.
	cutOff func(reason string)
	// alive has a value for every connection that the server has not closed yet. The server closes
	// a connection that was cut off a little later, and holds memory for it until then.
	alive chan struct{}
	// closed is closed when the listener is.
	closed    chan struct{}
	closeOnce sync.Once

	mu      sync.Mutex
	open    int
	openMax int
	ledger  *ledger
}

// connectionsShare is how many connections a peer may hold before its connections are cut off
// first.
const connectionsShare = 16

func newConnections(c Config, known *recent[struct{}], cutOff func(reason string)) *connections {
	return &connections{
		proxies: c.TrustedProxies,
		known:   known,
		cutOff:  cutOff,
		alive:   make(chan struct{}, c.Limits.ConnectionsMax+c.Limits.ClosingMax),
		closed:  make(chan struct{}),
		openMax: c.Limits.ConnectionsMax,
		ledger:  newLedger(connectionsShare),
	}
}

// Accept waits for the next connection.
func (l *connections) Accept() (net.Conn, error) {
	select {
	case l.alive <- struct{}{}:
	case <-l.closed:
		return nil, net.ErrClosed
	}
	conn, err := l.Listener.Accept()
	if err != nil {
		<-l.alive
		return nil, err
	}
	return l.add(conn), nil
}

// Close stops the listener. The open connections stay open.
func (l *connections) Close() error {
	l.closeOnce.Do(func() { close(l.closed) })
	return l.Listener.Close()
}

// number returns the number of open connections.
func (l *connections) number() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.open
}

// promote notes that a peer has delivered a verified webhook.
func (l *connections) promote(peer netip.Prefix) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ledger.promote(peer, rankStranger, rankNeighbour)
	l.ledger.promote(peer, rankProxied+rankStranger, rankProxied+rankNeighbour)
}

func (l *connections) add(conn net.Conn) *connection {
	c := &connection{Conn: conn, all: l, isOpen: true, gone: make(chan struct{})}
	address, _ := parseHop(rawOf(conn).RemoteAddr().String())
	c.isProxied = l.proxies.contains(address)
	c.claim = claim{peer: siteOf(address), weight: 1, cut: c.cut}
	l.mu.Lock()
	defer l.mu.Unlock()
	if first := l.ledger.first(); l.open >= l.openMax && first != nil {
		first.cut()
		l.cutOff(cutConnections)
	}
	l.open++
	c.list()
	return c
}

// connection is an open connection. Its fields are guarded by the lock of all.
type connection struct {
	net.Conn
	all       *connections
	isProxied bool
	isOpen    bool
	isProven  bool
	claim     claim
	// gone is closed when the connection is closed or cut off.
	gone      chan struct{}
	closeOnce sync.Once
	// header is used by one Read at a time, and in between by net/http.
	header headerGuard
}

// connectionKey is the key of a request's connection in its context.
type connectionKey struct{}

// withConnection is the http.Server's ConnContext.
func withConnection(ctx context.Context, conn net.Conn) context.Context {
	return context.WithValue(ctx, connectionKey{}, conn)
}

// noteIdle is the http.Server's ConnState.
func noteIdle(conn net.Conn, state http.ConnState) {
	if c, ok := conn.(*connection); ok && state == http.StateIdle {
		c.idle()
	}
}

// list puts the connection into the ledger, as the one that made progress last.
func (c *connection) list() {
	if !c.isOpen {
		return
	}
	c.claim.rank = c.rank()
	c.all.ledger.move(&c.claim, time.Now())
}

// rank returns the connection's rank. A proxy's connection carries the requests of many senders, so
// nothing follows from the last one.
func (c *connection) rank() rank {
	switch {
	case c.isProxied:
		return rankProxied + rankOf(c.all.known, c.claim.peer)
	case c.isProven:
		return rankProven
	default:
		return rankOf(c.all.known, c.claim.peer)
	}
}

// rankOf returns what is known of a peer.
func rankOf(known *recent[struct{}], peer netip.Prefix) rank {
	if _, ok := known.get(peer); ok {
		return rankNeighbour
	}
	return rankStranger
}

// begin notes that a request of a peer has begun, and returns what is known of its sender.
func (c *connection) begin(peer netip.Prefix) rank {
	c.all.mu.Lock()
	defer c.all.mu.Unlock()
	c.claim.peer = peer
	c.list()
	if c.isProxied {
		return c.claim.rank - rankProxied
	}
	return c.claim.rank
}

// verified notes that the request in hand is verified. Until the connection is idle again, it is
// not cut off.
func (c *connection) verified() {
	c.all.mu.Lock()
	defer c.all.mu.Unlock()
	c.isProven = true
	c.all.ledger.remove(&c.claim)
}

// idle notes that the request in hand was answered.
func (c *connection) idle() {
	c.all.mu.Lock()
	defer c.all.mu.Unlock()
	c.header = headerGuard{}
	c.list()
}

// cutOff cuts the connection off.
func (c *connection) cutOff() {
	c.all.mu.Lock()
	defer c.all.mu.Unlock()
	c.cut()
}

// cut ends the reads and writes of the server, which then closes the connection without an answer.
// A sender that is not an attacker tries again after a network failure, and does not after a 4xx.
// To close the connection here would mean to wait for the reader, with the lock of all in hand.
func (c *connection) cut() {
	c.forget()
	_ = c.SetDeadline(longAgo) // a connection that has ended needs no end
}

// longAgo is a deadline that ends a read or write at once.
var longAgo = time.Unix(1, 0)

// forget takes the connection out of the number of open ones, once.
func (c *connection) forget() {
	if c.isOpen {
		c.isOpen = false
		close(c.gone)
		c.all.open--
		c.all.ledger.remove(&c.claim)
	}
}

// Close is called by the server, which has no more memory for the connection afterwards.
func (c *connection) Close() error {
	c.closeOnce.Do(func() {
		c.all.mu.Lock()
		defer c.all.mu.Unlock()
		c.forget()
		<-c.all.alive
	})
	return c.Conn.Close()
}

// CloseWrite lets the server say goodbye before it closes a connection with unread bytes.
func (c *connection) CloseWrite() error {
	if tcp, ok := rawOf(c.Conn).(*net.TCPConn); ok {
		return tcp.CloseWrite()
	}
	return errors.ErrUnsupported
}

// Read reads, and ends a header of too many lines.
func (c *connection) Read(p []byte) (int, error) {
	if c.isGone() { // net/http may have set a later deadline
		return 0, net.ErrClosed
	}
	n, err := c.Conn.Read(p)
	if err != nil && c.isGone() {
		return n, net.ErrClosed
	}
	if !c.header.allows(p[:n]) {
		c.all.cutOff(cutHeader)
		return 0, errHeaderLines
	}
	return n, err
}

// Write writes, unless the connection was cut off.
func (c *connection) Write(p []byte) (int, error) {
	if c.isGone() {
		return 0, net.ErrClosed
	}
	return c.Conn.Write(p)
}

// isGone reports whether the connection is closed or cut off.
func (c *connection) isGone() bool {
	select {
	case <-c.gone:
		return true
	default:
		return false
	}
}
