package console

import (
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/wagewire/wagewire/deploy/health"
	"github.com/wagewire/wagewire/deploy/plain"
	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
)

// providerView is what the page of the providers shows of one.
type providerView struct {
	health.ProviderState

	// budget is nil if the provider was never called.
	budget  *stream.BudgetStatus
	refused []stream.QueueStatus
	about   []health.Finding
	now     time.Time
}

// showProviders shows what is known of each provider.
func (c *Console) showProviders(w http.ResponseWriter, r *http.Request) {
	now := c.known(r.Context())
	var views []providerView
	for _, p := range now.Providers {
		views = append(views, viewProvider(now, p))
	}
	c.render(w, r, http.StatusOK, page{title: "Providers", isLive: true}, providersPage(views))
}

// viewProvider takes what is about the provider out of what is known.
func viewProvider(now known, p health.ProviderState) providerView {
	v := providerView{ProviderState: p, now: now.At}
	isOurs := func(b stream.BudgetStatus) bool { return b.Provider == p.Provider }
	if i := slices.IndexFunc(now.Budgets, isOurs); i >= 0 {
		v.budget = &now.Budgets[i]
	}
	for _, q := range now.Queues {
		queue, _ := schema.QueueNamed(q.Name)
		if queue.Provider == p.Provider && q.Refusal != nil {
			v.refused = append(v.refused, q)
		}
	}
	for _, f := range now.Findings {
		if f.About == string(p.Provider) {
			v.about = append(v.about, f)
		}
	}
	return v
}

// row is a kind of thing that went well or failed, of a provider.
type row struct {
	title string
	schema.Recent
	// last says more about the last failure.
	last string
}

// rows are what went well and what failed of late.
func (v providerView) rows() []row {
	return []row{
		{"Our calls", v.Calls, v.lastAnswer()},
		{"Signatures of webhooks", v.Signatures, ""},
		{"Dates of webhooks", v.Dates, v.lastDate()},
		{"Webhooks stored", v.Stored, ""},
	}
}

// lastAnswer is the last failed answer of the provider.
func (v providerView) lastAnswer() string {
	switch {
	case v.Calls.LastFailed.IsZero():
		return ""
	case v.Status == 0:
		return "no answer from " + plain.Word(v.Endpoint)
	default:
		return fmt.Sprintf("%d from %s", v.Status, plain.Word(v.Endpoint))
	}
}

// lastDate says how far the last wrong date was from our clock.
func (v providerView) lastDate() string {
	age := time.Duration(v.SkewS * float64(time.Second)).Round(time.Second)
	switch {
	case v.Dates.LastFailed.IsZero():
		return ""
	case age < 0:
		return (-age).String() + " after our clock"
	default:
		return age.String() + " before our clock"
	}
}

// heldUntil is until when the provider gets no calls, zero if it does.
func heldUntil(b stream.BudgetStatus) time.Time {
	if !b.Hold.Until.After(b.At) {
		return time.Time{}
	}
	return b.Hold.Until
}

// longestWait is how long a call waited for its turn in the last whole minute.
func longestWait(m schema.BudgetMinute) string {
	return time.Duration(m.WaitedS * float64(time.Second)).Round(100 * time.Millisecond).String()
}
