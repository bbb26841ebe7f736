package console

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/wagewire/wagewire/deploy/shelf"
	"github.com/wagewire/wagewire/ingress/webhook"
	"github.com/wagewire/wagewire/schema"
)

// event is a webhook that the queue of income reads.
func (b *bench) event(id, account string) schema.Event {
	b.Helper()
	body := fmt.Sprintf(`{"event":"income.added","event_id":%q,"payload":{"account_id":%q}}`,
		id, account)
	e, err := webhook.Parse(webhook.Received{
		Provider: schema.Pinwheel, Body: []byte(body), At: timeAgo(time.Minute),
	})
	b.must(err)
	return e
}

// store stores the event, and returns a dead letter of it.
func (b *bench) store(e schema.Event) schema.DeadLetter {
	b.Helper()
	_, err := b.op.PublishEvent(b.Context(), e)
	b.must(err)
	extent, err := b.op.ExtentOf(b.Context(), schema.EventsStream)
	b.must(err)
	m, exists, err := b.op.Message(b.Context(), schema.EventsStream, extent.Last)
	b.must(err)
	if !exists {
		b.Fatalf("event %d is gone", extent.Last)
	}
	return schema.DeadLetter{
		Queue: "pinwheel_income", Account: e.Account(), Class: schema.ClassTransient,
		Reason: schema.ReasonLadderEnded, Attempts: 7, Sequence: m.Sequence,
		At: timeAgo(time.Second), Headers: m.Header, Body: m.Body,
	}
}

// shelve stores events, and a dead letter of each.
func (b *bench) shelve(from, to int) {
	b.Helper()
	for i := from; i <= to; i++ {
		e := b.event(fmt.Sprintf("e-%d", i), fmt.Sprintf("a-%d", i))
		b.must(b.op.PublishDeadLetter(b.Context(), b.store(e)))
	}
	b.read()
}

// count counts the messages of a stream.
func (b *bench) count(stream string) int {
	b.Helper()
	n, err := b.op.CountMessages(b.Context(), stream)
	b.must(err)
	return int(n)
}

func TestTheDeadLettersOfAFilter(t *testing.T) {
	b := newBench(t)
	b.shelve(1, 3)
	poison := b.store(b.event("e-4", "a-4"))
	poison.Class = schema.ClassPoison
	poison.Status = 503
	poison.Endpoint = "/v1/accounts/{account_id}/income"
	b.must(b.op.PublishDeadLetter(b.Context(), poison))
	b.read()
	for promise, test := range map[string]struct {
		query string
		has   []string
		not   []string
	}{
		"without a filter, all, the newest first": {
			"", []string{"4 dead letters.", "pinwheel:e-1", "pinwheel:e-4", "poison",
				"wagewire dead list"}, nil,
		},
		"of a class, with the command": {
			"?class=poison", []string{"1 dead letter.", "pinwheel:e-4",
				"wagewire dead list --class poison"}, []string{"pinwheel:e-1"},
		},
		"of an account, counted by a look": {
			"?account=a-2", []string{"pinwheel:e-2", "1 dead letter."},
			[]string{"pinwheel:e-1", "pinwheel:e-4"},
		},
		"of a queue and a provider": {
			"?queue=pinwheel_paystubs&provider=pinwheel", []string{"There is no such dead letter",
				"0 dead letters."}, []string{"pinwheel:e-1"},
		},
		"since a time ago": {"?since=1h", []string{"pinwheel:e-1", "--since 1h"}, nil},
		"until a time":     {"?until=2026-01-01T00:00:00Z", []string{"There is no such"}, nil},
		"older than a number": {
			"?before=3", []string{"pinwheel:e-2", "pinwheel:e-1", "after=2"},
			[]string{"pinwheel:e-3"},
		},
		"newer than a number": {
			"?after=2", []string{"pinwheel:e-3", "pinwheel:e-4", "before=3"},
			[]string{"pinwheel:e-2"},
		},
	} {
		t.Run(promise, func(t *testing.T) {
			got := b.get("/dead"+test.query, ritaToken)
			b.wants(got, http.StatusOK, test.has...)
			for _, text := range test.not {
				if strings.Contains(got.body, text) {
					t.Errorf("%q is in %s", text, short(got.body))
				}
			}
			if strings.Contains(got.body, "/dead/plan") {
				t.Error("a reader has a form to act")
			}
		})
	}
	b.wants(b.get("/dead", annaToken), http.StatusOK, "/dead/plan", "Plan a redrive")
}

func TestACommandLineIsSafeToCopy(t *testing.T) {
	b := newBench(t)
	b.shelve(1, 1)
	hostile := "h_;reboot${IFS}-f|$(id)"
	b.wants(b.get("/dead?account="+url.QueryEscape(hostile), ritaToken), http.StatusOK,
		"wagewire dead list --account "+schema.Token(hostile)+"<")
	b.wants(b.get("/dead?since=2026-01-12+02:36:00Z", ritaToken), http.StatusOK,
		"wagewire dead list --since &#39;2026-01-12 02:36:00Z&#39;")
	long := "/dead?since=" + strings.Repeat("0", 1000) + "1h"
	b.wants(b.get(long, ritaToken), http.StatusBadRequest, "since: write a shorter time")
}

func TestAListLeadsBackToTheNewest(t *testing.T) {
	b := newBench(t)
	b.shelve(1, 3)
	for _, query := range []string{"?before=1", "?after=3", "?after=1"} {
		b.wants(b.get("/dead"+query, ritaToken), http.StatusOK, `<a href="/dead">Newest</a>`)
	}
	if got := b.get("/dead", ritaToken); strings.Contains(got.body, ">Newest<") {
		t.Errorf("the newest page leads to itself: %s", short(got.body))
	}
	b.wants(b.get("/dead?before=3&after=1", ritaToken), http.StatusBadRequest, "and not both")
	got := b.get("/dead?queue=&class=transient&since=&until=", ritaToken)
	b.wants(got, http.StatusSeeOther)
	if to := got.Get("Location"); to != "/dead?class=transient" {
		t.Errorf("the address is %s", to)
	}
}

func TestCountsSayWhatIsNotKnown(t *testing.T) {
	b := newBench(t)
	b.read()
	retired := b.store(b.event("e-1", "a-1"))
	retired.Queue = "pinwheel_pay"
	retired.At = time.Date(2026, 1, 12, 2, 36, 0, 0, time.UTC)
	b.must(b.op.PublishDeadLetter(b.Context(), retired))
	b.wants(b.get("/dead", ritaToken), http.StatusOK, "1 dead letter.", "2026-01-12 02:36:00Z")
	b.read()
	b.wants(b.get("/dead", ritaToken), http.StatusOK, "1 dead letter. Counted at ")
	b.wants(b.get("/dead?provider=pinwheel", ritaToken), http.StatusOK,
		"0 dead letters, and perhaps some of 1 more", "transient (perhaps)")
	b.wants(b.get("/dead?since=all&queue=pinwheel_income", ritaToken), http.StatusOK,
		"0 dead letters.")
	b.wants(b.get("/dead?until=now", ritaToken), http.StatusOK, "1 dead letter.",
		"2026-01-12 02:36:00Z")
}

func TestAFilterThatIsWrongSaysWhatToWrite(t *testing.T) {
	b := newBenchWithoutBroker(t, Config{TokensFile: "…"})
	for path, want := range map[string]string{
		"/dead?queue=x":                 "queue: x is none: write one of pinwheel_",
		"/dead?class=<b>":               "class: &lt;b&gt; is none: write one of transient",
		"/dead?provider=x":              "provider: x is none: write one of pinwheel",
		"/dead?since=yesterday":         "since: write 1h, 2d, 2026-01-12T02:36:00Z",
		"/dead?until=2h&since=1h":       "until: write a time after since",
		"/dead?before=-1":               "before: write a number",
		"/quarantine?reason=x":          "reason: x is none: write one of",
		"/quarantine?after=x":           "after: write a number",
		"/quarantine?until=2h&since=1h": "until: write a time after since",
	} {
		b.wants(b.get(path, ritaToken), http.StatusBadRequest, want)
	}
	for _, test := range []struct {
		path string
		form url.Values
		want string
	}{
		{"/dead/plan", url.Values{}, "do: write redrive or discard"},
		{"/dead/plan", url.Values{"do": {"release"}}, "do: write redrive or discard"},
		{"/dead/plan", url.Values{"do": {"redrive"}, "most": {"10001"}}, "from 1 to 10000"},
		{"/dead/plan", url.Values{"do": {"redrive"}, "rate": {"0"}}, "rate: write a number from 1"},
		{"/dead/plan", url.Values{"do": {"redrive"}, "queue": {"x"}}, "queue: x is none"},
		{"/dead/plan", url.Values{"do": {"redrive"}, "number": {"x"}}, "number: write a number"},
		{"/quarantine/plan", url.Values{"do": {"redrive"}}, "do: write release or discard"},
	} {
		b.wants(b.post(test.path, annaToken, test.form), http.StatusBadRequest, test.want)
	}
}

func TestALetterSaysFirstWhyTheWorkerGaveUp(t *testing.T) {
	b := newBench(t)
	e := b.event("e-1", "a-1")
	letter := b.store(e)
	letter.Status = 503
	letter.Endpoint = "/v1/accounts/{account_id}/income"
	b.must(b.op.PublishDeadLetter(b.Context(), letter))
	completion := schema.NewCompletion(e, schema.Income, schema.Failed, time.Now())
	completion.Data.Error = &schema.CompletionError{Code: "E42", Message: "the <b>payroll</b> is away"}
	_, err := b.op.PublishCompletion(b.Context(), e, completion)
	b.must(err)
	got := b.get("/dead/1", ritaToken)
	b.wants(got, http.StatusOK, "Dead letter 1", "503", "E42",
		"the &lt;b&gt;payroll&lt;/b&gt; is away", `href="/events/pinwheel:e-1"`,
		`href="/accounts/pinwheel/a-1"`, "Nats-Msg-Id", "wagewire dead redrive 1")
	if strings.Index(got.body, "E42") > strings.Index(got.body, "pinwheel_income") {
		t.Error("the cause is not first")
	}
	if strings.Contains(got.body, "event_id") {
		t.Error("the page has the body")
	}
	b.wants(b.get("/dead/2", ritaToken), http.StatusNotFound, "no dead letter 2 any more")
	b.wants(b.get("/dead/x", ritaToken), http.StatusNotFound, "no such number")
	b.wants(b.get("/dead/18446744073709551615", ritaToken), http.StatusNotFound, "any more")
}

func TestHostileNamesOfLettersAreText(t *testing.T) {
	b := newBench(t)
	letter := b.store(b.event("e-1", "a-1"))
	letter.Queue = "<script>queue</script>"
	letter.Account = "<script>account</script>"
	letter.Class = "<script>class\x1b[31m\u202e</script>"
	letter.Reason = "<script>reason</script>"
	letter.Endpoint = "<script>\x1b[2Jendpoint</script>"
	letter.Headers = map[string][]string{
		"Ce-Id": {"<script>id</script>"}, "Ce-Type": {"<script>type</script>"},
		"X-Hostile": {"<script>header</script>"},
	}
	b.must(b.op.PublishDeadLetter(b.Context(), letter))
	b.must(b.op.PublishQuarantined(b.Context(), schema.Quarantined{
		Provider: "<script>provider</script>", Reason: "<script>reason</script>",
		Body: []byte("<script>body</script>"), ReceivedAt: time.Now(),
	}))
	b.read()
	run := b.plan("/dead/plan", url.Values{"do": {"redrive"}})
	unread := b.plan("/quarantine/plan", url.Values{"do": {"release"}})
	for _, path := range []string{
		"/", "/dead", "/dead/1", "/quarantine", "/quarantine/1", run, unread,
		"/dead?account=" + url.QueryEscape("<script>account</script>"),
	} {
		got := b.get(path, annaToken)
		b.wants(got, http.StatusOK)
		if text := short(got.body); strings.Contains(text, "<script>") ||
			strings.ContainsAny(text, "\x1b\u202e") {
			t.Errorf("%s has a hostile text as it is: %s", path, text)
		}
	}
}

var linkOlder = regexp.MustCompile(`rel="next" href="([^"]*)"`)

func TestManyLettersAreListedPageByPage(t *testing.T) {
	b := newBench(t)
	letter := b.store(b.event("e-1", "a-1"))
	const all = 5_000
	for i := range all {
		letter.Account = fmt.Sprintf("account-%d", i)
		b.must(b.op.PublishDeadLetter(b.Context(), letter))
	}
	b.read()
	got := b.get("/dead", ritaToken)
	b.wants(got, http.StatusOK, "5\u202f000 dead letters.", "account-4999", "account-4900")
	if n := strings.Count(got.body, `href="/dead/`); n != boardRows {
		t.Errorf("the first page has %d letters", n)
	}
	seen := 0
	for path := "/dead"; path != ""; {
		got := b.get(path, ritaToken)
		b.wants(got, http.StatusOK)
		seen += strings.Count(got.body, `href="/dead/`)
		path = ""
		if link := linkOlder.FindStringSubmatch(got.body); link != nil {
			path = strings.ReplaceAll(link[1], "&amp;", "&")
		}
	}
	if seen != all {
		t.Errorf("the pages have %d letters", seen)
	}
	b.wants(b.get("/dead?account=account-17", ritaToken), http.StatusOK, "account-17")
	b.wants(b.get("/dead?since=1h&class=poison", ritaToken), http.StatusOK, "There is no such")
}

func TestTheCommandOfAHostileAccountNeedsNoQuotes(t *testing.T) {
	b := newBench(t)
	got := b.get("/dead?account="+url.QueryEscape("$(reboot)"), ritaToken)
	token := shelf.LetterFilter{Account: "$(reboot)"}.AccountWord()
	b.wants(got, http.StatusOK, "wagewire dead list --account "+token)
}

func TestTheDeadLettersCannotBeRead(t *testing.T) {
	b := newBench(t)
	b.op.Close()
	for _, path := range []string{"/dead", "/dead/1", "/quarantine", "/quarantine/1"} {
		b.wants(b.get(path, ritaToken), http.StatusServiceUnavailable, "could not be read")
	}
	b.wants(b.post("/dead/plan", annaToken, redriveFast()), http.StatusServiceUnavailable,
		"Nothing was planned")
}
