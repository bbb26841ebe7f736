package doctor

import (
	"context"
	"crypto/tls"
	"net/http"
	"time"

	"go.uber.org/zap"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
)

// Verdict is the result of a check.
type Verdict string

// The verdicts. Bad is in capitals because it must be found in many lines.
const (
	OK      Verdict = "ok"
	Bad     Verdict = "BAD"
	Skipped Verdict = "skipped"
)

// Check is a check with its result.
type Check struct {
	Verdict Verdict `json:"verdict"`
	// Name is what was checked. Of is whose, such as a provider, or "".
	Name string `json:"name"`
	Of   string `json:"of,omitempty"`
	// Text says what was found, or why the check was skipped.
	Text string `json:"text"`
	// Next is the next step after Bad: a command, or what to change.
	Next string `json:"next,omitempty"`

	// fix puts right what is bad, nil if the operator must.
	fix *Fix
}

// Fix is a change at a provider that puts right a check.
type Fix struct {
	// Does says what the change does.
	Does string
	// Apply makes the change.
	Apply func(context.Context) error
}

// Fix returns how to put right what is bad, nil if the operator must do so.
func (c Check) Fix() *Fix { return c.fix }

func ok(name, of, text string) Check { return Check{Verdict: OK, Name: name, Of: of, Text: text} }

func bad(name, of, text, next string) Check {
	return Check{Verdict: Bad, Name: name, Of: of, Text: text, Next: next}
}

func skipped(name, of, why string) Check {
	return Check{Verdict: Skipped, Name: name, Of: of, Text: why}
}

// Patient is the installation to examine.
type Patient struct {
	// Op is a connection with the operator's key. Server is the broker's address, without secrets.
	Op     *stream.Operator
	Server string
	// Unreachable says why the broker cannot be asked, nil if it can. Op is not used then.
	Unreachable error
	// Topology is what the streams and queues must be.
	Topology schema.Topology
	// Getenv has the environment of a worker and of ingress: the providers' APIs and the files with
	// secrets.
	Getenv func(string) string
	// WebhookURL is our public address for webhooks, without the provider. It may be empty.
	WebhookURL string
	Log        *zap.Logger
}

const (
	// checkFor limits the checks of one part.
	checkFor = 30 * time.Second
	// clockSkewMax is how far two clocks may differ.
	clockSkewMax = 30 * time.Second
)

// Examine makes every check, and reports each as soon as its result is known.
func Examine(ctx context.Context, p Patient, report func(Check)) {
	for _, check := range p.checkBroker(ctx) {
		report(check)
	}
	for _, provider := range schema.Providers() {
		for _, check := range p.checkProvider(ctx, provider) {
			report(check)
		}
	}
}

// newTransport returns a transport for calls from the outside.
func newTransport() *http.Transport {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	return t
}
