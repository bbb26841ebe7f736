package main

import (
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/wagewire/wagewire/deploy/command"
	"github.com/wagewire/wagewire/deploy/nats"
	"github.com/wagewire/wagewire/schema/stream"
)

func newNkeysCommand(t terminal) *cobra.Command {
	var missing bool
	cmd := &cobra.Command{
		Use:     "nkeys DIR",
		GroupID: groupInstall,
		Short:   "Make the keys by which the broker knows each process",
		Long: `wagewire nkeys makes a key for each process. With its key, a process can do its own
work on the broker and nothing else.

The command creates DIR and writes three kinds of files:

  nats_<role>.nk  the seed, a secret, for the NATS_CREDS_FILE of a process: ingress, each worker,
                  and wagewire
  keys.conf       the public keys, for the configuration of the broker
  teams.conf      the accounts of the teams that subscribe, for the broker too: none at first, and
                  wagewire team adds them

No file is overwritten. DIR must not be open to other users, because containers of any user must
be able to read the seeds.

After an upgrade to a release with a new kind of process, --missing adds the key of that process to
DIR, and its line to keys.conf.`,
		Example: `  Make the keys of a new installation, and start compose with them:
    wagewire nkeys ./secrets
    SECRETS_DIR=./secrets docker compose up
  Add the keys that an earlier release did not have:
    wagewire nkeys ./secrets --missing
  Change the key of one role: make a new set, take the role's file and its line in keys.conf, and
  restart the broker and the process:
    wagewire nkeys ./new`,
		Args: oneDirectory,
		RunE: func(_ *cobra.Command, args []string) error {
			if missing {
				return addKeys(t, args[0])
			}
			return writeKeys(t, args[0])
		},
	}
	cmd.Flags().BoolVar(&missing, "missing", false, "add the keys that DIR lacks")
	return cmd
}

// addKeys adds the keys of roles that an earlier release did not have.
func addKeys(t terminal, dir string) error {
	added, err := nats.AddKeys(dir)
	if err != nil {
		return err
	}
	if len(added) == 0 {
		fmt.Fprintln(t.stdout, "nothing to add: every role has a key")
		return nil
	}
	for _, role := range added {
		fmt.Fprintf(t.stdout, "wrote %s\n", filepath.Join(dir, nats.SeedFile(role)))
	}
	fmt.Fprintf(t.stdout, "next: put %s and the new %s beside each other, and reload the broker "+
		"twice, a few seconds apart; then run wagewire provision apply\n",
		filepath.Join(dir, nats.KeysFile), nats.AccountsFile)
	return nil
}

// oneDirectory returns an error unless the command has one argument.
func oneDirectory(_ *cobra.Command, args []string) error {
	if len(args) != 1 {
		return command.UsageError("give one directory, such as ./secrets")
	}
	return nil
}

func writeKeys(t terminal, dir string) error {
	if err := nats.WriteKeys(dir); err != nil {
		return err
	}
	fmt.Fprintf(t.stdout, "wrote %d seeds, %s and %s\n", len(stream.Roles()),
		filepath.Join(dir, nats.KeysFile), nats.TeamsFile)
	fmt.Fprintf(t.stdout, "next: put %s and %s beside the broker's %s and restart the broker; "+
		"give each process NATS_JS_DOMAIN=%s, and its own seed in NATS_CREDS_FILE, such as %s to "+
		"ingress\n", nats.KeysFile, nats.TeamsFile, nats.AccountsFile, stream.Domain,
		filepath.Join(dir, nats.SeedFile(stream.RoleIngress)))
	return nil
}
