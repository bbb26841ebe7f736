package chaos

import (
	"strconv"

	"github.com/wagewire/wagewire/deploy/fake"
	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/workers/fetch"
)

// ratesPerS are the rates of the installation, all processes together, for each provider of package
// schema.
var ratesPerS = map[schema.Provider]int{
	schema.Pinwheel: 100,
	schema.Truv:     60,
}

// environmentOf returns a provider's variables for ingress or a worker.
func environmentOf(p schema.Provider, apiURL, secretFile string) []string {
	env := []string{
		p.Variable("SECRETS_FILE") + "=" + secretFile,
		fetch.SecretVariable(p) + "=" + secretFile,
	}
	variables := fake.Environment(string(p), apiURL)
	variables["RATE_PER_S"] = strconv.Itoa(ratesPerS[p]) // the fake has another rate
	for name, value := range variables {
		env = append(env, p.Variable(name)+"="+value)
	}
	return env
}
