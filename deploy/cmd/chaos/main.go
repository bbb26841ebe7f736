// Command chaos counts lost and repeated events while processes are killed and providers
// misbehave. make chaos runs the command in the repository, because it builds all other commands
// from source. Package deploy/chaos explains the checks.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process
	os.Exit(run(ctx, os.Args[1:], os.Getenv, os.Environ(), os.Stdout, os.Stderr))
}
