// Package schema is the contract of Wagewire: the values that cross a wire, as plain Go types.
// Every package may import schema. It imports nothing but the standard library.
//
// # The line
//
// The steps from an HTTP request to a completion, the function of each step, and the data left
// after a power cut right behind the step:
//
//	POST /webhooks/{provider}, ingress.Server.accept
//	  1 read      Server.read                     nothing: the provider sends again
//	  2 verify    Server.verify, webhook.Verify   nothing: the provider sends again
//	  3 parse     webhook.Parse                   nothing: the provider sends again
//	  4 publish   Server.publish,
//	              stream.Conn.PublishEvent        the event; a second copy is a duplicate
//	              The provider gets 200 only after this step.
//	--- WAGEWIRE_EVENTS
//	  5 take      stream.Queue.Consume            the event: delivered again after its lease
//	    behind    stream.Delivery.putBehind       a replayed event, and its place behind fresh
//	                                              events, in the queue's WAGEWIRE_WAITING_<QUEUE>
//	workers.Worker.work
//	  6 fetch     Worker.fetch, Handler.Fetch     the event, as above
//	    judge     Ladders.judge                   the event, as above
//	    wait      Worker.wait,
//	              stream.Delivery.Wait            the event and its schedule, in the queue's
//	                                              WAGEWIRE_WAITING_<QUEUE>
//	  7 complete  Worker.complete,
//	              stream.Conn.PublishCompletion   the event and its completion
//	  8 settle    settle, stream.Delivery.Done    the completion
//	    log       Worker.logJob
//	--- WAGEWIRE_COMPLETIONS
//
// An event delivered again after step 7 finds its completion stored, and a second completion is
// refused.
//
// # The files
//
//	provider.go     the registry of providers, and the facts about each
//	pinwheel.go     Pinwheel's row: the layout of its webhooks and all of its webhook types
//	truv.go         Truv's row
//	catalogue.go    WebhookType, a row of the catalogue: resource, action and workers of a type
//	event.go        Event, a verified webhook in our terms
//	subject.go      tokens and subjects; no other file spells a subject
//	completion.go   Completion, the end of an event
//	decode.go       DecodeJSON: content is never quoted in an error
//	account.go      Account, the state of an account, and how a completion changes it
//	basis.go        what a state remembers of the completions, for the merge
//	ready_when.go   ReadyWhen, the resources that an account awaits
//	dead_letter.go  DeadLetter and Quarantined: events without a completion with data, and
//	                webhooks without an event
//	waiting.go      Wait, Failures and Pause: why an event waits, and why a queue pauses
//	closure.go      closures: why a queue needs no more workers, for an autoscaler
//	report.go       Report: what a process says about itself, for operators; tally.go counts
//	redrive.go      ids of events sent through the line again
//	topology.go     streams and queues
//	secret.go       Secret, a string that does not print
//	secret_text.go  ParseSecrets: the text of a file of secrets, and the mistakes in one
//	jsonschema/     JSON Schemas and samples of webhooks and records, the JSON Schemas of
//	                completions and accounts, and drift: where records differ from the schemas
//	asyncapi.yaml   all channels and messages, generated from the files above
//	README.md       the contract for those who subscribe; examples/ has programs
//	testdata/       the wire as frozen by tests
//	normal/         the records of all providers in one model
//	client/         the kit for programs in Go that read completions
//	stream/         the contract on JetStream
//	process/        parts of every process: configuration, secret files, logger, admin listener
//
// # Limits of ids
//
// An id may have 16 KiB. A webhook with a longer id goes to quarantine. Subjects and message ids
// hold tokens, see Token: an id that is not plain stands in them as its hash.
package schema

//go:generate go test ./jsonschema -count=1 "-run=SharedOnes|Generated" -update
//go:generate go test . -count=1 -update
