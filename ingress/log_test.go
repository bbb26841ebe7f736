package ingress

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/wagewire/wagewire/schema"
)

func observed() (*zap.Logger, *observer.ObservedLogs) {
	core, lines := observer.New(zapcore.DebugLevel)
	return zap.New(core), lines
}

type logTest struct {
	request *http.Request
	// repeated: the broker has stored a webhook with the same id.
	repeated bool
	onEvent  func(context.Context, schema.Event) (bool, error)
	level    zapcore.Level
	keys     []string
	want     map[string]any // of these keys, besides status and took
}

func TestLogsOneLineAWebhook(t *testing.T) {
	unsigned := httptest.NewRequest(http.MethodPost, truvPath, strings.NewReader(connected))
	down := errors.New("no responders")
	isDown := func(context.Context, schema.Event) (bool, error) { return false, down }
	stored := []string{
		"duplicate", "event_id", "outcome", "provider", "status", "subject", "took", "type",
	}
	failed := append(slices.Clone(stored), "error")
	unread := []string{"duplicate", "error", "outcome", "provider", "status", "took", "type"}
	for name, row := range map[string]logTest{
		"stored": {
			request: request(truvPath, connected), level: zap.InfoLevel, keys: stored,
			want: map[string]any{
				"outcome": "stored", "event_id": "w1", "type": "link-connected", "duplicate": false,
				"subject": "wagewire.events.truv.link.connected.l1",
			}},
		"duplicate": {
			request: request(truvPath, connected), repeated: true,
			level: zap.InfoLevel, keys: stored,
			want: map[string]any{"outcome": "duplicate", "duplicate": true}},
		"a hostile id as its token": {
			request: request(pinwheelPath,
				`{"event":"income.added","event_id":"a\n>","payload":{"account_id":"*"}}`),
			level: zap.InfoLevel, keys: stored,
			want: map[string]any{
				"event_id": schema.Token("a\n>"),
				"subject":  "wagewire.events.pinwheel.income.added." + schema.Token("*"),
			}},
		"an unknown type as other": {
			request: request(truvPath, `{"webhook_id":"w1","event_type":"raise\n"}`),
			level:   zap.InfoLevel, keys: stored,
			want: map[string]any{
				"type":    "other",
				"subject": "wagewire.events.truv.other." + schema.Token("raise\n") + "._",
			}},
		"quarantined": {
			request: request(truvPath, "{"), level: zap.ErrorLevel, keys: unread,
			want: map[string]any{
				"outcome": "quarantined", "type": "unread",
				"error": "read webhook: the body is not one JSON object",
			}},
		"in conflict": {
			request: request(truvPath, connected+" "), repeated: true,
			level: zap.WarnLevel, keys: failed,
			want: map[string]any{
				"outcome": "quarantined", "duplicate": true, "event_id": "w1",
				"error": schema.ErrIDConflict.Error(),
			}},
		"rejected, at level debug": {
			request: unsigned, level: zap.DebugLevel, keys: unread,
			want: map[string]any{
				"outcome": "rejected",
				"error":   "the signature header is missing",
			}},
		"rejected by its method, at level debug": {
			request: httptest.NewRequest(http.MethodGet, truvPath, nil),
			level:   zap.DebugLevel, keys: unread,
			want: map[string]any{"outcome": "rejected", "provider": "truv"}},
		"rejected by its path, at level debug and without the path": {
			request: httptest.NewRequest(http.MethodPost, "/webhooks/%0aargyle", nil),
			level:   zap.DebugLevel, keys: unread,
			want: map[string]any{
				"outcome": "rejected", "provider": "",
				"error": "no provider is served at this path",
			}},
		"unavailable": {
			request: request(truvPath, connected), onEvent: isDown,
			level: zap.ErrorLevel, keys: failed,
			want: map[string]any{"outcome": "unavailable", "error": "no responders"}},
	} {
		t.Run(name, func(t *testing.T) { testLogLine(t, row) })
	}
}

func testLogLine(t *testing.T, row logTest) {
	log, lines := observed()
	broker := &fakePublisher{onEvent: row.onEvent}
	s, err := newServer(testConfig(t), broker, log, prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	if row.repeated {
		serve(s, request(truvPath, connected))
		lines.TakeAll()
	}
	w := serve(s, row.request)
	found := lines.FilterMessage("webhook").All()
	if len(found) != 1 || found[0].Level != row.level {
		t.Fatalf("%d lines: %v, want one at level %v", len(found), found, row.level)
	}
	got := found[0].ContextMap()
	want := slices.Sorted(slices.Values(row.keys))
	if diff := cmp.Diff(want, slices.Sorted(maps.Keys(got))); diff != "" {
		t.Errorf("the keys differ (-want +got):\n%s", diff)
	}
	if got["status"] != int64(w.Code) {
		t.Errorf("status %v is logged, %d answered", got["status"], w.Code)
	}
	for key, want := range row.want {
		if got[key] != want {
			t.Errorf("%s is %v, want %v", key, got[key], want)
		}
	}
}

func TestWarnsOnceOfAnUnknownType(t *testing.T) {
	log, lines := observed()
	s, err := newServer(testConfig(t), &fakePublisher{}, log, prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range []string{"raise", "raise", "fall", "link-connected", "raise"} {
		serve(s, request(truvPath, `{"webhook_id":"w1","event_type":"`+kind+`"}`))
	}
	var types []any
	for _, line := range lines.FilterMessage("unknown webhook type").All() {
		types = append(types, line.ContextMap()["type"])
	}
	if diff := cmp.Diff([]any{"raise", "fall"}, types); diff != "" {
		t.Errorf("warnings differ (-want +got):\n%s", diff)
	}
	for n := range 2 * unknownTypesMax {
		s.unknown.isFirst(strings.Repeat("x", n))
	}
	if len(s.unknown.seen) != unknownTypesMax {
		t.Errorf("%d types are remembered, want %d", len(s.unknown.seen), unknownTypesMax)
	}
}

// No body, name, amount, raw header or secret is ever logged or answered, at any level, whatever
// goes wrong.
func TestNothingOfABodyIsLogged(t *testing.T) {
	const (
		canary = "CANARY"
		secret = "CANARY-secret-of-truv"
	)
	var logged bytes.Buffer
	encoder := zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig())
	log := zap.New(zapcore.NewCore(encoder, zapcore.AddSync(&logged), zapcore.DebugLevel))
	c := testConfig(t)
	file := secretFile(t, secret)
	c.Providers[schema.Truv] = ProviderConfig{SecretsFile: file}
	broker := &fakePublisher{}
	s, err := newServer(c, broker, log, prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	answers := ""
	// sendAll sends a body in every way in which a request can succeed or fail.
	sendAll := func(body string) {
		r := request(pinwheelPath, body)
		r.Header.Set("X-Canary", canary)
		serve(s, r)
		for _, header := range []string{"X-Pinwheel-Signature", "X-Timestamp", "Content-Encoding"} {
			r := request(pinwheelPath, body)
			r.Header.Set(header, "v2=CANARY")
			answers += serve(s, r).Body.String()
		}
		r = request(truvPath, body)
		r.Header.Set("X-Webhook-Sign", "v1="+sum(secret, body))
		serve(s, r)
		serve(s, httptest.NewRequest(canary, "/webhooks/CANARY?CANARY", strings.NewReader(body)))
	}
	down := errors.New("down")
	for _, fault := range []error{nil, down, schema.ErrIDConflict} {
		if fault != nil {
			broker.onEvent = func(context.Context, schema.Event) (bool, error) {
				return false, fault
			}
			broker.onQuarantine = func(context.Context, schema.Quarantined) error { return down }
		}
		for _, body := range canaryBodies() {
			sendAll(body)
		}
	}
	writeFile(t, file, "CANARY short")
	serve(s, request(truvPath, connected))
	if logged.Len() == 0 {
		t.Fatal("nothing is logged at all")
	}
	for line := range strings.Lines(logged.String()) {
		if strings.Contains(line, canary) {
			t.Errorf("logged: %s", line)
		}
	}
	if strings.Contains(answers, canary) {
		t.Errorf("a refusal repeats the request: %s", answers)
	}
}

// canaryBodies are bodies of every kind, with the canary wherever a sender may put text.
func canaryBodies() []string {
	return []string{
		`{"event":"income.added","event_id":"e1",` +
			`"payload":{"account_id":"a1","end_user_id":"CANARY",` +
			`"employer":"CANARY Inc.","net_pay":"CANARY","outcome":"CANARY"}}`,
		`{"event":"income.added","event_id":"e1",` +
			`"payload":{"account_id":"a1","employer":"CANARY, another body"}}`,
		`{"event":"verification_reports.refreshed","event_id":"e2",` +
			`"payload":{"end_user_id":"CANARY"}}`,
		`{"event":"CANARY of a type","event_id":"e3 CANARY",` +
			`"payload":{"account_id":"CANARY CANARY","timestamp":"CANARY"}}`,
		`{"event":"income.added","event_id":"e4","CANARY":CANARY}`,
		`{"event":"income.added","event_id":"e4","CANARY":1,"CANARY":2}`,
		`{"event":"income.added","event_id":{"CANARY":1}}`,
		`"CANARY"`,
		"CANARY\xff",
		`{"CANARY":` + strings.Repeat("[", 100),
		strings.Repeat("CANARY", BodyBytesMax),
	}
}
