package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/jsonschema/jsonschematest"
)

const (
	pinwheelSecret = "a-pinwheel-secret-of-a-test"
	truvSecret     = "a-truv-secret-of-a-test"
)

// received is a request as it came to the receiver.
type received struct {
	method, path, contentType string
	header                    http.Header
	body                      []byte
}

// receiver stands where ingress would. It remembers what it was sent and answers what it is told.
type receiver struct {
	*httptest.Server
	mu   sync.Mutex
	sent []received
}

const stored = `{"id":"e-1","duplicate":false}`

func newReceiver(t *testing.T, status int, answer string, header ...string) *receiver {
	t.Helper()
	r := &receiver{}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		body, _ := io.ReadAll(q.Body)
		r.mu.Lock()
		r.sent = append(r.sent,
			received{q.Method, q.URL.Path, q.Header.Get("Content-Type"), q.Header, body})
		r.mu.Unlock()
		for i := 0; i+1 < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, answer)
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) took() []received {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.sent
}

func (r *receiver) hooks() string { return r.URL + "/webhooks" }

// secrets is an environment with the secret of each provider in a file. Only the first line of a
// file signs.
func secrets(t *testing.T) func(string) string {
	t.Helper()
	return env(
		"PINWHEEL_SECRETS_FILE", fileOf(t, "pinwheel.secret",
			pinwheelSecret+"\nthe-secret-that-was-before-it\n"),
		"TRUV_SECRETS_FILE", fileOf(t, "truv.secret", truvSecret+"\n"),
	)
}

func fileOf(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// checkSigned computes the signature once more, as the providers' pages say.
func checkSigned(t *testing.T, p schema.Provider, r received, secret string, began time.Time) {
	t.Helper()
	mac := hmac.New(sha256.New, []byte(secret))
	name, prefix := "X-WEBHOOK-SIGN", "v1="
	if p == schema.Pinwheel {
		name, prefix = "x-pinwheel-signature", "v2="
		timestamp := r.header.Get("x-timestamp")
		seconds, err := strconv.ParseInt(timestamp, 10, 64)
		if err != nil || !isFresh(time.Unix(seconds, 0), began) {
			t.Errorf("x-timestamp is %q, which is not now", timestamp)
		}
		_, _ = io.WriteString(mac, "v2:"+timestamp+":")
	}
	mac.Write(r.body)
	if got, want := r.header.Get(name), prefix+hex.EncodeToString(mac.Sum(nil)); got != want {
		t.Errorf("%s is %q, want %q", name, got, want)
	}
}

// isFresh reports whether a time, to the second, lies between the beginning and now.
func isFresh(at, began time.Time) bool {
	return !at.Before(began.Truncate(time.Second)) && !at.After(time.Now())
}

// at reads the string at a path of a JSON object, "" where there is none.
func at(t *testing.T, body []byte, path string) string {
	t.Helper()
	var value any
	if err := json.Unmarshal(body, &value); err != nil {
		t.Fatal(err)
	}
	for key := range strings.SplitSeq(path, ".") {
		object, _ := value.(map[string]any)
		value = object[key]
	}
	text, _ := value.(string)
	return text
}

func TestASampleIsSentSignedFreshAndValid(t *testing.T) {
	getenv := secrets(t)
	for _, w := range schema.Catalogue() {
		if len(w.Workers) == 0 {
			continue
		}
		t.Run(w.Name, func(t *testing.T) {
			r := newReceiver(t, 200, stored)
			began := time.Now()
			for range 2 {
				if got := wagewire(t, getenv, "send", w.Name, "--url", r.hooks()); got.code != 0 ||
					got.stderr != "" {
					t.Fatalf("got %+v", got)
				}
			}
			ids := map[string]bool{}
			for _, got := range r.took() {
				secret := pinwheelSecret
				id := "event_id"
				times := []string{"payload.timestamp", "payload.created_at",
					"payload.availability.voe.refreshed_at"}
				if w.Provider == schema.Truv {
					secret = truvSecret
					id = "webhook_id"
					times = []string{"event_created_at", "updated_at"}
				}
				checkSigned(t, w.Provider, got, secret, began)
				jsonschematest.Webhook(t, w.Provider, w.Name, got.body)
				if want := "/webhooks/" + string(w.Provider); got.method != "POST" ||
					got.path != want || got.contentType != "application/json" {
					t.Errorf("got %s %s of %s, want POST %s of application/json", got.method,
						got.path, got.contentType, want)
				}
				ids[at(t, got.body, id)] = true
				fresh := 0
				for _, path := range times {
					text := at(t, got.body, path)
					if text == "" {
						continue
					}
					fresh++
					if when, err := schema.ParseTime(text); err != nil || !isFresh(when, began) {
						t.Errorf("%s is %q, which is not now", path, text)
					}
				}
				// The payload of this type is not documented, so its sample has no time.
				isTimeless := w.Name == "earnings_stream.payouts.refreshed"
				if fresh == 0 && !isTimeless {
					t.Errorf("there is no time in %s", got.body)
				}
			}
			if len(ids) != 2 || ids[""] {
				t.Errorf("two webhooks have the ids %v", ids)
			}
		})
	}
}

func TestASampleSaysWhatItIsTold(t *testing.T) {
	getenv := secrets(t)
	for promise, test := range map[string]struct {
		args []string
		want map[string]string
	}{
		"an id": {[]string{"income.added", "--id", "my <id>"},
			map[string]string{"event_id": "my <id>", "payload.outcome": "success"}},
		"an id of a link": {[]string{"link-deleted", "--id", "w-1"},
			map[string]string{"webhook_id": "w-1"}},
		"an account": {[]string{"paystubs.added", "--account", "a.b"},
			map[string]string{"payload.account_id": "a.b"}},
		"a link": {[]string{"link-connected", "--account", "l-1"},
			map[string]string{"link_id": "l-1"}},
		"an end user": {[]string{"shifts.added", "--end-user", "u 1"},
			map[string]string{"payload.end_user_id": "u 1"}},
		"an end user of reports": {[]string{"verification_reports.refreshed", "--end-user",
			"u-2"}, map[string]string{"payload.end_user_id": "u-2"}},
		"a job that is pending": {[]string{"income.added", "--outcome", "pending"},
			map[string]string{"payload.outcome": "pending", "payload.error_code": ""}},
		"a job that failed": {[]string{"income.added", "--outcome", "error"},
			map[string]string{"payload.outcome": "error", "payload.error_code": "systemError",
				"payload.error_type": "systemError"}},
		"flags before the type too": {[]string{"--id", "x", "income.added"},
			map[string]string{"event_id": "x", "event": "income.added"}},
	} {
		t.Run(promise, func(t *testing.T) {
			r := newReceiver(t, 200, stored)
			args := append([]string{"send", "--url", r.hooks()}, test.args...)
			if got := wagewire(t, getenv, args...); got.code != 0 {
				t.Fatalf("got %+v", got)
			}
			body := r.took()[0].body
			for path, want := range test.want {
				if got := at(t, body, path); got != want {
					t.Errorf("%s is %q, want %q, in %s", path, got, want, body)
				}
			}
		})
	}
}

func TestAFileIsSentByteForByte(t *testing.T) {
	const body = " {\"webhook_id\":\"w\",\"webhook_id\": 1.50e0 }\r\n\x00\xff"
	path := fileOf(t, "recorded.json", body)
	for promise, test := range map[string]struct {
		what, stdin string
		provider    schema.Provider
		secret      string
	}{
		"of Pinwheel":            {path, "", schema.Pinwheel, pinwheelSecret},
		"of Truv":                {path, "", schema.Truv, truvSecret},
		"that is standard input": {"-", body, schema.Truv, truvSecret},
	} {
		t.Run(promise, func(t *testing.T) {
			r := newReceiver(t, 200, stored)
			began := time.Now()
			got := wagewireReading(t, secrets(t), test.stdin, "send", test.what, "--provider",
				string(test.provider), "--url", r.hooks()+"/")
			if got.code != 0 || len(r.took()) != 1 {
				t.Fatalf("got %+v and %d requests, want one", got, len(r.took()))
			}
			if diff := cmp.Diff(body, string(r.took()[0].body)); diff != "" {
				t.Errorf("body (-file +sent):\n%s", diff)
			}
			checkSigned(t, test.provider, r.took()[0], test.secret, began)
		})
	}
}

func TestOnlyABackfillIsMarkedAsOne(t *testing.T) {
	for flag, want := range map[string][]string{
		"--backfill":       {"true"},
		"--backfill=false": nil,
		"--times=1":        nil,
	} {
		t.Run(flag, func(t *testing.T) {
			r := newReceiver(t, 200, stored)
			got := wagewire(t, secrets(t), "send", "income.added", flag, "--url", r.hooks())
			if got.code != 0 {
				t.Fatalf("got %+v", got)
			}
			marks := r.took()[0].header.Values("Wagewire-Backfill")
			if diff := cmp.Diff(want, marks); diff != "" {
				t.Errorf("header Wagewire-Backfill (-want +got):\n%s", diff)
			}
		})
	}
}

func TestTheSameWebhookIsSentManyTimes(t *testing.T) {
	r := newReceiver(t, 200, stored)
	got := wagewire(t, secrets(t), "send", "income.added", "--times", "3", "--url", r.hooks())
	bodies := map[string]bool{}
	for _, request := range r.took() {
		bodies[string(request.body)] = true
	}
	if got.code != 0 || strings.Count(got.stdout, "\n") != 3 || len(r.took()) != 3 ||
		len(bodies) != 1 {
		t.Errorf("got %+v, %d requests and %d different bodies, want 3 of one", got, len(r.took()),
			len(bodies))
	}
}

func TestAnAnswerIsOneLineAndOnlyStoredIsSuccess(t *testing.T) {
	for promise, test := range map[string]struct {
		status       int
		answer       string
		header       []string
		code         int
		line, stderr string
	}{
		"stored": {200, `{"id":"e-1","duplicate":false}`, nil, 0,
			`200 id=e-1 duplicate=false took=\S+`, ""},
		"a duplicate is stored": {200, `{"id":"e-1","duplicate":true}`, nil, 0,
			`200 id=e-1 duplicate=true took=\S+`, ""},
		"in quarantine is stored": {200, `{"id":"","duplicate":false,"quarantined":true}`, nil, 0,
			`200 id=- duplicate=false quarantined took=\S+`, ""},
		"an id does nothing to the terminal": {200, `{"id":"\u001b[2J","duplicate":false}`, nil,
			0, `200 id="\\x1b\[2J" duplicate=false took=\S+`, ""},
		"200 of somebody else is not": {200, `<html>welcome</html>`, nil, 1,
			`200 took=\S+`, "the answer is not from ingress: see --url"},
		"200 of somebody's JSON is not": {200, `{"status":"ok"}`, nil, 1, `200 took=\S+`,
			"the answer is not from ingress"},
		"204 is not": {204, ``, nil, 1, `204 took=\S+`,
			"1 of 1 not stored"},
		"a redirect is not, and is not followed": {307, ``, []string{"Location", "/elsewhere"}, 1,
			`307 took=\S+`, "see --url"},
		"unauthorized": {401, `{"error":"unauthorized"}`, nil, 1,
			`401 error="unauthorized" took=\S+`, "ingress does not know the secret, or a clock is wrong"},
		"not served": {404, `{"error":"not found"}`, nil, 1,
			`404 error="not found" took=\S+`, "set PINWHEEL_SECRETS_FILE for it"},
		"not now": {503, `{"error":"service unavailable"}`,
			[]string{"Retry-After", "5"}, 1,
			`503 error="service unavailable" retry-after=5 took=\S+`, "see its /readyz"},
	} {
		t.Run(promise, func(t *testing.T) {
			r := newReceiver(t, test.status, test.answer, test.header...)
			got := wagewire(t, secrets(t), "send", "income.added", "--url", r.hooks())
			if line := regexp.MustCompile("^" + test.line + "\n$"); got.code != test.code ||
				!line.MatchString(got.stdout) || !strings.Contains(got.stderr, test.stderr) {
				t.Errorf("got %+v, want exit code %d, %q and %q", got, test.code, test.line,
					test.stderr)
			}
			if n := len(r.took()); n != 1 {
				t.Errorf("it was sent %d times", n)
			}
		})
	}
}

func TestWhatCannotBeSentIsOneClearLine(t *testing.T) {
	gone := newReceiver(t, 200, stored)
	gone.Close()
	for promise, test := range map[string]struct {
		getenv func(string) string
		args   []string
		want   string
	}{
		"nobody there": {secrets(t), []string{"income.added", "--url", gone.hooks()},
			"no answer from " + gone.hooks() + "/pinwheel: dial tcp"},
		"no secret": {env(), []string{"income.added"},
			"no secret to sign with: give --secret-file, or set PINWHEEL_SECRETS_FILE"},
		"no secret of Truv": {env("PINWHEEL_SECRETS_FILE", "x"), []string{"link-deleted"},
			"TRUV_SECRETS_FILE"},
		"a secret file that is not": {env(),
			[]string{"income.added", "--secret-file", "no-such-file"},
			"--secret-file: stat no-such-file"},
		"a secret file with nothing": {env("TRUV_SECRETS_FILE", fileOf(t, "empty", "\n")),
			[]string{"link-deleted"}, "holds no secret"},
		"a directory": {secrets(t), []string{t.TempDir(), "--provider", "truv"},
			"is a directory"},
		"a file over all measure": {secrets(t),
			[]string{fileOf(t, "large", strings.Repeat("x", bodyBytesMax+1)), "--provider", "truv"},
			"has more than 1048576 bytes"},
		"a flag comes before the env": {secrets(t),
			[]string{"income.added", "--secret-file", fileOf(t, "short", "short")},
			"--secret-file: "},
	} {
		t.Run(promise, func(t *testing.T) {
			got := wagewire(t, test.getenv, append([]string{"send"}, test.args...)...)
			if got.code != 1 || got.stdout != "" || !strings.Contains(got.stderr, test.want) ||
				strings.Count(got.stderr, "\n") != 1 {
				t.Errorf("got %+v, want exit code 1 and %q", got, test.want)
			}
			if strings.Contains(got.stderr, pinwheelSecret) ||
				strings.Contains(got.stderr, truvSecret) {
				t.Errorf("a secret prints: %s", got.stderr)
			}
		})
	}
}

func TestListNamesEveryTypeAndWhichHaveASample(t *testing.T) {
	got := wagewire(t, env(), "send", "--list")
	lines := strings.Split(strings.TrimSpace(got.stdout), "\n")
	if want := len(schema.Catalogue()) + 1; got.code != 0 || len(lines) != want {
		t.Fatalf("got %d lines and exit code %d, want %d", len(lines), got.code, want)
	}
	for i, w := range schema.Catalogue() {
		fields := strings.Fields(lines[i+1])
		want := "no"
		if len(w.Workers) > 0 {
			want = "yes"
		}
		if fields[0] != w.Name || fields[1] != string(w.Provider) || fields[2] != want {
			t.Errorf("line %q, want %s %s %s", lines[i+1], w.Name, w.Provider, want)
		}
	}
}

func TestAnEditChangesOneValueAndNoOther(t *testing.T) {
	const body = `{"c":null,"a":{"b":"x", "n":12345678901234567890.10}}`
	for promise, test := range map[string]struct {
		path, want string
	}{
		"a value within": {"a.b",
			`{"c":null,"a":{"b":"new", "n":12345678901234567890.10}}`},
		"null is a value": {"c",
			`{"c":"new","a":{"b":"x", "n":12345678901234567890.10}}`},
		"an absent value stays absent":        {"d", body},
		"an absent value within stays so too": {"a.d", body},
	} {
		t.Run(promise, func(t *testing.T) {
			got, err := edit{test.path, "new"}.apply([]byte(body))
			if err != nil || string(got) != test.want {
				t.Errorf("got %s, %v, want %s", got, err, test.want)
			}
		})
	}
}
