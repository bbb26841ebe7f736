package console

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/wagewire/wagewire/deploy/shelf"
	"github.com/wagewire/wagewire/schema"
)

func TestTheQuarantine(t *testing.T) {
	b := newBench(t)
	stale := b.event("e-1", "a-1")
	for _, q := range []schema.Quarantined{
		{Provider: schema.Pinwheel, Reason: schema.QuarantineStale, Body: stale.Body},
		{Provider: schema.Truv, Reason: schema.QuarantineJSON, Body: []byte(`{"secret`)},
	} {
		q.ReceivedAt = timeAgo(time.Minute)
		b.must(b.op.PublishQuarantined(t.Context(), q))
	}
	b.read()
	b.wants(b.get("/quarantine", ritaToken), http.StatusOK, "2 webhooks.", "stale", "json",
		"wagewire quarantine list")
	got := b.get("/quarantine?reason=stale&since=1h", ritaToken)
	b.wants(got, http.StatusOK, `href="/quarantine/1"`)
	if strings.Contains(got.body, `href="/quarantine/2"`) {
		t.Error("the filter chooses another webhook")
	}
	b.wants(b.get("/quarantine/1", ritaToken), http.StatusOK, "yes: it can be released")
	got = b.get("/quarantine/2", annaToken)
	b.wants(got, http.StatusOK, "no: read webhook", "Plan a release",
		"wagewire quarantine discard 2")
	if strings.Contains(got.body, "secret") {
		t.Error("the page has the body")
	}
	b.wants(b.get("/quarantine/3", ritaToken), http.StatusNotFound, "no webhook 3 any more")

	path := b.plan("/quarantine/plan", url.Values{"do": {"release"}, "rate": {"1000"}})
	b.wants(b.get(path, annaToken), http.StatusOK, "This would release 1 of 2 webhooks", "would be kept",
		"wagewire quarantine release --all --rate 1000")
	last := b.start(path, nil)
	if last.Result.counts[shelf.Sent] != 1 || last.Result.counts[shelf.Kept] != 1 {
		t.Errorf("the report is %+v", last)
	}
	path = b.plan("/quarantine/plan", url.Values{"do": {"discard"}, "reason": {"json"}})
	last = b.start(path, url.Values{"count": {"1"}})
	if last.Result.counts[shelf.Discarded] != 1 || b.count(schema.QuarantineStream) != 0 ||
		b.count(schema.EventsStream) != 1 {
		t.Errorf("the report is %+v", last)
	}
}
