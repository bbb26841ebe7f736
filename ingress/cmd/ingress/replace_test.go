package main

import (
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/wagewire/wagewire/schema/stream/streamtest"
)

// proxy is what stands in front of ingress: it listens on one address and passes each connection on
// to one instance.
type proxy struct {
	net.Listener

	mu     sync.Mutex
	target *command
	// open counts the connections of each instance.
	open    map[*command]int
	passing sync.WaitGroup
	// refused counts the connections that an instance did not take.
	refused atomic.Int64
}

func startProxy(t *testing.T, target *command) *proxy {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{Listener: listener, target: target, open: map[*command]int{}}
	p.passing.Go(p.accept)
	t.Cleanup(func() {
		_ = listener.Close()
		p.passing.Wait()
	})
	return p
}

func (p *proxy) accept() {
	for {
		client, err := p.Accept()
		if err != nil {
			return // the test ends
		}
		p.mu.Lock()
		target := p.target
		p.open[target]++
		p.mu.Unlock()
		p.passing.Go(func() {
			p.pass(client, target.addr)
			p.mu.Lock()
			defer p.mu.Unlock()
			p.open[target]--
		})
	}
}

// pass copies in both directions until one end closes.
func (p *proxy) pass(client net.Conn, addr string) {
	defer client.Close()
	server, err := net.Dial("tcp", addr)
	if err != nil {
		p.refused.Add(1)
		return
	}
	p.passing.Go(func() {
		_, _ = io.Copy(server, client)
		_ = server.Close()
	})
	_, _ = io.Copy(client, server)
}

// turnTo passes every new connection to the instance, and returns when the former instance has no
// connection left, as a proxy does that reads its configuration again.
func (p *proxy) turnTo(t *testing.T, to *command) {
	t.Helper()
	p.mu.Lock()
	former := p.target
	p.target = to
	p.mu.Unlock()
	streamtest.Eventually(t, "the connections of the former instance have ended", func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		return p.open[former] == 0
	})
}

// The steps are those of deploy/README.md, "Replace ingress". Every webhook has a connection of its
// own and is sent once, so a refused connection is a lost webhook.
func TestIngressIsReplacedWithoutARefusedConnection(t *testing.T) {
	const (
		senders = 4
		// enough is how many webhooks are answered between two steps.
		enough = 50
	)
	broker, conn := streamtest.New(t)
	former := startReady(t, broker.URL())
	p := startProxy(t, former)

	var sent, stored atomic.Int64
	var stopping atomic.Bool
	var sending sync.WaitGroup
	for n := range senders {
		sending.Go(func() {
			for i := 0; !stopping.Load(); i++ {
				sent.Add(1)
				status, err := post(p.Addr().String(), strconv.Itoa(n)+"-"+strconv.Itoa(i))
				if status != http.StatusOK {
					t.Errorf("a webhook is answered %d, %v, want 200", status, err)
					return
				}
				stored.Add(1)
			}
		})
	}
	defer sending.Wait()
	defer stopping.Store(true)
	receives := func() {
		t.Helper()
		before := stored.Load()
		streamtest.Eventually(t, "webhooks are answered", func() bool {
			return stored.Load() >= before+enough || t.Failed()
		})
	}
	stop := func(c *command) {
		t.Helper()
		c.stop()
		select {
		case err := <-c.ended:
			if err != nil {
				t.Errorf("ingress ended with %v", err)
			}
		case <-streamtest.Late(t):
			t.Fatal("ingress does not end")
		}
	}

	receives()
	next := startReady(t, broker.URL())
	p.turnTo(t, next)
	receives()
	stop(former)
	receives()
	replaced := startReady(t, broker.URL())
	p.turnTo(t, replaced)
	receives()
	stop(next)
	receives()

	stopping.Store(true)
	sending.Wait()
	if n := p.refused.Load(); n > 0 {
		t.Errorf("%d connections were refused", n)
	}
	messages, events := countStored(t, conn)
	if messages != int(sent.Load()) || events != messages {
		t.Errorf("%d webhooks were sent; the stream has %d messages of %d events", sent.Load(),
			messages, events)
	}
}

// startReady starts ingress and returns when it is ready.
func startReady(t *testing.T, url string) *command {
	t.Helper()
	c := start(t, url)
	streamtest.Eventually(t, "ingress is ready", func() bool {
		ready, err := c.isReady(t.Context(), http.DefaultClient)
		return err == nil && ready
	})
	return c
}

// post sends a webhook over a connection of its own, and returns the status of the answer.
func post(addr, id string) (int, error) {
	s := &sender{make(map[string]*connection)}
	defer func() {
		for _, conn := range s.conns {
			_ = conn.Close()
		}
	}()
	status, _, err := s.post(addr, id)
	return status, err
}
