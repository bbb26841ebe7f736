package main

import (
	"bufio"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/wagewire/wagewire/schema/stream"
	"github.com/wagewire/wagewire/schema/stream/streamtest"
)

const (
	secret = "a-secret-for-tests-only"
	// late only ends a test that hangs.
	late = 30 * time.Second
)

// command is ingress in a process of its own, as a load balancer sees it.
type command struct {
	*testing.T
	process *os.Process
	addr    string
	admin   string
	ended   chan error
	// ready is what /readyz said last.
	ready atomic.Bool
}

func start(t *testing.T, url string) *command {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	secrets := filepath.Join(t.TempDir(), "secrets")
	if err := os.WriteFile(secrets, []byte(secret), 0o600); err != nil {
		t.Fatal(err)
	}
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &command{T: t, admin: free.Addr().String(), ended: make(chan error, 1)}
	_ = free.Close()
	cmd := exec.CommandContext(context.Background(), self)
	cmd.Env = []string{commandVariable + "=1", "TRUV_SECRETS_FILE=" + secrets, "INGRESS_ADDR=127.0.0.1:0", "ADMIN_ADDR=" + c.admin, "NATS_URL=" + url}
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	c.process = cmd.Process
	addr := make(chan string, 1)
	exited := make(chan struct{})
	go func() {
		defer close(exited)
		lines := bufio.NewScanner(stderr)
		for lines.Scan() {
			var line struct{ Addr string }
			if json.Unmarshal(lines.Bytes(), &line) == nil && line.Addr != "" {
				addr <- line.Addr
			}
		}
		c.ended <- cmd.Wait()
	}()
	t.Cleanup(func() {
		_ = c.process.Kill()
		<-exited
	})
	c.addr = receive(t, "it receives webhooks", addr)
	return c
}

func receive[T any](t *testing.T, what string, from <-chan T) T {
	t.Helper()
	select {
	case got := <-from:
		return got
	case <-time.After(late):
		t.Fatalf("not within %s: %s", late, what)
		panic("unreachable")
	}
}

func (c *command) signal() {
	c.Helper()
	if err := c.process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		c.Fatal(err)
	}
}

// watch asks for readiness, as a load balancer does, until the admin listener is gone or done is closed. changed hears of each
// change.
func (c *command) watch(done <-chan struct{}, changed chan<- bool) {
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: late}
	look := time.NewTicker(10 * time.Millisecond)
	defer look.Stop()
	for answered := false; ; {
		resp, err := client.Get("http://" + c.admin + "/readyz")
		switch {
		case err == nil:
			answered = true
			_ = resp.Body.Close()
			if now := resp.StatusCode == http.StatusOK; now != c.ready.Swap(now) {
				changed <- now
			}
		case answered:
			return
		}
		select {
		case <-look.C:
		case <-done:
			return
		}
	}
}

// gone reports whether nobody listens for webhooks any more.
func (c *command) gone() bool {
	conn, err := net.Dial("tcp", c.addr)
	if err == nil {
		_ = conn.Close()
	}
	return err != nil
}

// sender keeps one connection to each address and never sends a webhook twice: what fails has failed.
type sender struct{ conns map[string]*connection }

type connection struct {
	net.Conn
	in *bufio.Reader
}

func newSender(t *testing.T) *sender {
	s := &sender{make(map[string]*connection)}
	t.Cleanup(func() {
		for _, conn := range s.conns {
			_ = conn.Close()
		}
	})
	return s
}

// post reports how it was answered, and whether with a polite end of the connection.
func (s *sender) post(addr, id string) (status int, closes bool, err error) {
	conn := s.conns[addr]
	if conn == nil {
		dialled, err := net.Dial("tcp", addr)
		if err != nil {
			return 0, false, err
		}
		conn = &connection{dialled, bufio.NewReader(dialled)}
		s.conns[addr] = conn
	}
	if err := conn.SetDeadline(time.Now().Add(late)); err != nil {
		return 0, false, err
	}
	body := fmt.Sprintf(`{"webhook_id":%q,"event_type":"link-connected","link_id":"l1","event_created_at":"2026-01-12T02:36:01Z"}`, id)
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(body))
	if _, err := fmt.Fprintf(conn, "POST /webhooks/truv HTTP/1.1\r\nHost: ingress\r\nX-Webhook-Sign: v1=%s\r\nContent-Length: %d\r\n\r\n%s",
		hex.EncodeToString(mac.Sum(nil)), len(body), body); err != nil {
		return 0, false, err
	}
	answer, err := http.ReadResponse(conn.in, nil)
	if err != nil {
		return 0, false, err
	}
	if _, err := io.Copy(io.Discard, answer.Body); err != nil {
		return 0, false, err
	}
	if answer.Close {
		delete(s.conns, addr)
		err = conn.Close()
	}
	return answer.StatusCode, answer.Close, err
}

// Two instances behind a load balancer, one of which is told to stop.
func TestNoRequestFailsWhenAnInstanceStopsUnderLoad(t *testing.T) {
	const (
		senders = 8
		// enough is how many answers each instance gives before something happens.
		enough = 200
	)
	broker, conn := streamtest.New(t)
	stopping, other := start(t, broker.URL()), start(t, broker.URL())
	instances := []*command{stopping, other}

	done := make(chan struct{})
	var watching, sending sync.WaitGroup
	changes := make(map[*command]chan bool)
	for _, c := range instances {
		changed := make(chan bool, 8)
		changes[c] = changed
		watching.Go(func() {
			c.watch(done, changed)
			if c == stopping && !c.gone() {
				t.Error("the admin listener was gone before that of webhooks")
			}
		})
		if !receive(t, "an instance is ready", changed) {
			t.Fatal("an instance that was not ready became less so")
		}
	}
	idle := newSender(t)
	if status, closes, err := idle.post(stopping.addr, "first"); err != nil || status != http.StatusOK || closes {
		t.Fatalf("the first is answered %d, close %v, %v; want 200 and the connection kept", status, closes, err)
	}

	type result struct {
		by     *command
		status int
		err    error
	}
	results := make(chan result)
	quit := make(chan struct{})
	for n := range senders {
		s := newSender(t)
		sending.Go(func() {
			for i := n; ; i++ {
				by := instances[i%2]
				if !by.ready.Load() {
					by = other
				}
				status, _, err := s.post(by.addr, "w"+strconv.Itoa(n)+"-"+strconv.Itoa(i))
				results <- result{by, status, err}
				if err != nil {
					return
				}
				select {
				case <-quit:
					return
				default:
				}
			}
		})
	}
	go func() {
		sending.Wait()
		close(results)
	}()

	stored := 1
	take := func(r result, ok bool) *command {
		if !ok {
			t.Fatal("nobody sends any more")
		}
		if r.err != nil || r.status != http.StatusOK {
			t.Errorf("a webhook is answered %d, %v", r.status, r.err)
		}
		stored++
		return r.by
	}
	for n := 0; n < enough; {
		r, ok := <-results
		if take(r, ok) == stopping {
			n++
		}
	}
	stopping.signal()
	for drained := false; !drained; {
		select {
		case r, ok := <-results:
			take(r, ok)
		case ready := <-changes[stopping]:
			if ready {
				t.Error("an instance that was told to stop became ready")
			}
			drained = true
		}
	}
	// Somebody who does not ask for readiness still sends.
	if status, closes, err := idle.post(stopping.addr, "last"); err != nil || status != http.StatusOK || !closes {
		t.Errorf("what arrives meanwhile is answered %d, close %v, %v; want 200 and a polite end", status, closes, err)
	}
	stored++
	for ended := false; !ended; {
		select {
		case r, ok := <-results:
			take(r, ok)
		case err := <-stopping.ended:
			if err != nil {
				t.Errorf("the instance ended with %v, want exit 0", err)
			}
			ended = true
		}
	}
	for range enough {
		r, ok := <-results
		if by := take(r, ok); by != other {
			t.Error("an instance that has ended answered")
		}
	}
	close(quit)
	for r := range results {
		take(r, true)
	}
	close(done)
	watching.Wait()

	messages, keys := 0, make(map[string]bool)
	if err := stream.NewOperator(conn).Headings(t.Context(), stream.Selection{}, func(h stream.Heading) error {
		messages++
		keys[h.Event.Key()] = true
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if messages != stored || len(keys) != stored {
		t.Errorf("%d webhooks were sent, once each; the stream has %d messages of %d events", stored, messages, len(keys))
	}
	t.Logf("%d webhooks, every one answered 200 and stored once", stored)
}

func TestASecondSignalEndsItAtOnce(t *testing.T) {
	c := start(t, "nats://127.0.0.1:1")
	// A request whose body does not come is in hand for longer than the drain.
	conn, err := net.Dial("tcp", c.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "POST /webhooks/truv HTTP/1.1\r\nHost: ingress\r\nContent-Length: 9\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	again := time.NewTicker(100 * time.Millisecond) // two signals of one moment are one
	defer again.Stop()
	hangs := time.After(late)
	for signals := 1; ; signals++ {
		c.signal()
		select {
		case err := <-c.ended:
			exit, ok := errors.AsType[*exec.ExitError](err)
			if signals == 1 || !ok || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGTERM {
				t.Errorf("it ended after signal %d with %v, want by the second signal", signals, err)
			}
			return
		case <-again.C:
		case <-hangs:
			t.Fatal("it does not end")
		}
	}
}
