package health

import (
	"fmt"
	"time"

	"github.com/docker/go-units"
	"github.com/xhit/go-str2duration/v2"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/process"
)

// Config is what Read cannot learn from the broker.
type Config struct {
	// SilentAfter is the time without a webhook after which a provider counts as silent. Without an
	// entry, the last week says what is usual.
	SilentAfter map[schema.Provider]time.Duration
	// NATSMemory is how much memory a server of NATS may use, in bytes. 0 is unknown.
	NATSMemory uint64
}

// natsMemory is the variable of Config.NATSMemory.
const natsMemory = "NATS_MEMORY"

// silentAfter is the variable, without the provider, of Config.SilentAfter.
const silentAfter = "SILENT_AFTER"

// Variables lists the environment variables of Config.
func Variables() []process.Variable {
	var variables []process.Variable
	for _, p := range schema.Providers() {
		variables = append(variables, process.Variable{
			Name: p.Variable(silentAfter),
			Help: fmt.Sprintf("time without a webhook of %s after which something is wrong, "+
				"such as 12h (the last week says what is usual)", p.Title()),
		})
	}
	return append(variables, process.Variable{
		Name: natsMemory,
		Help: "memory of a server of NATS, such as 2GiB: " +
			"a finding tells when the kept messages need most of it (not judged)",
	})
}

// ConfigFromEnv reads Config from the environment. Its errors name the variable to change.
func ConfigFromEnv(getenv func(string) string) (Config, error) {
	config := Config{SilentAfter: map[schema.Provider]time.Duration{}}
	for _, p := range schema.Providers() {
		variable := p.Variable(silentAfter)
		text, err := process.ReadVariable(getenv, variable)
		if err != nil {
			return config, err
		}
		if text == "" {
			continue
		}
		limit, err := str2duration.ParseDuration(text)
		if err != nil || limit <= 0 {
			return config, fmt.Errorf("%s: %q is no duration over 0, such as 12h or 2d",
				variable, text)
		}
		config.SilentAfter[p] = limit
	}
	text, err := process.ReadVariable(getenv, natsMemory)
	if err != nil || text == "" {
		return config, err
	}
	memory, err := units.RAMInBytes(text)
	if err != nil || memory <= 0 {
		return config, fmt.Errorf("%s: %q is no size, such as 2GiB", natsMemory, text)
	}
	config.NATSMemory = uint64(memory)
	return config, nil
}
