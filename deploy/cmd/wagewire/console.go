package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/wagewire/wagewire/deploy/command"
	"github.com/wagewire/wagewire/deploy/console"
	"github.com/wagewire/wagewire/deploy/health"
	"github.com/wagewire/wagewire/schema/process"
	"github.com/wagewire/wagewire/schema/stream"
)

func newConsoleCommand(t terminal) *cobra.Command {
	var addr string
	var reveal bool
	cmd := &cobra.Command{
		Use:     "console",
		GroupID: groupObserve,
		Short:   "Serve pages about the installation for a browser",
		Long: `wagewire console serves pages: what is wrong, a live feed of completions, queues, the
history of an event, the state of an account, dead letters, the quarantine, providers and teams. It
shows what the other commands print, and judges nothing by itself.

Without more settings the pages are for this machine, and read-only. To act there (redrive, release,
discard, pause, resume, retry), people need a name and a role:

  CONSOLE_TOKENS_FILE      a file with a line for each person: NAME ROLES TOKEN
  CONSOLE_TRUSTED_PROXIES  a proxy in front, which names the person and the groups in headers

The roles are read, act and reveal. A changed file counts at the next request: a person without a
line is out at once. Each action is a line of the log: who, what, and how it ended.

Records and webhooks are not shown, unless --reveal is given: then to people with the role reveal,
who must say why. The log has who, why and what before it is shown.

One process is enough. Sessions and plans are in memory, and end with the process.`,
		Example: `  Look at the installation of this machine:
    wagewire console
  Let people act:
    wagewire console token anna --roles read,act >>console.tokens
    CONSOLE_TOKENS_FILE=console.tokens wagewire console`,
		Args: command.NoArguments,
	}
	cmd.Flags().StringVar(&addr, "addr", "", "listener of the pages (default CONSOLE_ADDR)")
	cmd.Flags().BoolVar(&reveal, "reveal", false,
		"records can be shown, to people with the role reveal who say why (CONSOLE_REVEAL=1)")
	command.AddEnvironment(cmd, slices.Concat(
		process.Variables(stream.Config{}, process.Config{}),
		console.Variables(), health.Variables()))
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		c, err := console.ConfigFromEnv(t.getenv)
		if err != nil {
			return err
		}
		if addr != "" {
			c.Addr = addr
		}
		c.Reveal = c.Reveal || reveal
		err = serveConsole(cmd.Context(), t, c)
		if wrong, isAddr := errors.AsType[*console.AddrError](err); isAddr && addr != "" {
			return fmt.Errorf("--addr: %w", wrong.Unwrap())
		}
		return err
	}
	cmd.AddCommand(newConsoleTokenCommand(t), newConsoleHealthcheckCommand(t))
	return untilInterrupted(cmd, func() bool { return true })
}

func newConsoleHealthcheckCommand(t terminal) *cobra.Command {
	cmd := &cobra.Command{
		Use:   process.HealthcheckArg,
		Short: "Exit 0 if the console of this machine is ready",
		Long: `wagewire console healthcheck exits 0 if the console serves pages, also while the
broker is away: the pages then say what is known, and since when. If not, one line says why.`,
		Example: `  Ask the console in a container:
    docker compose exec console /app console healthcheck`,
		Args: command.NoArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return process.Healthcheck(cmd.Context(), "ADMIN_ADDR", t.getenv("ADMIN_ADDR"))
		},
	}
	command.AddEnvironment(cmd, process.Variables(process.Config{}))
	return cmd
}

// serveConsole serves the pages until ctx ends.
func serveConsole(ctx context.Context, t terminal, c console.Config) error {
	s, err := openService(t)
	if err != nil {
		return err
	}
	defer s.close()
	pages, err := console.New(c, s.op, s.health, s.log)
	if err != nil {
		return err
	}
	admin, err := process.ListenAdmin(ctx, s.process.AdminAddr)
	if err != nil {
		return err
	}
	listener, err := pages.Listen(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(t.stderr, "console at http://%s\n", listener.Addr())
	s.registry.MustRegister(pages.Metric())
	return s.op.RunWhileOpen(ctx, func(ctx context.Context) error {
		group, ctx := errgroup.WithContext(ctx)
		group.Go(func() error { return process.Serve(ctx, listener, pages.Server()) })
		group.Go(func() error { return process.ServeAdmin(ctx, admin, pages.Ready, s.registry) })
		group.Go(func() error { return pages.Run(ctx) })
		return group.Wait()
	})
}
