package main

import (
	"context"
	"flag"
	"fmt"
	"path/filepath"

	"github.com/wagewire/wagewire/deploy/nats"
	"github.com/wagewire/wagewire/schema/stream"
)

const nkeysHelp = `wagewire nkeys makes the keys by which the broker knows each process: with them, each can do its own work and nothing else.

Usage:
  wagewire nkeys DIR

It writes into DIR, which it makes, nats_<role>.nk for ingress, each worker, wagewire and consumer: the seed, a secret, that the
process has in NATS_CREDS_FILE. And keys.conf: the public keys, which the broker includes in its configuration. It overwrites
nothing, and takes no directory that others may enter: the seeds in it can be read by containers, whatever user they run as.

Examples:
  The keys of a new installation, which compose takes from there:
    wagewire nkeys ./secrets
    SECRETS_DIR=./secrets docker compose up
  A new key for one role: make a set, take its file and its line, and restart the broker and the process:
    wagewire nkeys ./new

Environment:
  none: it asks nobody

Exit codes: 0 done, 1 failed, 2 wrong usage
`

func nkeysFlags(*flag.FlagSet) action {
	return func(_ context.Context, t terminal, args []string) error {
		if len(args) != 1 {
			return wrongUsage("it needs one directory, such as ./secrets")
		}
		dir := args[0]
		if err := nats.WriteKeys(dir); err != nil {
			return err
		}
		fmt.Fprintf(t.stdout, "wrote %d seeds and %s\n", len(stream.Grants()), filepath.Join(dir, nats.KeysFile))
		fmt.Fprintf(t.stdout, "next: put %s beside the broker's users.conf and restart it; give each process its own seed in NATS_CREDS_FILE, such as %s to ingress\n",
			nats.KeysFile, filepath.Join(dir, nats.SeedFile(stream.RoleIngress)))
		return nil
	}
}
