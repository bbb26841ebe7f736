// Package sandbox runs the whole pipeline in one process: nats-server, the fake providers (or the
// real ones), ingress and every worker, made of the same packages as the separate commands. It
// serves newcomers, developers with provider keys, small installations, and every test that follows
// an event from webhook to completion.
//
// [Up] starts the parts in the order of their files and returns when webhooks are received:
//
//	start.go    each part from its configuration: directory, broker, ingress, fakes, workers, admin
//	part.go     a part runs in a goroutine until it is stopped; workers stop and start again
//	sandbox.go  Config, Up and Close
package sandbox
