package chromium_test

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"github.com/wagewire/wagewire/deploy/fake"
)

// A queue's first cell is the number of events that are ready. The queue is paused, so the number
// of its events only grows.
func TestAnOpenPageUpdatesItself(t *testing.T) {
	in, b := begin(t)
	b.visit("/")
	link := fmt.Sprintf(`a[href="/queues/%s"]`, pausedQueue)
	ready := fmt.Sprintf(`Number(document.querySelector('%s').closest("tr").cells[1].textContent)`, link)
	before := eval[int](b, ready)
	b.run("focus", chromedp.Focus(chromedp.CSS(link)),
		chromedp.Evaluate[chromedp.Void](`window.isOld = true`))
	b.run("type half a name", chromedp.SendKeys(chromedp.CSS("input[name=q]"), "pinw"))
	b.run("focus", chromedp.Focus(chromedp.CSS(link)))

	w, err := in.box.Fake.Event(in.box.Fake.Person(fake.PersonOptions{}), "employment.added",
		fake.EventOptions{})
	if err == nil {
		err = in.send(t.Context(), w)
	}
	if err != nil {
		t.Fatal(err)
	}
	b.until("the page shows the new event", fmt.Sprintf("%s > %d", ready, before))
	for what, holds := range map[string]string{
		"the page was not loaded again": `window.isOld`,
		"the focus is where it was":     fmt.Sprintf("document.activeElement.matches('%s')", link),
		"the half name is there":        `document.querySelector("input[name=q]").value === "pinw"`,
	} {
		if !eval[bool](b, holds) {
			t.Errorf("not true: %s", what)
		}
	}
}

// A person is in the middle of something on the page of a plan, while somebody else makes another
// one, of which every page of a run hears.
func TestAnOpenPageKeepsWhatAPersonDoes(t *testing.T) {
	tests := []struct {
		name, action string
		do           chromedp.Action[chromedp.Void]
		want         string
	}{
		{"what is open stays open", "redrive", chromedp.Click(chromedp.CSS("main summary")),
			`document.querySelector("main details").open`},
		{"a number that is half typed stays", "discard",
			chromedp.SendKeys(chromedp.CSS("input[name=count]"), "12"),
			`document.querySelector("input[name=count]").value === "12" &&
				document.activeElement.name === "count"`},
	}
	in, _ := begin(t)
	evil, err := in.makeHostile()
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, b := begin(t)
			_, other := begin(t)
			b.logIn(annaToken)
			other.logIn(annaToken)
			b.plan(tt.action, evil.Account(), 2)
			b.run(tt.name, tt.do)
			b.until(tt.name, tt.want)
			before := eval[int](b, loadsOfPart)
			other.plan("redrive", in.dead.Account, deadLetters)
			b.until("the page has loaded its part again", fmt.Sprintf("%s > %d", loadsOfPart, before))
			if !eval[bool](b, tt.want) {
				t.Errorf("it is lost:\n%s", b.text())
			}
		})
	}
}

// loadsOfPart is how often the page has loaded its part again.
const loadsOfPart = `performance.getEntriesByType("resource").filter((e) => e.name === location.href).length`

// The second script comes late, after the first had time to begin without it.
func TestAPageIsLiveAlsoIfAScriptComesLate(t *testing.T) {
	in, _ := begin(t)
	target, err := url.Parse(in.url)
	if err != nil {
		t.Fatal(err)
	}
	come := make(chan struct{})
	letCome := sync.OnceFunc(func() { close(come) })
	defer letCome()
	proxy := httputil.NewSingleHostReverseProxy(target)
	slow := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "sse") {
			<-come
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(slow.Close)
	b := open(t, slow.URL) // it is closed first
	b.do("begin to load the page", func(ctx context.Context) error {
		_, err := chromedp.Call(ctx, page.Navigate, page.NavigateParams{URL: slow.URL + "/"})
		return err
	})
	b.until("the first script is there", "window.htmx")
	b.do("let timers end", func(ctx context.Context) error {
		return chromedp.Do(ctx, chromedp.Evaluate[chromedp.Void](
			"new Promise((end) => setTimeout(() => setTimeout(end)))", chromedp.EvalAwaitPromise))
	})
	letCome()
	b.until("the page listens to changes",
		`performance.getEntriesByType("resource").some((e) => e.initiatorType === "fetch")`)
}

// The page weighs what the browser has received of it, with its style and its scripts.
func TestTheFirstPageIsLight(t *testing.T) {
	const bytesMax = 100_000
	_, b := begin(t)
	b.visit("/")
	b.until("the scripts are there", `document.readyState === "complete" && window.htmx`)
	b.mu.Lock()
	defer b.mu.Unlock()
	t.Logf("the first page, its style and its scripts have %d bytes", b.weight)
	if b.weight == 0 || b.weight >= bytesMax {
		t.Errorf("%d bytes, want less than %d", b.weight, bytesMax)
	}
}

// The other texts from outside are on the pages of TestEachPage.
func TestAHostileNameIsText(t *testing.T) {
	_, b := begin(t)
	b.logIn(malloryToken)
	b.showsNoMarkup()
	if shown := b.text(); !strings.Contains(shown, "<b>mallory</b>") {
		t.Errorf("the name of the person is not shown as it is:\n%s", shown)
	}
}

// New completions come above the row that has the focus.
func TestTheFocusStaysOnItsRow(t *testing.T) {
	in, b := begin(t)
	b.visit("/feed")
	const newest = `document.querySelector("main tbody tr td:last-child a").textContent`
	b.until("the feed has rows", `document.querySelector("main tbody tr")`)
	before := eval[string](b, newest)
	b.run("focus", chromedp.Focus(chromedp.CSS("main tbody tr td:last-child a")),
		chromedp.Evaluate[chromedp.Void](`window.isOld = true`))
	const newer = 12
	for range newer {
		w, err := in.box.Fake.Event(in.box.Fake.Person(fake.PersonOptions{}), "paystubs.added",
			fake.EventOptions{})
		if err == nil {
			err = in.send(t.Context(), w)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	b.until("newer completions are above it", fmt.Sprintf(
		`[...document.querySelectorAll("main tbody tr td:last-child a")]
			.findIndex((link) => link.textContent === %q) >= %d`, before, newer))
	if !eval[bool](b, "window.isOld") {
		t.Error("the page was loaded again")
	}
	if focused := eval[string](b, "document.activeElement.textContent"); focused != before {
		t.Errorf("the focus has gone from %s to %q", before, focused)
	}
	b.submit("#turn")
	b.reads("Follow the changes", before)
	if eval[bool](b, "!!window.htmx") {
		t.Error("a page that pauses has scripts")
	}
}

// changes is a proxy that cuts or refuses the stream of changes.
type changes struct {
	target *url.URL

	mu       sync.Mutex
	cut      context.CancelFunc // ends the streams that are open
	isClosed bool
}

// close ends the streams, and refuses others.
func (c *changes) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.isClosed = true
	c.cut()
}

func (c *changes) open() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.isClosed = false
}

// begin returns the context of a stream, nil if it is refused.
func (c *changes) begin(parent context.Context) context.Context {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.isClosed {
		return nil
	}
	ctx, cut := context.WithCancel(parent)
	c.cut = cut
	return ctx
}

func (c *changes) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ctx := c.begin(r.Context())
	if ctx == nil {
		http.Error(w, "<main>Too many pages are open.</main>", http.StatusServiceUnavailable)
		return
	}
	at := c.target.JoinPath(r.URL.Path).String()
	ask, err := http.NewRequestWithContext(ctx, http.MethodGet, at, nil)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	answer, err := http.DefaultClient.Do(ask)
	if err != nil {
		return
	}
	defer answer.Body.Close()
	w.Header().Set("Content-Type", answer.Header.Get("Content-Type"))
	lines := bufio.NewScanner(answer.Body)
	for lines.Scan() {
		fmt.Fprintln(w, lines.Text())
		_ = http.NewResponseController(w).Flush() // the browser has gone
	}
}

// proxied leads the tab through a proxy of the changes.
func (b *tab) proxied(in *installation) *changes {
	b.t.Helper()
	target, err := url.Parse(in.url)
	if err != nil {
		b.t.Fatal(err)
	}
	c := &changes{target: target, cut: func() {}}
	mux := http.NewServeMux()
	mux.Handle("/", httputil.NewSingleHostReverseProxy(target))
	mux.Handle("/changes", c)
	server := httptest.NewServer(mux)
	b.t.Cleanup(server.Close)
	b.t.Cleanup(c.close)
	b.origin = server.URL
	return c
}

const isLost = `!document.getElementById("lost").hidden`

func TestAPageSaysThatItHearsOfNoChanges(t *testing.T) {
	in, b := begin(t)
	between := b.proxied(in)
	b.expect(http.StatusServiceUnavailable)
	b.visit("/")
	b.until("the page listens", "document.body._htmx.sse")
	if eval[bool](b, isLost) {
		t.Error("the page says that it hears nothing while it does")
	}
	between.close()
	b.until("the page says that it hears nothing", isLost)
	b.reads("This page has not been told of changes since 20", "load it again", "Queues")
	between.open()
	b.until("the notice goes when the page hears again", "!("+isLost+")")
	for _, fault := range b.takeFaults() {
		if !strings.HasPrefix(fault, "console: error: ") { // of htmx, for each refused stream
			t.Error(fault)
		}
	}
}

// A refused stream is that of a page more than may be open.
func TestAPageThatMayNotListenSaysSo(t *testing.T) {
	in, b := begin(t)
	b.proxied(in).close()
	b.expect(http.StatusServiceUnavailable)
	b.visit("/")
	b.until("the page says that it hears nothing", isLost)
	b.reads("This page has not been told of changes since 20", "Queues", "Processes")
	if strings.Contains(b.text(), "Too many pages") {
		t.Error("the refusal is in the page")
	}
}
