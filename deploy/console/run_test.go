package console

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/google/go-cmp/cmp"

	"github.com/wagewire/wagewire/deploy/shelf"
	"github.com/wagewire/wagewire/schema"
)

// plan makes a plan as anna, waits for it, and returns the path of its page.
func (b *bench) plan(path string, form url.Values) string {
	b.Helper()
	got := b.post(path, annaToken, form)
	b.wants(got, http.StatusSeeOther)
	b.runs.wait()
	return got.Get("Location")
}

// run returns the run of the page.
func (b *bench) run(path string) *run {
	b.Helper()
	one, exists := b.runs.find(strings.TrimPrefix(path, "/runs/"))
	if !exists {
		b.Fatalf("there is no run %s", path)
	}
	return one
}

// start starts a plan as anna, and waits for its end.
func (b *bench) start(path string, form url.Values) report {
	b.Helper()
	b.wants(b.post(path+"/start", annaToken, form), http.StatusSeeOther)
	b.runs.wait()
	return b.run(path).get(time.Now())
}

// bobLine is a line of the file of tokens for another person who acts.
const (
	bobToken = "token-of-bob-who-acts-too"
	bobLine  = "bob act " + bobToken + "\n"
)

// redriveFast is a plan for every dead letter.
func redriveFast() url.Values { return url.Values{"do": {"redrive"}, "rate": {"1000"}} }

func TestARunDoesExactlyWhatWasPlanned(t *testing.T) {
	b := newBench(t)
	b.shelve(1, 5)
	path := b.plan("/dead/plan", url.Values{
		"do": {"redrive"}, "most": {"3"}, "rate": {"1000"}, "class": {"transient"},
	})
	b.wants(b.get(path, annaToken), http.StatusOK, "This would redrive 3 dead letters",
		"2 dead letters that the filter chooses stay", "would be sent", "Nothing is done yet",
		"wagewire dead redrive --class transient --rate 1000 --most 3", "Redrive 3 dead letters", "pinwheel_income")
	if n := b.count(schema.EventsStream); n != 5 {
		t.Fatalf("a plan has stored events: %d", n)
	}
	b.shelve(6, 7)
	last := b.start(path, nil)
	if last.State != runDone || last.Done != 3 || last.Result.counts[shelf.Sent] != 3 {
		t.Errorf("the report is %+v", last)
	}
	if dead, events := b.count(schema.DeadLettersStream), b.count(schema.EventsStream); dead != 4 ||
		events != 10 {
		t.Errorf("%d letters and %d events are there", dead, events)
	}
	report := b.get(path, ritaToken)
	b.wants(report, http.StatusOK, "Done: 3 of 3 dead letters", "started by</dt><dd>anna",
		`href="/events/pinwheel:e-1:r1"`)
	if strings.Contains(report.body, "As a command") {
		t.Error("a report has a command that would do more")
	}
	b.wants(b.get("/dead", ritaToken), http.StatusOK, "The newest runs", path)
	b.wants(b.post(path+"/start", annaToken, nil), http.StatusConflict, "The run is done")
	b.wants(b.post(path+"/cancel", annaToken, nil), http.StatusConflict, "The run is done")
	logged := b.logged.String()
	for _, action := range []string{`"plan redrive"`, `"redrive"`, `"redrive ended"`} {
		if !strings.Contains(logged, `"action":`+action+`,"person":"anna"`) {
			t.Errorf("the log lacks %s: %s", action, logged)
		}
	}
}

func TestTwoOperatorsSendEachLetterOnce(t *testing.T) {
	b := newBench(t)
	const all = 40
	b.shelve(1, all)
	b.writeTokens(persons + bobLine)
	first := b.plan("/dead/plan", redriveFast())
	got := b.post("/dead/plan", bobToken, redriveFast())
	b.wants(got, http.StatusSeeOther)
	second := got.Get("Location")
	b.runs.wait()
	b.wants(b.post(first+"/start", annaToken, nil), http.StatusSeeOther)
	b.wants(b.post(second+"/start", bobToken, nil), http.StatusSeeOther)
	b.runs.wait()
	sent := 0
	for _, path := range []string{first, second} {
		last := b.run(path).get(time.Now())
		counts := last.Result.counts
		if last.State != runDone || last.Done != all ||
			counts[shelf.Sent]+counts[shelf.SentBefore]+counts[shelf.Gone] != all {
			t.Errorf("the report is %+v", last)
		}
		sent += counts[shelf.Sent]
	}
	if sent != all {
		t.Errorf("both reports together have %d sent letters", sent)
	}
	if dead, events := b.count(schema.DeadLettersStream), b.count(schema.EventsStream); dead != 0 ||
		events != 2*all {
		t.Errorf("%d letters and %d events are there", dead, events)
	}
}

func TestARunEndsInTheMiddle(t *testing.T) {
	for promise, test := range map[string]struct {
		// then happens before the third letter.
		then  func(b *bench, one *run)
		state runState
		why   string
	}{
		"the token is revoked": {
			func(b *bench, _ *run) {
				b.writeTokens(strings.ReplaceAll(persons, "anna read,act", "anna read"))
			}, runStopped, "Stopped after 2 of 5: anna may act no more. Plan again",
		},
		"the file of tokens is broken": {
			func(b *bench, _ *run) {
				b.Console.tokens.again = time.Nanosecond
				b.writeTokens("anna read")
			}, runStopped, "Stopped after 2 of 5: the file of tokens cannot be read",
		},
		"but not while somebody writes the file": {
			func(b *bench, _ *run) {
				b.Console.tokens.again = time.Nanosecond
				b.Console.tokens.log = b.log.WithOptions(zap.Hooks(func(e zapcore.Entry) error {
					if e.Level == zap.ErrorLevel {
						b.writeTokens(persons)
					}
					return nil
				}))
				b.writeTokens("")
			}, runDone, "Done: 5 of 5",
		},
		"somebody cancels it": {
			func(b *bench, one *run) { b.must(one.stop(person{name: "olga"})) },
			runCancelled, "Cancelled after 3 of 5: cancelled by olga. Plan again",
		},
		"the console stops": {
			func(b *bench, _ *run) { b.stop() },
			runStopped, "Stopped after 3 of 5: the console was stopped. Plan again",
		},
	} {
		t.Run(promise, func(t *testing.T) {
			b := newBench(t)
			b.shelve(1, 5)
			path := b.plan("/dead/plan", redriveFast())
			one := b.run(path)
			asked := 0
			one.may = func(ctx context.Context, p person) error {
				asked++
				if asked == 3 {
					test.then(b, one)
				}
				return b.mayStill(ctx, p, RoleAct)
			}
			last := b.start(path, nil)
			view := runView{task: one.task, report: last}
			if last.State != test.state || !strings.HasPrefix(view.ending(), test.why) {
				t.Errorf("it is %s: %q", last.State, view.ending())
			}
			if left := b.count(schema.DeadLettersStream); left != 5-last.Done {
				t.Errorf("%d letters are left after %d", left, last.Done)
			}
		})
	}
}

// brokenWork fails at a message.
type brokenWork struct {
	work

	at int
}

func (w brokenWork) send(ctx context.Context, i int) (uint64, shelf.Outcome, error) {
	if i == w.at {
		return 3, shelf.Outcome{}, errors.New("nats: \x1b[31mno responders")
	}
	return w.work.send(ctx, i)
}

func TestARunEndsWithTheFirstErrorWhileTheBrokerIsAway(t *testing.T) {
	b := newBench(t)
	b.shelve(1, 5)
	path := b.plan("/dead/plan", redriveFast())
	one := b.run(path)
	one.work = brokenWork{one.work, 2}
	one.connected = func() error { return errors.New("away") }
	last := b.start(path, nil)
	if last.State != runStopped || last.Done != 2 || last.Failed != 1 {
		t.Errorf("the report is %+v", last)
	}
	b.wants(b.get(path, ritaToken), http.StatusOK, "Stopped after 2 of 5: redrive dead letter 3",
		"Plan again for the rest", "not reached")
	again := b.start(b.plan("/dead/plan", redriveFast()), nil)
	if again.State != runDone || again.Result.counts[shelf.Sent] != 3 {
		t.Errorf("the second report is %+v", again)
	}
}

// hookedWork calls a function after each preview and before each send, which fails with its error.
type hookedWork struct {
	work

	previewed func()
	sends     func(i int) error
}

func (w hookedWork) open(ctx context.Context) error { return w.work.(previewer).open(ctx) }

func (w hookedWork) preview(ctx context.Context, i int) (uint64, shelf.Outcome, error) {
	number, outcome, err := w.work.(previewer).preview(ctx, i)
	w.previewed()
	return number, outcome, err
}

func (w hookedWork) send(ctx context.Context, i int) (uint64, shelf.Outcome, error) {
	if err := w.sends(i); err != nil {
		return uint64(i) + 1, shelf.Outcome{}, err
	}
	return w.work.send(ctx, i)
}

func TestALetterThatFailsDoesNotStopTheRun(t *testing.T) {
	b := newBench(t)
	b.shelve(1, 8)
	path := b.plan("/dead/plan", redriveFast())
	b.run(path).work = brokenWork{b.run(path).work, 2}
	last := b.start(path, nil)
	if last.State != runDone || last.Done != 7 || last.Failed != 1 {
		t.Errorf("the report is %+v", last)
	}
	b.wants(b.get(path, ritaToken), http.StatusOK, "3: nats:", "7 sent, 1 failed")
	b.shelve(9, 18)
	path = b.plan("/dead/plan", redriveFast())
	one := b.run(path)
	one.work = hookedWork{one.work, nil, func(i int) error {
		if i == 1 || i > 2 {
			return errors.New("the disk is full")
		}
		return nil
	}}
	last = b.start(path, nil)
	if last.State != runStopped || last.Done != 2 || last.Failed != 1+failedMax {
		t.Errorf("the report is %+v", last)
	}
	if !strings.Contains(b.logged.String(), `"why":"redrive dead letter 8: the disk is full"`) {
		t.Errorf("the log does not say why: %s", b.logged.String())
	}
}

func TestACancelAtTheLastMoment(t *testing.T) {
	for promise, test := range map[string]struct {
		// at is the message with which somebody cancels, and err its error.
		at    int
		err   error
		state runState
		why   string
		log   string
	}{
		"counts less than a run that is done": {
			1, nil, runDone, "", `"why":""`,
		},
		"does not hide an error": {
			0, errors.New("the disk is full"), runCancelled,
			"cancelled by olga; redrive dead letter 1: the disk is full",
			`"why":"cancelled by olga; redrive dead letter 1: the disk is full","messages":2`,
		},
	} {
		t.Run(promise, func(t *testing.T) {
			b := newBench(t)
			b.shelve(1, 2)
			path := b.plan("/dead/plan", redriveFast())
			one := b.run(path)
			one.work = hookedWork{one.work, nil, func(i int) error {
				if i != test.at {
					return nil
				}
				b.must(one.stop(person{name: "olga"}))
				return test.err
			}}
			last := b.start(path, nil)
			if last.State != test.state || last.Why != test.why {
				t.Errorf("it is %s: %q", last.State, last.Why)
			}
			if !strings.Contains(b.logged.String(), test.log) {
				t.Errorf("the log lacks %s: %s", test.log, b.logged.String())
			}
			if test.err != nil {
				b.wants(b.get(path, ritaToken), http.StatusOK, "1: "+test.err.Error())
			}
		})
	}
}

// replan plans with other work, as a plan of its own.
func (b *bench) replan(
	path string, change func(one *run, stop context.CancelCauseFunc),
) report {
	b.Helper()
	old := b.run(path)
	ctx, cancel := context.WithCancelCause(b.Context())
	one := &run{
		id: "again", task: old.task, work: old.work, hands: old.hands, readers: old.readers,
		may: old.may, connected: old.connected, audit: old.audit,
		tell: old.tell, actor: old.actor, cancel: cancel,
		now: report{State: runPlanning, Planner: "anna", Preview: newTally(), Result: newTally()},
	}
	change(one, cancel)
	one.plan(ctx)
	return one.get(time.Now())
}

// slowWork finds nothing until the time is over.
type slowWork struct{ work }

func (slowWork) find(ctx context.Context, _ int, _ func(int)) (selection, error) {
	<-ctx.Done()
	return selection{}, fmt.Errorf("scan DEAD: %w", ctx.Err())
}

func TestAPlanEndsEarly(t *testing.T) {
	for promise, test := range map[string]struct {
		change func(one *run, stop context.CancelCauseFunc)
		state  runState
		why    string
	}{
		"with a cancel during the last preview": {
			func(one *run, _ context.CancelCauseFunc) {
				one.work = hookedWork{one.work, func() {
					_ = one.stop(person{name: "olga"})
				}, nil}
			}, runCancelled, "cancelled by olga",
		},
		"with the role of the planner": {
			func(one *run, _ context.CancelCauseFunc) {
				one.may = func(context.Context, person) error {
					return errors.New("anna may act no more")
				}
			}, runStopped, "anna may act no more",
		},
		"with the cause of its end, and not with a guess about the broker": {
			func(one *run, stop context.CancelCauseFunc) {
				one.work = slowWork{one.work}
				stop(errSlow)
			}, runStopped, errSlow.Error(),
		},
	} {
		t.Run(promise, func(t *testing.T) {
			b := newBench(t)
			b.shelve(1, 1)
			last := b.replan(b.plan("/dead/plan", redriveFast()), test.change)
			if last.State != test.state || last.Why != test.why {
				t.Errorf("it is %s: %q", last.State, last.Why)
			}
			if !strings.Contains(b.logged.String(), `"action":"plan ended"`) ||
				strings.Contains(b.logged.String(), `"action":"redrive ended"`) {
				t.Errorf("the log is %s", b.logged.String())
			}
		})
	}
}

func TestALineOfTheLogIsOfWhoeverActed(t *testing.T) {
	b := newBench(t)
	b.writeTokens(persons + bobLine)
	b.shelve(1, 1)
	path := b.plan("/dead/plan", redriveFast())
	b.wants(b.post(path+"/start", bobToken, nil), http.StatusSeeOther)
	b.runs.wait()
	b.wants(b.post(path+"/cancel", bobToken, nil), http.StatusConflict)
	b.wants(b.post(path+"/start", bobToken, nil), http.StatusConflict)
	want := []string{"anna plan redrive", "bob redrive", "bob redrive ended", "bob redrive refused"}
	if diff := cmp.Diff(want, b.actions()); diff != "" {
		t.Errorf("the log (-want +got):\n%s", diff)
	}
}

func TestNothingBeginsAfterTheEnd(t *testing.T) {
	b := newBench(t)
	b.shelve(1, 1)
	path := b.plan("/dead/plan", redriveFast())
	b.stop()
	b.wants(b.post(path+"/start", annaToken, nil), http.StatusServiceUnavailable,
		"Nothing was done: the console stops.")
	if last := b.run(path).get(time.Now()); last.State != runStopped {
		t.Errorf("the run is %s", last.State)
	}
}

func TestWhatIsKeptIsListedWithItsReason(t *testing.T) {
	b := newBench(t)
	b.shelve(1, 1)
	broken := b.store(b.event("e-2", "a-2"))
	broken.Body = append(broken.Body, ' ')
	b.must(b.op.PublishDeadLetter(b.Context(), broken))
	path := b.plan("/dead/plan", redriveFast())
	b.wants(b.get(path, annaToken), http.StatusOK, "would be kept", "it cannot be decoded")
	last := b.start(path, nil)
	if last.Result.counts[shelf.Kept] != 1 || last.Result.counts[shelf.Sent] != 1 {
		t.Errorf("the report is %+v", last)
	}
	b.wants(b.get(path, ritaToken), http.StatusOK, "Why they are kept", "2: it cannot be decoded")
}

func TestATallyIsBounded(t *testing.T) {
	counts := newTally()
	for i := range uint64(1_000) {
		counts.add(i, shelf.Outcome{Result: shelf.Kept, Obstacle: fmt.Sprint("reason ", i)})
	}
	if len(counts.reasons) != reasonsMax+1 || len(counts.kept) != keptMax ||
		counts.reasons[otherReasons] != 1_000-reasonsMax || counts.counts[shelf.Kept] != 1_000 {
		t.Errorf("the tally has %d reasons and %d messages", len(counts.reasons), len(counts.kept))
	}
}

func TestADiscardNeedsTheNumberOfLetters(t *testing.T) {
	b := newBench(t)
	b.shelve(1, 12)
	path := b.plan("/dead/plan", url.Values{"do": {"discard"}, "rate": {"1000"}})
	b.wants(b.get(path, annaToken), http.StatusOK, "Type 12 to delete them for good",
		"would be deleted for good")
	for _, typed := range []string{"", "1", "yes", "012"} {
		b.wants(b.post(path+"/start", annaToken, url.Values{"count": {typed}}),
			http.StatusBadRequest, "type 12")
	}
	if n := b.count(schema.DeadLettersStream); n != 12 {
		t.Fatalf("%d letters are left", n)
	}
	b.must(b.op.Discard(t.Context(), schema.DeadLettersStream, 5))
	last := b.start(path, url.Values{"count": {"12"}})
	if last.Result.counts[shelf.Discarded] != 11 || last.Result.counts[shelf.Gone] != 1 ||
		b.count(schema.DeadLettersStream) != 0 {
		t.Errorf("the report is %+v", last)
	}
}

func TestOneLetterIsMeant(t *testing.T) {
	b := newBench(t)
	b.shelve(1, 3)
	b.wants(b.get("/dead/2", annaToken), http.StatusOK, `name="number" value="2"`)
	path := b.plan("/dead/plan", url.Values{"do": {"redrive"}, "number": {"2"}})
	b.wants(b.get(path, annaToken), http.StatusOK, "Redrive 1 dead letter", "wagewire dead redrive 2")
	b.start(path, nil)
	_, exists, err := b.op.Message(t.Context(), schema.DeadLettersStream, 2)
	if exists || err != nil {
		t.Errorf("the letter is there: %t, %v", exists, err)
	}
	path = b.plan("/dead/plan", url.Values{"do": {"redrive"}, "number": {"2"}})
	b.wants(b.get(path, annaToken), http.StatusOK, "There is no such dead letter")
}

func TestAPlanSaysExactlyWhichMessagesAreMeant(t *testing.T) {
	b := newBench(t)
	b.shelve(1, 1)
	path := b.plan("/dead/plan", url.Values{"do": {"redrive"}, "since": {"1h"}})
	flags := b.run(path).task.flags
	if at, err := time.Parse(time.RFC3339Nano, flags[1]); err != nil || time.Since(at) < time.Hour {
		t.Errorf("the flags are %q", flags)
	}
	b.wants(b.post("/dead/plan", annaToken, url.Values{
		"do": {"redrive"}, "number": {"1"}, "class": {"poison"},
	}), http.StatusBadRequest, "a number or a filter")
}

func TestWhoeverReadsChangesNothing(t *testing.T) {
	b := newBench(t)
	b.shelve(1, 1)
	path := b.plan("/dead/plan", redriveFast())
	for _, one := range b.table() {
		method, pattern, _ := strings.Cut(one.pattern, " ")
		if method != http.MethodPost || one.role != RoleAct {
			continue
		}
		at := strings.ReplaceAll(pattern, "/runs/{id}", path)
		for token, status := range map[string]int{
			ritaToken: http.StatusForbidden, olgaToken: http.StatusForbidden,
			"": http.StatusUnauthorized,
		} {
			b.wants(b.post(at, token, redriveFast()), status)
		}
	}
	if got := b.run(path).get(time.Now()); got.State != runPlanned {
		t.Errorf("the plan is %s", got.State)
	}
	if page := b.get(path, ritaToken); strings.Contains(page.body, path+"/start") {
		t.Error("a reader has a form to start")
	}
}

func TestAPlanExpires(t *testing.T) {
	b := newBench(t)
	b.shelve(1, 1)
	path := b.plan("/dead/plan", redriveFast())
	one := b.run(path)
	one.update(func(now *report) { now.ReadyAt = timeAgo(plannedFor + time.Second) })
	b.wants(b.post(path+"/start", annaToken, nil), http.StatusConflict, "older than 15 minutes")
	b.wants(b.get(path, ritaToken), http.StatusOK, "not started in time")
	if n := b.count(schema.DeadLettersStream); n != 1 {
		t.Errorf("%d letters are left", n)
	}
}

func TestRunsAreFew(t *testing.T) {
	b := newBench(t)
	b.shelve(1, 1)
	var last string
	for range plannedMax + 1 { // the last replaces the first
		last = b.plan("/dead/plan", redriveFast())
	}
	b.wants(b.get("/dead", ritaToken), http.StatusOK, "cancelled, planned by anna")
	b.wants(b.post(last+"/cancel", annaToken, nil), http.StatusSeeOther)
	b.wants(b.get(last, ritaToken), http.StatusOK, "nothing was done: cancelled by anna")
	for _, one := range b.runs.all[:underWayMax] {
		one.update(func(now *report) { now.State = runRunning })
	}
	b.wants(b.post("/quarantine/plan", annaToken, url.Values{"do": {"release"}}),
		http.StatusTooManyRequests, "4 plans and runs are under way")
	for range runsShown {
		b.runs.all[0].update(func(now *report) { now.State = runDone })
		b.plan("/dead/plan", redriveFast())
		b.runs.all[0].update(func(now *report) { now.State = runRunning })
	}
	b.wants(b.get("/dead", ritaToken), http.StatusOK, "/runs/"+b.runs.all[0].id)
	for _, one := range b.runs.all[:underWayMax] {
		one.update(func(now *report) { now.State = runDone })
	}
	for range runsMax + 1 {
		path := b.plan("/dead/plan", redriveFast())
		b.wants(b.post(path+"/cancel", annaToken, nil), http.StatusSeeOther)
	}
	if n := len(b.runs.all); n != runsMax {
		t.Errorf("%d runs are kept", n)
	}
	b.wants(b.get(last, ritaToken), http.StatusNotFound, "This run is not known",
		"what is done is not done twice")
}

func TestAnOpenPageHearsOfARun(t *testing.T) {
	b := newBench(t)
	b.shelve(1, 1)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, b.pages.URL+"/changes", nil)
	b.must(err)
	r.Header.Set("Authorization", "Bearer "+ritaToken)
	got, err := http.DefaultClient.Do(r)
	b.must(err)
	defer got.Body.Close()
	events := linesOf(got.Body)
	hears := func() bool {
		for line := range events {
			if line == "event: run" {
				return true
			}
		}
		return false
	}
	if !hears() { // at the beginning, whatever happened before
		t.Fatal("the page hears nothing at the beginning")
	}
	b.plan("/dead/plan", redriveFast())
	b.runs.tell()
	if !hears() {
		t.Error("the page hears nothing of the plan")
	}
}
