package main

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wagewire/wagewire/deploy/fake"
	"github.com/wagewire/wagewire/schema"
)

// serveFakes serves the fakes, and answers with the status what the fakes send.
func serveFakes(t *testing.T, status int) (url string) {
	t.Helper()
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
	}))
	t.Cleanup(receiver.Close)
	fakes := fake.New(fake.Config{WebhookURL: receiver.URL})
	t.Cleanup(fakes.Close)
	control := httptest.NewServer(fakes)
	t.Cleanup(control.Close)
	return control.URL
}

func TestSendLetsTheFakesSend(t *testing.T) {
	url := serveFakes(t, http.StatusOK)
	for promise, row := range map[string]struct {
		args []string
		want string
	}{
		"a type":             {[]string{"paystubs.added", "--providers", url}, "paystubs.added"},
		"a type after flags": {[]string{"--providers", url, "link-connected"}, "link-connected"},
		"an undocumented type with --any": {
			[]string{"--providers", url, "moon.landed", "--any"}, "moon.landed",
		},
	} {
		t.Run(promise, func(t *testing.T) {
			var out, complaint bytes.Buffer
			args := append([]string{"send"}, row.args...)
			if code := run(t.Context(), args, &out, &complaint); code != 0 {
				t.Fatalf("exit code %d, printed %s", code, &complaint)
			}
			lines := strings.Split(strings.TrimSpace(out.String()), "\n")
			good := len(lines) == 1 && strings.Contains(lines[0], row.want) &&
				strings.HasSuffix(lines[0], "200 stored")
			if !good {
				t.Errorf("printed %q", out.String())
			}
		})
	}
	t.Run("all types that have a worker", func(t *testing.T) {
		var out bytes.Buffer
		args := []string{"send", "all", "--providers", url}
		if code := run(t.Context(), args, &out, io.Discard); code != 0 {
			t.Fatalf("exit code %d", code)
		}
		for _, w := range schema.Catalogue() {
			if len(w.Workers) > 0 && !strings.Contains(out.String(), " "+w.Name+" ") {
				t.Errorf("no %s is sent", w.Name)
			}
		}
	})
}

// writeFixture writes a fixture of a link.
func writeFixture(t *testing.T) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "fixture.json")
	const text = `{"version": "wagewire.fixture.v1", "provider": "truv", "type": "link-connected",
		"account": "l-1", "webhook": {"webhook_id": "w-1"},
		"calls": [{"path": "/v1/links/l-1/", "status": 200, "body": {"id": "l-1"}}]}`
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestSendPlaysAFixture(t *testing.T) {
	url := serveFakes(t, http.StatusOK)
	path := writeFixture(t)
	var out, complaint bytes.Buffer
	args := []string{"send", "--fixture", path, "--providers", url}
	if code := run(t.Context(), args, &out, &complaint); code != 0 {
		t.Fatalf("exit code %d, printed %s", code, &complaint)
	}
	for _, want := range []string{"truv ", " link-connected ", " w-1 ", " 200 stored\n"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("printed %s, want %q", &out, want)
		}
	}
}

func TestEveryDocumentedTypeIsSentByItsProvider(t *testing.T) {
	url := serveFakes(t, http.StatusOK)
	for _, w := range schema.Catalogue() {
		var out bytes.Buffer
		args := []string{"send", w.Name, "--providers", url}
		if code := run(t.Context(), args, &out, io.Discard); code != 0 {
			t.Errorf("%s: exit code %d", w.Name, code)
		}
		if !strings.HasPrefix(out.String(), string(w.Provider)+" ") {
			t.Errorf("%s: printed %s", w.Name, &out)
		}
	}
}

func TestSendSaysWhatIsWrong(t *testing.T) {
	refusing := serveFakes(t, http.StatusForbidden)
	for promise, row := range map[string]struct {
		args []string
		want string
	}{
		"no type":   {nil, "give one TYPE"},
		"two types": {[]string{"a", "b"}, "give one TYPE"},
		"a type that nobody documents": {
			[]string{"nosuch"}, `no provider documents the webhook type "nosuch"`,
		},
		"a type with a typo": {[]string{"paystub.added"}, "did you mean paystubs.added?"},
		"an undocumented type that no provider spells so": {
			[]string{"nosuch", "--any", "--providers", refusing}, "no provider spells a type like",
		},
		"an unknown flag": {[]string{"--url", "x"}, "see: providers send --help"},
		"fakes that are not there": {
			[]string{"income.added", "--providers", "http://127.0.0.1:1"},
			"--providers: the fakes do not answer",
		},
		"an address that is none": {
			[]string{"income.added", "--providers", "http://["}, "--providers: ",
		},
		"a fixture and a type": {
			[]string{"income.added", "--fixture", "x.json"}, "--fixture goes with --providers alone",
		},
		"a fixture that is not there": {
			[]string{"--fixture", "nosuch.json"}, "--fixture: open nosuch.json",
		},
		"a fixture that is no JSON": {[]string{"--fixture", "main.go"}, "main.go is not JSON"},
		"a receiver that refuses": {
			[]string{"income.added", "--providers", refusing}, "1 of 1 webhooks are not stored",
		},
	} {
		t.Run(promise, func(t *testing.T) {
			code, stderr := runQuietly(t.Context(), append([]string{"send"}, row.args...)...)
			if code != 1 || !strings.Contains(stderr, row.want) {
				t.Errorf("exit code %d, printed %q, want %q in it", code, stderr, row.want)
			}
		})
	}
}
