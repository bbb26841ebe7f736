package fetch

import (
	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/workers"
	"github.com/wagewire/wagewire/workers/pinwheel"
	"github.com/wagewire/wagewire/workers/truv"
)

// OpenPinwheel opens a client of Pinwheel from the environment, for an operator's command. Its
// calls take turns from the budget that the workers share. Errors name the variable to change. The
// caller calls closeAll at the end.
func OpenPinwheel(of workers.Surroundings) (client *pinwheel.Client, closeAll func(), err error) {
	return openFor(pinwheelRow, schema.Pinwheel, of)
}

// OpenTruv opens a client of Truv, as OpenPinwheel does.
func OpenTruv(of workers.Surroundings) (client *truv.Client, closeAll func(), err error) {
	return openFor(truvRow, schema.Truv, of)
}

// openFor opens the client of a row. An operator's command reads one answer at a time, so the
// answers need no limit.
func openFor[Config any, Client interface{ Close() }](
	r row[Config, Client], p schema.Provider, of workers.Surroundings,
) (client Client, closeAll func(), err error) {
	config, err := workers.ConfigFromEnv(of.Getenv)
	if err != nil {
		return client, nil, err
	}
	client, pacer, err := r.connect(p, surroundings{Surroundings: of, allowHTTP: config.AllowHTTP})
	if err != nil {
		return client, nil, err
	}
	return client, func() { client.Close(); pacer.Close() }, nil
}
