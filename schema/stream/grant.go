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
	// RoleAccounts keeps the states of the accounts.
	RoleAccounts = schema.AccountsConsumer
	// RoleOperator is the role of `wagewire`. No other role can make or change streams and queues.
	RoleOperator = "wagewire"
)

// Domain is the JetStream domain of an installation with accounts: the name by which the account of
// a role reaches the JetStream of the streams' account.
const Domain = "wagewire"

// The subjects of the broker's own requests.
const (
	inboxes          = "_INBOX."
	api              = "$JS.API."
	apiStreamInfo    = api + "STREAM.INFO."
	apiMessageGet    = api + "STREAM.MSG.GET."
	apiMessageDelete = api + "STREAM.MSG.DELETE."
	apiDirectGet     = api + "DIRECT.GET."
	apiQueueInfo     = api + "CONSUMER.INFO."
	apiNext          = api + "CONSUMER.MSG.NEXT."
	acks             = "$JS.ACK."
)

// DomainSubject returns the subject under which a client of a JetStream domain sends a request:
// $JS.<domain>.API.… for $JS.API.…. It returns other subjects as they are.
func DomainSubject(domain, subject string) string {
	rest, ok := strings.CutPrefix(subject, api)
	if !ok {
		return subject
	}
	return "$JS." + domain + ".API." + rest
}

// Grant lists the rights of a role: the requests that it may send, and the subjects that it may
// listen to. A request is also a publish to a stream. A role has no other rights.
//
// Each role has an account of its own on the broker. In NATS, an account is a world of its own: its
// clients see no subject of another account, except those that its configuration imports. The
// streams are in the account of the operator. The account of another role imports its requests as
// services, and the subjects to listen to as streams. An answer to a request goes to the account of
// the request. So a role cannot name a subject of a stream for an answer, and make the broker store
// its own answer there: a permission would not prevent that.
type Grant struct {
	Role     string
	Requests []string
	Listens  []string
}

// RoleOf returns the role of a process by the name of its connection: "wagewire-paystubs" has the
// role "paystubs". A role is always a single token of a subject.
func RoleOf(name string) string { return schema.Token(strings.TrimPrefix(name, "wagewire-")) }

// WorkerRole is the role of a resource's worker.
func WorkerRole(r schema.Resource) string { return strings.ReplaceAll(string(r), "_", "-") }

// Grants returns the rights of ingress, of the workers in the order of the catalogue, and of the
// worker that keeps the states of the accounts. The
// operator has every right. The rights of a team are those of Team.Grant.
//
// The broker checks the subject of a request and not its body. So the rights are wider than the
// code needs in these cases:
//   - The right to read a message is the right to read all messages of the stream. Ingress reads
//     the events, to compare the bodies of two webhooks with the same id. Workers read the events,
//     because a retry and an advisory name an event only by its sequence. Workers read records,
//     because an attempt begins with the records that the attempt before saved. Workers read
//     completions and dead letters only if their provider has accounts erased. So a worker of such
//     a provider can read what the worker of bank accounts has told. No team can.
//   - The right to ask about a stream is the right to count its subjects, and so to see the ids of
//     accounts and events. Ingress asks about the quarantine, and workers about the dead letters,
//     to learn whether a message that the broker calls a duplicate is still there.
//   - Workers delete record objects by sequence: after a completion was refused, and after an
//     attempt that saved its records. So workers may delete any record object.
//   - Workers name record objects, and the name of an object has no token for its resource. A name
//     alone gives no data: readers find the records by the subject in the completion, and check
//     their hash.
//   - The broker does not check the headers of a message either, and allows rollups on a stream
//     with schedules. So whoever may publish to a stream of waiting events can remove everything
//     from it. Therefore each queue has a stream of its own, and only its worker publishes there.
//   - A message id counts for the whole stream. For an hour, a worker can make the dead letter of
//     another queue count as a duplicate. Its completion `failed` is published all the same.
//   - Whoever works for a provider may write any budget for the provider, and so stop its calls, or
//     let them be too fast. The budgets of other providers are out of reach.
//   - Whoever works for a provider may say that the provider wants no calls, and so keep an
//     autoscaler from adding workers for the provider.
//   - Workers may ask about the stream of the pauses, because those of the release before do.
//   - A worker may give its own completions any lifetime.
//   - The broker may store an answer, or a trace of a message, on a subject that the role itself
//     may publish to. The role could publish the same bytes.
func Grants() []Grant {
	grants := []Grant{{Role: RoleIngress, Requests: ingressRequests()}}
	for _, q := range schema.Queues() {
		role := WorkerRole(q.Resource)
		if !slices.ContainsFunc(grants, func(g Grant) bool { return g.Role == role }) {
			grants = append(grants, Grant{
				Role:     role,
				Requests: workerRequests(q.Resource),
				Listens:  workerListens(q.Resource),
			})
		}
	}
	grants = append(grants, Grant{Role: RoleAccounts, Requests: accountsRequests()})
	for i := range grants {
		grant := &grants[i]
		grant.Requests = append(grant.Requests, schema.ReportSubject(grant.Role, "*"))
	}
	return grants
}

// Roles returns the roles with a key of their own: the operator, and those of Grants.
func Roles() []string {
	roles := []string{RoleOperator}
	for _, grant := range Grants() {
		roles = append(roles, grant.Role)
	}
	return roles
}

func ingressRequests() []string {
	var subjects []string
	for _, p := range schema.Providers() {
		subjects = append(subjects, schema.ProviderEvents(p),
			schema.QuarantineSubject(p))
	}
	return append(subjects,
		apiStreamInfo+schema.EventsStream, apiMessageGet+schema.EventsStream,
		apiStreamInfo+schema.QuarantineStream)
}

// accountsRequests has the subjects to take completions, and to read, store and erase the states of
// accounts. The worker reads completions from its durable only.
func accountsRequests() []string {
	subjects := takingFrom(schema.CompletionsStream, schema.AccountsConsumer)
	for _, p := range schema.Providers() {
		subjects = append(subjects, schema.AccountSubject(p, "*"))
	}
	subjects = append(subjects, apiStreamInfo+schema.AccountsStream)
	return append(subjects, deletionsFrom(schema.AccountsStream)...)
}

func workerRequests(r schema.Resource) []string {
	var subjects []string
	erasures := false
	calls := false
	for _, q := range schema.QueuesOf(r) {
		subjects = append(subjects, queueRequests(q)...)
		if q.Erases {
			subjects = append(subjects, schema.TombstoneSubject(q.Provider, "*"))
			subjects = append(subjects, waitingErasures(q.Provider)...)
		}
		subjects = append(subjects, resourceChunks(q.Provider, q.Resource))
		if q.CallsProvider() {
			calls = true
			subjects = append(subjects, schema.BudgetSubject(q.Provider))
		}
		erasures = erasures || hasErasures(q.Provider)
	}
	subjects = append(subjects,
		objectsSubject, apiMessageGet+recordsStream, apiMessageDelete+recordsStream,
		apiStreamInfo+schema.CompletionsStream, apiStreamInfo+schema.DeadLettersStream,
		apiStreamInfo+schema.EventsStream, apiMessageGet+schema.EventsStream,
	)
	if calls {
		subjects = append(subjects,
			apiStreamInfo+schema.PausesStream, apiMessageGet+schema.PausesStream,
			apiStreamInfo+schema.BudgetsStream, apiMessageGet+schema.BudgetsStream)
	}
	if erasures {
		subjects = append(subjects, erasureRequests()...)
	}
	return withoutRepeats(subjects)
}

// workerListens has the subjects on which a worker learns of the pauses of its queues, and of the
// budgets of their providers.
func workerListens(r schema.Resource) []string {
	var subjects []string
	for _, q := range schema.QueuesOf(r) {
		if q.CallsProvider() {
			subjects = append(subjects, schema.PauseSubject(q.Name),
				schema.StoredBudgetSubject(q.Provider))
		}
	}
	return withoutRepeats(subjects)
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

// queueRequests has the subjects for one of a worker's queues: events, advisories, and the places
// for the output.
func queueRequests(q schema.Queue) []string {
	subjects := []string{
		schema.ResourceCompletions(q.Provider, q.Resource),
		schema.DeadLetterSubject(q.Name, "*"),
		schema.AccountWaiting(q.Name, "*"),
		schema.RetriesSubject(q.Name, "*"),
	}
	if !q.Erases { // erasures have no lane of replays
		subjects = append(subjects, schema.ReplaysSubject(q.Name, "*"))
	}
	if q.CallsProvider() { // no other queue can be refused or held
		subjects = append(subjects, schema.PauseSubject(q.Name))
		for _, r := range workerClosures() {
			subjects = append(subjects, q.ClosureSubject(r))
		}
	}
	for _, lane := range q.Lanes() {
		subjects = append(subjects, takingFrom(lane.Stream, lane.Consumer)...)
	}
	subjects = append(subjects, takingFrom(schema.AdvisoriesStream, q.Name)...)
	return append(subjects, deletionsFrom(q.WaitingStream())...)
}

// workerClosures are the reasons for which a worker closes its queue. The operator has the others.
func workerClosures() []schema.ClosureReason {
	return []schema.ClosureReason{
		schema.ClosureRefused, schema.ClosureHeld, schema.ClosureDown,
	}
}

// takingFrom has the subjects to take messages from a consumer, and to settle them.
func takingFrom(stream, name string) []string {
	consumer := stream + "." + name
	return []string{apiQueueInfo + consumer, apiNext + consumer, acks + consumer + ".>"}
}

// deletionsFrom has the subjects to look for messages of a stream and to delete them.
func deletionsFrom(stream string) []string {
	return []string{apiMessageGet + stream, apiMessageDelete + stream}
}

// waitingErasures has the subjects to erase an account from the waiting events of every queue of
// the provider.
func waitingErasures(p schema.Provider) []string {
	var subjects []string
	for _, q := range schema.Queues() {
		if q.Provider == p {
			subjects = append(subjects, deletionsFrom(q.WaitingStream())...)
		}
	}
	return subjects
}

// hasErasures reports whether some worker erases accounts of the provider. Then all workers of the
// provider need the rights for an erasure on the shared streams: the account may be erased while a
// worker works on its event, and the worker deletes the rest.
func hasErasures(p schema.Provider) bool {
	return slices.ContainsFunc(erasingTypes(p),
		func(t schema.WebhookType) bool { return len(t.Workers) > 0 })
}

// erasureRequests has the subjects for an erasure on the streams that all queues share: an erasure
// reads and deletes all messages of an account.
func erasureRequests() []string {
	return slices.Concat(
		[]string{apiMessageDelete + schema.EventsStream},
		deletionsFrom(schema.CompletionsStream), deletionsFrom(schema.DeadLettersStream),
		[]string{apiStreamInfo + recordsStream},
	)
}
