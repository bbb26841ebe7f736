package ingress

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wagewire/wagewire/schema"
)

// with sets a header of a request. Without values the header is removed.
func with(r *http.Request, key string, values ...string) *http.Request {
	if len(values) == 0 {
		delete(r.Header, key)
		return r
	}
	r.Header[key] = values
	return r
}

// undeclared is the request as if its body came in chunks.
func undeclared(r *http.Request) *http.Request {
	r.ContentLength = -1
	r.TransferEncoding = []string{"chunked"}
	r.Body = io.NopCloser(r.Body)
	return r
}

type answerTest struct {
	request     *http.Request
	status      int
	reason      string // of a rejection, or of the quarantine
	stored      int
	quarantined int
}

// rejected is a request that stores nothing.
func rejected(r *http.Request, status int, reason string) answerTest {
	return answerTest{request: r, status: status, reason: reason}
}

// stored is a request that stores an event.
func stored(r *http.Request) answerTest { return answerTest{request: r, status: 200, stored: 1} }

// quarantined is a request that goes to quarantine.
func quarantined(r *http.Request, reason schema.QuarantineReason) answerTest {
	return answerTest{request: r, status: 200, reason: string(reason), quarantined: 1}
}

func testAnswer(t *testing.T, row answerTest) {
	broker := &fakePublisher{}
	s, registry := handler(t, testConfig(t), broker)
	w := serve(s, row.request)
	events, quarantined := broker.stored()
	if w.Code != row.status || events != row.stored || quarantined != row.quarantined {
		t.Fatalf("status %d, %d stored, %d quarantined; want %d, %d, %d\n%s", w.Code, events,
			quarantined, row.status, row.stored, row.quarantined, w.Body)
	}
	metric := "wagewire_ingress_rejected_total"
	outcome := outcomeRejected
	switch {
	case row.quarantined > 0:
		metric = "wagewire_ingress_quarantined_total"
		outcome = outcomeQuarantined
	case row.stored > 0:
		metric = "wagewire_ingress_publish_total"
		outcome = outcomeStored
	}
	if row.reason != "" && count(t, registry, metric, row.reason) != 1 {
		t.Errorf("%s{reason=%q} is not 1", metric, row.reason)
	}
	counted := count(t, registry, "wagewire_ingress_webhooks_total", outcome)
	if row.reason != "route" && counted != 1 {
		t.Errorf("wagewire_ingress_webhooks_total{outcome=%q} is %d, want 1", outcome, counted)
	}
	checkAnswer(t, w)
}

// What a connection alone shows is in wire_test.go.
func TestRequestsThatAreNoWebhookAreRefused(t *testing.T) {
	plain := func(method, path string) *http.Request {
		return httptest.NewRequest(method, path, nil)
	}
	tooLong := strings.Repeat(" ", BodyBytesMax+1)
	for name, row := range map[string]answerTest{
		"GET is not allowed":  rejected(plain("GET", pinwheelPath), 405, "method"),
		"PUT is not allowed":  rejected(plain("PUT", truvPath), 405, "method"),
		"HEAD is not allowed": rejected(plain("HEAD", truvPath), 405, "method"),

		"an unknown provider is not found": rejected(
			request("/webhooks/argyle", income), 404, "route"),
		"an unknown path is not found":    rejected(request("/", income), 404, "route"),
		"no method finds an unknown path": rejected(plain("DELETE", "/webhooks/"), 404, "route"),

		"a body over the limit is too large": rejected(
			request(truvPath, tooLong), 413, "too_large"),
		"a body over the limit is too large without a declared length too": rejected(
			undeclared(request(truvPath, tooLong)), 413, "too_large"),
	} {
		t.Run(name, func(t *testing.T) { testAnswer(t, row) })
	}
}

func TestUnverifiedRequestsAreUnauthorized(t *testing.T) {
	const (
		pinwheelHeader = "X-Pinwheel-Signature"
		truvHeader     = "X-Webhook-Sign"
	)
	forged := "v2=" + sum("a-secret-of-nobody-here", income)
	genuine := request(pinwheelPath, income).Header.Get(pinwheelHeader)
	for name, row := range map[string]answerTest{
		"a webhook of Pinwheel without a signature": rejected(
			with(request(pinwheelPath, income), pinwheelHeader), 401, "sig_missing"),
		"a webhook of Truv without a signature": rejected(
			httptest.NewRequest(http.MethodPost, truvPath, nil), 401, "sig_missing"),
		"unsigned JSON that is broken": rejected(
			with(request(pinwheelPath, "{"), pinwheelHeader), 401, "sig_missing"),
		"two signatures": rejected(
			with(request(pinwheelPath, income), pinwheelHeader, genuine, forged),
			401, "sig_ambiguous"),
		"a forged signature": rejected(
			with(request(pinwheelPath, income), pinwheelHeader, forged), 401, "sig_mismatch"),
		"a version that the provider does not use": rejected(
			with(request(truvPath, connected), truvHeader, "v2="+sum(truvSecret, connected)),
			401, "sig_mismatch"),
		"the secret of another provider": rejected(
			with(request(truvPath, connected), truvHeader, "v1="+sum(pinwheelSecret, connected)),
			401, "sig_mismatch"),
		"a timestamp that is no number": rejected(
			with(request(pinwheelPath, income), "X-Timestamp", "now"), 401, "timestamp_invalid"),
		"two timestamps": rejected(
			with(request(pinwheelPath, income), "X-Timestamp", "1", "1"), 401, "timestamp_invalid"),
		"a timestamp that nobody signed": rejected(
			with(request(pinwheelPath, income), "X-Timestamp", "1768185362"), 401, "sig_mismatch"),
	} {
		t.Run(name, func(t *testing.T) { testAnswer(t, row) })
	}
}

func TestSignedWebhooksAreStored(t *testing.T) {
	padding := strings.Repeat(" ", BodyBytesMax-len(connected))
	for name, row := range map[string]answerTest{
		"with a body at the limit": stored(request(truvPath, connected+padding)),
		"with identity for the encoding": stored(
			with(request(truvPath, connected), "Content-Encoding", "Identity")),
		"with an empty encoding": stored(
			with(request(truvPath, connected), "Content-Encoding", "", " , identity")),
		"without a content type": stored(with(request(pinwheelPath, income), "Content-Type")),
		"with a wrong content type": stored(
			with(request(pinwheelPath, income), "Content-Type", "text/plain")),
		"with another charset": stored(
			with(request(pinwheelPath, income), "Content-Type", "application/json; charset=latin1")),
		"with a content type that is no content type": stored(
			with(request(pinwheelPath, income), "Content-Type", ";;", "x")),
		"with a hostile id": stored(request(pinwheelPath,
			`{"event":"income.added","event_id":"a.*> b\r\n\u0000",`+
				`"payload":{"account_id":"*.>"}}`)),
		"with an id of 10,000 characters": stored(request(pinwheelPath,
			`{"event":"income.added","event_id":"`+strings.Repeat(".", 10_000)+`"}`)),
		"with an account that was deleted before: only workers know": stored(
			request(truvPath, connected)),
		"with an unknown type": stored(request(truvPath,
			`{"webhook_id":"w1","event_type":"raise-given","link_id":"l1"}`)),
	} {
		t.Run(name, func(t *testing.T) { testAnswer(t, row) })
	}
}

func TestSignedWebhooksThatAreNoEventAreQuarantined(t *testing.T) {
	inside := connected[:len(connected)-1]
	for name, row := range map[string]answerTest{
		"nonsense": quarantined(request(pinwheelPath, "nonsense"), schema.QuarantineJSON),
		"nothing":  quarantined(request(truvPath, ""), schema.QuarantineJSON),
		"null":     quarantined(request(truvPath, "null"), schema.QuarantineJSON),
		"an array": quarantined(request(truvPath, "["+connected+"]"), schema.QuarantineJSON),
		"a byte order mark before the object": quarantined(
			request(truvPath, "\ufeff"+connected), schema.QuarantineJSON),
		"bytes behind the object": quarantined(
			request(truvPath, connected+"]"), schema.QuarantineJSON),
		"bytes that are no text": quarantined(
			request(truvPath, "{\"webhook_id\":\"\xff\"}"), schema.QuarantineUTF8),
		"two ids": quarantined(
			request(truvPath, inside+`,"webhook_id":"w2"}`), schema.QuarantineDuplicateKey),
		"two ids in different letter case": quarantined(
			request(truvPath, inside+`,"WEBHOOK_ID":"w2"}`), schema.QuarantineDuplicateKey),
		"a nesting bomb": quarantined(
			request(truvPath, strings.Repeat("[", BodyBytesMax)), schema.QuarantineDepth),
		"an id that is too long": quarantined(request(pinwheelPath,
			`{"event":"income.added","event_id":"`+strings.Repeat("i", schema.IDBytesMax+1)+`"}`),
			schema.QuarantineSchema),
		"no id": quarantined(
			request(pinwheelPath, `{"event":"income.added"}`), schema.QuarantineSchema),
		"a deletion that names no link": quarantined(
			request(truvPath, `{"webhook_id":"w1","event_type":"link-deleted"}`),
			schema.QuarantineSchema),
	} {
		t.Run(name, func(t *testing.T) { testAnswer(t, row) })
	}
}

// checkAnswer asserts what holds for every answer: JSON that says no more than the status does, and
// when to try again.
func checkAnswer(t *testing.T, w *httptest.ResponseRecorder) {
	t.Helper()
	h := w.Header()
	if got := h.Get("Content-Type"); got != "application/json" {
		t.Errorf("content type %q", got)
	}
	if wanted := w.Code == 503 || w.Code == 429; (h.Get("Retry-After") == "5") != wanted {
		t.Errorf("status %d with Retry-After %q", w.Code, h.Get("Retry-After"))
	}
	if (h.Get("Allow") == "POST") != (w.Code == 405) {
		t.Errorf("status %d with Allow %q", w.Code, h.Get("Allow"))
	}
	isUnverified := w.Code >= 400 && w.Code < 500
	if isUnverified && h.Get("Connection") != "close" {
		t.Errorf("status %d leaves the connection open to an unverified sender", w.Code)
	}
	want := `{"error":"` + strings.ToLower(http.StatusText(w.Code)) + `"}`
	if got := w.Body.String(); w.Code != 200 && got != want {
		t.Errorf("the body is %s, want %s", got, want)
	}
}

// expectAnswer asserts a 200 and its body.
func expectAnswer(t *testing.T, w *httptest.ResponseRecorder, want string) {
	t.Helper()
	if w.Code != 200 || w.Body.String() != want {
		t.Errorf("answered %d %s, want 200 %s", w.Code, w.Body, want)
	}
	checkAnswer(t, w)
}

func TestAnswersToStoredWebhooks(t *testing.T) {
	for name, row := range map[string]struct{ path, body, want string }{
		"the id of Pinwheel's event is repeated": {pinwheelPath, income,
			`{"id":"e1","duplicate":false}`},
		"the id of Truv's event is repeated": {truvPath, connected,
			`{"id":"w1","duplicate":false}`},
		"a hostile id is text": {truvPath, `{"webhook_id":"\"\r\n<","event_type":"x"}`,
			`{"id":"\"\r\n\u003c","duplicate":false}`},
		"a webhook that is no event is said to be in quarantine": {truvPath, `[]`,
			`{"id":"","duplicate":false,"quarantined":true}`},
	} {
		t.Run(name, func(t *testing.T) {
			s, _ := handler(t, testConfig(t), &fakePublisher{})
			expectAnswer(t, serve(s, request(row.path, row.body)), row.want)
		})
	}
}

func TestPublishesTheWebhookUnchanged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broker := &fakePublisher{}
		s, _ := handler(t, testConfig(t), broker)
		serve(s, request(pinwheelPath, income))
		got := broker.events["pinwheel:e1"]
		trace := got.TraceParent
		got.TraceParent = ""
		want := schema.Event{
			Provider:   schema.Pinwheel,
			ID:         "e1",
			Type:       "income.added",
			Resource:   schema.Income,
			Action:     "added",
			AccountID:  "a1",
			OccurredAt: time.Date(2026, 1, 12, 2, 36, 1, 0, time.UTC),
			ReceivedAt: time.Now(),
			Body:       []byte(income),
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("the event differs (-want +got):\n%s", diff)
		}
		if !regexp.MustCompile(`^00-[0-9a-f]{32}-[0-9a-f]{16}-01$`).MatchString(trace) {
			t.Errorf("traceparent %q", trace)
		}
		serve(s, request(truvPath, connected))
		if broker.events["truv:w1"].TraceParent == trace {
			t.Error("two webhooks share a trace")
		}
	})
}

func TestOnlyASignedWebhookWithTheHeaderIsABackfill(t *testing.T) {
	for name, row := range map[string]struct {
		values []string
		want   bool
	}{
		"without the header it is fresh":   {nil, false},
		"with the header it is a backfill": {[]string{"true"}, true},
		"another value means nothing":      {[]string{"1"}, false},
		"neither does another spelling":    {[]string{"True"}, false},
		"neither does an empty value":      {[]string{""}, false},
	} {
		t.Run(name, func(t *testing.T) {
			broker := &fakePublisher{}
			s, _ := handler(t, testConfig(t), broker)
			w := serve(s, with(request(pinwheelPath, income), schema.BackfillHeader, row.values...))
			got := broker.events["pinwheel:e1"]
			if w.Code != http.StatusOK || got.ID != "e1" || got.Backfill != row.want {
				t.Errorf("status %d, event %+v", w.Code, got)
			}
		})
	}
	forged := with(request(pinwheelPath, income), schema.BackfillHeader, schema.BackfillTrue)
	forged = with(forged, "X-Pinwheel-Signature", "v2="+strings.Repeat("0", 64))
	testAnswer(t, rejected(forged, http.StatusUnauthorized, "sig_mismatch"))
}

func TestARepeatedWebhookIsADuplicate(t *testing.T) {
	broker := &fakePublisher{}
	s, registry := handler(t, testConfig(t), broker)
	expectAnswer(t, serve(s, request(pinwheelPath, income)), `{"id":"e1","duplicate":false}`)
	expectAnswer(t, serve(s, request(pinwheelPath, income)), `{"id":"e1","duplicate":true}`)
	if events, quarantined := broker.stored(); events != 1 || quarantined != 0 {
		t.Errorf("%d stored, %d quarantined; want 1, 0", events, quarantined)
	}
	if n := count(t, registry, "wagewire_ingress_duplicates_total"); n != 1 {
		t.Errorf("%d duplicates are counted, want 1", n)
	}
}

func TestARepeatedWebhookIsNoDuplicateAfterTheBrokersWindow(t *testing.T) {
	forgets := func(context.Context, schema.Event) (bool, error) { return false, nil }
	s, _ := handler(t, testConfig(t), &fakePublisher{onEvent: forgets})
	for range 2 {
		expectAnswer(t, serve(s, request(pinwheelPath, income)), `{"id":"e1","duplicate":false}`)
	}
}

func TestAnotherBodyUnderTheSameIDIsQuarantined(t *testing.T) {
	const another = `{"event": "income.added", "event_id": "e1", "payload": {"account_id": "a2"}}`
	broker := &fakePublisher{}
	s, registry := handler(t, testConfig(t), broker)
	serve(s, request(pinwheelPath, income))
	expectAnswer(t, serve(s, request(pinwheelPath, another)),
		`{"id":"e1","duplicate":true,"quarantined":true}`)
	if got := string(broker.events["pinwheel:e1"].Body); got != income {
		t.Errorf("the first body became %s", got)
	}
	if len(broker.quarantined) != 1 {
		t.Fatalf("in quarantine: %+v, want one webhook", broker.quarantined)
	}
	got := broker.quarantined[0]
	if string(got.Body) != another || got.Reason != schema.QuarantineIDConflict {
		t.Errorf("in quarantine: %+v", got)
	}
	if n := count(t, registry, "wagewire_ingress_publish_total", "conflict"); n != 1 {
		t.Errorf("%d conflicts are counted, want 1", n)
	}
	if n := count(t, registry, "wagewire_ingress_duplicates_total"); n != 0 {
		t.Errorf("%d duplicates are counted, want 0", n)
	}
}

func TestFetchesNoURLOfAWebhook(t *testing.T) {
	fetched := func(http.ResponseWriter, *http.Request) { t.Error("the URL is fetched") }
	trap := httptest.NewServer(http.HandlerFunc(fetched))
	defer trap.Close()
	s, _ := handler(t, testConfig(t), &fakePublisher{})
	text, err := json.Marshal(map[string]any{
		"event":    "income.added",
		"event_id": trap.URL,
		"url":      trap.URL,
		"payload":  map[string]string{"account_id": trap.URL},
	})
	if err != nil {
		t.Fatal(err)
	}
	if w := serve(s, request(pinwheelPath, string(text))); w.Code != 200 {
		t.Errorf("answered %d", w.Code)
	}
}

func TestLimitsForgeriesOnly(t *testing.T) {
	forgery := func(from string) *http.Request {
		r := httptest.NewRequest(http.MethodPost, pinwheelPath, strings.NewReader(income))
		r.RemoteAddr = from
		return r
	}
	synctest.Test(t, func(t *testing.T) {
		s, registry := handler(t, testConfig(t), &fakePublisher{})
		for n := range forgeriesAtOnce {
			if w := serve(s, forgery("203.0.113.7:1")); w.Code != 401 {
				t.Fatalf("forgery %d is answered %d, want 401", n, w.Code)
			}
		}
		w := serve(s, forgery("203.0.113.7:2"))
		if w.Code != 429 || count(t, registry, "wagewire_ingress_rejected_total", "limited") != 1 {
			t.Errorf("a flood from one address is answered %d, want 429", w.Code)
		}
		checkAnswer(t, w)
		r := request(pinwheelPath, income)
		r.RemoteAddr = "203.0.113.7:3"
		if w := serve(s, r); w.Code != 200 {
			t.Errorf("a signed webhook from the same address is answered %d, want 200", w.Code)
		}
		if w := serve(s, forgery("[2001:db8::1]:1")); w.Code != 401 {
			t.Errorf("a forgery from another address is answered %d, want 401", w.Code)
		}
		<-time.After(time.Second)
		if w := serve(s, forgery("203.0.113.7:4")); w.Code != 401 {
			t.Errorf("a second later the address is answered %d, want 401", w.Code)
		}
	})
}

func TestForgeries(t *testing.T) {
	now := time.Unix(1, 0)
	t.Run("all peers together have a limit", func(t *testing.T) {
		f := newForgeries()
		allowed := 0
		for n := range 2 * forgeriesOfAllAtOnce {
			if f.allow(ipv4(n), now) {
				allowed++
			}
		}
		if allowed != forgeriesOfAllAtOnce {
			t.Errorf("%d allowed, want %d", allowed, forgeriesOfAllAtOnce)
		}
	})
	t.Run("a peer that goes on is not forgotten among new ones", func(t *testing.T) {
		f := newForgeries()
		for range forgeriesAtOnce {
			f.allow(ipv4(0), now)
		}
		for n := range 3 * peersMax {
			f.allow(ipv4(n+1), now)
			if f.allow(ipv4(0), now) {
				t.Fatalf("forgotten after %d more peers", n)
			}
		}
	})
}
