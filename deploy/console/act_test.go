package console

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wagewire/wagewire/deploy/retry"
	"github.com/wagewire/wagewire/deploy/trace"
	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
)

// tomorrow is beyond the end of every test: what waits until then does not end its wait by itself.
var tomorrow = time.Now().Add(24 * time.Hour).UTC().Truncate(time.Second)

// paused is when the pause of the queue ends.
func (b *bench) paused(queue string) time.Time {
	b.Helper()
	q, _ := schema.QueueNamed(queue)
	until, err := b.op.PausedUntil(b.Context(), q)
	b.must(err)
	return until
}

// follow follows the redirect after a form.
func (b *bench) follow(got answer) answer {
	b.Helper()
	b.wants(got, http.StatusSeeOther)
	return b.get(got.Get("Location"), annaToken)
}

// waits are the ids of the events that wait in the income queue, in their order.
func (b *bench) waits() []string {
	b.Helper()
	ids := []string{}
	b.must(b.op.Waiting(b.Context(), "pinwheel_income", "*", func(w stream.Waiting) error {
		ids = append(ids, w.Event.ID)
		return nil
	}))
	return ids
}

// letWait stores a webhook about income, and lets its event wait after a failure of the class since
// the given time.
func (b *bench) letWait(id string, class schema.Class, since time.Time) {
	b.Helper()
	e := schema.Event{
		Provider: schema.Pinwheel, ID: id, Type: "income.added", Resource: schema.Income,
		Action: schema.ActionAdded, AccountID: "a-1", OccurredAt: stateAt, ReceivedAt: stateAt,
		Body: []byte(`{"event":"income.added","payload":{"account_id":"a-1"}}`),
	}
	_, err := b.op.PublishEvent(b.Context(), e)
	b.must(err)
	q, _ := schema.QueueNamed("pinwheel_income")
	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	b.must(b.op.Queue(q).Consume(ctx, stream.Taking{Hands: 1}, func(d *stream.Delivery) {
		defer cancel()
		b.must(d.Err)
		b.must(d.Wait(schema.Wait{
			Class: class, Step: 3, Steps: 12, Since: since, Until: tomorrow,
			Failures: schema.Failures{class: 1},
		}))
	}))
}

// hidden are the hidden fields of the form on a page.
func hidden(page string) url.Values {
	form := url.Values{}
	field := regexp.MustCompile(`<input type="hidden" name="([a-z]+)" value="([^"]*)"`)
	for _, match := range field.FindAllStringSubmatch(page, -1) {
		form.Set(match[1], match[2])
	}
	return form
}

// actions are the actions in the log, in their order.
func (b *bench) actions() []string {
	var list []string
	found := regexp.MustCompile(`"action":"([^"]*)","person":"([^"]*)"`)
	for _, match := range found.FindAllStringSubmatch(b.logged.String(), -1) {
		list = append(list, match[2]+" "+match[1])
	}
	return list
}

func TestOnlyWhoMayActActs(t *testing.T) {
	b := newBench(t)
	b.letWait("e-1", schema.ClassTransient, stateAt)
	b.read()
	for _, path := range []string{"pause", "resume", "retry"} {
		path = "/queues/pinwheel_income/" + path
		b.wants(b.post(path, ritaToken, nil), http.StatusForbidden, "needs the role act")
		b.wants(b.post(path, olgaToken, nil), http.StatusForbidden, "needs the role act")
		b.wants(b.post(path, "", nil), http.StatusUnauthorized, "nothing was done")
	}
	b.wants(b.get("/queues/pinwheel_income/retry", ritaToken), http.StatusForbidden)
	if diff := cmp.Diff([]string{"e-1"}, b.waits()); diff != "" || !b.paused("pinwheel_income").IsZero() {
		t.Errorf("something was done: waiting (-want +got):\n%s", diff)
	}
	got := b.get("/queues/pinwheel_income", ritaToken)
	b.wants(got, http.StatusOK, "needs the role act")
	if strings.Contains(got.body, `action="/queues/`) {
		t.Errorf("a reader sees a form: %s", short(got.body))
	}
	b.wants(b.get("/queues/pinwheel_income", annaToken), http.StatusOK,
		`action="/queues/pinwheel_income/pause"`, `action="/queues/pinwheel_income/retry"`)
}

func TestPauseAndResume(t *testing.T) {
	b := newBench(t)
	const pause = "/queues/truv_link/pause"
	const resume = "/queues/truv_link/resume"
	b.wants(b.follow(b.post(resume, annaToken, nil)), http.StatusOK, "truv_link was not paused.")
	b.wants(b.follow(b.post(pause, annaToken, url.Values{"for": {"2h"}})), http.StatusOK,
		"truv_link is paused until 20", "the queue is paused until 20", `action="`+resume+`"`)
	first := b.paused("truv_link")
	b.wants(b.follow(b.post(pause, annaToken, url.Values{"for": {"1d"}})), http.StatusOK)
	if again := b.paused("truv_link").Sub(first).Round(time.Hour); again != 22*time.Hour {
		t.Errorf("a second pause ends %s after the first", again)
	}
	b.wants(b.follow(b.post(pause, annaToken, url.Values{"for": {""}})), http.StatusOK,
		"truv_link is paused until resumed")
	if until := b.paused("truv_link"); !trace.IsEndless(until, time.Now()) {
		t.Errorf("a pause without a length ends at %s", until)
	}
	b.wants(b.follow(b.post(resume, annaToken, nil)), http.StatusOK, "truv_link is resumed")
	if until := b.paused("truv_link"); !until.IsZero() {
		t.Errorf("it is paused until %s after resume", until)
	}
	want := []string{
		"anna resume", "anna resume done", "anna pause", "anna pause done", "anna pause",
		"anna pause done", "anna pause", "anna pause done", "anna resume", "anna resume done",
	}
	if diff := cmp.Diff(want, b.actions()); diff != "" {
		t.Errorf("actions in the log (-want +got):\n%s", diff)
	}
}

func TestAPauseThatIsRefused(t *testing.T) {
	b := newBench(t)
	for _, length := range []string{"soon", "0s", "-1h", hostile} {
		got := b.post("/queues/truv_link/pause", annaToken, url.Values{"for": {length}})
		b.wants(got, http.StatusBadRequest, "nothing was done", "write 90m, 2h or 1d")
	}
	if until := b.paused("truv_link"); !until.IsZero() {
		t.Errorf("it is paused until %s", until)
	}
	b.op.Close()
	b.wants(b.post("/queues/truv_link/pause", annaToken, nil), http.StatusServiceUnavailable,
		"nats: connection closed")
	actions := b.actions()
	if last := actions[len(actions)-1]; last != "anna pause failed" {
		t.Errorf("the log ends with %q", last)
	}
}

func TestAResultIsForItsPageAlone(t *testing.T) {
	b := newBench(t)
	got := b.post("/queues/truv_link/pause", annaToken, nil)
	done := "?" + strings.SplitAfterN(got.Get("Location"), "?", 2)[1]
	for path, isShown := range map[string]bool{
		"/queues/truv_link" + done: true, "/queues/truv_erasures" + done: false,
		"/queues/truv_link?done=x": false, "/queues/truv_link": false,
	} {
		page := b.get(path, ritaToken)
		if strings.Contains(page.body, "truv_link is paused") != isShown {
			t.Errorf("%s: %s", path, short(page.body))
		}
	}
	r := httptest.NewRequest(http.MethodGet, "/queues/x?done=", nil)
	old := results{list: []resultOf{{path: "/queues/x", text: "old", at: timeAgo(resultFor)}}}
	if text := old.find(r); text != "" {
		t.Errorf("a result is shown after %s", resultFor)
	}
	for range resultsMax + 1 {
		old.add("/queues/x", "new", time.Now())
	}
	if len(old.list) != resultsMax {
		t.Errorf("%d results are kept", len(old.list))
	}
}

func TestARetryTriesWhatWasPlanned(t *testing.T) {
	const path = "/queues/pinwheel_income/retry"
	for _, test := range []struct {
		promise string
		class   string
		plans   string
		// meanwhile happens between the plan and its confirmation.
		meanwhile func(b *bench)
		says      string
		left      []string
	}{
		{
			"all events of a queue", "", "Try 3 events now", func(*bench) {},
			"3 events tried now, 0 no longer waited", []string{},
		},
		{
			"only those of a class", "forbidden", "Try 1 event now", func(*bench) {},
			"1 event tried now, 0 no longer waited", []string{"e-1", "e-2"},
		},
		{
			"an event that was tried meanwhile is counted", "transient", "Try 2 events now",
			func(b *bench) {
				form := hidden(b.get(path+"?class=transient", annaToken).body)
				b.wants(b.post(path, annaToken, form), http.StatusSeeOther)
			},
			"0 events tried now, 2 no longer waited", []string{"e-3"},
		},
		{
			"an event that began to wait meanwhile is left alone", "", "Try 3 events now",
			func(b *bench) { b.letWait("e-4", schema.ClassTransient, stateAt.Add(time.Minute)) },
			"3 events tried now, 0 no longer waited", []string{"e-4"},
		},
	} {
		t.Run(test.promise, func(t *testing.T) {
			b := newBench(t)
			b.letWait("e-1", schema.ClassTransient, stateAt)
			b.letWait("e-2", schema.ClassTransient, stateAt.Add(time.Nanosecond))
			b.letWait("e-3", schema.ClassForbidden, stateAt.Add(time.Second))
			planned := b.get(path+"?class="+test.class, annaToken)
			b.wants(planned, http.StatusOK, test.plans, "wagewire retry pinwheel_income")
			if got := len(b.waits()); got != 3 {
				t.Fatalf("%d events wait after a plan", got)
			}
			test.meanwhile(b)
			report := b.follow(b.post(path, annaToken, hidden(planned.body)))
			b.wants(report, http.StatusOK, test.says)
			if diff := cmp.Diff(test.left, b.waits()); diff != "" {
				t.Errorf("still waiting (-want +got):\n%s", diff)
			}
		})
	}
}

func TestTwoOperatorsRetryEachEventOnce(t *testing.T) {
	b := newBench(t)
	const path = "/queues/pinwheel_income/retry"
	const events = 20
	for i := range events {
		b.letWait(fmt.Sprintf("e-%d", i), schema.ClassTransient, stateAt)
	}
	form := hidden(b.get(path, annaToken).body)
	var both sync.WaitGroup
	tried := make([]int, 2)
	gone := make([]int, 2)
	for i := range tried {
		both.Go(func() {
			says := b.follow(b.post(path, annaToken, form)).body
			report := regexp.MustCompile(`(\d+) events? tried now, (\d+) no longer`).
				FindStringSubmatch(says)
			if report == nil {
				b.Errorf("there is no report: %s", short(says))
				return
			}
			tried[i], _ = strconv.Atoi(report[1])
			gone[i], _ = strconv.Atoi(report[2])
		})
	}
	both.Wait()
	if tried[0]+tried[1] != events || gone[0]+gone[1] != events || len(b.waits()) > 0 {
		t.Errorf("of %d events they tried %d, and miss %d; waiting: %q", events, tried, gone,
			b.waits())
	}
}

func TestAnotherSiteChangesNoQueue(t *testing.T) {
	b := newBench(t)
	b.letWait("e-1", schema.ClassTransient, stateAt)
	form := hidden(b.get("/queues/pinwheel_income/retry", annaToken).body)
	for _, action := range []string{"pause", "resume", "retry"} {
		got := b.ask(http.MethodPost, "/queues/pinwheel_income/"+action, annaToken, form,
			func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") })
		b.wants(got, http.StatusForbidden, "Another site sent this form")
	}
	if diff := cmp.Diff([]string{"e-1"}, b.waits()); diff != "" {
		t.Errorf("still waiting (-want +got):\n%s", diff)
	}
	if until := b.paused("pinwheel_income"); !until.IsZero() {
		t.Errorf("it is paused until %s", until)
	}
}

func TestAPlanTakesThoseThatHaveWaitedLongest(t *testing.T) {
	b := newBench(t)
	for _, id := range []string{"e-1", "e-2", "e-3"} {
		b.letWait(id, schema.ClassTransient, stateAt)
	}
	for most, isCut := range map[int]bool{2: true, 3: false, 0: false} {
		chosen, got, err := retry.Find(t.Context(), b.op, retry.Choice{}, most)
		b.must(err)
		if got != isCut || most == 2 && len(chosen) != 2 || chosen[0].Event.ID != "e-1" {
			t.Errorf("at most %d: %d events, cut %t", most, len(chosen), got)
		}
	}
}

func TestAPlanSaysThatTheQueueRests(t *testing.T) {
	b := newBench(t)
	b.letWait("e-1", schema.ClassTransient, stateAt)
	b.wants(b.post("/queues/pinwheel_income/pause", annaToken, nil), http.StatusSeeOther)
	b.wants(b.get("/queues/pinwheel_income/retry", annaToken), http.StatusOK,
		"the queue is paused until resumed", "are taken when the pause ends")
	b.wants(b.get("/queues/pinwheel_paystubs/retry", annaToken), http.StatusOK,
		"No such event waits")
}

func TestARetryThatIsRefused(t *testing.T) {
	b := newBench(t)
	b.letWait("e-1", schema.ClassTransient, stateAt)
	const path = "/queues/pinwheel_income/retry"
	b.wants(b.get(path+"?class=other", annaToken), http.StatusBadRequest, "write one of transient")
	until := stateAt.Format(time.RFC3339Nano)
	for _, form := range []url.Values{
		nil, {"until": {until}}, {"planned": {"1"}}, {"until": {"x"}, "planned": {"1"}},
		{"until": {until}, "planned": {"1"}, "class": {"other"}},
	} {
		b.wants(b.post(path, annaToken, form), http.StatusBadRequest, "nothing was done")
	}
	if diff := cmp.Diff([]string{"e-1"}, b.waits()); diff != "" {
		t.Errorf("still waiting (-want +got):\n%s", diff)
	}
}

func TestARetryStopsWithTheRole(t *testing.T) {
	for promise, stop := range map[string]func(b *bench) string{
		"a revoked token": func(b *bench) string {
			b.writeTokens(strings.ReplaceAll(persons, annaToken, "another-token-of-anna"))
			return "stopped: anna may act no more; 2 events left"
		},
		"the end of the console": func(b *bench) string {
			b.stop()
			return "stopped: the console stops; 2 events left"
		},
	} {
		t.Run(promise, func(t *testing.T) {
			b := newBench(t)
			b.letWait("e-1", schema.ClassTransient, stateAt)
			b.letWait("e-2", schema.ClassTransient, stateAt)
			form := hidden(b.get("/queues/pinwheel_income/retry", annaToken).body)
			anna, err := b.Console.tokens.find(hashToken(annaToken))
			b.must(err)
			want := stop(b)
			r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(form.Encode()))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			q, _ := schema.QueueNamed("pinwheel_income")
			got, err := b.retryNow(t.Context(), withPerson(r, anna), q)
			b.must(err)
			if !strings.HasSuffix(got, want) || len(b.waits()) != 2 {
				t.Errorf("%q, want %q; waiting: %q", got, want, b.waits())
			}
		})
	}
}
