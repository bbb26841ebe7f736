package command

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// UntilInterrupted returns the context for Run in main: SIGINT or SIGTERM ends the context, and a
// second signal ends the process without delay.
func UntilInterrupted() context.Context {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	return ctx
}
