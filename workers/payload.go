package workers

import (
	"time"

	"github.com/wagewire/wagewire/schema"
)

// Payload is what a webhook's body says to a worker. Absent, null and empty are the same: the recorded webhooks write null
// where the documented samples leave a field out.
type Payload struct {
	// EndUserID is the operator's own name for the person, "" where none was given.
	EndUserID string
	// Outcome is Pending or Failed if the provider's job ended so. The event is then completed with it, without a fetch.
	Outcome schema.Outcome
	// ErrorCode and ErrorType are the provider's words for why its job failed.
	ErrorCode, ErrorType string
	// Timestamp is when the job ended; zero where the body does not say.
	Timestamp time.Time
	// FromPayDate and ToPayDate bound the chunk that a paystubs event is about, as YYYY-MM-DD.
	FromPayDate, ToPayDate string
	// Added and Deleted are ids of paystubs or shifts.
	Added, Deleted []string
	// VOE and VOIE are the availability of the two verification reports.
	VOE, VOIE Availability
}

// Availability is what verification_reports.refreshed says of one report.
type Availability struct {
	Status      string
	RefreshedAt time.Time
}

// Available reports whether the report can be fetched. Any status but "unavailable" is tried: new ones may appear.
func (a Availability) Available() bool { return a.Status != "" && a.Status != "unavailable" }
