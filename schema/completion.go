package schema

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"
)

// Outcome is how an event ended.
type Outcome string

// The outcomes.
const (
	// Succeeded: the data was fetched and is in Records.
	Succeeded Outcome = "succeeded"
	// Pending: the provider's job is not finished. Another webhook follows within 24 hours.
	Pending Outcome = "pending"
	// Unavailable: the provider does not have the data.
	Unavailable Outcome = "unavailable"
	// Failed: the provider's job failed, or Wagewire gave up. Error.Class tells the two apart.
	Failed Outcome = "failed"
	// Deleted: the account's data was deleted at the provider and is erased here.
	Deleted Outcome = "deleted"
)

// Outcomes returns all outcomes.
func Outcomes() []Outcome { return []Outcome{Succeeded, Pending, Unavailable, Failed, Deleted} }

// Values of every completion's envelope.
const (
	CloudEventsVersion    = "1.0"
	CloudEventsJSON       = "application/cloudevents+json"
	CompletionSchema      = "urn:wagewire:schema:completion:v1"
	completionContentType = "application/json"
	// CompletionBytesMax is the size of the largest completion in a message. The records of a
	// larger completion go to the object store.
	CompletionBytesMax = 512 << 10
)

// Completion ends an event: a CloudEvent in structured JSON, published once for each event and
// resource.
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

// CompletionData is the content of a completion.
type CompletionData struct {
	Provider  Provider       `json:"provider"`
	Resource  Resource       `json:"resource"`
	Action    string         `json:"action"`
	Outcome   Outcome        `json:"outcome"`
	Event     CompletedEvent `json:"event"`
	AccountID *string        `json:"account_id"`
	EndUserID *string        `json:"end_user_id"`
	// RefreshedAt is the time of the provider's last look into the payroll system for these
	// records, or null if the provider does not give the time.
	RefreshedAt *time.Time `json:"refreshed_at"`
	// Attempts is the number of attempts at the event up to the completion: one more than its
	// failures.
	Attempts int `json:"attempts"`
	// Records are the provider's objects with every field and every digit. The member is absent if
	// RecordsRef is set.
	Records    []json.RawMessage `json:"records,omitzero"`
	RecordsRef *RecordsRef       `json:"records_ref,omitempty"`
	// Deleted are ids removed by the provider. Missing are ids announced by the webhook but absent
	// from the provider's API.
	Deleted []string `json:"deleted"`
	Missing []string `json:"missing"`
	// Stale is true if the provider's data was still older than the event at the last attempt.
	Stale bool             `json:"stale"`
	Error *CompletionError `json:"error"`
}

// CompletedEvent names the event of a completion.
type CompletedEvent struct {
	ID         string    `json:"id"`
	Type       string    `json:"type"`
	OccurredAt time.Time `json:"occurred_at"`
	ReceivedAt time.Time `json:"received_at"`
}

// RecordsRef points to the records of a large completion: a JSON array in the object store, cut
// into chunks.
type RecordsRef struct {
	Bucket string `json:"bucket"`
	Name   string `json:"name"`
	SHA256 string `json:"sha256"`
	Bytes  int64  `json:"bytes"`
	Count  int    `json:"count"`
	// Subject and Chunks say where the chunks are: see ChunkSubject. Records of an earlier release
	// have neither; only the object store's own clients can read them.
	Subject string `json:"subject,omitempty"`
	Chunks  int    `json:"chunks,omitempty"`
}

// ChunkSubject is the subject of a chunk of the records. Chunks are numbered from 1 to Chunks.
func (r RecordsRef) ChunkSubject(n int) string { return fmt.Sprintf("%s.%d", r.Subject, n) }

// CompletionError gives the reason of an event's failure.
type CompletionError struct {
	// Class is one of the constants of type Class.
	Class string `json:"class"`
	// Code and Type are the provider's words.
	Code string `json:"code"`
	Type string `json:"type"`
	// Message is our text, without personal data.
	Message string `json:"message"`
}

// NewCompletion returns the resource's completion of the event, without the results of the fetch.
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
			Event: CompletedEvent{
				ID: e.ID, Type: e.Type,
				OccurredAt: e.OccurredAt.UTC(), ReceivedAt: e.ReceivedAt.UTC(),
			},
			Records: []json.RawMessage{}, Deleted: []string{}, Missing: []string{},
		},
	}
}

// CountRecords returns how many records the completion has, in the message or in the object store.
func (c Completion) CountRecords() int {
	if c.Data.RecordsRef != nil {
		return c.Data.RecordsRef.Count
	}
	return len(c.Data.Records)
}

// Encode returns the completion's JSON. The records keep every digit and character, except white
// space between tokens.
func (c Completion) Encode() ([]byte, error) {
	text, err := encodeJSON(c)
	if err != nil {
		return nil, fmt.Errorf("encode completion %s: %w", c.ID, err)
	}
	return text, nil
}

// EncodeRecords returns the JSON array of records for the object store.
func EncodeRecords(records []json.RawMessage) ([]byte, error) {
	text, err := encodeJSON(records)
	if err != nil {
		return nil, fmt.Errorf("encode records: %w", err)
	}
	return text, nil
}

// encodeJSON is json.Marshal without the escapes for HTML: a record must come out as received.
func encodeJSON(value any) ([]byte, error) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}
