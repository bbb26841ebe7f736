package fetch

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/jsonschema"
	"github.com/wagewire/wagewire/workers"
)

// jobBody is a Pinwheel webhook as its event page shows it. more are the fields that only webhooks
// of this type have.
func jobBody(typ, more string) string {
	return `{"event":"` + typ + `","event_id":"3f0c9d8a-6a51-4ad4-9e6b-0c2f3f6d1b11","payload":{
		"id":"9a2b7c1d-1111-4222-8333-444455556666",
		"account_id":"0d9f3b52-7777-4888-9999-aaaabbbbcccc","end_user_id":"person-77",
		"link_token_id":"c0ffee00-dead-4bad-8bee-f00dfeed0001","name":"job",
		"timestamp":"2021-01-12T02:36:01.287148+00:00","outcome":"success"` + more + `}}`
}

const (
	addedAndDeleted = `,"added":[{"id":"stub-1"},{"id":"stub-2","pay_date":null}],
		"deleted":[{"id":"stub-0"}]`
	linkBody = `{"webhook_id":"e5f6a7b8c9d0e1f2a3b4c5d6a7b8c9d0","event_type":"TYPE",
		"event_created_at":"2022-08-24T13:54:00.000000Z",
		"updated_at":"2022-08-24T13:54:00.000000+00:00",
		"link_id":"d39d86dcc20c46e0ae75ba9ab1311a21","product":"income","data_source":"payroll",
		"tracking_info":null,"user_id":"88fef4cea64c40b5ad6727cc9b0b9fdc","template_id":null}`
)

// linkData is a webhook of Truv's about data of a link, as its event pages show it. more are the
// fields that only webhooks of this type have.
func linkData(typ, more string) string {
	return strings.TrimSuffix(strings.Replace(linkBody, "TYPE", typ, 1), "}") +
		`,"task_id":"9ac5b2e1d0f34b0c8f6d7a3e2c1b0a99"` + more + `}`
}

func dates(from, to string) string {
	return `,"params":{"from_pay_date":"` + from + `","to_pay_date":"` + to + `",
		"count":6,"has_potential_paystubs_documents":true}`
}

func TestDecodePayloadReadsEveryTypeThatHasAWorker(t *testing.T) {
	at := time.Date(2021, 1, 12, 2, 36, 1, 287148000, time.UTC)
	job := workers.Payload{EndUserID: "person-77", Timestamp: at}
	with := func(change func(*workers.Payload)) workers.Payload { p := job; change(&p); return p }
	chunk := func(from, to string) workers.Payload {
		return with(func(p *workers.Payload) { p.FromPayDate, p.ToPayDate = from, to })
	}
	const (
		object  = `,"object_id":"48427a36d43c4d5aa6324bc06c692456"`
		objects = `,"employment_id":"24d7e80942ce4ad58a93f70ce4115f5c","objects_count":7`
	)
	ofObject := workers.Payload{ObjectID: "48427a36d43c4d5aa6324bc06c692456"}
	ofObjects := workers.Payload{
		EmploymentID: "24d7e80942ce4ad58a93f70ce4115f5c", ObjectsCount: 7,
	}
	tests := []struct {
		provider   schema.Provider
		name, body string
		want       workers.Payload
	}{
		{schema.Pinwheel, "employment.added", jobBody("employment.added", ""), job},
		{schema.Pinwheel, "identity.added", jobBody("identity.added", ""), job},
		{schema.Pinwheel, "income.added", jobBody("income.added", ""), job},
		{schema.Pinwheel, "paystubs.added",
			jobBody("paystubs.added", addedAndDeleted+dates("2020-10-01", "2020-12-31")),
			with(func(p *workers.Payload) {
				p.FromPayDate = "2020-10-01"
				p.ToPayDate = "2020-12-31"
				p.Added = []string{"stub-1", "stub-2"}
				p.Deleted = []string{"stub-0"}
			})},
		{schema.Pinwheel, "paystubs.seven_days_synced",
			jobBody("paystubs.seven_days_synced", dates("2020-12-15", "2020-12-21")),
			chunk("2020-12-15", "2020-12-21")},
		{schema.Pinwheel, "paystubs.seven_days_synced",
			jobBody("paystubs.seven_days_synced", dates("2020-12-15T00:00:00+00:00", "soon")),
			chunk("2020-12-15", "")}, // a time is read as its date, another text is no bound
		{schema.Pinwheel, "paystubs.thirty_days_synced",
			jobBody("paystubs.thirty_days_synced", dates("2020-11-20", "2020-12-14")),
			chunk("2020-11-20", "2020-12-14")},
		{schema.Pinwheel, "paystubs.ninety_days_synced",
			jobBody("paystubs.ninety_days_synced", dates("2020-08-15", "2020-11-29")),
			chunk("2020-08-15", "2020-11-29")},
		{schema.Pinwheel, "paystubs.fully_synced",
			jobBody("paystubs.fully_synced", dates("2020-08-01", "2020-08-14")),
			chunk("2020-08-01", "2020-08-14")},
		{schema.Pinwheel, "shifts.added",
			jobBody("shifts.added", addedAndDeleted+
				`,"params":{"count":14,"sync_status":"complete"}`),
			with(func(p *workers.Payload) {
				p.Added = []string{"stub-1", "stub-2"}
				p.Deleted = []string{"stub-0"}
			})},
		{schema.Pinwheel, "shifts.seven_days_synced",
			jobBody("shifts.seven_days_synced", `,"params":{"count":6}`), job},
		{schema.Pinwheel, "shifts.thirty_days_synced",
			jobBody("shifts.thirty_days_synced", `,"params":{"count":20}`), job},
		{schema.Pinwheel, "shifts.ninety_days_synced",
			jobBody("shifts.ninety_days_synced", `,"params":{"count":20}`), job},
		{schema.Pinwheel, "shifts.fully_synced",
			jobBody("shifts.fully_synced", `,"params":{"count":20}`), job},
		{schema.Pinwheel, "verification_reports.refreshed",
			`{"event":"verification_reports.refreshed","event_id":"x","payload":{
			"end_user_id":"person-77","availability":{
			"voe":{"status":"available","updated_at":"2021-01-12T02:36:01.287148+00:00",
				"refreshed_at":"2021-01-12T02:36:01.287148+00:00"},
			"voie":{"status":"unavailable","updated_at":null,"refreshed_at":null}}}}`,
			workers.Payload{
				EndUserID: "person-77",
				VOE:       workers.Availability{Status: "available", RefreshedAt: at},
				VOIE:      workers.Availability{Status: "unavailable"},
			}},
		{schema.Pinwheel, "account.added",
			`{"event":"account.added","event_id":"e","payload":{"account_id":"a","connected":true,` +
				`"created_at":"2026-02-03T15:18:57.204518+00:00","end_user_id":"applicant-20931"}}`,
			workers.Payload{EndUserID: "applicant-20931"}},
		{schema.Pinwheel, "account.monitoring_status.updated",
			`{"event":"account.monitoring_status.updated","event_id":"e",` +
				`"payload":{"account_id":"a","monitoring_status":"degraded","end_user_id":null}}`,
			workers.Payload{}},
		{schema.Pinwheel, "account.removed",
			`{"event":"account.removed","event_id":"e","payload":{"account_id":"a"}}`,
			workers.Payload{}},
		{schema.Truv, "employment-created", linkData("employment-created", object), ofObject},
		{schema.Truv, "employment-updated", linkData("employment-updated", object), ofObject},
		{schema.Truv, "profile-created", linkData("profile-created", object), ofObject},
		{schema.Truv, "profile-updated", linkData("profile-updated", object), ofObject},
		{schema.Truv, "statements-created", linkData("statements-created", objects), ofObjects},
		{schema.Truv, "statements-updated", linkData("statements-updated", objects), ofObjects},
		{schema.Truv, "shifts-created", linkData("shifts-created", objects), ofObjects},
		{schema.Truv, "shifts-updated", linkData("shifts-updated", objects), ofObjects},
		{schema.Truv, "bank-accounts-created", linkData("bank-accounts-created", objects), ofObjects},
		{schema.Truv, "bank-accounts-updated", linkData("bank-accounts-updated", objects), ofObjects},
		{schema.Truv, "task-status-updated", linkData("task-status-updated", `,"status":"done"`),
			workers.Payload{Product: "income"}},
		{schema.Truv, "link-connected", strings.Replace(linkBody, "TYPE", "link-connected", 1),
			workers.Payload{}},
		{schema.Truv, "link-disconnected",
			strings.Replace(linkBody, "TYPE", "link-disconnected", 1), workers.Payload{}},
		{schema.Truv, "link-deleted", strings.Replace(linkBody, "TYPE", "link-deleted", 1),
			workers.Payload{}},
	}
	covered := map[string]bool{}
	for _, test := range tests {
		covered[string(test.provider)+" "+test.name] = true
		t.Run(test.name, func(t *testing.T) {
			decode := decoders[test.provider]
			action := schema.Lookup(test.provider, test.name).Action
			e := schema.Event{Type: test.name, Action: action, Body: []byte(test.body)}
			got, err := decode(e)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
		t.Run(test.name+" as a real account sends it", func(t *testing.T) {
			sample, ok := jsonschema.Sample(test.provider, test.name)
			if !ok {
				t.Fatal("there is no sample")
			}
			decode := decoders[test.provider]
			action := schema.Lookup(test.provider, test.name).Action
			e := schema.Event{Type: test.name, Action: action, Body: sample}
			if _, err := decode(e); err != nil {
				t.Error(err)
			}
		})
	}
	for _, row := range schema.Catalogue() {
		if slices.Contains(row.Workers, schema.Notices) {
			continue // see TestPinwheelsNotices
		}
		if len(row.Workers) > 0 && !covered[string(row.Provider)+" "+row.Name] {
			t.Errorf("%s %s has a worker and no row here", row.Provider, row.Name)
		}
	}
}

func TestAJobWithoutSuccessHasAnOutcome(t *testing.T) {
	tests := []struct {
		promise, outcome, code, typ string
		want                        schema.Outcome
	}{
		{"success is data to fetch", "success", "", "", ""},
		{"a word that nobody knows is data to look for", "partial", "", "", ""},
		{"pending is pending", "pending", "", "", schema.Pending},
		{"an error is a failure", "error", "accountLocked", "userActionRequired", schema.Failed},
		{"an error without a code is a failure", "error", "", "", schema.Failed},
		{"an error with a code that nobody knows is a failure", "error", "newCode", "platformError",
			schema.Failed},
		{"data that the platform does not have is unavailable", "error", "dataNotAvailable",
			"platformError", schema.Unavailable},
		{"in whatever type", "error", "dataNotAvailable", "", schema.Unavailable},
		{"the type alone is no reason", "error", "platformError", "platformError", schema.Failed},
		{"the code means nothing without an error", "success", "dataNotAvailable", "", ""},
		{"and nothing while the job is pending", "pending", "dataNotAvailable", "", schema.Pending},
	}
	for _, test := range tests {
		t.Run(test.promise, func(t *testing.T) {
			// The rest of the body is as a real account sent it.
			body := `{"event":"paystubs.fully_synced","event_id":"1","payload":{"id":"2",
				"name":"paystubs","timestamp":"2026-11-25T10:00:00.563743+00:00",
				"outcome":"` + test.outcome + `","error_code":"` + test.code + `",
				"error_type":"` + test.typ + `","link_token_id":"3","params":{},
				"account_id":"4","end_user_id":"5"}}`
			got, err := decodePinwheel(schema.Event{Provider: schema.Pinwheel,
				Type: "paystubs.fully_synced", Body: []byte(body)})
			if err != nil {
				t.Fatal(err)
			}
			if got.Outcome != test.want {
				t.Errorf("outcome is %q, want %q", got.Outcome, test.want)
			}
			if got.ErrorCode != test.code || got.ErrorType != test.typ {
				t.Errorf("code %q and type %q, want them as the provider wrote them",
					got.ErrorCode, got.ErrorType)
			}
		})
	}
}

func TestDecodePayloadTakesAbsentNullAndEmptyAsOne(t *testing.T) {
	tests := []struct{ promise, body string }{
		{"an absent payload", `{}`},
		{"a null payload", `{"payload":null}`},
		{"an empty payload", `{"payload":{}}`},
		{"null in every field", `{"payload":{"end_user_id":null,"outcome":null,"error_code":null,
			"error_type":null,"timestamp":null,"added":null,"deleted":null,"params":null,
			"availability":null}}`},
		{"empty in every field", `{"payload":{"end_user_id":"","outcome":"","error_code":"",
			"error_type":"","timestamp":"","added":[],"deleted":[],"params":{},
			"availability":{}}}`},
		{"null inside of the fields",
			`{"payload":{"params":{"from_pay_date":null,"to_pay_date":null},"availability":{"voe":null,"voie":{"status":null,"refreshed_at":null}}}}`},
		{"fields nobody knows", `{"payload":{"canary":[1,{"a":{}}]},"more":true}`},
	}
	for _, test := range tests {
		t.Run(test.promise, func(t *testing.T) {
			got, err := decodePinwheel(schema.Event{Provider: schema.Pinwheel,
				Type: "paystubs.added", Body: []byte(test.body)})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(workers.Payload{}, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestDecodePayloadRefusesOddTypesWithoutQuotingThem(t *testing.T) {
	const canary = "Canary"
	tests := []struct{ promise, body, names string }{
		{"a payload that is text", `{"payload":"Canary"}`, "payload"},
		{"a payload that is a list", `{"payload":["Canary"]}`, "payload"},
		{"ids that are text", `{"payload":{"added":"Canary"}}`, "added"},
		{"ids that are an object", `{"payload":{"added":{"Canary":1}}}`, "added"},
		{"an id without its object", `{"payload":{"added":["Canary"]}}`, "added"},
		{"an id that is a number", `{"payload":{"deleted":[{"id":52.25}]}}`, "id"},
		{"an id that is empty", `{"payload":{"added":[{"id":"Canary"},{"id":""}]}}`, "added"},
		{"an id that is null", `{"payload":{"deleted":[{"id":null}]}}`, "deleted"},
		{"an id that is absent", `{"payload":{"added":[{}]}}`, "added"},
		{"an outcome that is a number", `{"payload":{"outcome":52.25}}`, "outcome"},
		{"an outcome that is an object", `{"payload":{"outcome":{"Canary":1}}}`, "outcome"},
		{"an error code that is a list", `{"payload":{"error_code":["Canary"]}}`, "error_code"},
		{"an error type that is a number", `{"payload":{"error_type":52.25}}`, "error_type"},
		{"dates that are a list", `{"payload":{"params":["Canary"]}}`, "params"},
		{"a date that is a number", `{"payload":{"params":{"from_pay_date":52.25}}}`,
			"from_pay_date"},
		{"an availability that is text", `{"payload":{"availability":{"voe":"Canary"}}}`, "voe"},
		{"a time that is a number", `{"payload":{"timestamp":52.25}}`, "timestamp"},
		{"a body that is no object", `["Canary"]`, ""},
		{"a body that is no JSON", `{"payload":Canary`, "not JSON"},
		{"no body", ``, "not JSON"},
	}
	for _, test := range tests {
		t.Run(test.promise, func(t *testing.T) {
			_, err := decodePinwheel(schema.Event{Provider: schema.Pinwheel, Type: "paystubs.added",
				Body: []byte(test.body)})
			switch {
			case !errors.Is(err, workers.ErrUndecodable):
				t.Fatalf("error %v, want workers.ErrUndecodable", err)
			case strings.Contains(err.Error(), canary), strings.Contains(err.Error(), "52"):
				t.Errorf("error %q quotes the value", err)
			case !strings.Contains(err.Error(), test.names), !strings.Contains(err.Error(),
				"paystubs.added"):
				t.Errorf("error %q does not name paystubs.added and %q", err, test.names)
			}
		})
	}
}

func TestDecodePayloadReadsTimestampsLeniently(t *testing.T) {
	at := time.Date(2026, 1, 12, 2, 36, 1, 0, time.UTC)
	tests := []struct {
		promise, text string
		want          time.Time
	}{
		{"with Z", "2026-01-12T02:36:01Z", at},
		{"with an offset of nothing", "2026-01-12T02:36:01+00:00", at},
		{"with an offset", "2026-01-11T21:36:01-05:00", at},
		{"with microseconds", "2026-01-12T02:36:01.250000+00:00", at.Add(250 * time.Millisecond)},
		{"with a space for the T", "2026-01-12 02:36:01+00:00", at},
		{"one that cannot be read is none", "last Tuesday", time.Time{}},
		{"one without a zone is none", "2026-01-12T02:36:01", time.Time{}},
		{"the zero time of another language is none", "0001-01-01T00:00:00Z", time.Time{}},
	}
	for _, test := range tests {
		t.Run(test.promise, func(t *testing.T) {
			body := `{"payload":{"timestamp":"` + test.text + `",
				"availability":{"voe":{"status":"available","refreshed_at":"` + test.text + `"}}}}`
			got, err := decodePinwheel(schema.Event{Provider: schema.Pinwheel,
				Type: "employment.added", Body: []byte(body)})
			if err != nil {
				t.Fatal(err)
			}
			if !got.Timestamp.Equal(test.want) || !got.VOE.RefreshedAt.Equal(test.want) {
				t.Errorf("timestamp %v and refreshed_at %v, want %v", got.Timestamp,
					got.VOE.RefreshedAt, test.want)
			}
		})
	}
}

func TestAReportIsAvailable(t *testing.T) {
	tests := []struct {
		promise, status string
		want            bool
	}{
		{"where the provider says so", "available", true},
		{"not where it says unavailable", "unavailable", false},
		{"not where it says nothing", "", false},
		{"where it says a word we do not know: trying costs a call, not trying a report",
			"partially_available", true},
	}
	for _, test := range tests {
		t.Run(test.promise, func(t *testing.T) {
			if got := (workers.Availability{Status: test.status}).Available(); got != test.want {
				t.Errorf("Available() with status %q = %v, want %v", test.status, got, test.want)
			}
		})
	}
}

var decoders = map[schema.Provider]func(schema.Event) (workers.Payload, error){
	schema.Pinwheel: pinwheelRow.decode,
	schema.Truv:     truvRow.decode,
}
