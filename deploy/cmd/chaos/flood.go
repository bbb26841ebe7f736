package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/wagewire/wagewire/deploy/command"
	"github.com/wagewire/wagewire/deploy/fake"
	"github.com/wagewire/wagewire/deploy/flood"
)

const floodLong = `flood sends load that nobody signed to an ingress of this machine. Meanwhile it
sends genuine webhooks, signed with the published keys of the fake providers as in
docker-compose.yml, and prints how they were answered. Without an attack it does all, one after
the other. Attacks joined by + run at the same time.`

const floodExamples = `  bin/chaos flood
  bin/chaos flood "slow bodies" --webhooks 1000
  bin/chaos flood "large bodies+unfinished headers" --sources 1000`

// webhooksDefault takes ten seconds.
const webhooksDefault = 10 * flood.DefaultProbePerS

// floodOptions are the flags of flood.
type floodOptions struct {
	addr     string
	webhooks int
	sources  int
}

func floodCommand() *cobra.Command {
	var options floodOptions
	c := &cobra.Command{
		Use:     "flood [ATTACK ...]",
		Short:   "Attack a running ingress with load that nobody signed",
		Long:    floodLong,
		Example: floodExamples,
		Args:    cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, names []string) error {
			if len(names) == 0 {
				names = flood.Names()
			}
			if options.webhooks < 1 {
				return command.UsageError("--webhooks: %d is not over 0", options.webhooks)
			}
			return runFloods(c.Context(), names, options, c.OutOrStdout())
		},
	}
	flags := c.Flags()
	flags.StringVar(&options.addr, "ingress", "127.0.0.1:8080",
		"`ADDRESS` of ingress, on this machine")
	flags.IntVar(&options.webhooks, "webhooks", webhooksDefault, fmt.Sprintf(
		"`NUMBER` of genuine webhooks beside each attack, %d a second", flood.DefaultProbePerS))
	flags.IntVar(&options.sources, "sources", 1, "`NUMBER` of source addresses")
	var attacks strings.Builder
	for _, a := range flood.Attacks() {
		fmt.Fprintf(&attacks, "  %-18s  %d connections: each %s\n", a.Name, a.Connections, a.Does)
	}
	command.AddSection(c, "Attacks", attacks.String())
	return c
}

// runFloods does the floods and prints a paragraph for each. It returns an error if over 1 % of the
// genuine webhooks of a flood were not answered 200.
func runFloods(
	ctx context.Context, names []string, options floodOptions, out io.Writer,
) error {
	var crowded []string
	for _, name := range names {
		report, err := runFlood(ctx, strings.Split(name, "+"), options, out)
		if err != nil {
			return command.Exit(exitFailed, err)
		}
		if 100*(report.Sent()-len(report.Stored)) > report.Sent() {
			crowded = append(crowded, name)
		}
	}
	if len(crowded) > 0 {
		return command.Exit(exitBroken,
			fmt.Errorf("over 1 %% of the genuine webhooks were not answered 200 beside: %s",
				strings.Join(crowded, ", ")))
	}
	return nil
}

// runFlood does attacks at the same time.
func runFlood(
	ctx context.Context, names []string, options floodOptions, out io.Writer,
) (report *flood.Report, err error) {
	var floods []*flood.Flood
	defer func() {
		for i, f := range floods {
			fmt.Fprintf(out, "%s: %v\n", names[i], f.Stop())
		}
	}()
	for _, name := range names {
		attack, err := flood.Find(name)
		if err != nil {
			return nil, err
		}
		f, err := flood.Start(ctx, attack, flood.Config{
			Addr: options.addr, Provider: fake.Truv, Sources: options.sources,
		})
		if err != nil {
			return nil, fmt.Errorf("--ingress, --sources: %w", err)
		}
		floods = append(floods, f)
	}
	probe := flood.Probe{URL: "http://" + options.addr + "/webhooks", Count: options.webhooks}
	report = probe.Run(ctx)
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	fmt.Fprintf(out, "genuine: %v\n", report)
	return report, nil
}
