package chromium_test

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

const (
	program = "chromium"
	// stepMax is how long a step of a test may take, on a machine that has much else to do.
	stepMax = 2 * time.Minute
	// lookEvery is the pause between two looks at a page.
	lookEvery = 20 * time.Millisecond
	// desktop and phone are widths of a window, in pixels.
	desktop = 1280
	phone   = 390
	height  = 900
)

// browser is the browser of all tests, each with a tab of its own.
var browser = sync.OnceValues(startBrowser)

// running is what runs for all tests, until the last one has ended.
var running struct {
	mu   sync.Mutex
	stop []func()
}

func whenAllHaveEnded(stop func()) {
	running.mu.Lock()
	defer running.mu.Unlock()
	running.stop = append(running.stop, stop)
}

func stopAll() {
	running.mu.Lock()
	defer running.mu.Unlock()
	for _, stop := range slices.Backward(running.stop) {
		stop()
	}
}

// startBrowser starts Chromium with a profile of its own in a temporary directory. The kernel kills
// it if the test binary is killed. It reaches this machine alone.
func startBrowser() (context.Context, error) {
	path, err := exec.LookPath(program)
	if err != nil {
		return nil, err
	}
	options := append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]),
		chromedp.ExecPath(path),
		chromedp.DisableGPU,
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("no-proxy-server", true),
		chromedp.Flag("host-resolver-rules", "MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"),
		chromedp.Flag("hide-scrollbars", true),
		chromedp.Flag("font-render-hinting", "none"),
	)
	allocator, stopAllocator := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, stop := chromedp.NewContext(allocator)
	whenAllHaveEnded(func() {
		stop()
		stopAllocator()
	})
	if err := chromedp.Do(ctx); err != nil { // starts the browser
		return nil, fmt.Errorf("start %s: %w", path, err)
	}
	return ctx, nil
}

// tab is a tab with cookies of its own. It notes what no page of ours may do.
type tab struct {
	t   *testing.T
	ctx context.Context
	// origin is the address that the tab may ask, without a path.
	origin string

	// closing closes dialogs.
	closing sync.WaitGroup

	mu sync.Mutex
	// refused are the statuses, over 399, that the test expects.
	refused []int64
	faults  []string
	// weight is the size of the answers since the last visit, in bytes.
	weight int
	status int64
}

// open opens a tab until the end of the test. The test fails at its end if a page has logged an
// error, broken its policy, opened a dialog, or asked another server.
func open(t *testing.T, origin string) *tab {
	t.Helper()
	if _, err := exec.LookPath(program); err != nil {
		t.Skipf("NOT RUN: the pages in a browser need %s on the PATH: install %s", program, program)
	}
	parent, err := browser()
	if err != nil {
		t.Fatal(err)
	}
	b := &tab{t: t, origin: origin}
	ctx, closeTab := chromedp.NewContext(parent, chromedp.WithNewBrowserContext(),
		chromedp.WithListener(b.listen))
	t.Cleanup(func() {
		closeTab()
		b.closing.Wait()
		for _, fault := range b.takeFaults() {
			t.Error(fault)
		}
	})
	b.ctx = ctx
	if err := chromedp.Do(ctx); err != nil { // the tab lives as long as this context
		t.Fatalf("open a tab: %v", err)
	}
	b.run("enable the network domain", chromedp.Func(
		func(ctx context.Context, on *chromedp.Target) error {
			_, err := cdp.Call(ctx, on, network.Enable, network.EnableParams{})
			return err
		}))
	b.show(desktop, "light")
	return b
}

// listen notes an event of the tab.
func (b *tab) listen(event any) {
	switch e := event.(type) {
	case *network.EventRequestWillBeSent:
		if !strings.HasPrefix(e.Request.URL, b.origin+"/") && e.Request.URL != "about:blank" {
			b.fault("asks another server: %s", e.Request.URL)
		}
	case *network.EventResponseReceived:
		b.receive(e)
	case *network.EventLoadingFinished:
		b.mu.Lock()
		defer b.mu.Unlock()
		b.weight += int(e.EncodedDataLength)
	case *runtime.EventExceptionThrown:
		b.fault("a script fails: %s", e.ExceptionDetails.Text)
	case *runtime.EventConsoleAPICalled:
		switch e.Type {
		case runtime.ConsoleAPICalledTypeError, runtime.ConsoleAPICalledTypeWarning:
			b.fault("console: %s: %v", e.Type, e.Args)
		}
	case *log.EventEntryAdded:
		if e.Entry.Level == log.EntryLevelError && !b.expects(e.Entry.Text) {
			b.fault("browser log: %s (%s)", e.Entry.Text, e.Entry.URL)
		}
	case *page.EventJavascriptDialogOpening:
		b.fault("a dialog opens: %q", e.Message)
		b.closing.Go(b.closeDialog)
	}
}

// closeDialog closes a dialog, which stops the page and the test.
func (b *tab) closeDialog() {
	_, err := chromedp.Call(b.ctx, page.HandleJavaScriptDialog, page.HandleJavaScriptDialogParams{})
	if err != nil && b.ctx.Err() == nil {
		b.fault("the dialog does not close: %v", err)
	}
}

func (b *tab) receive(e *network.EventResponseReceived) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if e.Type == network.ResourceTypeDocument {
		b.status = e.Response.Status
	}
}

// expect lets pages answer with the statuses, of which the browser logs an error.
func (b *tab) expect(statuses ...int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.refused = append(b.refused, statuses...)
}

func (b *tab) expects(text string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.ContainsFunc(b.refused, func(status int64) bool {
		return strings.Contains(text, fmt.Sprintf("status of %d", status))
	})
}

func (b *tab) fault(format string, values ...any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.faults = append(b.faults, fmt.Sprintf(format, values...))
}

func (b *tab) takeFaults() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	taken := b.faults
	b.faults = nil
	return taken
}

// do calls one step, and ends the test if it fails.
func (b *tab) do(what string, step func(context.Context) error) {
	b.t.Helper()
	ctx, cancel := context.WithTimeoutCause(b.ctx, stepMax, errTooLong)
	defer cancel()
	if err := step(ctx); err != nil {
		b.t.Fatalf("%s: %v\n%s", what, errors.Join(err, context.Cause(ctx)),
			strings.Join(b.takeFaults(), "\n"))
	}
}

var errTooLong = fmt.Errorf("it did not end within %s", stepMax)

func (b *tab) run(what string, steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	b.do(what, func(ctx context.Context) error { return chromedp.Do(ctx, steps...) })
}

// visit loads a page and returns the status of the answer.
func (b *tab) visit(path string) (status int64) {
	b.t.Helper()
	b.mu.Lock()
	b.weight = 0
	b.mu.Unlock()
	return b.load("visit "+path, chromedp.Navigate(b.origin+path))
}

// load does steps that lead to another page, and returns the status of the answer.
func (b *tab) load(what string, steps ...chromedp.Action[chromedp.Void]) (status int64) {
	b.t.Helper()
	b.do(what, func(ctx context.Context) error {
		answer, err := chromedp.RunResponse(ctx, steps...)
		if err == nil {
			status = answer.Status
		}
		return err
	})
	return status
}

// submit clicks what leads to another page, and returns the status of the answer. It clicks in the
// page and not at a point of the window, because a live page may move in that moment.
func (b *tab) submit(selector string) (status int64) {
	b.t.Helper()
	click := fmt.Sprintf("document.querySelector(%q).click()", selector)
	return b.load("click "+selector, chromedp.WaitVisible(chromedp.CSS(selector)),
		chromedp.Evaluate[chromedp.Void](click))
}

// eval returns the value of an expression in the page.
func eval[T any](b *tab, expression string) (value T) {
	b.t.Helper()
	b.do("evaluate", func(ctx context.Context) (err error) {
		value, err = chromedp.Run(ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
		return err
	})
	return value
}

// until waits until an expression is true in the page.
func (b *tab) until(what, expression string) {
	b.t.Helper()
	b.eventually(what, func() bool { return eval[bool](b, "!!("+expression+")") })
}

// eventually waits until a condition holds, and says what the page says if it does not.
func (b *tab) eventually(what string, holds func() bool) {
	b.t.Helper()
	late := time.NewTimer(stepMax)
	defer late.Stop()
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	for !holds() {
		select {
		case <-look.C:
		case <-late.C:
			b.t.Fatalf("%v: %s. The page says:\n%s", errTooLong, what, b.text())
		}
	}
}

// text is what a person reads in the page.
func (b *tab) text() string { return eval[string](b, "document.body.innerText") }

// reads fails the test for each text that a person does not read in the page.
func (b *tab) reads(texts ...string) {
	b.t.Helper()
	shown := b.text()
	for _, text := range texts {
		if !strings.Contains(shown, text) {
			b.t.Errorf("the page does not say %q:\n%s", text, shown)
		}
	}
}

// show sets the width of the window and the scheme of colors, light or dark. Nothing moves.
func (b *tab) show(width int64, scheme string) {
	b.t.Helper()
	media := emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
		{Name: "prefers-color-scheme", Value: scheme},
		{Name: "prefers-reduced-motion", Value: "reduce"},
	}}
	b.run("emulate "+scheme, chromedp.EmulateViewport(width, height), chromedp.Func(
		func(ctx context.Context, on *chromedp.Target) error {
			_, err := cdp.Call(ctx, on, emulation.SetEmulatedMedia, media)
			return err
		}))
}

// withoutScripts lets the next pages be read as in a browser without JavaScript.
func (b *tab) withoutScripts() {
	b.t.Helper()
	b.run("disable scripts", chromedp.Func(func(ctx context.Context, on *chromedp.Target) error {
		_, err := cdp.Call(ctx, on, emulation.SetScriptExecutionDisabled,
			emulation.SetScriptExecutionDisabledParams{Value: true})
		return err
	}))
}
