package console

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/wagewire/wagewire/schema"
)

const reason = "ticket 4711: the net pay is wrong"

// newRevealing starts a console that shows records, and an event with a completion.
func newRevealing(t *testing.T, records ...string) (*bench, schema.Completion) {
	t.Helper()
	b := newBenchOf(t, Config{TokensFile: "…", Reveal: true})
	e := income("e-1", "a-1")
	b.publish(e)
	return b, b.complete(e, schema.Succeeded, records...)
}

func revealing(kind revealKind, id, reason string) url.Values {
	return url.Values{"kind": {string(kind)}, "id": {id}, "reason": {reason}}
}

func TestRecordsAreRevealedToWhomSaysWhy(t *testing.T) {
	const record = `{"id":"r-1","net":"` + canary + `","employer":"<b>\u202e"}`
	b, c := newRevealing(t, record)
	page := b.get("/events/pinwheel:e-1", olgaToken)
	b.wants(page, http.StatusOK, `action="/reveal"`, "who and why")
	if got := b.get("/events/pinwheel:e-1", ritaToken); strings.Contains(got.body, "/reveal") {
		t.Error("rita sees the form, and may not reveal")
	}
	if strings.Contains(page.body, canary) {
		t.Error("a page shows a record without a reason")
	}
	got := b.post("/reveal", olgaToken, revealing(revealCompletion, c.ID, reason))
	b.wants(got, http.StatusOK, canary, "1 of 1 record", reason, "olga")
	if strings.Contains(got.body, "<b>") || strings.Contains(got.body, "\u202e") {
		t.Error("a value of a record is no text")
	}
	if got.Get("Cache-Control") != "no-store" {
		t.Error("a browser may keep the page")
	}
	b.wantsLog("records revealed", "olga", reason, c.ID)
	b.wantsNoCanary()
}

// wantsLog fails the test unless a log line has each text.
func (b *bench) wantsLog(texts ...string) {
	b.Helper()
	for line := range strings.Lines(b.logged.String()) {
		missing := ""
		for _, text := range texts {
			if !strings.Contains(line, text) {
				missing = text
			}
		}
		if missing == "" {
			return
		}
	}
	b.Errorf("no line with %q:\n%s", texts, b.logged.String())
}

func (b *bench) wantsNoCanary() {
	b.Helper()
	if strings.Contains(b.logged.String(), canary) {
		b.Errorf("a log line has a record:\n%s", b.logged.String())
	}
}

func TestWhoMayNotRevealSeesNothing(t *testing.T) {
	b, c := newRevealing(t, `{"id":"`+canary+`"}`)
	closed := newBench(t)
	e := income("e-1", "a-1")
	closed.publish(e)
	closed.complete(e, schema.Succeeded, `{"id":"`+canary+`"}`)
	for promise, test := range map[string]struct {
		bench  *bench
		token  string
		form   url.Values
		status int
		says   string
	}{
		"without --reveal there is no such page": {closed, olgaToken,
			revealing(revealCompletion, c.ID, reason), http.StatusNotFound, "no such page"},
		"a stranger": {b, "", revealing(revealCompletion, c.ID, reason),
			http.StatusUnauthorized, "Nobody is logged in"},
		"who reads": {b, ritaToken, revealing(revealCompletion, c.ID, reason),
			http.StatusForbidden, "needs the role reveal"},
		"who acts": {b, annaToken, revealing(revealCompletion, c.ID, reason),
			http.StatusForbidden, "needs the role reveal"},
		"who gives no reason": {b, olgaToken, revealing(revealCompletion, c.ID, ""),
			http.StatusBadRequest, "Say why"},
		"who gives blanks": {b, olgaToken,
			revealing(revealCompletion, c.ID, strings.Repeat(" ", 20)+"x"),
			http.StatusBadRequest, "Say why"},
		"who gives nothing but controls": {b, olgaToken,
			revealing(revealCompletion, c.ID, strings.Repeat("\x00\u202e", 20)),
			http.StatusBadRequest, "Say why"},
		"who gives a novel": {b, olgaToken,
			revealing(revealCompletion, c.ID, strings.Repeat("x", 501)),
			http.StatusBadRequest, "Say why"},
		"who asks for another kind": {b, olgaToken, revealing("event", c.ID, reason),
			http.StatusBadRequest, "does not say what"},
		"who asks for what is not there": {b, olgaToken,
			revealing(revealCompletion, "pinwheel:e-2:income", reason),
			http.StatusNotFound, "no such records"},
		"who asks for no id": {b, olgaToken, revealing(revealCompletion, "*", reason),
			http.StatusNotFound, "no such records"},
	} {
		got := test.bench.post("/reveal", test.token, test.form)
		if got.status != test.status || !strings.Contains(got.body, test.says) {
			t.Errorf("%s: status %d: %s", promise, got.status, short(got.body))
		}
		if strings.Contains(got.body, canary) {
			t.Errorf("%s: the record is shown", promise)
		}
	}
	if page := closed.get("/events/pinwheel:e-1", olgaToken); strings.Contains(page.body, "/reveal") {
		t.Error("there is a form without --reveal")
	}
	b.wantsLog("records revealed", "olga", "pinwheel:e-2:income", reason) // also if it fails
	b.wantsNoCanary()
	closed.wantsNoCanary()
}

func TestAReasonIsLoggedOnOneLine(t *testing.T) {
	b, c := newRevealing(t, `{"id":"r-1"}`)
	b.post("/reveal", olgaToken,
		revealing(revealCompletion, c.ID, "ticket\n4711\r\n{\"person\":\"anna\"}\x1b[2J\u202e"))
	b.wantsLog("records revealed", "olga", `ticket 4711 {\"person\":\"anna\"}\\x1b[2J\\u202e`)
}

func TestTheLogLineComesBeforeTheLook(t *testing.T) {
	b, c := newRevealing(t, `{"id":"`+canary+`"}`)
	b.server.Stop()
	got := b.post("/reveal", olgaToken, revealing(revealCompletion, c.ID, reason))
	if got.status != http.StatusServiceUnavailable {
		t.Errorf("status %d: %s", got.status, short(got.body))
	}
	b.wantsLog("records revealed", "olga", reason)
}

func TestManyRecordsAreCut(t *testing.T) {
	many := make([]string, revealedMax+5)
	for i := range many {
		many[i] = fmt.Sprintf(`{"id":"r-%d"}`, i)
	}
	long := `{"id":"` + strings.Repeat("x", 300<<10) + `"}`
	for promise, test := range map[string]struct {
		records []string
		says    []string
	}{
		"too many": {many, []string{"100 of 105 records", "5 not shown", "r-99"}},
		"too large, and elsewhere than in the message": {[]string{long, long, long, long, long},
			[]string{"3 of 5 records", "2 not shown"}},
		"none": {nil, []string{"0 of 0 records"}},
	} {
		b, c := newRevealing(t, test.records...)
		got := b.post("/reveal", olgaToken, revealing(revealCompletion, c.ID, reason))
		if got.status != http.StatusOK {
			t.Errorf("%s: status %d", promise, got.status)
		}
		b.wants(got, http.StatusOK, test.says...)
		if strings.Contains(got.body, "r-100&") {
			t.Errorf("%s: more are shown", promise)
		}
	}
}

func TestWhatIsRevealedFitsOnAPage(t *testing.T) {
	const pageMax = revealedBytesMax + 64<<10
	deep := strings.Repeat("[", 9_000)
	for promise, test := range map[string]struct {
		body  string
		isCut bool
	}{
		"a small body":                   {`{"a":{"b":[1,"\"["]}}`, false},
		"deep nesting":                   {deep + strings.Repeat("]", len(deep)), false},
		"many values deep down":          {deep + strings.Repeat("1,", 300<<10), false},
		"a large body":                   {`"` + strings.Repeat("x", 2*revealedBytesMax) + `"`, true},
		"nothing but controls":           {strings.Repeat("\x00", 1<<20), true},
		"nothing but characters of HTML": {strings.Repeat(`<">&'`, 200<<10), true},
	} {
		var v revealedView
		var page strings.Builder
		v.add([]byte(test.body))
		if err := revealed(v).Render(t.Context(), &page); err != nil {
			t.Fatal(err)
		}
		saysSo := strings.Contains(page.String(), "The text is cut")
		if page.Len() > pageMax || v.isCut != test.isCut || saysSo != test.isCut {
			t.Errorf("%s: a page of %d bytes, cut %t, and says so %t", promise, page.Len(), v.isCut,
				saysSo)
		}
	}
}

func TestAnIndentationIsMeasuredBefore(t *testing.T) {
	for _, text := range []string{
		`{}`, `[]`, `{"a":{"b":[1,2,{"c":null}],"d":"e,[{:\""}}`, "[[[1,2],[3]],{}]", `"a\\"`,
	} {
		var indented bytes.Buffer
		if err := json.Indent(&indented, []byte(text), "", recordIndent); err != nil {
			t.Fatal(err)
		}
		most := indentedBytes([]byte(text))
		if indented.Len() > most || most > 2*indented.Len()+20 {
			t.Errorf("%s becomes %d bytes, and was measured as %d", text, indented.Len(), most)
		}
	}
}

func TestBodiesAreRevealedByTheirNumber(t *testing.T) {
	b := newBenchOf(t, Config{TokensFile: "…", Reveal: true})
	b.publish(income("e-1", "a-1"))
	b.die()
	b.must(b.op.PublishQuarantined(t.Context(), schema.Quarantined{
		Provider: schema.Truv, Reason: schema.QuarantineJSON, ReceivedAt: receivedAt,
		Body: []byte("no JSON, but \x1b[31m" + canary),
	}))
	for _, test := range []struct {
		promise string
		kind    revealKind
		id      string
		status  int
		says    []string
	}{
		{"a dead letter", revealLetter, "1", http.StatusOK, []string{canary, "1 of 1 body"}},
		{"a webhook that is no JSON", revealQuarantined, "1", http.StatusOK,
			[]string{canary, `\x1b[31m`}},
		{"a letter that is gone", revealLetter, "2", http.StatusNotFound, nil},
		{"no number", revealLetter, "-1", http.StatusNotFound, nil},
	} {
		t.Log(test.promise)
		b.wants(b.post("/reveal", olgaToken, revealing(test.kind, test.id, reason)), test.status,
			test.says...)
	}
	b.wantsNoCanary()
}

func TestNothingIsRevealedWithoutALog(t *testing.T) {
	silent := zap.New(zapcore.NewCore(zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig()),
		zapcore.AddSync(io.Discard), zap.WarnLevel))
	file := filepath.Join(t.TempDir(), "tokens")
	if err := os.WriteFile(file, []byte(persons), 0o600); err != nil {
		t.Fatal(err)
	}
	for isRevealing, isRefused := range map[bool]bool{true: true, false: false} {
		c := Config{Addr: "127.0.0.1:0", TokensFile: file, Reveal: isRevealing}
		_, err := New(c, nil, noHealth, silent)
		if (err != nil) != isRefused || err != nil && !strings.Contains(err.Error(), "LOG_LEVEL") {
			t.Errorf("reveal %t: %v", isRevealing, err)
		}
	}
}
