package console

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/wagewire/wagewire/deploy/health"
	"github.com/wagewire/wagewire/schema/stream"
	"github.com/wagewire/wagewire/schema/stream/streamtest"
)

// The tokens of the tests: anna acts, rita reads, olga reads and reveals.
const (
	annaToken = "token-of-anna-who-acts"
	ritaToken = "token-of-rita-who-reads"
	olgaToken = "token-of-olga-who-reveals"

	persons = "# who may do what\nanna read,act " + annaToken + "\nrita read " + ritaToken +
		"\nolga reveal " + olgaToken + "\n"
)

// bench is a console with a broker of its own.
type bench struct {
	*testing.T

	*Console
	server *streamtest.Server
	pages  *httptest.Server
	logged bytes.Buffer
	tokens string // the file
}

// newBench starts a console that knows the persons.
func newBench(t *testing.T) *bench { return newBenchOf(t, Config{TokensFile: "…"}) }

// newBenchOf starts a console. A file of tokens in the configuration becomes one with the persons.
func newBenchOf(t *testing.T, c Config) *bench {
	t.Helper()
	server, conn := streamtest.New(t)
	b := newBenchOn(t, c, stream.NewOperator(conn))
	b.server = server
	b.read()
	return b
}

// newBenchWithoutBroker starts a console that has read an empty installation.
func newBenchWithoutBroker(t *testing.T, c Config) *bench {
	t.Helper()
	b := newBenchOn(t, c, nil)
	b.watch.show(health.State{At: time.Now()})
	return b
}

func newBenchOn(t *testing.T, c Config, op *stream.Operator) *bench {
	t.Helper()
	b := &bench{T: t}
	if c.TokensFile != "" {
		b.tokens = filepath.Join(t.TempDir(), "tokens")
		c.TokensFile = b.tokens
		b.writeTokens(persons)
	}
	if c.Addr == "" {
		c.Addr = "127.0.0.1:0"
	}
	log := zap.New(zapcore.NewCore(zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig()),
		zapcore.Lock(zapcore.AddSync(&b.logged)), zap.InfoLevel))
	pages, err := New(c, op, health.Config{}, log)
	b.must(err)
	b.Console = pages
	b.pages = httptest.NewServer(pages.Handler())
	t.Cleanup(b.pages.Close)
	t.Cleanup(pages.runs.wait)
	t.Cleanup(pages.stop) // before the server waits for open pages
	return b
}

func (b *bench) must(err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

// read reads the broker once, as Run does again and again.
func (b *bench) read() {
	b.Helper()
	state, err := health.Read(b.Context(), b.op, b.health)
	if err != nil {
		state = health.Unknown(err)
	}
	b.watch.show(state)
}

func (b *bench) writeTokens(text string) {
	b.Helper()
	b.must(os.WriteFile(b.tokens, []byte(text), 0o600))
}

// answer is the answer to a request.
type answer struct {
	status int
	body   string
	http.Header
}

// ask sends a request, with a token unless it is "". Edits may change the request.
func (b *bench) ask(
	method, path, token string, form url.Values, edits ...func(*http.Request),
) answer {
	b.Helper()
	var body io.Reader
	if form != nil {
		body = strings.NewReader(form.Encode())
	}
	r, err := http.NewRequestWithContext(b.Context(), method, b.pages.URL+path, body)
	b.must(err)
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	for _, edit := range edits {
		edit(r)
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse
	}}
	got, err := client.Do(r)
	b.must(err)
	defer got.Body.Close()
	text, err := io.ReadAll(got.Body)
	b.must(err)
	return answer{got.StatusCode, string(text), got.Header}
}

func (b *bench) get(path, token string) answer {
	b.Helper()
	return b.ask(http.MethodGet, path, token, nil)
}

func (b *bench) post(path, token string, form url.Values) answer {
	b.Helper()
	if form == nil {
		form = url.Values{}
	}
	return b.ask(http.MethodPost, path, token, form)
}

// wants fails the test unless the answer has the status and each text.
func (b *bench) wants(got answer, status int, texts ...string) {
	b.Helper()
	if got.status != status {
		b.Errorf("status %d, want %d: %s", got.status, status, short(got.body))
	}
	for _, text := range texts {
		if !strings.Contains(got.body, text) {
			b.Errorf("%q is missing in %s", text, short(got.body))
		}
	}
}

// short is the part of a page that says what it is about.
func short(page string) string {
	if _, after, isPage := strings.Cut(page, "<main"); isPage {
		page = after
	}
	return fmt.Sprintf("%.1500s", page)
}

// linesOf sends the lines that are not empty. The channel is closed at the end.
func linesOf(r io.Reader) <-chan string {
	lines := make(chan string, 100)
	go func() {
		defer close(lines)
		scanner := bufio.NewScanner(r)
		for scanner.Scan() {
			if scanner.Text() != "" {
				lines <- scanner.Text()
			}
		}
	}()
	return lines
}
