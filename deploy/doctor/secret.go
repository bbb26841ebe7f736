package doctor

import (
	"fmt"
	"os"
	"time"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/process"
	"github.com/wagewire/wagewire/workers/fetch"
)

// checkSecrets checks the form of the provider's files: those that sign webhooks, and those that
// open the API.
func (p Patient) checkSecrets(provider schema.Provider) []Check {
	url := process.ProviderURL{
		Variable: provider.Variable("URL"), Value: p.Getenv(provider.Variable("URL")),
	}
	var checks []Check
	for _, variable := range []string{
		provider.Variable("SECRETS_FILE"), fetch.SecretVariable(provider),
	} {
		checks = append(checks, checkSecret(provider, variable, p.Getenv(variable), url))
	}
	return checks
}

func checkSecret(
	provider schema.Provider, variable, path string, url process.ProviderURL,
) Check {
	name := "secrets " + variable
	if path == "" {
		return skipped(name, string(provider), "the variable is not set")
	}
	file, err := process.OpenSecretFile(variable, path, url)
	if err != nil {
		return bad(name, string(provider), err.Error(), "write the secrets to "+path+", one a line")
	}
	secrets, err := file.Active()
	if err != nil {
		return bad(name, string(provider), err.Error(), "write the secrets to "+path+", one a line")
	}
	text := count(len(secrets), "secret")
	if info, err := os.Stat(path); err == nil {
		text += ", changed " + formatAge(time.Since(info.ModTime())) + " ago"
	}
	return ok(name, string(provider), text)
}

// formatAge prints an age in whole days, or exactly to a minute if it is less than two days.
func formatAge(age time.Duration) string {
	const day = 24 * time.Hour
	if age < 2*day {
		return max(age, 0).Round(time.Minute).String()
	}
	return fmt.Sprintf("%d days", age/day)
}
