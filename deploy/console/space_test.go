package console

import (
	"errors"
	"html"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/wagewire/wagewire/deploy/health"
	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
)

var (
	// inlineTag are the tags inside a line of text. Other tags end the line.
	inlineTag = regexp.MustCompile(`</?(a|code|small|span|strong|time)( [^>]*)?>`)
	emptyTag  = regexp.MustCompile(`<(span|strong|time)( [^>]*)?></(span|strong|time)>`)
	tag       = regexp.MustCompile(`<[^>]*>`)
	// wrongSpace is a blank before a stop, or a time without a blank around. A browser shows
	// several blanks as one.
	wrongSpace = regexp.MustCompile(
		`[^\n ] +[.,:;!?](\s|$)|[a-z:,.]\d{4}-\d\d-\d\d \d\d:|\d\d:\d\dZ[a-z]`)
)

// linesOn are the lines of text on a page.
func linesOn(page string) string {
	_, main, _ := strings.Cut(page, "<main")
	main = emptyTag.ReplaceAllString(main, "-") // a script writes the text
	return html.UnescapeString(tag.ReplaceAllString(inlineTag.ReplaceAllString(main, ""), "\n"))
}

func TestNoPageHasABlankTooManyOrTooFew(t *testing.T) {
	b := newBenchOf(t, Config{TokensFile: "…", Reveal: true})
	b.publish(income("e-2", "a-1"))
	b.die()
	b.publish(income("e-3", "a-1"))
	b.takeNext(func(d *stream.Delivery) error { return d.Wait(outage()) })
	e := income("e-1", "a-1")
	b.publish(e)
	b.storeState(b.complete(e, schema.Succeeded, `{"id":"r"}`))
	_, err := b.op.Redrive(t.Context(), e, "", 1)
	b.must(err)
	b.publish(income("same", "a-1"), truvLink("same"), income("e-4", "same"))
	b.must(b.op.PublishQuarantined(t.Context(), schema.Quarantined{
		Provider: schema.Truv, Reason: schema.QuarantineJSON, ReceivedAt: receivedAt,
		Body: []byte("no JSON"),
	}))
	q, _ := schema.QueueNamed("pinwheel_income")
	b.must(b.op.Pause(t.Context(), q, time.Now().Add(time.Hour)))
	b.fill()
	b.read()
	plan := b.plan("/dead/plan", url.Values{"do": {"redrive"}})
	pages := []string{
		"/", "/feed", "/queues", "/queues/pinwheel_income", "/queues/pinwheel_income/retry",
		"/events/pinwheel:e-1", "/events/pinwheel:e-2", "/events/pinwheel:e-3", "/events/same",
		"/events/nobody", "/accounts/pinwheel/a-1", "/dead", "/dead/1", "/quarantine",
		"/quarantine/1", "/providers", "/teams", "/search?q=same", "/search?q=nobody", "/login",
		"/findings/queue_paused", "/nothing", plan,
	}
	check := func(state string) {
		for _, path := range pages {
			for _, token := range []string{annaToken, olgaToken} {
				text := linesOn(b.get(path, token).body)
				for _, wrong := range wrongSpace.FindAllStringIndex(text, -1) {
					around := text[max(wrong[0]-20, 0):min(wrong[1]+20, len(text))]
					t.Errorf("%s of %s: %q", path, state, around)
				}
			}
		}
	}
	check("this installation")
	b.watch.show(busyState())
	check("a busy installation")
	b.start(plan, nil)
	pages = []string{"/", plan}
	b.watch.show(health.Unknown(errors.New("no servers")))
	check("an installation without NATS")
}
