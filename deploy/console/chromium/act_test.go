package chromium_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/wagewire/wagewire/deploy/plain"
	"github.com/wagewire/wagewire/schema"
)

// quietQueue is a queue on which nothing else happens.
const quietQueue = "truv_link"

func TestWhoLogsInActsUntilTheLogout(t *testing.T) {
	in, b := begin(t)
	path := "/queues/" + quietQueue
	b.visit(path)
	if b.has("form[action$='/pause']") {
		t.Error("a stranger sees the form of a pause")
	}
	b.logIn(annaToken)
	b.visit(path)
	b.run("type a length", chromedp.SendKeys(chromedp.CSS("form[action$='/pause'] input[name=for]"), "2h"))
	if status := b.submit("form[action$='/pause'] button"); status != http.StatusOK {
		t.Fatalf("the pause answers %d: %s", status, b.text())
	}
	b.reads(quietQueue+" is paused", "paused")
	b.until("the page has read the pause", `document.querySelector("form[action$='/resume']")`)
	if status := b.submit("form[action$='/resume'] button"); status != http.StatusOK {
		t.Fatalf("the end of the pause answers %d: %s", status, b.text())
	}
	b.reads(quietQueue + " is resumed")
	in.hasLogged(t, "pause", "anna")
	in.hasLogged(t, "resume", "anna")

	b.submit("form[action='/logout'] button")
	b.visit(path)
	if b.has("form[action$='/pause']") {
		t.Error("the form of a pause is there after the logout")
	}
}

// One page is open in a browser without JavaScript, and stays as it is until the click. The other
// one hears of a change.
func TestARevokedTokenIsOutAtOnce(t *testing.T) {
	in, b := begin(t)
	_, live := begin(t)
	b.withoutScripts()
	for _, one := range []*tab{b, live} {
		one.logIn(robinToken)
		one.visit("/queues/" + quietQueue)
		if !one.has("form[action$='/pause']") {
			t.Fatal("robin may not act: " + one.text())
		}
	}
	if err := in.writeTokens(strings.Replace(persons, "robin act "+robinToken+"\n", "", 1)); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := in.writeTokens(persons); err != nil {
			t.Error(err)
		}
	}()
	b.expect(http.StatusUnauthorized)
	if status := b.submit("form[action$='/pause'] button"); status != http.StatusUnauthorized {
		t.Errorf("the pause answers %d", status)
	}
	b.reads("Nobody is logged in, so nothing was done")
	live.until("the open page has no form", `!document.querySelector("form[action$='/pause']")`)
	b.visit("/queues/" + quietQueue)
	if b.has("form[action$='/pause']") || strings.Contains(b.text(), "robin") {
		t.Errorf("robin is still there:\n%s", b.text())
	}
}

// An operator looks for the dead letters of an account, sees what a redrive would do, confirms it,
// and reads what was done.
func TestDeadLettersAreRedriven(t *testing.T) {
	in, b := begin(t)
	dead, err := in.die(t.Context(), "income.added", "shifts.added")
	if err != nil {
		t.Fatal(err)
	}
	b.logIn(annaToken)
	b.plan("redrive", dead[0].Account, len(dead))
	for _, fault := range append(b.audit(), b.walk()...) {
		t.Error(fault)
	}
	b.submit("form[action$='/start'] button")
	b.until("the run has ended", `document.querySelector("main").innerText.includes("Done: 2 of 2")`)
	b.reads("sent", "anna")
	for _, fault := range b.audit() {
		t.Error(fault)
	}
	for _, w := range dead {
		page := "/events/" + url.PathEscape(keyOf(w))
		b.eventually("the page of the event has the completion of the redrive", func() bool {
			b.visit(page)
			return strings.Contains(b.text(), keyOf(w)+":r1") && strings.Contains(b.text(), "succeeded")
		})
	}
	b.visit("/dead?account=" + dead[0].Account)
	if text := b.text(); strings.Contains(text, keyOf(dead[0])) {
		t.Errorf("the letters are there still:\n%s", text)
	}
}

// plan filters the dead letters by an account, which has so many, and plans what is done to them. A
// plan that is not started is cancelled at the end of the test, because few may be unfinished.
func (b *tab) plan(action, account string, count int) {
	b.t.Helper()
	b.visit("/dead")
	b.run("type the account", chromedp.SendKeys(chromedp.CSS("input[name=account]"), account))
	b.submit("form[aria-label=Filter] button")
	b.reads(account)
	if n := eval[int](b, `document.querySelectorAll("td:last-child").length`); n < count {
		b.t.Fatalf("the filter finds %d letters, want %d:\n%s", n, count, b.text())
	}
	b.submit("form[action='/dead/plan'] button[value=" + action + "]")
	page := eval[string](b, "location.pathname")
	b.t.Cleanup(func() {
		b.visit(page)
		if b.has("form[action$='/cancel']") {
			b.submit("form[action$='/cancel'] button")
		}
	})
	b.until("the plan is made", `document.body.innerText.includes("Nothing is done yet")`)
	b.reads("This would "+action, plain.Count(count, "dead letter"))
}

func TestADiscardNeedsTheTypedNumber(t *testing.T) {
	in, b := begin(t)
	dead, err := in.die(t.Context(), "income.added")
	if err != nil {
		t.Fatal(err)
	}
	b.logIn(annaToken)
	b.visit("/dead?account=" + dead[0].Account)
	b.submit("tbody th a[href^='/dead/']")
	letter := eval[string](b, "location.pathname")
	b.reads(keyOf(dead[0]))
	b.submit("form[action='/dead/plan'] button[value=discard]")
	b.until("the plan is made", `document.querySelector("form[action$='/start']")`)
	plan := eval[string](b, "location.pathname")
	b.expect(http.StatusBadRequest, http.StatusNotFound)
	b.run("type another number", chromedp.SendKeys(chromedp.CSS("input[name=count]"), "2"))
	if status := b.submit("form[action$='/start'] button"); status != http.StatusBadRequest {
		t.Errorf("another number answers %d: %s", status, b.text())
	}
	if status := b.visit(letter); status != http.StatusOK {
		t.Fatalf("the letter is gone: %d", status)
	}
	b.visit(plan)
	b.run("type the number", chromedp.SendKeys(chromedp.CSS("input[name=count]"), "1"))
	b.submit("form[action$='/start'] button")
	b.until("the run has ended", `document.querySelector("main").innerText.includes("Done: 1 of 1")`)
	if status := b.visit(letter); status != http.StatusNotFound {
		t.Errorf("the letter answers %d", status)
	}
}

func TestRecordsAreShownToWhoSaysWhy(t *testing.T) {
	in, b := begin(t)
	const reason = "the borrower asks why a paystub is missing"
	page := "/events/" + url.PathEscape(keyOf(in.done))
	b.visit(page)
	if b.has("form[action='/reveal']") {
		t.Error("a stranger sees the form")
	}
	b.logIn(annaToken)
	b.visit(page)
	b.run("open the form", chromedp.Click(chromedp.CSS("details:has(form[action='/reveal']) summary")),
		chromedp.SendKeys(chromedp.CSS("form[action='/reveal'] input[name=reason]"), reason))
	if status := b.submit("form[action='/reveal'] button"); status != http.StatusOK {
		t.Fatalf("the answer is %d: %s", status, b.text())
	}
	b.reads(reason, "anna", "net_pay_amount")
	for _, fault := range b.audit() {
		t.Error(fault)
	}
	for _, line := range in.logged.All() {
		if fields := line.ContextMap(); fields["person"] == "anna" && fields["reason"] == reason {
			return
		}
	}
	t.Error("no line of the log says who and why")
}

// A row is what a person does in a browser without JavaScript, and what the next page says.
func TestWithoutJavaScript(t *testing.T) {
	tests := []struct {
		name, page string
		do         func(*installation, *tab)
		want       func(*installation) string
	}{
		{"an event is found", "/", func(in *installation, b *tab) {
			b.run("type", chromedp.SendKeys(chromedp.CSS("input[name=q]"), keyOf(in.done)))
			b.submit("form[role=search] button")
		}, func(in *installation) string { return "Event " + keyOf(in.done) }},
		{"the feed is filtered", "/feed", func(_ *installation, b *tab) {
			b.run("choose", chromedp.SetValue(chromedp.CSS("select[name=outcome]"), string(schema.Failed)))
			b.submit("form:has(select[name=outcome]) button")
		}, func(in *installation) string { return keyOf(in.dead) }},
		{"dead letters are filtered", "/dead", func(in *installation, b *tab) {
			b.run("type", chromedp.SendKeys(chromedp.CSS("input[name=account]"), in.dead.Account))
			b.submit("form[aria-label=Filter] button")
		}, func(in *installation) string { return keyOf(in.dead) }},
		{"a queue is paused", "/queues/" + quietQueue, func(_ *installation, b *tab) {
			b.submit("form[action$='/pause'] button")
		}, func(*installation) string { return quietQueue + " is paused" }},
		{"a queue is resumed", "/queues/" + quietQueue, func(_ *installation, b *tab) {
			b.untilReloaded("form[action$='/resume']")
			b.submit("form[action$='/resume'] button")
		}, func(*installation) string { return quietQueue + " is resumed" }},
		{"a retry is planned, and cancelled", "/queues/pinwheel_identity", func(_ *installation, b *tab) {
			b.untilReloaded("form[action$='/retry']")
			b.submit("form[action$='/retry'] button")
			b.untilReloaded("form[action$='/start']")
			b.reads("This would retry 1 event", "Nothing is done yet")
			for _, fault := range b.audit() {
				b.t.Error(fault)
			}
			b.submit("form[action$='/cancel'] button")
		}, func(*installation) string { return "not started, and nothing was done: cancelled by anna" }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			in, b := begin(t)
			b.withoutScripts()
			b.logIn(annaToken)
			b.visit(tt.page)
			tt.do(in, b)
			b.reads(tt.want(in))
		})
	}
}

// untilReloaded loads the page again until it has an element: without JavaScript it does not update
// itself.
func (b *tab) untilReloaded(selector string) {
	b.t.Helper()
	b.eventually("the page has "+selector, func() bool {
		if b.has(selector) {
			return true
		}
		b.load("load the page again", chromedp.Reload())
		return false
	})
}

// has reports whether the page has an element.
func (b *tab) has(selector string) bool {
	b.t.Helper()
	return eval[bool](b, `!!document.querySelector("`+selector+`")`)
}

// hasLogged fails the test unless the log says that the person has done something.
func (in *installation) hasLogged(t *testing.T, action, person string) {
	t.Helper()
	for _, line := range in.logged.All() {
		fields := line.ContextMap()
		if fields["action"] == action && fields["person"] == person {
			return
		}
	}
	t.Errorf("no line of the log says that %s has done %q", person, action)
}
