package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/wagewire/wagewire/deploy/fake"
	"github.com/wagewire/wagewire/deploy/sandbox"
	"github.com/wagewire/wagewire/schema"
)

// printer writes what a person reads.
type printer struct {
	out    io.Writer
	colour bool
}

func newPrinter(out io.Writer, getenv func(string) string) *printer {
	return &printer{out, colours(out, getenv)}
}

// ANSI colours.
const (
	bold   = "1"
	faint  = "2"
	red    = "31"
	green  = "32"
	yellow = "33"
)

func (p *printer) paint(code, text string) string {
	if !p.colour {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

func (p *printer) say(format string, args ...any) { fmt.Fprintf(p.out, format+"\n", args...) }

func (p *printer) greet(s *sandbox.Sandbox) {
	p.say("%s is up: nats-server, ingress and %d workers in one process", p.paint(bold, "Wagewire"), len(s.Resources()))
	p.say("  webhooks   %s/{pinwheel,truv}", s.WebhooksURL)
	p.say("  NATS       %s", s.NATSURL)
	if s.Fake != nil {
		p.say("  providers  %s (fake Pinwheel and Truv)", s.ProvidersURL)
	}
	if s.AdminURL != "" {
		p.say("  admin      %s/readyz, /metrics", s.AdminURL)
	}
}

const (
	lineFormat    = "  %-32s %-10s %-21s %-12s %7s %8s %9s"
	summaryFormat = "  %-32s %8s %12s  %-24s %7s %8s %9s"
)

func (p *printer) play(timeline []fake.Webhook) {
	p.say("\nA person links a payroll account: Pinwheel and Truv send %d signed webhooks.\n", len(timeline))
	p.header()
}

func (p *printer) header() {
	p.say("%s", p.paint(faint, fmt.Sprintf(lineFormat, "webhook", "account", "completion", "outcome", "records", "attempts", "took")))
}

// completion is an event's one line, from webhook to last word.
func (p *printer) completion(c schema.Completion) {
	line := fmt.Sprintf(lineFormat, c.Data.Event.Type, short(c.Subject), string(c.Data.Resource), "\x00", fmt.Sprint(recordsOf(c)),
		fmt.Sprint(c.Data.Attempts), round(tookOf(c)))
	outcome := p.paint(outcomeColour(c.Data.Outcome), fmt.Sprintf("%-12s", c.Data.Outcome))
	line = strings.Replace(line, fmt.Sprintf("%-12s", "\x00"), outcome, 1)
	if n := len(c.Data.Missing); n > 0 {
		line += fmt.Sprintf("  %d missing", n)
	}
	if n := len(c.Data.Deleted); n > 0 {
		line += fmt.Sprintf("  %d deleted", n)
	}
	if c.Data.Stale {
		line += "  stale"
	}
	if e := c.Data.Error; e != nil {
		line += fmt.Sprintf("  %s %s", e.Class, e.Code)
	}
	p.say("%s", line)
}

func outcomeColour(o schema.Outcome) string {
	switch o {
	case schema.Succeeded, schema.Deleted:
		return green
	case schema.Failed:
		return red
	default:
		return yellow
	}
}

func (p *printer) summary(rows map[string]*row, missing []string) {
	p.say("\n%s\n", p.paint(bold, "Summary"))
	p.say("%s", p.paint(faint, fmt.Sprintf(summaryFormat, "type", "webhooks", "completions", "outcomes", "records", "attempts", "slowest")))
	var total row
	for _, t := range schema.Catalogue() {
		r := rows[t.Name]
		if r == nil {
			continue
		}
		p.say(summaryFormat, t.Name, fmt.Sprint(r.webhooks), fmt.Sprint(r.completions), outcomes(r), fmt.Sprint(r.records), fmt.Sprint(r.attempts), round(r.slowest))
		total.webhooks += r.webhooks
		total.completions += r.completions
	}
	p.say("")
	if len(missing) == 0 {
		p.say("%s %d types, %d webhooks, %d completions: every event has its last word.", p.paint(green, "ok"), len(rows), total.webhooks, total.completions)
		return
	}
	p.say("%s %d of %d completions did not come within %s: %s", p.paint(red, "not ok"), len(missing), total.completions+len(missing), demonstrationFor, strings.Join(missing, ", "))
	p.say("LOG_LEVEL=info shows what the workers do.")
}

func outcomes(r *row) string {
	var parts []string
	for _, o := range []schema.Outcome{schema.Succeeded, schema.Pending, schema.Unavailable, schema.Failed, schema.Deleted} {
		if n := r.outcomes[o]; n > 1 {
			parts = append(parts, fmt.Sprintf("%d %s", n, o))
		} else if n == 1 {
			parts = append(parts, string(o))
		}
	}
	return strings.Join(parts, ", ")
}

// next says what to do with a sandbox that is up.
func (p *printer) next(s *sandbox.Sandbox) {
	if s.Fake == nil {
		p.say("\nPoint your providers' webhooks at %s/{pinwheel,truv}. Completions appear below; Ctrl-C ends.\n", s.WebhooksURL)
		p.header()
		return
	}
	person := s.Fake.Person(fake.PersonOptions{})
	p.say(`
%s

  Send a webhook of your own, signed as Pinwheel signs:

    body='{"event":"employment.added","event_id":"'$(date +%%s%%N)'","payload":{"account_id":"%s","outcome":"success"}}'
    ts=$(date +%%s)
    sig=$(printf 'v2:%%s:%%s' "$ts" "$body" | openssl dgst -sha256 -hmac %s | sed 's/.* //')
    curl -d "$body" -H "x-timestamp: $ts" -H "x-pinwheel-signature: v2=$sig" %s/pinwheel

  Subscribe to the completions, as another team would:

    nats -s %s sub 'wagewire.completions.>'
    NATS_URL=%s go run ./deploy/cmd/wagewire tail

  Make the fake providers misbehave, and send a webhook that meets it:

    curl %s/control/faults -d '{"provider":"pinwheel","path":"employment","status":503,"times":2}'
    curl %s/control/webhooks -d '{"type":"employment.added"}'

Completions appear below; Ctrl-C ends.
`, p.paint(bold, "What next"), person.AccountID, fake.Secret(fake.Pinwheel), s.WebhooksURL, s.NATSURL, s.NATSURL, s.ProvidersURL, s.ProvidersURL)
	p.header()
}

// short is an account as it fits a line.
func short(account string) string {
	const most = 8
	return account[:min(len(account), most)]
}

func round(d time.Duration) string {
	if d < time.Second {
		return d.Round(time.Millisecond).String()
	}
	return d.Round(10 * time.Millisecond).String()
}
