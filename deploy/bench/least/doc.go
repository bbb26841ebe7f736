// Package least is the least line that could do the job, to compare the real line with. The least
// ingress verifies a webhook, reads its id, stores it and answers 200. The least worker takes an
// event, fetches what it announces, stores a completion and acknowledges the event. Both use
// nats.go, net/http and encoding/json as their documentation shows, with default settings.
//
// The programs keep no promise that takes more than that. They have no limits, no logs, no metrics,
// no retries and no rate limit. A worker that dies between the completion and the acknowledgement
// completes the event twice, and an erased account gets a completion.
//
//	least.go    what both share: the streams, the types of webhook, the connection
//	ingress.go  the least ingress
//	worker.go   the least worker: a snapshot is stored as it is, a list is decoded and joined
package least
