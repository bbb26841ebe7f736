// Package workers turns events into completions. A worker command serves the queues of a resource:
//
//	cmd/<resource>/main.go  names the resource
//	main.go                 Main: environment, connection, health, stop
//	config.go               Config: variables, ladders, limits
//	worker.go               Worker.Run takes events from the queues; Worker.work does a job
//	job.go                  Job, Fetched, Verdict; judge makes a verdict of an error
//	person.go               the completions of an event that names a person: one for each account
//	records.go              Records: where a handler puts the records of a job
//	erase.go                the erasure of an account
//	pause.go                when a queue takes no events: refused credentials, and holds
//	share.go                the pause of all processes of a queue, on the broker
//	closure.go              closures: why an autoscaler should add no workers
//	exhausted.go            events without deliveries left
//	log.go, metrics.go      the log line and the counts of a job
//	trace.go                the spans of a job, and in which trace
//	provider_time.go        how long the provider made an event wait
//	calls.go                Calls: how a provider answers, for the reports to operators
//	accounts.go             Accounts: the states of accounts, made of completions
//	accounts_main.go        AccountsMain: the command accounts
//	payload.go              Payload: the content of a webhook's body
//	fetch/                  the handlers of each resource, and the registry of the providers
//	pinwheel/, truv/        the providers' APIs, a method an endpoint
//	api/                    common to the clients: retries, limits, errors
//	api/pace/               the turns of the calls, over all processes
//
// # The states of an event
//
//	    publish       redrive, backfill
//	       |                 |
//	       v                 v
//	+--> due: fresh, or among the retries or the replays <------------------+
//	|      |                                                                |
//	|      | take                                                           |
//	|      v                                                                |
//	|    taken: in hand, on lease                                           |
//	|      |                                                                |
//	|      +-- back ----------+--> given back: due as before                |
//	|      +-- lease ends ----+         |                                   |
//	+------|----------------------------+                                   |
//	       |                                                                |
//	       +-- later --> waiting by class -- its time has come, or an ------+
//	       |                                 operator: retry now
//	       +-- done ---> completed
//	       +-- never --> dead: dead letter, then completion
//	       +-- kills --> exhausted: the same, after DeliveriesMax kills of a retry
//	                       |
//	                       +-- redrive: a new event, of both
//
//	every state --- tombstone of the account ---> erased: nothing of the event is left
//
// Nobody takes an event while the queue is paused or held. Among the retries or replays, an event
// is due: its time to wait is over. A worker that gives an event back too often, or gets an event
// too often after kills, publishes it anew among the retries or replays (see Deliveries).
//
// What leads out of the state taken, and how many times:
//
//	answer or disturbance          class          edge
//	200                            -              done: `succeeded`
//	5xx, 408, no whole answer      transient      later, up the ladder Retry; then never: `failed`
//	against the API's contract     contract       later, ContractTries-1 steps of Retry; then
//	                                              never: `failed`
//	404, 409                       not_ready      later, up the ladder NotReady; then
//	                                              done: `unavailable`
//	data behind its webhook        not_ready      the same; then done with the data as it is
//	403                            forbidden      as 404; in a paused queue as 401
//	429                            throttled      later, without an end and without a step
//	401                            unauthorized   later, without an end and without a step
//	no room, or no answer of       not_stored     later, without an end: the last step of the
//	the broker for a completion                   ladder repeats
//	410                            permanent      never: `unavailable`
//	any other status               permanent      never: `failed`
//	panic, undecodable event       poison         never: `failed`
//	completion over a message      contract       never: `failed`
//	stop, pause                    -              back
//	kill, lost connection          -              the lease ends
//	completed before, an event     -              done: nothing is stored
//	for another queue, or without
//	data of our resource
//	tombstone of the account       -              done: nothing is stored, the rest is erased
//	report of a deletion           -              done: tombstone, erasure, `deleted`, the other
//	                                              events, the event itself
//
// Without a broker nothing is stored, whatever the answer: the lease ends, and no step is taken.
//
// The tests walk through these states at random, beside a model (model_test.go).
//
// # The life of a job
//
// A job is one delivery. work calls fetch, judge, finish, settle and logJob, in this order. judge
// chooses the edge, finish stores the dead letter and the completion, and settle tells the queue:
// done and later acknowledge, back gives back, never terminates.
//
// If finish cannot store a completion, judge gets the error and decides again: later if there was
// no room or no answer, done if the account was erased meanwhile, never if the completion is larger
// than a message.
//
// A webhook may say that the provider's job brought no data: it goes on, it failed, or there is
// none (Payload.Outcome). The event is then completed without a fetch. The workers in OnSuccess of
// the webhook's type complete nothing, because the job is of another resource.
//
// An event that names a person is fetched once, and finish stores a completion for each account of
// the person (Fetched.Accounts). An erased account gets none. A person without accounts gets one.
//
// # Waiting
//
// An event that must wait leaves its queue. The worker publishes a schedule to the queue's stream
// of waiting events, with the reason, the time of the next try and the failures until now, and
// acknowledges the event only after the broker has stored the schedule. When the time has come, the
// broker publishes the event among the retries or replays of the queue. So a waiting event is no
// lag, and holds no hand.
//
// Failures are counted by class, in the schedule. A failure takes a step of its class's ladder.
// Nothing else takes a step: not a restart, a kill, a pause, a hold, a full stream or a redelivery.
// A full stream has a ladder of its own, without an end.
//
// Retries have hands of their own, a quarter as many as fresh events. So a fresh event never waits
// behind retries. Replays (redrives and backfills, with their retries) have as many hands again. So
// neither a fresh event nor its retry ever waits behind replays. Erasures have a queue of their
// own. A queue without calls of the provider (schema.Queue.CallsProvider), of erasures or of
// notices, has no pause, no hold and no budget.
//
// # Refused credentials
//
// A 401 pauses the queue, after every secret of the provider's file was tried. The queue then takes
// no events, and what is in hand waits or goes back as it came. The pause is on the broker, where
// operators see it, and every process of the queue keeps to it. One event at a time asks the
// provider again, whichever process takes the turn. The first accepted event ends the pause for
// all.
//
// A 403 is about its record: the event climbs the short ladder, and ends unavailable with the class
// forbidden. Only refusals about ForbiddenAccountsMax different accounts in a row, without one
// success, count as refused credentials.
//
// # One budget a provider
//
// All processes of an installation share the rate of a provider: before each call, the client waits
// for a turn (package api/pace). The budget of the turns is in the bucket WAGEWIRE_BUDGETS
// (stream.Budget). A worker that calls a provider is not ready without the bucket, and calls
// nobody.
//
// A 429 holds every call to the provider, in all processes, for the time that the provider asks
// for. During a longer hold the queues take no events, and what is in hand waits at the broker
// until the end of the hold.
//
// # Closures
//
// An autoscaler counts the ready events of a queue, and adds workers. While the provider refuses
// our credentials, wants no calls or is down, more workers would only wait. A worker therefore
// tells the broker of these reasons (package stream, "Closures"). The workers themselves do not
// read closures, and a broker without the stream of closures costs one warning.
//
// The reason "down" exists for the autoscaler alone: after DownAfter different events in a row that
// failed without an answer of the provider, the queue is closed, and the workers go on trying. The
// first answer to the process ends the run, and the closure ends with its lifetime. Every status
// under 500 except 408 is an answer, also 429.
//
// The end of a refusal or an outage is not known. So such a closure lasts ClosureFor, and is
// renewed while the reason holds. If the autoscaler removes every worker, the closure ends, and the
// autoscaler starts one worker: it learns whether the reason still holds.
//
// # Traces
//
// The spans follow OpenTelemetry's conventions for messaging and HTTP, and hold no id of an event
// or account:
//
//	process wagewire.events          CONSUMER  a job
//	  GET <template>                 CLIENT    each call to the provider
//	  send wagewire.completions      PRODUCER  the publish of the completion
//	  settle wagewire.events         CLIENT    done, later, back or never
//
// The first attempt at a webhook is a child of the span that published the event. The conventions
// prefer links, because a batch has many parents, and allow the parent for a job with a single
// message: then one trace shows a webhook from its receipt to its completion.
//
// An attempt after a wait is a trace of its own, with a link to the last attempt: the ladder spans
// days, and no collector waits so long for the spans of a trace. The waiting event carries the
// trace context of the last attempt. A redrive is a trace of its own with a link to the webhook,
// because an operator began it. Each such trace is sampled anew. An event that was given back, or
// whose worker died, stays in its trace.
//
// The completion carries the trace context of its publish, and without tracing that of the event.
//
// # Memory
//
// A process holds at most ANSWER_BYTES_MAX bytes of answers (api.Memory). A handler gives each
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
// An event that names a person has a completion for each account of the person. Only the provider
// knows the accounts, so such an event is always fetched again. The broker refuses the second
// completion of an account, and takes those of the others.
//
// Once deleted and provisioned again, a queue delivers all retained events, as first deliveries.
// If an event is older than FreshFor, the worker therefore looks for a completion at a first
// delivery too. Otherwise the provider would be asked again for two weeks of events.
//
// # Deliveries
//
// A delivery is no attempt. A worker that stops gives its events back, and after
// schema.DeliveriesInPlace deliveries it publishes an event anew among the retries or replays,
// where deliveries count from 1 again. So only an event that kills its process uses up the
// deliveries of a retry (schema.DeliveriesMax), and then gets a dead letter and the completion
// `failed`.
//
// # Decisions
//
// 410 means both "refused for good" and "the provider does not have the data". The event gets no
// ladder and a dead letter, because nothing comes back from 410. The outcome is unavailable,
// because consumers need to know of the absent data.
//
// The retry ladder ends after its last step of 10 h, at 68 h. Another step would pass 72 h.
//
// If a full or absent stream refuses a completion, the event waits up to ten minutes at a time,
// without an end. It has no completion yet.
//
// A late event of an erased account is erased from the events too.
//
// The ladders and the pause are not from a library. Package backoff counts in the memory of one
// process, and the schedule counts across restarts. A circuit breaker refuses calls and drops or
// fails the work behind them, and the pause keeps the events in their queue.
package workers
