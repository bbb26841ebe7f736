package bench

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
)

const (
	// FirstPageMax is how long the first page of the console may take, from the request to the last
	// byte.
	FirstPageMax = 100 * time.Millisecond
	// FirstPageBytesMax is the size that the page may have with its style and its scripts.
	FirstPageBytesMax = 100_000

	// consoleToken is the token of the person who asks for the pages.
	consoleToken = "token-of-a-bench-that-acts"
	// pageTimes is how often each page is asked for, after the first time, and pageEvery the pause
	// between. Together they last longer than two readings of the broker by the console.
	pageTimes = 40
	pageEvery = 300 * time.Millisecond
	// pageBytesMax is the size of the largest page that is read.
	pageBytesMax = 16 << 20
	// plannedMost is how many dead letters are planned to be redriven, and plannedPerS how many a
	// second. The plan is not carried out.
	plannedMost = 10_000
	plannedPerS = 20
)

// pageFigures are what a page of the console took.
type pageFigures struct {
	path   string
	status int
	// cold is the first request, on a connection of its own. warm is the median of the later ones,
	// and slowest the slowest of them.
	cold, warm, slowest time.Duration
	// bytes are those of the page, and all those with the style and the scripts.
	bytes, all int
	text       string
}

// RunConsole fills the streams of a broker of its own, runs `wagewire console`, and prints the time
// and the size of its pages, with the time of `wagewire status` beside them. The error says so if
// the first page takes longer than FirstPageMax, the first time or usually, or is larger than
// FirstPageBytesMax. It leaves nothing behind.
func RunConsole(ctx context.Context, c CommandsConfig, stdout io.Writer) (err error) {
	b, on, err := newFilled(ctx, c, stdout)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.stop()) }()
	address, ready, err := b.startConsole(ctx, on)
	if err != nil {
		return err
	}
	fmt.Fprintf(stdout, "the console has read the broker %.2f s after its start\n\n",
		ready.Seconds())
	pages := newPages(address)
	var measured []pageFigures
	for path := "/"; path != ""; path = nextPage(path, measured) {
		f, err := pages.measure(ctx, path)
		if err != nil {
			return err
		}
		measured = append(measured, f)
	}
	if err := reportPages(stdout, measured); err != nil {
		return err
	}
	planned, err := pages.plan(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(stdout, "\na plan to redrive %s dead letters of %s: %.2f s\n",
		grouped(min(plannedMost, c.DeadLetters)), grouped(c.DeadLetters), planned.Seconds())
	status, err := b.runCommand(ctx, on, []string{"status"})
	if err != nil {
		return err
	}
	fmt.Fprintf(stdout, "wagewire status: %.2f s\n", status.took.Seconds())
	return judgeFirstPage(measured[0])
}

// olderPage finds the address of the next page of a list.
var olderPage = regexp.MustCompile(`rel="next" href="([^"]+)"`)

// nextPage is the page to measure after a page: the first page, then the lists, and the second page
// of the dead letters. It is empty after the last.
func nextPage(path string, measured []pageFigures) string {
	const letters = "/dead"
	switch path {
	case "/":
		return "/queues"
	case "/queues":
		return letters
	case letters:
		found := olderPage.FindStringSubmatch(measured[len(measured)-1].text)
		if found == nil {
			return "" // all letters are on a page
		}
		return html.UnescapeString(found[1])
	default:
		return ""
	}
}

// plan plans a redrive of plannedMost dead letters, and returns how long it took until the plan was
// there to confirm.
func (p *pages) plan(ctx context.Context) (took time.Duration, err error) {
	form := url.Values{
		"do": {"redrive"}, "most": {strconv.Itoa(plannedMost)}, "rate": {strconv.Itoa(plannedPerS)},
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, p.url+"/dead/plan",
		strings.NewReader(form.Encode()))
	if err != nil {
		return 0, err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	began := time.Now()
	planning, err := p.send(r)
	if err != nil {
		return 0, err
	}
	look := time.NewTicker(askEvery)
	defer look.Stop()
	for {
		f, err := p.get(ctx, planning.path)
		switch {
		case err != nil:
			return 0, err
		case f.status != http.StatusOK:
			return 0, fmt.Errorf("the plan answers %d", f.status)
		case strings.Contains(f.text, "Nothing is done yet"):
			return time.Since(began), nil
		}
		select {
		case <-look.C:
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
}

// judgeFirstPage returns an error if the first page is too slow or too large.
func judgeFirstPage(f pageFigures) error {
	took := max(f.cold, f.warm)
	switch {
	case f.status != http.StatusOK:
		return fmt.Errorf("the first page answers %d", f.status)
	case took >= FirstPageMax:
		return fmt.Errorf("the first page took %s, and may take %s",
			took.Round(time.Millisecond), FirstPageMax)
	case f.all >= FirstPageBytesMax:
		return fmt.Errorf("the first page has %d bytes, and may have %d", f.all, FirstPageBytesMax)
	default:
		return nil
	}
}

// startConsole starts the console, and returns its address and when it had read the broker.
func (b *bench) startConsole(
	ctx context.Context, on *broker,
) (address string, ready time.Duration, err error) {
	addr, err := freeAddr(ctx)
	if err != nil {
		return "", 0, err
	}
	admin, err := freeAddr(ctx)
	if err != nil {
		return "", 0, err
	}
	tokens := filepath.Join(b.dir, "console.tokens")
	if err := os.WriteFile(tokens, []byte("bench act "+consoleToken+"\n"), 0o600); err != nil {
		return "", 0, err
	}
	began := time.Now()
	p, err := startProcess(ctx, program{
		name: "wagewire console", path: filepath.Join(b.config.Bin, "wagewire"),
		args: []string{"console"},
		env: []string{
			"NATS_URL=" + on.url, "NATS_JS_DOMAIN=", "CONSOLE_ADDR=" + addr,
			"CONSOLE_TOKENS_FILE=" + tokens, "ADMIN_ADDR=" + admin,
		},
		log:       filepath.Join(b.dir, "console.log"),
		healthURL: "http://" + admin + "/readyz",
	})
	if err != nil {
		return "", 0, err
	}
	b.undo = append(b.undo, p.stop)
	return "http://" + addr, time.Since(began), nil
}

// pages asks for pages of a console.
type pages struct {
	url    string
	client *http.Client
}

// newPages returns a client that takes answers as they are, without compression.
func newPages(address string) *pages {
	return &pages{address, &http.Client{Transport: &http.Transport{DisableCompression: true}}}
}

// staticFile finds the addresses of the style and of the scripts in a page.
var staticFile = regexp.MustCompile(`(?:src|href)="(/static/[^"]+\.(?:js|css)[^"]*)"`)

// measure asks for a page again and again.
func (p *pages) measure(ctx context.Context, path string) (pageFigures, error) {
	p.client.CloseIdleConnections()
	f, err := p.get(ctx, path)
	if err != nil {
		return f, err
	}
	f.all = f.bytes
	for _, found := range staticFile.FindAllStringSubmatch(f.text, -1) {
		file, err := p.get(ctx, found[1])
		if err != nil {
			return f, err
		}
		f.all += file.bytes
	}
	var took []time.Duration
	again := time.NewTicker(pageEvery)
	defer again.Stop()
	for range pageTimes {
		select {
		case <-again.C:
		case <-ctx.Done():
			return f, ctx.Err()
		}
		next, err := p.get(ctx, path)
		if err != nil {
			return f, err
		}
		took = append(took, next.cold)
	}
	slices.Sort(took)
	f.warm = took[len(took)/2]
	f.slowest = took[len(took)-1]
	return f, nil
}

// get asks for a page once.
func (p *pages) get(ctx context.Context, path string) (pageFigures, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url+path, nil)
	if err != nil {
		return pageFigures{}, err
	}
	return p.send(r)
}

// send sends a request. The time is that from the request to the last byte, and the path is that of
// the page to which the answer has led.
func (p *pages) send(r *http.Request) (f pageFigures, err error) {
	r.Header.Set("Authorization", "Bearer "+consoleToken)
	began := time.Now()
	response, err := p.client.Do(r)
	if err != nil {
		return f, err
	}
	text, err := io.ReadAll(io.LimitReader(response.Body, pageBytesMax))
	f.cold = time.Since(began)
	err = cmp.Or(err, response.Body.Close())
	f.path = response.Request.URL.RequestURI()
	f.status = response.StatusCode
	f.bytes = len(text)
	f.text = string(text)
	return f, err
}

func reportPages(w io.Writer, measured []pageFigures) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "PAGE\tSTATUS\tCOLD\tWARM\tSLOWEST\tBYTES\tWITH STYLE AND SCRIPTS\t")
	for _, f := range measured {
		fmt.Fprintf(table, "%s\t%d\t%s\t%s\t%s\t%d\t%d\t\n", f.path, f.status, inMS(f.cold),
			inMS(f.warm), inMS(f.slowest), f.bytes, f.all)
	}
	return table.Flush()
}

func inMS(d time.Duration) string {
	return fmt.Sprintf("%.1f ms", float64(d)/float64(time.Millisecond))
}
