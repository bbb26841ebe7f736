// Command sandbox runs the whole pipeline in one process, with a demonstration: see sandbox --help.
package main

import (
	"context"
	"io"
	"os"

	"github.com/wagewire/wagewire/deploy/command"
)

func main() {
	os.Exit(run(command.UntilInterrupted(), os.Args[1:], os.Getenv, os.Stdout, os.Stderr))
}

// run runs the command and returns its exit code.
func run(
	ctx context.Context,
	args []string,
	getenv func(string) string,
	stdout, stderr io.Writer,
) int {
	return command.Run(ctx, rootCommand(getenv), args, stdout, stderr)
}
