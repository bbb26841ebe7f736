// Package sandbox runs the whole pipeline in one process: nats-server, the fake providers (or the
// real providers), ingress and every worker, made of the same packages as the separate commands.
// The sandbox serves newcomers, developers with provider keys, small installations, and tests of
// the whole line, from webhook to completion.
//
// [Up] starts the parts in the order of their files and returns when webhooks are received:
//
//	start.go    a function for each part: directory, broker, ingress, fakes, workers, admin
//	console.go  the same for the console
//	part.go     the goroutine of a part, from start to stop; workers can start again
//	sandbox.go  Config, Up and Close
package sandbox
