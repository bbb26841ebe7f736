// Package workers turns events into completions. A worker command serves the queues of a resource:
//
//	cmd/<resource>/main.go  names the resource
//	main.go                 Main: environment, connection, health, stop
//	config.go               Config: variables, ladders, limits
//	worker.go               Worker.Run takes events from the queues; Worker.work does a job
//	job.go                  Job, Fetched, Verdict; judge makes a verdict of an error
//	records.go              Records: where a handler puts the records of a job
//	erase.go                the erasure of an account
//	pause.go                the pause of a queue while the provider refuses our credentials
//	exhausted.go            events without deliveries left
//	log.go, metrics.go      the log line, the span and the counts of a job
//	payload.go              Payload: the content of a webhook's body
//	fetch/                  the handlers of each resource, and the registry of the providers
//	pinwheel/, truv/        the providers' APIs, a method an endpoint
//	api/                    common to the clients: pace, retries, limits, errors
//
// # The life of a job
//
// work calls fetch, judge, complete, settle and logJob, in the order of the drawing:
//
//	take --> decode --> fetch <---+
//	                      |       |  401, 403: the queue pauses, the job stays in hand
//	                      +-------+
//	                      |
//	                    judge --- later --------------------------------------+
//	                      |                                                   |
//	                      +------ skipped: completed before, other queue -----+
//	                      |                                                   |
//	                      +------ never --> dead letter --> completion -------+
//	                      |                                                   |
//	                      +------ done -------------------> completion -------+
//	                      |                                                   |
//	                      +------ deleted --> tombstone, erasure,             |
//	                                          completion `deleted`, events ---+
//	                                                                          v
//	                                                                   settle --> log
//
// If complete fails, judge gets the error and decides again: later if there was no room or no
// answer, done if the account was erased meanwhile. Nothing is then left of the event.
//
// Settle reports the verdict to the queue. Done waits for the broker to confirm. Later and never
// are sent without waiting: if one gets lost, the lease ends and the event is delivered again.
//
// # Memory
//
// A process holds at most ANSWER_BYTES_MAX bytes of answers (api.Budget). A handler gives each
// record to Job.Records and then releases the answer. Records keeps up to 512 KiB in memory. The
// records of a longer list go to the object store page by page, so a job holds about a page. If the
// job ends without a completion, the stored records are deleted, or saved for the next attempt.
//
// # After kill -9
//
// Before the completion is stored, the event is delivered again when its lease ends, and fetched
// again. Afterwards the event is delivered again and settled, because the completion is found. No
// order of kills stores two completions.
//
// Once deleted and provisioned again, a queue delivers all retained events, as first deliveries.
// If an event is older than FreshFor, the worker therefore looks for a completion at a first
// delivery too. Otherwise the provider would be asked again for two weeks of events.
//
// # Attempts
//
// An attempt is a delivery, and the ladders count attempts. While a job waits for a 429 or for
// credentials, the job stays in hand, its lease is renewed, and no attempt is used up. An attempt
// is also used up if a worker stops or dies with the job in hand. The ladders leave room for such
// attempts below the queue's own limit.
//
// # Decisions
//
// 410 means both "refused for good" and "the provider does not have the data". The event gets no
// ladder and a dead letter, because nothing comes back from 410. The outcome is unavailable,
// because consumers need to know of the absent data.
//
// The retry ladder ends after its last step of 10 h, at 68 h. Another step would pass 72 h.
//
// If a full or absent stream refuses a completion, the event climbs the same ladder and stays on
// the last step. With a delay of one minute, an event would use up its 100 deliveries in less than
// two hours.
//
// A late event of an erased account is erased from the events too. A link-deleted does not wait
// for the end of a pause, because an erasure calls no provider.
//
// The ladders and the pause are not from a library. Package backoff counts in the memory of one
// process, and the broker counts deliveries across restarts. A circuit breaker refuses calls
// during an outage, and the pause keeps the jobs in hand.
package workers
