package ingress

import (
	"context"
	"encoding/json"
	"errors"
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

// Bad input that a handler sees: cases 1 to 27 of the failure list. What only a connection shows (9, 10, 11, 25) is in
// wire_test.go, 6 in run_test.go.
func TestAnswersToBadInput(t *testing.T) {
	unsigned := func(r *http.Request) *http.Request {
		r.Header.Del("X-Pinwheel-Signature")
		return r
	}
	with := func(r *http.Request, key string, values ...string) *http.Request {
		r.Header[key] = values
		return r
	}
	plain := func(method, path string) *http.Request { return httptest.NewRequest(method, path, nil) }
	old := request(pinwheelPath, income)
	for key, values := range signed(pinwheelPath, income, time.Now().Add(-21*time.Minute)) {
		old.Header[key] = values
	}
	forged := "v2=" + sum("a-secret-of-nobody-here", income)

	for name, row := range map[string]struct {
		request     *http.Request
		status      int
		reason      string // of a rejection, or of the quarantine
		stored      int
		quarantined int
	}{
		"1: GET is told to POST":                          {plain("GET", pinwheelPath), 405, "method", 0, 0},
		"1: so is PUT, signed or not":                     {plain("PUT", truvPath), 405, "method", 0, 0},
		"1: so is HEAD":                                   {plain("HEAD", truvPath), 405, "method", 0, 0},
		"2: an unknown provider is not found":             {request("/webhooks/argyle", income), 404, "route", 0, 0},
		"2: nor is an unknown path":                       {request("/", income), 404, "route", 0, 0},
		"2: nor is one by any method":                     {plain("DELETE", "/webhooks/"), 404, "route", 0, 0},
		"2: nor is a path that only cleaning would match": {request("//webhooks/pinwheel", income), 404, "route", 0, 0},
		"25: nor one with dots, and it is no redirect":    {request("/x/../webhooks/pinwheel", income), 404, "route", 0, 0},
		"2: nor with a slash behind":                      {request(truvPath+"/", connected), 404, "route", 0, 0},
		"2: a query changes nothing":                      {with(request(truvPath+"?source=x", connected), "X-Webhook-Sign", "v1="+sum(truvSecret, connected)), 200, "", 1, 0},
		"3: no signature is unauthorized":                 {unsigned(request(pinwheelPath, income)), 401, "sig_missing", 0, 0},
		"3: also from Truv":                               {plain("POST", truvPath), 401, "sig_missing", 0, 0},
		"4: two signatures are unauthorized": {with(request(pinwheelPath, income), "X-Pinwheel-Signature",
			signed(pinwheelPath, income, time.Now()).Get("X-Pinwheel-Signature"), forged), 401, "sig_ambiguous", 0, 0},
		"5: a forged signature is unauthorized":                           {with(request(pinwheelPath, income), "X-Pinwheel-Signature", forged), 401, "sig_mismatch", 0, 0},
		"5: a version the provider does not use is, too":                  {with(request(truvPath, connected), "X-Webhook-Sign", "v2="+sum(truvSecret, connected)), 401, "sig_mismatch", 0, 0},
		"5: so is one provider's secret at the other":                     {with(request(truvPath, connected), "X-Webhook-Sign", "v1="+sum(pinwheelSecret, connected)), 401, "sig_mismatch", 0, 0},
		"5: unsigned JSON that is broken is unauthorized":                 {unsigned(request(pinwheelPath, "{")), 401, "sig_missing", 0, 0},
		"7: a signature of 21 minutes ago is unauthorized":                {old, 401, "stale", 0, 0},
		"8: a timestamp that is no number is unauthorized":                {with(request(pinwheelPath, income), "X-Timestamp", "now"), 401, "timestamp_invalid", 0, 0},
		"9: a body over the limit is too large":                           {request(truvPath, strings.Repeat(" ", BodyBytesMax+1)), 413, "too_large", 0, 0},
		"9: also when its length is not declared":                         {undeclared(request(truvPath, strings.Repeat(" ", BodyBytesMax+1))), 413, "too_large", 0, 0},
		"9: a body at the limit is not":                                   {request(truvPath, connected+strings.Repeat(" ", BodyBytesMax-len(connected))), 200, "", 1, 0},
		"12: a compressed body is not inflated":                           {with(request(truvPath, connected), "Content-Encoding", "gzip"), 415, "encoding", 0, 0},
		"12: nor with identity beside it":                                 {with(request(truvPath, connected), "Content-Encoding", "identity", "br"), 415, "encoding", 0, 0},
		"12: identity is no encoding":                                     {with(request(truvPath, connected), "Content-Encoding", "Identity"), 200, "", 1, 0},
		"13: no content type is fine":                                     {with(request(pinwheelPath, income), "Content-Type"), 200, "", 1, 0},
		"13: so is a wrong one":                                           {with(request(pinwheelPath, income), "Content-Type", "text/plain"), 200, "", 1, 0},
		"14: signed nonsense is quarantined":                              {request(pinwheelPath, "nonsense"), 200, "json", 0, 1},
		"14: so is a signed nothing":                                      {request(truvPath, ""), 200, "json", 0, 1},
		"14: so is what has bytes behind it":                              {request(truvPath, connected+"]"), 200, "json", 0, 1},
		"15: signed bytes that are no text are quarantined":               {request(truvPath, "{\"webhook_id\":\"\xff\"}"), 200, "utf8", 0, 1},
		"16: an id twice is quarantined":                                  {request(truvPath, connected[:len(connected)-1]+`,"webhook_id":"w2"}`), 200, "duplicate_key", 0, 1},
		"16: so is WEBHOOK_ID beside it":                                  {request(truvPath, connected[:len(connected)-1]+`,"WEBHOOK_ID":"w2"}`), 200, "duplicate_key", 0, 1},
		"17: a nesting bomb is quarantined":                               {request(truvPath, strings.Repeat("[", BodyBytesMax)), 200, "depth", 0, 1},
		"18: no id is quarantined":                                        {request(pinwheelPath, `{"event":"income.added"}`), 200, "schema", 0, 1},
		"18: a deletion that names no link is quarantined":                {request(truvPath, `{"webhook_id":"w1","event_type":"link-deleted"}`), 200, "schema", 0, 1},
		"19: a hostile id is stored":                                      {request(pinwheelPath, `{"event":"income.added","event_id":"a.*> b\r\n\u0000","payload":{"account_id":"*.>"}}`), 200, "", 1, 0},
		"19: so is one of 10,000 characters":                              {request(pinwheelPath, `{"event":"income.added","event_id":"`+strings.Repeat(".", 10_000)+`"}`), 200, "", 1, 0},
		"20: an unknown type is stored":                                   {request(truvPath, `{"webhook_id":"w1","event_type":"raise-given","link_id":"l1"}`), 200, "", 1, 0},
		"21: a deleted link's event is stored, the fence is the workers'": {request(truvPath, connected), 200, "", 1, 0},
	} {
		t.Run(name, func(t *testing.T) {
			broker := &fakePublisher{}
			s, registry := handler(t, testConfig(t), broker)
			w := serve(s, row.request)
			events, quarantined := broker.kept()
			if w.Code != row.status || events != row.stored || quarantined != row.quarantined {
				t.Fatalf("status %d, %d stored, %d quarantined; want %d, %d, %d\n%s", w.Code, events, quarantined, row.status, row.stored, row.quarantined, w.Body)
			}
			metric, outcome := "wagewire_ingress_rejected_total", outcomeRejected
			switch {
			case row.quarantined > 0:
				metric, outcome = "wagewire_ingress_quarantined_total", outcomeQuarantined
			case row.stored > 0:
				metric, outcome = "wagewire_ingress_publish_total", outcomeStored
			}
			if row.reason != "" && count(t, registry, metric, row.reason) != 1 {
				t.Errorf("%s{reason=%q} is not 1", metric, row.reason)
			}
			if row.reason != "route" && count(t, registry, "wagewire_ingress_webhooks_total", outcome) != 1 {
				t.Errorf("wagewire_ingress_webhooks_total{outcome=%q} is not 1", outcome)
			}
			checkAnswer(t, w)
		})
	}
}

// undeclared is the request as if it came in chunks.
func undeclared(r *http.Request) *http.Request {
	r.ContentLength, r.TransferEncoding, r.Body = -1, []string{"chunked"}, io.NopCloser(r.Body)
	return r
}

// checkAnswer asserts what holds for every answer: JSON, that says only what the status says, and when to come again.
func checkAnswer(t *testing.T, w *httptest.ResponseRecorder) {
	t.Helper()
	h := w.Header()
	if got := h.Get("Content-Type"); got != "application/json" {
		t.Errorf("content type %q", got)
	}
	if again := w.Code == 503 || w.Code == 429; (h.Get("Retry-After") == "5") != again {
		t.Errorf("status %d with Retry-After %q", w.Code, h.Get("Retry-After"))
	}
	if (h.Get("Allow") == "POST") != (w.Code == 405) {
		t.Errorf("status %d with Allow %q", w.Code, h.Get("Allow"))
	}
	if unread := w.Code >= 400 && w.Code < 500 && w.Code != 401 && w.Code != 429; unread && h.Get("Connection") != "close" {
		t.Errorf("status %d leaves the connection open with a body unread", w.Code)
	}
	want := `{"error":"` + strings.ToLower(http.StatusText(w.Code)) + `"}`
	if got := w.Body.String(); w.Code != 200 && got != want {
		t.Errorf("the body is %s, want %s", got, want)
	}
}

func TestAnswersToStoredWebhooks(t *testing.T) {
	for name, row := range map[string]struct{ path, body, want string }{
		"an event's id is repeated": {pinwheelPath, income, `{"id":"e1","duplicate":false}`},
		"Truv's too":                {truvPath, connected, `{"id":"w1","duplicate":false}`},
		"19: a hostile id is text":  {truvPath, `{"webhook_id":"\"\r\n<","event_type":"x"}`, `{"id":"\"\r\n\u003c","duplicate":false}`},
		"14: what is no event has none, and is told to be in quarantine": {truvPath, `[]`, `{"id":"","duplicate":false,"quarantined":true}`},
	} {
		t.Run(name, func(t *testing.T) {
			s, _ := handler(t, testConfig(t), &fakePublisher{})
			w := serve(s, request(row.path, row.body))
			if w.Code != 200 || w.Body.String() != row.want {
				t.Errorf("answered %d %s, want 200 %s", w.Code, w.Body, row.want)
			}
			checkAnswer(t, w)
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
		want := schema.Event{Provider: schema.Pinwheel, ID: "e1", Type: "income.added", Resource: schema.Income, Action: "added", AccountID: "a1",
			OccurredAt: time.Date(2026, 1, 12, 2, 36, 1, 0, time.UTC), ReceivedAt: time.Now(), Body: []byte(income)}
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

func TestAnswersToRepeatedWebhooks(t *testing.T) {
	const other = `{"event": "income.added", "event_id": "e1", "payload": {"account_id": "a2"}}`
	t.Run("22: the same webhook again is a duplicate, and stored once", func(t *testing.T) {
		broker := &fakePublisher{}
		s, registry := handler(t, testConfig(t), broker)
		first, second := serve(s, request(pinwheelPath, income)), serve(s, request(pinwheelPath, income))
		if first.Code != 200 || second.Code != 200 || second.Body.String() != `{"id":"e1","duplicate":true}` {
			t.Errorf("answered %d, then %d %s", first.Code, second.Code, second.Body)
		}
		if events, quarantined := broker.kept(); events != 1 || quarantined != 0 || count(t, registry, "wagewire_ingress_duplicates_total") != 1 {
			t.Errorf("%d stored, %d quarantined", events, quarantined)
		}
	})
	t.Run("23: after the broker's window it is stored again, and is no duplicate", func(t *testing.T) {
		broker := &fakePublisher{onEvent: func(context.Context, schema.Event) (bool, error) { return false, nil }}
		s, _ := handler(t, testConfig(t), broker)
		for range 2 {
			if w := serve(s, request(pinwheelPath, income)); w.Code != 200 || w.Body.String() != `{"id":"e1","duplicate":false}` {
				t.Errorf("answered %d %s", w.Code, w.Body)
			}
		}
	})
	t.Run("24: another body under the same id is quarantined, the first stands", func(t *testing.T) {
		broker := &fakePublisher{}
		s, registry := handler(t, testConfig(t), broker)
		serve(s, request(pinwheelPath, income))
		w := serve(s, request(pinwheelPath, other))
		if w.Code != 200 || w.Body.String() != `{"id":"e1","duplicate":true,"quarantined":true}` {
			t.Errorf("answered %d %s", w.Code, w.Body)
		}
		if got := string(broker.events["pinwheel:e1"].Body); got != income {
			t.Errorf("the first body became %s", got)
		}
		if len(broker.quarantined) != 1 || string(broker.quarantined[0].Body) != other || broker.quarantined[0].Reason != schema.QuarantineIDConflict {
			t.Errorf("in quarantine: %+v", broker.quarantined)
		}
		if count(t, registry, "wagewire_ingress_publish_total", "conflict") != 1 || count(t, registry, "wagewire_ingress_duplicates_total") != 0 {
			t.Error("a conflict is counted as such, and not as a duplicate")
		}
	})
}

func TestFetchesNoURLOfAWebhook(t *testing.T) {
	t.Run("26: a URL in a webhook is never fetched", func(t *testing.T) {
		trap := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("fetched") }))
		defer trap.Close()
		s, _ := handler(t, testConfig(t), &fakePublisher{})
		text, err := json.Marshal(map[string]any{"event": "income.added", "event_id": trap.URL, "url": trap.URL, "payload": map[string]string{"account_id": trap.URL}})
		if err != nil {
			t.Fatal(err)
		}
		if w := serve(s, request(pinwheelPath, string(text))); w.Code != 200 {
			t.Errorf("answered %d", w.Code)
		}
	})
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
				t.Fatalf("27: forgery %d is answered %d, want 401", n, w.Code)
			}
		}
		w := serve(s, forgery("203.0.113.7:2"))
		if w.Code != 429 || count(t, registry, "wagewire_ingress_rejected_total", "limited") != 1 {
			t.Errorf("27: a flood from one address is answered %d, want 429", w.Code)
		}
		checkAnswer(t, w)
		r := request(pinwheelPath, income)
		r.RemoteAddr = "203.0.113.7:3"
		if w := serve(s, r); w.Code != 200 {
			t.Errorf("27: a signed webhook from the same address is answered %d, want 200", w.Code)
		}
		if w := serve(s, forgery("[2001:db8::1]:1")); w.Code != 401 {
			t.Errorf("27: a forgery from another address is answered %d, want 401", w.Code)
		}
		<-time.After(time.Second)
		if w := serve(s, forgery("203.0.113.7:4")); w.Code != 401 {
			t.Errorf("27: a second later the address is answered %d, want 401", w.Code)
		}
	})
}

func TestForgeries(t *testing.T) {
	now := time.Unix(1, 0)
	t.Run("27: addresses of one IPv6 site share a limit", func(t *testing.T) {
		f := newForgeries()
		for range forgeriesAtOnce {
			f.allow("[2001:db8::1%eth0]:1", now)
		}
		if f.allow("[2001:db8::ffff:2]:9", now) || !f.allow("[2001:db8:0:1::1]:1", now) || !f.allow("pipe", now) {
			t.Error("the limit is not the site's")
		}
	})
	t.Run("27: all addresses together have a limit", func(t *testing.T) {
		f, allowed := newForgeries(), 0
		for n := range 2 * forgeriesOfAllAtOnce {
			if f.allow(ipv4(n), now) {
				allowed++
			}
		}
		if allowed != forgeriesOfAllAtOnce {
			t.Errorf("%d allowed, want %d", allowed, forgeriesOfAllAtOnce)
		}
	})
	t.Run("27: the addresses remembered are bounded, and those seen lately are among them", func(t *testing.T) {
		f := newForgeries()
		for range forgeriesAtOnce {
			f.allow("203.0.113.7:1", now)
		}
		for n := range 3 * addressesMax {
			f.allow(ipv4(n), now)
			if f.allow("203.0.113.7:1", now) {
				t.Fatalf("forgotten after %d others", n)
			}
			if len(f.young)+len(f.old) > addressesMax {
				t.Fatalf("%d addresses remembered", len(f.young)+len(f.old))
			}
		}
	})
}

func TestStatusOfAnythingUnknownIsUnavailable(t *testing.T) {
	if got := statusOf(errors.New("anything")).status; got != http.StatusServiceUnavailable {
		t.Errorf("statusOf: %d, want 503", got)
	}
}
