// Package fetch has the code that differs between providers in the work of a job: how a webhook's
// body is read, and which endpoints of the provider's API have the data that an event announces.
// Nothing here retries, waits or publishes. An error is returned as it came; package workers decides
// its meaning.
//
//	open.go                the registry, and opening its rows from the environment
//	pinwheel.go, truv.go   a row of the registry each: variables, client, body, handlers
//	pinwheel_*.go          Pinwheel's own handlers, a file a resource
//	snapshot.go            the handler of a resource of which an account has one record
//	list.go                the handler of a resource of which an account has a list, in pages
//
// # A new provider
//
// Write a client in workers/<name>: a Config that embeds api.Config, and a method an endpoint that
// returns an api.Snapshot or the api.Pages of a list. Write its row in <name>.go: a struct of its
// environment variables, the function that reads a body, the function that makes the client, and a
// handler for each resource. Use snapshot and list where they fit. Add the row to providers in
// open.go.
package fetch
