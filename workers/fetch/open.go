package fetch

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/process"
	"github.com/wagewire/wagewire/workers"
	"github.com/wagewire/wagewire/workers/api"
	"github.com/wagewire/wagewire/workers/api/pace"
)

// providers is the registry of this module: one row a provider, each in a file of the provider's
// name.
var providers = map[schema.Provider]provider{
	schema.Pinwheel: pinwheelRow,
	schema.Truv:     truvRow,
}

// provider is a row of the registry.
type provider interface {
	// handles reports whether the row has a handler for the resource.
	handles(r schema.Resource) bool
	// open makes one client from the environment, and every handler.
	open(p schema.Provider, of surroundings) (map[schema.Resource]workers.Source, error)
	// openWithoutCalls makes the handlers that call no provider, from nothing.
	openWithoutCalls() map[schema.Resource]workers.Source
	secretVariable() string
	variables() []process.Variable
}

// surroundings are what all providers of a process share.
type surroundings struct {
	workers.Surroundings
	// allowHTTP allows calls without TLS to a real host.
	allowHTTP bool
	// answers is the memory for the answers of all providers.
	answers *api.Memory
}

// row is a provider with its Config, read from the environment, and its Client.
type row[Config, Client any] struct {
	// secretFile is the variable that names the file with the API's secrets. Config has the
	// variable too, with its help text. Without the variable, the provider is left out.
	secretFile string
	// newClient makes the client. Shared holds the secrets and the metrics.
	newClient func(c Config, shared api.Config) (Client, error)
	// ratePerS is the rate of the installation.
	ratePerS func(Config) rate
	// ratePerSMax is what the provider allows without a further agreement, in calls a second, and
	// rateSource where this stands.
	ratePerSMax rate
	rateSource  string
	// decode reads a webhook's body.
	decode func(schema.Event) (workers.Payload, error)
	// handlers are by resource.
	handlers map[schema.Resource]func(Client) workers.Handler
	// withoutCalls are the sources that call no provider, by resource. They need neither the client
	// nor the variables.
	withoutCalls map[schema.Resource]workers.Source
}

func (r row[Config, Client]) handles(resource schema.Resource) bool {
	_, isWithoutCalls := r.withoutCalls[resource]
	return isWithoutCalls || r.handlers[resource] != nil
}

func (r row[Config, Client]) openWithoutCalls() map[schema.Resource]workers.Source {
	return r.withoutCalls
}

func (r row[Config, Client]) secretVariable() string { return r.secretFile }

func (r row[Config, Client]) variables() []process.Variable {
	var c Config
	return process.Variables(c)
}

func (r row[Config, Client]) open(
	p schema.Provider, of surroundings,
) (map[schema.Resource]workers.Source, error) {
	client, pacer, err := r.connect(p, of)
	if err != nil {
		return nil, err
	}
	sources := map[schema.Resource]workers.Source{}
	maps.Copy(sources, r.withoutCalls)
	for resource, newHandler := range r.handlers {
		sources[resource] = workers.Source{
			Decode: r.decode, Handler: newHandler(client), Pace: pacer,
		}
	}
	return sources, nil
}

// connect makes the client from the environment, and the pace of its calls.
func (r row[Config, Client]) connect(
	p schema.Provider, of surroundings,
) (client Client, pacer *pace.Pacer, err error) {
	var c Config
	if err := process.ReadConfig(of.Getenv, &c); err != nil {
		return client, nil, err
	}
	url := process.ProviderURL{Variable: p.Variable("URL"), Value: of.Getenv(p.Variable("URL"))}
	if err := r.checkURL(url, of); err != nil {
		return client, nil, err
	}
	path := of.Getenv(r.secretFile)
	file, err := process.OpenSecretFile(r.secretFile, path, url)
	if err != nil {
		return client, nil, err
	}
	log := of.Log.With(zap.String("provider", string(p)))
	secrets := secretFile{file: file, log: log}
	rate := r.ratePerS(c)
	if url.IsReal() {
		r.warnOfRate(p, rate, log)
	}
	metrics := workers.NewAPIMetrics(of.Registry, string(p), float64(rate))
	pacer, err = newPacer(p, rate, of.Budget(p), log, metrics)
	if err != nil {
		return client, nil, err
	}
	client, err = r.newClient(c, api.Config{
		Secrets:   secrets.active,
		Reread:    secrets.reread,
		OnCall:    onCall(p, metrics, of.Calls),
		OnGet:     workers.CountProviderTime,
		Pace:      pacer,
		Answers:   of.answers,
		Transport: of.Transport,
	})
	if err != nil {
		pacer.Close()
		return client, nil, err
	}
	return client, pacer, nil
}

// onCall counts a call among the metrics, and for the reports of the process if calls is not nil.
func onCall(
	p schema.Provider, metrics *workers.APIMetrics, calls *workers.Calls,
) func(context.Context, api.Call) {
	if calls == nil {
		return metrics.Call
	}
	return func(ctx context.Context, c api.Call) {
		metrics.Call(ctx, c)
		calls.Note(p, c.Template, c.Status)
	}
}

// warnOfRate warns of a rate that the provider is known to refuse.
func (r row[Config, Client]) warnOfRate(p schema.Provider, rate rate, log *zap.Logger) {
	if rate > r.ratePerSMax {
		log.Warn("the rate is above what the provider is known to allow",
			zap.String("variable", p.Variable("RATE_PER_S")),
			zap.Float64("rate_per_s", float64(rate)),
			zap.Float64("known_per_s", float64(r.ratePerSMax)), zap.String("why", r.rateSource))
	}
}

// newPacer returns the pace of the calls to the provider.
func newPacer(
	p schema.Provider, rate rate, store pace.Store, log *zap.Logger, metrics *workers.APIMetrics,
) (*pace.Pacer, error) {
	pacer, err := pace.New(pace.Config{
		RatePerS: float64(rate), Store: store,
		OnTurn: metrics.Turn, OnLapse: metrics.Lapse, OnRequest: metrics.Request,
		OnFault: func(err error) {
			if err != nil {
				log.Error("no calls to the provider", zap.Error(err))
			} else {
				log.Info("calls to the provider go on")
			}
		},
		OnRate: func(other float64) {
			log.Warn("another process has another rate: give all processes the same",
				zap.String("variable", p.Variable("RATE_PER_S")),
				zap.Float64("rate_per_s", float64(rate)), zap.Float64("other_per_s", other))
		},
	})
	if err != nil {
		return nil, err
	}
	pacer.OnHold(func(left time.Duration) {
		metrics.Hold(left)
		if left == 0 {
			log.Info("the hold was ended early: calls to the provider go on")
			return
		}
		log.Warn("the provider asks to wait (429): no process calls it",
			zap.Duration("for", left), zap.Float64("rate_per_s", float64(rate)))
	})
	return pacer, nil
}

// checkURL returns an error if a real host would be called in the clear, or with one of the
// demonstration's keys in the environment.
func (r row[Config, Client]) checkURL(url process.ProviderURL, of surroundings) error {
	if !of.allowHTTP {
		if err := url.CheckHTTPS(); err != nil {
			return err
		}
	}
	for _, v := range r.variables() {
		if err := url.CheckValue(v.Name, of.Getenv(v.Name)); err != nil {
			return err
		}
	}
	return url.CheckBrokerKey(of.Getenv)
}

// Covers returns an error if the queue has no handler. The error names the files to change.
func Covers(q schema.Queue) error {
	p, ok := providers[q.Provider]
	if !ok {
		return fmt.Errorf("queue %s: the workers do not know provider %s: "+
			"write workers/fetch/%s.go, and add its row to providers in workers/fetch/open.go",
			q.Name, q.Provider, q.Provider)
	}
	if !p.handles(q.Resource) {
		return fmt.Errorf("queue %s has no handler: add %s to the handlers in workers/fetch/%s.go",
			q.Name, q.Resource, q.Provider)
	}
	return nil
}

// Open opens the sources of one resource, by provider, from the environment. If several providers
// have the resource, a provider without a secret file is left out. A resource without calls to a
// provider needs no secret file. Errors name the variable to change.
func Open(
	r schema.Resource, of workers.Surroundings,
) (map[schema.Provider]workers.Source, error) {
	opened, err := open(schema.QueuesOf(r), of)
	if err != nil {
		return nil, err
	}
	return opened[r], nil
}

// OpenAll opens the sources of every resource for one process. Each provider has one client,
// because all resources of a provider share one memory for answers. A provider without a secret
// file is left out. At least one must be left.
func OpenAll(
	of workers.Surroundings,
) (map[schema.Resource]map[schema.Provider]workers.Source, error) {
	return open(schema.Queues(), of)
}

// Variables returns the environment variables of a provider's API, for help texts and tables.
func Variables(p schema.Provider) []process.Variable {
	known, ok := providers[p]
	if !ok {
		return nil
	}
	return known.variables()
}

// SecretVariable returns the variable that names the file with the secrets of a provider's API.
func SecretVariable(p schema.Provider) string {
	known, ok := providers[p]
	if !ok {
		return ""
	}
	return known.secretVariable()
}

// open opens the sources of the queues, with one client for each provider, and one memory for the
// answers of all.
func open(
	queues []schema.Queue, of workers.Surroundings,
) (map[schema.Resource]map[schema.Provider]workers.Source, error) {
	byProvider, err := coverByProvider(queues)
	if err != nil {
		return nil, err
	}
	config, err := workers.ConfigFromEnv(of.Getenv)
	if err != nil {
		return nil, err
	}
	shared := surroundings{
		Surroundings: of,
		allowHTTP:    config.AllowHTTP,
		answers:      api.NewMemory(int64(config.AnswerBytesMax)),
	}
	all := map[schema.Resource]map[schema.Provider]workers.Source{}
	var notSet []string
	for _, name := range schema.Providers() {
		wanted := byProvider[name]
		if len(wanted) == 0 {
			continue
		}
		variable := SecretVariable(name)
		calls := slices.ContainsFunc(wanted, schema.Queue.CallsProvider)
		if calls && of.Getenv(variable) == "" && len(byProvider) > 1 {
			notSet = append(notSet, variable)
			continue
		}
		sources := providers[name].openWithoutCalls()
		if calls {
			sources, err = providers[name].open(name, shared)
		}
		if err != nil {
			return nil, err
		}
		for _, q := range wanted {
			if all[q.Resource] == nil {
				all[q.Resource] = map[schema.Provider]workers.Source{}
			}
			all[q.Resource][name] = sources[q.Resource]
		}
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("none of %s is set: "+
			"set one or more to a file with the provider's secret", strings.Join(notSet, ", "))
	}
	return all, nil
}

// coverByProvider checks that every queue is covered, and groups the queues.
func coverByProvider(queues []schema.Queue) (map[schema.Provider][]schema.Queue, error) {
	byProvider := map[schema.Provider][]schema.Queue{}
	for _, q := range queues {
		if err := Covers(q); err != nil {
			return nil, err
		}
		byProvider[q.Provider] = append(byProvider[q.Provider], q)
	}
	return byProvider, nil
}

// secretFile reads the secrets of a provider's API. After a bad change, the secrets before the
// change stay in use.
type secretFile struct {
	file *process.SecretFile
	log  *zap.Logger
}

// active returns every secret of the file, in order. A changed file is read again.
func (f secretFile) active() ([]string, error) {
	secrets, err := f.file.Active()
	return f.reveal(secrets, err), nil
}

// reread reads the file now.
func (f secretFile) reread() ([]string, error) {
	secrets, _, err := f.file.Reload(nil)
	return f.reveal(secrets, err), nil
}

// reveal logs the fault of a read, which the file returns only once.
func (f secretFile) reveal(secrets []schema.Secret, fault error) []string {
	if fault != nil {
		f.log.Error("secrets not taken", zap.Error(fault))
	}
	revealed := make([]string, len(secrets))
	for i, secret := range secrets {
		revealed[i] = secret.Reveal()
	}
	return revealed
}

// rate is a number of calls in a second, over 0.
type rate float64

// UnmarshalText reads a rate from an environment variable.
func (r *rate) UnmarshalText(text []byte) error {
	n, err := strconv.ParseFloat(string(text), 64)
	if err != nil || !(n > 0) || math.IsInf(n, 0) {
		return fmt.Errorf("%q is not a number over 0, such as 5", text)
	}
	if n < schema.RateMin {
		return fmt.Errorf("%q is less than one call an hour", text)
	}
	*r = rate(n)
	return nil
}
