package backfill

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
	"github.com/wagewire/wagewire/workers"
	"github.com/wagewire/wagewire/workers/api/pace"
)

const (
	// SettledFor is the usual Config.SettledFor: Pinwheel repeats a webhook for 15 minutes, and
	// Truv for two.
	SettledFor = 15 * time.Minute
	// clockSkewMax is how far the clocks of our machines and of a provider may differ.
	clockSkewMax = time.Hour
	// storeFor is the limit for storing one event.
	storeFor = 30 * time.Second
)

// Config is what to bring back.
type Config struct {
	Provider schema.Provider
	// Since is the beginning of the outage.
	Since time.Time
	// Account is the provider's id of the only account to look at. If empty, all accounts.
	Account string
	// SettledFor is the least age of a webhook or of a change. The provider may still send what is
	// younger.
	SettledFor time.Duration
	// WebhookURL is our address at the provider. Truv's log has the webhooks of every registration,
	// and only those to this address count. If empty, all count.
	WebhookURL string
	// DryRun finds and stores nothing.
	DryRun bool
	// Getenv has the environment of a worker: the provider's API, and the file with its secrets.
	Getenv func(string) string
	Log    *zap.Logger
	// Tell is told of progress.
	Tell func(string)
}

// surroundings are those of the provider's client. Its metrics are not shown to anybody.
func (r run) surroundings() workers.Surroundings {
	return workers.Surroundings{
		Getenv:   r.Getenv,
		Registry: prometheus.NewRegistry(),
		Log:      r.Log,
		Budget:   func(p schema.Provider) pace.Store { return r.op.Budget(p) },
	}
}

func (r run) tell(format string, args ...any) { r.Tell(fmt.Sprintf(format, args...)) }

// Verdict says what happens to a webhook that the provider has, or has sent.
type Verdict string

// The verdicts.
const (
	// Stored: the webhook was missing, and is stored now. In a dry run it would be stored.
	Stored Verdict = "stored"
	// Present: the event, or a completion of the same data, is there.
	Present Verdict = "present"
	// Left: the webhook is not there, and must not be stored. Finding.Why says why.
	Left Verdict = "left"
)

// Reasons why a webhook is left alone.
const (
	whyErased       = "the account is erased"
	whyNotConnected = "the account is not connected"
	whyYoung        = "it is young: the provider may still send it"
	whyNoRecord     = "the provider has no record"
	whyUnreadable   = "the log has no webhook that can be read"
)

// Finding is a webhook that the provider has, or has sent, and what happened to it.
type Finding struct {
	Verdict Verdict `json:"verdict"`
	Why     string  `json:"why,omitempty"`
	Type    string  `json:"type"`
	// Account is the token of the account.
	Account string `json:"account"`
	// Event is the key of the event, "" if no event is made.
	Event      string    `json:"event,omitempty"`
	OccurredAt time.Time `json:"occurred_at,omitzero"`
}

// candidate is a finding with the event to store. The event has no body unless the verdict is
// Stored.
type candidate struct {
	Finding
	event schema.Event
}

// source finds the candidates of a provider.
type source func(ctx context.Context, r run) ([]candidate, error)

// sources has the provider's ways to find what is missing.
var sources = map[schema.Provider]source{
	schema.Pinwheel: findAtPinwheel,
	schema.Truv:     findAtTruv,
}

// Providers are the providers with a way to find what is missing, in the order of tables.
func Providers() []schema.Provider {
	return slices.DeleteFunc(schema.Providers(), func(p schema.Provider) bool {
		return sources[p] == nil
	})
}

// ErrUnknown means that the provider has no way to find what is missing.
var ErrUnknown = errors.New("there is no backfill of the provider")

// run is a backfill under way.
type run struct {
	Config
	op   *stream.Operator
	now  time.Time
	past past
}

// Run finds what is missing and stores it, oldest first. After an error, the findings until then
// are returned, and the same Run may be made again.
func Run(ctx context.Context, op *stream.Operator, c Config) ([]Finding, error) {
	find := sources[c.Provider]
	if find == nil {
		return nil, fmt.Errorf("%s: %w", c.Provider, ErrUnknown)
	}
	r := run{Config: c, op: op, now: time.Now()}
	kept, err := op.KeptFor(ctx, schema.EventsStream)
	if err != nil {
		return nil, err
	}
	if oldest := r.now.Add(-kept); kept > 0 && c.Since.Before(oldest) {
		r.tell("events are kept for %s: of what came before, nobody knows whether it came", kept)
		r.Since = oldest
	}
	c = r.Config
	if r.past, err = readPast(ctx, op, c); err != nil {
		return nil, err
	}
	candidates, err := find(pace.AsReplay(ctx), r)
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(candidates, func(a, b candidate) int {
		return a.OccurredAt.Compare(b.OccurredAt)
	})
	findings := []Finding{}
	for _, candidate := range candidates {
		f, err := r.settle(ctx, candidate)
		if err != nil {
			return findings, err
		}
		findings = append(findings, f)
	}
	return findings, nil
}

// settle stores the event of a candidate that is missing.
func (r run) settle(ctx context.Context, c candidate) (Finding, error) {
	if c.Verdict != Stored {
		return c.Finding, nil
	}
	// The account may have been erased while the candidates were found.
	erased, err := r.op.Erased(ctx, c.event.Provider, c.event.Account())
	if err != nil {
		return c.Finding, err
	}
	if erased {
		c.Verdict = Left
		c.Why = whyErased
		return c.Finding, nil
	}
	if r.DryRun {
		return c.Finding, nil
	}
	ctx, cancel := context.WithTimeout(ctx, storeFor)
	defer cancel()
	duplicate, err := r.op.PublishEvent(ctx, c.event)
	if errors.Is(err, schema.ErrIDConflict) { // the same webhook, with other spaces
		duplicate = true
		err = nil
	}
	if duplicate {
		c.Verdict = Present
	}
	return c.Finding, err
}

// newCandidate returns the candidate of an event that is missing, as far as is known.
func newCandidate(e schema.Event, at time.Time) candidate {
	return candidate{event: e, Finding: Finding{
		Verdict: Stored, Type: e.Type, Account: e.Account(), Event: e.Key(), OccurredAt: at.UTC(),
	}}
}

// leave says that the event must not be stored.
func (c *candidate) leave(why string) {
	c.Verdict = Left
	c.Why = why
	c.event.Body = nil // many candidates are in memory at a time
}

// find says that the event is there.
func (c *candidate) find() {
	c.Verdict = Present
	c.event.Body = nil
}

func (r run) isYoung(at time.Time) bool { return at.After(r.now.Add(-r.SettledFor)) }

// past is what the events stream has of the time in question.
type past struct {
	keys map[string]bool
	// events are by account.
	events map[string][]schema.Event
}

// readPast reads the headers of the provider's events. The events of a single account are read
// from the beginning.
func readPast(ctx context.Context, op *stream.Operator, c Config) (past, error) {
	p := past{keys: map[string]bool{}, events: map[string][]schema.Event{}}
	which := stream.Selection{
		Filters: []string{schema.ProviderEvents(c.Provider)},
		Since:   c.Since.Add(-clockSkewMax),
	}
	if c.Account != "" {
		account := schema.Token(c.Account)
		which.Filters = []string{schema.AccountEvents(c.Provider, "*", "*", account)}
		which.Since = time.Time{}
	}
	err := op.Headings(ctx, which, func(h stream.Heading) error {
		p.keys[h.Event.Key()] = true
		p.events[h.Account] = append(p.events[h.Account], h.Event)
		return nil
	})
	if err != nil {
		return past{}, fmt.Errorf("read the stored events: %w", err)
	}
	return p, nil
}

// has reports whether the account has an event that isWanted.
func (p past) has(account string, isWanted func(schema.Event) bool) bool {
	return slices.ContainsFunc(p.events[account], isWanted)
}
