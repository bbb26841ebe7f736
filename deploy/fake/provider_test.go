package fake_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wagewire/wagewire/deploy/fake"
)

// sycamore is the body of the vector that Pinwheel publishes.
const sycamore = `{
    "coordinates": [41.0555388, -73.8679639],
    "location": "Lyndhurst Mansion, South Broadway, Tarrytown, NY",
    "type": {
        "common_name": "American sycamore",
        "genus": "platanus",
        "species": "occidentalis"
    }
}`

func TestSignatures(t *testing.T) {
	if len(sycamore) != 244 {
		t.Fatalf("the vector's body has %d bytes, want 244", len(sycamore))
	}
	for _, test := range []struct {
		name, provider, secret, body string
		want                         map[string]string
	}{
		{
			"Pinwheel's is the one of its published vector",
			fake.Pinwheel, "TEST_KEY", sycamore,
			map[string]string{
				"x-timestamp":          "860860860",
				"x-pinwheel-signature": "v2=42fb9eba200e821d4de63667f5a30f7e1b83609b135e148e26ce01eef2aa6ba8",
			},
		},
		{
			"Truv's is a plain HMAC-SHA256, as in RFC 4231 case 2",
			fake.Truv, "Jefe", "what do ya want for nothing?",
			map[string]string{
				"X-WEBHOOK-SIGN": "v1=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
			},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := http.Header{}
			at := time.Unix(860860860, 0)
			err := fake.Sign(test.provider, got, test.secret, at, []byte(test.body))
			if err != nil {
				t.Fatal(err)
			}
			want := http.Header{}
			for name, value := range test.want {
				want.Set(name, value)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("headers (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAnUnknownProviderIsNamedWithTheFilesToAdd(t *testing.T) {
	err := fake.Covers("nobody")
	for _, want := range []string{"nobody", "deploy/fake/nobody.go", "deploy/fake/provider.go"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q in it", err, want)
		}
	}
	if err := fake.Covers(fake.Truv); err != nil {
		t.Errorf("a provider with a fake: %v", err)
	}
	if err := fake.Sign("nobody", http.Header{}, "secret", noon, nil); err == nil {
		t.Error("signed a webhook of an unknown provider")
	}
	if secret := fake.Secret("nobody"); secret != "" {
		t.Errorf("an unknown provider has the secret %s", secret)
	}
}

func TestTheEnvironmentPointsAWorkerToTheFake(t *testing.T) {
	for name, want := range map[string]map[string]string{
		fake.Pinwheel: {"URL": "http://host/pinwheel", "RATE_PER_S": "100"},
		fake.Truv: {
			"URL": "http://host/truv", "RATE_PER_S": "100", "CLIENT_ID": "sandbox-truv-client",
		},
		"nobody": nil,
	} {
		if diff := cmp.Diff(want, fake.Environment(name, "http://host")); diff != "" {
			t.Errorf("variables of %s (-want +got):\n%s", name, diff)
		}
	}
}

// These promises hold for every row of the registry, for a new one too.
func TestEveryProvider(t *testing.T) {
	for _, name := range fake.Names() {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, func(c *fake.Config) { c.Secrets = nil })
			p := r.Person(fake.PersonOptions{})
			var own []fake.Webhook
			for _, w := range r.Timeline(p) {
				if w.Provider == name {
					own = append(own, w)
				}
			}
			if len(own) == 0 {
				t.Fatal("a timeline has none of its webhooks")
			}
			if fake.Secret(name) == "" {
				t.Error("it has no secret")
			}
			if answer, err := r.call("/"+name+"/nowhere", nil); err != nil || answer.status != 401 {
				t.Errorf("wrong credentials: status %d, error %v", answer.status, err)
			}
			w, err := r.Event(p, own[0].Type, fake.EventOptions{})
			if err != nil || w.Provider != name || w.ID == own[0].ID {
				t.Errorf("its type %s made %+v, error %v", own[0].Type, w, err)
			}
			stranger, err := r.Event(r.Stranger("x"), own[0].Type, fake.EventOptions{})
			if err != nil || stranger.Account != "x" {
				t.Errorf("a stranger's webhook is about %s, error %v", stranger.Account, err)
			}
			if _, err := r.Send(t.Context(), w); err != nil {
				t.Error(err)
			}
			received := r.inbox.all()[0]
			signed := http.Header{}
			if err := fake.Sign(name, signed, fake.Secret(name), noon, w.Body); err != nil {
				t.Fatal(err)
			}
			for header := range signed {
				if received.header.Get(header) != signed.Get(header) {
					t.Errorf("%s is %q", header, received.header.Get(header))
				}
			}
			if received.path != "/webhooks/"+name {
				t.Errorf("received at %s", received.path)
			}
		})
	}
}

func TestWriteErrorAnswersAsTheProvider(t *testing.T) {
	w := httptest.NewRecorder()
	if err := fake.WriteError(w, fake.Truv, http.StatusTooManyRequests, "7"); err != nil {
		t.Fatal(err)
	}
	const body = `{"detail":"Request was throttled. Expected available in 7 seconds."}`
	if w.Code != http.StatusTooManyRequests || w.Header().Get("Retry-After") != "7" ||
		w.Body.String() != body {
		t.Errorf("got %d, Retry-After %q, %s", w.Code, w.Header().Get("Retry-After"), w.Body)
	}
	if err := fake.WriteError(httptest.NewRecorder(), "nobody", 500, ""); err == nil {
		t.Error("an unknown provider is no error")
	}
}
