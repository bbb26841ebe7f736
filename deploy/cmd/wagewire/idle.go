package main

import (
	"github.com/spf13/cobra"

	"github.com/wagewire/wagewire/deploy/command"
)

// newIdleCommand is for the pod tool of the Helm chart: the image has no shell and no sleep.
func newIdleCommand() *cobra.Command {
	return &cobra.Command{
		Use:    "idle",
		Short:  "Do nothing until told to stop",
		Args:   command.NoArguments,
		Hidden: true, // nobody types it
		Long: `wagewire idle does nothing until it is told to stop. It keeps a container alive, in
which kubectl exec runs the other commands.`,
		Example: `  Keep the container of a pod alive:
    wagewire idle`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			<-cmd.Context().Done()
			return nil
		},
	}
}
