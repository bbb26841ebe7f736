package schema

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"
)

// Outcome is how an event ended.
type Outcome string

// The outcomes. Only Pending is followed by another webhook of the provider, within 24 hours.
const (
	// Succeeded: fetched. Records holds what the event announced.
	Succeeded Outcome = "succeeded"
	// Pending: the provider said pending.
	Pending Outcome = "pending"
	// Unavailable: the provider has no such data.
	Unavailable Outcome = "unavailable"
	// Failed: the provider's job failed, or we gave up. Error says which.
	Failed Outcome = "failed"
	// Deleted: the account's data was removed at the provider, and here.
	Deleted Outcome = "deleted"
)

// Values of every completion's envelope.
const (
	CloudEventsVersion    = "1.0"
	CloudEventsJSON       = "application/cloudevents+json"
	CompletionSchema      = "urn:wagewire:schema:completion:v1"
	completionContentType = "application/json"
	// CompletionBytesMax is the largest completion on the bus; beyond it the records go to the object store.
	CompletionBytesMax = 512 << 10
)

// Completion is the last word on an event: a CloudEvent in structured JSON.
type Completion struct {
	SpecVersion     string         `json:"specversion"`
	ID              string         `json:"id"`
	Source          string         `json:"source"`
	Type            string         `json:"type"`
	Subject         string         `json:"subject"`
	Time            time.Time      `json:"time"`
	DataContentType string         `json:"datacontenttype"`
	DataSchema      string         `json:"dataschema"`
	Data            CompletionData `json:"data"`
}

// CompletionData is what the completion says of its event.
type CompletionData struct {
	Provider  Provider       `json:"provider"`
	Resource  Resource       `json:"resource"`
	Action    string         `json:"action"`
	Outcome   Outcome        `json:"outcome"`
	Event     CompletedEvent `json:"event"`
	AccountID *string        `json:"account_id"`
	EndUserID *string        `json:"end_user_id"`
	// RefreshedAt is when the provider last checked the payroll system for what Records holds, null where it does not say.
	RefreshedAt *time.Time `json:"refreshed_at"`
	// Attempts counts the deliveries it took.
	Attempts int `json:"attempts"`
	// Records are the provider's objects, number for number and field for field. Absent where RecordsRef is set.
	Records    []json.RawMessage `json:"records,omitzero"`
	RecordsRef *RecordsRef       `json:"records_ref,omitempty"`
	// Deleted are the ids the provider removed; Missing those it announced and did not deliver.
	Deleted []string `json:"deleted"`
	Missing []string `json:"missing"`
	// Stale says that the snapshot was still older than the event when we stopped asking.
	Stale bool             `json:"stale"`
	Error *CompletionError `json:"error"`
}

// CompletedEvent names the event a completion ends.
type CompletedEvent struct {
	ID         string    `json:"id"`
	Type       string    `json:"type"`
	OccurredAt time.Time `json:"occurred_at"`
	ReceivedAt time.Time `json:"received_at"`
}

// RecordsRef says where a large completion's records are: a JSON array in the object store.
type RecordsRef struct {
	Bucket string `json:"bucket"`
	Name   string `json:"name"`
	SHA256 string `json:"sha256"`
	Bytes  int64  `json:"bytes"`
	Count  int    `json:"count"`
}

// CompletionError says why an event failed. Class is a verdict's class, or "provider" where the provider's own job failed;
// Code and Type are the provider's words; Message is ours and holds no personal data.
type CompletionError struct {
	Class   string `json:"class"`
	Code    string `json:"code"`
	Type    string `json:"type"`
	Message string `json:"message"`
}

// NewCompletion returns the resource's completion of the event with everything that does not depend on the fetch filled in.
func NewCompletion(e Event, r Resource, o Outcome, at time.Time) Completion {
	return Completion{
		SpecVersion:     CloudEventsVersion,
		ID:              e.CompletionKey(r),
		Source:          "urn:wagewire:worker:" + string(r),
		Type:            fmt.Sprintf("wagewire.%s.%s.v1", r, o),
		Subject:         e.Account(),
		Time:            at.UTC(),
		DataContentType: completionContentType,
		DataSchema:      CompletionSchema,
		Data: CompletionData{
			Provider: e.Provider, Resource: r, Action: e.Action, Outcome: o,
			Event:   CompletedEvent{ID: e.ID, Type: e.Type, OccurredAt: e.OccurredAt.UTC(), ReceivedAt: e.ReceivedAt.UTC()},
			Records: []json.RawMessage{}, Deleted: []string{}, Missing: []string{},
		},
	}
}

// Encode returns the completion's JSON. Records come out with every digit and every character as they are;
// only white space between tokens is lost.
func (c Completion) Encode() ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(c); err != nil {
		return nil, fmt.Errorf("encode completion %s: %w", c.ID, err)
	}
	return bytes.TrimRight(b.Bytes(), "\n"), nil
}

// EncodeRecords returns the records as the JSON array that the object store keeps.
func EncodeRecords(records []json.RawMessage) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(records); err != nil {
		return nil, fmt.Errorf("encode records: %w", err)
	}
	return bytes.TrimRight(b.Bytes(), "\n"), nil
}
