package main

import (
	"strings"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/process"
	"github.com/wagewire/wagewire/workers/fetch"
)

// quietLevel is the sandbox's default of LOG_LEVEL.
const quietLevel = "error"

// variables lists the environment variables of every sandbox.
func variables() []process.Variable {
	var list []process.Variable
	for _, v := range process.Variables(process.Config{}) {
		switch v.Name {
		case "ADMIN_ADDR": // --admin-port
			continue
		case "LOG_LEVEL":
			v.Default = quietLevel
		}
		list = append(list, v)
	}
	const asWorkers = "as for the worker commands"
	return append(list,
		process.Variable{Name: "WORKER_CONCURRENCY", Help: asWorkers},
		process.Variable{Name: "RETRY_LADDER", Help: asWorkers},
		process.Variable{Name: "NOT_READY_LADDER", Help: asWorkers},
		process.Variable{Name: "NO_COLOR", Help: "any value turns colours off, and so does TERM=dumb"},
	)
}

// realEnvironment is the help for the variables of real providers.
func realEnvironment() string {
	var list []process.Variable
	for _, p := range schema.Providers() {
		list = append(list, process.Variable{
			Name: p.Variable("SECRETS_FILE"),
			Help: "file with the secrets that sign webhooks, one a line",
		})
		list = append(list, fetch.Variables(p)...)
	}
	var text strings.Builder
	process.PrintVariables(&text, list)
	return text.String()
}

// titles lists the names of the providers as people write them.
func titles() string {
	var list []string
	for _, p := range schema.Providers() {
		list = append(list, p.Title())
	}
	return strings.Join(list, " and ")
}
