package ingress

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream/streamtest"
)

func TestRunRefusesAnAdminAddressInUse(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	c := testConfig(t)
	c.AdminAddr = taken.Addr().String()
	s, err := New(c, &fakePublisher{}, testLog(t), prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	expectError(t, s.Run(t.Context()), "ADMIN_ADDR: listen tcp "+c.AdminAddr)
}

// run starts a server. stop tells it to stop, and ended gets what Run returns.
func run(
	t *testing.T, c Config, p Publisher,
) (s *Server, stop context.CancelFunc, ended <-chan error) {
	t.Helper()
	s, err := New(c, p, testLog(t), prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	result := make(chan error, 1)
	go func() { result <- s.Run(ctx) }()
	return s, stop, result
}

// post writes a signed webhook of Truv.
func post(t *testing.T, conn net.Conn) {
	t.Helper()
	_, err := fmt.Fprintf(conn, "%sContent-Length: %d\r\n\r\n%s",
		head(truvPath, connected), len(connected), connected)
	if err != nil {
		t.Fatal(err)
	}
}

func TestRunStopsInOrder(t *testing.T) {
	entered := make(chan struct{})
	release := make(chan struct{})
	broker := &fakePublisher{}
	broker.onEvent = func(ctx context.Context, e schema.Event) (bool, error) {
		close(entered)
		<-release
		return broker.store(ctx, e)
	}
	s, stop, ended := run(t, testConfig(t), broker)
	if err := s.Ready(t.Context()); err != nil {
		t.Errorf("before: ready is %v", err)
	}

	conn := dial(t, s)
	post(t, conn)
	<-entered
	stop()
	<-s.stopping
	if err := s.Ready(t.Context()); !errors.Is(err, errStopping) {
		t.Errorf("a process that stops is ready: %v", err)
	}
	select {
	case err := <-ended:
		t.Fatalf("run ended with a webhook in hand: %v", err)
	default:
	}
	close(release)
	if got, _ := readAnswers(t, conn); len(got) != 1 || got[0] != http.StatusOK {
		t.Errorf("the webhook in hand is answered %v, want 200", got)
	}
	if err := <-ended; err != nil {
		t.Errorf("run: %v", err)
	}
	if events, _ := broker.stored(); events != 1 {
		t.Error("the webhook in hand is not stored")
	}
}

// A connection that stays idle would be cut when the server shuts down, perhaps with a webhook on
// its way.
func TestAnswersCloseTheConnectionWhileTheServerDrains(t *testing.T) {
	c := testConfig(t)
	c.DrainFor = time.Hour
	s, stop, ended := run(t, c, &fakePublisher{})
	conn := dial(t, s)
	in := bufio.NewReader(conn)
	answer := func() *http.Response {
		post(t, conn)
		got, err := http.ReadResponse(in, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, got.Body); err != nil {
			t.Fatal(err)
		}
		return got
	}
	if got := answer(); got.StatusCode != http.StatusOK || got.Close {
		t.Errorf("before: answered %d, close %v; want 200 and an open connection",
			got.StatusCode, got.Close)
	}
	stop()
	<-s.stopping
	if got := answer(); got.StatusCode != http.StatusOK || !got.Close {
		t.Errorf("while it drains: answered %d, close %v; want 200 and Connection: close",
			got.StatusCode, got.Close)
	}
	_ = s.listener.Close() // ends the drain
	if err := <-ended; err == nil {
		t.Error("run: no error though its listener is closed")
	}
}

func TestRunEndsAfterTheDrain(t *testing.T) {
	c := testConfig(t)
	c.DrainFor = time.Millisecond
	_, stop, ended := run(t, c, &fakePublisher{})
	stop()
	if err := <-ended; err != nil {
		t.Errorf("run: %v", err)
	}
}

func TestRunDoesNotDrainIfAListenerIsBroken(t *testing.T) {
	for name, breakListener := range map[string]func(s *Server, taken string){
		"that of webhooks":      func(s *Server, _ string) { _ = s.listener.Close() },
		"that of health checks": func(s *Server, taken string) { s.config.AdminAddr = taken },
	} {
		t.Run(name, func(t *testing.T) {
			c := testConfig(t)
			c.DrainFor = 24 * time.Hour
			s, err := New(c, &fakePublisher{}, testLog(t), prometheus.NewRegistry())
			if err != nil {
				t.Fatal(err)
			}
			breakListener(s, s.Addr())
			ended := make(chan error, 1)
			go func() { ended <- s.Run(t.Context()) }()
			select {
			case err := <-ended:
				if err == nil {
					t.Error("run: no error")
				}
			case <-streamtest.Late(t):
				t.Fatal("run does not end")
			}
		})
	}
}

func TestSecretsAreRotatedInTheFile(t *testing.T) {
	const next = "the-next-truv-secret-of-all"
	c := testConfig(t)
	file := c.Providers[schema.Truv].SecretsFile
	s, _ := handler(t, c, &fakePublisher{})
	status := func(secret string) int {
		r := request(truvPath, connected)
		r.Header.Set("X-Webhook-Sign", "v1="+sum(secret, connected))
		return serve(s, r).Code
	}
	for _, step := range []struct {
		promise, file     string
		current, nextCode int
	}{
		{"the secret in the file is active, another is not", truvSecret, 200, 401},
		{"both are active when both are in the file", truvSecret + "\n" + next, 200, 200},
		{"the old secret is inactive when it is removed", "\n" + next + "\n", 401, 200},
		{"a file that becomes unusable changes nothing", "short", 401, 200},
	} {
		writeFile(t, file, step.file)
		current := status(truvSecret)
		nextCode := status(next)
		if current != step.current || nextCode != step.nextCode {
			t.Errorf("%s: answered %d and %d, want %d and %d",
				step.promise, current, nextCode, step.current, step.nextCode)
		}
	}
	if err := os.Remove(filepath.Clean(file)); err != nil {
		t.Fatal(err)
	}
	if got := status(next); got != 200 {
		t.Errorf("after its file is removed, the secret is answered %d, want 200", got)
	}
}

// The file keeps its size, its time and its identity, so only its content shows the change.
func TestASecretAddedAMomentAgoIsActive(t *testing.T) {
	next := strings.ToUpper(truvSecret)
	c := testConfig(t)
	file := c.Providers[schema.Truv].SecretsFile
	at := time.Now()
	s, _ := handler(t, c, &fakePublisher{})
	for _, secret := range []string{truvSecret, next, truvSecret} {
		writeFile(t, file, secret)
		if err := os.Chtimes(file, at, at); err != nil {
			t.Fatal(err)
		}
		r := request(truvPath, connected)
		r.Header.Set("X-Webhook-Sign", "v1="+sum(secret, connected))
		if got := serve(s, r).Code; got != 200 {
			t.Errorf("a webhook signed with the secret of the file is answered %d, want 200", got)
		}
	}
}

func TestAnErrorOfASecretFileIsLoggedOnce(t *testing.T) {
	c := testConfig(t)
	file := c.Providers[schema.Truv].SecretsFile
	log, lines := observed()
	s, err := newServer(c, &fakePublisher{}, log, prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, file, "short")
	for range 3 {
		serve(s, request(truvPath, connected))
	}
	found := lines.FilterMessage("secrets not taken").All()
	if len(found) != 1 {
		t.Fatalf("logged: %v, want one line", found)
	}
	text := fmt.Sprint(found[0].ContextMap()["error"])
	if found[0].Level != zap.ErrorLevel || !strings.Contains(text, file) {
		t.Errorf("logged: %v", found)
	}
}

func TestTheLogSaysWhichProvidersAreServed(t *testing.T) {
	log, lines := observed()
	c := serveOnly(schema.Truv, secretFile(t, truvSecret))
	c.Addr = "127.0.0.1:0"
	s, err := New(c, &fakePublisher{}, log, prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	defer s.listener.Close()
	s.logStart()
	want := map[string]any{"addr": s.Addr(), "pinwheel": false, "truv": true}
	found := lines.FilterMessage("receiving webhooks").All()
	if len(found) != 1 {
		t.Fatalf("logged: %v, want one line", found)
	}
	if diff := cmp.Diff(want, found[0].ContextMap()); diff != "" {
		t.Errorf("the line differs (-want +got):\n%s", diff)
	}
}
