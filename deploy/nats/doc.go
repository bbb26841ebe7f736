// Package nats is the broker's configuration: nats.conf for one node, cluster.conf for three, and users.conf, which holds what
// each role may do. That is generated from stream.Grants, so that the rights are where the code is that needs them:
//
//	ingress    publishes events and webhooks in quarantine
//	a worker   takes from its queue, publishes its completions and dead letters
//	wagewire   makes and changes streams and queues, and does what an operator does
//	consumer   reads completions and records
//
// The configuration has public keys only, in keys.conf: a variable a role. The seed, which proves the role, is a file of the
// process that has it (NATS_CREDS_FILE). WriteKeys makes both. Those of deploy/compose/demo are published: they are for trying
// things out on one machine.
//
// The tests start a server from these files. They do with each role all that its code does, and try as each what it must not.
package nats

//go:generate go test . -run TestUsers -count=1 -update
