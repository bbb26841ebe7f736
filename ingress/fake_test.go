package ingress

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/wagewire/wagewire/schema"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	pinwheelSecret = "pinwheel-secret-for-tests"
	truvSecret     = "truv-secret-for-tests-only"
	pinwheelPath   = "/webhooks/pinwheel"
	truvPath       = "/webhooks/truv"
	income         = `{"event": "income.added", "event_id": "e1", ` +
		`"payload": {"account_id": "a1", "timestamp": "2026-01-12T02:36:01Z"}}`
	connected = `{"webhook_id":"w1","event_type":"link-connected","link_id":"l1",` +
		`"event_created_at":"2026-01-12T02:36:01Z"}`
)

// fakePublisher stores in memory, instead of a broker. A test that wants a method to fail sets its
// function.
type fakePublisher struct {
	onEvent      func(ctx context.Context, e schema.Event) (bool, error)
	onQuarantine func(ctx context.Context, q schema.Quarantined) error
	onReady      func(ctx context.Context) error

	mu          sync.Mutex
	events      map[string]schema.Event
	quarantined []schema.Quarantined
}

func (f *fakePublisher) PublishEvent(ctx context.Context, e schema.Event) (bool, error) {
	if f.onEvent != nil {
		return f.onEvent(ctx, e)
	}
	return f.store(ctx, e)
}

func (f *fakePublisher) store(ctx context.Context, e schema.Event) (duplicate bool, err error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	first, stored := f.events[e.Key()]
	switch {
	case !stored:
		if f.events == nil {
			f.events = make(map[string]schema.Event)
		}
		f.events[e.Key()] = e
		return false, nil
	case !bytes.Equal(first.Body, e.Body):
		return true, schema.ErrIDConflict
	default:
		return true, nil
	}
}

func (f *fakePublisher) PublishQuarantined(ctx context.Context, q schema.Quarantined) error {
	if f.onQuarantine != nil {
		return f.onQuarantine(ctx, q)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.quarantined = append(f.quarantined, q)
	return nil
}

func (f *fakePublisher) Ready(ctx context.Context) error {
	if f.onReady != nil {
		return f.onReady(ctx)
	}
	return nil
}

// stored returns how many events and quarantined webhooks are stored.
func (f *fakePublisher) stored() (events, quarantined int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.events), len(f.quarantined)
}

// testConfig serves both providers, each with one secret.
func testConfig(t testing.TB) Config {
	t.Helper()
	return Config{
		Addr: "127.0.0.1:0",
		Providers: map[schema.Provider]ProviderConfig{
			schema.Pinwheel: {
				SecretsFile:     secretFile(t, pinwheelSecret),
				SignatureAgeMax: DefaultSignatureAgeMax,
			},
			schema.Truv: {SecretsFile: secretFile(t, truvSecret)},
		},
		Limits: patientLimits(),
	}
}

// patientLimits are the limits where time is not the subject of a test.
func patientLimits() Limits {
	return Limits{
		HeaderReadFor: time.Hour,
		ReadFor:       time.Hour,
		WriteFor:      time.Hour,
		IdleFor:       time.Hour,
		PublishFor:    time.Hour,
	}
}

// serveOnly is a configuration that serves one provider.
func serveOnly(p schema.Provider, secretsFile string) Config {
	return Config{
		Providers: map[schema.Provider]ProviderConfig{p: {SecretsFile: secretsFile}},
		Limits:    patientLimits(),
	}
}

func secretFile(t testing.TB, secrets ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "secrets")
	writeFile(t, path, strings.Join(secrets, "\n"))
	return path
}

func writeFile(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func testLog(t *testing.T) *zap.Logger {
	encoder := zapcore.NewConsoleEncoder(zap.NewDevelopmentEncoderConfig())
	return zap.New(zapcore.NewCore(encoder, zapcore.AddSync(t.Output()), zapcore.DebugLevel))
}

// handler is a Server without a network, and its metrics.
func handler(t *testing.T, c Config, p Publisher) (*Server, *prometheus.Registry) {
	t.Helper()
	registry := prometheus.NewRegistry()
	s, err := newServer(c, p, testLog(t), registry)
	if err != nil {
		t.Fatal(err)
	}
	return s, registry
}

// request is a webhook as its provider would sign and send it.
func request(path, body string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(body))
	maps.Copy(r.Header, signed(path, body, time.Now()))
	return r
}

// signedAt is a webhook that Pinwheel signed at a time.
func signedAt(body string, at time.Time) *http.Request {
	r := request(pinwheelPath, body)
	maps.Copy(r.Header, signed(pinwheelPath, body, at))
	return r
}

// signed has the headers of a webhook. The path decides which provider signs.
func signed(path, body string, at time.Time) http.Header {
	if path == truvPath {
		return http.Header{"X-Webhook-Sign": {"v1=" + sum(truvSecret, body)}}
	}
	stamp := strconv.FormatInt(at.Unix(), 10)
	return http.Header{
		"X-Timestamp":          {stamp},
		"X-Pinwheel-Signature": {"v2=" + sum(pinwheelSecret, "v2:", stamp, ":", body)},
		"Content-Type":         {"application/json"},
	}
}

// sum is the test's own HMAC, shared with nothing.
func sum(secret string, parts ...string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(strings.Join(parts, "")))
	return hex.EncodeToString(mac.Sum(nil))
}

func serve(s http.Handler, r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w
}

// count adds up the samples of a metric that have all of the label values.
func count(t *testing.T, registry *prometheus.Registry, name string, values ...string) int {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	total := 0
	for _, family := range families {
		if family.GetName() != name {
			continue
		}
		for _, metric := range family.GetMetric() {
			var labels []string
			for _, label := range metric.GetLabel() {
				labels = append(labels, label.GetValue())
			}
			lacks := func(value string) bool { return !slices.Contains(labels, value) }
			if slices.ContainsFunc(values, lacks) {
				continue
			}
			total += int(metric.GetCounter().GetValue() + metric.GetGauge().GetValue())
			total += int(metric.GetHistogram().GetSampleCount())
		}
	}
	return total
}

// ipv4 is the nth peer of 10.0.0.0/8.
func ipv4(n int) netip.Prefix {
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(n >> 16), byte(n >> 8), byte(n)}), 32)
}
