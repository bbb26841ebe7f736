// Package stream puts the contract of package schema on JetStream, the storage of a NATS server
// (here: the broker). No other package names a stream, a queue, a header or an error code of the
// broker.
//
// # The files
//
// The line:
//
//	connect    Connect: a connection, opened again without end
//	loss       AwaitLoss, RunWhileOpen: the client library has given up the connection
//	ready      Ready, Reachable: whether an event can be stored
//	header     names of the headers; any text as a header
//	publish    PublishEvent, PublishQuarantined, PublishDeadLetter
//	complete   PublishCompletion: one completion for an event and resource, ever
//	account    Accounts: completions to the keeper of the states of accounts, and the states
//	records    the records of large completions, and of attempts, in the object store
//	consume    Queue.Consume: events to workers, each under a lease
//	delivery   Delivery: one hand-out of an event
//	waiting    Delivery.Wait, GiveBack: an event that waits for its next try, or goes behind fresh
//	           ones
//	budget     Budget: a provider's budget of calls, by compare-and-set, in the broker's time
//	paused     PauseState, StorePause: a queue whose provider refuses our credentials
//	closure    CloseFor, EndClosure, Closures: why an autoscaler should add no workers
//	report     ReportWhile: what a process says about itself; Reports: what operators read
//	take       the requests for events: a taker for each durable consumer of a queue
//	message    settlements of a message that a taker got
//	decode     from a message to an event
//	exhausted  Queue.Exhausted: events whose deliveries ran out before a verdict
//	erase      ErasureSteps, LastErasureSteps: an account leaves the streams for good
//	ask        requests and their retries
//	errors     the broker's errors, and ours
//	version    the oldest server that will do
//	grant      Grants: the rights of each role, and no more
//
// The operator (`wagewire`):
//
//	operator   Operator: a Conn with the questions below
//	status     Status, Position: streams, queues and their lanes
//	history    LastWebhook, CountSince: when messages came
//	scan       Scan, Message: messages as a stream holds them
//	heading    Headings: events without their bodies
//	letter     Letter, Unread, Discard: dead letters and quarantine
//	ending     CompletionsOf, Endings: how the work on an event ended
//	redrive    Redrive: an event once more
//	pause      Pause, Resume, PausedUntil: an operator's pause of a queue
//	retry      Waiting, RetriesOf, RetryNow: waiting events, retries and replays
//	tail       Tail: completions as they come
//	provision  Plan, Apply: streams and queues as schema.DefaultTopology wants them
//	keep       Kept: what a stream has more than the topology wishes, and keeps
//	move       the messages of a stream of earlier releases, on their way to the queues' streams
//	rebuild    States, RestartAccounts: the states of accounts, made anew from the completions
//	team       Team: who subscribes to completions; PlanTeam, Durables: the team's consumers
//
// Package broker runs a broker inside the process. Package streamtest gives tests a broker, and
// ways to wait.
//
// # The words of JetStream
//
// A stream is a log on disk. Each message has a subject, such as
// wagewire.events.truv.link.deleted.a1, and gets the next sequence number. A filter is a subject
// with wildcards: "*" stands for a token, ">" for all tokens to the end. In a cluster, replicas of
// a stream sit on several servers, and a leader among the servers stores and answers.
//
// A consumer is a reader's position in a stream, kept by the broker. A durable consumer stays when
// no reader is connected. A queue of ours has a durable consumer for each of its lanes, shared by
// all processes of a worker: one on the events, one on the retries of the queue, and one on its
// replays. An ordered consumer is private to its reader, reads in order, and acknowledges nothing:
// see Scan and Tail.
//
// A worker sends a request for some messages (a pull), and the broker delivers to the inbox of the
// request. The request ends when it is filled or when its time is over. Until then the broker may
// send idle heartbeats, so the worker notices a lost request. The worker then acknowledges
// (Delivery.Done), gives the message back (Delivery.GiveBack, a "nak"), or ends the deliveries
// (Delivery.Never, a "term"). After silence for the ack wait (the lease), the broker
// delivers again. Progress messages (heartbeats of the worker) begin the ack wait anew.
//
// A schedule is a message with a time and a target subject. When the time has come, the broker
// stores a copy of the message on the target, and removes the schedule. A new schedule on the same
// subject replaces the one before.
//
// An advisory is a report of the broker about a consumer. Our advisories stream stores
// MAX_DELIVERIES, after the last delivery of an event without an acknowledgement, and
// MSG_TERMINATED, after a term.
//
// A publish may carry a message id. While the duplicate window of the stream lasts, the broker
// stores an id once, and answers "duplicate" to a second publish. A publish may also carry an
// expectation, such as "this subject has no message": the broker refuses the publish if the
// expectation does not hold.
//
// A message TTL (header Nats-TTL) is the lifetime of a single message. max_age is the lifetime of
// all messages of a stream.
//
// A direct get is a read from any replica, even from one that lags behind the leader. Our reads go
// to the leader. Only readers of completions read records directly, because records never change.
//
// A secure delete overwrites a message in the file. A purge removes messages and leaves their
// bytes.
//
// Two words are ours. A tombstone is a message without a body: the mark of an erased account. The
// fence is a pair of conditions for a completion, checked by the broker: the subject is free, and
// the account has no tombstone.
//
// # The budgets
//
// The bucket of the budgets is a stream that any client of key-value buckets reads. It differs from
// the client library's own buckets in two points. Its values cannot be rolled up: with a rollup,
// whoever may write the budget of a provider could delete the others. And the broker publishes each
// stored value again with its sequence: so a process knows the revision for its next
// compare-and-set without a read.
//
// # What the broker's answers mean
//
// An event is stored under its message id: inside the duplicate window of 24 hours, a second
// publish gets "duplicate". The broker remembers the id also when somebody has deleted the message.
// So publishKept believes the answer only if the first copy is still there.
//
// A completion is stored under its subject. The subject belongs to a single event and resource, and
// the stream takes one message for each subject. So a second completion is refused for ever
// (10077), also after the duplicate window. A completion also expects no message on the account's
// tombstone subject: after an erasure, the broker refuses it (10071). Only the completion `deleted`
// comes without the expectation.
//
//	10158  the same id is being stored at this moment       try again, until "duplicate"
//	10164  another completion of the account is stored      try again
//	10071  the account has a tombstone                      ErrErased, final
//	10077  the subject is taken, or the stream is full      requireTaken looks at the subject
//
// # A stream that stores no more
//
// After a write error on its disk, nats-server 2.15.2 stores nothing more on the stream, until
// somebody restarts the server. Measured on one server:
//
//	a publish                                       no answer
//	a publish of an id that the stream has          "duplicate"
//	a publish that expects an impossible sequence   refused (10071)
//	a read, a question about the stream             answered as ever
//	a delete of a missing message                   refused, with the write error (10057)
//
// So only a publish that would be stored finds the error. Conn keeps the last event that could not
// be stored, and Ready stores that event: the sender's next try is then a duplicate. Nothing else
// is stored for a test, because every message of the events stream is a webhook. A process that has
// had no webhook since the write error therefore counts as ready until its first webhook gets a
// 503. Ingress has no right to delete events, so the delete of a missing message is no test for it.
//
// Without such an event, Ready sends a publish that expects an impossible sequence. Whatever keeps
// that publish from the stream's leader keeps events away, too: a missing right, a stream without
// the subjects of events, a stream without a leader.
//
// The client library closes the connection for good after an error of the broker that it does not
// know. A broker whose max_payload was lowered ends a connection so, because clients learn of the
// new limit only at their next connect. Then the process ends (RunWhileOpen), and its supervisor
// starts it.
//
// # Requests for events
//
// A taker asks for as many events as there are free hands, with a single request at a time. A short
// request lasts 1 s. If the request brings nothing, the queue is idle, and a long request follows:
// 30 s, with heartbeats, for a single event. When the event comes, the next request is short again
// and asks for all free hands. So an idle queue costs a request in 30 s. While most hands are at
// work, a taker waits up to a millisecond for more free hands: otherwise each finished event would
// cost a request of its own, and each request of a cluster two entries in the consumer's log.
//
// A worker frees a hand as soon as only the broker's confirmation is missing (Delivery.FreeHand):
// the next event comes during the confirmation. Measured with three servers and fsync always: 1,443
// small snapshots a second, and 1,033 without.
//
// The requests of a taker share an inbox, because a subscription costs the broker more than a
// request. Nothing more comes for a request after its end. The inbox of a withdrawn or lost request
// is closed.
//
// A stop or a closing gate ends the open request. The broker knows no message that withdraws a
// request. An unsubscribed inbox has the same effect, because the broker delivers only to an inbox
// with a subscriber. On one server nothing is lost: an event that finds no subscriber any more goes
// back to the queue at once. In a cluster an event may cross the route between two servers when the
// subscription ends. The second server drops such an event, and it stays on lease.
//
// Hence the two kinds of requests. A short request is never withdrawn: the taker keeps the
// subscription, waits for the end of the request, and gives back the events that come. Measured
// with nats-server 2.15.2 on three servers, 480 stops under load: no event of 7,680 stayed on
// lease. Only the long request of an idle queue is withdrawn, and then at most one event can be
// dropped. It happened 2 times in 480 stops that the test timed to the millisecond in which an
// event came. Such an event comes again when its lease ends.
//
// The takers send the requests themselves. Fetch of the client library drops what has come when its
// context ends, and does not tell why a request ended. The iterators of the library send a request
// again after a reconnect, and so get more events than there are hands.
//
// # Waiting events
//
// Delivery.Wait publishes a schedule and then acknowledges the event. A crash in between costs a
// second delivery of the event. The schedule of the second delivery replaces the first, or the
// event is tried twice, and the fence refuses a second completion.
//
// The message of a waiting event has the event's headers and sequence, and no body. The broker
// removes a schedule without overwriting its bytes, and a webhook's body may name a person. So the
// body stays in one place, the events stream, where an erasure overwrites it. A retry whose event
// is gone ends.
//
// Each queue has a stream of its own for its waiting events, retries and replays. With schedules,
// the broker also allows rollups on a stream (a rollup is a publish that replaces earlier
// messages), and checks the subject of a publish but no header. On a stream for several queues, the
// key of one worker could therefore remove the events of the others, or name their retries as the
// target of a schedule. The broker refuses a target outside the stream of the schedule.
//
// The broker allows schedules only on a stream that discards old messages at its limits. The
// streams of the waiting events therefore have no limit except an age. The server must be 2.15.2 or
// later: earlier servers with schedules lost some of them.
//
// The state of a pause has a stream of its own, the last message of each queue's subject. A worker
// may change the state only as it has read it (the expected last sequence), so one worker at a time
// has the turn to ask the provider again.
//
// # Closures
//
// An autoscaler counts the ready events of a queue. It cannot know that more workers would be of no
// use: while a queue is paused, its provider refuses our credentials, wants no calls, or is down.
// So each of these reasons has a message on the stream of the closures, with the lifetime of the
// reason. Each queue has a durable consumer there that nobody reads: the broker counts as pending
// for it what is closed at the moment, the same figure as for the ready events. The broker lowers
// the count when a message expires, also after a restart. Measured with nats-server 2.15.2, on one
// server and on three.
//
// A closure is prolonged by one more message, and workers have no right to delete: theirs end with
// their lifetime, a minute at most. The operator may end a closure early.
//
// nats-server 2.15.2 may count one closure too few if it is asked for the count, as an autoscaler
// does, at the moment in which one message is removed. The error lasts until the broker counts
// anew: when it restarts, when the consumer gets another leader, or when one purge removes two
// messages or more. So EndClosure always removes two or more. Measured: 2 to 8 of 1,000 purges of
// one message were miscounted with three askers that never rest, and 1 of 2,000 messages that
// expired with one asker.
//
// A queue without calls of its provider has closures by an operator's pause alone.
//
// Nothing of the line reads closures: without the stream, or without the right to publish there,
// everything works but the autoscaler knows less.
//
// # Replays
//
// A replayed event is a redrive (an operator sent a stored event again), or a backfill (an operator
// sent a webhook for an account linked long ago). Operators send thousands of them at once, and no
// fresh event may wait for replayed ones. Both kinds are stored on the events stream like every
// event, in front of the fresh events that come later. Consume therefore works on no replayed event
// from there. Consume publishes the event among the replays of the queue, in the form of a waiting
// event, and then acknowledges the delivery. That takes milliseconds, and no call of the provider.
// A crash between the two steps costs a second publish under the same message id.
//
// The replays are a lane of the queue: a subject on the queue's stream of waiting events, a durable
// consumer, and hands of their own. The schedule of a replayed event leads back to the replays. A
// redrive of a release without this lane may still come from the retries, and is put behind, too.
// Erasures call no provider. Their queue has no such lane.
//
// # Rights
//
// Grants lists the requests of each role. deploy/nats makes the broker's accounts from the list,
// and tests both sides. A new request needs a new grant: without one, the role's account does not
// import the request, and the broker says that nobody responds. Three places look unusual because
// they need fewer rights: hasMessage asks for a count and does not read the message, deleteMessage
// deletes by sequence, and the object store takes no rollups.
//
// Answers go to inboxes below _INBOX.<role>, in the account of the role: nobody else can listen
// there. A delivery is an answer, too.
//
// # Age of completions
//
// A tombstone must live longer than every completion. "Nats-TTL: never" is not enough: nats-server
// 2.15.2 keeps such a message while running, but drops all messages older than the stream's max_age
// at its start. So the completions stream has no max_age. Instead each completion carries a
// Nats-TTL. `wagewire provision` writes its value into the stream's metadata, where publishers read
// it.
//
// # Erasure
//
// An erasure deletes messages securely, one at a time, and does not purge by subject filter. Three
// measured facts speak against a purge. A purge leaves the plaintext in the file. A purge would
// also remove the account's completions `deleted`, and the broker would then refuse to store their
// ids again. And after a purge of events, a queue loses its list of events that wait for a
// redelivery, and delivers these events only when their leases end.
//
// The order of an erasure is: the tombstone, the completions (except `deleted`), the waiting events
// with their retries and replays, the dead letters, the records, the completion `deleted`, the
// account's other events, the event that reports the deletion, and the retries of that event. The
// report goes after all other data, because its queue delivers it again until it is gone. A crash
// after any step costs a repeat of the steps. A retry without its event deletes itself: see
// handOut. If the provider sends the report again, the report is stored, and its erasure begins
// anew and ends without a second completion.
//
// The state of the account is not among the steps: the worker of the states erases it when it reads
// the completion `deleted`. It overwrites the state's last message. The messages of earlier states
// of the account, which were replaced before, are gone from the stream, and their bytes stay in the
// file until the broker writes that part of the file anew. They name the account and the person by
// ids, and hold no data.
//
// What remains are ids: the account's token in the subject of the tombstone, and the account's and
// the event's ids in the completion `deleted`. The broker's index of schedules (sched.db) may name
// the tokens of a waiting event until the broker writes the index anew. On several replicas, the
// servers' Raft logs keep copies of deleted messages until the servers cut the logs. nats-server
// 2.15.2 cuts the log of a stream every 2 to 3 minutes; `make test/canaries` measures it.
package stream
