package simulation

import (
	"bytes"
	"context"
	"errors"
	"net"
	"sync"
)

// errRefused is the error of a dial to a listener that is closed.
var errRefused = errors.New("connection refused")

// pipes is a net.Listener without a network: each connection is a net.Pipe.
type pipes struct {
	dialed chan net.Conn
	closed chan struct{}
	close  sync.Once
}

func newPipes() *pipes {
	return &pipes{dialed: make(chan net.Conn), closed: make(chan struct{})}
}

// Accept waits for the next connection.
func (l *pipes) Accept() (net.Conn, error) {
	select {
	case conn := <-l.dialed:
		return conn, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

// Close stops the listener. The open connections stay open.
func (l *pipes) Close() error {
	l.close.Do(func() { close(l.closed) })
	return nil
}

// Addr is an address of the loopback interface, because net/http and ingress expect one.
func (l *pipes) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1} }

// dial opens a connection to the listener.
func (l *pipes) dial(ctx context.Context) (net.Conn, error) {
	ours, theirs := net.Pipe()
	select {
	case l.dialed <- theirs:
		return ours, nil
	case <-l.closed:
		return nil, errRefused
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// wires are the open connections of a process. Cutting them is the death of the process for
// everyone else: nothing more leaves the process, and nothing reaches it.
type wires struct {
	mu   sync.Mutex
	open map[*wire]bool
	dead bool
	// moment is the text of the write after which fire is called, once. skip is how many such
	// writes come before.
	moment string
	skip   int
	fire   func()
}

func newWires() *wires { return &wires{open: map[*wire]bool{}} }

// add notes a connection that was dialed, or closes the connection if the process is dead.
func (w *wires) add(conn net.Conn, err error) (net.Conn, error) {
	if err != nil {
		return nil, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.dead {
		_ = conn.Close()
		return nil, errRefused
	}
	added := &wire{Conn: conn, of: w}
	w.open[added] = true
	return added, nil
}

// cut closes every connection, and refuses the next ones.
func (w *wires) cut() {
	w.mu.Lock()
	w.dead = true
	open := w.open
	w.open = map[*wire]bool{}
	w.mu.Unlock()
	for conn := range open {
		_ = conn.Conn.Close()
	}
}

// onWrite calls fire after a write with the text. It skips some such writes. An empty text stands
// for no write.
func (w *wires) onWrite(text string, skip int, fire func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.moment = text
	w.skip = skip
	w.fire = fire
}

// wrote looks whether a write is the one that somebody waits for.
func (w *wires) wrote(b []byte) {
	w.mu.Lock()
	fire := w.fire
	isMoment := w.moment != "" && bytes.Contains(b, []byte(w.moment))
	if isMoment && w.skip > 0 {
		w.skip--
		isMoment = false
	}
	if isMoment {
		w.moment = ""
	}
	w.mu.Unlock()
	if isMoment {
		fire()
	}
}

func (w *wires) isDead() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.dead
}

// wire is a connection of a process.
type wire struct {
	net.Conn

	of *wires
}

func (c *wire) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	if err == nil {
		c.of.wrote(b)
	}
	return n, err
}

func (c *wire) Close() error {
	c.of.mu.Lock()
	delete(c.of.open, c)
	c.of.mu.Unlock()
	return c.Conn.Close()
}

// wired is a listener whose connections are wires of a process.
type wired struct {
	*pipes

	wires *wires
}

func (l wired) Accept() (net.Conn, error) {
	for {
		conn, err := l.pipes.Accept()
		if err != nil {
			return nil, err
		}
		conn, err = l.wires.add(conn, nil)
		if err == nil {
			return conn, nil
		}
	}
}
