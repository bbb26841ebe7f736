package chromium_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
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
