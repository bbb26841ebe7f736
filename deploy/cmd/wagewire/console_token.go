package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/wagewire/wagewire/deploy/command"
	"github.com/wagewire/wagewire/deploy/console"
)

func newConsoleTokenCommand(t terminal) *cobra.Command {
	roles := []string{string(console.RoleRead)}
	cmd := &cobra.Command{
		Use:   "token NAME",
		Short: "Print a line for the file of tokens, with a new token",
		Long: `wagewire console token prints a line for CONSOLE_TOKENS_FILE: the name of a person,
the roles, and a new random token, which the person types at /login. The token stands nowhere else.

  read    sees the pages
  act     also redrives, releases, discards, pauses, resumes and retries
  reveal  also sees records and webhooks, if the console runs with --reveal

A person without the line is out at the next request. To replace a token, add a new line with the
same name, and remove the former one later.`,
		Example: `  Let a person act:
    wagewire console token anna --roles read,act >>console.tokens`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return command.UsageError("give the name of one person, such as anna")
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error {
			line, err := console.NewPerson(args[0], roles)
			if err != nil {
				return command.UsageError("%v", err)
			}
			fmt.Fprintln(t.stdout, line)
			return nil
		},
	}
	cmd.Flags().StringSliceVar(&roles, "roles", roles, "what the person may do: read, act, reveal")
	return cmd
}
