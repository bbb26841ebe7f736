package stream

import (
	"slices"
	"strings"

	"github.com/wagewire/wagewire/schema"
)

// Roles besides those of the workers. A worker's role is the name of its command: "paystubs",
// "verification-reports".
const (
	// RoleIngress publishes events and quarantined webhooks.
	RoleIngress = "ingress"
	// RoleOperator is the role of `wagewire`. No other role can make or change streams and queues.
	RoleOperator = "wagewire"
	// RoleConsumer is for subscribers: completions and their records.
	RoleConsumer = "consumer"
)

// The subjects of the broker's own requests.
const (
	inboxes          = "_INBOX."
	api              = "$JS.API."
	apiStreamInfo    = api + "STREAM.INFO."
	apiMessageGet    = api + "STREAM.MSG.GET."
	apiMessageDelete = api + "STREAM.MSG.DELETE."
	apiDirectGet     = api + "DIRECT.GET."
	apiCreate        = api + "CONSUMER.CREATE."
	apiCreateDurable = api + "CONSUMER.DURABLE.CREATE."
	apiDelete        = api + "CONSUMER.DELETE."
	apiQueueInfo     = api + "CONSUMER.INFO."
	apiNext          = api + "CONSUMER.MSG.NEXT."
	acks             = "$JS.ACK."
	flowControl      = "$JS.FC."
)

// Grant lists the subjects to which a role may publish and subscribe. A role has no other rights.
// The broker checks the subject of a request and not its body, so some grants allow more than the
// code asks for: see Grants.
type Grant struct {
	Role      string
	Publish   []string
	Subscribe []string
}

// RoleOf returns the role of a process by the name of its connection: "wagewire-paystubs" has the
// role "paystubs". A role is always a single token of a subject.
func RoleOf(name string) string { return schema.Token(strings.TrimPrefix(name, "wagewire-")) }

// WorkerRole is the role of a resource's worker.
func WorkerRole(r schema.Resource) string { return strings.ReplaceAll(string(r), "_", "-") }

// Grants returns the rights of every role: ingress, the workers in the order of the catalogue, the
// operator, the consumers. Only the operator can change a stream or make a consumer on the events.
// No role can read the inbox of another.
//
// The broker has no narrower rights in these cases:
//   - The right to read a message is the right to read all messages of the stream. Ingress reads
//     the events, to compare the bodies of two webhooks with the same id. Workers read the events
//     and the waiting events, because a retry and an advisory name an event only by its sequence.
//     Workers read records, because an attempt begins with the records that the attempt before
//     saved. Workers read completions and dead letters only if their provider has accounts erased.
//   - The right to ask about a stream is the right to count its subjects, and so to see the ids of
//     accounts and events. Ingress asks about the quarantine, and workers about the dead letters,
//     to learn whether a message that the broker calls a duplicate is still there.
//   - Workers delete record objects by sequence: after a completion was refused, and after an
//     attempt that saved its records. So workers may delete any record object.
//   - A worker may publish a schedule whose target is a retry of another queue: the broker does not
//     check the target against the worker's rights.
//   - Every consumer may make a consumer of completions, and acknowledge the deliveries of all
//     others. Teams without trust in each other need a user each.
//   - A request names the subject for its answer, and the broker does not check the role's right to
//     publish there (measured with nats-server 2.15.2). So the rights keep a process from reading
//     foreign messages and from changing streams and queues. But an attacker with the process's key
//     could make the broker store one of its answers on our subject. The attacker cannot choose
//     the text. Such an answer would not decode as an event, but would count as a tombstone. A NATS
//     account for each role would prevent the attack, because an answer stays in the account of
//     the request.
func Grants() []Grant {
	grants := []Grant{{Role: RoleIngress, Publish: ingressPublishes()}}
	for _, q := range schema.Queues() {
		role := WorkerRole(q.Resource)
		if !slices.ContainsFunc(grants, func(g Grant) bool { return g.Role == role }) {
			grants = append(grants, Grant{
				Role: role, Publish: workerPublishes(q.Resource), Subscribe: pausesOf(q.Resource),
			})
		}
	}
	grants = append(grants,
		Grant{
			Role:      RoleOperator,
			Publish:   operatorPublishes(),
			Subscribe: []string{schema.AllSubjects, "$JS.EVENT.ADVISORY.>"},
		},
		Grant{Role: RoleConsumer, Publish: consumerPublishes()},
	)
	for i := range grants {
		grants[i].Subscribe = append(grants[i].Subscribe, inboxes+grants[i].Role+".>")
	}
	return grants
}

func ingressPublishes() []string {
	var subjects []string
	for _, p := range schema.Providers() {
		subjects = append(subjects, schema.AccountEvents(p, "*", "*", "*"),
			schema.QuarantineSubject(p))
	}
	return append(subjects,
		apiStreamInfo+schema.EventsStream, apiMessageGet+schema.EventsStream,
		apiStreamInfo+schema.QuarantineStream)
}

func operatorPublishes() []string {
	return []string{
		schema.AllSubjects, api + ">", acks + ">", flowControl + ">",
		"$O." + schema.RecordsBucket + ".>",
	}
}

func workerPublishes(r schema.Resource) []string {
	var subjects []string
	erasures := false
	for _, q := range schema.QueuesOf(r) {
		subjects = append(subjects, queuePublishes(q)...)
		if q.Erases {
			subjects = append(subjects, schema.TombstoneSubject(q.Provider, "*"))
		}
		subjects = append(subjects, accountChunks(q.Provider, "*"))
		erasures = erasures || hasErasures(q.Provider)
	}
	subjects = append(subjects,
		objectsSubject, apiMessageGet+recordsStream, apiMessageDelete+recordsStream,
		apiStreamInfo+schema.CompletionsStream, apiStreamInfo+schema.DeadLettersStream,
		apiStreamInfo+schema.EventsStream, apiMessageGet+schema.EventsStream,
		apiStreamInfo+schema.WaitingStream, apiMessageGet+schema.WaitingStream,
		apiStreamInfo+schema.PausesStream, apiMessageGet+schema.PausesStream,
	)
	if erasures {
		subjects = append(subjects, erasurePublishes()...)
	}
	return withoutRepeats(subjects)
}

// pausesOf has the subjects on which a worker learns of the pauses of its queues.
func pausesOf(r schema.Resource) []string {
	var subjects []string
	for _, q := range schema.QueuesOf(r) {
		if !q.Erases {
			subjects = append(subjects, schema.PauseSubject(q.Name))
		}
	}
	return subjects
}

// withoutRepeats keeps the first of equal subjects. Two queues of a worker share some of theirs.
func withoutRepeats(subjects []string) []string {
	var once []string
	for _, subject := range subjects {
		if !slices.Contains(once, subject) {
			once = append(once, subject)
		}
	}
	return once
}

// queuePublishes has the subjects for one of a worker's queues: events, advisories, and the places
// for the output.
func queuePublishes(q schema.Queue) []string {
	subjects := []string{
		schema.ResourceCompletions(q.Provider, q.Resource),
		schema.DeadLetterSubject(q.Name, "*"),
		schema.AccountWaiting(q.Name, "*"),
		schema.RetriesSubject(q.Name, "*"),
	}
	if !q.Erases { // erasures never pause
		subjects = append(subjects, schema.PauseSubject(q.Name))
	}
	for _, stream := range []string{
		schema.EventsStream, schema.WaitingStream, schema.AdvisoriesStream,
	} {
		consumer := stream + "." + q.Name
		subjects = append(subjects, apiQueueInfo+consumer, apiNext+consumer, acks+consumer+".>")
	}
	return subjects
}

// hasErasures reports whether some worker erases accounts of the provider. Then all workers of the
// provider need the rights for an erasure: the account may be erased while a worker works on its
// event, and the worker deletes the rest.
func hasErasures(p schema.Provider) bool {
	return slices.ContainsFunc(erasingTypes(p),
		func(t schema.WebhookType) bool { return len(t.Workers) > 0 })
}

// erasurePublishes has the subjects for an erasure: it reads and deletes all messages of an
// account.
func erasurePublishes() []string {
	return []string{
		apiMessageDelete + schema.EventsStream, apiMessageDelete + schema.WaitingStream,
		apiMessageGet + schema.CompletionsStream, apiMessageDelete + schema.CompletionsStream,
		apiMessageGet + schema.DeadLettersStream, apiMessageDelete + schema.DeadLettersStream,
		apiStreamInfo + recordsStream,
		apiDirectGet + recordsStream, apiDirectGet + recordsStream + ".>",
		apiCreate + recordsStream + ".*." + objectsSubject,
		apiDelete + recordsStream + ".*", flowControl + recordsStream + ".>",
	}
}

// consumerPublishes has the subjects for clients in Go, JavaScript and Python: a consumer of
// completions, its messages, and the object of a large completion.
func consumerPublishes() []string {
	return []string{
		api + "INFO",
		apiStreamInfo + schema.CompletionsStream,
		apiCreate + schema.CompletionsStream + ".*." + schema.AllCompletions,
		apiCreateDurable + schema.CompletionsStream + ".*", // Python: the filter is in the body
		apiQueueInfo + schema.CompletionsStream + ".*",
		apiNext + schema.CompletionsStream + ".*",
		acks + schema.CompletionsStream + ".>",

		apiStreamInfo + recordsStream,
		apiMessageGet + recordsStream,
		apiDirectGet + recordsStream, apiDirectGet + recordsStream + ".>",
		apiCreate + recordsStream, apiCreate + recordsStream + ".>",
		apiQueueInfo + recordsStream + ".*", apiDelete + recordsStream + ".*",
		flowControl + recordsStream + ".>",
	}
}
