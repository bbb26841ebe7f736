package workers

import (
	"time"

	"github.com/wagewire/wagewire/schema"
)

// Payload is the content of a webhook's body. An absent field, null and an empty value mean the
// same: the recorded webhooks have null where the documented samples leave a field out.
type Payload struct {
	// EndUserID is the operator's own name for the person. It may be empty.
	EndUserID string
	// Outcome is Pending, Failed or Unavailable if the provider's job ended so. The event is then
	// completed so, without a fetch.
	Outcome schema.Outcome
	// ErrorCode is the provider's code for the failure of the job.
	ErrorCode string
	// ErrorType is the provider's type of the failure.
	ErrorType string
	// Timestamp is the time when the provider's job ended. Zero means unknown.
	Timestamp time.Time
	// FromPayDate is the first pay date of a paystubs event, as YYYY-MM-DD.
	FromPayDate string
	// ToPayDate is the last pay date of a paystubs event, as YYYY-MM-DD.
	ToPayDate string
	// Added are the ids of new paystubs, shifts or tax forms.
	Added []string
	// Deleted are the ids of deleted paystubs or shifts.
	Deleted []string
	// ObjectID and EmploymentID are the ids of the object and of the employment that a webhook of
	// Truv names.
	ObjectID     string
	EmploymentID string
	// ObjectsCount is the number of objects that the provider found. 0 means unknown.
	ObjectsCount int
	// Product is the product of Truv's task.
	Product string
	// Supported are the resources that the account can have, if the webhook alone tells it.
	Supported []schema.Resource
	// VOE is the state of the verification of employment.
	VOE Availability
	// VOIE is the state of the verification of income and employment.
	VOIE Availability
}

// Availability is the state of a verification report.
type Availability struct {
	Status      string
	RefreshedAt time.Time
}

// Available reports whether the report can be fetched. A status other than "unavailable" counts as
// available, because the provider may add new statuses.
func (a Availability) Available() bool { return a.Status != "" && a.Status != "unavailable" }
