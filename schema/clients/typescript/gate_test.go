package typescript_test

import (
	"bytes"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
)

// gate stands between a program and the broker, and can hold the broker's answers.
type gate struct {
	url string
	// answers is locked while the answers are held.
	answers sync.Mutex
	// unsubscribed is closed when the program has sent its first UNSUB.
	unsubscribed chan struct{}
}

// openGate opens a gate for one connection.
func openGate(t *testing.T, url string) *gate {
	t.Helper()
	door, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g := &gate{url: "nats://" + door.Addr().String(), unsubscribed: make(chan struct{})}
	var copies sync.WaitGroup
	copies.Go(func() {
		outside, err := door.Accept()
		if err != nil {
			return
		}
		defer outside.Close()
		broker := strings.TrimPrefix(url, "nats://")
		inside, err := new(net.Dialer).DialContext(t.Context(), "tcp", broker)
		if err != nil {
			return
		}
		copies.Go(func() { g.copyRequests(inside, outside) })
		g.copyAnswers(outside, inside)
	})
	t.Cleanup(func() {
		_ = door.Close()
		copies.Wait() // the program was killed before
	})
	return g
}

// copyRequests copies what the program says, and closes the broker's side behind it.
func (g *gate) copyRequests(inside io.WriteCloser, outside io.Reader) {
	defer inside.Close()
	seen := sync.OnceFunc(func() { close(g.unsubscribed) })
	var all []byte
	text := make([]byte, 4096)
	for {
		n, err := outside.Read(text)
		if err != nil {
			return
		}
		all = append(all, text[:n]...)
		if bytes.Contains(all, []byte("\nUNSUB ")) {
			seen()
		}
		if _, err := inside.Write(text[:n]); err != nil {
			return
		}
	}
}

// copyAnswers copies what the broker says.
func (g *gate) copyAnswers(outside io.Writer, inside io.Reader) {
	text := make([]byte, 4096)
	for {
		n, err := inside.Read(text)
		if err != nil {
			return
		}
		g.answers.Lock()
		_, err = outside.Write(text[:n])
		g.answers.Unlock()
		if err != nil {
			return
		}
	}
}
