// Command chaos proves by counting that nothing is lost and nothing told twice, while processes are killed and providers
// misbehave. It builds the commands of the repository it stands in; make chaos runs it. See chaos --help.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends it at once
	os.Exit(run(ctx, os.Args[1:], os.Getenv, os.Environ(), os.Stdout, os.Stderr))
}
