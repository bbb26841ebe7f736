// Command simulate runs the line in virtual time, under many schedules of faults. make simulate
// runs the command in the repository, because it builds the simulation from source. Package
// deploy/simulation/seeds explains the report.
package main

import (
	"os"

	"github.com/wagewire/wagewire/deploy/command"
)

func main() {
	ctx := command.UntilInterrupted()
	os.Exit(run(ctx, os.Args[1:], os.Environ(), os.Stdout, os.Stderr))
}
