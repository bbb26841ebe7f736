package console

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/wagewire/wagewire/schema"
)

// fill adds a completion of each outcome to the feed, and one with the words of an attacker.
func (b *bench) fill() {
	event := schema.Event{
		Provider: schema.Pinwheel, ID: "e-1", Type: "paystubs.added", Resource: schema.Paystubs,
		Action: schema.ActionAdded, AccountID: "a-1", OccurredAt: stateAt, ReceivedAt: stateAt,
	}
	for _, o := range schema.Outcomes() {
		c := schema.NewCompletion(event, schema.Paystubs, o, stateAt)
		c.Data.RecordsRef = &schema.RecordsRef{Count: 12_345}
		b.feed.add(c)
	}
	event.Provider = schema.Truv
	event.Redrive = 2
	c := schema.NewCompletion(event, schema.Link, schema.Failed, stateAt)
	c.Subject = hostile
	c.Data.Missing = []string{"p-1", "p-2"}
	c.Data.Deleted = []string{"p-3"}
	c.Data.Stale = true
	c.Data.Error = &schema.CompletionError{Class: "provider", Code: hostile}
	b.feed.add(c)
}

func TestTheFeedShowsTheNewestCompletions(t *testing.T) {
	b := newBenchWithoutBroker(t, Config{TokensFile: "…"})
	b.feed.begin(stateAt)
	b.wants(b.get("/feed", ritaToken), http.StatusOK, "0 completions of the newest 0",
		"2024-05-06 07:08:09Z", "wagewire tail")
	b.fill()
	got := b.get("/feed", ritaToken)
	b.wants(got, http.StatusOK, "7 completions of the newest 7", "paystubs.added", "12\u202f345",
		`href="/events/pinwheel:e-1"`, `href="/accounts/pinwheel/a-1"`,
		`href="/events/truv:e-1:r2"`, "2 missing, 1 deleted, stale", "provider, ",
		`class="mark ok">succeeded`, `class="mark bad">failed`)
	b.wantsText(got)
	if !strings.Contains(got.body, `hx-trigger="state from:body, completion from:body"`) {
		t.Error("a new completion does not reload the page")
	}
}

func TestTheFeedShowsWhatIsChosen(t *testing.T) {
	b := newBenchWithoutBroker(t, Config{TokensFile: "…"})
	b.fill()
	for _, test := range []struct {
		query   string
		shown   int
		command string
	}{
		{"", 7, "wagewire tail<"},
		{"?provider=pinwheel", 6, "wagewire tail --provider pinwheel<"},
		{"?outcome=failed", 2, "wagewire tail --outcome failed<"},
		{"?resource=link&outcome=failed", 1, "wagewire tail --resource link --outcome failed<"},
		{"?resource=link&outcome=pending", 0, "wagewire tail --resource link --outcome pending<"},
	} {
		got := b.get("/feed"+test.query, ritaToken)
		b.wants(got, http.StatusOK, test.command)
		if rows := strings.Count(got.body, `href="/events/`); rows != test.shown {
			t.Errorf("%s: %d completions, want %d", test.query, rows, test.shown)
		}
	}
	b.wants(b.get("/feed?outcome=failed", ritaToken), http.StatusOK,
		`<option value="failed" selected>`)
	for _, query := range []string{"?provider=x", "?resource=x", "?outcome=%3Cscript%3E"} {
		b.wants(b.get("/feed"+query, ritaToken), http.StatusBadRequest, "write one of")
	}
}

func TestTheFeedKeepsTheNewest(t *testing.T) {
	b := newBenchWithoutBroker(t, Config{TokensFile: "…"})
	for i := range feedMax + 1 {
		event := schema.Event{Provider: schema.Truv, ID: fmt.Sprintf("e-%d-", i), Resource: schema.Link}
		b.feed.add(schema.NewCompletion(event, schema.Link, schema.Succeeded, stateAt))
	}
	got := b.get("/feed", ritaToken)
	b.wants(got, http.StatusOK, "200 completions of the newest 200", "truv:e-200-", "truv:e-1-")
	if strings.Contains(got.body, "truv:e-0-") {
		t.Error("the oldest is still there")
	}
	if strings.Index(got.body, "truv:e-200-") > strings.Index(got.body, "truv:e-199-") {
		t.Error("the newest is not the first")
	}
}
