package fetch

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/process"
	"github.com/wagewire/wagewire/workers"
	"github.com/wagewire/wagewire/workers/api"
	"github.com/wagewire/wagewire/workers/pinwheel"
	"github.com/wagewire/wagewire/workers/truv"
)

// Defaults of the providers' variables.
const (
	pinwheelURL      = "https://api.getpinwheel.com"
	pinwheelVersion  = "2025-07-08"
	pinwheelRatePerS = 10
	truvURL          = "https://prod.truv.com"
	truvRatePerS     = 5

	pinwheelSecretVariable = "PINWHEEL_API_SECRET_FILE"
	truvSecretVariable     = "TRUV_ACCESS_SECRET_FILE"
)

// Pinwheel opens a handler over a client made from PINWHEEL_URL, PINWHEEL_API_SECRET_FILE, PINWHEEL_VERSION and
// PINWHEEL_RATE_PER_S.
func Pinwheel(handler func(*pinwheel.Client) workers.Handler) workers.Open {
	return func(getenv func(string) string, registry prometheus.Registerer) (workers.Handler, error) {
		client, err := pinwheelClient(getenv, registry)
		if err != nil {
			return nil, err
		}
		return handler(client), nil
	}
}

// Truv opens a handler over a client made from TRUV_URL, TRUV_CLIENT_ID, TRUV_ACCESS_SECRET_FILE and TRUV_RATE_PER_S.
func Truv(handler func(*truv.Client) workers.Handler) workers.Open {
	return func(getenv func(string) string, registry prometheus.Registerer) (workers.Handler, error) {
		client, err := truvClient(getenv, registry)
		if err != nil {
			return nil, err
		}
		return handler(client), nil
	}
}

// Handlers opens every resource's handler in one process, over one client a provider: a provider's rate is one for all of
// them. A provider without a secret file is left out; without any it is an error.
func Handlers(getenv func(string) string, registry prometheus.Registerer) (map[schema.Resource]workers.Handler, error) {
	handlers := map[schema.Resource]workers.Handler{}
	if getenv(pinwheelSecretVariable) != "" {
		c, err := pinwheelClient(getenv, registry)
		if err != nil {
			return nil, err
		}
		handlers[schema.Employment], handlers[schema.Identity], handlers[schema.Income] = Employment(c), Identity(c), Income(c)
		handlers[schema.Paystubs], handlers[schema.Shifts], handlers[schema.VerificationReports] = Paystubs(c), Shifts(c), VerificationReports(c)
	}
	if getenv(truvSecretVariable) != "" {
		c, err := truvClient(getenv, registry)
		if err != nil {
			return nil, err
		}
		handlers[schema.Link] = Link(c)
	}
	if len(handlers) == 0 {
		return nil, fmt.Errorf("neither %s nor %s is set: set one or both to a file with the provider's secret", pinwheelSecretVariable, truvSecretVariable)
	}
	return handlers, nil
}

func pinwheelClient(getenv func(string) string, registry prometheus.Registerer) (*pinwheel.Client, error) {
	secret, err := secretOf(pinwheelSecretVariable, getenv)
	if err != nil {
		return nil, err
	}
	rate, err := rateOf("PINWHEEL_RATE_PER_S", getenv, pinwheelRatePerS)
	if err != nil {
		return nil, err
	}
	metrics := workers.NewAPIMetrics(registry, string(schema.Pinwheel))
	client, err := pinwheel.New(pinwheel.Config{
		URL: cmp.Or(getenv("PINWHEEL_URL"), pinwheelURL), Version: cmp.Or(getenv("PINWHEEL_VERSION"), pinwheelVersion),
		APISecret: secret, RatePerS: rate, OnCall: metrics.Call, OnHold: metrics.Hold,
	})
	if err != nil {
		return nil, fmt.Errorf("PINWHEEL_URL: %w", err)
	}
	return client, nil
}

func truvClient(getenv func(string) string, registry prometheus.Registerer) (*truv.Client, error) {
	if getenv("TRUV_CLIENT_ID") == "" {
		return nil, errors.New("TRUV_CLIENT_ID is not set: set it to the client id of your Truv account")
	}
	secret, err := secretOf(truvSecretVariable, getenv)
	if err != nil {
		return nil, err
	}
	rate, err := rateOf("TRUV_RATE_PER_S", getenv, truvRatePerS)
	if err != nil {
		return nil, err
	}
	metrics := workers.NewAPIMetrics(registry, string(schema.Truv))
	client, err := truv.New(truv.Config{
		URL: cmp.Or(getenv("TRUV_URL"), truvURL), ClientID: getenv("TRUV_CLIENT_ID"),
		AccessSecret: secret, RatePerS: rate, OnCall: metrics.Call, OnHold: metrics.Hold,
	})
	if err != nil {
		return nil, fmt.Errorf("TRUV_URL: %w", err)
	}
	return client, nil
}

// secretOf reads the first secret of the file at each call, so that a changed file is used.
func secretOf(variable string, getenv func(string) string) (func() (string, error), error) {
	file, err := process.OpenSecretFile(variable, getenv(variable))
	if err != nil {
		return nil, err
	}
	return func() (string, error) {
		active, _ := file.Active() // a bad change leaves the secret before it in use
		return active[0].Reveal(), nil
	}, nil
}

func rateOf(variable string, getenv func(string) string, unset float64) (float64, error) {
	s := getenv(variable)
	if s == "" {
		return unset, nil
	}
	rate, err := strconv.ParseFloat(s, 64)
	if err != nil || !(rate > 0) || math.IsInf(rate, 0) {
		return 0, fmt.Errorf("%s: %q is not a number over 0", variable, s)
	}
	return rate, nil
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
