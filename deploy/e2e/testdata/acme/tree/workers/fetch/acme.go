package fetch

import (
	"context"
	"fmt"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/workers"
	"github.com/wagewire/wagewire/workers/acme"
	"github.com/wagewire/wagewire/workers/api"
)

// acmeRow is Acme's row of the registry.
var acmeRow = row[acmeConfig, *acme.Client]{
	secretFile:  "ACME_TOKEN_FILE",
	ratePerS:    func(c acmeConfig) rate { return c.RatePerS },
	ratePerSMax: 5,
	rateSource:  "Acme documents 5 calls a second",
	newClient:   newAcme,
	decode:      func(schema.Event) (workers.Payload, error) { return workers.Payload{}, nil },
	handlers: map[schema.Resource]func(*acme.Client) workers.Handler{
		schema.Employment: func(c *acme.Client) workers.Handler { return acmeEmployment{c} },
		schema.Paystubs:   func(c *acme.Client) workers.Handler { return list(c.Pay) },
	},
}

// acmeConfig has the environment variables of Acme's API.
type acmeConfig struct {
	URL       string `env:"ACME_URL" envDefault:"https://api.acme.example" help:"Acme's API"`
	TokenFile string `env:"ACME_TOKEN_FILE" help:"file with the API token (required)"`
	RatePerS  rate   `env:"ACME_RATE_PER_S" envDefault:"5" help:"calls a second of the whole installation"`
}

func newAcme(c acmeConfig, shared api.Config) (*acme.Client, error) {
	shared.URL = c.URL
	client, err := acme.New(shared)
	if err != nil {
		return nil, fmt.Errorf("ACME_URL: %w", err)
	}
	return client, nil
}

type acmeEmployment struct{ client *acme.Client }

func (e acmeEmployment) Fetch(ctx context.Context, job workers.Job) (workers.Fetched, error) {
	answer, err := e.client.Employment(ctx, job.Event.AccountID)
	if err != nil {
		return workers.Fetched{}, err
	}
	defer answer.Release()
	return workers.Fetched{Scope: schema.Snapshot}, job.Records.Add(ctx, api.Record{JSON: answer.Body})
}
