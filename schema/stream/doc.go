// Package stream binds the contract of package schema to JetStream. No other package names a stream, a queue, a header or
// an error code of the broker.
//
//	Connect    one connection, that never gives up
//	grant      Grants: what each role may ask of the broker, and no more
//	provision  Plan, Apply: streams and queues as schema.DefaultTopology wants them
//	publish    Event, Quarantine, Complete, DeadLetter: each returns when the broker has stored it
//	consume    Queue.Consume: one event a slot, leased by heartbeats until it is settled
//	exhausted  Queue.Exhausted: what ran out of deliveries before a verdict
//	erase      ErasureSteps: an account leaves the streams for good
//	operate    what `wagewire` shows and does: Status, Scan, Redrive, Discard, Pause
//
// # What the broker's answers mean
//
// An event is stored under its message id: a second publish inside the 24 h window answers "duplicate". A completion is
// stored under its subject, of which there is one for each event and resource: a second is refused for ever (10077), with
// or without the window. It also expects that the account has no tombstone: after an erasure it is refused (10071).
//
//	10158  the same id is being stored right now       again, until it answers duplicate
//	10164  another completion of the account is        again
//	10071  the account has a tombstone                 ErrErased, final
//	10077  the subject is taken, or the stream full    a look at the subject tells which
//
// # Rights
//
// Grants lists the subjects that the code in this package publishes to, for each role that runs it; deploy/nats makes the
// broker's users of them, and tests both sides. Code that asks for something new needs a grant: without it the broker says
// nothing to the request, which runs into its time limit, and the log says "nats error" and the subject. Three things are the
// way they are so that a role needs less: a look whether a subject has a message asks for a count and does not read it,
// records that are taken back are deleted by the numbers that they were stored under, and the object store takes no rollups.
//
// Answers come to inboxes below _INBOX.<role>, which no other role can subscribe to: a delivery is an answer, too.
//
// # Age of completions
//
// A tombstone must outlive every completion. `Nats-TTL: never` alone does not do it: nats-server 2.15.2 honours it while it
// runs, and when it starts drops whatever is older than the stream's max_age. So the completions stream has none; each
// completion carries its own Nats-TTL, which `wagewire provision` writes into the stream's metadata for publishers to read.
//
// # Erasure
//
// The design purges by subject filter. Three measured facts speak against it: a purge leaves the plaintext in the file,
// which the broker's secure delete overwrites; a filter would take the account's completions `deleted` with it, whose ids
// the broker then refuses to store again; and a purge of events makes a queue forget which others wait for redelivery
// until their leases end. So messages are deleted one by one, securely: completions but the `deleted` ones, dead letters,
// the chunks and names of record objects, and webhooks but those that say that the account was deleted.
package stream
