package ingress

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
)

// expectEnd asserts that the server ends a connection without an answer.
func expectEnd(t *testing.T, conn net.Conn) {
	t.Helper()
	if got, err := io.ReadAll(conn); len(got) > 0 {
		t.Errorf("the connection ends with %q, %v; want no answer", got, err)
	}
}

// expectStored posts a genuine webhook over a new connection.
func expectStored(t *testing.T, s *Server) {
	t.Helper()
	conn := dial(t, s)
	post(t, conn)
	if err := conn.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if got, _ := readAnswers(t, conn); len(got) != 1 || got[0] != http.StatusOK {
		t.Errorf("a genuine webhook is answered %v, want 200", got)
	}
}

// The senders have the address of the genuine webhook.
func TestSlowSendersTakeNothingFromAGenuineWebhook(t *testing.T) {
	c := testConfig(t)
	c.Limits.InFlightMax = 1
	c.Limits.ConnectionsMax = 8
	c.Limits.ClosingMax = 8
	s, registry := start(t, c, &fakePublisher{})
	for name, sent := range map[string]string{
		"that send nothing": "",
		"of a header":       "POST /webhooks/truv HTTP/1.1\r\nHost: ingress\r\nX-Slow: ",
		"of a body":         message(head(truvPath, connected, "Content-Length: 9999"), "a"),
		"of a body, in chunks": message(
			head(truvPath, connected, "Transfer-Encoding: chunked"), "9"),
	} {
		t.Run(name, func(t *testing.T) {
			first := dial(t, s)
			for n := range 4 * c.Limits.ConnectionsMax {
				conn := first
				if n > 0 {
					conn = dial(t, s)
				}
				if _, err := io.WriteString(conn, sent); err != nil {
					t.Logf("connection %d was cut off already: %v", n, err)
				}
			}
			expectStored(t, s)
			expectEnd(t, first)
		})
	}
	if n := count(t, registry, "wagewire_ingress_connections"); n > c.Limits.ConnectionsMax {
		t.Errorf("%d connections are open, want at most %d", n, c.Limits.ConnectionsMax)
	}
	if count(t, registry, "wagewire_ingress_cut_off_total", "connections") == 0 {
		t.Error("no connection is counted as cut off")
	}
}

// unfinished is a request whose body stops before its end, with a well-formed signature.
func unfinished(bytes int) string {
	length := fmt.Sprintf("Content-Length: %d", bytes+1)
	return message(head(truvPath, connected, length), "") + strings.Repeat("a", bytes)
}

func TestUnfinishedBodiesTakeNothingFromAGenuineWebhook(t *testing.T) {
	c := testConfig(t)
	c.Limits.UnverifiedBytesMax = 2 << 20
	s, registry := start(t, c, &fakePublisher{})
	first := dial(t, s)
	for n := range 12 {
		conn := first
		if n > 0 {
			conn = dial(t, s)
		}
		if _, err := io.WriteString(conn, unfinished(600<<10)); err != nil {
			t.Logf("connection %d was cut off already: %v", n, err)
		}
	}
	body := connected + strings.Repeat(" ", BodyBytesMax-len(connected))
	conn := dial(t, s)
	text := message(head(truvPath, body, fmt.Sprintf("Content-Length: %d", len(body))), body)
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
	if err := conn.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if got, _ := readAnswers(t, conn); len(got) != 1 || got[0] != http.StatusOK {
		t.Errorf("the largest genuine webhook is answered %v, want 200", got)
	}
	expectEnd(t, first)
	used := count(t, registry, "wagewire_ingress_unverified_bytes")
	if int64(used) > c.Limits.UnverifiedBytesMax {
		t.Errorf("unverified bodies use %d bytes, want at most %d", used,
			c.Limits.UnverifiedBytesMax)
	}
	if count(t, registry, "wagewire_ingress_cut_off_total", "bytes") == 0 {
		t.Error("no body is counted as cut off")
	}
}

func TestBodiesGiveTheirRoomBack(t *testing.T) {
	large := connected + strings.Repeat(" ", BodyBytesMax-len(connected))
	for name, r := range map[string]*http.Request{
		"verified":         request(truvPath, large),
		"in chunks":        undeclared(request(truvPath, large)),
		"forged":           with(request(truvPath, large), "X-Webhook-Sign", "v1="+sum("x", large)),
		"over the limit":   undeclared(request(truvPath, large+" ")),
		"that break off":   broken(request(truvPath, large)),
		"in no connection": request(truvPath, large),
	} {
		t.Run(name, func(t *testing.T) {
			s, registry := handler(t, testConfig(t), &fakePublisher{})
			serve(s, r)
			for _, gauge := range []string{"unverified_bytes", "in_flight"} {
				if n := count(t, registry, "wagewire_ingress_"+gauge); n != 0 {
					t.Errorf("%s is %d after the answer, want 0", gauge, n)
				}
			}
			if s.hand.bytes != 0 {
				t.Errorf("%d verified bytes are in hand, want 0", s.hand.bytes)
			}
		})
	}
}

// broken is the request with a body that breaks off half way.
func broken(r *http.Request) *http.Request {
	r.Body = io.NopCloser(io.MultiReader(
		io.LimitReader(r.Body, BodyBytesMax/2), failingReader{}))
	return r
}

type failingReader struct{}

func (failingReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// A peer is known for what it holds already, as soon as one of its webhooks is verified.
func TestAVerifiedWebhookMakesItsPeerKnown(t *testing.T) {
	s, _ := handler(t, testConfig(t), &fakePublisher{})
	r := request(truvPath, connected)
	from := sender{peer: s.config.TrustedProxies.peerOf(r)}
	seat := s.room.enter(from, func() {}, second(0))
	if err := seat.grow(1); err != nil {
		t.Fatal(err)
	}
	conn := s.connections.add(&stubConn{from: r.RemoteAddr})
	serve(s, with(request(truvPath, connected), "X-Webhook-Sign"))
	expectRanks := func(when string, want rank) {
		t.Helper()
		later := s.connections.add(&stubConn{from: r.RemoteAddr})
		ranks := []rank{seat.pace.rank, seat.age.rank, conn.claim.rank, later.claim.rank}
		if !slices.Equal(ranks, []rank{want, want, want, want}) {
			t.Errorf("%s: the ranks are %v, want %d", when, ranks, want)
		}
	}
	expectRanks("after a forgery", rankStranger)
	serve(s, r)
	expectRanks("after a webhook", rankNeighbour)
}

// net/http would answer by itself, and keep the connection open.
func TestOptionsOfTheServerEndTheConnection(t *testing.T) {
	s, _ := start(t, testConfig(t), &fakePublisher{})
	text := message("OPTIONS * HTTP/1.1", "Host: ingress", "", "")
	if got := exchange(t, s, text+text); len(got) != 1 || got[0] != http.StatusNotFound {
		t.Errorf("answered %v, want 404 once", got)
	}
}

func TestAHeaderOfTooManyLinesIsRefused(t *testing.T) {
	s, registry := start(t, testConfig(t), &fakePublisher{})
	conn := dial(t, s)
	text := "POST /webhooks/truv HTTP/1.1\r\n" + strings.Repeat("a:\r\n", HeaderLinesMax)
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
	if got, _ := readAnswers(t, conn); len(got) != 1 || got[0] != http.StatusBadRequest {
		t.Errorf("answered %v, want 400", got)
	}
	if n := count(t, registry, "wagewire_ingress_cut_off_total", "header_lines"); n != 1 {
		t.Errorf("%d headers are counted, want 1", n)
	}
}

func TestEveryHeaderOfAConnectionIsLimited(t *testing.T) {
	s, registry := start(t, testConfig(t), &fakePublisher{})
	conn := dial(t, s)
	post(t, conn)
	in := bufio.NewReader(conn)
	answer, err := http.ReadResponse(in, nil)
	if err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("the first request is answered %+v, %v; want 200", answer, err)
	}
	if _, err := io.Copy(io.Discard, answer.Body); err != nil {
		t.Fatal(err)
	}
	text := "POST /webhooks/truv HTTP/1.1\r\n" + strings.Repeat("a:\r\n", HeaderLinesMax)
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
	if answer, err := http.ReadResponse(in, nil); err == nil && !answer.Close {
		t.Errorf("the second request is answered %+v, want the end of the connection", answer)
	}
	if n := count(t, registry, "wagewire_ingress_cut_off_total", "header_lines"); n != 1 {
		t.Errorf("%d headers are counted, want 1", n)
	}
}

func TestRequestsWithoutASignatureShareALogLineAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log, lines := observed()
		r := newRefusals(log)
		ended := make(chan struct{})
		ctx, stop := context.WithCancel(t.Context())
		go func() {
			defer close(ended)
			r.run(ctx)
		}()
		expectLines := func(when string, want int) {
			t.Helper()
			synctest.Wait()
			if got := lines.Len(); got != want {
				t.Errorf("%s: %d lines, want %d", when, got, want)
			}
		}
		expectLines("without a refusal", 0)
		r.count("method")
		expectLines("after the first", 1)
		for range 1000 {
			r.count("sig_missing")
			r.count("sig_mismatch")
		}
		expectLines("after thousands in the same minute", 1)
		<-time.After(refusalsTellEvery)
		expectLines("a minute later", 2)
		<-time.After(time.Hour)
		expectLines("after an hour without a refusal", 2)
		r.count("method")
		expectLines("after the next", 3)
		r.count("method")
		stop()
		<-ended
		expectLines("at the end", 4)
		second := lines.All()[1]
		got := fmt.Sprint(second.ContextMap()["count"], second.ContextMap()["reasons"])
		if want := "2000 map[sig_mismatch:1000 sig_missing:1000]"; got != want {
			t.Errorf("the line of the second minute says %s, want %s", got, want)
		}
		if second.Level != zap.WarnLevel {
			t.Errorf("the line has level %v, want warn", second.Level)
		}
	})
}

func TestTheServersOwnLinesAreLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log, lines := observed()
		serverLog := newServerLog(log)
		for range 1000 {
			serverLog.Println("http: something from 203.0.113.7")
		}
		<-time.After(time.Minute)
		for range 1000 {
			serverLog.Println("http: something from 203.0.113.7")
		}
		if got := lines.Len(); got != 2*serverLinesAtOnce {
			t.Errorf("%d lines in a minute, want %d", got, 2*serverLinesAtOnce)
		}
	})
}

func TestVerifiedWebhooksInHandAreLimitedInBytes(t *testing.T) {
	h := hand{countMax: 3, bytesMax: 10}
	body := func(n int) []byte { return make([]byte, n) }
	if !h.take(body(6)) || h.take(body(5)) || !h.take(body(4)) || h.take(body(1)) {
		t.Error("ten bytes are not the limit")
	}
	h.giveBack(body(6))
	for n := range 2 {
		if !h.take(body(n)) {
			t.Errorf("webhook %d is not taken", n)
		}
	}
	if h.take(body(0)) {
		t.Error("three webhooks are not the limit")
	}
}

// What must hold between the limits on what is unverified.
func TestLimitsOfTheUnverified(t *testing.T) {
	l := Limits{}.orDefaults()
	worst := worstBytes(l)
	t.Logf("a process holds %d MiB at worst", worst>>20)
	const memoryLimit = 450 << 20 // GOMEMLIMIT of the container in docker-compose.yml
	for promise, holds := range map[string]bool{
		"a process at its worst is within its memory":  worst < memoryLimit,
		"the largest body has room beside others":      4*BodyBytesMax < l.UnverifiedBytesMax,
		"the largest body is within its peer's share":  BodyBytesMax < l.PeerBytesMax,
		"a peer's share is a small part of the room":   8*l.PeerBytesMax <= l.UnverifiedBytesMax,
		"there is always a connection to cut off":      l.InFlightMax < l.ConnectionsMax,
		"a stalled body does not cost another its end": 4*stallFor < AnswerFor,
	} {
		if !holds {
			t.Errorf("%s: no", promise)
		}
	}
}

// worstBytes is the memory of a process in which everything is at its limit.
func worstBytes(l Limits) int64 {
	const (
		idle       = 40 << 20 // of a process without connections
		goroutine  = 20 << 10 // the stacks and the buffers that net/http has for a connection
		line       = 256      // a line of a header in a map, and the map while it grows
		slack      = 4 << 10  // net/http reads so much more of a header
		header     = HeaderBytesMax + slack + HeaderLinesMax*line
		copies     = 2 // of a webhook in hand: its body, and the message to the broker
		connection = goroutine + header
	)
	alive := int64(l.ConnectionsMax + l.ClosingMax)
	return idle + alive*connection + int64(l.ConnectionsMax)*BodyFreeBytes +
		l.UnverifiedBytesMax + copies*l.InFlightBytesMax
}
