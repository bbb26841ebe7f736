package ingress

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/wagewire/wagewire/schema"
)

// soon is the limit of a server where the end of a wait is the subject. A slow machine makes such a
// test slower and nothing else.
const soon = 250 * time.Millisecond

// start runs a Server until the test ends.
func start(t *testing.T, c Config, p Publisher) (*Server, *prometheus.Registry) {
	t.Helper()
	registry := prometheus.NewRegistry()
	s, err := New(c, p, testLog(t), registry)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background()) // t.Context would end before the cleanup
	stopped := make(chan error, 1)
	go func() { stopped <- s.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-stopped; err != nil {
			t.Errorf("run: %v", err)
		}
	})
	return s, registry
}

// dial connects to the server until the test ends. A read or write that hangs fails shortly before
// the test binary's time limit.
func dial(t *testing.T, s *Server) *net.TCPConn {
	t.Helper()
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", s.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if limit, ok := t.Deadline(); ok {
		if err := conn.SetDeadline(limit.Add(-5 * time.Second)); err != nil {
			t.Fatal(err)
		}
	}
	return conn.(*net.TCPConn)
}

// head is a signed request's line and headers, without the blank line that ends them.
func head(path, body string, more ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "POST %s HTTP/1.1\r\nHost: ingress\r\n", path)
	if err := signed(path, body, time.Now()).Write(&b); err != nil {
		panic(err)
	}
	for _, line := range more {
		b.WriteString(line + "\r\n")
	}
	return b.String()
}

// chunked is a body in one chunk, with the chunk that ends the body.
func chunked(body string) string { return fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(body), body) }

// message joins lines to a request. An empty line ends the headers.
func message(lines ...string) string { return strings.Join(lines, "\r\n") }

type wireTest struct {
	send    string
	hangUp  bool  // the sender says that nothing more will come
	answers []int // statuses
	open    bool  // the connection stays open after the last answer
	reason  string
	stored  int
	// Limits of the server, patient if not set.
	headerReadFor, readFor time.Duration
}

// What only a connection shows.
func TestAnswersOnTheWire(t *testing.T) {
	const (
		inChunks = "Transfer-Encoding: chunked"
		atTruv   = "POST /webhooks/truv HTTP/1.1"
		host     = "Host: ingress"
	)
	length := fmt.Sprintf("Content-Length: %d", len(connected))
	tooLong := fmt.Sprintf("Content-Length: %d", BodyBytesMax+1)
	signedHead := func(more ...string) string { return head(truvPath, connected, more...) }
	whole := message(signedHead(length), connected)
	for name, row := range map[string]wireTest{
		"a signed webhook is stored, and the connection stays open for the next": {
			send: whole + whole, answers: []int{200, 200}, open: true, stored: 1},
		"an old client is answered once, and its connection closed": {
			send:    strings.Replace(whole, "HTTP/1.1", "HTTP/1.0", 1) + whole,
			answers: []int{200}, stored: 1},

		// Too much.
		"a declared length over the limit is refused before a byte is read": {
			send:    message(head(truvPath, "", tooLong), ""),
			answers: []int{413}, reason: "too_large"},
		"a body in chunks is refused as soon as it is over the limit": {
			send: message(head(truvPath, "", inChunks),
				fmt.Sprintf("%x", 2*BodyBytesMax), strings.Repeat("x", BodyBytesMax+1)),
			answers: []int{413}, reason: "too_large"},
		"headers over the limit are refused": {
			send:    message(signedHead("X-Long: "+strings.Repeat("x", HeaderBytesMax+8<<10)), ""),
			answers: []int{431}},

		// Too little.
		"headers that do not end are cut off, unanswered": {
			send: message(atTruv, host, "X-Slow: "), headerReadFor: soon},
		"a body that does not come is a time-out": {
			send: message(signedHead(length), connected[:9]), readFor: soon,
			answers: []int{408}, reason: "body_timeout"},
		"a body that ends early is refused": {
			send: message(signedHead(length), connected[:9]), hangUp: true,
			answers: []int{400}, reason: "body_read"},
		"a body in broken chunks is refused": {
			send:    message(signedHead(inChunks), "zz", ""),
			answers: []int{400}, reason: "body_read"},
		"a body in chunks that do not end is refused": {
			send: message(signedHead(inChunks),
				strings.TrimSuffix(chunked(connected), "0\r\n\r\n")),
			hangUp:  true,
			answers: []int{400}, reason: "body_read"},
		"a refusal before the body does not wait for the body": {
			send:    message("POST /elsewhere HTTP/1.1", host, "Content-Length: 9", "", ""),
			answers: []int{404}, reason: "route"},

		// Attempts to smuggle, and other framing.
		"chunks alone are accepted, and the connection ends": {
			send:    message(signedHead(inChunks), chunked(connected)),
			answers: []int{200}, stored: 1},
		"a length beside chunks smuggles no second request in": {
			send:    message(signedHead(inChunks, "Content-Length: 4"), chunked(connected)+whole),
			answers: []int{200}, stored: 1},
		"a signature over the declared length, not over the chunks, is refused": {
			send:    message(head(truvPath, "ab", inChunks, "Content-Length: 2"), chunked("abc")),
			answers: []int{401}, reason: "sig_mismatch"},
		"two lengths are refused": {
			send: message(signedHead(length, "Content-Length: 4"), connected), answers: []int{400}},
		"a length that is no number is refused": {
			send: message(signedHead("Content-Length: +4"), connected), answers: []int{400}},
		"a transfer coding besides chunked is refused": {
			send:    message(signedHead("Transfer-Encoding: gzip, chunked"), chunked(connected)),
			answers: []int{501}},
		"a space before a colon is refused": {
			send:    message(signedHead("Transfer-Encoding : chunked"), chunked(connected)),
			answers: []int{400}},
		"a second host is refused": {
			send: message(signedHead(length, "Host: elsewhere"), connected), answers: []int{400}},
		"a signature folded over two lines is no signature": {
			send:    strings.Replace(whole, "X-Webhook-Sign: v1=", "X-Webhook-Sign: v1=\r\n ", 1),
			answers: []int{401}, reason: "sig_mismatch"},
		"a signature in a trailer is no signature": {
			send: message(atTruv, host, "Trailer: X-Webhook-Sign", inChunks, "",
				strings.TrimSuffix(chunked(connected), "\r\n")) +
				"X-Webhook-Sign: v1=" + sum(truvSecret, connected) + "\r\n\r\n",
			answers: []int{401}, reason: "sig_missing"},
		"bytes that are no HTTP are refused": {
			send: "\x16\x03\x01 hello\r\n\r\n", answers: []int{400}},
	} {
		t.Run(name, func(t *testing.T) { testOnTheWire(t, row) })
	}
}

func testOnTheWire(t *testing.T, row wireTest) {
	c := testConfig(t)
	c.Limits.HeaderReadFor = cmp.Or(row.headerReadFor, c.Limits.HeaderReadFor)
	c.Limits.ReadFor = cmp.Or(row.readFor, c.Limits.ReadFor)
	broker := &fakePublisher{}
	s, registry := start(t, c, broker)
	conn := dial(t, s)
	if _, err := io.WriteString(conn, row.send); err != nil {
		t.Fatal(err)
	}
	if row.hangUp || row.open {
		if err := conn.CloseWrite(); err != nil {
			t.Fatal(err)
		}
	}
	got, last := readAnswers(t, conn)
	if !slices.Equal(got, row.answers) {
		t.Fatalf("answered %v, want %v", got, row.answers)
	}
	if last != nil && last.Close == row.open {
		t.Errorf("the last answer says close: %v", last.Close)
	}
	if events, _ := broker.stored(); events != row.stored {
		t.Errorf("%d stored, want %d", events, row.stored)
	}
	if row.reason != "" && count(t, registry, "wagewire_ingress_rejected_total", row.reason) != 1 {
		t.Errorf("wagewire_ingress_rejected_total{reason=%q} is not 1", row.reason)
	}
}

// readAnswers reads answers until the server hangs up. After Connection: close the sender hangs up
// too.
func readAnswers(t *testing.T, conn *net.TCPConn) (statuses []int, last *http.Response) {
	t.Helper()
	in := bufio.NewReader(conn)
	for {
		if _, err := in.Peek(1); err != nil {
			if !errors.Is(err, io.EOF) {
				t.Logf("the connection ended in %v", err)
			}
			return statuses, last
		}
		answer, err := http.ReadResponse(in, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, answer.Body); err != nil {
			t.Fatal(err)
		}
		if answer.Close {
			_ = conn.CloseWrite() // the server may have hung up already
		}
		statuses = append(statuses, answer.StatusCode)
		last = answer
	}
}

// The write limit of net/http is counted from the header on. A publish that lasts longer must not
// cost the answer.
func TestAnswersAfterASlowPublish(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broker := &fakePublisher{}
		broker.onEvent = func(ctx context.Context, e schema.Event) (bool, error) {
			<-time.After(2 * time.Second)
			return broker.store(ctx, e)
		}
		c := testConfig(t)
		c.Limits.WriteFor = time.Second
		s, _ := handler(t, c, broker)
		sender, receiver := net.Pipe()
		s.listener = &pipeListener{conns: make(chan net.Conn, 1), closed: make(chan struct{})}
		s.listener.(*pipeListener).conns <- receiver
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- s.Run(ctx) }()
		post(t, sender)
		answer, err := http.ReadResponse(bufio.NewReader(sender), nil)
		if err != nil || answer.StatusCode != http.StatusOK {
			t.Errorf("answered %+v, %v; want 200", answer, err)
		}
		_ = sender.Close()
		stop()
		if err := <-ended; err != nil {
			t.Errorf("run: %v", err)
		}
	})
}

// pipeListener accepts connections in memory, so that the clock is the test's own.
type pipeListener struct {
	conns  chan net.Conn
	closed chan struct{}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case conn := <-l.conns:
		return conn, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error {
	close(l.closed)
	return nil
}

func (l *pipeListener) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "pipe"} }
