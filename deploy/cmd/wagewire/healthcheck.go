package main

import (
	"context"
	"flag"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/wagewire/wagewire/schema/process"
	"github.com/wagewire/wagewire/schema/stream"
)

const healthcheckHelp = `wagewire healthcheck exits 0 when NATS answers and an event can be stored: the events stream is there, and not nearly full.
Else it says why not, in one line. It is the health check of the image, and of whoever waits for NATS.

Usage:
  wagewire healthcheck

Examples:
  May ingress be started?
    wagewire healthcheck && ingress

Environment:
  NATS_URL         the broker (nats://127.0.0.1:4222)
  NATS_CREDS_FILE  credentials for it (none)
  NATS_CA_FILE     certificates that vouch for it (the system's)

Exit codes: 0 it can; 1 it cannot; 2 wrong usage
`

// healthcheckFor is shorter than a container's limit, so that the check says why it fails.
const healthcheckFor = 3 * time.Second

func healthcheckFlags(*flag.FlagSet) action {
	return func(ctx context.Context, t terminal, args []string) error {
		if len(args) > 0 {
			return wrongUsage("unexpected argument %q", args[0])
		}
		var config stream.Config
		if err := process.ReadConfig(t.getenv, &config); err != nil {
			return err
		}
		conn, err := stream.Connect(config, stream.RoleOperator, zap.NewNop())
		if err != nil {
			return err
		}
		defer conn.Close()
		ctx, cancel := context.WithTimeout(ctx, healthcheckFor)
		defer cancel()
		if err := answers(ctx, stream.NewOperator(conn), healthcheckFor, func() {}); err != nil {
			return fmt.Errorf("NATS_URL: %s: %w%s", serverOf(t.getenv), err, adviceOn(err))
		}
		return conn.Ready(ctx)
	}
}
