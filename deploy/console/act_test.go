package console

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wagewire/wagewire/deploy/trace"
	"github.com/wagewire/wagewire/schema"
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
		b.wants(got, http.StatusBadRequest, "Nothing was done", "write 90m, 2h or 1d")
	}
	if until := b.paused("truv_link"); !until.IsZero() {
		t.Errorf("it is paused until %s", until)
	}
	b.op.Close()
	b.wants(b.post("/queues/truv_link/pause", annaToken, nil), http.StatusServiceUnavailable,
		"Nothing was done", "not connected")
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
	if got := old.find(r); got.text != "" {
		t.Errorf("a result is shown after %s", resultFor)
	}
	for range resultsMax + 1 {
		old.add("/queues/x", "new", time.Now())
	}
	if len(old.list) != resultsMax {
		t.Errorf("%d results are kept", len(old.list))
	}
}

func TestAnotherSiteChangesNoQueue(t *testing.T) {
	b := newBench(t)
	b.letWait("e-1", schema.ClassTransient, stateAt)
	form := retryFast("")
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

func TestAnActionEndsInTimeAndSaysWhatIsKnown(t *testing.T) {
	for promise, test := range map[string]struct {
		isBusy bool
		do     func(context.Context, schema.Queue) (string, error)
		says   string
	}{
		"the broker hangs": {
			do: func(ctx context.Context, _ schema.Queue) (string, error) {
				<-ctx.Done()
				return "", ctx.Err()
			},
			says: "NATS did not answer within 5s: it may be half done, so look again.",
		},
		"the broker refuses": {
			do:   func(context.Context, schema.Queue) (string, error) { return "", errors.New("no") },
			says: "No: it may be half done, so look again.",
		},
		"others ask the broker": {isBusy: true, says: "Nothing was done, because other pages"},
	} {
		t.Run(promise, func(t *testing.T) {
			b := newBench(t)
			synctest.Test(t, func(t *testing.T) {
				b.lookups = make(chan struct{}, 1)
				if test.isBusy {
					b.lookups <- struct{}{}
				}
				form := func(*http.Request) (queueAction, error) {
					return queueAction{do: test.do}, nil
				}
				r := httptest.NewRequest(http.MethodPost, "/", nil).WithContext(t.Context())
				r.SetPathValue("queue", "truv_link")
				w := httptest.NewRecorder()
				began := time.Now()
				b.onQueue("try", form)(w, r)
				if took := time.Since(began); took > actFor {
					t.Errorf("the answer took %s", took)
				}
				if w.Code != http.StatusServiceUnavailable ||
					!strings.Contains(w.Body.String(), test.says) {
					t.Errorf("%d %s", w.Code, short(w.Body.String()))
				}
			})
			if diff := cmp.Diff([]string{" try", " try failed"}, b.actions()); diff != "" {
				t.Errorf("actions in the log (-want +got):\n%s", diff)
			}
		})
	}
}

func TestTheLogSaysWhatAPersonWantsToDo(t *testing.T) {
	b := newBench(t)
	b.post("/queues/truv_link/pause", annaToken, url.Values{"for": {"2h"}})
	b.post("/queues/truv_link/pause", ritaToken, nil)
	b.post("/queues/truv_link/pause", "", nil)
	b.post("/logout", annaToken, nil)
	const refused = `"address":"POST /queues/{queue}/pause","needs":"act"`
	logged := b.logged.String()
	for _, line := range []string{
		`"action":"pause","person":"anna"`, `"queue":"truv_link","until":`,
		`"action":"pause done","person":"anna"`, `"action":"refused","person":"rita"`,
		`"action":"refused","person":""`, `"action":"logout","person":"anna"`,
	} {
		if !strings.Contains(logged, line) {
			t.Errorf("the log lacks %s: %s", line, logged)
		}
	}
	if n := strings.Count(logged, refused); n != 2 {
		t.Errorf("%d lines have %s: %s", n, refused, logged)
	}
}

func TestAPanicOfAnActionIsLogged(t *testing.T) {
	b := newBench(t)
	form := func(*http.Request) (queueAction, error) {
		return queueAction{do: func(context.Context, schema.Queue) (string, error) {
			panic(hostile)
		}}, nil
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /queues/{queue}/try", b.permit(RoleAct, b.onQueue("try", form)))
	b.pages.Config.Handler = b.guard(b.survive(mux))
	b.wants(b.post("/queues/truv_link/try", annaToken, nil), http.StatusInternalServerError,
		"see the log")
	if diff := cmp.Diff([]string{"anna try", "anna try failed"}, b.actions()); diff != "" {
		t.Errorf("actions in the log (-want +got):\n%s", diff)
	}
	if logged := b.logged.String(); !strings.Contains(logged, "page panicked") ||
		strings.Contains(logged, hostile) {
		t.Errorf("the log says %s", logged)
	}
}
