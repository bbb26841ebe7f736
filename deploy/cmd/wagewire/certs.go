package main

import (
	"fmt"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/wagewire/wagewire/deploy/command"
	"github.com/wagewire/wagewire/deploy/nats"
)

// certDaysDefault is the life of the nodes' certificate, in days.
const certDaysDefault = 365

func newCertsCommand(t terminal) *cobra.Command {
	var certs nats.Certs
	var days int
	cmd := &cobra.Command{
		Use:     "certs DIR",
		GroupID: groupInstall,
		Short:   "Make the certificates for TLS with the broker",
		Long: `wagewire certs makes the certificates for TLS between the broker's nodes and with its
clients. The command creates DIR and writes four files:

  nats_ca.pem        what clients trust: their NATS_CA_FILE
  nats_node.pem      the certificate of every node, for nats, nats-1, nats-2, nats-3, localhost,
                     127.0.0.1 and each --host
  nats_node_key.pem  the key of every node, a secret
  nats_ca_key.pem    the key that signs, a secret: no process needs it, so keep it elsewhere

No file is overwritten. If DIR has a CA with its key, the CA signs the new certificate, and the
clients need no change. DIR must not be open to other users.`,
		Example: `  Make the certificates of a new installation:
    wagewire certs ./secrets
  Renew the certificate of the nodes, with the same CA. The nodes read it on SIGHUP:
    mkdir old && mv secrets/nats_node* old/
    wagewire certs ./secrets --days 730`,
		Args: oneDirectory,
		RunE: func(_ *cobra.Command, args []string) error {
			if days < 1 {
				return command.UsageError("--days: %d is less than a day", days)
			}
			certs.ValidFor = time.Duration(days) * 24 * time.Hour
			return writeCerts(t, certs, args[0])
		},
	}
	flags := cmd.Flags()
	flags.StringSliceVar(&certs.Hosts, "host", nil,
		"another name or address at which clients reach a node; may be repeated")
	flags.IntVar(&days, "days", certDaysDefault, "life of the nodes' certificate, in days")
	return cmd
}

func writeCerts(t terminal, certs nats.Certs, dir string) error {
	end, err := certs.Write(dir)
	if err != nil {
		return err
	}
	fmt.Fprintf(t.stdout, "wrote %s: valid until %s\n",
		filepath.Join(dir, nats.NodeFile), end.UTC().Format(time.DateOnly))
	fmt.Fprintf(t.stdout, "next: give %s and %s to the nodes, and %s to every client in "+
		"NATS_CA_FILE\n", nats.NodeFile, nats.NodeKeyFile, nats.CAFile)
	return nil
}
