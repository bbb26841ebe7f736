// Package nats holds the broker's configuration: nats.conf for a single node, tls.conf for a single
// node with TLS, cluster.conf for three nodes, and accounts.conf with an account for each role.
// accounts.conf is generated from stream.Grants, so the rights are defined beside the code that
// needs them:
//
//	ingress    publishes events, and webhooks for the quarantine
//	a worker   takes events from its queue, publishes completions and dead letters
//	wagewire   makes and changes streams and queues: the operator
//	a team     reads completions from its durables, and large records
//
// The configuration includes public keys only: keys.conf has a variable for each role, and
// teams.conf the accounts of the teams. A process proves its role with the seed of a key, a file
// named by NATS_CREDS_FILE. WriteKeys makes the seeds and keys.conf, and WriteTeams teams.conf.
// Certs makes the certificates for TLS. The seeds and certificates of deploy/compose/demo are
// public, for trials on a single machine.
//
// The tests start a server from the files of this directory. As each role, the tests do everything
// that the role's code does, and try everything that the role must not do.
package nats

//go:generate go test . -run TestTheAccounts -count=1 -update
