package schema

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"

	"github.com/wagewire/wagewire/schema/rawjson"
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
	// Disconnected: the provider cannot reach the account any more, until the person connects it
	// again. The data fetched before stays.
	Disconnected Outcome = "disconnected"
	// Deleted: the account's data was deleted at the provider and is erased here.
	Deleted Outcome = "deleted"
)

// Outcomes returns all outcomes.
func Outcomes() []Outcome {
	return []Outcome{Succeeded, Pending, Unavailable, Failed, Disconnected, Deleted}
}

// HasRecords reports whether completions with the outcome come from a fetch with data.
func (o Outcome) HasRecords() bool { return o == Succeeded || o == Disconnected }

// Scope says what the records of a completion are, so that nobody has to guess it from the action.
type Scope string

// The scopes.
const (
	// Snapshot: the records are all that the provider has of the resource. Replace yours.
	Snapshot Scope = "snapshot"
	// Window: the records are all within the dates From and To. Replace yours within the dates.
	Window Scope = "window"
	// Delta: the records are new or changed. Add or replace each, and remove those in Deleted.
	Delta Scope = "delta"
)

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
// resource. An event that names a person ends with a completion for each account of the person.
type Completion struct {
	SpecVersion string    `json:"specversion"`
	ID          string    `json:"id"`
	Source      string    `json:"source"`
	Type        string    `json:"type"`
	Subject     string    `json:"subject"`
	Time        time.Time `json:"time"`
	// Sequence orders the completions of one account and resource: compare it as text, and the
	// greater is the newer. See the function Sequence. Completions of earlier releases have none;
	// Order works for them too.
	Sequence        string         `json:"sequence,omitempty"`
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
	// Redrive is the number of times that an operator had sent the event again before this
	// completion: 0 for the webhook itself. A redrive may succeed after the webhook failed.
	Redrive int `json:"redrive"`
	// ObjectID and EmploymentID are the ids of the object and of the employment that the webhook
	// names. Truv alone names them.
	ObjectID     string `json:"object_id,omitempty"`
	EmploymentID string `json:"employment_id,omitempty"`
	// Supported are the resources that the account can have: those of its payroll platform, in the
	// completion of a link, or those with data, in the completion of a task of Truv's. Nil if the
	// provider does not say it.
	Supported []Resource `json:"supported,omitzero"`
	// RefreshedAt is the time of the provider's last look into the payroll system for these
	// records, or null if the provider does not give the time.
	RefreshedAt *time.Time `json:"refreshed_at"`
	// Attempts is the number of attempts at the event up to the completion: one more than its
	// failures.
	Attempts int `json:"attempts"`
	// StoredAt is when the broker stored the event. TakenAt is when a worker took the event for the
	// attempt that ended with the completion. Together with Event.ReceivedAt, the time of ingress,
	// and Time, the end, they show where the time went. The three programs may have three clocks.
	// Completions of earlier releases have neither.
	StoredAt time.Time `json:"stored_at,omitzero"`
	TakenAt  time.Time `json:"taken_at,omitzero"`
	// Scope says what Records and Deleted are. Nil without a fetch.
	Scope *Scope `json:"scope"`
	// From and To are the dates of a Window, both included, as YYYY-MM-DD. Nil is no bound.
	From *string `json:"from"`
	To   *string `json:"to"`
	// Records are the provider's objects with every field and every digit. The member is absent if
	// RecordsRef is set.
	Records    []json.RawMessage `json:"records,omitzero"`
	RecordsRef *RecordsRef       `json:"records_ref,omitempty"`
	// Deleted are ids removed by the provider. Missing are ids announced by the webhook but absent
	// from the provider's API.
	Deleted []string `json:"deleted"`
	Missing []string `json:"missing"`
	// Stale is true if the provider's data was still older than the event at the last attempt, or
	// fewer than the provider says that there are.
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

// Codes of our own. Every other code is the provider's word.
const (
	// CodeNoReport: the task of Truv's was for a product without a report of employment or income.
	// The completion says nothing about the account's reports, and its state ignores it.
	CodeNoReport = "no_report"
)

// sequenceTime is the form of a time in a sequence: times in UTC then sort as text.
const sequenceTime = "2006-01-02T15:04:05.000000000Z"

// Sequence returns the sequence of a completion. It begins with the time of the data, which is one
// of these:
//   - refreshed_at of the provider.
//   - The time of the event, if the provider does not give refreshed_at, or nothing was fetched.
//     Both are of the provider's clock, except for webhooks without a time, such as those of
//     Pinwheel's links: their time is that of the receipt.
//   - Our time of the fetch, for the data of Truv's links. Truv gives no time of the data, and the
//     later fetch has the newer data, whatever the times of the events are.
//   - The time of the event always, for a task of Truv's. A refresh need not change the time of a
//     report, so refreshed_at may be older than an error before the task.
//
// Completions of the same time are ordered by our time of the fetch: the later fetch has the newer
// data. The id makes the order total. A redrive is the newer word about its event even if its data,
// and so its sequence, is the older.
func Sequence(data, fetched time.Time, id string) string {
	return sortable(data) + "/" + sortable(fetched) + "/" + id
}

// sortable returns a time as text that sorts like the time. A time before the year 0, which only an
// offset can make of a provider's text, counts as the first moment of that year.
func sortable(t time.Time) string {
	first := time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC)
	if t.Before(first) {
		t = first
	}
	return t.UTC().Format(sequenceTime)
}

// Order is the completion's sequence, also for a completion of a release without sequences.
func (c Completion) Order() string {
	if c.Sequence != "" {
		return c.Sequence
	}
	data := c.Data.Event.OccurredAt
	if c.Data.RefreshedAt != nil {
		data = *c.Data.RefreshedAt
	}
	return Sequence(data, c.Time, c.ID)
}

// NewCompletion returns the resource's completion of the event at the first attempt, without the
// results of the fetch.
func NewCompletion(e Event, r Resource, o Outcome, at time.Time) Completion {
	return Completion{
		SpecVersion:     CloudEventsVersion,
		ID:              e.CompletionKey(r),
		Source:          "urn:wagewire:worker:" + string(r),
		Type:            fmt.Sprintf("wagewire.%s.%s.v1", r, o),
		Subject:         e.Account(),
		Time:            at.UTC(),
		Sequence:        Sequence(e.OccurredAt, at, e.CompletionKey(r)),
		DataContentType: completionContentType,
		DataSchema:      CompletionSchema,
		Data: CompletionData{
			Provider: e.Provider, Resource: r, Action: e.Action, Outcome: o,
			Event: CompletedEvent{
				ID: e.ID, Type: e.Type,
				OccurredAt: e.OccurredAt.UTC(), ReceivedAt: e.ReceivedAt.UTC(),
			},
			Redrive: e.Redrive, Attempts: 1,
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
// space between tokens. The error is about a record that is not JSON.
func (c Completion) Encode() ([]byte, error) {
	records := c.Data.Records
	if len(records) > 0 { // an empty list and an absent one stay as they are
		c.Data.Records = []json.RawMessage{}
	}
	text, err := encodeJSON(c)
	if err == nil && len(records) > 0 {
		text, err = insertRecords(text, records)
	}
	if err != nil {
		return nil, fmt.Errorf("encode completion %s: %w", c.ID, err)
	}
	return text, nil
}

// insertRecords puts the records into the empty list of a completion's JSON. encoding/json would
// call a function for each byte of a record.
func insertRecords(completion []byte, records []json.RawMessage) ([]byte, error) {
	// A quote within a string is escaped, so the name with quotes is the member.
	const name = `"records":`
	at := bytes.Index(completion, []byte(name+"[]")) + len(name)
	size := len(completion)
	for _, record := range records {
		size += len(record) + len(",")
	}
	var text bytes.Buffer
	text.Grow(size)
	text.Write(completion[:at])
	if err := writeRecords(&text, records); err != nil {
		return nil, err
	}
	text.Write(completion[at+len("[]"):])
	return text.Bytes(), nil
}

// EncodeRecords returns the JSON array of records for the object store.
func EncodeRecords(records []json.RawMessage) ([]byte, error) {
	var text bytes.Buffer
	if err := writeRecords(&text, records); err != nil {
		return nil, fmt.Errorf("encode records: %w", err)
	}
	return text.Bytes(), nil
}

// writeRecords writes the JSON array of records.
func writeRecords(text *bytes.Buffer, records []json.RawMessage) error {
	text.WriteByte('[')
	for i, record := range records {
		if i > 0 {
			text.WriteByte(',')
		}
		if err := rawjson.WriteCompact(text, record); err != nil {
			return fmt.Errorf("record %d: %w", i+1, err)
		}
	}
	text.WriteByte(']')
	return nil
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
