// Command chaos counts that nothing is lost and nothing is told twice, while processes are killed
// and providers misbehave. make chaos runs it in the repository, because it builds the commands from
// source. Package deploy/chaos explains what is checked.
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
