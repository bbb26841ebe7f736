package chaos

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wagewire/wagewire/deploy/fake"
	"github.com/wagewire/wagewire/deploy/flood"
	"github.com/wagewire/wagewire/deploy/ledger"
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
	if !slices.EqualFunc(sieges(1, time.Minute), sieges(1, time.Minute), isSameSiege) ||
		slices.EqualFunc(sieges(1, time.Minute), sieges(2, time.Minute), isSameSiege) {
		t.Errorf("the schedule of sieges does not follow the seed")
	}
	if !slices.EqualFunc(waves(1, time.Minute), waves(1, time.Minute), isSameWave) ||
		slices.EqualFunc(waves(1, time.Minute), waves(2, time.Minute), isSameWave) {
		t.Errorf("the schedule of floods does not follow the seed")
	}
	first = plan(1)
	if first != plan(1) || first == plan(2) {
		t.Errorf("what is sent does not follow the seed")
	}
}

func isSameSiege(a, b siege) bool {
	restarts := slices.Equal(a.restarts, b.restarts)
	return a.at == b.at && a.resource == b.resource && a.outage == b.outage && restarts
}

func isSameWave(a, b wave) bool {
	return a.at == b.at && a.attack.Name == b.attack.Name && a.sources == b.sources &&
		a.lasts == b.lasts
}

func TestEveryAttackIsInTheScheduleOfTwoMinutes(t *testing.T) {
	seen := map[string]bool{}
	sources := map[int]bool{}
	list := waves(1, 2*time.Minute)
	if name := list[0].attack.Name; name != "slow bodies" {
		t.Errorf("the first flood is of %s: the shortest run must have slow bodies", name)
	}
	for _, w := range list {
		seen[w.attack.Name] = true
		sources[w.sources] = true
	}
	if len(seen) != len(flood.Attacks()) {
		t.Errorf("floods of %v, want all attacks", seen)
	}
	if flood.HasManySources && len(sources) != 2 {
		t.Errorf("floods from %v addresses, want from one and from many", sources)
	}
}

func TestEverySiegeEndsBeforeTheNext(t *testing.T) {
	list := sieges(1, time.Hour)
	seen := map[string]bool{}
	for i, s := range list {
		seen[s.resource] = true
		if i > 0 && s.at <= list[i-1].at+list[i-1].lasts {
			t.Errorf("siege %d begins at %v, in the siege before", i, s.at)
		}
	}
	if len(seen) != len(resources) {
		t.Errorf("sieges of %v, want all of %v", seen, resources)
	}
}

func TestARefusedCallIsAnsweredOnceMoreWith404(t *testing.T) {
	fakes := fake.New(fake.Config{})
	p := fakes.Person(fake.PersonOptions{})
	g := newGate(fakes, neverSteady)
	g.shut("income", outage{until: time.Now().Add(time.Hour), refusal: 429, retryAfter: "7"})
	refused := g.nextRefusal()
	path := "/pinwheel/v1/accounts/" + p.AccountID + "/income"
	if w := ask(t, g, path); w.Code != 429 || w.Header().Get("Retry-After") != "7" {
		t.Errorf("in the siege: status %d, Retry-After %q", w.Code, w.Header().Get("Retry-After"))
	}
	select {
	case <-refused:
	default:
		t.Error("the refusal was not announced")
	}
	if w := ask(t, g, "/pinwheel/v1/accounts/"+p.AccountID+"/identity"); w.Code != 200 {
		t.Errorf("another resource is answered %d", w.Code)
	}
	g.open()
	for _, want := range []int{404, 200, 200} {
		if w := ask(t, g, path); w.Code != want {
			t.Errorf("after the siege: status %d, want %d", w.Code, want)
		}
	}
	want := ledger.Answers{Lagging: 1}
	income := ledger.Target{Account: p.AccountID, Resource: "income"}
	if got := g.served.AnswersTo(income); got != want {
		t.Errorf("noted %+v, want %+v", got, want)
	}
}

func TestADeletionOvertakesTheAnswerBefore(t *testing.T) {
	l := &load{seed: 1, fake: fake.New(fake.Config{}), ledger: ledger.New()}
	overtaken := 0
	followed := 0
	for n := range uint64(largeEvery) {
		var before sending
		for _, s := range l.plan(n + 1) {
			if s.overtaken {
				overtaken++
			}
			if before.overtaken && s.webhook.Type == "link-deleted" {
				followed++
			}
			before = s
		}
	}
	// The plan moves some webhooks.
	if followed == 0 || followed < overtaken/2 {
		t.Errorf("%d deletions follow at once on %d webhooks", followed, overtaken)
	}
}

func TestADelayedAnswerIsOlderThanTheDeletion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fakes := fake.New(fake.Config{})
		p := fakes.Person(fake.PersonOptions{})
		g := newGate(fakes, neverSteady)
		made := g.delayNext(p.LinkID)
		path := "/truv/v1/links/" + p.LinkID + "/"
		began := time.Now()
		answered := make(chan int)
		go func() { answered <- ask(t, g, path).Code }()
		<-made
		if w := ask(t, g, path); w.Code != 200 || time.Since(began) > 0 {
			t.Errorf("a second answer: status %d after %v", w.Code, time.Since(began))
		}
		if status := <-answered; status != 200 || time.Since(began) != delayedFor {
			t.Errorf("the delayed answer: status %d after %v", status, time.Since(began))
		}
	})
}

// plan describes the webhooks about the first forty people. It leaves out the ids of webhooks,
// which are new in every run.
func plan(seed uint64) string {
	l := &load{seed: seed, fake: fake.New(fake.Config{}), ledger: ledger.New()}
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
	names := []string{"outage"}
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

// neverSteady lets a gate judge no hold.
func neverSteady(string) (since time.Time, steady bool) { return time.Time{}, false }

// ask calls the gate as the process "caller" with the credentials of every provider. It returns the
// part of the answer that came: an answer may be cut.
func ask(t *testing.T, g *gate, path string) (w *httptest.ResponseRecorder) {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/caller"+path, nil)
	r.Header = http.Header{
		"X-Api-Secret":       {fake.Secret(fake.Pinwheel)},
		"Pinwheel-Version":   {"v"},
		"X-Access-Client-Id": {fake.TruvClientID},
		"X-Access-Secret":    {fake.Secret(fake.Truv)},
	}
	w = httptest.NewRecorder()
	defer func() {
		if aborted := recover(); aborted != nil && aborted != any(http.ErrAbortHandler) {
			panic(aborted)
		}
	}()
	g.ServeHTTP(w, r)
	return w
}

func TestTheGateNotesCompleteAnswers(t *testing.T) {
	fakes := fake.New(fake.Config{})
	p := fakes.Person(fake.PersonOptions{Paystubs: 2, Shifts: 1})
	g := newGate(fakes, neverSteady)
	get := func(path string) string { return ask(t, g, path).Body.String() }

	get("/pinwheel/v1/accounts/" + p.AccountID + "/paystubs?limit=100")
	link := get("/truv/v1/links/" + p.LinkID + "/")
	if n := g.served.CountRecords(); n != 3 {
		t.Errorf("%d records noted, want 2 paystubs and a link", n)
	}
	if g.served.IsTroubled(p.AccountID) || g.served.IsTroubled(p.LinkID) {
		t.Error("complete answers count as trouble")
	}
	isSecret := regexp.MustCompile(`"access_token":"[^"]*",?`)
	stripped := isSecret.ReplaceAllString(link, "")
	about := ledger.Target{Account: p.LinkID, Resource: "link"}
	if stripped == link || !g.served.HasServed(about, []byte(stripped)) {
		t.Errorf("the link is not noted without its token: %s", stripped)
	}

	if _, err := fakes.AddFault(fake.Fault{Path: "income", Cut: 20, Times: 1}); err != nil {
		t.Fatal(err)
	}
	get("/pinwheel/v1/accounts/" + p.AccountID + "/income")
	if n := g.served.CountRecords(); n != 3 || !g.served.IsTroubled(p.AccountID) {
		t.Errorf("a cut answer: %d records, troubled %t", n, g.served.IsTroubled(p.AccountID))
	}
	cut := fake.Fault{Path: "income", Status: 422, Cut: 20, Times: 1}
	if _, err := fakes.AddFault(cut); err != nil {
		t.Fatal(err)
	}
	get("/pinwheel/v1/accounts/" + p.AccountID + "/income")
	want := ledger.Answers{Broken: 2, Rejected: 1}
	income := ledger.Target{Account: p.AccountID, Resource: "income"}
	if got := g.served.AnswersTo(income); got != want {
		t.Errorf("two cut answers, one with a status: noted %+v, want %+v", got, want)
	}
	g.shut("identity", outage{until: time.Now().Add(time.Hour)})
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
	p := newProcess(t.TempDir(), "sleeper", "/bin/sh", inherit, "-c", "echo up; exec sleep 100000")
	go p.run(t.Context())
	awaitStart(t, p, 1)
	if !p.kill(0) {
		t.Error("the command could not be killed")
	}
	awaitStart(t, p, 2)
	if p.isStart(1) || !p.isStart(2) {
		t.Error("the second start does not have the number 2")
	}
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

// awaitStart waits until the command has written "up" so often.
func awaitStart(t *testing.T, p *process, lives int) {
	t.Helper()
	streamtest.Eventually(t, fmt.Sprintf("start %d of the command", lives), func() bool {
		return strings.Count(read(t, p.log), "up") >= lives
	})
}

func TestATerminatedProcessIsRestarted(t *testing.T) {
	for _, row := range []struct {
		name, end string
		faults    int
	}{
		{"an end with exit code 0 is no fault", "exit 0", 0},
		{"an end with another exit code is a fault", "exit 3", 1},
	} {
		t.Run(row.name, func(t *testing.T) {
			script := "trap '" + row.end + "' TERM; echo up; while :; do sleep 0.01; done"
			p := newProcess(t.TempDir(), "worker", "/bin/sh", inherit, "-c", script)
			go p.run(t.Context())
			awaitStart(t, p, 1)
			if !p.terminate() {
				t.Error("the command could not be terminated")
			}
			awaitStart(t, p, 2)
			if h := p.history(); h.restarts != 1 || h.kills != 0 || len(h.faults) != row.faults {
				t.Errorf("history %+v: want 1 restart and %d faults", h, row.faults)
			}
			p.kill(time.Hour)
		})
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

func TestEveryProviderHasARate(t *testing.T) {
	for _, p := range schema.Providers() {
		if ratesPerS[p] == 0 {
			t.Errorf("%s: add a rate to ratesPerS in deploy/chaos/provider.go", p)
		}
	}
}
