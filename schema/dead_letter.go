package schema

import "time"

// Class is the kind of an error in a worker. The verdict on an event follows from the class.
type Class string

// The classes. Function judge of the workers gives each error a class.
const (
	ClassTransient Class = "transient"
	ClassNotReady  Class = "not_ready"
	ClassThrottled Class = "throttled"
	// ClassUnauthorized: the provider refuses our credentials.
	ClassUnauthorized Class = "unauthorized"
	// ClassForbidden: the provider refuses this record to our credentials.
	ClassForbidden Class = "forbidden"
	ClassPermanent Class = "permanent"
	ClassContract  Class = "contract"
	ClassPoison    Class = "poison"
	// ClassNotStored: the broker did not store a completion or a dead letter. The class ends no
	// event.
	ClassNotStored Class = "not_stored"
	// ClassProvider: the provider's own job failed, nothing of ours.
	ClassProvider Class = "provider"
	// ClassExhausted: the event had DeliveriesMax deliveries as a retry, without a verdict.
	ClassExhausted Class = "exhausted"
)

// Classes returns all classes.
func Classes() []Class {
	return []Class{
		ClassTransient, ClassNotReady, ClassThrottled, ClassUnauthorized, ClassForbidden,
		ClassPermanent, ClassContract, ClassPoison, ClassNotStored, ClassProvider,
		ClassExhausted,
	}
}

// Reason is one word of a fixed list: the reason of a dead letter. A reason holds no personal data.
type Reason string

// The reasons of dead letters.
const (
	ReasonLadderEnded Reason = "ladder_ended"
	ReasonRejected    Reason = "rejected"
	ReasonRedirected  Reason = "redirected"
	ReasonContract    Reason = "contract_broken"
	ReasonPanic       Reason = "panic"
	ReasonUndecodable Reason = "undecodable"
	// ReasonTooLarge: the completion is larger than a message of the broker, even without records.
	ReasonTooLarge      Reason = "too_large"
	ReasonDeliveriesMax Reason = "deliveries_ran_out"
)

// DeadLetter is Wagewire's copy of an event that no worker could finish, with the reason. The copy
// has the event's headers and bytes, unchanged.
type DeadLetter struct {
	Queue    string
	Account  string
	Class    Class
	Reason   Reason
	Attempts int
	// Status is the HTTP status of the provider's last answer, 0 without an answer. Endpoint is the
	// provider's endpoint, without ids, and "" if none was called. Dead letters of earlier releases
	// have neither.
	Status   int
	Endpoint string
	// Sequence is the event's place in the events stream.
	Sequence uint64
	At       time.Time
	// Headers are the event's headers: its id, type, times and trace.
	Headers map[string][]string
	Body    []byte
}

// Quarantined is a signed webhook that is not stored as an event. Ingress answers the webhook with
// 200, and an operator releases or discards it.
type Quarantined struct {
	Provider   Provider
	Reason     QuarantineReason
	ReceivedAt time.Time
	Body       []byte
}

// QuarantineReason is one word of a fixed list: the reason why a webhook is in quarantine.
type QuarantineReason string

// The reasons for quarantine. The first five concern the body: no event can be read from it.
const (
	QuarantineJSON         QuarantineReason = "json"
	QuarantineUTF8         QuarantineReason = "utf8"
	QuarantineDuplicateKey QuarantineReason = "duplicate_key"
	QuarantineDepth        QuarantineReason = "depth"
	QuarantineSchema       QuarantineReason = "schema"
	// QuarantineEncoding: the body has a content encoding, and Wagewire decodes none.
	QuarantineEncoding QuarantineReason = "encoding"
	// QuarantineStale: the signature is older than the installation allows, or from the future.
	QuarantineStale QuarantineReason = "stale"
	// QuarantineIDConflict: another body was stored before under the event's id.
	QuarantineIDConflict QuarantineReason = "id_conflict"
)

// QuarantineReasons returns all reasons for quarantine.
func QuarantineReasons() []QuarantineReason {
	return []QuarantineReason{
		QuarantineJSON, QuarantineUTF8, QuarantineDuplicateKey, QuarantineDepth,
		QuarantineSchema, QuarantineEncoding, QuarantineStale, QuarantineIDConflict,
	}
}
