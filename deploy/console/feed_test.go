package console

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
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
		b.feeds(c)
	}
	event.Provider = schema.Truv
	event.Redrive = 2
	c := schema.NewCompletion(event, schema.Link, schema.Failed, stateAt)
	c.Subject = hostile
	c.Data.Missing = []string{"p-1", "p-2"}
	c.Data.Deleted = []string{"p-3"}
	c.Data.Stale = true
	c.Data.Error = &schema.CompletionError{Class: "provider", Code: hostile}
	b.feeds(c)
}

// feeds adds a completion to the feed, as a reading does.
func (b *bench) feeds(c schema.Completion) {
	b.Helper()
	body, err := json.Marshal(c)
	b.must(err)
	b.feed.add(stream.Stored{Sequence: b.feed.last + 1, Body: body})
	b.feed.end(nil)
}

func TestTheFeedShowsTheNewestCompletions(t *testing.T) {
	b := newBenchWithoutBroker(t, Config{TokensFile: "…"})
	b.feed.end(nil)
	b.wants(b.get("/feed", ritaToken), http.StatusOK, "0 completions of the newest 0",
		"newest 200 of all", "wagewire tail")
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
		b.feeds(schema.NewCompletion(event, schema.Link, schema.Succeeded, stateAt))
	}
	got := b.get("/feed", ritaToken)
	b.wants(got, http.StatusOK, "200 completions of the newest 200", "The newest 50 are shown",
		`href="?rows=all"`, "truv:e-200-", "truv:e-151-")
	if strings.Contains(got.body, "truv:e-150-") {
		t.Error("there are more than 50 rows")
	}
	got = b.get("/feed?rows=all", ritaToken)
	b.wants(got, http.StatusOK, "200 completions of the newest 200", "truv:e-200-", "truv:e-1-")
	if strings.Contains(got.body, "truv:e-0-") {
		t.Error("the oldest is still there")
	}
	if strings.Index(got.body, "truv:e-200-") > strings.Index(got.body, "truv:e-199-") {
		t.Error("the newest is not the first")
	}
}

func TestTheFeedIsReadWhileSomebodyLooks(t *testing.T) {
	b := newBench(t)
	conn := b.server.Connect(t)
	stores := func(id string) {
		t.Helper()
		event := schema.Event{
			Provider: schema.Truv, ID: id, Type: "t", Resource: schema.Link, Action: "a",
			AccountID: "a-1", OccurredAt: stateAt, ReceivedAt: stateAt,
		}
		c := schema.NewCompletion(event, schema.Link, schema.Succeeded, stateAt)
		_, err := conn.PublishCompletion(t.Context(), event, c)
		b.must(err)
	}
	shows := func() string {
		t.Helper()
		var keys []string
		for _, one := range b.feed.get().newest {
			keys = append(keys, one.Data.Event.ID)
		}
		return strings.Join(keys, " ")
	}
	stores("e-1")
	stores("e-2")
	if b.feed.isLookedAt() {
		t.Error("somebody looks before the first look")
	}
	group := new(sync.WaitGroup)
	group.Go(func() { b.feed.look(t.Context()) })
	<-b.feed.looks
	b.readFeed(t.Context())
	group.Wait()
	if got := shows(); got != "e-2 e-1" || !b.feed.isLookedAt() {
		t.Errorf("the first look shows %q", got)
	}
	changed := b.feed.change()
	stores("e-3")
	b.readFeed(t.Context())
	<-changed
	if got := shows(); got != "e-3 e-2 e-1" {
		t.Errorf("the next reading shows %q", got)
	}
	b.feed.readAt = b.feed.readAt.Add(-2 * lookedFor)
	stores("e-4")
	b.readFeed(t.Context())
	if got := shows(); got != "e-4 e-3 e-2 e-1" {
		t.Errorf("after a rest the feed shows %q", got)
	}
}

func TestWhatTheFeedCannotRead(t *testing.T) {
	b := newBenchWithoutBroker(t, Config{TokensFile: "…"})
	b.fill()
	b.feed.add(stream.Stored{Sequence: 100, Body: []byte(`{"time":"salary 4711"}`)})
	b.feed.end(nil)
	got := b.get("/feed", ritaToken)
	b.wants(got, http.StatusOK, "7 completions", " 1 could not be read.")
	if strings.Contains(got.body, "4711") {
		t.Error("the page quotes what could not be read")
	}
	isFirst := b.feed.end(errors.New("no servers"))
	if again := b.feed.end(errors.New("no servers")); !isFirst || again {
		t.Errorf("the first error is told %v, the next %v", isFirst, again)
	}
	b.wants(b.get("/feed", ritaToken), http.StatusOK, "7 completions",
		"Completions could not be read since")
	b.feed.end(nil)
	if got := b.get("/feed", ritaToken); strings.Contains(got.body, "could not be read since") {
		t.Error("the error stays")
	}
}

func TestTheFeedSelectsWhatItLacks(t *testing.T) {
	long := time.Now().Add(-2 * lookedFor)
	for promise, row := range map[string]struct {
		last   uint64
		readAt time.Time
		stored uint64
		want   stream.Selection
	}{
		"the newest at first":             {0, time.Time{}, 0, stream.Selection{Newest: feedMax}},
		"then what comes after the last":  {7, time.Now(), 0, stream.Selection{From: 8}},
		"also if the state knows of more": {7, time.Now(), 9, stream.Selection{From: 8}},
		"the newest after a long rest":    {7, long, 9, stream.Selection{Newest: feedMax}},
		"the newest of another stream":    {7, time.Now(), 3, stream.Selection{Newest: feedMax}},
	} {
		t.Run(promise, func(t *testing.T) {
			f := newFeed()
			f.last = row.last
			f.readAt = row.readAt
			if got := f.next(row.stored); !reflect.DeepEqual(got, row.want) {
				t.Errorf("%+v, want %+v", got, row.want)
			}
		})
	}
}
