package fetch

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/process"
	"github.com/wagewire/wagewire/workers"
	"github.com/wagewire/wagewire/workers/pinwheel"
)

// pinwheelProvider is Pinwheel's row.
var pinwheelProvider = row[*pinwheel.Client]{
	open:   openPinwheel,
	secret: "PINWHEEL_API_SECRET_FILE",
	config: pinwheelConfig{},
	decode: decodePinwheel,
	handlers: map[schema.Resource]func(*pinwheel.Client) workers.Handler{
		schema.Employment:          Employment,
		schema.Identity:            Identity,
		schema.Income:              Income,
		schema.Paystubs:            Paystubs,
		schema.Shifts:              Shifts,
		schema.VerificationReports: VerificationReports,
	},
}

// pinwheelConfig is what the environment says of Pinwheel's API.
type pinwheelConfig struct {
	URL        string `env:"PINWHEEL_URL" envDefault:"https://api.getpinwheel.com" help:"Pinwheel's API, or that of its sandbox or development mode"`
	SecretFile string `env:"PINWHEEL_API_SECRET_FILE" help:"file with the API secret (required); it is read again when it changes"`
	Version    string `env:"PINWHEEL_VERSION" envDefault:"2025-07-08" help:"version of the API"`
	RatePerS   rate   `env:"PINWHEEL_RATE_PER_S" envDefault:"10" help:"calls a second of this process"`
}

func openPinwheel(getenv func(string) string, registry prometheus.Registerer) (*pinwheel.Client, error) {
	var c pinwheelConfig
	if err := process.ReadConfig(getenv, &c); err != nil {
		return nil, err
	}
	secret, err := openSecret("PINWHEEL_API_SECRET_FILE", c.SecretFile)
	if err != nil {
		return nil, err
	}
	metrics := workers.NewAPIMetrics(registry, string(schema.Pinwheel))
	client, err := pinwheel.New(pinwheel.Config{
		URL: c.URL, Version: c.Version,
		APISecret: secret, RatePerS: float64(c.RatePerS), OnCall: metrics.Call, OnHold: metrics.Hold,
	})
	if err != nil {
		return nil, fmt.Errorf("PINWHEEL_URL: %w", err)
	}
	return client, nil
}

// pinwheelOutcomes are the outcomes of a Pinwheel job that leave nothing to fetch, as its webhook gives them
// (docs.pinwheelapi.com, income and employment events).
var pinwheelOutcomes = map[string]schema.Outcome{"pending": schema.Pending, "error": schema.Failed}

// decodePinwheel reads a webhook's body. Ingress has made sure that it is one JSON object without repeated keys.
func decodePinwheel(e schema.Event) (workers.Payload, error) {
	var p workers.Payload
	type ids []struct {
		ID string `json:"id"`
	}
	type availability struct {
		Status      string `json:"status"`
		RefreshedAt string `json:"refreshed_at"`
	}
	var body struct {
		Payload struct {
			EndUserID string `json:"end_user_id"`
			Outcome   string `json:"outcome"`
			ErrorCode string `json:"error_code"`
			ErrorType string `json:"error_type"`
			Timestamp string `json:"timestamp"`
			Added     ids    `json:"added"`
			Deleted   ids    `json:"deleted"`
			Params    struct {
				FromPayDate string `json:"from_pay_date"`
				ToPayDate   string `json:"to_pay_date"`
			} `json:"params"`
			Availability struct {
				VOE  availability `json:"voe"`
				VOIE availability `json:"voie"`
			} `json:"availability"`
		} `json:"payload"`
	}
	if err := json.Unmarshal(e.Body, &body); err != nil {
		// Not err itself: it quotes the value it stumbled over.
		if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
			return p, fmt.Errorf("%w: %s: %s is of another type", workers.ErrUndecodable, e.Type, wrong.Field)
		}
		return p, fmt.Errorf("%w: %s: not JSON", workers.ErrUndecodable, e.Type)
	}
	b := body.Payload
	p = workers.Payload{
		EndUserID: b.EndUserID, Outcome: pinwheelOutcomes[b.Outcome], ErrorCode: b.ErrorCode, ErrorType: b.ErrorType,
		Timestamp: timeOrZero(b.Timestamp), FromPayDate: b.Params.FromPayDate, ToPayDate: b.Params.ToPayDate,
		VOE:  workers.Availability{Status: b.Availability.VOE.Status, RefreshedAt: timeOrZero(b.Availability.VOE.RefreshedAt)},
		VOIE: workers.Availability{Status: b.Availability.VOIE.Status, RefreshedAt: timeOrZero(b.Availability.VOIE.RefreshedAt)},
	}
	for _, list := range []struct {
		name string
		from ids
		to   *[]string
	}{{"added", b.Added, &p.Added}, {"deleted", b.Deleted, &p.Deleted}} {
		for _, item := range list.from {
			if item.ID == "" { // it cannot be fetched, nor reported as missing
				return workers.Payload{}, fmt.Errorf("%w: %s: an id in payload.%s is empty", workers.ErrUndecodable, e.Type, list.name)
			}
			*list.to = append(*list.to, item.ID)
		}
	}
	return p, nil
}

// timeOrZero reads a time that only a soft check needs: one that cannot be read is no reason to fail an event.
func timeOrZero(s string) time.Time {
	t, _ := schema.ParseTime(s)
	return t
}
