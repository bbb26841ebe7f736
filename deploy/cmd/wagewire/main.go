package main

import (
	"os"

	"github.com/wagewire/wagewire/deploy/command"
)

func main() {
	os.Exit(run(command.UntilInterrupted(), os.Args[1:], os.Getenv, os.Stdin, os.Stdout, os.Stderr))
}
