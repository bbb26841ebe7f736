package schema

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Names of the streams and of the object store's bucket.
const (
	EventsStream      = "WAGEWIRE_EVENTS"
	CompletionsStream = "WAGEWIRE_COMPLETIONS"
	AccountsStream    = "WAGEWIRE_ACCOUNTS"
	DeadLettersStream = "WAGEWIRE_DEAD_LETTERS"
	QuarantineStream  = "WAGEWIRE_QUARANTINE"
	PausesStream      = "WAGEWIRE_PAUSES"
	AdvisoriesStream  = "WAGEWIRE_ADVISORIES"
	RecordsBucket     = "WAGEWIRE_RECORDS"

	// AccountsConsumer is the durable consumer on the completions stream whose reader keeps the
	// states of the accounts. It is also the name of that worker.
	AccountsConsumer = "accounts"

	// FormerWaitingStream held the waiting events of all queues, before each queue had a stream of
	// its own. `wagewire provision` moves the messages and deletes the stream.
	FormerWaitingStream = "WAGEWIRE_WAITING"
	// EveryWaitingStream stands for the queues' streams of waiting events, in texts for people.
	EveryWaitingStream = waitingPrefix + "*"

	waitingPrefix = FormerWaitingStream + "_"
)

// Limits of every queue. Tests hold them against each other and against the workers' limits.
const (
	// LeaseFor is the lease of a queue, except in tests with a shorter lease.
	LeaseFor = 60 * time.Second
	// HeartbeatsPerLease is how often a worker renews a lease in its time: two renewals may be
	// lost.
	HeartbeatsPerLease = 3
	// DeliveriesMax ends the deliveries of a retry that kills every worker. No other retry comes
	// near it: see DeliveriesInPlace.
	DeliveriesMax = 20
	// EventDeliveriesMax ends the deliveries of an event on the events stream. Earlier releases
	// counted restarts and pauses as deliveries, up to this number. A lower limit would end such
	// events in the middle of an upgrade.
	EventDeliveriesMax = 100
	// DeliveriesInPlace is the number of deliveries without a verdict after which a worker
	// publishes the event anew among the retries or replays, where deliveries count from 1 again.
	// Restarts therefore never use up the deliveries of an event.
	DeliveriesInPlace = 3
	// PendingMax is the limit of a queue's events in hand.
	PendingMax = 20_000
	// AccountsPendingMax is the limit of completions in the hands of the accounts workers.
	AccountsPendingMax = 1_000
)

// Stream describes a stream. Every stream is stored in files. A stream with a limit refuses new
// messages at the limit (DiscardNew). The other policy would discard old messages, and so lose
// events.
type Stream struct {
	Name     string
	Subjects []string
	MaxAge   time.Duration
	MaxBytes int64
	// MaxMessages is the most messages of the stream, 0 without a limit. The broker has an entry
	// for each message and for each subject in its memory, whatever the size of the message.
	MaxMessages int64
	// Duplicates is the time in which the stream stores a message id only once.
	Duplicates time.Duration
	MessageMax int32
	// CreateOnce limits each subject to one message. The stream refuses a second message.
	CreateOnce bool
	// LastOnly keeps the last message of each subject: a new message replaces the one before. A
	// stream without room refuses a message, and drops none of another subject.
	LastOnly bool
	// Direct lets a reader get the last message of a subject by one request, from any replica.
	Direct bool
	// MessageTTL lets single messages outlive MaxAge, as tombstones do. With MaxAge 0, each message
	// has a lifetime of its own.
	MessageTTL bool
	// Schedules lets messages wait on the stream for a time of their own. The broker allows
	// schedules only on a stream that discards old messages at its limits, so such a stream has no
	// limit except MaxAge.
	Schedules bool
	// Republish is where the broker publishes each stored message again, under the last token of
	// its subject. Empty: nowhere.
	Republish string
	// Why is the purpose of the stream, for help texts and the broker's description of the stream.
	Why string
}

// Queue is the events of one kind of worker, in two or three Lanes. Each provider and resource with
// a worker has a queue. A provider that reports deletions has one more, for its erasures: nothing
// that other events wait for may delay an erasure.
type Queue struct {
	Name     string
	Provider Provider
	Resource Resource
	// Erases is true for the queue of a provider's erasures.
	Erases bool
	// Subjects are the filters: one for each webhook type read by the resource's worker.
	Subjects []string
}

// CallsProvider reports whether the queue's worker calls the provider. An erasure needs no call,
// and neither does a notice. A queue without calls needs no secret of the provider and no budget,
// and nothing that the provider refuses or asks for stops the queue.
func (q Queue) CallsProvider() bool { return !q.Erases && q.Resource != Notices }

// Reads reports whether the queue gets events of the type.
func (q Queue) Reads(t WebhookType) bool {
	return q.Provider == t.Provider && q.Erases == t.Erases &&
		slices.Contains(t.Workers, q.Resource)
}

// WaitingStream is the name of the stream with the queue's waiting events, retries and replays.
func (q Queue) WaitingStream() string { return waitingPrefix + strings.ToUpper(q.Name) }

// Lane is a part of a queue with a durable consumer of its own. Workers have hands of their own for
// each lane, so no lane delays another one.
type Lane struct {
	Name LaneName
	// Stream has the messages of the lane, Consumer is the durable consumer on the stream, and
	// Subjects are the filters of the consumer.
	Stream   string
	Consumer string
	Subjects []string
}

// LaneName is the name of a lane.
type LaneName string

// The lanes of a queue.
const (
	// LaneEvents has the events as ingress and operators publish them.
	LaneEvents LaneName = "events"
	// LaneRetries has the fresh events whose time to wait is over.
	LaneRetries LaneName = "retries"
	// LaneReplays has the replayed events (Event.Replayed): before their first attempt, and each
	// time when their time to wait is over.
	LaneReplays LaneName = "replays"
)

// replaysSuffix ends the name of the consumer of replays. It is on one stream with the consumer of
// the retries, which has the name of the queue.
const replaysSuffix = "_" + string(LaneReplays)

// Lanes are the lanes of the queue: events, retries, and replays. A queue of erasures has no lane
// for replays: an erasure calls no provider, and also an erasure that is sent again must be done at
// once.
func (q Queue) Lanes() []Lane {
	lanes := []Lane{q.EventsLane(), q.RetriesLane()}
	if !q.Erases {
		lanes = append(lanes, q.ReplaysLane())
	}
	return lanes
}

// EventsLane is the lane of the events.
func (q Queue) EventsLane() Lane {
	return Lane{LaneEvents, EventsStream, q.Name, q.Subjects}
}

// RetriesLane is the lane of the retries.
func (q Queue) RetriesLane() Lane {
	return Lane{LaneRetries, q.WaitingStream(), q.Name, []string{RetriesSubject(q.Name, "*")}}
}

// ReplaysLane is the lane of the replays. Only the queues of Lanes with this lane have it.
func (q Queue) ReplaysLane() Lane {
	return Lane{
		LaneReplays, q.WaitingStream(), q.Name + replaysSuffix,
		[]string{ReplaysSubject(q.Name, "*")},
	}
}

// LaneOf returns the lane of a message on the queue's stream of waiting events, by its subject.
// Messages that are no replays are retries.
func (q Queue) LaneOf(subject string) Lane {
	if strings.HasPrefix(subject, ReplaysSubject(q.Name, "")) {
		return q.ReplaysLane()
	}
	return q.RetriesLane()
}

// ConsumerQueue returns the name of the queue of a lane's consumer.
func ConsumerQueue(consumer string) string { return strings.TrimSuffix(consumer, replaysSuffix) }

// Replays reports whether the event belongs into the queue's lane of replays. An event that was
// sent again for another queue does not: this queue has no work with the event.
func (q Queue) Replays(e Event) bool {
	return !q.Erases && e.Replayed() && (e.Queue == "" || e.Queue == q.Name)
}

// DueSubject is the subject on which an event of the queue comes when its time to wait is over:
// among the replays, or among the retries.
func (q Queue) DueSubject(e Event) string {
	if q.Replays(e) {
		return ReplaysSubject(q.Name, e.Account())
	}
	return RetriesSubject(q.Name, e.Account())
}

// Topology describes everything that `wagewire provision` creates on the broker.
type Topology struct {
	Replicas int
	// Lease is the lease of every queue (AckWait): a worker silent about an event for longer loses
	// the event to another worker.
	Lease time.Duration
	// Streams are the streams with a name in this package. AllStreams has those of the queues too.
	Streams []Stream
	// Records describes the object store's bucket. Subjects and Duplicates do not apply to a
	// bucket.
	Records Stream
	Queues  []Queue
}

// IsWaitingStream reports whether the name is that of a queue's stream of waiting events.
func IsWaitingStream(name string) bool { return strings.HasPrefix(name, waitingPrefix) }

// AllStreams returns the streams, and behind them the WaitingStreams.
func (t Topology) AllStreams() []Stream { return slices.Concat(t.Streams, t.WaitingStreams()) }

// WaitingStreams returns the streams of the waiting events, one for each queue. They keep messages
// as long as the events stream, so no event is lost while it waits.
func (t Topology) WaitingStreams() []Stream {
	var age time.Duration
	for _, s := range t.Streams {
		if s.Name == EventsStream {
			age = s.MaxAge
		}
	}
	var streams []Stream
	for _, q := range t.Queues {
		streams = append(streams, Stream{
			Name:     q.WaitingStream(),
			Subjects: q.waitingSubjects(),
			MaxAge:   age, Duplicates: 2 * time.Minute, Schedules: true,
			Why: "events of " + q.Name + " that wait for their next try, or whose time has come",
		})
	}
	return streams
}

// waitingSubjects are the subjects of the queue's stream of waiting events.
func (q Queue) waitingSubjects() []string {
	subjects := []string{AccountWaiting(q.Name, "*")}
	for _, lane := range q.Lanes() {
		if lane.Stream == q.WaitingStream() {
			subjects = append(subjects, lane.Subjects...)
		}
	}
	return subjects
}

const (
	day      = 24 * time.Hour
	mebibyte = 1 << 20
	gibibyte = 1 << 30
	million  = 1_000_000
)

// Subjects of the broker's advisories about the queues. exhausted and terminated need a
// queue's stream and name at the end.
const (
	advisories = "$JS.EVENT.ADVISORY.CONSUMER."
	exhausted  = advisories + "MAX_DELIVERIES."
	terminated = advisories + "MSG_TERMINATED."
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
			MaxAge: 14 * day, MaxBytes: 2 * gibibyte, MaxMessages: 2 * million,
			Duplicates: day, MessageMax: EventBytesMax,
			Why: "every verified webhook; kept after its completion, for replay and duplicates",
		},
		{
			Name: CompletionsStream, Subjects: []string{AllCompletions, allTombstones},
			MaxAge: 21 * day, MaxBytes: 4 * gibibyte, MaxMessages: 3 * million,
			Duplicates: 10 * time.Minute, CreateOnce: true, MessageTTL: true,
			Why: "every completion; kept so long that every redelivery finds its subject taken",
		},
		{
			Name: AccountsStream, Subjects: []string{AllAccounts},
			Duplicates: 2 * time.Minute, LastOnly: true, Direct: true,
			Why: "the state of every account; kept longer than the completions it is made of",
		},
		{
			Name: DeadLettersStream, Subjects: []string{allDeadLetters},
			MaxAge: 90 * day, MaxBytes: 512 * mebibyte, MaxMessages: million / 4,
			Duplicates: time.Hour,
			Why:        "a copy of every event that no worker could finish, for people to examine",
		},
		{
			Name: QuarantineStream, Subjects: []string{allQuarantined},
			MaxAge: 14 * day, MaxBytes: 256 * mebibyte, MaxMessages: million / 4,
			Duplicates: day,
			Why:        "every signed webhook that is not stored as an event; answered with 200",
		},
		{
			Name: PausesStream, Subjects: []string{allPauses},
			MaxAge: 90 * day, Duplicates: 2 * time.Minute, LastOnly: true,
			Why: "the state of every queue whose provider refuses our credentials",
		},
		{
			Name: ClosuresStream, Subjects: []string{allClosures},
			Duplicates: 2 * time.Minute, MessageTTL: true,
			Why: "why a queue needs no more workers, for an autoscaler, until each reason ends",
		},
		{
			Name: ReportsStream, Subjects: []string{allReports},
			MaxAge: ReportKeptFor, MaxBytes: 16 * mebibyte, Duplicates: 2 * time.Minute,
			LastOnly: true,
			Why:      "what each process says about itself every few seconds, for operators",
		},
		{
			// A bucket without rollups: with one, whoever may write a provider's budget could
			// delete the others.
			Name: BudgetsStream, Subjects: []string{budgetSubjects + "*"},
			MaxAge: 90 * day, Duplicates: 2 * time.Minute, LastOnly: true,
			Republish: storedBudgetSubjects,
			Why: "the bucket " + BudgetsBucket +
				": how many calls a provider gets, over all processes",
		},
		{
			Name: AdvisoriesStream, Subjects: advisoriesSubjects(),
			MaxAge: 14 * day, MaxBytes: 64 * mebibyte, Duplicates: 2 * time.Minute,
			Why: "the broker's notices of ended deliveries, sent once and stored nowhere else",
		},
	}
}

// advisoriesSubjects matches the advisories about each stream with a consumer of a queue.
func advisoriesSubjects() []string {
	subjects := advisoriesAbout(EventsStream)
	for _, q := range Queues() {
		subjects = append(subjects, advisoriesAbout(q.WaitingStream())...)
	}
	return subjects
}

func advisoriesAbout(stream string) []string {
	return []string{exhausted + stream + ".>", terminated + stream + ".>"}
}

// FormerAdvisoriesSubjects matches the advisories about the FormerWaitingStream.
func FormerAdvisoriesSubjects() []string { return advisoriesAbout(FormerWaitingStream) }

// Queues derives the queues from the catalogue.
func Queues() []Queue {
	var queues []Queue
	for _, t := range catalogue {
		subject := AccountEvents(t.Provider, t.Resource, t.Action, "*")
		for _, r := range t.Workers {
			name := QueueName(t.Provider, r)
			if t.Erases {
				name = ErasuresName(t.Provider)
			}
			i := slices.IndexFunc(queues, func(q Queue) bool { return q.Name == name })
			if i < 0 {
				i = len(queues)
				queues = append(queues, Queue{
					Name: name, Provider: t.Provider, Resource: r, Erases: t.Erases,
				})
			}
			queues[i].Subjects = append(queues[i].Subjects, subject)
		}
	}
	return queues
}

// QueueNamed returns the queue with the name.
func QueueNamed(name string) (q Queue, exists bool) {
	queues := Queues()
	i := slices.IndexFunc(queues, func(q Queue) bool { return q.Name == name })
	if i < 0 {
		return Queue{}, false
	}
	return queues[i], true
}

// QueuesOf returns the queues of a resource, one or two for each provider with the resource. The
// resource's worker serves all of them.
func QueuesOf(r Resource) []Queue {
	return slices.DeleteFunc(Queues(), func(q Queue) bool { return q.Resource != r })
}

// WorkerResources returns the resources with a worker, in the order of the catalogue.
func WorkerResources() []Resource {
	var resources []Resource
	for _, q := range Queues() {
		if !slices.Contains(resources, q.Resource) {
			resources = append(resources, q.Resource)
		}
	}
	return resources
}

// QueueName is <provider>_<resource>.
func QueueName(p Provider, r Resource) string { return fmt.Sprintf("%s_%s", p, r) }

// ErasuresName is <provider>_erasures.
func ErasuresName(p Provider) string { return string(p) + "_erasures" }

// AllExhausted matches the broker's advisories of every queue that a message had all of its
// deliveries.
const AllExhausted = exhausted + ">"

// ExhaustedSubjects are the subjects of the broker's advisories that a message of the queue had
// all of its deliveries: an event, a retry, or a replay.
func (q Queue) ExhaustedSubjects() []string {
	var subjects []string
	for _, lane := range q.Lanes() {
		subjects = append(subjects, ExhaustedSubject(lane.Stream, lane.Consumer))
	}
	return subjects
}

// ExhaustedSubject is the subject of the broker's advisories that a message of the stream had all
// of its deliveries to the consumer.
func ExhaustedSubject(stream, consumer string) string { return exhausted + stream + "." + consumer }
