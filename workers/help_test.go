package workers

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/process"
	"github.com/wagewire/wagewire/schema/stream"
)

// variablesOf lists the variables of a provider in these tests: one has a default.
func variablesOf(p schema.Provider) []process.Variable {
	return []process.Variable{
		{Name: p.Variable("URL"), Default: "https://api.example", Help: "where the API is"},
		{Name: p.Variable("CLIENT_ID"), Help: "the client id (required)"},
		{Name: p.Variable("SECRET_FILE"), Help: "file with the secret (required)"},
	}
}

func TestHelpOfEveryCommandIsComplete(t *testing.T) {
	opener := Opener{Open: openTest, Variables: variablesOf}
	for _, r := range resources() {
		name := stream.WorkerRole(r)
		t.Run(name, func(t *testing.T) {
			for _, arg := range []string{"--help", "-help", "-h"} {
				var stdout, stderr bytes.Buffer
				code := run(t.Context(), r, opener, []string{arg}, noEnvironment, &stdout,
					&stderr)
				if code != 0 || stderr.Len() != 0 {
					t.Errorf("%s: exit %d, standard error %q", arg, code, &stderr)
				}
				help := stdout.String()
				for _, want := range wantedInHelp(r, name) {
					if !strings.Contains(help, want) {
						t.Errorf("%s: %q is not in\n%s", arg, want, help)
					}
				}
			}
		})
	}
}

func noEnvironment(string) string { return "" }

// resources are the resources that have a queue.
func resources() []schema.Resource {
	var all []schema.Resource
	for _, q := range schema.Queues() {
		all = append(all, q.Resource)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func wantedInHelp(r schema.Resource, name string) []string {
	wanted := []string{
		name + " completes the events of " + string(r),
		"wagewire.completions.<provider>." + string(r) + ".",
		"Usage:\n  " + name + " [--help] [--version]\n",
		"  " + name + " healthcheck ",
		"run: wagewire provision apply",
		"NATS_URL", "NATS_CREDS_FILE", "NATS_CA_FILE",
		"ADMIN_ADDR", "LOG_LEVEL", "LOG_FORMAT", "OTEL_EXPORTER_OTLP_ENDPOINT",
		"OTEL_TRACES_SAMPLER", "OTEL_TRACES_SAMPLER_ARG",
		"(16)", "(30s,2m,10m,30m,2h,5h,10h,10h,10h,10h,10h,10h)", "(5s,30s,2m,10m)",
	}
	variables := Variables()
	for _, q := range schema.QueuesOf(r) {
		wanted = append(wanted, "\n  "+q.Name+"\n")
		if q.CallsProvider() {
			variables = append(variables, variablesOf(q.Provider)...)
			wanted = append(wanted, fmt.Sprintf("\n  %s=… %s=%s.secret %s\n",
				q.Provider.Variable("CLIENT_ID"), q.Provider.Variable("SECRET_FILE"),
				q.Provider, name))
		}
		for _, subject := range q.Subjects {
			wanted = append(wanted, "\n    "+subject+"\n")
		}
	}
	for _, v := range variables {
		wanted = append(wanted, "\n  "+v.Name+" ")
	}
	return wanted
}
