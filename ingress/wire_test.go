package ingress

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/wagewire/wagewire/schema"
)

// soon is how long a server waits for a sender, where a test is about that. late only ends a test that hangs.
const (
	soon = 250 * time.Millisecond
	late = 30 * time.Second
)

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

func dial(t *testing.T, s *Server) *net.TCPConn {
	t.Helper()
	conn, err := net.Dial("tcp", s.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(late)); err != nil {
		t.Fatal(err)
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

func chunked(body string) string { return fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(body), body) }

// What only a connection shows: cases 9, 10, 11 and 25.
func TestAnswersOnTheWire(t *testing.T) {
	length := fmt.Sprintf("Content-Length: %d", len(connected))
	whole := head(truvPath, connected, length) + "\r\n" + connected
	const inChunks = "Transfer-Encoding: chunked"
	for name, row := range map[string]struct {
		send    string
		hangUp  bool // the sender says that no more will come
		answers []int
		open    bool // the connection stays open
		reason  string
		stored  int
	}{
		"a signed webhook is stored, and the connection stays open for the next": {send: whole + whole, answers: []int{200, 200}, open: true, stored: 1},
		"9: a declared length over the limit is refused before a byte is read": {
			send: head(truvPath, "", fmt.Sprintf("Content-Length: %d", BodyBytesMax+1)) + "\r\n", answers: []int{413}, reason: "too_large"},
		"9: so is a stream of chunks, as soon as it is over": {
			send:    head(truvPath, "", inChunks) + "\r\n" + fmt.Sprintf("%x\r\n%s", 2*BodyBytesMax, strings.Repeat("x", BodyBytesMax+1)),
			answers: []int{413}, reason: "too_large"},
		"10: headers that do not end are cut off, unanswered": {send: "POST /webhooks/truv HTTP/1.1\r\nHost: ingress\r\nX-Slow: "},
		"10: a body that does not come is a time-out":         {send: head(truvPath, connected, length) + "\r\n" + connected[:9], answers: []int{408}, reason: "body_timeout"},
		"11: a body that ends early is refused":               {send: head(truvPath, connected, length) + "\r\n" + connected[:9], hangUp: true, answers: []int{400}, reason: "body_read"},
		"11: so is one in broken chunks":                      {send: head(truvPath, connected, inChunks) + "\r\nzz\r\n", answers: []int{400}, reason: "body_read"},
		"11: so is one in chunks that do not end":             {send: head(truvPath, connected, inChunks) + "\r\n" + strings.TrimSuffix(chunked(connected), "0\r\n\r\n"), hangUp: true, answers: []int{400}, reason: "body_read"},
		"25: chunks alone are fine, the connection ends":      {send: head(truvPath, connected, inChunks) + "\r\n" + chunked(connected), answers: []int{200}, stored: 1},
		"25: a length beside chunks smuggles no second request in": {
			send:    head(truvPath, connected, inChunks, "Content-Length: 4") + "\r\n" + chunked(connected) + whole,
			answers: []int{200}, stored: 1},
		"25: a signature over what the length says, not the chunks, is refused": {
			send: head(truvPath, "ab", inChunks, "Content-Length: 2") + "\r\n" + chunked("abc"), answers: []int{401}, reason: "sig_mismatch"},
		"25: two lengths are refused":                    {send: head(truvPath, connected, length, "Content-Length: 4") + "\r\n" + connected, answers: []int{400}},
		"25: a length that is no number is refused":      {send: head(truvPath, connected, "Content-Length: +4") + "\r\n" + connected, answers: []int{400}},
		"25: another transfer coding is refused":         {send: head(truvPath, connected, "Transfer-Encoding: gzip, chunked") + "\r\n" + chunked(connected), answers: []int{501}},
		"25: a space before a colon is refused":          {send: head(truvPath, connected, "Transfer-Encoding : chunked") + "\r\n" + chunked(connected), answers: []int{400}},
		"25: a second host is refused":                   {send: head(truvPath, connected, length, "Host: elsewhere") + "\r\n" + connected, answers: []int{400}},
		"25: a folded signature is no signature":         {send: strings.Replace(whole, "X-Webhook-Sign: v1=", "X-Webhook-Sign: v1=\r\n ", 1), answers: []int{401}, open: true, reason: "sig_mismatch"},
		"25: a signature in a trailer is no signature":   {send: "POST /webhooks/truv HTTP/1.1\r\nHost: ingress\r\nTrailer: X-Webhook-Sign\r\n" + inChunks + "\r\n\r\n" + strings.TrimSuffix(chunked(connected), "\r\n") + "X-Webhook-Sign: v1=" + sum(truvSecret, connected) + "\r\n\r\n", answers: []int{401}, reason: "sig_missing"},
		"headers over the limit are refused":             {send: head(truvPath, connected, "X-Long: "+strings.Repeat("x", HeaderBytesMax+8<<10)) + "\r\n", answers: []int{431}},
		"what is no HTTP is refused":                     {send: "\x16\x03\x01 hello\r\n\r\n", answers: []int{400}},
		"a refusal before the body does not wait for it": {send: "POST /elsewhere HTTP/1.1\r\nHost: ingress\r\nContent-Length: 9\r\n\r\n", answers: []int{404}, reason: "route"},
		"an old client is answered once, and hung up on": {send: strings.Replace(whole, "HTTP/1.1", "HTTP/1.0", 1) + whole, answers: []int{200}, stored: 1},
	} {
		t.Run(name, func(t *testing.T) {
			c := testConfig(t)
			if strings.HasPrefix(name, "10:") {
				c.Limits.HeaderReadFor, c.Limits.ReadFor = soon, soon
			}
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
			got, last := answersOn(t, conn)
			if fmt.Sprint(got) != fmt.Sprint(row.answers) {
				t.Fatalf("answered %v, want %v", got, row.answers)
			}
			if last != nil && last.Close == row.open {
				t.Errorf("the last answer says close: %v", last.Close)
			}
			if events, _ := broker.kept(); events != row.stored {
				t.Errorf("%d stored, want %d", events, row.stored)
			}
			if row.reason != "" && count(t, registry, "wagewire_ingress_rejected_total", row.reason) != 1 {
				t.Errorf("wagewire_ingress_rejected_total{reason=%q} is not 1", row.reason)
			}
		})
	}
}

// answersOn reads answers until the server hangs up. Told that it will, the sender does too.
func answersOn(t *testing.T, conn *net.TCPConn) (statuses []int, last *http.Response) {
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
			_ = conn.CloseWrite() // it may be gone already
		}
		statuses, last = append(statuses, answer.StatusCode), answer
	}
}

// The write limit of net/http is counted from the header on. A publish that outlasts it must not cost the answer.
func TestAnswersAfterASlowPublish(t *testing.T) {
	broker := &fakePublisher{}
	broker.onEvent = func(ctx context.Context, e schema.Event) (bool, error) {
		<-time.After(2 * soon)
		return broker.store(ctx, e)
	}
	c := testConfig(t)
	c.Limits.WriteFor = soon
	s, _ := start(t, c, broker)
	conn := dial(t, s)
	if _, err := fmt.Fprintf(conn, "%sContent-Length: %d\r\n\r\n%s", head(truvPath, connected), len(connected), connected); err != nil {
		t.Fatal(err)
	}
	answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("answered %+v, %v; want 200", answer, err)
	}
}
