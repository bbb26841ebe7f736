package ingress

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wagewire/wagewire/ingress/webhook"
	"github.com/wagewire/wagewire/schema"
)

// sentTo is a signed webhook of Truv for a URL as it stands in a request.
func sentTo(t *testing.T, target string) *http.Request {
	t.Helper()
	r := request(truvPath, connected)
	u, err := url.ParseRequestURI(target)
	if err != nil {
		t.Fatal(err)
	}
	r.URL = u
	return r
}

func TestURLsThatAPersonWouldCallTheSameAreTaken(t *testing.T) {
	for name, target := range map[string]string{
		"with a slash behind":           "/webhooks/truv/",
		"with slashes behind":           "/webhooks/truv///",
		"with doubled slashes":          "//webhooks//truv",
		"in capitals":                   "/WebHooks/TRUV",
		"with a query":                  "/webhooks/truv?source=x",
		"with an empty query":           "/webhooks/truv?",
		"with a percent-encoded letter": "/%77ebhooks/tru%76",
		"with a percent-encoded slash":  "/webhooks%2Ftruv%2f",
		"with a host":                   "http://ingress.example/webhooks/truv",
		"with everything at once":       "https://ingress//Webhooks//%54ruv//?a=b",
	} {
		t.Run(name, func(t *testing.T) { testAnswer(t, stored(sentTo(t, target))) })
	}
}

func TestOtherURLsAreNotFound(t *testing.T) {
	for name, target := range map[string]string{
		"the root":                           "/",
		"a provider without a prefix":        "/truv",
		"the prefix without a provider":      "/webhooks/",
		"a provider that nobody knows":       "/webhooks/argyle",
		"more behind the provider":           "/webhooks/truv/v1",
		"more before the prefix":             "/api/webhooks/truv",
		"dots that lead to the provider":     "/x/../webhooks/truv",
		"a dot for a directory":              "/webhooks/./truv",
		"a backslash":                        `/webhooks\truv`,
		"a space behind the provider":        "/webhooks/truv%20",
		"a NUL in the path":                  "/webhooks/truv%00",
		"a percent-encoded percent-encoding": "/webhooks/tru%2576",
		"a path in the query":                "/?/webhooks/truv",
		"letters of another script":          "/webhooks/trυv",
	} {
		t.Run(name, func(t *testing.T) {
			testAnswer(t, rejected(sentTo(t, target), 404, "route"))
		})
	}
}

func TestSignedWebhooksOfAWrongTimeAreQuarantined(t *testing.T) {
	const ageMax = DefaultSignatureAgeMax
	inMilliseconds := request(pinwheelPath, income)
	stamp := fmt.Sprint(time.Now().UnixMilli())
	maps.Copy(inMilliseconds.Header, http.Header{
		"X-Timestamp":          {stamp},
		"X-Pinwheel-Signature": {"v2=" + sum(pinwheelSecret, "v2:", stamp, ":", income)},
	})
	for name, row := range map[string]answerTest{
		"older than the limit": quarantined(
			signedAt(income, time.Now().Add(-ageMax-time.Minute)), schema.QuarantineStale),
		"of the year 1970": quarantined(signedAt(income, time.Unix(0, 0)), schema.QuarantineStale),
		"from the future": quarantined(
			signedAt(income, time.Now().Add(ageMax+time.Minute)), schema.QuarantineStale),
		"in milliseconds, far in the future": quarantined(inMilliseconds, schema.QuarantineStale),
		"no event either: the body is the reason": quarantined(
			signedAt("{", time.Unix(0, 0)), schema.QuarantineJSON),
		"as old as the limit allows": stored(
			signedAt(income, time.Now().Add(-ageMax+time.Minute))),
	} {
		t.Run(name, func(t *testing.T) { testAnswer(t, row) })
	}
}

func TestAStaleWebhookIsKeptAsItIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broker := &fakePublisher{}
		s, registry := handler(t, testConfig(t), broker)
		w := serve(s, signedAt(income, time.Now().Add(-time.Hour)))
		expectAnswer(t, w, `{"id":"e1","duplicate":false,"quarantined":true}`)
		if len(broker.quarantined) != 1 {
			t.Fatalf("%d webhooks are in quarantine, want 1", len(broker.quarantined))
		}
		got := broker.quarantined[0]
		if string(got.Body) != income || !got.ReceivedAt.Equal(time.Now()) ||
			got.Provider != schema.Pinwheel {
			t.Errorf("in quarantine: %+v", got)
		}
		if n := count(t, registry, "wagewire_ingress_rejected_total"); n != 0 {
			t.Errorf("%d are counted as rejected, want 0", n)
		}
		if n := count(t, registry, "wagewire_ingress_clock_skew_seconds"); n != 1 {
			t.Errorf("the skew of %d webhooks is known, want 1", n)
		}
	})
}

func TestAnyAgeIsGoodWhereTheCheckIsOff(t *testing.T) {
	c := testConfig(t)
	c.Providers[schema.Pinwheel] = ProviderConfig{
		SecretsFile: c.Providers[schema.Pinwheel].SecretsFile,
	}
	s, _ := handler(t, c, &fakePublisher{})
	w := serve(s, signedAt(income, time.Unix(0, 0)))
	expectAnswer(t, w, `{"id":"e1","duplicate":false}`)
}

// Nothing is inflated. The signature of an encoded body is one over the encoded bytes.
func TestBodiesWithAnEncoding(t *testing.T) {
	const zipped = "\x1f\x8b\x08 not inflated"
	encoded := func(body string, codings ...string) *http.Request {
		return with(request(truvPath, body), "Content-Encoding", codings...)
	}
	unsigned := func(r *http.Request) *http.Request { return with(r, "X-Webhook-Sign") }
	forged := func(r *http.Request) *http.Request {
		return with(r, "X-Webhook-Sign", "v1="+sum("a-secret-of-nobody-here", connected))
	}
	for name, row := range map[string]answerTest{
		"signed, it is kept": quarantined(encoded(zipped, "gzip"), schema.QuarantineEncoding),
		"signed, it is kept though the bytes can be read": quarantined(
			encoded(connected, "br"), schema.QuarantineEncoding),
		"signed, it is kept with identity beside the encoding": quarantined(
			encoded(zipped, "identity", "deflate"), schema.QuarantineEncoding),
		"signed, it is kept with two encodings in one header": quarantined(
			encoded(zipped, "identity, gzip"), schema.QuarantineEncoding),
		"without a signature it is refused": rejected(
			unsigned(encoded(zipped, "gzip")), 415, "encoding"),
		"with a signature of nobody it is refused": rejected(
			forged(encoded(zipped, "gzip")), 415, "encoding"),
	} {
		t.Run(name, func(t *testing.T) { testAnswer(t, row) })
	}
}

// unread is a body that must not be read.
type unread struct{ t *testing.T }

func (u unread) Read([]byte) (int, error) {
	u.t.Error("the body is read")
	return 0, os.ErrInvalid
}

func (unread) Close() error { return nil }

func TestABodyIsNotReadIfTheHeadersCannotSignOne(t *testing.T) {
	const signature = "X-Pinwheel-Signature"
	digest := strings.Repeat("0", 64)
	for name, change := range map[string]func(*http.Request){
		"no signature":        func(r *http.Request) { with(r, signature) },
		"an empty signature":  func(r *http.Request) { with(r, signature, "") },
		"two signatures":      func(r *http.Request) { with(r, signature, "v2="+digest, "v2="+digest) },
		"no digits":           func(r *http.Request) { with(r, signature, "v2=") },
		"another version":     func(r *http.Request) { with(r, signature, "v1="+digest) },
		"no timestamp":        func(r *http.Request) { with(r, "X-Timestamp") },
		"two timestamps":      func(r *http.Request) { with(r, "X-Timestamp", "1", "1") },
		"a timestamp in text": func(r *http.Request) { with(r, "X-Timestamp", "now") },
	} {
		t.Run(name, func(t *testing.T) {
			s, _ := handler(t, testConfig(t), &fakePublisher{})
			r := request(pinwheelPath, income)
			r.Body = unread{t}
			change(r)
			w := serve(s, r)
			if w.Code != 401 || w.Header().Get("Connection") != "close" {
				t.Errorf("answered %d, Connection: %q; want 401, close",
					w.Code, w.Header().Get("Connection"))
			}
		})
	}
}

// The custody rule, an error at a time: what comes before the signature is known to be right gets a
// 4xx, and what comes after gets 200 or 503.
func TestTheResponseForEveryError(t *testing.T) {
	unverified := webhook.Verify(webhook.Received{Provider: "nobody"}, nil)
	tooLarge := &http.MaxBytesError{Limit: BodyBytesMax}
	wrapped := func(outer, inner error) error { return fmt.Errorf("%w: %w", outer, inner) }
	const unsigned, signed = true, false
	for name, row := range map[string]struct {
		err    error
		side   bool
		status int
	}{
		"no such path":       {errRoute, unsigned, 404},
		"no such method":     {errMethod, unsigned, 405},
		"a body too large":   {wrapped(errBody, tooLarge), unsigned, 413},
		"a body too slow":    {wrapped(errBody, os.ErrDeadlineExceeded), unsigned, 408},
		"a connection cut":   {wrapped(errBody, errCutOff), unsigned, 408},
		"a body cut off":     {wrapped(errBody, errors.New("unexpected EOF")), unsigned, 400},
		"no signature":       {unverified, unsigned, 401},
		"an encoded forgery": {wrapped(errEncoded, unverified), unsigned, 415},
		"a flood":            {wrapped(errFlood, unverified), unsigned, 429},

		"a flood of encoded forgeries": {
			wrapped(errFlood, wrapped(errEncoded, unverified)), unsigned, 429},

		"nothing":             {nil, signed, 200},
		"too many in hand":    {errShed, signed, 503},
		"a full stream":       {schema.ErrFull, signed, 503},
		"a broker in silence": {context.DeadlineExceeded, signed, 503},
		"a sender that left":  {context.Canceled, signed, 503},
		"anything else":       {errors.New("anything"), signed, 503},

		"a quarantine that is full for a stale webhook":    {webhook.ErrStale, signed, 503},
		"a quarantine that is full for an encoded webhook": {errEncoded, signed, 503},
		"a quarantine that is full for a broken webhook": {
			&webhook.UnreadableError{Reason: schema.QuarantineJSON}, signed, 503},
		"a quarantine that is full for another body": {schema.ErrIDConflict, signed, 503},
		"an error of the broker that looks like one of a body": {
			errors.Join(os.ErrDeadlineExceeded, tooLarge), signed, 503},
	} {
		t.Run(name, func(t *testing.T) {
			got := responseFor(row.err)
			if got.status != row.status {
				t.Errorf("responseFor: %d, want %d", got.status, row.status)
			}
			if isRefusal := got.status/100 == 4; isRefusal != row.side {
				t.Errorf("the answer %d is on the wrong side of the custody rule", got.status)
			}
			if row.side == unsigned && got.reason == "" {
				t.Error("the refusal has no reason for the metrics")
			}
		})
	}
}

// A request without a signature learns nothing of our state, and takes no place in hand.
func TestAnUnsignedRequestIsNeverUnavailable(t *testing.T) {
	down := errors.New("down")
	broker := &fakePublisher{
		onEvent:      func(context.Context, schema.Event) (bool, error) { return false, down },
		onQuarantine: func(context.Context, schema.Quarantined) error { return down },
		onReady:      func(context.Context) error { return down },
	}
	s, _ := handler(t, testConfig(t), broker)
	s.hand.countMax = 0 // every place is taken
	forged := with(request(truvPath, connected), "X-Webhook-Sign",
		"v1="+sum("a-secret-of-nobody-here", connected))
	for name, row := range map[string]struct {
		request *http.Request
		status  int
	}{
		"no signature": {httptest.NewRequest(http.MethodPost, truvPath, nil), 401},
		"a forgery":    {forged, 401},
		"GET":          {httptest.NewRequest(http.MethodGet, truvPath, nil), 405},
		"another path": {httptest.NewRequest(http.MethodPost, "/", nil), 404},
		"a signature":  {request(truvPath, connected), 503},
	} {
		t.Run(name, func(t *testing.T) {
			if w := serve(s, row.request); w.Code != row.status {
				t.Errorf("answered %d, want %d", w.Code, row.status)
			}
		})
	}
}
