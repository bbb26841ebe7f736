package chaos

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wagewire/wagewire/deploy/fake"
	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream/streamtest"
)

func TestASeedDecidesTheSchedule(t *testing.T) {
	names := []string{"a", "b", "c"}
	schedule := func(seed uint64) []kill {
		return kills(seed, time.Minute, names, names, names)
	}
	if !slices.Equal(schedule(1), schedule(1)) || slices.Equal(schedule(1), schedule(2)) {
		t.Errorf("the schedule of kills does not follow the seed")
	}
	text := func(seed uint64) string {
		var b strings.Builder
		for _, m := range misbehaviours(seed, 2*time.Minute) {
			b.WriteString(m.at.String() + m.name + m.fault.Path + m.outage + "\n")
		}
		return b.String()
	}
	first := text(1)
	if first != text(1) || first == text(2) {
		t.Errorf("the schedule of faults does not follow the seed")
	}
	first = plan(1)
	if first != plan(1) || first == plan(2) {
		t.Errorf("what is sent does not follow the seed")
	}
}

// plan describes the webhooks about the first forty people. It leaves out the ids of webhooks,
// which are new in every run.
func plan(seed uint64) string {
	l := &load{seed: seed, fake: fake.New(fake.Config{}), ledger: newLedger()}
	var b strings.Builder
	for n := range uint64(largeEvery) {
		for _, s := range l.plan(n + 1) {
			b.WriteString(string(s.kind) + " " + s.webhook.Type + " " + s.webhook.Account + "\n")
		}
	}
	return b.String()
}

func TestTheFakesKnowEveryFault(t *testing.T) {
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
	names := []string{"401", "outage"}
	percent := 0
	for _, row := range faults {
		names = append(names, row.name)
		percent += row.percent
	}
	if percent != 100 {
		t.Errorf("the percentages of the faults add up to %d", percent)
	}
	for _, name := range names {
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
		if _, err := f.writeOverlay("../..", t.TempDir()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	stale := flaw{file: "deploy/chaos/doc.go",
		edits: [][2]string{{"a text that the file does not have", ""}}}
	if _, err := stale.writeOverlay("../..", t.TempDir()); err == nil {
		t.Error("a flaw that does not apply is not an error")
	}
}

func TestTheGateNotesCompleteAnswers(t *testing.T) {
	fakes := fake.New(fake.Config{})
	p := fakes.Person(fake.PersonOptions{Paystubs: 2, Shifts: 1})
	g := newGate(fakes)
	get := func(path string) string {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil)
		r.Header = http.Header{
			"X-Api-Secret":       {fake.Secret(fake.Pinwheel)},
			"Pinwheel-Version":   {"v"},
			"X-Access-Client-Id": {fake.TruvClientID},
			"X-Access-Secret":    {fake.Secret(fake.Truv)},
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
	stripped, ok := without([]byte(link), "access_token")
	if !ok || strings.Contains(string(stripped), "access_token") ||
		!strings.HasPrefix(string(stripped), `{"id":`) {
		t.Errorf("a link without its token is %s", stripped)
	}
	if !g.records[recordHash("link", p.LinkID, stripped)] {
		t.Error("the link is not noted without its token")
	}

	if _, err := fakes.AddFault(fake.Fault{Path: "income", Cut: 20, Times: 1}); err != nil {
		t.Fatal(err)
	}
	get("/pinwheel/v1/accounts/" + p.AccountID + "/income")
	if len(g.records) != 3 || !g.troubled[p.AccountID] {
		t.Errorf("a cut answer: %d records, troubled %v", len(g.records), g.troubled)
	}
	g.shut("identity", time.Now().Add(time.Hour), false)
	if body := get("/pinwheel/v1/accounts/" + p.AccountID + "/identity"); !strings.Contains(body,
		"outage") {
		t.Errorf("in an outage the answer is %q", body)
	}
	g.open()
	if body := get("/pinwheel/v1/accounts/" + p.AccountID + "/identity"); !strings.Contains(body,
		p.AccountID) {
		t.Errorf("after an outage the answer is %q", body)
	}
}

func TestAKilledProcessIsRestarted(t *testing.T) {
	p := newProcess(t.TempDir(), "sleeper", "/bin/sh", os.Environ(), "-c", "echo up; exec sleep 100000")
	go p.run(t.Context())
	up := func(lives int) {
		t.Helper()
		streamtest.Eventually(t, fmt.Sprintf("start %d of the command", lives), func() bool {
			return strings.Count(read(t, p.log), "up") >= lives
		})
	}
	up(1)
	if !p.kill(0) {
		t.Error("the command could not be killed")
	}
	up(2)
	if !p.pause(t.Context(), time.Millisecond) {
		t.Error("the command could not be paused")
	}
	if err := p.stop(); err == nil || !strings.Contains(err.Error(), "terminated") {
		t.Errorf("a command that dies of SIGTERM: %v", err)
	}
	if h := p.history(); h.kills != 1 || h.pauses != 1 || len(h.faults) != 0 {
		t.Errorf("history %+v: want 1 kill, 1 pause and no fault", h)
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

func TestEveryProviderHasARow(t *testing.T) {
	for _, p := range schema.Providers() {
		row, ok := providers[p]
		if !ok || row.called == nil || row.recordsIn == nil ||
			row.announced == nil {
			t.Errorf("%s: add a complete row to providers in deploy/chaos/provider.go", p)
		}
	}
}
