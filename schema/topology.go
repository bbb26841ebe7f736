package schema

import (
	"fmt"
	"slices"
	"time"
)

// Names of the streams and of the object store's bucket.
const (
	EventsStream      = "WAGEWIRE_EVENTS"
	CompletionsStream = "WAGEWIRE_COMPLETIONS"
	DeadLettersStream = "WAGEWIRE_DEAD_LETTERS"
	QuarantineStream  = "WAGEWIRE_QUARANTINE"
	AdvisoriesStream  = "WAGEWIRE_ADVISORIES"
	WaitingStream     = "WAGEWIRE_WAITING"
	RecordsBucket     = "WAGEWIRE_RECORDS"
)

// Limits of every queue. Tests hold them against each other and against the workers' limits.
const (
	// LeaseFor is the lease of a queue, except in tests with a shorter lease.
	LeaseFor = 60 * time.Second
	// HeartbeatsPerLease is how often a worker renews a lease in its time: two renewals may be
	// lost.
	HeartbeatsPerLease = 3
	// DeliveriesMax ends the deliveries of an event that kills every worker. The retry ladders have
	// far fewer steps.
	DeliveriesMax = 100
	// PendingMax is the limit of a queue's events in hand or waiting for a delayed redelivery.
	PendingMax = 20_000
)

// Stream describes a stream. Every stream is stored in files and refuses new messages at its limits
// (DiscardNew). The other policy would discard old messages, and so lose events.
type Stream struct {
	Name     string
	Subjects []string
	MaxAge   time.Duration
	MaxBytes int64
	// Duplicates is the time in which the stream stores a message id only once.
	Duplicates time.Duration
	MessageMax int32
	// CreateOnce limits each subject to one message. The stream refuses a second message.
	CreateOnce bool
	// MessageTTL lets single messages outlive MaxAge, as tombstones do.
	MessageTTL bool
	// Why is the purpose of the stream, for help texts and the broker's description of the stream.
	Why string
}

// Queue is a durable consumer of events. Each provider and resource with a worker has one.
type Queue struct {
	Name     string
	Provider Provider
	Resource Resource
	// Subjects are the filters: one for each webhook type read by the resource's worker.
	Subjects []string
}

// Topology describes everything that `wagewire provision` creates on the broker.
type Topology struct {
	Replicas int
	// Lease is the lease of every queue (AckWait): a worker silent about an event for longer loses
	// the event to another worker.
	Lease   time.Duration
	Streams []Stream
	// Records describes the object store's bucket. Subjects and Duplicates do not apply to a
	// bucket.
	Records Stream
	Queues  []Queue
}

const (
	day      = 24 * time.Hour
	mebibyte = 1 << 20
	gibibyte = 1 << 30
)

// Subjects of the broker's advisories about the queues. exhausted and terminated need a queue's
// name at the end.
const (
	advisories = "$JS.EVENT.ADVISORY.CONSUMER."
	exhausted  = advisories + "MAX_DELIVERIES." + EventsStream + "."
	terminated = advisories + "MSG_TERMINATED." + EventsStream + "."
)

// DefaultTopology returns the streams and queues of an installation on one server. An installation
// may change ages, sizes and replicas. Names, subjects and queues are part of the contract.
func DefaultTopology() Topology {
	return Topology{
		Replicas: 1,
		Lease:    LeaseFor,
		Streams:  defaultStreams(),
		// Records stay for a day longer than the completions with their names.
		Records: Stream{
			Name: RecordsBucket, MaxAge: 22 * day, MaxBytes: 2 * gibibyte,
			Why: "records of completions too large for one message",
		},
		Queues: Queues(),
	}
}

func defaultStreams() []Stream {
	return []Stream{
		{
			Name: EventsStream, Subjects: []string{allEvents},
			MaxAge: 14 * day, MaxBytes: 2 * gibibyte,
			Duplicates: day, MessageMax: CompletionBytesMax,
			Why: "every verified webhook; kept after its completion, for replay and duplicates",
		},
		{
			Name: CompletionsStream, Subjects: []string{AllCompletions, allTombstones},
			MaxAge: 21 * day, MaxBytes: 4 * gibibyte, Duplicates: 10 * time.Minute,
			CreateOnce: true, MessageTTL: true,
			Why: "every completion; kept so long that every redelivery finds its subject taken",
		},
		{
			Name: DeadLettersStream, Subjects: []string{allDeadLetters},
			MaxAge: 90 * day, MaxBytes: 512 * mebibyte, Duplicates: time.Hour,
			Why: "a copy of every event that no worker could finish, for people to examine",
		},
		{
			Name: QuarantineStream, Subjects: []string{allQuarantined},
			MaxAge: 14 * day, MaxBytes: 64 * mebibyte, Duplicates: 2 * time.Minute,
			Why: "every signed but unreadable webhook; answered with 200",
		},
		{
			Name: AdvisoriesStream, Subjects: []string{exhausted + ">", terminated + ">"},
			MaxAge: 14 * day, MaxBytes: 64 * mebibyte, Duplicates: 2 * time.Minute,
			Why: "the broker's notices of ended deliveries, sent once and stored nowhere else",
		},
	}
}

// Queues derives the queues from the catalogue.
func Queues() []Queue {
	var queues []Queue
	for _, t := range catalogue {
		subject := AccountEvents(t.Provider, t.Resource, t.Action, "*")
		for _, r := range t.Workers {
			name := QueueName(t.Provider, r)
			i := slices.IndexFunc(queues, func(q Queue) bool { return q.Name == name })
			if i < 0 {
				i = len(queues)
				queues = append(queues, Queue{Name: name, Provider: t.Provider, Resource: r})
			}
			queues[i].Subjects = append(queues[i].Subjects, subject)
		}
	}
	return queues
}

// QueuesOf returns the queues of a resource, one for each provider with the resource. The
// resource's worker serves all of them.
func QueuesOf(r Resource) []Queue {
	return slices.DeleteFunc(Queues(), func(q Queue) bool { return q.Resource != r })
}

// QueueName is <provider>_<resource>.
func QueueName(p Provider, r Resource) string { return fmt.Sprintf("%s_%s", p, r) }

// ExhaustedSubject is the subject of the broker's advisory that an event of the queue had
// DeliveriesMax deliveries.
func ExhaustedSubject(queue string) string { return exhausted + queue }
