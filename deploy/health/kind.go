package health

import "slices"

// Severity says what a finding asks of the person who reads it.
type Severity string

// The severities, the worst first.
const (
	// Bad: events are lost, or do not get finished, until a person acts.
	Bad Severity = "bad"
	// Warn: a person should act within days, and nothing is lost until then.
	Warn Severity = "warn"
	// Note: nobody needs to act. The finding explains why events wait.
	Note Severity = "note"
	// Well is the severity of a Verdict without a finding that asks for a person.
	Well Severity = "ok"
)

// Name is the name of a kind of finding. It is the name that `wagewire explain` takes, the title of
// a section of the runbook, and the label "finding" of wagewire_finding_active.
type Name string

// The kinds of findings.
const (
	BrokerAway         Name = "broker-away"
	BrokerNotStoring   Name = "broker-not-storing"
	NotProvisioned     Name = "not-provisioned"
	StreamFull         Name = "stream-full"
	StreamFilling      Name = "stream-filling"
	BrokerMemory       Name = "broker-memory"
	ReplicaBehind      Name = "replica-behind"
	RefusedCredentials Name = "refused-credentials"
	ProviderFailing    Name = "provider-failing"
	ProviderHolds      Name = "provider-holds"
	ProviderSilent     Name = "provider-silent"
	SignaturesFailing  Name = "signatures-failing"
	ClockSkew          Name = "clock-skew"
	NoProcess          Name = "no-process"
	ProcessCrashing    Name = "process-crashing"
	EventsUnfinished   Name = "events-unfinished"
	QueuePaused        Name = "queue-paused"
	DeadLetters        Name = "dead-letters"
	Quarantined        Name = "quarantined"
	DeliveriesEnded    Name = "deliveries-ended"
	TeamBehind         Name = "team-behind"
)

// Kind is a kind of finding.
type Kind struct {
	Name     Name
	Severity Severity
	// Means says in one sentence what a finding of the kind says.
	Means string
}

// Kinds returns every kind of finding, the most urgent first: status opens with the first finding.
func Kinds() []Kind { return slices.Clone(kinds) }

var kinds = []Kind{
	{BrokerAway, Bad, "NATS does not answer wagewire: it is away, or refuses, or is too slow."},
	{BrokerNotStoring, Bad, "NATS answers and stores nothing, as with a full disk."},
	{NotProvisioned, Bad, "Streams or queues are missing on the broker."},
	{StreamFull, Bad, "A stream is nearly full or full, and refuses what comes."},
	{RefusedCredentials, Bad, "A provider refuses our API key, so its queues do not move."},
	{SignaturesFailing, Bad, "The webhooks of a provider have signatures of another secret."},
	{ClockSkew, Bad, "Signed webhooks are dated far from our clock, and go to quarantine."},
	{NoProcess, Bad, "Events are ready, or webhooks come, and no process is there for them."},
	{ProcessCrashing, Bad, "Processes of a role end without an orderly stop, again and again."},
	{ProviderFailing, Bad, "A provider answers most calls with errors, or not at all."},
	{EventsUnfinished, Bad, "Events are ready for long, and nobody finishes them."},
	{ProviderSilent, Bad, "A provider sends nothing for much longer than usual."},
	{TeamBehind, Bad, "A team will lose completions that it has not read."},
	{ReplicaBehind, Bad, "A copy of a stream is away or behind, so one more failure loses events."},
	{DeadLetters, Warn, "Events that no worker could finish wait for a decision."},
	{Quarantined, Warn, "Signed webhooks that could not be stored as events wait for a person."},
	{DeliveriesEnded, Warn, "Events had all of their deliveries, as when they kill each worker."},
	{BrokerMemory, Warn, "The messages that NATS keeps need most of its memory."},
	{StreamFilling, Warn, "A stream will be full in a few days at the present rate."},
	{ProviderHolds, Note, "A provider asked for a pause of all calls with 429."},
	{QueuePaused, Note, "An operator paused a queue."},
}
