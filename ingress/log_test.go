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

func TestLogsOneLineAWebhook(t *testing.T) {
	unsigned := httptest.NewRequest(http.MethodPost, truvPath, strings.NewReader(connected))
	down := errors.New("no responders")
	stored := []string{"duplicate", "event_id", "outcome", "provider", "status", "subject", "took", "type"}
	failed := append(slices.Clone(stored), "error")
	unread := []string{"duplicate", "error", "outcome", "provider", "status", "took", "type"}
	for name, row := range map[string]struct {
		request *http.Request
		again   bool // it was sent before
		onEvent func(context.Context, schema.Event) (bool, error)
		level   zapcore.Level
		keys    []string
		want    map[string]any // of these keys, beside status and took
	}{
		"stored": {request: request(truvPath, connected), level: zap.InfoLevel, keys: stored, want: map[string]any{
			"outcome": "stored", "event_id": "w1", "subject": "wagewire.events.truv.link.connected.l1", "type": "link-connected", "duplicate": false}},
		"22: duplicate": {request: request(truvPath, connected), again: true, level: zap.InfoLevel, keys: stored, want: map[string]any{"outcome": "duplicate", "duplicate": true}},
		"19: a hostile id as its token": {request: request(pinwheelPath, `{"event":"income.added","event_id":"a\n>","payload":{"account_id":"*"}}`), level: zap.InfoLevel, keys: stored, want: map[string]any{
			"event_id": schema.Token("a\n>"), "subject": "wagewire.events.pinwheel.income.added." + schema.Token("*")}},
		"20: an unknown type as other": {request: request(truvPath, `{"webhook_id":"w1","event_type":"raise\n"}`), level: zap.InfoLevel, keys: stored, want: map[string]any{
			"type": "other", "subject": "wagewire.events.truv.other." + schema.Token("raise\n") + "._"}},
		"14: quarantined": {request: request(truvPath, "{"), level: zap.ErrorLevel, keys: unread, want: map[string]any{
			"outcome": "quarantined", "type": "unread", "error": "read webhook: it is not one JSON object"}},
		"24: in conflict": {request: request(truvPath, connected+" "), again: true, level: zap.WarnLevel, keys: failed, want: map[string]any{
			"outcome": "quarantined", "duplicate": true, "event_id": "w1", "error": schema.ErrIDConflict.Error()}},
		"3: rejected": {request: unsigned, level: zap.InfoLevel, keys: unread, want: map[string]any{"outcome": "rejected", "error": "the signature header is missing"}},
		"1: by its method, quietly": {request: httptest.NewRequest(http.MethodGet, truvPath, nil), level: zap.DebugLevel, keys: unread, want: map[string]any{
			"outcome": "rejected", "provider": "truv"}},
		"2: by its path, quietly and without it": {request: httptest.NewRequest(http.MethodPost, "/webhooks/%0aargyle", nil), level: zap.DebugLevel, keys: unread, want: map[string]any{
			"outcome": "rejected", "provider": "", "error": "no provider is served at this path"}},
		"29: unavailable": {request: request(truvPath, connected), onEvent: func(context.Context, schema.Event) (bool, error) { return false, down }, level: zap.ErrorLevel, keys: failed, want: map[string]any{
			"outcome": "unavailable", "error": "no responders"}},
	} {
		t.Run(name, func(t *testing.T) {
			log, lines := observed()
			s, err := newServer(testConfig(t), &fakePublisher{onEvent: row.onEvent}, log, prometheus.NewRegistry())
			if err != nil {
				t.Fatal(err)
			}
			if row.again {
				serve(s, request(truvPath, connected))
				lines.TakeAll()
			}
			w := serve(s, row.request)
			found := lines.FilterMessage("webhook").All()
			if len(found) != 1 || found[0].Level != row.level {
				t.Fatalf("%d lines: %v, want one at level %v", len(found), found, row.level)
			}
			got := found[0].ContextMap()
			keys := slices.Sorted(maps.Keys(got))
			slices.Sort(row.keys)
			if diff := cmp.Diff(row.keys, keys); diff != "" {
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
		})
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
		t.Errorf("20: warnings differ (-want +got):\n%s", diff)
	}
	for n := range 2 * unknownTypesMax {
		s.unknown.first(strings.Repeat("x", n))
	}
	if len(s.unknown.seen) != unknownTypesMax {
		t.Errorf("20: %d types are remembered, want %d", len(s.unknown.seen), unknownTypesMax)
	}
}

// No body, name, amount, raw header or secret is ever logged or answered, at any level, whatever goes wrong.
func TestNothingOfABodyIsLogged(t *testing.T) {
	const canary = "CANARY"
	var logged bytes.Buffer
	log := zap.New(zapcore.NewCore(zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig()), zapcore.AddSync(&logged), zapcore.DebugLevel))
	c := testConfig(t)
	const secret = "CANARY-secret-of-truv"
	c.TruvSecretsFile = secretFile(t, secret)
	broker := &fakePublisher{}
	s, err := newServer(c, broker, log, prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	down := errors.New("down")
	bodies := []string{
		`{"event":"income.added","event_id":"e1","payload":{"account_id":"a1","end_user_id":"CANARY","employer":"CANARY Inc.","net_pay":"CANARY","outcome":"CANARY"}}`,
		`{"event":"income.added","event_id":"e1","payload":{"account_id":"a1","employer":"CANARY, another body"}}`,
		`{"event":"verification_reports.refreshed","event_id":"e2","payload":{"end_user_id":"CANARY"}}`,
		`{"event":"CANARY of a type","event_id":"e3 CANARY","payload":{"account_id":"CANARY CANARY","timestamp":"CANARY"}}`,
		`{"event":"income.added","event_id":"e4","CANARY":CANARY}`,
		`{"event":"income.added","event_id":"e4","CANARY":1,"CANARY":2}`,
		`{"event":"income.added","event_id":{"CANARY":1}}`,
		`"CANARY"`,
		"CANARY\xff",
		`{"CANARY":` + strings.Repeat("[", 100),
		strings.Repeat(canary, BodyBytesMax),
	}
	answered := ""
	for _, fault := range []error{nil, down, schema.ErrIDConflict} {
		if fault != nil {
			broker.onEvent = func(context.Context, schema.Event) (bool, error) { return false, fault }
			broker.onQuarantine = func(context.Context, schema.Quarantined) error { return down }
		}
		for _, body := range bodies {
			r := request(pinwheelPath, body)
			r.Header.Set("X-Canary", canary)
			serve(s, r)
			for _, header := range []string{"X-Pinwheel-Signature", "X-Timestamp", "Content-Encoding"} {
				r := request(pinwheelPath, body)
				r.Header.Set(header, "v2=CANARY")
				answered += serve(s, r).Body.String()
			}
			r = request(truvPath, body)
			r.Header.Set("X-Webhook-Sign", "v1="+sum(secret, body))
			serve(s, r)
			serve(s, httptest.NewRequest(canary, "/webhooks/CANARY?CANARY", strings.NewReader(body)))
		}
	}
	writeFile(t, c.TruvSecretsFile, "CANARY short")
	serve(s, request(truvPath, connected))
	if logged.Len() == 0 {
		t.Fatal("nothing is logged at all")
	}
	for line := range strings.Lines(logged.String()) {
		if strings.Contains(line, canary) {
			t.Errorf("logged: %s", line)
		}
	}
	if strings.Contains(answered, canary) {
		t.Errorf("a refusal repeats what was sent: %s", answered)
	}
}
