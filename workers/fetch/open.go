package fetch

import (
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/process"
	"github.com/wagewire/wagewire/workers"
	"github.com/wagewire/wagewire/workers/api"
)

// providers is the registry of this module: one row a provider, each in a file of the provider's name.
var providers = map[schema.Provider]provider{
	schema.Pinwheel: pinwheelProvider,
	schema.Truv:     truvProvider,
}

// provider is what the workers need of one provider.
type provider interface {
	// has reports whether there is a handler for the resource.
	has(r schema.Resource) bool
	// configured reports whether the environment names the provider's secret.
	configured(getenv func(string) string) bool
	// sources opens one client, and every handler over it.
	sources(getenv func(string) string, registry prometheus.Registerer) (map[schema.Resource]workers.Source, error)
	secretVariable() string
	variables() []process.Variable
}

// row is what the workers need of a provider whose API has the client C.
type row[C any] struct {
	// open makes the client. Nothing is sent.
	open func(getenv func(string) string, registry prometheus.Registerer) (C, error)
	// secret is the variable that names the file with the API's secret. Without it the provider is left out.
	secret string
	// config is the zero value of the struct that open reads.
	config any
	// decode reads what a webhook's body says to a worker.
	decode func(schema.Event) (workers.Payload, error)
	// handlers are what fetches each resource.
	handlers map[schema.Resource]func(C) workers.Handler
}

func (p row[C]) has(r schema.Resource) bool { return p.handlers[r] != nil }

func (p row[C]) configured(getenv func(string) string) bool { return getenv(p.secret) != "" }

func (p row[C]) secretVariable() string { return p.secret }

func (p row[C]) variables() []process.Variable { return process.Variables(p.config) }

func (p row[C]) sources(getenv func(string) string, registry prometheus.Registerer) (map[schema.Resource]workers.Source, error) {
	client, err := p.open(getenv, registry)
	if err != nil {
		return nil, err
	}
	sources := map[schema.Resource]workers.Source{}
	for r, handler := range p.handlers {
		sources[r] = workers.Source{Decode: p.decode, Handler: handler(client)}
	}
	return sources, nil
}

// Covers returns an error if the queue has no handler here. The error names the files to change.
func Covers(q schema.Queue) error {
	p, ok := providers[q.Provider]
	if !ok {
		return fmt.Errorf("queue %s: the workers do not know provider %s: write workers/fetch/%s.go, and add its row to providers in workers/fetch/open.go",
			q.Name, q.Provider, q.Provider)
	}
	if !p.has(q.Resource) {
		return fmt.Errorf("queue %s has no handler: add %s to the handlers in workers/fetch/%s.go", q.Name, q.Resource, q.Provider)
	}
	return nil
}

// Open opens the sources of one resource, by provider, from the environment. A provider without a secret file is left out
// if another one has the resource. Its errors name the variable to change.
func Open(r schema.Resource, getenv func(string) string, registry prometheus.Registerer) (map[schema.Provider]workers.Source, error) {
	sources := map[schema.Provider]workers.Source{}
	queues := schema.QueuesOf(r)
	for _, q := range queues {
		if err := Covers(q); err != nil {
			return nil, err
		}
		p := providers[q.Provider]
		if len(queues) > 1 && !p.configured(getenv) {
			continue
		}
		opened, err := p.sources(getenv, registry)
		if err != nil {
			return nil, err
		}
		sources[q.Provider] = opened[r]
	}
	if len(sources) == 0 {
		return nil, errNoSecret()
	}
	return sources, nil
}

// OpenAll opens the sources of every resource in one process, over one client a provider: a provider's rate is one for all
// of them. A provider without a secret file is left out; without any it is an error.
func OpenAll(getenv func(string) string, registry prometheus.Registerer) (map[schema.Resource]map[schema.Provider]workers.Source, error) {
	for _, q := range schema.Queues() {
		if err := Covers(q); err != nil {
			return nil, err
		}
	}
	all := map[schema.Resource]map[schema.Provider]workers.Source{}
	for name, p := range providers {
		if !p.configured(getenv) {
			continue
		}
		opened, err := p.sources(getenv, registry)
		if err != nil {
			return nil, err
		}
		for r, source := range opened {
			if all[r] == nil {
				all[r] = map[schema.Provider]workers.Source{}
			}
			all[r][name] = source
		}
	}
	if len(all) == 0 {
		return nil, errNoSecret()
	}
	return all, nil
}

// Variables are the environment variables of a provider's API, for help texts and tables.
func Variables(p schema.Provider) []process.Variable {
	known, ok := providers[p]
	if !ok {
		return nil
	}
	return known.variables()
}

// SecretVariable is the variable that names the file with the secret of a provider's API.
func SecretVariable(p schema.Provider) string {
	known, ok := providers[p]
	if !ok {
		return ""
	}
	return known.secretVariable()
}

func errNoSecret() error {
	var variables []string
	for _, name := range schema.Providers() {
		variables = append(variables, SecretVariable(name))
	}
	return fmt.Errorf("none of %s is set: set one or more to a file with the provider's secret", strings.Join(variables, ", "))
}

// openSecret returns a function that reads the first secret of a file at each call, so that a changed file is used.
func openSecret(variable, path string) (func() (string, error), error) {
	file, err := process.OpenSecretFile(variable, path)
	if err != nil {
		return nil, err
	}
	return func() (string, error) {
		active, _ := file.Active() // a bad change leaves the secret before it in use
		return active[0].Reveal(), nil
	}, nil
}

// rate is a number of calls in a second, over 0.
type rate float64

// UnmarshalText reads a rate from an environment variable.
func (r *rate) UnmarshalText(text []byte) error {
	n, err := strconv.ParseFloat(string(text), 64)
	if err != nil || !(n > 0) || math.IsInf(n, 0) {
		return fmt.Errorf("%q is not a number over 0", text)
	}
	*r = rate(n)
	return nil
}

// absent reports whether the provider says that it does not have this one thing, or not yet: the rest of what an event
// announced is not given up for it.
func absent(err error) bool {
	status, ok := errors.AsType[*api.StatusError](err)
	if !ok {
		return false
	}
	return status.Status == http.StatusNotFound || status.Status == http.StatusConflict || status.Status == http.StatusGone
}
