package main

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/wagewire/wagewire/deploy/sandbox"
	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream/streamtest"
)

// hook is a program that takes completions by HTTP. It answers the n-th request, from 1, with the
// status of answer.
type hook struct {
	answer func(n int) int
	// came gets a value with each request, before the answer.
	came chan hooked

	mu   sync.Mutex
	took []hooked
}

// hooked is a request to a hook.
type hooked struct {
	header http.Header
	// length is the length of the body, -1 if the header has none.
	length int64
	body   []byte
	id     string
}

const hookedMax = 1000

func newHook(statuses ...int) *hook {
	answer := func(n int) int { return statuses[min(n, len(statuses))-1] }
	return &hook{answer: answer, came: make(chan hooked, hookedMax)}
}

// start starts the program, and returns its address.
func (h *hook) start(t *testing.T) string {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return server.URL + "/hook"
}

func (h *hook) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	got := hooked{header: r.Header, length: r.ContentLength, body: body}
	var completion struct{ ID string }
	_ = json.Unmarshal(body, &completion)
	got.id = completion.ID
	h.mu.Lock()
	h.took = append(h.took, got)
	n := len(h.took)
	h.mu.Unlock()
	h.came <- got
	w.WriteHeader(h.answer(n))
}

// ids are the ids of the completions that came, sorted.
func (h *hook) ids() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	var ids []string
	for _, got := range h.took {
		ids = append(ids, got.id)
	}
	slices.Sort(ids)
	return ids
}

// next returns the next request.
func (h *hook) next(t *testing.T) hooked {
	t.Helper()
	select {
	case got := <-h.came:
		return got
	case <-streamtest.Late(t):
		t.Fatal("no request comes")
		return hooked{}
	}
}

// asTeam is the environment of a team's program in the sandbox.
func asTeam(s *sandbox.Sandbox) func(string) string { return env("NATS_URL", s.NATSURL) }

func incomeOf(event, account string) completion {
	c := completed("pinwheel", "income.added", event, account, schema.Income, schema.Succeeded)
	c.Data.Records = []json.RawMessage{
		json.RawMessage(`{"id":"` + event + `","amount":12345678901234567890.10,"new":"<a>"}`),
	}
	return c
}

func paystubsOf(event, account string) completion {
	return completed("pinwheel", "paystubs.fully_synced", event, account, schema.Paystubs,
		schema.Succeeded)
}

func deletionOf(event, account string) completion {
	return completed("truv", "link-deleted", event, account, schema.Link, schema.Deleted)
}

func TestACompletionIsForwardedUntilTheProgramHasIt(t *testing.T) {
	t.Parallel()
	s := startSandbox(t)
	const trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	income := incomeOf("e-1", "a-1")
	income.event.TraceParent = trace
	publishCompletions(t, s.Conn, income, paystubsOf("e-2", "a-1"), deletionOf("e-3", "l-1"))
	program := newHook(500, 204)
	got := wagewire(t, asTeam(s), "listen", "--catch-up", "--forward", program.start(t))
	if got.code != 0 {
		t.Fatalf("got %+v", got)
	}
	contains(t, got.stderr, "forwarding the completions of durable lending to http://127.0.0.1:",
		"3 stored by the program, 1 attempt refused or unanswered "+
			"(their completions come again), 0 set aside\n")
	const name = `2026-01-12T12:00:01Z wagewire\.\w+\.\w+\.v1 \w+:e-\d:\w+ → `
	lines := regexp.MustCompile(`(?m)^` + name + `204 [\d.]+(ms|µs|s)$`)
	refused := regexp.MustCompile(`(?m)^` + name + `500 [\d.]+(ms|µs|s), again in 1s: ` +
		`the program failed: see the program's log$`)
	if len(lines.FindAllString(got.stdout, -1)) != 3 ||
		len(refused.FindAllString(got.stdout, -1)) != 1 || strings.Count(got.stdout, "\n") != 4 {
		t.Errorf("printed\n%s", got.stdout)
	}
	want := []string{"pinwheel:e-1:income", "pinwheel:e-2:paystubs", "truv:e-3:link"}
	if diff := cmp.Diff(want, slices.Compact(program.ids())); diff != "" {
		t.Errorf("completions (-want +got):\n%s", diff)
	}
	for _, request := range program.took {
		if request.header.Get("Content-Type") != "application/cloudevents+json" ||
			request.length != int64(len(request.body)) {
			t.Errorf("a request has %v", request.header)
		}
		if request.id == "truv:e-3:link" && request.header.Get("Wagewire-Outcome") != "deleted" {
			t.Errorf("the deletion has %v", request.header)
		}
		if request.id == "pinwheel:e-1:income" {
			contains(t, string(request.body), `"amount":12345678901234567890.10,"new":"<a>"`)
			if got := request.header.Get("traceparent"); got != trace {
				t.Errorf("traceparent is %q", got)
			}
		}
	}

	again := wagewire(t, asTeam(s), "listen", "--catch-up")
	if again.code != 0 || again.stdout != "" ||
		!strings.HasSuffix(again.stderr, "0 printed, 0 attempts refused or unanswered, 0 set aside\n") {
		t.Errorf("what the program has comes again: %+v", again)
	}
}

func TestOneHandSendsOneRequestAtATime(t *testing.T) {
	t.Parallel()
	s := startSandbox(t)
	for n := range 20 {
		id := fmt.Sprint(n)
		publishCompletions(t, s.Conn, incomeOf("e-"+id, "a-"+id))
	}
	var busy sync.Mutex
	program := newHook(204)
	program.answer = func(int) int {
		if !busy.TryLock() {
			return http.StatusConflict
		}
		defer busy.Unlock()
		runtime.Gosched()
		return http.StatusNoContent
	}
	got := wagewire(t, asTeam(s), "listen", "--catch-up", "--hands", "1", "--forward",
		program.start(t))
	if !strings.HasSuffix(got.stderr, "20 stored by the program, 0 attempts "+
		"refused or unanswered, 0 set aside\n") {
		t.Errorf("got %+v", got)
	}
}

func TestAProgramThatStartsLaterGetsWhatCameBefore(t *testing.T) {
	t.Parallel()
	s := startSandbox(t)
	publishCompletions(t, s.Conn, incomeOf("e-1", "a-1"))
	address := fmt.Sprintf("127.0.0.1:%d", streamtest.FreePort(t))
	listen := begin(t, asTeam(s), "listen", "--forward", "http://"+address)
	listen.stdout.await(t, "pinwheel:e-1:income → no answer: connection refused: "+
		"does a program listen on "+address+"? It is tried every second\n")

	program := newHook(204)
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	server := &httptest.Server{Listener: listener, Config: &http.Server{Handler: program}}
	server.Start()
	t.Cleanup(server.Close)
	listen.stdout.await(t, "pinwheel:e-1:income → 204 ")
	listen.interrupt()
	if code := listen.ends(t); code != 0 || strings.Count(listen.stdout.String(), "\n") != 2 {
		t.Errorf("exit code %d, want 0 and two lines:\n%s", code, listen.stdout)
	}
}

func TestCtrlCFinishesWhatIsInHand(t *testing.T) {
	t.Parallel()
	s := startSandbox(t)
	publishCompletions(t, s.Conn, incomeOf("e-1", "a-1"))
	release := make(chan struct{})
	program := newHook(204)
	program.answer = func(int) int {
		<-release
		return http.StatusNoContent
	}
	listen := begin(t, asTeam(s), "listen", "--forward", program.start(t), "--timeout", "1h")
	program.next(t)
	listen.interrupt()
	close(release)
	if code := listen.ends(t); code != 0 {
		t.Errorf("exit code %d, want 0", code)
	}
	contains(t, listen.stdout.String(), "→ 204 ")
	contains(t, listen.stderr.String(), "1 stored by the program, 0 attempts "+
		"refused or unanswered, 0 set aside\n")
	again := wagewire(t, asTeam(s), "listen", "--catch-up")
	contains(t, again.stderr, "0 printed")
}

func TestCtrlCGivesBackWhatNoProgramHas(t *testing.T) {
	t.Parallel()
	s := startSandbox(t)
	publishCompletions(t, s.Conn, incomeOf("e-1", "a-1"))
	listen := begin(t, asTeam(s), "listen", "--forward",
		fmt.Sprintf("http://127.0.0.1:%d", streamtest.FreePort(t)))
	listen.stdout.await(t, "→ no answer")
	listen.interrupt()
	if code := listen.ends(t); code != 0 {
		t.Errorf("exit code %d, want 0", code)
	}
	contains(t, listen.stderr.String(), "0 stored by the program, 1 attempt "+
		"refused or unanswered "+
		"(their completions come again), 0 set aside\n")
	again := wagewire(t, asTeam(s), "listen", "--catch-up")
	contains(t, again.stdout, "2026-01-12T12:00:01Z wagewire.income.succeeded.v1 "+
		"pinwheel:e-1:income records=1\n")
}

func TestOnlyTheFilterAndDeletionsAreTaken(t *testing.T) {
	t.Parallel()
	s := startSandbox(t)
	all := []completion{
		incomeOf("e-1", "a-1"), paystubsOf("e-2", "a-1"), incomeOf("e-3", "a.3"),
		deletionOf("e-4", "l-1"),
	}
	for promise, test := range map[string]struct {
		flags []string
		want  []string
	}{
		"everything without flags": {nil, []string{"e-1", "e-2", "e-3", "e-4"}},
		"resources":                {[]string{"--resources", "income"}, []string{"e-1", "e-3", "e-4"}},
		"an account whose id is no name": {[]string{"--account", "a.3"},
			[]string{"e-3", "e-4"}},
		"two accounts and a resource": {[]string{"--account", "a-1", "--account", "a.3",
			"--resources", "paystubs"}, []string{"e-2", "e-4"}},
	} {
		t.Run(promise, func(t *testing.T) {
			for i := range all {
				all[i].event.ID += "x" // the broker takes an event once
				all[i].ID = all[i].event.CompletionKey(all[i].Data.Resource)
				all[i].event.AccountID = *all[i].Data.AccountID
			}
			publishCompletions(t, s.Conn, all...)
			got := wagewire(t, asTeam(s), append([]string{"listen", "--catch-up"},
				test.flags...)...)
			var ids []string
			for _, found := range regexp.MustCompile(`:(e-\d)x*:`).
				FindAllStringSubmatch(got.stdout, -1) {
				ids = append(ids, found[1])
			}
			slices.Sort(ids)
			if diff := cmp.Diff(test.want, ids); diff != "" || got.code != 0 {
				t.Errorf("exit code %d; (-want +got):\n%s\n%+v", got.code, diff, got)
			}
		})
	}
}

// manyPaystubs are paystubs of so many bytes in all, or some more.
func manyPaystubs(size int) []json.RawMessage {
	var records []json.RawMessage
	filler := strings.Repeat("x", 10_000)
	for total := 0; total < size; {
		record := fmt.Sprintf(`{"id":"p-%d","currency":"USD","gross_pay_amount":150050,`+
			`"amount":12345678901234567890.10,"filler":"%s"}`, len(records), filler)
		total += len(record)
		records = append(records, json.RawMessage(record))
	}
	return records
}

func TestRecordsAreInTheBodyWhereverTheyAre(t *testing.T) {
	t.Parallel()
	s := startSandbox(t)
	for promise, test := range map[string]struct {
		bytes   int
		isKnown bool // the length of the body
	}{
		"in the completion":       {100 << 10, true},
		"in the store":            {600 << 10, true},
		"in the store, and large": {3 << 20, false},
	} {
		t.Run(promise, func(t *testing.T) {
			c := paystubsOf(fmt.Sprint("e-", test.bytes), "a-1")
			c.Data.Records = manyPaystubs(test.bytes)
			want := digestRecords(c.Data.Records)
			publishCompletions(t, s.Conn, c)
			program := newHook(204)
			got := wagewire(t, asTeam(s), "listen", "--catch-up", "--normal", "--forward",
				program.start(t))
			if got.code != 0 || len(program.took) != 1 {
				t.Fatalf("%d requests, and %+v", len(program.took), got)
			}
			request := program.took[0]
			if isKnown := request.length >= 0; isKnown != test.isKnown {
				t.Errorf("the length is %d", request.length)
			}
			checkBody(t, request.body, want, len(c.Data.Records))
		})
	}
}

// checkBody checks the records of a completion with their models.
func checkBody(t *testing.T, body []byte, wantDigest string, wantRecords int) {
	t.Helper()
	var got struct {
		Data struct {
			Outcome    string
			Records    []json.RawMessage
			RecordsRef *schema.RecordsRef `json:"records_ref"`
			Normal     []struct {
				Paystub struct{ ID string }
			}
		}
	}
	if err := json.Unmarshal(body, &got); err != nil {
		t.Fatal(err)
	}
	if got.Data.Outcome != "succeeded" || got.Data.RecordsRef != nil ||
		digestRecords(got.Data.Records) != wantDigest {
		t.Errorf("the body of %d bytes has %d other records, or a reference", len(body),
			len(got.Data.Records))
	}
	if len(got.Data.Normal) != wantRecords {
		t.Fatalf("%d models, want %d", len(got.Data.Normal), wantRecords)
	}
	for i, model := range got.Data.Normal {
		if want := fmt.Sprint("p-", i); model.Paystub.ID != want {
			t.Fatalf("model %d is of %q", i, model.Paystub.ID)
		}
	}
}

func digestRecords(records []json.RawMessage) string {
	digest := sha256.New()
	for _, record := range records {
		_, _ = digest.Write(record)
		_, _ = digest.Write([]byte{0})
	}
	return fmt.Sprintf("%x", digest.Sum(nil))
}

func TestJSONIsTheCompletionWithItsRecordsOnALine(t *testing.T) {
	t.Parallel()
	s := startSandbox(t)
	c := paystubsOf("e-1", "a-1")
	c.Data.Records = manyPaystubs(600 << 10)
	publishCompletions(t, s.Conn, c)
	got := wagewire(t, asTeam(s), "listen", "--catch-up", "--json", "--normal")
	if got.code != 0 || strings.Count(got.stdout, "\n") != 1 {
		t.Fatalf("exit code %d, %d lines, %s", got.code, strings.Count(got.stdout, "\n"),
			got.stderr)
	}
	checkBody(t, []byte(got.stdout), digestRecords(c.Data.Records), len(c.Data.Records))
	contains(t, got.stderr, "printing the completions of durable lending, Ctrl-C ends. "+
		"They are acknowledged", "1 printed")
}

// operate connects to the broker of the sandbox as the operator.
func operate(t *testing.T, s *sandbox.Sandbox) jetstream.JetStream {
	t.Helper()
	nc, err := nats.Connect(s.NATSURL)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	return js
}

func TestRecordsThatAreGoneAreNotSent(t *testing.T) {
	t.Parallel()
	s := startSandbox(t)
	for promise, size := range map[string]int{"small": 600 << 10, "large": 3 << 20} {
		t.Run(promise, func(t *testing.T) {
			c := paystubsOf("e-"+promise, "a-1")
			c.Data.Records = manyPaystubs(size)
			publishCompletions(t, s.Conn, c)
			store, err := operate(t, s).Stream(t.Context(), "OBJ_"+schema.RecordsBucket)
			if err != nil {
				t.Fatal(err)
			}
			if err := store.Purge(t.Context()); err != nil {
				t.Fatal(err)
			}
			program := newHook(204)
			listen := begin(t, asTeam(s), "listen", "--forward", program.start(t))
			listen.stdout.awaitMatch(t, regexp.MustCompile(
				`:e-`+promise+`:paystubs → not sent: chunk 1 of \d+: the records are gone\n`))
			listen.interrupt()
			if code := listen.ends(t); code != 0 || len(program.ids()) != 0 {
				t.Errorf("exit code %d, and the program got %v", code, program.ids())
			}
		})
	}
}

func TestPoisonIsSetAsideAndTheRestIsForwarded(t *testing.T) {
	t.Parallel()
	s := startSandbox(t)
	const subject = "wagewire.completions.pinwheel.income.a-1.e-0"
	if _, err := operate(t, s).Publish(t.Context(), subject, []byte("no completion")); err != nil {
		t.Fatal(err)
	}
	publishCompletions(t, s.Conn, incomeOf("e-1", "a-1"))
	dir := filepath.Join(t.TempDir(), "aside")
	program := newHook(204)
	got := wagewire(t, asTeam(s), "listen", "--catch-up", "--aside", dir, "--forward",
		program.start(t))
	if diff := cmp.Diff([]string{"pinwheel:e-1:income"}, program.ids()); diff != "" {
		t.Errorf("completions (-want +got):\n%s", diff)
	}
	contains(t, got.stderr, "1 stored by the program, 0 attempts refused or unanswered, 1 set aside\n")
	text, err := os.ReadFile(filepath.Join(dir, "WAGEWIRE_COMPLETIONS-1.json"))
	if err != nil || string(text) != "no completion" {
		t.Errorf("kept %q, %v", text, err)
	}
}

func TestWhatIsAsideIsSentAgain(t *testing.T) {
	t.Parallel()
	s := startSandbox(t)
	dir := t.TempDir()
	for name, c := range map[string]completion{
		"WAGEWIRE_COMPLETIONS-9.json":  incomeOf("e-1", "a-1"),
		"WAGEWIRE_COMPLETIONS-10.json": deletionOf("e-2", "l-1"),
	} {
		text, err := c.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	program := newHook(204, 400, 204)
	again := []string{"listen", "--aside", dir, "--retry-aside", "--forward", program.start(t)}
	got := wagewire(t, asTeam(s), again...)
	contains(t, got.stdout, "pinwheel:e-1:income → 204 ", "truv:e-2:link → 400 ", ", stays aside: ")
	contains(t, got.stderr, "1 stored by the program, 1 attempt refused or unanswered "+
		"(their completions stay aside), 0 set aside\n",
		"WAGEWIRE_COMPLETIONS-10.json stays aside: answer 400: ")
	if got.code != 1 {
		t.Errorf("exit code %d, want 1", got.code)
	}
	got = wagewire(t, asTeam(s), again...)
	left, err := os.ReadDir(dir)
	if err != nil || got.code != 0 || len(left) != 0 {
		t.Errorf("%d files are left, %v: %+v", len(left), err, got)
	}
}

func TestATeamListensWithItsKeyAlone(t *testing.T) {
	t.Parallel()
	s := startSandbox(t)
	publishCompletions(t, s.Conn, incomeOf("e-1", "a-1"))
	seed := filepath.Join(filepath.Dir(s.OperatorKey), "nats_team_lending.nk")
	got := wagewire(t, asTeam(s), "listen", "--catch-up", "--seed-file", seed)
	if got.code != 0 || strings.Count(got.stdout, "\n") != 1 {
		t.Errorf("got %+v", got)
	}
	got = wagewire(t, env("NATS_URL", s.NATSURL, "NATS_SEED_FILE", seed), "listen",
		"--catch-up", "--durable", "audit")
	if got.code != 1 || !strings.Contains(got.stderr, "durable audit: no such durable") {
		t.Errorf("got %+v", got)
	}
}

func TestListenThatCannotBeginIsToldWhy(t *testing.T) {
	for promise, test := range map[string]struct {
		getenv func(string) string
		args   []string
		want   string
	}{
		"no broker": {env("NATS_URL", nowhere), []string{"--wait", "0"}, "NATS_URL: connect: "},
		"no broker for long": {env("NATS_URL", nowhere), []string{"--wait", "1ms"},
			"no answer within 1ms: NATS_URL: connect: "},
		"a seed that is none": {env(), []string{"--seed-file", fileOf(t, "x.nk", "no seed")},
			"holds no seed of a team's key"},
		"a seed file that is not there": {env(), []string{"--seed-file", "no-such-file"},
			"--seed-file: open no-such-file"},
		"an address in quotes": {env("NATS_URL", `"nats://127.0.0.1:4222"`), nil, "NATS_URL"},
	} {
		t.Run(promise, func(t *testing.T) {
			got := wagewire(t, test.getenv, append([]string{"listen"}, test.args...)...)
			if got.code != 1 || got.stdout != "" || !strings.Contains(got.stderr, test.want) {
				t.Errorf("got %+v, want exit code 1 and %q", got, test.want)
			}
		})
	}
}
