package webhook

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wagewire/wagewire/schema"
)

const (
	happened = "2026-01-12T02:36:01.287148+00:00"
	account  = "0c2b3b6e-0d5c-4b59-9d2f-3a3f8f1c2d10"
	link     = "7f0d9a4b1c2e4f60a1b2c3d4e5f60718"
)

func pinwheelJob(event, more string) string {
	return `{"event": "` + event + `", "event_id": "e1", "payload": {"id": "j1", ` +
		`"account_id": "` + account + `", "end_user_id": "applicant 7", "link_token_id": null, ` +
		`"name": "x", "timestamp": "` + happened + `", ` +
		`"outcome": "success", "error_code": null, "error_type": null` + more + `}}`
}

func truvLink(event, more string) string {
	return `{"webhook_id":"w1","event_type":"` + event + `",` +
		`"event_created_at":"2026-01-12T02:36:00.000000Z","link_id":"` + link + `",` +
		`"product":"income","data_source":"payroll","tracking_info":null,"user_id":null` +
		more + `}`
}

type parseTest struct {
	body string
	want schema.Event
}

// run parses the body, received at testNow, and compares the event.
func (row parseTest) run(t *testing.T) {
	row.want.Body = []byte(row.body)
	row.want.ReceivedAt = testNow
	r := Received{Provider: row.want.Provider, Body: []byte(row.body), At: testNow}
	got, err := Parse(r)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(row.want, got); diff != "" {
		t.Errorf("the event differs (-want +got):\n%s", diff)
	}
}

// The types that have a worker, in the shape and spacing in which they are sent.
func TestParseReadsEveryTypeThatHasAWorker(t *testing.T) {
	rows := map[string]parseTest{}
	for kind, body := range pinwheelBodies() {
		dot := strings.LastIndex(kind, ".")
		resource, action := strings.ReplaceAll(kind[:dot], ".", "_"), kind[dot+1:]
		rows[kind] = parseTest{body, schema.Event{
			Provider:   schema.Pinwheel,
			ID:         "e1",
			Type:       kind,
			Resource:   schema.Resource(resource),
			Action:     action,
			AccountID:  account,
			OccurredAt: time.Date(2026, 1, 12, 2, 36, 1, 287148000, time.UTC),
		}}
	}
	for _, kind := range []string{
		"verification_reports.refreshed", "account.added", "account.removed",
		"account.monitoring_status.updated", "earnings_stream.payouts.refreshed",
	} {
		row := rows[kind]
		row.want.OccurredAt = testNow // the payload has no timestamp
		if kind == "verification_reports.refreshed" {
			row.want.AccountID = "applicant 7"
		}
		rows[kind] = row
	}
	for _, action := range []string{"connected", "disconnected", "deleted"} {
		kind := "link-" + action
		const more = `,"updated_at":"2026-01-12T02:36:01.500000+00:00","template_id":null`
		rows[kind] = parseTest{truvLink(kind, more), schema.Event{
			Provider:   schema.Truv,
			ID:         "w1",
			Type:       kind,
			Resource:   schema.Link,
			Action:     action,
			AccountID:  link,
			OccurredAt: time.Date(2026, 1, 12, 2, 36, 1, 500_000_000, time.UTC),
		}}
	}
	for kind, more := range truvBodies() {
		object, action, _ := strings.Cut(strings.ReplaceAll(kind, "-", "_"), "_")
		if object == "bank" {
			object = "bank_accounts"
			action = strings.TrimPrefix(action, "accounts_")
		}
		rows[kind] = parseTest{truvLink(kind, more), schema.Event{
			Provider:   schema.Truv,
			ID:         "w1",
			Type:       kind,
			Resource:   schema.Resource(object),
			Action:     action,
			AccountID:  link,
			OccurredAt: time.Date(2026, 1, 12, 2, 36, 0, 0, time.UTC), // no updated_at
		}}
	}
	for _, known := range schema.Catalogue() {
		if _, ok := rows[known.Name]; !ok && len(known.Workers) > 0 {
			t.Errorf("%s has a worker and no row: add it to pinwheelBodies or truvBodies", known.Name)
		}
	}
	for name, row := range rows {
		t.Run(name, row.run)
	}
}

// truvBodies has what each type about data of Truv adds to the body of a link.
func truvBodies() map[string]string {
	const (
		one   = `,"task_id":"t1","object_id":"o1"`
		count = `,"task_id":"t1","employment_id":"o1","objects_count":3`
	)
	bodies := map[string]string{"task-status-updated": `,"task_id":"t1","status":"done"`}
	for _, change := range []string{"-created", "-updated"} {
		bodies["employment"+change] = one
		bodies["profile"+change] = one
		bodies["statements"+change] = count
		bodies["shifts"+change] = count
		bodies["bank-accounts"+change] = count
	}
	return bodies
}

// pinwheelBodies has a body of each type of Pinwheel that has a worker.
func pinwheelBodies() map[string]string {
	const (
		count = `, "params": {"count": 6}`
		dates = `, "params": {"from_pay_date": "2025-12-01", "to_pay_date": "2025-12-31", ` +
			`"count": 2, "has_potential_paystubs_documents": true}`
		chunk = `, "added": [{"id": "p1", "document_type": null}], "deleted": [{"id": "p0"}]`
	)
	bodies := map[string]string{
		"earnings_stream.payouts.refreshed": `{"event": "earnings_stream.payouts.refreshed", ` +
			`"event_id": "e1", "payload": {"account_id": "` + account + `"}}`,
		"verification_reports.refreshed": `{"event": "verification_reports.refreshed", ` +
			`"event_id": "e1", "payload": {"end_user_id": "applicant 7", "availability": ` +
			`{"voe": {"status": "available", "updated_at": "` + happened + `"}, ` +
			`"voie": {"status": "unavailable"}}}}`,
	}
	for _, kind := range []string{
		"account.added", "account.monitoring_status.updated", "account.removed",
	} {
		bodies[kind] = `{"event_id": "e1", "event": "` + kind + `", "payload": {"created_at": "` +
			happened + `", "link_token_id": null, "platform_id": "p1", "platform_name": "x", ` +
			`"platform_type": "payroll", "connected": true, "monitoring_status": "active", ` +
			`"end_user_id": "applicant 7", "account_id": "` + account + `"}}`
	}
	for kind, more := range map[string]string{
		"paystubs.documents.added": "", "documents.added": "", "tax_forms.added": "",
		"direct_deposit_allocations.added": "", "direct_deposit_switch.added": "",
		"employment.added":           "",
		"identity.added":             "",
		"income.added":               "",
		"paystubs.added":             chunk + dates,
		"paystubs.seven_days_synced": dates, "paystubs.thirty_days_synced": dates,
		"paystubs.ninety_days_synced": dates, "paystubs.fully_synced": dates,
		"shifts.added":             chunk + count,
		"shifts.seven_days_synced": count, "shifts.thirty_days_synced": count,
		"shifts.ninety_days_synced": count, "shifts.fully_synced": count,
	} {
		bodies[kind] = pinwheelJob(kind, more)
	}
	return bodies
}

// incomeBody is a body of Pinwheel's income.added, with more members.
func incomeBody(more string) string {
	return `{"event":"income.added","event_id":"e1"` + more + `}`
}

func TestParseAcceptsEveryWebhookThatCanBeStored(t *testing.T) {
	// event is an event of a type that the catalogue reads as the resource and action.
	event := func(
		p schema.Provider, id, kind, account string, r schema.Resource, action string,
	) schema.Event {
		return schema.Event{
			Provider: p, ID: id, Type: kind, Resource: r, Action: action, AccountID: account,
			OccurredAt: testNow,
		}
	}
	added := func(id, account string) schema.Event {
		return event(schema.Pinwheel, id, "income.added", account, schema.Income, "added")
	}
	at := func(e schema.Event, t time.Time) schema.Event {
		e.OccurredAt = t
		return e
	}
	atTime := func(value string) string {
		return incomeBody(`,"payload":{"timestamp":` + value + `}`)
	}
	connected := event(schema.Truv, "w1", "link-connected", link, schema.Link, "connected")
	created := time.Date(2026, 1, 12, 2, 36, 0, 0, time.UTC)
	income := added("e1", "")
	long := strings.Repeat("i", 10_000)
	for name, row := range map[string]parseTest{
		"an id of any characters": {
			`{"event":"income.added","event_id":"a.*> b\r\n\u0000"}`, added("a.*> b\r\n\x00", "")},
		"an id of 10,000 characters": {
			`{"event":"income.added","event_id":"` + long + `"}`, added(long, "")},
		"an unknown type of Pinwheel, stored as other": {
			`{"event":"gig.added","event_id":"e1","payload":{"account_id":"a1"}}`,
			event(schema.Pinwheel, "e1", "gig.added", "a1",
				schema.Other, schema.Token("gig.added"))},
		"an unknown type of Truv, stored as other": {
			`{"event_type":"raise-given","webhook_id":"w1","link_id":"l1"}`,
			event(schema.Truv, "w1", "raise-given", "l1", schema.Other, "raise-given")},
		"a known type without a worker, stored under its own name": {
			`{"event":"bill_switch.added","event_id":"e1","payload":{"account_id":"a1"}}`,
			event(schema.Pinwheel, "e1", "bill_switch.added", "a1", "bill_switch", "added")},

		"no account: no payload":         {incomeBody(""), income},
		"no account: a payload of null":  {incomeBody(`,"payload":null`), income},
		"no account: a list for payload": {incomeBody(`,"payload":[{"account_id":"a1"}]`), income},
		"no account: a number":           {incomeBody(`,"payload":{"account_id":7}`), income},
		"no account: other letter case":  {incomeBody(`,"payload":{"ACCOUNT_ID":"a1"}`), income},
		"no account: a name with a dot":  {incomeBody(`,"payload.account_id":"a1"`), income},

		"the time of receipt for a time that cannot be read": {atTime(`"soon"`), income},
		"the time of receipt for a time that is no text":     {atTime("1768185361"), income},
		"the time of receipt for a time that an offset moves out of the calendar": {
			atTime(`"9999-12-31T23:59:59-01:00"`), income},
		"the time of receipt for the zero time": {atTime(`"0001-01-01T00:00:00Z"`), income},
		"a time with a space and no fraction": {
			atTime(`"2026-01-12 02:36:01+00:00"`), at(income, created.Add(time.Second))},
		"Truv's event_created_at for a missing updated_at": {
			truvLink("link-connected", ""), at(connected, created)},
		"Truv's event_created_at for an updated_at of null": {
			truvLink("link-connected", `,"updated_at":null`), at(connected, created)},

		"a URL, which is text": {
			`{"event":"income.added","event_id":"http://169.254.169.254/",` +
				`"payload":{"account_id":"../../x"}}`,
			added("http://169.254.169.254/", "../../x")},
		"equal keys in different objects": {
			incomeBody(`,"payload":{"event":"x","event_id":"y","a":[{"id":1},{"id":1}]}`), income},
		"keys that differ by case, deep down": {
			incomeBody(`,"payload":{"a":{"Event":1,"event":2}}`), income},
		"64 levels of nesting": {incomeBody(`,"a":` + nested(63)), income},
		"numbers that fit no float": {
			incomeBody(`,"payload":{"n":1e999,"m":123456789012345678901234567890.10}`), income},
		"many keys":                     {manyKeys(1000, ""), income},
		"white space around the object": {" \r\n\t" + incomeBody("") + "\n", income},
	} {
		t.Run(name, row.run)
	}
}

// nested is lists in lists.
func nested(depth int) string { return strings.Repeat("[", depth) + strings.Repeat("]", depth) }

func TestParseQuarantinesBrokenJSON(t *testing.T) {
	fine := incomeBody("")
	testQuarantine(t, schema.Pinwheel, schema.QuarantineJSON, map[string]string{
		"nothing":                          "",
		"white space":                      " \n",
		"no JSON":                          "event=income.added",
		"half an object":                   fine[:20],
		"a key without a value":            `{"event":}`,
		"a value without a key":            `{"event"}`,
		"a key that is a number":           `{1:2}`,
		"a comma too many":                 `{"event":"income.added","event_id":"e1",}`,
		"a comma too many in a list":       incomeBody(`,"a":[1,]`),
		"brackets that do not match":       `{"a":[}]`,
		"Python's True":                    incomeBody(`,"a":True`),
		"NaN":                              incomeBody(`,"a":NaN`),
		"a number with a leading zero":     incomeBody(`,"a":01`),
		"a control character in a text":    "{\"event\":\"income.added\",\"event_id\":\"e\n1\"}",
		"a second object behind the first": fine + fine,
		"a bracket behind the object":      fine + "}",
		"a comma behind the object":        fine + ",",
		"a NUL behind the object":          fine + "\x00",
		"a byte order mark":                "\ufeff" + fine,
		"null":                             "null",
		"a list":                           "[" + fine + "]",
		"a text":                           `"income.added"`,
		"a number":                         "1",
	})
}

func TestParseQuarantinesBytesThatAreNoUTF8(t *testing.T) {
	testQuarantine(t, schema.Pinwheel, schema.QuarantineUTF8, map[string]string{
		"in an id": "{\"event\":\"income.added\",\"event_id\":\"e\xff\"}",
		"anywhere": incomeBody(",\"n\":\"\xc3(\""),
	})
}

// manyKeys is a body with n keys besides its own, and with more behind them.
func manyKeys(n int, more string) string {
	var keys strings.Builder
	for i := range n {
		fmt.Fprintf(&keys, `,"k%d":%d`, i, i)
	}
	return incomeBody(keys.String() + more)
}

func TestParseQuarantinesAKeyThatStandsTwice(t *testing.T) {
	testQuarantine(t, schema.Pinwheel, schema.QuarantineDuplicateKey, map[string]string{
		"two ids":                      incomeBody(`,"event_id":"e2"`),
		"the same id twice":            incomeBody(`,"event_id":"e1"`),
		"EVENT_ID beside event_id":     incomeBody(`,"EVENT_ID":"e2"`),
		"ſ beside s":                   incomeBody(`,"payload":{"timestamp":"","timeſtamp":""}`),
		"an escaped key":               incomeBody(`,"event\u005fid":"e2"`),
		"two accounts":                 incomeBody(`,"payload":{"account_id":"","account_id":""}`),
		"ACCOUNT_ID beside account_id": incomeBody(`,"payload":{"account_id":"","ACCOUNT_ID":""}`),
		"two payloads":                 incomeBody(`,"payload":{},"payload":{}`),
		"any key, however deep":        incomeBody(`,"payload":{"a":[{"b":{"c":1,"c":1}}]}`),
		"the first of many keys":       manyKeys(1000, `,"k0":1`),
		"the last of many keys":        manyKeys(1000, `,"k999":1`),
		"an id behind many keys":       manyKeys(1000, `,"EVENT_ID":"e2"`),
	})
	testQuarantine(t, schema.Truv, schema.QuarantineDuplicateKey, map[string]string{
		"Truv's id in both cases": `{"event_type":"link-deleted","webhook_id":"w1",` +
			`"link_id":"l1","Link_Id":"l2"}`,
		"a name of Truv's in both cases, in an object": truvLink("link-connected",
			`,"a":{"link_id":1,"LINK_ID":2}`),
	})
}

func TestParseQuarantinesDeepNesting(t *testing.T) {
	testQuarantine(t, schema.Pinwheel, schema.QuarantineDepth, map[string]string{
		"65 levels":                incomeBody(`,"a":` + nested(64)),
		"65 levels, cut":           `{"a":` + strings.Repeat("[", 64),
		"60,000 levels of lists":   strings.Repeat("[", 60_000),
		"40,000 levels of objects": strings.Repeat(`{"a":`, 40_000),
	})
}

func TestParseQuarantinesWhatCannotBeActedOn(t *testing.T) {
	longID := `"` + strings.Repeat("i", schema.IDBytesMax+1) + `"`
	longType := `"` + strings.Repeat("t", schema.TypeBytesMax+1) + `"`
	testQuarantine(t, schema.Pinwheel, schema.QuarantineSchema, map[string]string{
		"half a character in an id":       `{"event":"income.added","event_id":"e\ud800"}`,
		"half a character in an account":  incomeBody(`,"payload":{"account_id":"\udfff"}`),
		"no id":                           `{"event":"income.added"}`,
		"an empty id":                     `{"event":"income.added","event_id":""}`,
		"an id of null":                   `{"event":"income.added","event_id":null}`,
		"an id that is a number":          `{"event":"income.added","event_id":1}`,
		"an id that is an object":         `{"event":"income.added","event_id":{}}`,
		"an id in other letter case":      `{"event":"income.added","EVENT_ID":"e1"}`,
		"an id too long":                  `{"event":"income.added","event_id":` + longID + `}`,
		"no type":                         `{"event_id":"e1"}`,
		"an empty type":                   `{"event":"","event_id":"e1"}`,
		"a type that is a list":           `{"event":["income.added"],"event_id":"e1"}`,
		"a type too long":                 `{"event":` + longType + `,"event_id":"e1"}`,
		"an account too long":             incomeBody(`,"payload":{"account_id":` + longID + `}`),
		"Truv's names in Pinwheel's body": `{"event_type":"link-connected","webhook_id":"w1"}`,
	})
	testQuarantine(t, schema.Truv, schema.QuarantineSchema, map[string]string{
		"a deletion of no link":     `{"event_type":"link-deleted","webhook_id":"w"}`,
		"a deletion of an empty id": `{"event_type":"link-deleted","webhook_id":"w","link_id":""}`,
		"a deletion of a number":    `{"event_type":"link-deleted","webhook_id":"w","link_id":7}`,
	})
	testQuarantine(t, "argyle", schema.QuarantineSchema, map[string]string{
		"an unknown provider": `{"id":"e1","type":"t"}`,
	})
}

// testQuarantine asserts that none of the bodies is an event, and why.
func testQuarantine(
	t *testing.T, p schema.Provider, reason schema.QuarantineReason, bodies map[string]string,
) {
	for name, body := range bodies {
		t.Run(name, func(t *testing.T) {
			got, err := Parse(Received{Provider: p, Body: []byte(body), At: testNow})
			expectUnreadable(t, err, reason)
			if diff := cmp.Diff(schema.Event{}, got); diff != "" {
				t.Errorf("an error comes with an event:\n%s", diff)
			}
		})
	}
}

func expectUnreadable(t *testing.T, err error, want schema.QuarantineReason) {
	t.Helper()
	unreadable, ok := errors.AsType[*UnreadableError](err)
	if !ok || unreadable.Reason != want {
		t.Fatalf("got %v, want quarantine for %s", err, want)
	}
}
