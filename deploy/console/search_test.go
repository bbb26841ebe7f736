package console

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/wagewire/wagewire/deploy/trace"
)

func TestASearchLeadsToThePage(t *testing.T) {
	b := newBench(t)
	b.publish(income("e-1", "a-1"), income("e-2", "a-1"), income("both", "a-2"),
		income("e-3", "both"))
	b.publish(truvLink("e-2"))
	for _, id := range []string{"e-1", "e-2"} {
		if _, err := b.op.Redrive(t.Context(), income(id, "a-1"), "", 1); err != nil {
			t.Fatal(err)
		}
	}
	for promise, test := range map[string]struct {
		query  string
		status int
		leads  string
		says   []string
	}{
		"an event's id":              {"e-1", http.StatusSeeOther, "/events/pinwheel:e-1", nil},
		"an event's key":             {"pinwheel:e-1", http.StatusSeeOther, "/events/pinwheel:e-1", nil},
		"a redrive's key":            {"pinwheel:e-1:r1", http.StatusSeeOther, "/events/pinwheel:e-1:r1", nil},
		"an account's id":            {"a-1", http.StatusSeeOther, "/accounts/pinwheel/a-1", nil},
		"blanks around do not count": {" a-1 ", http.StatusSeeOther, "/accounts/pinwheel/a-1", nil},
		"an event and an account": {"both", http.StatusOK, "", []string{
			"2 pages", `href="/events/pinwheel:both"`, `href="/accounts/pinwheel/both"`}},
		"an id of two providers": {"e-2", http.StatusOK, "", []string{
			"stands for 2 pages", `href="/events/pinwheel:e-2"`, `href="/events/truv:e-2"`}},
		"nothing": {"nobody", http.StatusNotFound, "", []string{
			"Nothing of event nobody is on the streams", "Nor is there an account",
			"write the whole id"}},
		"a number":    {"4711", http.StatusNotFound, "", []string{`href="/dead/4711"`}},
		"no name":     {"", http.StatusBadRequest, "", []string{"Give the id"}},
		"a long name": {strings.Repeat("x", 513), http.StatusBadRequest, "", []string{"512 bytes"}},
		"a wildcard":  {"*", http.StatusNotFound, "", nil},
	} {
		got := b.get("/search?q="+url.QueryEscape(test.query), ritaToken)
		if got.status != test.status || got.Get("Location") != test.leads {
			t.Errorf("%s: status %d to %q: %s", promise, got.status, got.Get("Location"),
				short(got.body))
		}
		b.wants(got, test.status, test.says...)
	}
	got := b.get("/search?all=1&q=e-1", ritaToken)
	if to := got.Get("Location"); to != "/events/pinwheel:e-1?all=1" {
		t.Errorf("a search in all leads to %q", to)
	}
	b.wants(b.get("/events/pinwheel:e-1?all=1", ritaToken), http.StatusOK, "The webhook")
}

func TestAThirdSearchIsRefused(t *testing.T) {
	b := newBench(t)
	b.publish(income("e-1", "a-1"))
	b.searchTurn = time.Millisecond
	for range searchesMax {
		b.searches <- struct{}{}
	}
	got := b.get("/search?q=e-1", ritaToken)
	b.wants(got, http.StatusServiceUnavailable, "Two searches are under way: try again")
	if got.Get("Retry-After") == "" {
		t.Error("it does not say when")
	}
	b.wants(b.get("/events/e-1?all=1", ritaToken), http.StatusServiceUnavailable, "Two searches")
	b.wants(b.get("/events/e-1", ritaToken), http.StatusOK, "The webhook")
	<-b.searches
	b.wants(b.get("/search?q=e-1", ritaToken), http.StatusSeeOther)
	b.wants(b.get("/search?q=e-1", ritaToken), http.StatusSeeOther) // the place is free again
}

func TestASearchThatDidNotSeeAllOffersIt(t *testing.T) {
	var page strings.Builder
	view := newMissingView(&trace.NotFoundError{
		Name: "a&b", Unread: []string{"the newest 50000 of 60000 events"},
	})
	if err := missing(view).Render(t.Context(), &page); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{
		`href="/search?all=1&amp;q=a%26b"`, "the newest 50000 of 60000 events", "Look at all events",
	} {
		if !strings.Contains(page.String(), text) {
			t.Errorf("%q is missing in %s", text, page.String())
		}
	}
}

func TestALookThatFailsIsAPage(t *testing.T) {
	b := newBench(t)
	for promise, test := range map[string]struct {
		err  error
		says string
	}{
		"it takes too long": {fmt.Errorf("read: %w", context.DeadlineExceeded),
			"NATS did not answer in time"},
		"the broker refuses": {fmt.Errorf("read: %w", jetstream.ErrStreamNotFound),
			"wagewire provision apply"},
	} {
		w := httptest.NewRecorder()
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/search?q=x", nil)
		b.lookUp(w, r, true, func(context.Context) error { return test.err })
		got := w.Body.String()
		if w.Code != http.StatusServiceUnavailable || !strings.Contains(got, test.says) {
			t.Errorf("%s: status %d: %s", promise, w.Code, short(got))
		}
	}
	if n := len(b.searches) + len(b.lookups); n != 0 {
		t.Errorf("%d places stay taken", n)
	}
}

func TestAPageWaitsForItsTurn(t *testing.T) {
	slots := make(chan struct{}, 1)
	slots <- struct{}{}
	ctx, cancel := context.WithCancel(t.Context())
	entered := make(chan bool)
	go func() { entered <- enter(ctx, slots, time.Hour) }()
	<-slots
	if !<-entered {
		t.Error("it does not enter when another leaves")
	}
	go func() { entered <- enter(ctx, slots, time.Hour) }()
	cancel()
	if <-entered {
		t.Error("it enters without a place")
	}
	if enter(t.Context(), slots, time.Nanosecond) {
		t.Error("it enters without a place after its time")
	}
}
