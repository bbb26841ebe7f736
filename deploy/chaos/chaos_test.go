package chaos

import (
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wagewire/wagewire/deploy/fake"
)

func TestOneSeedIsOneSchedule(t *testing.T) {
	names := []string{"a", "b", "c"}
	one, same, other := kills(1, time.Minute, names, names, names), kills(1, time.Minute, names, names, names), kills(2, time.Minute, names, names, names)
	if !slices.Equal(one, same) || slices.Equal(one, other) {
		t.Errorf("the schedule of kills does not follow the seed")
	}
	text := func(seed uint64) string {
		var b strings.Builder
		for _, m := range misbehaviours(seed, 2*time.Minute) {
			b.WriteString(m.at.String() + m.name + m.fault.Path + m.outage + "\n")
		}
		return b.String()
	}
	if first, same := text(1), text(1); first != same || first == text(2) {
		t.Errorf("the schedule of faults does not follow the seed")
	}
	if first, same := plan(1), plan(1); first != same || first == plan(2) {
		t.Errorf("what is sent does not follow the seed")
	}
}

// plan is what is sent about the first forty people: ids of webhooks are new in every run, all else is the seed's.
func plan(seed uint64) string {
	l := &load{seed: seed, fake: fake.New(fake.Config{}), ledger: newLedger()}
	var b strings.Builder
	for n := range uint64(everyLarge) {
		for _, s := range l.plan(n + 1) {
			b.WriteString(string(s.kind) + " " + s.webhook.Type + " " + s.webhook.Account + "\n")
		}
	}
	return b.String()
}

func TestEveryFaultIsOneTheFakesKnow(t *testing.T) {
	fakes := fake.New(fake.Config{})
	seen := map[string]bool{}
	for _, m := range misbehaviours(1, time.Hour) {
		seen[m.name] = true
		if m.outage != "" {
			continue
		}
		if _, err := fakes.AddFault(m.fault); err != nil {
			t.Errorf("%s: %v", m.name, err)
		}
	}
	for _, name := range []string{"5xx", "429", "time-out", "delay", "cut", "not json", "stale", "missing", "repeated cursor", "404", "410", "422", "redirect", "401", "outage"} {
		if !seen[name] {
			t.Errorf("an hour has no fault %q", name)
		}
	}
}

func TestEveryFlawAppliesToTheSource(t *testing.T) {
	for _, name := range Flaws() {
		f := flaws[name]
		if f.file == "" {
			continue
		}
		if _, err := f.overlay("../..", t.TempDir()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	stale := flaw{file: "deploy/chaos/doc.go", edits: [][2]string{{"what is not there", ""}}}
	if _, err := stale.overlay("../..", t.TempDir()); err == nil {
		t.Error("a flaw that does not apply goes unnoticed")
	}
}

func TestGateNotesWhatIsServedWhole(t *testing.T) {
	const secret = "a-secret-of-sixteen"
	fakes := fake.New(fake.Config{Secrets: map[string]string{fake.Pinwheel: secret, fake.Truv: secret}})
	p := fakes.Person(fake.PersonOptions{Paystubs: 2, Shifts: 1})
	g := newGate(fakes)
	get := func(path string) string {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil)
		r.Header = http.Header{
			"X-Api-Secret": {secret}, "Pinwheel-Version": {"v"}, "X-Access-Client-Id": {fake.TruvClientID}, "X-Access-Secret": {secret},
		}
		w := httptest.NewRecorder()
		defer func() {
			if aborted := recover(); aborted != nil && aborted != any(http.ErrAbortHandler) {
				panic(aborted)
			}
		}()
		g.ServeHTTP(w, r)
		return w.Body.String()
	}

	get("/pinwheel/v1/accounts/" + p.AccountID + "/paystubs?limit=100")
	link := get("/truv/v1/links/" + p.LinkID + "/")
	if n := len(g.records); n != 3 {
		t.Errorf("%d records noted, want 2 paystubs and a link", n)
	}
	if len(g.payDates) != 2 || len(g.troubled) != 0 {
		t.Errorf("pay dates %v, troubled %v: want 2 and none", g.payDates, g.troubled)
	}
	kept, ok := without([]byte(link), "access_token")
	if !ok || strings.Contains(string(kept), "access_token") || !strings.HasPrefix(string(kept), `{"id":`) {
		t.Errorf("a link without its token is %s", kept)
	}
	if !g.records[recordHash("link", p.LinkID, kept)] {
		t.Error("the link is not noted as it must come out, without its token")
	}

	if _, err := fakes.AddFault(fake.Fault{Path: "income", Cut: 20, Times: 1}); err != nil {
		t.Fatal(err)
	}
	get("/pinwheel/v1/accounts/" + p.AccountID + "/income")
	if len(g.records) != 3 || !g.troubled[p.AccountID] {
		t.Errorf("a cut answer: %d records, troubled %v", len(g.records), g.troubled)
	}
	g.shut("identity", time.Now().Add(time.Hour), false)
	if body := get("/pinwheel/v1/accounts/" + p.AccountID + "/identity"); !strings.Contains(body, "outage") {
		t.Errorf("in an outage the answer is %q", body)
	}
	g.open()
	if body := get("/pinwheel/v1/accounts/" + p.AccountID + "/identity"); !strings.Contains(body, p.AccountID) {
		t.Errorf("after an outage the answer is %q", body)
	}
}

func TestProcessIsStartedAgain(t *testing.T) {
	p := newProcess(t.TempDir(), "sleeper", "/bin/sh", os.Environ(), "-c", "echo up; exec sleep 60")
	go p.run(t.Context())
	up := func(lives int) {
		t.Helper()
		for strings.Count(read(t, p.log), "up") < lives {
			select {
			case <-t.Context().Done():
				t.Fatal("it did not start")
			case <-time.After(10 * time.Millisecond):
			}
		}
	}
	up(1)
	if !p.kill(0) {
		t.Error("it could not be killed")
	}
	up(2)
	if !p.pause(t.Context(), time.Millisecond) {
		t.Error("it could not be paused")
	}
	if err := p.stop(); err == nil || !strings.Contains(err.Error(), "terminated") {
		t.Errorf("a command that does not take SIGTERM well: %v", err)
	}
	if kills, pauses, _, faults := p.report(); kills != 1 || pauses != 1 || len(faults) != 0 {
		t.Errorf("kills %d, pauses %d, faults %v: want 1, 1 and none", kills, pauses, faults)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return string(text)
}
