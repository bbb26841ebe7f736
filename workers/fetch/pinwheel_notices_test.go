package fetch

import (
	"encoding/json"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/jsonschema"
	"github.com/wagewire/wagewire/workers"
)

// noticeOf returns the job of a webhook of a notice.
func noticeOf(body string) workers.Job {
	e := schema.Event{
		Provider: schema.Pinwheel, ID: "e", Type: "documents.added", Resource: "documents",
		Action: schema.ActionAdded, AccountID: "a-1", Body: []byte(body),
	}
	records := workers.NewRecords(nil, e, schema.Notices, nil)
	return workers.Job{Event: e, Attempt: 1, Records: records}
}

func TestPinwheelsNotices(t *testing.T) {
	source := pinwheelRow.withoutCalls[schema.Notices]
	for _, row := range []struct {
		promise, body, record string
		payload               workers.Payload
	}{
		{"the payload is the record, with every digit and space",
			`{"event":"x","payload": {"account_id":"a-1", "n":1.0,"big":90071992547409931,"é":"\u00e9<&>"} }`,
			`{"account_id":"a-1", "n":1.0,"big":90071992547409931,"é":"\u00e9<&>"}`,
			workers.Payload{}},
		{"a success is a notice like one without an outcome",
			`{"payload":{"outcome":"success","end_user_id":"me"}}`,
			`{"outcome":"success","end_user_id":"me"}`, workers.Payload{EndUserID: "me"}},
		{"null counts as absent",
			`{"payload":{"outcome":null,"error_code":null,"error_type":null,"end_user_id":null}}`,
			`{"outcome":null,"error_code":null,"error_type":null,"end_user_id":null}`,
			workers.Payload{}},
		{"members of other types than in other jobs are the subscriber's affair",
			`{"payload":{"added":["x"],"deleted":{},"params":[],"timestamp":7,"availability":"no"}}`,
			`{"added":["x"],"deleted":{},"params":[],"timestamp":7,"availability":"no"}`,
			workers.Payload{}},
		{"a pending job is pending", `{"payload":{"outcome":"pending"}}`, `{"outcome":"pending"}`,
			workers.Payload{Outcome: schema.Pending}},
		{"a failed job is a failure with the provider's words",
			`{"payload":{"outcome":"error","error_code":"infected","error_type":"userError"}}`,
			`{"outcome":"error","error_code":"infected","error_type":"userError"}`,
			workers.Payload{Outcome: schema.Failed, ErrorCode: "infected", ErrorType: "userError"}},
		{"data that the platform does not have is unavailable",
			`{"payload":{"outcome":"error","error_code":"dataNotAvailable"}}`,
			`{"outcome":"error","error_code":"dataNotAvailable"}`,
			workers.Payload{Outcome: schema.Unavailable, ErrorCode: "dataNotAvailable"}},
	} {
		t.Run(row.promise, func(t *testing.T) {
			job := noticeOf(row.body)
			payload, err := source.Decode(job.Event)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(row.payload, payload); diff != "" {
				t.Errorf("payload (-want +got):\n%s", diff)
			}
			got, err := source.Handler.Fetch(t.Context(), job)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(workers.Fetched{Scope: schema.Delta}, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			want := []json.RawMessage{[]byte(row.record)}
			if diff := cmp.Diff(want, job.Records.InMemory()); diff != "" {
				t.Errorf("records (-want +got):\n%s", diff)
			}
		})
	}
}

func TestANoticeOfEveryTypeIsReadAsARealAccountSendsIt(t *testing.T) {
	source := pinwheelRow.withoutCalls[schema.Notices]
	for _, row := range schema.Catalogue() {
		if !slices.Contains(row.Workers, schema.Notices) {
			continue
		}
		t.Run(row.Name, func(t *testing.T) {
			sample, ok := jsonschema.Sample(row.Provider, row.Name)
			if !ok {
				t.Fatal("there is no sample")
			}
			job := noticeOf(string(sample))
			if _, err := source.Decode(job.Event); err != nil {
				t.Error(err)
			}
			if _, err := source.Handler.Fetch(t.Context(), job); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestAllocationsNeedNoMemberThatIsNotDocumented(t *testing.T) {
	at := time.Date(2026, 2, 3, 15, 21, 33, 0, time.UTC)
	for _, row := range []struct {
		promise, payload string
		want             workers.Payload
	}{
		{"only the time of the job",
			`{"timestamp":"2026-02-03T15:21:33Z","added":["x"],"deleted":7,"params":[]}`,
			workers.Payload{Timestamp: at}},
		{"the failure of the job",
			`{"outcome":"error","error_code":"accountLocked","error_type":"userActionRequired"}`,
			workers.Payload{Outcome: schema.Failed, ErrorCode: "accountLocked",
				ErrorType: "userActionRequired"}},
	} {
		t.Run(row.promise, func(t *testing.T) {
			e := noticeOf(`{"payload":` + row.payload + `}`).Event
			e.Resource = pinwheelAllocations
			got, err := decodePinwheel(e)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(row.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestANoticeThatCannotBeReadIsUndecodableAndNotQuoted(t *testing.T) {
	for promise, body := range map[string]string{
		"no JSON":                 `canary`,
		"an outcome of a number":  `{"payload":{"outcome":7}}`,
		"an end user as a list":   `{"payload":{"end_user_id":["canary"]}}`,
		"a payload that is text":  `{"payload":"canary"}`,
		"an error code as object": `{"payload":{"error_code":{"canary":1}}}`,
	} {
		t.Run(promise, func(t *testing.T) {
			_, err := decodePinwheelNotice(noticeOf(body).Event)
			if !errors.Is(err, workers.ErrUndecodable) {
				t.Errorf("error %v, want one of %v", err, workers.ErrUndecodable)
			}
		})
	}
}
