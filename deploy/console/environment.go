package console

import (
	"fmt"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/process"
)

// tokensVariable is the variable of Config.TokensFile.
const tokensVariable = "CONSOLE_TOKENS_FILE"

// ConfigFromEnv reads the variables that Variables lists. A token of the demonstration is refused
// unless the URL of each provider is that of a fake: everybody knows the token. Beside a real
// provider nobody could say who has acted.
func ConfigFromEnv(getenv func(string) string) (Config, error) {
	var c Config
	if err := process.ReadConfig(getenv, &c); err != nil {
		return Config{}, err
	}
	for _, p := range schema.Providers() {
		url := process.ProviderURL{Variable: p.Variable("URL")}
		var err error
		if url.Value, err = process.ReadVariable(getenv, url.Variable); err != nil {
			return Config{}, err
		}
		if err := url.CheckFile(tokensVariable, c.TokensFile); err != nil {
			return Config{}, err
		}
		c.Providers = append(c.Providers, url)
	}
	return c, nil
}

// Variables lists the variables of the console alone.
func Variables() []process.Variable {
	variables := process.Variables(Config{})
	for _, p := range schema.Providers() {
		variables = append(variables, process.Variable{
			Name: p.Variable("URL"),
			Help: fmt.Sprintf("%s's API, as the workers have it; the demonstration's tokens are "+
				"refused unless it is a fake's (the provider's own)", p.Title()),
		})
	}
	return variables
}
