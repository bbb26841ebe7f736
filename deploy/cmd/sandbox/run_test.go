package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"
	"go.uber.org/goleak"
	"go.uber.org/zap"

	"github.com/wagewire/wagewire/deploy/fake"
	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
	"github.com/wagewire/wagewire/schema/stream/streamtest"
)

var update = flag.Bool("update", false, "write testdata/help.golden")

// asSandbox is a variable that makes the test binary the sandbox.
const asSandbox = "RUN_AS_SANDBOX"

func TestMain(m *testing.M) {
	if os.Getenv(asSandbox) != "" {
		main()
	}
	goleak.VerifyTestMain(m)
}

// onFreePorts returns flags that let every part listen on a free port.
func onFreePorts(more ...string) []string {
	ports := []string{
		"--webhooks-port=0", "--nats-port=0", "--providers-port=0", "--admin-port=0",
		"--console-port=0",
	}
	return append(ports, more...)
}

func env(pairs ...string) func(string) string {
	return func(key string) string {
		for i := 0; i+1 < len(pairs); i += 2 {
			if pairs[i] == key {
				return pairs[i+1]
			}
		}
		return ""
	}
}

func TestOnce(t *testing.T) {
	var stdout, stderr bytes.Buffer
	code := run(t.Context(), onFreePorts("--once"), env(), &stdout, &stderr)
	if code != 0 || stderr.Len() > 0 {
		t.Fatalf("exit %d, stderr %q, stdout:\n%s", code, &stderr, &stdout)
	}
	lines, summary, ok := strings.Cut(stdout.String(), "\nSummary\n")
	if !ok {
		t.Fatalf("no summary:\n%s", &stdout)
	}
	types := 0
	for _, w := range schema.Catalogue() {
		if !isPlayed(w) {
			continue
		}
		types++
		name := regexp.QuoteMeta(w.Name)
		row := regexp.MustCompile(`(?m)^  ` + name + ` +\d+ +\d+ +(\d+ )?(succeeded|disconnected|deleted)[ ,]`)
		if !row.MatchString(summary) {
			t.Errorf("the summary has no outcome of %s:\n%s", w.Name, summary)
		}
		for _, r := range w.Workers { // one of several completions may have failed
			line := regexp.MustCompile(`(?m)^  ` + name + `( done)? +\S+ +` + string(r) +
				` +(succeeded|disconnected|deleted) +\d+ +1 +\S+s$`)
			if !line.MatchString(lines) {
				t.Errorf("no line for the completion of %s by %s:\n%s", w.Name, r, lines)
			}
		}
	}
	for _, status := range []string{"new", "login", "parse", "full_parse", "done", "login_error"} {
		line := regexp.MustCompile(`(?m)^  task-status-updated ` + status + ` +[0-9a-f]{8} +verif`)
		if n := len(line.FindAllString(lines, -1)); n != 1 {
			t.Errorf("%d lines are about a task that is %s:\n%s", n, status, lines)
		}
	}
	const note = "\n\nTruv also gives the earlier employment and its paystubs. An account at Pinwheel "
	if !strings.Contains(lines, note) {
		t.Errorf("it does not say why Truv gives more:\n%s", lines)
	}
	const want = "ok 28 types, 40 webhooks, 46 completions: every event has all its completions.\n"
	if types != 28 || !strings.HasSuffix(summary, want) {
		t.Errorf("%d types; the summary does not end with %q:\n%s", types, want, summary)
	}
	for _, same := range []string{
		`employments +1 +2`,
		`the newest +(Fictional & Sons, since \d{4}-\d\d-\d\d) +(Fictional & Sons, since .*)`,
		`pay +(\d+\.\d\d USD hourly) +(.*)`,
		`paystubs +31 +34`,
		`the newest +(\d{4}-\d\d-\d\d, gross \d+\.\d\d USD) +(\d{4}.*)`,
		`shifts +(90) +(.*)`,
	} {
		fact := regexp.MustCompile(`(?m)^  ` + same + `$`).FindStringSubmatch(lines)
		if fact == nil || len(fact) > 1 && fact[1] != fact[2] {
			t.Errorf("the providers do not say the same of %s:\n%s", same, lines)
		}
	}
	if strings.Contains(stdout.String(), "\x1b") {
		t.Error("there is colour where no terminal is")
	}
	for _, canary := range []string{"Canary", "Notaperson", "access_token"} {
		if strings.Contains(stdout.String(), canary) {
			t.Errorf("it prints %q of a person's data", canary)
		}
	}
}

// isPlayed reports whether the demonstration has a webhook of the type. The fakes send the others
// only when asked.
func isPlayed(w schema.WebhookType) bool {
	isOfARefresh := w.Provider == schema.Truv && w.Action == schema.ActionUpdated
	onlyNoted := slices.Equal(w.Workers, []schema.Resource{schema.Notices})
	return len(w.Workers) > 0 && !onlyNoted && !isOfARefresh && w.Name != "account.removed"
}

func TestHelp(t *testing.T) {
	const golden = "testdata/help.golden"
	for _, arg := range []string{"--help", "-h"} {
		var stdout, stderr bytes.Buffer
		code := run(t.Context(), []string{arg}, env(), &stdout, &stderr)
		if code != 0 || stderr.Len() > 0 {
			t.Fatalf("%s: exit %d, stderr %q", arg, code, &stderr)
		}
		if *update {
			if err := os.WriteFile(golden, stdout.Bytes(), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), stdout.String()); diff != "" {
			t.Errorf("-%s (repair: go test -update) +printed:\n%s", golden, diff)
		}
	}
}

func TestVersion(t *testing.T) {
	for _, arg := range []string{"--version", "version"} {
		var stdout bytes.Buffer
		code := run(t.Context(), []string{arg}, env(), &stdout, io.Discard)
		if code != 0 || !strings.HasPrefix(stdout.String(), "sandbox ") {
			t.Errorf("%s: exit %d, %q", arg, code, &stdout)
		}
	}
}

func TestRefuses(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte("a-secret-for-tests-only\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	demo := filepath.Join(t.TempDir(), "demo")
	if err := os.WriteFile(demo, []byte(fake.Secret(fake.Truv)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	taken, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	port := fmt.Sprint(taken.Addr().(*net.TCPAddr).Port)

	const seeHelp = `\nsee: sandbox --help`
	const inUse = `: .*in use: choose another port, or 0 for any`
	tests := []struct {
		name string
		args []string
		env  []string
		code int
		want string // all of stderr, as a pattern
	}{
		{"an unknown flag", []string{"--colour"}, nil, 2,
			`sandbox: unknown flag: --colour` + seeHelp},
		{"a port that is no number", []string{"--nats-port=many"}, nil, 2,
			`sandbox: invalid argument "many" for "--nats-port" flag: .*` + seeHelp},
		{"an argument", []string{"once"}, nil, 2,
			`sandbox: there is no command "once"` + seeHelp},
		{"providers that are neither fake nor real", []string{"--providers=some"}, nil, 2,
			`sandbox: --providers: "some" is neither fake nor real` + seeHelp},
		{"a demonstration of nothing", []string{"--once", "--no-demo"}, nil, 2,
			`sandbox: --once ends .* choose one` + seeHelp},
		{"a demonstration with real providers", []string{"--once", "--providers=real"}, nil, 2,
			`sandbox: --once: only the fake providers .*` + seeHelp},
		{
			"a log level that is none",
			onFreePorts(), []string{"LOG_LEVEL", "loud"}, 1,
			`sandbox: LOG_LEVEL: "loud" is none of .*`,
		},
		{
			"a ladder that is none",
			onFreePorts(), []string{"RETRY_LADDER", "soon"}, 1,
			`sandbox: RETRY_LADDER: "soon" is not .*`,
		},

		{"a port of webhooks that is taken", onFreePorts("--webhooks-port", port), nil, 1,
			`sandbox: --webhooks-port: listen tcp 127.0.0.1:` + port + inUse},
		{"a port of NATS that is taken", onFreePorts("--nats-port", port), nil, 1,
			`sandbox: --nats-port: listen tcp 127.0.0.1:` + port + inUse},
		{"a port of the providers that is taken", onFreePorts("--providers-port", port), nil, 1,
			`sandbox: --providers-port: listen tcp 127.0.0.1:` + port + inUse},
		{"an admin port that is taken", onFreePorts("--admin-port", port), nil, 1,
			`sandbox: --admin-port: listen tcp 127.0.0.1:` + port + inUse},
		{"a port of the console that is taken", onFreePorts("--console-port", port), nil, 1,
			`sandbox: --console-port: listen tcp 127.0.0.1:` + port + inUse},
		{
			"roles of groups without a proxy",
			onFreePorts(), []string{"CONSOLE_ROLES", "act=payroll"}, 1,
			`sandbox: CONSOLE_ROLES: groups come from a proxy: set CONSOLE_TRUSTED_PROXIES .*`,
		},
		{
			"a port that is none",
			onFreePorts("--nats-port=70000"), nil, 1, `sandbox: --nats-port: .*70000.*`,
		},

		// Beneath a file nobody can write, not even root.
		{
			"a directory that cannot be made",
			onFreePorts("--dir", filepath.Join(file, "state")), nil, 1,
			`sandbox: --dir: .*not a directory: choose another directory`,
		},
		{
			"a file for a directory",
			onFreePorts("--dir", file), nil, 1,
			`sandbox: --dir: .*not a directory: choose another directory`,
		},

		{
			"real providers without any secret",
			onFreePorts("--providers=real"), nil, 1,
			`sandbox: neither PINWHEEL_SECRETS_FILE nor TRUV_SECRETS_FILE is set: .*`,
		},
		{
			"a secrets file that is not there",
			onFreePorts("--providers=real"), []string{"TRUV_SECRETS_FILE", file + "2"}, 1,
			`sandbox: TRUV_SECRETS_FILE: .*no such file.*`,
		},
		{
			"a provider whose webhooks are received and whose API is never called",
			onFreePorts("--providers=real"), []string{"PINWHEEL_SECRETS_FILE", file}, 1,
			`sandbox: PINWHEEL_API_SECRET_FILE is not set, and PINWHEEL_SECRETS_FILE is: ` +
				`set both, or neither`,
		},
		{
			"a secret of the demonstration with a real provider",
			onFreePorts("--providers=real"), []string{"TRUV_SECRETS_FILE", demo}, 1,
			`sandbox: TRUV_SECRETS_FILE: .*: the demonstration's keys are public, and the host of ` +
				`TRUV_URL, which is not set, is real: .*`,
		},
		{
			"a client id of the demonstration with a real provider",
			onFreePorts("--providers=real"),
			[]string{"TRUV_SECRETS_FILE", file, "TRUV_ACCESS_SECRET_FILE", file,
				"TRUV_CLIENT_ID", fake.TruvClientID}, 1,
			`sandbox: TRUV_CLIENT_ID: the demonstration's keys are public, .*`,
		},
		{
			"a real provider without TLS",
			onFreePorts("--providers=real"),
			[]string{"TRUV_SECRETS_FILE", file, "TRUV_ACCESS_SECRET_FILE", file,
				"TRUV_CLIENT_ID", "client", "TRUV_URL", "http://prod.truv.com"}, 1,
			`sandbox: TRUV_URL: http:// to a real host .*ALLOW_HTTP=1.*`,
		},
		{
			"Truv without a client id",
			onFreePorts("--providers=real"),
			[]string{"TRUV_SECRETS_FILE", file, "TRUV_ACCESS_SECRET_FILE", file}, 1,
			`sandbox: TRUV_CLIENT_ID is not set: .*`,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			code := run(t.Context(), tt.args, env(tt.env...), &stdout, &stderr)
			if code != tt.code || stdout.Len() > 0 {
				t.Errorf("exit %d, want %d; stdout %q", code, tt.code, &stdout)
			}
			if !regexp.MustCompile(`^` + tt.want + `\n$`).MatchString(stderr.String()) {
				t.Errorf("stderr is %q, want %q", &stderr, tt.want)
			}
		})
	}
}

// screen keeps what is printed.
type screen struct {
	mu   sync.Mutex
	text strings.Builder
}

func (c *screen) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.text.Write(p)
}

func (c *screen) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.text.String()
}

// running is a sandbox that somebody looks at.
type running struct {
	*screen
	stderr *screen
	stop   context.CancelFunc
	exit   chan int
}

func start(t *testing.T, getenv func(string) string, args ...string) *running {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	r := &running{&screen{}, &screen{}, cancel, make(chan int, 1)}
	var stdout, stderr io.Writer = r.screen, r.stderr
	go func() { r.exit <- run(ctx, onFreePorts(args...), getenv, stdout, stderr) }()
	return r
}

// waitFor returns when the text is printed.
func (r *running) waitFor(t *testing.T, text string) {
	t.Helper()
	streamtest.Eventually(t, fmt.Sprintf("%q is printed", text), func() bool {
		if len(r.exit) > 0 && !strings.Contains(r.String(), text) {
			t.Fatalf("it ended before it printed %q: %s\n%s", text, r.stderr, r)
		}
		return strings.Contains(r.String(), text)
	})
}

// ended stops the sandbox as Ctrl-C does, and expects exit code 0.
func (r *running) ended(t *testing.T) {
	t.Helper()
	r.stop()
	if code := <-r.exit; code != 0 || r.stderr.String() != "" {
		t.Errorf("exit %d, stderr %q:\n%s", code, r.stderr, r)
	}
}

func TestCtrlC(t *testing.T) {
	t.Run("after the demonstration", func(t *testing.T) {
		r := start(t, env())
		r.waitFor(t, "every event has all its completions.")
		r.waitFor(t, "Completions appear below; Ctrl-C ends.")
		r.ended(t)
	})
	t.Run("in the middle of it", func(t *testing.T) {
		r := start(t, env())
		r.waitFor(t, "A person links a payroll account")
		r.ended(t)
		if strings.Contains(r.String(), "not ok") {
			t.Errorf("what was stopped is no failure:\n%s", r)
		}
	})
	t.Run("before it is up", func(t *testing.T) {
		r := start(t, env())
		r.ended(t)
	})
	t.Run("with real providers", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "truv")
		if err := os.WriteFile(file, []byte("a-secret-for-tests-only\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		getenv := env(
			"TRUV_SECRETS_FILE", file, "TRUV_ACCESS_SECRET_FILE", file, "TRUV_CLIENT_ID", "client",
		)
		r := start(t, getenv, "--providers=real", "--dir", t.TempDir())
		r.waitFor(t, "Point your providers' webhooks at http://127.0.0.1:")
		greeting := r.String()
		if strings.Contains(greeting, "with the token") {
			t.Errorf("it prints a token, and its output may be kept:\n%s", r)
		}
		if strings.Contains(greeting, "fake") || !strings.Contains(greeting, "and 9 workers") {
			t.Errorf("it greets with:\n%s", r)
		}
		checkOperator(t, greeting)
		r.ended(t)
	})
}

// checkOperator connects as the greeting says. Without the key, nobody connects.
func checkOperator(t *testing.T, greeting string) {
	t.Helper()
	said := regexp.MustCompile(`NATS_URL=(\S+) NATS_CREDS_FILE=(\S+) wagewire status\n`).
		FindStringSubmatch(greeting)
	if said == nil {
		t.Fatalf("it does not say how to use wagewire:\n%s", greeting)
	}
	config := stream.Config{URL: said[1], CredsFile: said[2]}
	conn, err := stream.Connect(config, t.Name(), zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, _, err := stream.NewOperator(conn).Status(t.Context()); err != nil {
		t.Errorf("with the key of the operator: %v", err)
	}
	if nc, err := nats.Connect(said[1]); !errors.Is(err, nats.ErrAuthorization) {
		nc.Close()
		t.Errorf("without a key: error %v", err)
	}
}

func TestAnAccountAtTruvStays(t *testing.T) {
	r := start(t, env(), "--no-demo")
	r.waitFor(t, "What next")
	said := regexp.MustCompile(`curl .* (http://\S+/control/people/(\S+)/play) -d '(.*)'\n +` +
		`export NATS_URL=(\S+)\n`).FindStringSubmatch(r.String())
	if said == nil {
		t.Fatalf("it does not say how to get one:\n%s", r)
	}
	link := said[2]
	request, err := http.NewRequestWithContext(
		t.Context(), http.MethodPost, said[1], strings.NewReader(said[3]))
	if err != nil {
		t.Fatal(err)
	}
	request.Close = true
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	if response.Body.Close(); response.StatusCode != http.StatusOK {
		t.Fatalf("the fakes answered %d", response.StatusCode)
	}
	conn, err := stream.Connect(stream.Config{URL: said[4]}, t.Name(), zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	streamtest.Eventually(t, "the account is ready", func() bool {
		var isReady bool
		err := stream.NewOperator(conn).States(t.Context(), func(a schema.Account) error {
			isReady = isReady || a.Subject == link && a.Data.Status == schema.AccountReady
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return isReady
	})
	r.waitFor(t, "  task-status-updated done          "+link[:8]+"   verification_reports  succeeded")
	if strings.Contains(r.String(), "link-deleted") {
		t.Errorf("the link is deleted:\n%s", r)
	}
	r.ended(t)
}

func TestOwnWebhooks(t *testing.T) {
	r := start(t, env(), "--no-demo")
	r.waitFor(t, "What next")
	const address = `  console    http://127\.0\.0\.1:\d+\n +to act there, log in with the token [0-9a-f]{64}\n`
	if !regexp.MustCompile(address).MatchString(r.String()) {
		t.Errorf("it does not say where the console is, and who may act:\n%s", r)
	}
	if strings.Contains(r.String(), "A person links") {
		t.Errorf("--no-demo plays one:\n%s", r)
	}
	find := func(pattern string) []string {
		return regexp.MustCompile(pattern).FindStringSubmatch(r.String())
	}
	url := find(`curl -d "\$body" .* (http://127\.0\.0\.1:\d+/webhooks)/pinwheel\n`)
	account := find(`"account_id":"([^"]+)"`)
	key := find(`-hmac (\S+) `)
	if url == nil || account == nil || key == nil {
		t.Fatalf("it does not say how to send a webhook:\n%s", r)
	}
	// A sender that knows no more than what is printed.
	sender := fake.New(fake.Config{
		Secrets: map[string]string{fake.Pinwheel: key[1]}, WebhookURL: url[1],
	})
	defer sender.Close()
	const body = `{"event":"employment.added","event_id":"mine",` +
		`"payload":{"account_id":%q,"outcome":"success"}}`
	answer, err := sender.SendWithRetries(t.Context(), fake.Webhook{
		Provider: "pinwheel", ID: "mine", Type: "employment.added",
		Body: fmt.Appendf(nil, body, account[1]),
	})
	if err != nil || answer.Status != 200 {
		t.Fatalf("answered %d %s %v", answer.Status, answer.Body, err)
	}
	r.waitFor(t, "  employment.added                  "+account[1][:8]+
		"   employment            succeeded")
	r.ended(t)
}
