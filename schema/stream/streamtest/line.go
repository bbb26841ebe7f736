package streamtest

import (
	"net"
	"sync"
)

// Line is the way of one process to a server in a bubble. A test may cut it. It is the
// nats.CustomDialer of the process.
type Line struct {
	server *BubbleServer

	mu     sync.Mutex
	open   []net.Conn
	isDead bool
}

// NewLine returns a line to the server.
func NewLine(s *BubbleServer) *Line { return &Line{server: s} }

// Dial opens a connection to the server, whatever the address.
func (l *Line) Dial(network, address string) (net.Conn, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.isDead {
		return nil, net.ErrClosed
	}
	conn, err := l.server.Dial(network, address)
	if err == nil {
		l.open = append(l.open, conn)
	}
	return conn, err
}

// Cut breaks the connections. The process may connect again.
func (l *Line) Cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, conn := range l.open {
		_ = conn.Close()
	}
	l.open = nil
}

// Kill breaks the connections for good.
func (l *Line) Kill() {
	l.mu.Lock()
	l.isDead = true
	l.mu.Unlock()
	l.Cut()
}
