package schema

import (
	"fmt"
	"slices"
	"time"
)

// Names of the streams and of the object store.
const (
	EventsStream      = "WAGEWIRE_EVENTS"
	CompletionsStream = "WAGEWIRE_COMPLETIONS"
	DeadLettersStream = "WAGEWIRE_DEAD_LETTERS"
	QuarantineStream  = "WAGEWIRE_QUARANTINE"
	AdvisoriesStream  = "WAGEWIRE_ADVISORIES"
	RecordsBucket     = "WAGEWIRE_RECORDS"
)

// Limits of every queue. What must hold between them and the workers' own limits is a test.
const (
	// LeaseFor is a queue's lease unless a test needs a shorter one.
	LeaseFor = 60 * time.Second
	// HeartbeatsPerLease renew the lease, so that two may be lost.
	HeartbeatsPerLease = 3
	// DeliveriesMax ends an event that kills every worker it meets. The retry ladders end far below it.
	DeliveriesMax = 100
	// PendingMax is how many events a queue may have out or waiting for a delayed redelivery.
	PendingMax = 20_000
)

// Stream is what a stream must be. Every one of them is kept in files under limits and refuses what is over them
// (DiscardNew): discarding old messages would lose events.
type Stream struct {
	Name     string
	Subjects []string
	MaxAge   time.Duration
	MaxBytes int64
	// Duplicates is the window in which a message id is stored once.
	Duplicates time.Duration
	MessageMax int32
	// CreateOnce lets each subject take one message, for ever: a second is refused.
	CreateOnce bool
	// MessageTTL lets a message outlive MaxAge: a tombstone does.
	MessageTTL bool
	Why        string
}

// Queue is a durable consumer on the events: one for each provider and resource that has a worker.
type Queue struct {
	Name     string
	Provider Provider
	Resource Resource
	// Subjects are the filters, one for each webhook type the resource's worker reads.
	Subjects []string
}

// Topology is all that `wagewire provision` keeps in place.
type Topology struct {
	Replicas int
	// Lease is every queue's: how long a worker may be silent about an event before another gets it (AckWait).
	Lease   time.Duration
	Streams []Stream
	// Records is the object store's bucket; Subjects and Duplicates do not apply to it.
	Records Stream
	Queues  []Queue
}

const (
	day       = 24 * time.Hour
	mebibyte  = 1 << 20
	gibibyte  = 1 << 30
	advisory  = "$JS.EVENT.ADVISORY.CONSUMER."
	exhausted = advisory + "MAX_DELIVERIES." + EventsStream + "."
	allEvents = root + "events.>"
	// AllCompletions matches every completion.
	AllCompletions = root + "completions.>"
)

// DefaultTopology returns the streams and queues of an installation on one server. Ages, sizes and replicas may be changed;
// names, subjects and queues are the contract.
func DefaultTopology() Topology {
	return Topology{
		Replicas: 1,
		Lease:    LeaseFor,
		Streams: []Stream{
			{Name: EventsStream, Subjects: []string{allEvents},
				MaxAge: 14 * day, MaxBytes: 2 * gibibyte, Duplicates: day, MessageMax: CompletionBytesMax,
				Why: "every verified webhook; kept after it is worked on, so that duplicates are known and anything can be replayed"},
			{Name: CompletionsStream, Subjects: []string{AllCompletions, root + "tombstones.>"},
				MaxAge: 21 * day, MaxBytes: 4 * gibibyte, Duplicates: 10 * time.Minute, CreateOnce: true, MessageTTL: true,
				Why: "the last words; older than any redelivery, so that a late one finds its place taken"},
			{Name: DeadLettersStream, Subjects: []string{root + "dead_letters.>"},
				MaxAge: 90 * day, MaxBytes: 512 * mebibyte, Duplicates: time.Hour,
				Why: "our copy of what no worker could finish, until somebody has looked"},
			{Name: QuarantineStream, Subjects: []string{root + "quarantine.>"},
				MaxAge: 14 * day, MaxBytes: 64 * mebibyte, Duplicates: 2 * time.Minute,
				Why: "signed webhooks that cannot be read: answered 200, never lost"},
			{Name: AdvisoriesStream, Subjects: []string{exhausted + ">", advisory + "MSG_TERMINATED." + EventsStream + ".>"},
				MaxAge: 14 * day, MaxBytes: 64 * mebibyte, Duplicates: 2 * time.Minute,
				Why: "the broker's word that deliveries ran out, which it says once and keeps nowhere"},
		},
		// A day more than the completions that point to them.
		Records: Stream{Name: RecordsBucket, MaxAge: 22 * day, MaxBytes: 2 * gibibyte,
			Why: "records of completions too large for one message"},
		Queues: Queues(),
	}
}

// Queues derives the queues from the catalogue.
func Queues() []Queue {
	var queues []Queue
	for _, t := range catalogue {
		for _, r := range t.Workers {
			name := QueueName(t.Provider, r)
			i := slices.IndexFunc(queues, func(q Queue) bool { return q.Name == name })
			if i < 0 {
				i = len(queues)
				queues = append(queues, Queue{Name: name, Provider: t.Provider, Resource: r})
			}
			queues[i].Subjects = append(queues[i].Subjects, AccountEvents(t.Provider, t.Resource, t.Action, "*"))
		}
	}
	return queues
}

// QueuesOf returns the queues that the resource's worker serves, one for each provider that has the resource.
func QueuesOf(r Resource) []Queue {
	return slices.DeleteFunc(Queues(), func(q Queue) bool { return q.Resource != r })
}

// ExhaustedSubject is where the broker says that a queue's deliveries of an event ran out.
func ExhaustedSubject(queue string) string { return exhausted + queue }

// QueueName is <provider>_<resource>.
func QueueName(p Provider, r Resource) string { return fmt.Sprintf("%s_%s", p, r) }
