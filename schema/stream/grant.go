package stream

import (
	"slices"
	"strings"

	"github.com/wagewire/wagewire/schema"
)

// Roles that are no worker's. A worker's role is the name of its command: "paystubs", "verification-reports".
const (
	// RoleIngress publishes events and webhooks in quarantine.
	RoleIngress = "ingress"
	// RoleOperator is that of `wagewire`: it alone makes and changes streams and queues.
	RoleOperator = "wagewire"
	// RoleConsumer is for those who subscribe: it reads completions and the records they point to.
	RoleConsumer = "consumer"
)

// The broker's own subjects.
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

// Grant is what a role may do on the broker, as the subjects it may publish and subscribe to, and nothing else. The broker
// sees subjects and not what a request says in its body, so some grants give more than the code asks for; Grants says where.
type Grant struct {
	Role               string
	Publish, Subscribe []string
}

// RoleOf is the role of the process that connects under a name, one token of a subject: "wagewire-paystubs" is "paystubs".
func RoleOf(name string) string { return schema.Token(strings.TrimPrefix(name, "wagewire-")) }

// WorkerRole is the role of a resource's worker.
func WorkerRole(r schema.Resource) string { return strings.ReplaceAll(string(r), "_", "-") }

// Grants returns the rights of every role: ingress, the workers in the order of the catalogue, the operator, the consumers.
// Nobody but the operator can change a stream, or make a consumer on the events; no role can read another's inbox.
//
// Where the broker cannot tell more from less:
//   - Whoever may read one message of a stream may read all of it. So ingress can read events again, because it compares the
//     body of an id that it sees twice; so can a worker, because the broker's word that deliveries ran out names an event by
//     its number. No worker but one that erases can read completions, records or dead letters.
//   - Whoever may ask about a stream may count its subjects, and so see accounts and events by their ids.
//   - A worker deletes messages of record objects by number, to take back what it put for a completion that was not stored.
//   - A consumer of completions may be made by anybody with the role, and acknowledged by anybody with the role: teams that
//     do not trust each other need a user each.
//   - Whoever may ask the broker anything says where the answer goes, and the broker does not look whether that role may
//     publish there (measured with nats-server 2.15.2). So these rights keep a process from reading what is not its own and
//     from changing streams and queues; one that is taken over could still have an answer of the broker, which it cannot
//     choose the text of, stored on a subject of ours. Such an event does not decode; such a tombstone is believed. An
//     account for each role would end that: answers then stay in the account that asked.
func Grants() []Grant {
	grants := []Grant{{Role: RoleIngress, Publish: ingressPublishes()}}
	for _, q := range schema.Queues() {
		if role := WorkerRole(q.Resource); !slices.ContainsFunc(grants, func(g Grant) bool { return g.Role == role }) {
			grants = append(grants, Grant{Role: role, Publish: workerPublishes(q.Resource)})
		}
	}
	grants = append(grants,
		Grant{
			Role: RoleOperator, Publish: []string{schema.AllSubjects, api + ">", acks + ">", flowControl + ">", "$O." + schema.RecordsBucket + ".>"},
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
		subjects = append(subjects, schema.AccountEvents(p, "*", "*", "*"), schema.QuarantineSubject(p))
	}
	return append(subjects, apiStreamInfo+schema.EventsStream, apiMessageGet+schema.EventsStream)
}

func workerPublishes(r schema.Resource) []string {
	var subjects []string
	accountsEnd := false
	for _, q := range schema.QueuesOf(r) {
		subjects = append(subjects, schema.ResourceCompletions(q.Provider, r), schema.DeadLetterSubject(q.Name, "*"))
		for _, stream := range []string{schema.EventsStream, schema.AdvisoriesStream} {
			queue := stream + "." + q.Name
			subjects = append(subjects, apiQueueInfo+queue, apiNext+queue, acks+queue+".>")
		}
		if erasesAccounts(q.Provider) {
			accountsEnd = true
			subjects = append(subjects, schema.TombstoneSubject(q.Provider, "*"))
		}
	}
	subjects = append(subjects,
		chunksSubject("*"), objectsSubject, apiMessageDelete+recordsStream,
		apiStreamInfo+schema.CompletionsStream,
		apiStreamInfo+schema.EventsStream, apiMessageGet+schema.EventsStream,
	)
	if accountsEnd {
		// An erasure finds what there is of an account and deletes it, message by message; a worker of the same provider
		// leaves nothing of an account that was erased while it worked.
		subjects = append(subjects,
			apiMessageDelete+schema.EventsStream,
			apiMessageGet+schema.CompletionsStream, apiMessageDelete+schema.CompletionsStream,
			apiStreamInfo+schema.DeadLettersStream, apiMessageGet+schema.DeadLettersStream, apiMessageDelete+schema.DeadLettersStream,
			apiStreamInfo+recordsStream,
			apiDirectGet+recordsStream, apiDirectGet+recordsStream+".>",
			apiCreate+recordsStream+".*."+objectsSubject,
			apiDelete+recordsStream+".*", flowControl+recordsStream+".>",
		)
	}
	return subjects
}

// erasesAccounts reports whether the provider has accounts deleted.
func erasesAccounts(p schema.Provider) bool {
	return slices.ContainsFunc(schema.Catalogue(), func(t schema.WebhookType) bool {
		return t.Provider == p && t.Action == schema.ActionDeleted && len(t.Workers) > 0
	})
}

// consumerPublishes is what the clients in Go, JavaScript and Python ask for a consumer of completions, its messages and the
// object of a large one.
func consumerPublishes() []string {
	return []string{
		api + "INFO",
		apiStreamInfo + schema.CompletionsStream,
		apiCreate + schema.CompletionsStream + ".*." + schema.AllCompletions,
		apiCreateDurable + schema.CompletionsStream + ".*", // Python's; its filter is in the body
		apiQueueInfo + schema.CompletionsStream + ".*",
		apiNext + schema.CompletionsStream + ".*",
		acks + schema.CompletionsStream + ".>",

		apiStreamInfo + recordsStream,
		apiMessageGet + recordsStream,
		apiDirectGet + recordsStream, apiDirectGet + recordsStream + ".>",
		apiCreate + recordsStream, apiCreate + recordsStream + ".>",
		apiQueueInfo + recordsStream + ".*", apiDelete + recordsStream + ".*", flowControl + recordsStream + ".>",
	}
}
