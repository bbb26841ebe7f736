package webhook

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/wagewire/wagewire/schema"
)

// FuzzVerify: whatever the headers, a request is verified if and only if its signature is the HMAC
// of its bytes under one of the active secrets.
func FuzzVerify(f *testing.F) {
	f.Add(false, "v2=00", "1768185362", []byte("{}"), testSecret)
	f.Fuzz(func(t *testing.T, truv bool, signature, timestamp string, body []byte, secret string) {
		r := Received{Provider: schema.Pinwheel, Body: body, At: testNow, Header: http.Header{
			pinwheelHeader: {signature},
			timeHeader:     {timestamp},
			truvHeader:     {signature},
		}}
		right := "v2=" + sum(secret, "v2:", timestamp, ":", string(body))
		header := pinwheelHeader
		if truv {
			r.Provider = schema.Truv
			header = truvHeader
			right = "v1=" + sum(secret, string(body))
		}
		secrets := secretsOf("a-secret-that-signs-nothing", secret)
		const version = len("v2=")
		before := bytes.Clone(body)

		headers := CheckHeaders(r.Provider, r.Header)
		if err := Verify(r, secrets); err == nil {
			isRight := strings.EqualFold(signature, right) && len(signature) == len(right) &&
				signature[:version] == right[:version]
			if secret == "" || !isRight || headers != nil {
				t.Errorf("verified %q, the HMAC is %q, headers %v", signature, right, headers)
			}
		} else if _, ok := errors.AsType[*UnverifiedError](err); !ok {
			t.Errorf("verify: %v is no UnverifiedError", err)
		}

		r.Header[header] = []string{right}
		_, stamped := SignedAt(r)
		if err := Verify(r, secrets); secret != "" && (truv || stamped) && err != nil {
			t.Errorf("verify a signed request: %v", err)
		}
		if !bytes.Equal(before, body) {
			t.Error("the body was changed")
		}
	})
}

// FuzzParse: a body that is no event is quarantined for one of the known reasons. An event is fit
// to be stored, is read the same a second time, and has the id and type that a careless parser
// finds.
func FuzzParse(f *testing.F) {
	f.Add(false, []byte(testBody))
	f.Add(true, []byte(`{"webhook_id":"w1","event_type":"link-deleted","link_id":"l1"}`))
	reasons := []schema.QuarantineReason{
		schema.QuarantineJSON, schema.QuarantineUTF8, schema.QuarantineDuplicateKey,
		schema.QuarantineDepth, schema.QuarantineSchema,
	}
	f.Fuzz(func(t *testing.T, truv bool, body []byte) {
		r := Received{Provider: schema.Pinwheel, Body: body, At: testNow}
		if truv {
			r.Provider = schema.Truv
		}
		before := bytes.Clone(body)
		event, err := Parse(r)
		if !bytes.Equal(before, body) {
			t.Fatal("the body was changed")
		}
		second, errSecond := Parse(r)
		if diff := cmp.Diff(event, second); diff != "" || (err == nil) != (errSecond == nil) {
			t.Fatalf("read a second time it differs: %v, %v\n%s", err, errSecond, diff)
		}
		if err != nil {
			unreadable, ok := errors.AsType[*UnreadableError](err)
			if !ok || !slices.Contains(reasons, unreadable.Reason) {
				t.Fatalf("parse: %v is no UnreadableError of a known reason", err)
			}
			return
		}
		checkIsStorable(t, event, before)
		checkCarelessly(t, event, truv)
	})
}

// checkIsStorable asserts that the event read from a body is fit to be stored.
func checkIsStorable(t *testing.T, event schema.Event, body []byte) {
	if err := event.Validate(); err != nil {
		t.Errorf("the event is not valid: %v", err)
	}
	if !bytes.Equal(event.Body, body) {
		t.Error("the event's body is not the webhook's")
	}
	if !utf8.ValidString(event.ID) {
		t.Errorf("the id %q is no text", event.ID)
	}
	_, _, _, account, err := schema.ParseSubject(event.Subject())
	if err != nil || account != event.Account() {
		t.Errorf("subject %q: account %q, %v", event.Subject(), account, err)
	}
	at, err := schema.ParseTime(event.OccurredAt.Format(time.RFC3339Nano))
	if err != nil || !at.Equal(event.OccurredAt) {
		t.Errorf("time %v is written as %v: %v", event.OccurredAt, at, err)
	}
}

// checkCarelessly asserts that encoding/json reads the same id and type from the body.
func checkCarelessly(t *testing.T, event schema.Event, truv bool) {
	var careless struct {
		EventID   string `json:"event_id"`
		Event     string `json:"event"`
		WebhookID string `json:"webhook_id"`
		EventType string `json:"event_type"`
	}
	// A name of the other provider may hold anything. A value that does not fit is left out, and
	// the error about it means nothing here.
	if err := json.Unmarshal(event.Body, &careless); err != nil && !isMismatch(err) {
		t.Fatalf("a careless parser does not read it: %v", err)
	}
	id := careless.EventID
	kind := careless.Event
	if truv {
		id = careless.WebhookID
		kind = careless.EventType
	}
	if id != event.ID || kind != event.Type {
		t.Errorf("a careless parser reads id %q and type %q, we %q and %q",
			id, kind, event.ID, event.Type)
	}
}

func isMismatch(err error) bool {
	_, ok := errors.AsType[*json.UnmarshalTypeError](err)
	return ok
}
