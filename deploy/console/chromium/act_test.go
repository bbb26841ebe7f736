package chromium_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream/streamtest"
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

func TestARevokedTokenIsOutAtOnce(t *testing.T) {
	in, b := begin(t)
	b.logIn(robinToken)
	b.visit("/queues/" + quietQueue)
	if !b.has("form[action$='/pause']") {
		t.Fatal("robin may not act: " + b.text())
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
	b.visit("/queues/" + quietQueue)
	if b.has("form[action$='/pause']") || strings.Contains(b.text(), "robin") {
		t.Errorf("robin is still there:\n%s", b.text())
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
		{"a queue is paused", "/queues/" + quietQueue, func(_ *installation, b *tab) {
			b.submit("form[action$='/pause'] button")
		}, func(*installation) string { return quietQueue + " is paused" }},
		{"a queue is resumed", "/queues/" + quietQueue, func(_ *installation, b *tab) {
			b.untilReloaded("form[action$='/resume']")
			b.submit("form[action$='/resume'] button")
		}, func(*installation) string { return quietQueue + " is resumed" }},
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
	streamtest.Eventually(b.t, "the page has "+selector, func() bool {
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
