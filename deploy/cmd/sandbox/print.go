package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/wagewire/wagewire/deploy/fake"
	"github.com/wagewire/wagewire/deploy/sandbox"
	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/process"
)

// printer prints for a person, with colours if the terminal has colours.
type printer struct {
	out      io.Writer
	coloured bool
}

func newPrinter(out io.Writer, getenv func(string) string) *printer {
	return &printer{out, wantsColour(out, getenv)}
}

// wantsColour reports whether out is a terminal with colours.
func wantsColour(out io.Writer, getenv func(string) string) bool {
	file, ok := out.(*os.File)
	return ok && process.Terminal(file) && getenv("NO_COLOR") == "" && getenv("TERM") != "dumb"
}

// ANSI colours.
const (
	bold   = "1"
	faint  = "2"
	red    = "31"
	green  = "32"
	yellow = "33"
)

func (p *printer) paint(colour, text string) string {
	if !p.coloured {
		return text
	}
	return "\x1b[" + colour + "m" + text + "\x1b[0m"
}

func (p *printer) println(format string, args ...any) { fmt.Fprintf(p.out, format+"\n", args...) }

func (p *printer) greet(s *sandbox.Sandbox) {
	workers := len(s.Resources()) + 1 // and the worker accounts
	p.println("%s is up: nats-server, ingress and %d workers in one process",
		p.paint(bold, "Wagewire"), workers)
	p.println("  webhooks   %s", webhooksURL(s))
	p.println("  NATS       %s", s.NATSURL)
	if s.Fake != nil {
		p.println("  providers  %s (fake %s)", s.ProvidersURL, sandbox.Titles())
	}
	if s.AdminURL != "" {
		p.println("  admin      %s/readyz, /metrics", s.AdminURL)
	}
	if s.ConsoleURL != "" {
		p.println("  console    %s", s.ConsoleURL)
	}
	if s.ConsoleToken != "" {
		p.println("             to act there, log in with the token %s", s.ConsoleToken)
	}
}

// webhooksURL shows the URLs of all providers together: http://127.0.0.1:8080/webhooks/{a,b}.
func webhooksURL(s *sandbox.Sandbox) string {
	var names []string
	for _, p := range schema.Providers() {
		names = append(names, string(p))
	}
	return s.WebhooksURL + "/{" + strings.Join(names, ",") + "}"
}

const (
	// lineFormat takes an outcome with padding, because paint makes the text longer.
	lineFormat    = "  %-33s %-10s %-21s %s %7s %8s %9s"
	outcomeFormat = "%-12s"
	summaryFormat = "  %-33s %8s %12s  %-24s %7s %8s %9s"
)

func (p *printer) play(timeline []fake.Webhook) {
	p.println("\nA person links a payroll account: %s send %d signed webhooks.\n",
		sandbox.Titles(), len(timeline))
	p.header()
}

func (p *printer) header() {
	line := fmt.Sprintf(lineFormat, "webhook", "account", "completion",
		fmt.Sprintf(outcomeFormat, "outcome"), "records", "attempts", "took")
	p.println("%s", p.paint(faint, line))
}

// completion prints the line of a completion: the event, with the status that the webhook tells if
// it tells one, and the outcome.
func (p *printer) completion(c schema.Completion, status string) {
	webhook := strings.TrimSpace(c.Data.Event.Type + " " + status)
	outcome := fmt.Sprintf(outcomeFormat, c.Data.Outcome)
	line := fmt.Sprintf(lineFormat,
		webhook,
		shorten(c.Subject),
		string(c.Data.Resource),
		p.paint(outcomeColour(c.Data.Outcome), outcome),
		fmt.Sprint(c.CountRecords()),
		fmt.Sprint(c.Data.Attempts),
		round(timeTaken(c)),
	)
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
	p.println("%s", line)
}

// compare prints rows of which the first is the header, and a note on them unless it is empty.
func (p *printer) compare(rows [][]string, note string) {
	p.println("What the providers say of the person, as package schema/normal reads it:\n")
	for i, row := range rows {
		line := fmt.Sprintf("  %-11s", row[0])
		for _, cell := range row[1:] {
			line += fmt.Sprintf(" %-36s", cell)
		}
		line = strings.TrimRight(line, " ")
		if i == 0 {
			line = p.paint(faint, line)
		}
		p.println("%s", line)
	}
	if note != "" {
		p.println("\n%s", note)
	}
}

// erase introduces the completion of a webhook that erases an account's data.
func (p *printer) erase(w fake.Webhook) {
	title := schema.Provider(w.Provider).Title()
	p.println("\n%s deletes its link, and Wagewire erases what it had of the link:\n", title)
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

// summary prints a row for each type, and the types of the missing completions.
func (p *printer) summary(rows map[string]*row, missing []string) {
	p.println("\n%s\n", p.paint(bold, "Summary"))
	header := fmt.Sprintf(summaryFormat, "type", "webhooks", "completions", "outcomes", "records",
		"attempts", "slowest")
	p.println("%s", p.paint(faint, header))
	var total row
	for _, t := range schema.Catalogue() {
		r := rows[t.Name]
		if r == nil {
			continue
		}
		p.println(summaryFormat, t.Name, fmt.Sprint(r.webhooks), fmt.Sprint(r.completions),
			outcomes(r), fmt.Sprint(r.records), fmt.Sprint(r.attempts), round(r.slowest))
		total.webhooks += r.webhooks
		total.completions += r.completions
	}
	p.println("")
	if len(missing) == 0 {
		p.println("%s %d types, %d webhooks, %d completions: every event has all its completions.",
			p.paint(green, "ok"), len(rows), total.webhooks, total.completions)
		return
	}
	p.println("%s %d of %d completions are missing, and none came for %s: %s",
		p.paint(red, "not ok"), len(missing), total.completions+len(missing), silenceMax,
		strings.Join(missing, ", "))
	p.println("LOG_LEVEL=info shows what the workers do.")
}

func outcomes(r *row) string {
	var parts []string
	for _, o := range schema.Outcomes() {
		switch n := r.outcomes[o]; n {
		case 0:
		case 1:
			parts = append(parts, string(o))
		default:
			parts = append(parts, fmt.Sprintf("%d %s", n, o))
		}
	}
	return strings.Join(parts, ", ")
}

// suggestNext prints suggestions for a running sandbox.
func (p *printer) suggestNext(s *sandbox.Sandbox) {
	if s.Fake == nil {
		p.println("  operator   %sNATS_URL=%s NATS_CREDS_FILE=%s wagewire status",
			consoleSetting(s), s.NATSURL, s.OperatorKey)
		p.println("\nPoint your providers' webhooks at %s. %s\n", webhooksURL(s), completionsBelow)
		p.header()
		return
	}
	title := p.paint(bold, "What next")
	p.println("\n%s\n\n%s\n\n%s\n", title, suggestions(s), completionsBelow)
	p.header()
}

const completionsBelow = "Completions appear below; Ctrl-C ends."

// consoleSetting is the variable with the address of the console, for the environment of a command,
// and "" without a console.
func consoleSetting(s *sandbox.Sandbox) string {
	if s.ConsoleURL == "" {
		return ""
	}
	return "CONSOLE_URL=" + s.ConsoleURL + " "
}

// suggestions are what a person can do with a running sandbox that has fakes. Each line that begins
// with four blanks is one of a shell.
func suggestions(s *sandbox.Sandbox) string {
	text := suggestionsText
	if s.ConsoleURL != "" {
		text = consoleText + text
	}
	person := s.Fake.Person(fake.PersonOptions{})
	login := ""
	if s.ConsoleToken != "" {
		login = " To act there, log in with the token\n  " + s.ConsoleToken
	}
	values := strings.NewReplacer(
		"<console>", s.ConsoleURL,
		"<login>", login,
		"<setting>", consoleSetting(s),
		"<account>", person.AccountID,
		"<link>", person.LinkID,
		"<secret>", fake.Secret(fake.Pinwheel),
		"<webhooks>", s.WebhooksURL,
		"<broker>", s.NATSURL,
		"<providers>", s.ProvidersURL,
	)
	return values.Replace(text)
}

const consoleText = `  Look at all of it in a browser: <console>.<login>

`

const suggestionsText = `  Send a webhook of your own, signed as Pinwheel signs:

    id=$(date +%s%N)
    payload='{"account_id":"<account>","outcome":"success"}'
    body='{"event":"employment.added","event_id":"'$id'","payload":'$payload'}'
    ts=$(date +%s)
    sig=$(printf 'v2:%s:%s' "$ts" "$body" | openssl dgst -sha256 -hmac <secret> | sed 's/.* //')
    curl -d "$body" -H "x-timestamp: $ts" -H "x-pinwheel-signature: v2=$sig" <webhooks>/pinwheel

  See what became of it, whether all is well, and what to do if not:

    export <setting>NATS_URL=<broker>
    go run ./deploy/cmd/wagewire trace "$id"
    go run ./deploy/cmd/wagewire status
    go run ./deploy/cmd/wagewire explain

  Let Truv link an account that stays, see whether its data is complete, and read its paystubs:

    curl -s -o /dev/null <providers>/control/people/<link>/play -d '{"keep":true}'
    export NATS_URL=<broker>
    go run ./deploy/cmd/wagewire accounts show <link>
    go run ./deploy/cmd/wagewire tail --since all -n 1 --resource paystubs --account <link> --json

  Subscribe to the completions, as another team would:

    nats -s <broker> sub 'wagewire.completions.>'
    NATS_URL=<broker> go run ./deploy/cmd/wagewire tail

  Get the completions by HTTP in a program of your own, and let webhooks happen:

    NATS_URL=<broker> go run ./deploy/cmd/wagewire listen --forward http://127.0.0.1:3000/hook
    go run ./deploy/cmd/wagewire trigger paystubs.added --control <providers>/control

  Make a fixture without private values of a webhook and of the provider's answers:

    printf <secret> > pinwheel.secret
    export PINWHEEL_URL=<providers>/pinwheel PINWHEEL_API_SECRET_FILE=pinwheel.secret
    export NATS_URL=<broker> PINWHEEL_RATE_PER_S=100
    go run ./deploy/cmd/wagewire record --last employment.added

  Let a fake provider fail, and send a webhook whose worker meets the failure:

    curl <providers>/control/faults -d '{"path":"employment","status":503,"times":2}'
    curl <providers>/control/webhooks -d '{"type":"employment.added"}'

  Let the data come later than its webhook, as at the real providers:

    curl <providers>/control/faults -d '{"path":"statements","missing":true,"times":1}'
    curl <providers>/control/webhooks -d '{"type":"statements-created"}'`

// shorten returns the start of an account's id.
func shorten(account string) string {
	const lengthMax = 8
	return account[:min(len(account), lengthMax)]
}

func round(d time.Duration) string {
	if d < time.Second {
		return d.Round(time.Millisecond).String()
	}
	return d.Round(10 * time.Millisecond).String()
}
