// Command chaos counts lost and repeated events while processes are killed and providers
// misbehave. make chaos runs the command in the repository, because it builds all other commands
// from source. Package deploy/chaos explains the checks.
package main

import (
	"os"

	"github.com/wagewire/wagewire/deploy/command"
)

func main() {
	ctx := command.UntilInterrupted()
	os.Exit(run(ctx, os.Args[1:], os.Getenv, os.Environ(), os.Stdout, os.Stderr))
}
