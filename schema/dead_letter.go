package schema

import "time"

// Class is the kind of error that kept an event from being completed with data. A verdict follows from it.
type Class string

// The classes. The workers' judge is where errors get theirs.
const (
	ClassTransient    Class = "transient"
	ClassNotReady     Class = "not_ready"
	ClassThrottled    Class = "throttled"
	ClassUnauthorized Class = "unauthorized"
	ClassPermanent    Class = "permanent"
	ClassContract     Class = "contract"
	ClassPoison       Class = "poison"
	// ClassProvider: not ours at all, the provider's own job failed.
	ClassProvider Class = "provider"
	// ClassExhausted: the broker's deliveries ran out before any verdict.
	ClassExhausted Class = "exhausted"
)

// Reason says in one word of a fixed list why an event became a dead letter. It holds no personal data.
type Reason string

// The reasons of dead letters.
const (
	ReasonLadderEnded   Reason = "ladder_ended"
	ReasonRejected      Reason = "rejected"
	ReasonRedirected    Reason = "redirected"
	ReasonContract      Reason = "contract_broken"
	ReasonPanic         Reason = "panic"
	ReasonUndecodable   Reason = "undecodable"
	ReasonDeliveriesMax Reason = "deliveries_ran_out"
)

// DeadLetter is our own copy of an event that no worker could finish: its headers and bytes unchanged, and why.
type DeadLetter struct {
	Queue    string
	Account  string
	Class    Class
	Reason   Reason
	Attempts int
	// Sequence is the event's place in the events stream.
	Sequence uint64
	At       time.Time
	// Headers are the event's own. They carry its id, type, times and trace.
	Headers map[string][]string
	Body    []byte
}

// Quarantined is a signed webhook that cannot be read as an event. It is answered 200 and kept for people to look at.
type Quarantined struct {
	Provider   Provider
	Reason     QuarantineReason
	ReceivedAt time.Time
	Body       []byte
}

// QuarantineReason says in one word of a fixed list what kept a signed webhook from being read.
type QuarantineReason string

// The reasons for quarantine.
const (
	QuarantineJSON         QuarantineReason = "json"
	QuarantineUTF8         QuarantineReason = "utf8"
	QuarantineDuplicateKey QuarantineReason = "duplicate_key"
	QuarantineDepth        QuarantineReason = "depth"
	QuarantineSchema       QuarantineReason = "schema"
	QuarantineIDConflict   QuarantineReason = "id_conflict"
)
