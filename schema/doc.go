// Package schema is the contract: everything that crosses a wire, as plain values. Anyone may import it; it imports nothing
// but the standard library.
//
// # The line
//
// From an HTTP request to a completion, with the function at each step and what is left of it after a power cut:
//
//	POST /webhooks/{provider}
//	  1 read      ingress.Server.read       nothing: the provider was not answered, and sends again
//	  2 verify    webhook.Verify            nothing, likewise
//	  3 parse     webhook.Parse             nothing, likewise
//	  4 publish   stream.Conn.PublishEvent      the event; a second sending is a duplicate            -> only now 200
//	--- WAGEWIRE_EVENTS
//	  5 take      stream.Queue.Consume      the event; its lease ends and it is delivered again
//	  6 fetch     workers.Handler.Fetch     the event, likewise
//	  7 complete  stream.Conn.PublishCompletion    the event and its completion; a second one is refused
//	  8 settle    stream.Delivery.Done      the completion
//	--- WAGEWIRE_COMPLETIONS
//
// # The files
//
//	catalogue.go    every type of webhook: where it is stored, who works on it
//	event.go        Event, a verified webhook in our terms
//	subject.go      tokens and subjects: the only place that spells one
//	completion.go   Completion, the last word on an event
//	dead_letter.go  what could not be finished, or not even read
//	topology.go     streams and queues
//	secret.go       Secret, which does not print
//	jsonschema/     JSON Schema of webhooks and completions
//	asyncapi.yaml   all channels and messages, generated from the above
//	stream/         the same contract on JetStream
//	process/        what every process shares: secret files, logger, admin listener
//
// # Where this differs from the design
//
// A token that could be taken for another kind is hashed even where it is plain: the id "_" would be the token of events
// that name no account, and an id beginning with "h_" could be another id's hash. An erasure goes by tokens, so two
// accounts must never share one.
//
// An id may have 16 KiB, and is hashed in subjects and message ids when it is not plain; a longer one goes to quarantine.
package schema

//go:generate go test . -count=1 -update
//go:generate go test ./jsonschema -count=1 -update
