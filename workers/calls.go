package workers

import (
	"net/http"
	"sync"

	"github.com/wagewire/wagewire/schema"
)

// Calls counts the calls of a process to the providers, for its reports to operators. It is safe
// for concurrent use.
type Calls struct {
	mu     sync.Mutex
	totals map[schema.Provider]*callTotal
}

// callTotal has the calls to a provider. Calls.mu guards the fields beside the tally.
type callTotal struct {
	tally    schema.Tally
	status   int
	endpoint string
}

// NewCalls returns a count without calls.
func NewCalls() *Calls { return &Calls{totals: map[schema.Provider]*callTotal{}} }

// Note counts a call. The status is 0 if no whole answer came. No answer and the answers of a
// server in trouble are failures of the provider; any other answer is none.
func (c *Calls) Note(p schema.Provider, endpoint string, status int) {
	if status == http.StatusTooManyRequests {
		return // the provider works, and asks for a pause
	}
	ok := isAnswer(status)
	c.mu.Lock()
	defer c.mu.Unlock()
	total := c.totals[p]
	if total == nil {
		total = &callTotal{}
		c.totals[p] = total
	}
	total.tally.Note(ok)
	if !ok {
		total.status = status
		total.endpoint = endpoint
	}
}

// Report returns the calls to each provider that was called.
func (c *Calls) Report() map[schema.Provider]schema.ProviderReport {
	c.mu.Lock()
	defer c.mu.Unlock()
	reports := map[schema.Provider]schema.ProviderReport{}
	for p, total := range c.totals {
		reports[p] = schema.ProviderReport{
			Calls: total.tally.Read(), Status: total.status, Endpoint: total.endpoint,
		}
	}
	return reports
}
