package workers

import (
	"context"
	"fmt"
	"io"

	"github.com/wagewire/wagewire/schema/process"
	"github.com/wagewire/wagewire/schema/stream"
)

// runAccounts is run for the command accounts.
func runAccounts(
	ctx context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer,
) int {
	c := commandLine{
		name:  stream.RoleAccounts,
		help:  writeAccountsHelp,
		serve: func(ctx context.Context) error { return serveAccounts(ctx, getenv) },
	}
	return c.run(ctx, args, getenv, stdout, stderr)
}

// accountsEnvironment is the configuration of the command accounts.
type accountsEnvironment struct {
	NATS     stream.Config
	Accounts AccountsConfig
	Process  process.Config
}

// serveAccounts keeps the states of accounts until ctx ends.
func serveAccounts(ctx context.Context, getenv func(string) string) error {
	var env accountsEnvironment
	if err := process.ReadConfig(getenv, &env); err != nil {
		return err
	}
	log, stopLog, err := process.Logger(env.Process)
	if err != nil {
		return err
	}
	defer stopLog()
	defer process.TuneMemory(log)()
	conn, err := stream.Connect(env.NATS, "wagewire-"+stream.RoleAccounts, log)
	if err != nil {
		return err
	}
	defer conn.Close()
	registry := newRegistry()
	accounts := NewAccounts(conn, env.Accounts, log, registry)
	reporter := stream.Reporter{Role: stream.RoleAccounts, Version: process.Version()}
	return reportWhileOpen(ctx, conn, reporter, func(ctx context.Context) error {
		return runWithAdmin(ctx, accounts, env.Process.AdminAddr, registry, log)
	})
}

func writeAccountsHelp(w io.Writer) {
	const name = stream.RoleAccounts
	fmt.Fprintf(w, `%s keeps the state of every account: whether its data is complete, and where the
newest completions are. It reads every completion and publishes
wagewire.accounts.<provider>.<account>.
Several processes may run at the same time. Completions may come in any order and again.

Usage:
  %s [--help] [--version]
  %s healthcheck    exit 0 if the process at ADMIN_ADDR is ready, else say why not and exit 1

Examples:
  %s
  ACCOUNT_READY_WHEN=income,paystubs %s
  ADMIN_ADDR=:9090 NATS_URL=nats://nats:4222 %s

Environment:
`, name, name, name, name, name, name)
	process.PrintVariables(w, process.Variables(accountsEnvironment{}))
	fmt.Fprint(w, "\nTo create the streams and queues, run: wagewire provision apply\n"+
		"To make the states anew from the stored completions, run: wagewire accounts rebuild\n")
}
