package chromium_test

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/wagewire/wagewire/deploy/fake"
	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
)

// noPages are addresses that answer no page.
var noPages = []string{"GET /changes", "GET /static/{file}"}

func isPage(pattern string) bool {
	return strings.HasPrefix(pattern, "GET ") && !slices.Contains(noPages, pattern)
}

// begin returns the installation of all tests, and a tab on its pages.
func begin(t *testing.T) (*installation, *tab) {
	t.Helper()
	b := open(t, "")
	in, err := installed()
	if err != nil {
		t.Fatal(err)
	}
	b.origin = in.url
	return in, b
}

// logIn logs in with a token.
func (b *tab) logIn(token string) {
	b.t.Helper()
	b.visit("/login")
	b.run("type the token", chromedp.SendKeys(chromedp.CSS("input[name=token]"), token))
	if status := b.submit("form:has(input[name=token]) button"); status != http.StatusOK {
		b.t.Fatalf("the login answers %d: %s", status, b.text())
	}
}

// keyOf is the key of a webhook's event.
func keyOf(w fake.Webhook) string {
	return schema.Event{Provider: schema.Provider(w.Provider), ID: w.ID}.Key()
}

// numbers returns the numbers of the messages of a stream.
func (in *installation) numbers(t *testing.T, name string) (numbers []uint64) {
	t.Helper()
	err := in.operator.Scan(t.Context(), name, stream.Selection{HeadersOnly: true},
		func(m stream.Stored) error {
			numbers = append(numbers, m.Sequence)
			return nil
		})
	if err != nil || len(numbers) == 0 {
		t.Fatalf("no message on %s: %v", name, err)
	}
	return numbers
}

// pagesOf returns the addresses to look at for a pattern, with the status of each.
func (in *installation) pagesOf(t *testing.T, pattern string) map[string]int64 {
	t.Helper()
	const unknown = http.StatusNotFound
	evil, err := in.makeHostile()
	if err != nil {
		t.Fatal(err)
	}
	pages := map[string]int64{}
	event := func(key string) string { return "/events/" + url.PathEscape(key) }
	switch _, path, _ := strings.Cut(pattern, " "); path {
	case "/findings/{name}":
		pages["/findings/queue-paused"] = http.StatusOK
		pages["/findings/broker-away"] = http.StatusOK
		pages["/findings/"+url.PathEscape(hostile)] = unknown
	case "/queues/{queue}":
		pages["/queues/"+pausedQueue] = http.StatusOK
		pages["/queues/pinwheel_identity"] = http.StatusOK // its events wait
		pages["/queues/"+url.PathEscape(hostile)] = unknown
	case "/events/{key}":
		for _, w := range []fake.Webhook{in.done, in.waiting, in.dead} {
			pages[event(keyOf(w))] = http.StatusOK
		}
		pages[event(evil.Key())] = http.StatusOK
		pages[event("pinwheel:nobody-knows-it")] = unknown
		pages[event("pinwheel:"+hostile)] = http.StatusOK // the token of an id is its hash
		pages[event("pinwheel:x"+hostile)] = unknown
	case "/accounts/{provider}/{token}":
		for _, w := range []fake.Webhook{in.done, in.erased} {
			pages["/accounts/"+w.Provider+"/"+schema.Token(w.Account)] = http.StatusOK
		}
		pages["/accounts/pinwheel/"+evil.Account()] = http.StatusOK
		pages["/accounts/pinwheel/nobody-knows-it"] = unknown
		pages["/accounts/"+url.PathEscape(hostile)+"/x"] = unknown
	case "/dead/{number}":
		for _, number := range in.numbers(t, schema.DeadLettersStream) {
			pages["/dead/"+strconv.FormatUint(number, 10)] = http.StatusOK
		}
		pages["/dead/999999"] = unknown
	case "/quarantine/{number}":
		for _, number := range in.numbers(t, schema.QuarantineStream) {
			pages["/quarantine/"+strconv.FormatUint(number, 10)] = http.StatusOK
		}
		pages["/quarantine/999999"] = unknown
	case "/runs/{id}":
		pages["/runs/nobody-knows-it"] = unknown
	case "/search":
		pages["/search?q="+keyOf(in.done)] = http.StatusOK
		pages["/search?q="+url.QueryEscape(in.done.Account)] = http.StatusOK
		pages["/search?q=nobody-knows-it"] = unknown
		pages["/search?q="+url.QueryEscape(hostile)] = http.StatusOK
	default:
		pages[strings.TrimSuffix(path, "{$}")] = http.StatusOK
	}
	return pages
}

// A new address without a row in pagesOf is visited as it stands, and is not found.
func TestEachPage(t *testing.T) {
	in, _ := begin(t)
	for _, pattern := range in.patterns {
		if !isPage(pattern) {
			continue
		}
		for path, status := range in.pagesOf(t, pattern) {
			t.Run(path, func(t *testing.T) {
				_, b := begin(t)
				b.logIn(malloryToken)
				b.expect(status)
				b.passes(in, path, status)
			})
		}
	}
}

// passes fails the test unless the page can be read and used: in the light and in the dark, wide
// and on a phone, with a keyboard, and without JavaScript.
func (b *tab) passes(in *installation, path string, want int64) {
	b.t.Helper()
	for _, how := range []struct {
		width  int64
		scheme string
	}{{desktop, "light"}, {desktop, "dark"}, {phone, "dark"}, {phone, "light"}} {
		b.show(how.width, how.scheme)
		if status := b.visit(path); status != want {
			b.t.Errorf("status %d, want %d:\n%s", status, want, b.text())
			return
		}
		b.keepsToItself(in)
		b.showsNoMarkup()
		for _, fault := range b.audit() {
			b.t.Errorf("%d wide, %s: %s", how.width, how.scheme, fault)
		}
		if how.scheme == "dark" { // once wide, once narrow
			for _, fault := range b.walk() {
				b.t.Errorf("%d wide, with Tab: %s", how.width, fault)
			}
		}
	}
	withScripts := b.text()
	b.withoutScripts()
	if status := b.visit(path); status != want {
		b.t.Errorf("without scripts: status %d", status)
	}
	if got := b.text(); len(got) < len(withScripts)/2 {
		b.t.Errorf("without scripts a person reads only:\n%s", got)
	}
}

// showsNoMarkup fails the test if a hostile text has become an element or an instruction. A dialog
// or a request would fail the test too.
func (b *tab) showsNoMarkup() {
	b.t.Helper()
	if n := eval[int](b, `document.querySelectorAll("main img, main script, main b, .who b").length`); n > 0 {
		b.t.Errorf("%d elements are made of a hostile text", n)
	}
	for _, r := range b.html() {
		if r == '\x1b' || r == '\u202e' {
			b.t.Errorf("the page has the character %U", r)
			break
		}
	}
}

// keepsToItself fails the test if the page has a text of a person's records, or a token.
func (b *tab) keepsToItself(in *installation) {
	b.t.Helper()
	page := b.html()
	for _, secret := range append(in.canaries, annaToken, robinToken, malloryToken) {
		if strings.Contains(page, secret) {
			b.t.Errorf("the page has %q", secret)
		}
	}
}

func (b *tab) html() string { return eval[string](b, "document.documentElement.outerHTML") }
