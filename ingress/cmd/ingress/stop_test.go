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
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/wagewire/wagewire/ingress"
	"github.com/wagewire/wagewire/schema/stream"
	"github.com/wagewire/wagewire/schema/stream/streamtest"
)

const secret = "a-secret-for-tests-only"

// command is ingress in a process of its own, as a load balancer sees it.
type command struct {
	*testing.T
	process *os.Process
	addr    string
	admin   string
	ended   chan error
	// lastLine is the last line on standard error, once a value came from ended.
	lastLine string
	// ready is the latest answer of /readyz.
	ready atomic.Bool
}

func start(t *testing.T, url string) *command {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := &command{
		T:     t,
		admin: "127.0.0.1:" + strconv.Itoa(streamtest.FreePort(t)),
		ended: make(chan error, 1),
	}
	cmd := exec.CommandContext(context.Background(), self)
	cmd.Env = []string{
		commandVariable + "=1",
		"TRUV_SECRETS_FILE=" + secretsFile(t),
		"INGRESS_ADDR=127.0.0.1:0",
		"ADMIN_ADDR=" + c.admin,
		"NATS_URL=" + url,
	}
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
			c.lastLine = lines.Text()
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
	select {
	case c.addr = <-addr:
	case <-streamtest.Late(t):
		t.Fatal("ingress does not receive webhooks")
	}
	return c
}

// stop sends SIGTERM.
func (c *command) stop() {
	c.Helper()
	if err := c.process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		c.Fatal(err)
	}
}

// watch asks for readiness, as a load balancer does, until the admin listener is gone or ctx ends.
// changes gets every change.
func (c *command) watch(ctx context.Context, changes chan<- bool) {
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	look := time.NewTicker(10 * time.Millisecond)
	defer look.Stop()
	answered := false
	for {
		ready, err := c.isReady(ctx, client)
		if err == nil {
			answered = true
			if ready != c.ready.Swap(ready) {
				changes <- ready
			}
		} else if answered {
			if c.ready.Swap(false) {
				changes <- false
			}
			return
		}
		select {
		case <-look.C:
		case <-ctx.Done():
			return
		}
	}
}

func (c *command) isReady(ctx context.Context, client *http.Client) (bool, error) {
	url := "http://" + c.admin + "/readyz"
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return false, err
	}
	answer, err := client.Do(request)
	if err != nil {
		return false, err
	}
	defer answer.Body.Close()
	return answer.StatusCode == http.StatusOK, nil
}

// isGone reports whether nobody listens for webhooks any more.
func (c *command) isGone() bool {
	conn, err := net.Dial("tcp", c.addr)
	if err == nil {
		_ = conn.Close()
	}
	return err != nil
}

// sender keeps one connection to each address and sends every webhook once.
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

// post sends a webhook with the id. It returns the status of the answer, and whether the answer
// says Connection: close.
func (s *sender) post(addr, id string) (status int, closes bool, err error) {
	return s.send(addr, webhook(id, 0))
}

func (s *sender) send(addr, request string) (status int, closes bool, err error) {
	conn := s.conns[addr]
	if conn == nil {
		dialled, err := net.Dial("tcp", addr)
		if err != nil {
			return 0, false, err
		}
		conn = &connection{dialled, bufio.NewReader(dialled)}
		s.conns[addr] = conn
	}
	if _, err := io.WriteString(conn, request); err != nil {
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

// webhook is a signed request of Truv, with padding in its body.
func webhook(id string, paddingBytes int) string {
	body := fmt.Sprintf(`{"webhook_id":%q,"event_type":"link-connected","link_id":"l1",`+
		`"event_created_at":"2026-01-12T02:36:01Z"}`, id) + strings.Repeat(" ", paddingBytes)
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(body))
	return fmt.Sprintf("POST /webhooks/truv HTTP/1.1\r\nHost: ingress\r\n"+
		"X-Webhook-Sign: v1=%s\r\nContent-Length: %d\r\n\r\n%s",
		hex.EncodeToString(mac.Sum(nil)), len(body), body)
}

// load is webhooks sent to two instances behind a load balancer.
type load struct {
	*testing.T
	stopping, other *command
	late            <-chan time.Time
	results         chan result
	// quit ends the senders. It may be called more than once.
	quit    func()
	quitted chan struct{}
	// signalled is when the instance was told to stop.
	signalled time.Time
	stored    int
	// isVoid says that the machine was too slow for the claim: nobody promises that a load balancer
	// learns in more time than the drain, or that a publish takes more time than its budget.
	isVoid bool
}

type result struct {
	by           *command
	began, ended time.Time
	status       int
	err          error
}

func (r result) failed() bool { return r.err != nil || r.status != http.StatusOK }

// send sends webhooks to the instances in turn, but to none that is not ready, until quit is
// called.
func (l *load) send(s *sender, n int) {
	for i := n; ; i++ {
		r := result{by: l.stopping, began: time.Now()}
		if i%2 == 1 || !l.stopping.ready.Load() {
			r.by = l.other
		}
		r.status, _, r.err = s.post(r.by.addr, "w"+strconv.Itoa(n)+"-"+strconv.Itoa(i))
		r.ended = time.Now()
		l.results <- r
		if r.err != nil {
			return
		}
		select {
		case <-l.quitted:
			return
		default:
		}
	}
}

// take judges one result.
func (l *load) take(r result, ok bool) {
	l.Helper()
	if !ok {
		l.Fatal("every sender has ended after an error")
	}
	switch {
	case !r.failed():
		l.stored++
	case l.isVoid:
	case r.ended.Sub(r.began) >= ingress.DefaultDrainFor,
		!l.signalled.IsZero() && r.ended.Sub(l.signalled) >= ingress.DefaultDrainFor:
		l.isVoid = true
	default:
		l.Errorf("a webhook is answered %d, %v", r.status, r.err)
	}
}

// takeFrom takes results until n of them were answered by an instance. It returns false if the
// attempt is void.
func (l *load) takeFrom(c *command, n int) bool {
	l.Helper()
	for n > 0 && !l.isVoid {
		select {
		case r, ok := <-l.results:
			l.take(r, ok)
			if r.by == c {
				n--
			}
		case <-l.late:
			l.Fatalf("%d answers of an instance are missing", n)
		}
	}
	return !l.isVoid
}

// takeUntil takes results until a value comes, and returns the value.
func takeUntil[T any](l *load, what string, values <-chan T) T {
	l.Helper()
	results := l.results
	for {
		select {
		case r, ok := <-results:
			if !ok && l.isVoid {
				results = nil // every sender has ended
				continue
			}
			l.take(r, ok)
		case value := <-values:
			return value
		case <-l.late:
			l.Fatalf("not so: %s", what)
		}
	}
}

// A slow machine makes an attempt void, and the test longer.
func TestNoRequestFailsWhenAnInstanceStopsUnderLoad(t *testing.T) {
	late := streamtest.Late(t)
	for attempt := 1; !stopUnderLoad(t, late); attempt++ {
		t.Logf("attempt %d is void: the machine is slower than the drain", attempt)
	}
}

// stopUnderLoad stops one of two instances. It returns false if the attempt is void.
func stopUnderLoad(t *testing.T, late <-chan time.Time) bool {
	const (
		senders = 8
		// enough is how many answers each instance gives before the next step.
		enough = 200
	)
	broker, conn := streamtest.New(t)
	l := &load{
		T:        t,
		stopping: start(t, broker.URL()),
		other:    start(t, broker.URL()),
		late:     late,
		results:  make(chan result),
		quitted:  make(chan struct{}),
	}
	l.quit = sync.OnceFunc(func() { close(l.quitted) })
	ctx, stopWatching := context.WithCancel(t.Context())
	var watching, sending sync.WaitGroup
	changes := make(map[*command]chan bool)
	for _, c := range []*command{l.stopping, l.other} {
		changed := make(chan bool, 1024)
		changes[c] = changed
		watching.Go(func() {
			c.watch(ctx, changed)
			if c == l.stopping && !c.isGone() {
				t.Error("the admin listener was gone before that of webhooks")
			}
		})
		if !takeUntil(l, "an instance is ready", changed) {
			t.Fatal("the first change of an instance was not to ready")
		}
	}
	idle := newSender(t)
	status, closes, err := idle.post(l.stopping.addr, "first")
	if err != nil || status != http.StatusOK || closes {
		t.Fatalf("the first webhook is answered %d, close %v, %v; want 200 and an open connection",
			status, closes, err)
	}
	l.stored++
	for n := range senders {
		s := newSender(t)
		sending.Go(func() { l.send(s, n) })
	}
	go func() {
		sending.Wait()
		close(l.results)
	}()
	defer func() {
		l.quit()
		for range l.results { // lets every sender end
		}
		stopWatching()
		watching.Wait()
	}()
	if !l.takeFrom(l.stopping, enough) || len(changes[l.stopping]) > 0 {
		l.isVoid = true
		l.stopping.stop()
		_ = takeUntil(l, "the instance has ended", l.stopping.ended)
		return false
	}

	l.signalled = time.Now()
	l.stopping.stop()
	if takeUntil(l, "readiness is gone", changes[l.stopping]) {
		t.Error("an instance that was told to stop became ready")
	}
	// A sender that does not ask for readiness still sends.
	last := result{by: l.stopping, began: l.signalled}
	last.status, closes, last.err = idle.post(l.stopping.addr, "last")
	last.ended = time.Now()
	l.take(last, true)
	if !last.failed() && !closes {
		t.Error("an answer of the instance that stops does not say Connection: close")
	}
	if err := takeUntil(l, "the instance has ended", l.stopping.ended); err != nil {
		t.Errorf("the instance ended with %v, want exit 0", err)
	}
	if !l.takeFrom(l.other, enough) {
		return false
	}
	l.quit()
	for r := range l.results {
		l.take(r, true)
	}
	if l.isVoid {
		return false
	}
	messages, events := countStored(t, conn)
	if messages != l.stored || events != l.stored {
		t.Errorf("%d webhooks were sent, once each; the stream has %d messages of %d events",
			l.stored, messages, events)
	}
	t.Logf("%d webhooks, every one answered 200 and stored once", l.stored)
	return true
}

func countStored(t *testing.T, conn *stream.Conn) (messages, events int) {
	t.Helper()
	keys := make(map[string]bool)
	err := stream.NewOperator(conn).Headings(t.Context(), stream.Selection{},
		func(h stream.Heading) error {
			messages++
			keys[h.Event.Key()] = true
			return nil
		})
	if err != nil {
		t.Fatal(err)
	}
	return messages, len(keys)
}

func TestASecondSignalEndsTheProcess(t *testing.T) {
	c := start(t, "nats://127.0.0.1:1")
	// A request whose body does not come is in hand for longer than the drain.
	conn, err := net.Dial("tcp", c.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	request := "POST /webhooks/truv HTTP/1.1\r\nHost: ingress\r\nContent-Length: 9\r\n\r\n"
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	// Two signals of one moment count as one, so the signal is repeated.
	repeat := time.NewTicker(100 * time.Millisecond)
	defer repeat.Stop()
	late := streamtest.Late(t)
	for signals := 1; ; signals++ {
		c.stop()
		select {
		case err := <-c.ended:
			exit, ok := errors.AsType[*exec.ExitError](err)
			if signals == 1 || !ok || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGTERM {
				t.Errorf("the process ended after signal %d with %v, want by the second signal",
					signals, err)
			}
			return
		case <-repeat.C:
		case <-late:
			t.Fatal("the process does not end")
		}
	}
}
