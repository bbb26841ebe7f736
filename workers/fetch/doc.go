// Package fetch is the part of a job that differs between providers: how to read a webhook's
// body, and where in the provider's API to get the data of an event. Nothing here retries, waits
// or publishes. Package workers decides the meaning of an error.
//
//	open.go                the registry, and opening its rows from the environment
//	pinwheel.go, truv.go   a row of the registry each: variables, client, body, handlers
//	pinwheel_*.go          Pinwheel's own handlers, a file a resource
//	truv_record.go         Truv's own handlers of records, for a link
//	truv_task.go           Truv's tasks: their outcomes, their reports, what a link has
//	snapshot.go            the handler for a resource with one record per account
//	list.go                the handler for a resource with a list per account, in pages
//	added.go               the search for the records that an event names
//
// # A new provider
//
// Write a client in workers/<name>: a Config with an embedded api.Config, and a method an
// endpoint. A method returns an api.Snapshot, or the api.Pages of a list. Write the provider's
// row in <name>.go: a struct of environment variables, a function to make the client, a function
// to read a body, and a handler for each resource. The handlers snapshot and list are ready to
// use. Another handler adds each record to Job.Records, and then releases the api.Answer with the
// record's bytes. Add the row to providers in open.go.
//
// A handler that calls nobody, such as that of notices, stands in withoutCalls of the row. Its
// worker needs none of the provider's variables.
package fetch
