package workers_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/process"
	"github.com/wagewire/wagewire/schema/stream"
	"github.com/wagewire/wagewire/workers"
	"github.com/wagewire/wagewire/workers/fetch"
)

// TestHelpOfEveryCommandIsComplete reads the help of the real commands.
func TestHelpOfEveryCommandIsComplete(t *testing.T) {
	opener := workers.Opener{Open: fetch.Open, Variables: fetch.Variables}
	for _, r := range resources() {
		name := stream.WorkerRole(r)
		t.Run(name, func(t *testing.T) {
			for _, arg := range []string{"--help", "-help", "-h"} {
				var stdout, stderr bytes.Buffer
				code := workers.Run(t.Context(), r, opener, []string{arg}, noEnvironment, &stdout,
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
		"(16)", "(30s,2m,10m,30m,2h,5h,10h,10h,10h,10h,10h,10h)", "(5s,30s,2m,10m)",
	}
	variables := workers.Variables()
	for _, q := range schema.QueuesOf(r) {
		ofProvider := fetch.Variables(q.Provider)
		variables = append(variables, ofProvider...)
		wanted = append(wanted, "\n  "+q.Name+"\n", requiredAssignments(ofProvider))
		for _, subject := range q.Subjects {
			wanted = append(wanted, "\n    "+subject+"\n")
		}
	}
	for _, v := range variables {
		wanted = append(wanted, "\n  "+v.Name+" ")
	}
	return wanted
}

// requiredAssignments is the start of an example: the first variable without a default.
func requiredAssignments(variables []process.Variable) string {
	for _, v := range variables {
		if v.Default == "" {
			return "Examples:\n  " + v.Name + "="
		}
	}
	return ""
}
