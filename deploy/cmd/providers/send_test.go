package main

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/wagewire/wagewire/deploy/fake"
	"github.com/wagewire/wagewire/schema"
)

// fakes listens as the fakes do; what they send is answered with the status.
func fakes(t *testing.T, status int) (url string) {
	t.Helper()
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }))
	t.Cleanup(receiver.Close)
	fakes := fake.New(fake.Config{WebhookURL: receiver.URL})
	t.Cleanup(fakes.Close)
	control := httptest.NewServer(fakes)
	t.Cleanup(control.Close)
	return control.URL
}

func TestSendHasTheFakesSend(t *testing.T) {
	url := fakes(t, http.StatusOK)
	for promise, row := range map[string]struct {
		args []string
		want string
	}{
		"one of a type":               {[]string{"paystubs.added", "--providers", url}, "paystubs.added"},
		"of Truv, flags first":        {[]string{"--providers", url, "link-connected"}, "link-connected"},
		"a type that nobody promised": {[]string{"--providers", url, "moon.landed"}, "moon.landed"},
	} {
		t.Run(promise, func(t *testing.T) {
			var out bytes.Buffer
			if err := run(t.Context(), append([]string{"send"}, row.args...), &out); err != nil {
				t.Fatal(err)
			}
			if lines := strings.Split(strings.TrimSpace(out.String()), "\n"); len(lines) != 1 || !strings.Contains(lines[0], row.want) || !strings.HasSuffix(lines[0], "200 stored") {
				t.Errorf("printed %q", out.String())
			}
		})
	}
	t.Run("all of them", func(t *testing.T) {
		var out bytes.Buffer
		if err := run(t.Context(), []string{"send", "all", "--providers", url}, &out); err != nil {
			t.Fatal(err)
		}
		for _, w := range schema.Catalogue() {
			if len(w.Workers) > 0 && !strings.Contains(out.String(), " "+w.Name+" ") {
				t.Errorf("no %s is sent", w.Name)
			}
		}
	})
}

func TestSendSaysWhatIsWrong(t *testing.T) {
	for promise, row := range map[string]struct {
		args []string
		want string
	}{
		"no type":                       {nil, "say one TYPE"},
		"two types":                     {[]string{"a", "b"}, "say one TYPE"},
		"an unknown flag":               {[]string{"--url", "x"}, "see providers send --help"},
		"fakes that are not there":      {[]string{"income.added", "--providers", "http://127.0.0.1:1"}, "--providers: the fakes do not answer"},
		"an address that is none":       {[]string{"income.added", "--providers", "http://["}, "--providers: "},
		"a receiver that does not take": {[]string{"income.added", "--providers", fakes(t, http.StatusForbidden)}, "1 of 1 webhooks are not stored"},
	} {
		t.Run(promise, func(t *testing.T) {
			if err := run(t.Context(), append([]string{"send"}, row.args...), io.Discard); err == nil || !strings.Contains(err.Error(), row.want) {
				t.Errorf("error %v, want %q in it", err, row.want)
			}
		})
	}
}
