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

// Lines of requests.
const (
	inChunks = "Transfer-Encoding: chunked"
	atTruv   = "POST /webhooks/truv HTTP/1.1"
	host     = "Host: ingress"
)

// lengthOf is the line that declares the length of a body.
func lengthOf(body string) string { return fmt.Sprintf("Content-Length: %d", len(body)) }

// signedHead is the line and headers of the webhook connected, without a length.
func signedHead(more ...string) string { return head(truvPath, connected, more...) }

// whole is a signed webhook of Truv as it usually comes, with more lines among its headers.
func whole(body string, more ...string) string {
	return message(head(truvPath, body, append(more, lengthOf(body))...), body)
}

// message joins lines to a request. An empty line ends the headers.
func message(lines ...string) string { return strings.Join(lines, "\r\n") }

type wireTest struct {
	send        string
	hangUp      bool  // the sender says that nothing more will come
	answers     []int // statuses
	open        bool  // the connection stays open after the last answer
	reason      string
	stored      int
	quarantined int
	// Limits of the server, patient if not set.
	headerReadFor, readFor time.Duration
}

// What only a connection shows.
func TestAnswersOnTheWire(t *testing.T) {
	tooLong := fmt.Sprintf("Content-Length: %d", BodyBytesMax+1)
	largest := connected + strings.Repeat(" ", BodyBytesMax-len(connected))
	usual := whole(connected)
	for name, row := range map[string]wireTest{
		"a signed webhook is stored, and the connection stays open for the next": {
			send: usual + usual, answers: []int{200, 200}, open: true, stored: 1},
		"an old client is answered once, and its connection closed": {
			send:    strings.Replace(usual, "HTTP/1.1", "HTTP/1.0", 1) + usual,
			answers: []int{200}, stored: 1},

		"a webhook at the limit is stored": {
			send: whole(largest), answers: []int{200}, open: true, stored: 1},
		"a webhook at the limit is stored, in chunks": {
			send:    message(head(truvPath, largest, inChunks), chunked(largest)),
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
			send: message(signedHead(lengthOf(connected)), connected[:9]), readFor: soon,
			answers: []int{408}, reason: "body_timeout"},
		"a body that ends early is refused": {
			send: message(signedHead(lengthOf(connected)), connected[:9]), hangUp: true,
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
	method, _, _ := strings.Cut(row.send, " ")
	got, last := readAnswersTo(t, conn, method)
	if !slices.Equal(got, row.answers) {
		t.Fatalf("answered %v, want %v", got, row.answers)
	}
	if last != nil && last.Close == row.open {
		t.Errorf("the last answer says close: %v", last.Close)
	}
	events, quarantined := broker.stored()
	if events != row.stored || quarantined != row.quarantined {
		t.Errorf("%d stored, %d quarantined; want %d, %d",
			events, quarantined, row.stored, row.quarantined)
	}
	if row.reason != "" && count(t, registry, "wagewire_ingress_rejected_total", row.reason) != 1 {
		t.Errorf("wagewire_ingress_rejected_total{reason=%q} is not 1", row.reason)
	}
}

// readAnswers is readAnswersTo a POST.
func readAnswers(t *testing.T, conn *net.TCPConn) (statuses []int, last *http.Response) {
	t.Helper()
	return readAnswersTo(t, conn, http.MethodPost)
}

// readAnswersTo reads the answers to requests of a method until the server hangs up. After
// Connection: close the sender hangs up too.
func readAnswersTo(
	t *testing.T, conn *net.TCPConn, method string,
) (statuses []int, last *http.Response) {
	t.Helper()
	in := bufio.NewReader(conn)
	for {
		if _, err := in.Peek(1); err != nil {
			if !errors.Is(err, io.EOF) {
				t.Logf("the connection ended in %v", err)
			}
			return statuses, last
		}
		answer, err := http.ReadResponse(in, &http.Request{Method: method})
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
