package main

import (
	"slices"
	"strings"

	"github.com/wagewire/wagewire/deploy/console"
	"github.com/wagewire/wagewire/deploy/health"
	"github.com/wagewire/wagewire/ingress"
	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/process"
	"github.com/wagewire/wagewire/workers"
	"github.com/wagewire/wagewire/workers/fetch"
)

// quietLevel is the sandbox's default of LOG_LEVEL.
const quietLevel = "error"

// variables lists the environment variables of every sandbox.
func variables() []process.Variable {
	all := slices.Concat(
		process.Variables(process.Config{}),
		ingress.Variables(),
		workers.Variables(),
		console.Variables(),
		health.Variables(),
	)
	var list []process.Variable
	for _, v := range all {
		switch v.Name {
		case "ADMIN_ADDR", "INGRESS_ADDR", "CONSOLE_ADDR": // flags of the sandbox
			continue
		case "LOG_LEVEL":
			v.Default = quietLevel
		}
		isListed := func(other process.Variable) bool { return other.Name == v.Name }
		if isSecretsFile(v.Name) || isURL(v.Name) || slices.ContainsFunc(list, isListed) {
			continue
		}
		list = append(list, v)
	}
	return append(list, process.Variable{
		Name: "NO_COLOR", Help: "any value turns colours off, and so does TERM=dumb",
	})
}

// isSecretsFile reports whether the variable names the secrets of a real provider's webhooks.
func isSecretsFile(name string) bool { return isOfAProvider(name, "SECRETS_FILE") }

// isURL reports whether the variable is a real provider's URL.
func isURL(name string) bool { return isOfAProvider(name, "URL") }

// isOfAProvider reports whether name is the variable of a provider for one purpose.
func isOfAProvider(name, purpose string) bool {
	return slices.ContainsFunc(schema.Providers(), func(p schema.Provider) bool {
		return name == p.Variable(purpose)
	})
}

// realEnvironment is the help for the variables of real providers.
func realEnvironment() string {
	var list []process.Variable
	for _, v := range ingress.Variables() {
		if isSecretsFile(v.Name) {
			list = append(list, v)
		}
	}
	for _, p := range schema.Providers() {
		list = append(list, fetch.Variables(p)...)
	}
	var text strings.Builder
	process.PrintVariables(&text, list)
	return text.String()
}
