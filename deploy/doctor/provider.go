package doctor

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/workers"
	"github.com/wagewire/wagewire/workers/api"
	"github.com/wagewire/wagewire/workers/api/pace"
	"github.com/wagewire/wagewire/workers/fetch"
)

// checkProvider checks all that concerns a provider.
func (p Patient) checkProvider(ctx context.Context, provider schema.Provider) []Check {
	signing := p.Getenv(provider.Variable("SECRETS_FILE"))
	calling := p.Getenv(fetch.SecretVariable(provider))
	if signing == "" && calling == "" {
		return []Check{skipped("provider", string(provider), fmt.Sprintf("not in use: neither %s "+
			"nor %s is set", provider.Variable("SECRETS_FILE"), fetch.SecretVariable(provider)))}
	}
	checks := p.checkSecrets(provider)
	checks = append(checks, p.checkAPI(ctx, provider)...)
	return append(checks, p.checkAddress(ctx, provider))
}

// checkAPI checks the provider's API: the credentials, the clock, and our registration.
func (p Patient) checkAPI(ctx context.Context, provider schema.Provider) []Check {
	skipAll := func(why string) []Check {
		var checks []Check
		for _, name := range []string{"credentials", "clock", "registration"} {
			checks = append(checks, skipped(name, string(provider), why))
		}
		return checks
	}
	open := registries[provider]
	switch {
	case open == nil:
		return skipAll("the provider has no checks of its API")
	case p.Getenv(fetch.SecretVariable(provider)) == "":
		return skipAll(fetch.SecretVariable(provider) + " is not set")
	case p.Unreachable != nil:
		return skipAll("calls take turns on the broker, and the broker cannot be asked")
	}
	ctx, cancel := context.WithTimeout(ctx, checkFor)
	defer cancel()
	if err := p.Op.Budget(provider).Ready(ctx); err != nil {
		return skipAll("calls take turns on the broker: " + err.Error())
	}
	clock := &clockReader{base: newTransport()}
	defer clock.base.CloseIdleConnections()
	registry, closeAll, err := open(p.surroundings(clock))
	if err != nil {
		checks := skipAll("there is no client")
		checks[0] = bad("credentials", string(provider), err.Error(), "set the variable")
		return checks
	}
	defer closeAll()
	found, err := registry.list(ctx)
	checks := []Check{judgeCall(provider, err), clock.judge(provider)}
	if err != nil {
		return append(checks, skipped("registration", string(provider), "the list was not given"))
	}
	return append(checks, p.judgeRegistration(provider, found))
}

// surroundings are those of a client. Its metrics are not shown to anybody.
func (p Patient) surroundings(transport http.RoundTripper) workers.Surroundings {
	return workers.Surroundings{
		Getenv:    p.Getenv,
		Registry:  prometheus.NewRegistry(),
		Log:       p.Log,
		Budget:    func(provider schema.Provider) pace.Store { return p.Op.Budget(provider) },
		Transport: transport,
	}
}

// judgeCall says what the answer to a harmless call means.
func judgeCall(provider schema.Provider, err error) Check {
	const name = "credentials"
	of := string(provider)
	if err == nil {
		return ok(name, of, "the API takes them")
	}
	s, isStatus := errors.AsType[*api.StatusError](err)
	switch {
	case isStatus && s.Status == http.StatusUnauthorized:
		return bad(name, of, err.Error(),
			"put a valid secret into the file of "+fetch.SecretVariable(provider))
	case isStatus && s.Status == http.StatusForbidden:
		return bad(name, of, err.Error(), "see that "+provider.Variable("URL")+
			" and the secret are of the same environment, sandbox or production")
	case isStatus && s.Status == http.StatusTooManyRequests:
		return bad(name, of, err.Error(), "wait, and see: wagewire status")
	case isStatus && s.Status >= http.StatusInternalServerError:
		return bad(name, of, err.Error(), "wait, and see the status page of "+provider.Title())
	default:
		return bad(name, of, err.Error(), "check "+provider.Variable("URL")+" and the network")
	}
}

// clockReader reads the provider's clock from its answers.
type clockReader struct {
	base *http.Transport

	mu              sync.Mutex
	asked, answered time.Time
	// theirs is the header Date of the last answer, zero without one.
	theirs time.Time
}

// RoundTrip makes a call.
func (c *clockReader) RoundTrip(r *http.Request) (*http.Response, error) {
	asked := time.Now()
	resp, err := c.base.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked = asked
	c.answered = time.Now()
	c.theirs, _ = http.ParseTime(resp.Header.Get("Date")) // without a date, the time is zero
	return resp, nil
}

func (c *clockReader) judge(provider schema.Provider) Check {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.theirs.IsZero() {
		return skipped("clock", string(provider), "no answer told the time")
	}
	return judgeClock(string(provider), c.theirs, c.asked, c.answered, time.Second)
}

// EventsOf returns the types that a registration at the provider needs: those with a worker. The
// provider refuses a registration for the other types with a worker: Pinwheel's own list lacks
// account.removed.
func EventsOf(provider schema.Provider) (needed, refused []string) {
	for _, t := range schema.Catalogue() {
		switch {
		case t.Provider != provider || len(t.Workers) == 0:
		case provider == schema.Pinwheel && t.Name == "account.removed":
			refused = append(refused, t.Name)
		default:
			needed = append(needed, t.Name)
		}
	}
	return needed, refused
}

// missing returns the wanted types that are not there.
func missing(wanted, there []string) []string {
	return slices.DeleteFunc(slices.Clone(wanted), func(name string) bool {
		return slices.Contains(there, name)
	})
}

// isSameURL reports whether two addresses differ by a slash at the end at most.
func isSameURL(a, b string) bool {
	return strings.TrimRight(a, "/") == strings.TrimRight(b, "/")
}
