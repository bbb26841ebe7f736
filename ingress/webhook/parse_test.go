package webhook

import (
	"errors"
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
	return `{"event": "` + event + `", "event_id": "e1", "payload": {"id": "j1", "account_id": "` + account +
		`", "end_user_id": "applicant 7", "link_token_id": null, "name": "x", "timestamp": "` + happened +
		`", "outcome": "success", "error_code": null, "error_type": null` + more + `}}`
}

func truvLink(event, more string) string {
	return `{"webhook_id":"w1","event_type":"` + event + `","event_created_at":"2026-01-12T02:36:00.000000Z","link_id":"` + link +
		`","product":"income","data_source":"payroll","tracking_info":null,"user_id":null` + more + `}`
}

// The seventeen seed events, in the shape and spacing in which they are sent.
func TestParseReadsEverySeedEvent(t *testing.T) {
	const (
		count  = `, "params": {"count": 6}`
		dates  = `, "params": {"from_pay_date": "2025-12-01", "to_pay_date": "2025-12-31", "count": 2, "has_potential_paystubs_documents": true}`
		chunk  = `, "added": [{"id": "p1", "document_type": null}], "deleted": [{"id": "p0"}]`
		report = `{"event": "verification_reports.refreshed", "event_id": "e1", "payload": {"end_user_id": "applicant 7", "availability": {"voe": {"status": "available", "updated_at": "` + happened + `"}, "voie": {"status": "unavailable"}}}}`
	)
	occurred := time.Date(2026, 1, 12, 2, 36, 1, 287148000, time.UTC)
	pinwheel := schema.Event{Provider: schema.Pinwheel, ID: "e1", AccountID: account, OccurredAt: occurred}
	truv := schema.Event{Provider: schema.Truv, ID: "w1", AccountID: link, Resource: schema.Link, OccurredAt: time.Date(2026, 1, 12, 2, 36, 1, 500_000_000, time.UTC)}
	const updated = `,"updated_at":"2026-01-12T02:36:01.500000+00:00","template_id":null`

	rows := map[string]struct {
		body string
		want schema.Event
	}{}
	for kind, more := range map[string]string{
		"employment.added": "", "identity.added": "", "income.added": "", "paystubs.added": chunk + dates,
		"paystubs.seven_days_synced": dates, "paystubs.thirty_days_synced": dates, "paystubs.ninety_days_synced": dates, "paystubs.fully_synced": dates,
		"shifts.added": chunk + count, "shifts.seven_days_synced": count, "shifts.thirty_days_synced": count, "shifts.ninety_days_synced": count, "shifts.fully_synced": count,
	} {
		want := pinwheel
		want.Type = kind
		resource, action, _ := strings.Cut(kind, ".")
		want.Resource, want.Action = schema.Resource(resource), action
		rows[kind] = struct {
			body string
			want schema.Event
		}{pinwheelJob(kind, more), want}
	}
	want := pinwheel
	want.Type, want.Resource, want.Action, want.AccountID, want.OccurredAt = "verification_reports.refreshed", schema.VerificationReports, "refreshed", "applicant 7", testNow
	rows[want.Type] = struct {
		body string
		want schema.Event
	}{report, want}
	for _, action := range []string{"connected", "disconnected", "deleted"} {
		want := truv
		want.Type, want.Action = "link-"+action, action
		rows[want.Type] = struct {
			body string
			want schema.Event
		}{truvLink(want.Type, updated), want}
	}
	if len(rows) != 17 {
		t.Fatalf("there are %d rows and 17 seed events", len(rows))
	}
	for name, row := range rows {
		t.Run(name, func(t *testing.T) {
			row.want.ReceivedAt, row.want.Body = testNow, []byte(row.body)
			got, err := Parse(Received{Provider: row.want.Provider, Body: []byte(row.body), At: testNow})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(row.want, got); diff != "" {
				t.Errorf("the event differs (-want +got):\n%s", diff)
			}
		})
	}
}

func TestParseStoresWhatCanBeStored(t *testing.T) {
	received := schema.Event{ReceivedAt: testNow, OccurredAt: testNow}
	event := func(p schema.Provider, id, kind string, r schema.Resource, action, account string) schema.Event {
		e := received
		e.Provider, e.ID, e.Type, e.Resource, e.Action, e.AccountID = p, id, kind, r, action, account
		return e
	}
	at := func(e schema.Event, t time.Time) schema.Event {
		e.OccurredAt = t
		return e
	}
	connected := event(schema.Truv, "w1", "link-connected", schema.Link, "connected", link)
	income := event(schema.Pinwheel, "e1", "income.added", schema.Income, "added", "")
	long := strings.Repeat("i", 10_000)
	for name, row := range map[string]struct {
		body string
		want schema.Event
	}{
		"19: an id of any characters is an id": {`{"event":"income.added","event_id":"a.*> b\r\n\u0000"}`,
			event(schema.Pinwheel, "a.*> b\r\n\x00", "income.added", schema.Income, "added", "")},
		"19: an id of 10,000 characters is an id": {`{"event":"income.added","event_id":"` + long + `"}`,
			event(schema.Pinwheel, long, "income.added", schema.Income, "added", "")},
		"20: an unknown type of Pinwheel is stored as other": {`{"event":"gig.added","event_id":"e1","payload":{"account_id":"a1"}}`,
			event(schema.Pinwheel, "e1", "gig.added", schema.Other, schema.Token("gig.added"), "a1")},
		"20: an unknown type of Truv is stored as other": {`{"event_type":"raise-given","webhook_id":"w1","link_id":"l1"}`,
			event(schema.Truv, "w1", "raise-given", schema.Other, "raise-given", "l1")},
		"20: a known type without a worker is stored under its own name": {`{"event":"paystubs.documents.added","event_id":"e1","payload":{"account_id":"a1"}}`,
			event(schema.Pinwheel, "e1", "paystubs.documents.added", "paystubs_documents", "added", "a1")},
		"an event without a payload names no account":          {`{"event":"income.added","event_id":"e1"}`, income},
		"nor does one whose payload is null":                   {`{"event":"income.added","event_id":"e1","payload":null}`, income},
		"nor one whose payload is a list":                      {`{"event":"income.added","event_id":"e1","payload":[{"account_id":"a1"}]}`, income},
		"nor one whose account is a number":                    {`{"event":"income.added","event_id":"e1","payload":{"account_id":7}}`, income},
		"nor one that spells it differently":                   {`{"event":"income.added","event_id":"e1","payload":{"ACCOUNT_ID":"a1"}}`, income},
		"a name with a dot is no path":                         {`{"event":"income.added","event_id":"e1","payload.account_id":"a1"}`, income},
		"a time that cannot be read is the time of receipt":    {`{"event":"income.added","event_id":"e1","payload":{"timestamp":"soon"}}`, income},
		"so is one that is no text":                            {`{"event":"income.added","event_id":"e1","payload":{"timestamp":1768185361}}`, income},
		"so is one that an offset moves out of the calendar":   {`{"event":"income.added","event_id":"e1","payload":{"timestamp":"9999-12-31T23:59:59-01:00"}}`, income},
		"so is the zero time":                                  {`{"event":"income.added","event_id":"e1","payload":{"timestamp":"0001-01-01T00:00:00Z"}}`, income},
		"a time may have a space and no fraction":              {`{"event":"income.added","event_id":"e1","payload":{"timestamp":"2026-01-12 02:36:01+00:00"}}`, at(income, time.Date(2026, 1, 12, 2, 36, 1, 0, time.UTC))},
		"Truv's event_created_at stands in for updated_at":     {truvLink("link-connected", ""), at(connected, time.Date(2026, 1, 12, 2, 36, 0, 0, time.UTC))},
		"also where updated_at is null":                        {truvLink("link-connected", `,"updated_at":null`), at(connected, time.Date(2026, 1, 12, 2, 36, 0, 0, time.UTC))},
		"26: a URL is text":                                    {`{"event":"income.added","event_id":"http://169.254.169.254/","payload":{"account_id":"../../x"}}`, event(schema.Pinwheel, "http://169.254.169.254/", "income.added", schema.Income, "added", "../../x")},
		"16: keys may repeat in different objects":             {`{"event":"income.added","event_id":"e1","payload":{"event":"x","event_id":"y","a":[{"id":1},{"id":1}]}}`, income},
		"16: deep down, keys may differ by case":               {`{"event":"income.added","event_id":"e1","payload":{"a":{"Event":1,"event":2}}}`, income},
		"17: 64 deep is not too deep":                          {`{"event":"income.added","event_id":"e1","a":` + strings.Repeat("[", 63) + strings.Repeat("]", 63) + `}`, income},
		"a number that fits no float is a number":              {`{"event":"income.added","event_id":"e1","payload":{"n":1e999,"m":123456789012345678901234567890.10}}`, income},
		"14: white space around the object is part of nothing": {" \r\n\t" + `{"event":"income.added","event_id":"e1"}` + "\n", income},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Parse(Received{Provider: row.want.Provider, Body: []byte(row.body), At: testNow})
			if err != nil {
				t.Fatal(err)
			}
			row.want.Body = []byte(row.body)
			if diff := cmp.Diff(row.want, got); diff != "" {
				t.Errorf("the event differs (-want +got):\n%s", diff)
			}
		})
	}
}

func TestParseQuarantines(t *testing.T) {
	const fine = `{"event":"income.added","event_id":"e1"}`
	for name, row := range map[string]struct {
		body string
		want schema.QuarantineReason
	}{
		"14: nothing":                                {"", schema.QuarantineJSON},
		"14: white space":                            {" \n", schema.QuarantineJSON},
		"14: no JSON":                                {"event=income.added", schema.QuarantineJSON},
		"14: half an object":                         {fine[:20], schema.QuarantineJSON},
		"14: a key without a value":                  {`{"event":}`, schema.QuarantineJSON},
		"14: a value without a key":                  {`{"event"}`, schema.QuarantineJSON},
		"14: a key that is a number":                 {`{1:2}`, schema.QuarantineJSON},
		"14: a comma too many":                       {`{"event":"income.added","event_id":"e1",}`, schema.QuarantineJSON},
		"14: a comma too many in a list":             {`{"event":"income.added","event_id":"e1","a":[1,]}`, schema.QuarantineJSON},
		"14: brackets that do not match":             {`{"a":[}]`, schema.QuarantineJSON},
		"14: Python's True":                          {`{"event":"income.added","event_id":"e1","a":True}`, schema.QuarantineJSON},
		"14: NaN":                                    {`{"event":"income.added","event_id":"e1","a":NaN}`, schema.QuarantineJSON},
		"14: a number with a leading zero":           {`{"event":"income.added","event_id":"e1","a":01}`, schema.QuarantineJSON},
		"14: a control character in a text":          {"{\"event\":\"income.added\",\"event_id\":\"e\n1\"}", schema.QuarantineJSON},
		"14: a second object behind the first":       {fine + fine, schema.QuarantineJSON},
		"14: a bracket behind it":                    {fine + "}", schema.QuarantineJSON},
		"14: a comma behind it":                      {fine + ",", schema.QuarantineJSON},
		"14: a NUL behind it":                        {fine + "\x00", schema.QuarantineJSON},
		"14: a byte order mark before it":            {"\ufeff" + fine, schema.QuarantineJSON},
		"14: null":                                   {"null", schema.QuarantineJSON},
		"14: a list":                                 {"[" + fine + "]", schema.QuarantineJSON},
		"14: a text":                                 {`"income.added"`, schema.QuarantineJSON},
		"14: a number":                               {"1", schema.QuarantineJSON},
		"15: bytes that are no UTF-8, in an id":      {"{\"event\":\"income.added\",\"event_id\":\"e\xff\"}", schema.QuarantineUTF8},
		"15: or anywhere":                            {"{\"event\":\"income.added\",\"event_id\":\"e1\",\"n\":\"\xc3(\"}", schema.QuarantineUTF8},
		"15: half a character by escape, in an id":   {`{"event":"income.added","event_id":"e\ud800"}`, schema.QuarantineSchema},
		"15: or in an account":                       {`{"event":"income.added","event_id":"e1","payload":{"account_id":"\udfff"}}`, schema.QuarantineSchema},
		"16: an id twice":                            {`{"event":"income.added","event_id":"e1","event_id":"e2"}`, schema.QuarantineDuplicateKey},
		"16: twice the same id":                      {`{"event":"income.added","event_id":"e1","event_id":"e1"}`, schema.QuarantineDuplicateKey},
		"16: EVENT_ID beside event_id":               {`{"event":"income.added","event_id":"e1","EVENT_ID":"e2"}`, schema.QuarantineDuplicateKey},
		"16: the Kelvin sign folds to k, and ſ to s": {`{"event":"income.added","event_id":"e1","payload":{"timestamp":"","timeſtamp":""}}`, schema.QuarantineDuplicateKey},
		"16: an escaped key is the key":              {`{"event":"income.added","event_id":"e1","event\u005fid":"e2"}`, schema.QuarantineDuplicateKey},
		"16: an account twice":                       {`{"event":"income.added","event_id":"e1","payload":{"account_id":"a","account_id":"b"}}`, schema.QuarantineDuplicateKey},
		"16: ACCOUNT_ID beside account_id":           {`{"event":"income.added","event_id":"e1","payload":{"account_id":"a","ACCOUNT_ID":"b"}}`, schema.QuarantineDuplicateKey},
		"16: a payload twice":                        {`{"event":"income.added","event_id":"e1","payload":{},"payload":{}}`, schema.QuarantineDuplicateKey},
		"16: any key twice, however deep":            {`{"event":"income.added","event_id":"e1","payload":{"a":[{"b":{"c":1,"c":1}}]}}`, schema.QuarantineDuplicateKey},
		"17: 65 deep":                                {`{"event":"income.added","event_id":"e1","a":` + strings.Repeat("[", 64) + strings.Repeat("]", 64) + `}`, schema.QuarantineDepth},
		"17: 60,000 deep in lists":                   {strings.Repeat("[", 60_000), schema.QuarantineDepth},
		"17: 40,000 deep in objects":                 {strings.Repeat(`{"a":`, 40_000), schema.QuarantineDepth},
		"18: no id":                                  {`{"event":"income.added"}`, schema.QuarantineSchema},
		"18: an empty id":                            {`{"event":"income.added","event_id":""}`, schema.QuarantineSchema},
		"18: a null id":                              {`{"event":"income.added","event_id":null}`, schema.QuarantineSchema},
		"18: an id that is a number":                 {`{"event":"income.added","event_id":1}`, schema.QuarantineSchema},
		"18: an id that is an object":                {`{"event":"income.added","event_id":{}}`, schema.QuarantineSchema},
		"18: an id in other letters":                 {`{"event":"income.added","EVENT_ID":"e1"}`, schema.QuarantineSchema},
		"18: an id too long":                         {`{"event":"income.added","event_id":"` + strings.Repeat("i", schema.IDBytesMax+1) + `"}`, schema.QuarantineSchema},
		"18: no type":                                {`{"event_id":"e1"}`, schema.QuarantineSchema},
		"18: an empty type":                          {`{"event":"","event_id":"e1"}`, schema.QuarantineSchema},
		"18: a type that is a list":                  {`{"event":["income.added"],"event_id":"e1"}`, schema.QuarantineSchema},
		"18: a type too long":                        {`{"event":"` + strings.Repeat("t", schema.TypeBytesMax+1) + `","event_id":"e1"}`, schema.QuarantineSchema},
		"18: an account too long":                    {`{"event":"income.added","event_id":"e1","payload":{"account_id":"` + strings.Repeat("a", schema.IDBytesMax+1) + `"}}`, schema.QuarantineSchema},
		"18: Truv's names from Pinwheel":             {`{"event_type":"link-connected","webhook_id":"w1"}`, schema.QuarantineSchema},
		"18: a deletion of no link":                  {`truv {"event_type":"link-deleted","webhook_id":"w1"}`, schema.QuarantineSchema},
		"18: a deletion of an empty link":            {`truv {"event_type":"link-deleted","webhook_id":"w1","link_id":""}`, schema.QuarantineSchema},
		"18: a deletion of a link that is a number":  {`truv {"event_type":"link-deleted","webhook_id":"w1","link_id":7}`, schema.QuarantineSchema},
		"18: Truv's id in both cases":                {`truv {"event_type":"link-deleted","webhook_id":"w1","link_id":"l1","Link_Id":"l2"}`, schema.QuarantineDuplicateKey},
	} {
		t.Run(name, func(t *testing.T) {
			r := Received{Provider: schema.Pinwheel, At: testNow}
			body, truv := strings.CutPrefix(row.body, "truv ")
			if truv {
				r.Provider = schema.Truv
			}
			r.Body = []byte(body)
			got, err := Parse(r)
			unreadable, ok := errors.AsType[*UnreadableError](err)
			if !ok || unreadable.Reason != row.want {
				t.Fatalf("parse: got %v, want quarantine for %s", err, row.want)
			}
			if diff := cmp.Diff(schema.Event{}, got); diff != "" {
				t.Errorf("an error comes with an event:\n%s", diff)
			}
		})
	}
}
