package fetch

import (
	"errors"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/process"
	"github.com/wagewire/wagewire/workers"
	"github.com/wagewire/wagewire/workers/truv"
)

// truvProvider is Truv's row.
var truvProvider = row[*truv.Client]{
	open:     openTruv,
	secret:   "TRUV_ACCESS_SECRET_FILE",
	config:   truvConfig{},
	decode:   decodeTruv,
	handlers: map[schema.Resource]func(*truv.Client) workers.Handler{schema.Link: Link},
}

// truvConfig is what the environment says of Truv's API.
type truvConfig struct {
	URL        string `env:"TRUV_URL" envDefault:"https://prod.truv.com" help:"Truv's API, for every environment"`
	ClientID   string `env:"TRUV_CLIENT_ID" help:"the client id (required)"`
	SecretFile string `env:"TRUV_ACCESS_SECRET_FILE" help:"file with the access secret (required); it is read again when it changes"`
	RatePerS   rate   `env:"TRUV_RATE_PER_S" envDefault:"5" help:"calls a second of this process: Truv allows 300 a minute over everything"`
}

func openTruv(getenv func(string) string, registry prometheus.Registerer) (*truv.Client, error) {
	var c truvConfig
	if err := process.ReadConfig(getenv, &c); err != nil {
		return nil, err
	}
	if c.ClientID == "" {
		return nil, errors.New("TRUV_CLIENT_ID is not set: set it to the client id of your Truv account")
	}
	secret, err := openSecret("TRUV_ACCESS_SECRET_FILE", c.SecretFile)
	if err != nil {
		return nil, err
	}
	metrics := workers.NewAPIMetrics(registry, string(schema.Truv))
	client, err := truv.New(truv.Config{
		URL: c.URL, ClientID: c.ClientID,
		AccessSecret: secret, RatePerS: float64(c.RatePerS), OnCall: metrics.Call, OnHold: metrics.Hold,
	})
	if err != nil {
		return nil, fmt.Errorf("TRUV_URL: %w", err)
	}
	return client, nil
}

// decodeTruv has nothing to read: all that matters of a link is its id, and the event has that as its account.
func decodeTruv(schema.Event) (workers.Payload, error) { return workers.Payload{}, nil }
