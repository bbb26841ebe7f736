// Package workers turns events into completions. A worker command serves the queues of one resource:
//
//	cmd/<resource>/main.go    which resource, which handler
//	Main                      environment, connection, health, stop
//	Worker.Run                takes events, as many at a time as it has hands
//	Worker.work               one job: fetch, judge, complete, settle
//	fetch/                    what each resource asks the provider for
//	pinwheel/, truv/          the providers' APIs, a method an endpoint
//	api/                      what both clients share: pace, retries, limits, errors
//
// # The life of a job
//
//	            +--------- 401, 403: the queue rests, the job stays in hand ---------+
//	            v                                                                    |
//	take --> decode --> fetch ------------------------------------------------------ +
//	                      |
//	                    judge --- later: back to the queue for the ladder's next step
//	                      |
//	                      +------ never: dead letter stored --+
//	                      |                                   v
//	                      +------ done --------------------> completion stored --> settled
//
// What survives a kill -9: before the completion is stored, the event is delivered again when its lease ends, and fetched
// again. After it, the event is delivered again and settled: its completion is found. No order of kills stores two. A queue
// that is provisioned again hands out all that is retained, as first deliveries: of those older than FreshFor the completion
// is looked for too, so that the provider is not asked again for two weeks of events.
//
// # Attempts
//
// An attempt is a delivery. The ladders go by attempts, so a job never waits for a 429 or for refused credentials by going
// back to its queue: it stays in hand, its lease renewed, and its attempts are for failures. Attempts are also counted
// when a worker stops or dies with the job in hand; the ladders leave room for that below the queue's own limit.
//
// # Where this differs from the design
//
// 410 stands in the design twice: as permanent (dead letter, failed) and as data that the provider does not have
// (unavailable). It is judged as both can be: no ladder and a dead letter, for nothing comes back from 410, and the
// outcome unavailable, for that is what consumers need to know.
//
// The retry ladder ends after its last step of 10 h, at 68 h: one more step would pass 72 h.
//
// What a full or absent stream refuses waits up the same ladder and stays on its last step: at a minute each, an event's
// deliveries would be used up within two hours.
//
// A late event of a deleted link is taken off the events too, not only kept from the completions. And a link-deleted does
// not wait while its queue is paused, for it calls no provider; it does wait for a hand.
//
// Package api is not in the house's layout: without it, pace, holds, retries and limits would stand twice.
package workers
