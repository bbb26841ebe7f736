// Command providers serves the fake providers in a process of their own: see providers --help.
package main

import (
	"context"
	"io"
	"os"

	"github.com/wagewire/wagewire/deploy/command"
)

func main() {
	os.Exit(run(command.UntilInterrupted(), os.Args[1:], os.Stdout, os.Stderr))
}

// run runs the command and returns its exit code: 0 or, whatever is wrong, 1.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	return min(command.Run(ctx, rootCommand(), args, stdout, stderr), 1)
}
