package chaos

import (
	"net/http"
	"sync"

	"github.com/wagewire/wagewire/deploy/flood"
	"github.com/wagewire/wagewire/deploy/ledger"
	"github.com/wagewire/wagewire/schema"
)

// Names of violations of this harness, besides those of package ledger.
const (
	crowded = "crowded"
	ended   = "process"
	logged  = "log"
	fast    = "fast"
)

// calm counts the attempts to send a signed webhook while the broker and ingress ran undisturbed.
type calm struct {
	mu sync.Mutex
	// attempts are all of them, refused those without the answer 200.
	attempts, refused int
}

func (c *calm) addAttempt(status int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.attempts++
	if status != http.StatusOK {
		c.refused++
	}
}

func (c *calm) count() (attempts, refused int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.attempts, c.refused
}

// checkCalm checks the share of signed webhooks that were stored at the first try while nothing but
// a flood disturbed ingress. A few failures are no proof: a busy machine has them too.
func checkCalm(check *ledger.Check, c *calm) {
	const fewMax = 2
	attempts, refused := c.count()
	most := fewMax + attempts/100
	if refused > most {
		check.Violate(crowded, "ingress",
			"%d of %d signed webhooks were not answered 200 while only floods disturbed ingress",
			refused, attempts)
	}
}

// checkFloods checks the answers to the requests of floods.
func checkFloods(check *ledger.Check, sum flood.Tally) {
	for status, n := range sum.Answers {
		if status < 400 || status > 499 {
			check.Violate(ledger.Custody, "flood",
				"an unsigned request was answered %d (%d times)", status, n)
		}
	}
}

// checkPaces checks that no provider got more calls in a second than its rate and burst, and none
// in a hold.
func checkPaces(check *ledger.Check, paces map[schema.Provider]pace) {
	for _, provider := range schema.Providers() {
		p := paces[provider]
		if limit := callsMax(provider); len(p.busiest) > limit {
			check.Violate(fast, string(provider),
				"%d calls in a second, and at most %d are allowed: %s",
				len(p.busiest), limit, p.describeBusiest())
		}
		if p.inside > 0 {
			check.Violate(fast, string(provider), "%d calls in a hold; the first: %s",
				p.inside, p.firstInside)
		}
	}
}
