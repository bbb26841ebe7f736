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
)

func TestConfigFromEnv(t *testing.T) {
	for name, row := range map[string]struct {
		env  map[string]string
		want Config
		err  string
	}{
		"an empty environment leaves the defaults": {nil, Config{SignatureAgeMax: 20 * time.Minute}, ""},
		"every variable is read": {map[string]string{
			"INGRESS_ADDR": ":1", "ADMIN_ADDR": ":2", "PINWHEEL_SECRETS_FILE": "p", "TRUV_SECRETS_FILE": "t", "PINWHEEL_SIGNATURE_AGE_MAX": "90s",
		}, Config{Addr: ":1", AdminAddr: ":2", PinwheelSecretsFile: "p", TruvSecretsFile: "t", SignatureAgeMax: 90 * time.Second, DrainFor: 2 * time.Second}, ""},
		"7: 0 turns the check of age off":     {map[string]string{"PINWHEEL_SIGNATURE_AGE_MAX": "0"}, Config{}, ""},
		"an age without a unit is refused":    {map[string]string{"PINWHEEL_SIGNATURE_AGE_MAX": "20"}, Config{}, `PINWHEEL_SIGNATURE_AGE_MAX: "20" is not a duration`},
		"an age below zero is refused":        {map[string]string{"PINWHEEL_SIGNATURE_AGE_MAX": "-1m"}, Config{}, `PINWHEEL_SIGNATURE_AGE_MAX: "-1m" is not a duration`},
		"what is no age at all is refused":    {map[string]string{"PINWHEEL_SIGNATURE_AGE_MAX": "long"}, Config{}, `PINWHEEL_SIGNATURE_AGE_MAX: "long" is not a duration`},
		"an age too long to count is refused": {map[string]string{"PINWHEEL_SIGNATURE_AGE_MAX": "9999999h"}, Config{}, `PINWHEEL_SIGNATURE_AGE_MAX: "9999999h" is not`},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := ConfigFromEnv(func(key string) string { return row.env[key] })
			expectError(t, err, row.err)
			if diff := cmp.Diff(row.want, got); diff != "" {
				t.Errorf("the configuration differs (-want +got):\n%s", diff)
			}
		})
	}
}

func TestNewRefusesToStart(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	empty, short := secretFile(t), secretFile(t, pinwheelSecret, "too-short")
	for name, row := range map[string]struct {
		config Config
		err    string
	}{
		"6: without any secrets":    {Config{}, "neither PINWHEEL_SECRETS_FILE nor TRUV_SECRETS_FILE is set"},
		"6: with an empty file":     {Config{PinwheelSecretsFile: empty}, "PINWHEEL_SECRETS_FILE: " + empty + " holds no secret"},
		"6: with a short secret":    {Config{TruvSecretsFile: short}, "TRUV_SECRETS_FILE: " + short + ", line 2"},
		"6: with a file too few":    {Config{PinwheelSecretsFile: secretFile(t, pinwheelSecret), TruvSecretsFile: "/nowhere/secrets"}, "TRUV_SECRETS_FILE: stat /nowhere/secrets"},
		"with an address in use":    {Config{PinwheelSecretsFile: secretFile(t, pinwheelSecret), Addr: taken.Addr().String()}, "INGRESS_ADDR: listen tcp " + taken.Addr().String() + ": bind: address already in use"},
		"with what is no address":   {Config{PinwheelSecretsFile: secretFile(t, pinwheelSecret), Addr: "8080"}, "INGRESS_ADDR: listen tcp: address 8080: missing port in address"},
		"with a metric that exists": {Config{PinwheelSecretsFile: secretFile(t, pinwheelSecret), Addr: "twice"}, "register metrics: duplicate metrics collector registration attempted"},
	} {
		t.Run(name, func(t *testing.T) {
			registry := prometheus.NewRegistry()
			if row.config.Addr == "twice" {
				if _, err := newMetrics(registry, func() float64 { return 0 }); err != nil {
					t.Fatal(err)
				}
			}
			_, err := New(row.config, &fakePublisher{}, testLog(t), registry)
			expectError(t, err, row.err)
			if err != nil && (strings.Contains(err.Error(), "too-short") || strings.Contains(err.Error(), pinwheelSecret)) {
				t.Errorf("the error shows a secret: %v", err)
			}
		})
	}
	t.Run("2: a provider without a file is not served", func(t *testing.T) {
		s, _ := handler(t, Config{TruvSecretsFile: secretFile(t, truvSecret)}, &fakePublisher{})
		if w := serve(s, request(pinwheelPath, income)); w.Code != 404 {
			t.Errorf("Pinwheel is answered %d, want 404", w.Code)
		}
		if w := serve(s, request(truvPath, connected)); w.Code != 200 {
			t.Errorf("Truv is answered %d, want 200", w.Code)
		}
	})
}

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

func TestRunStopsInOrder(t *testing.T) {
	entered, release := make(chan struct{}), make(chan struct{})
	broker := &fakePublisher{}
	broker.onEvent = func(ctx context.Context, e schema.Event) (bool, error) {
		close(entered)
		<-release
		return broker.store(ctx, e)
	}
	s, err := New(testConfig(t), broker, testLog(t), prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	stopped := make(chan error, 1)
	go func() { stopped <- s.Run(ctx) }()
	if err := s.Ready(ctx); err != nil {
		t.Errorf("before: ready is %v", err)
	}

	conn := dial(t, s)
	if _, err := fmt.Fprintf(conn, "%sContent-Length: %d\r\n\r\n%s", head(truvPath, connected), len(connected), connected); err != nil {
		t.Fatal(err)
	}
	<-entered
	stop()
	<-s.stopping
	if err := s.Ready(t.Context()); !errors.Is(err, errStopping) {
		t.Errorf("a process that stops is ready: %v", err)
	}
	select {
	case err := <-stopped:
		t.Fatalf("run ended with a webhook in hand: %v", err)
	default:
	}
	close(release)
	if got, _ := answersOn(t, conn); len(got) != 1 || got[0] != http.StatusOK {
		t.Errorf("the webhook in hand is answered %v, want 200", got)
	}
	if err := <-stopped; err != nil {
		t.Errorf("run: %v", err)
	}
	if events, _ := broker.kept(); events != 1 {
		t.Error("the webhook in hand is not stored")
	}
}

// A connection that is left idle would be cut when the server shuts down, perhaps with a webhook on its way.
func TestRunHangsUpPolitelyWhileItDrains(t *testing.T) {
	c := testConfig(t)
	c.DrainFor = 4 * soon
	s, err := New(c, &fakePublisher{}, testLog(t), prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	stopped := make(chan error, 1)
	go func() { stopped <- s.Run(ctx) }()
	conn := dial(t, s)
	in := bufio.NewReader(conn)
	post := func() *http.Response {
		if _, err := fmt.Fprintf(conn, "%sContent-Length: %d\r\n\r\n%s", head(truvPath, connected), len(connected), connected); err != nil {
			t.Fatal(err)
		}
		answer, err := http.ReadResponse(in, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, answer.Body); err != nil {
			t.Fatal(err)
		}
		return answer
	}
	if got := post(); got.StatusCode != http.StatusOK || got.Close {
		t.Errorf("before: answered %d, close %v; want 200 and the connection kept", got.StatusCode, got.Close)
	}
	stop()
	<-s.stopping
	if got := post(); got.StatusCode != http.StatusOK || !got.Close {
		t.Errorf("while it drains: answered %d, close %v; want 200 and a polite end", got.StatusCode, got.Close)
	}
	if err := <-stopped; err != nil {
		t.Errorf("run: %v", err)
	}
}

func TestRunDoesNotDrainWhereAListenerIsBroken(t *testing.T) {
	for name, broken := range map[string]func(*Server, string){
		"that of webhooks":      func(s *Server, _ string) { _ = s.listener.Close() },
		"that of health checks": func(s *Server, taken string) { s.config.AdminAddr = taken },
	} {
		t.Run(name, func(t *testing.T) {
			c := testConfig(t)
			c.DrainFor = time.Hour
			s, err := New(c, &fakePublisher{}, testLog(t), prometheus.NewRegistry())
			if err != nil {
				t.Fatal(err)
			}
			broken(s, s.Addr())
			ended := make(chan error, 1)
			go func() { ended <- s.Run(t.Context()) }()
			select {
			case err := <-ended:
				if err == nil {
					t.Error("run: no error")
				}
			case <-time.After(late):
				t.Fatal("run does not end")
			}
		})
	}
}

func TestSecretsAreRotatedInTheFile(t *testing.T) {
	const next = "the-next-truv-secret-of-all"
	c := testConfig(t)
	s, _ := handler(t, c, &fakePublisher{})
	status := func(secret string) int {
		r := request(truvPath, connected)
		r.Header.Set("X-Webhook-Sign", "v1="+sum(secret, connected))
		return serve(s, r).Code
	}
	for _, step := range []struct {
		promise, file    string
		current, another int
	}{
		{"the secret in the file is active, another is not", truvSecret, 200, 401},
		{"both are active when both are in the file", truvSecret + "\n" + next, 200, 200},
		{"the old one is not when it is removed", "\n" + next + "\n", 401, 200},
		{"a file that becomes unusable changes nothing", "short", 401, 200},
	} {
		writeFile(t, c.TruvSecretsFile, step.file)
		if current, another := status(truvSecret), status(next); current != step.current || another != step.another {
			t.Errorf("%s: answered %d and %d, want %d and %d", step.promise, current, another, step.current, step.another)
		}
	}
	if err := os.Remove(filepath.Clean(c.TruvSecretsFile)); err != nil {
		t.Fatal(err)
	}
	if got := status(next); got != 200 {
		t.Errorf("without its file it is answered %d, want 200", got)
	}
}

func TestSecretFileErrorIsLoggedOnce(t *testing.T) {
	c := testConfig(t)
	log, lines := observed()
	s, err := newServer(c, &fakePublisher{}, log, prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, c.TruvSecretsFile, "short")
	for range 3 {
		serve(s, request(truvPath, connected))
	}
	found := lines.FilterMessage("secrets not taken").All()
	if len(found) != 1 || found[0].Level != zap.ErrorLevel || !strings.Contains(fmt.Sprint(found[0].ContextMap()["error"]), c.TruvSecretsFile) {
		t.Errorf("logged: %v", found)
	}
}

func expectError(t *testing.T, err error, want string) {
	t.Helper()
	if (err == nil) != (want == "") || err != nil && !strings.HasPrefix(err.Error(), want) {
		t.Fatalf("error %q, want %q", err, want)
	}
}
