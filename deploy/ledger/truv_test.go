package ledger

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wagewire/wagewire/deploy/fake"
	"github.com/wagewire/wagewire/schema"
)

// truvScene is a run with webhooks of one link at Truv.
type truvScene struct{ scene }

const (
	truvLink = "link-2"
	// number is the number of the only bank account.
	number = "00000000123456789012"
)

// newTruvScene returns a scene in which Truv has served everything of a link.
func newTruvScene() *truvScene {
	s := &truvScene{scene{ledger: New(), served: NewServed(), drained: true}}
	s.ledger.AddPerson(truvLink, Person{
		Employments: []string{"job-1", "job-2"}, Profile: "me",
		Statements: map[string][]string{"job-1": {"a", "b"}, "job-2": {"c"}},
		TruvShifts: []string{"s"},
	})
	bank := `{"account_number":"` + number + `"}`
	for path, body := range map[string]string{
		"employments":   `[{"id":"job-1","bank_accounts":[` + bank + `]},{"id":"job-2"}]`,
		"identity":      `{"id":"me"}`,
		"statements":    `{"count":3,"next":null,"results":[{"id":"a"},{"id":"b"},{"id":"c"}]}`,
		"shifts":        `{"count":1,"results":[{"id":"s"}]}`,
		"bank_accounts": `[` + bank + `]`,
		"income/report": `{"id":"r","access_token":"t","employments":[{"bank_accounts":[` + bank +
			`],"profile":{"access_token":"t","n":1.50}}]}`,
	} {
		s.served.Note(ParseCall("/truv/v1/links/"+truvLink+"/"+path+"/"), 200, []byte(body))
	}
	return s
}

// add sends and stores a webhook about the link. members are the last members of its body.
func (s *truvScene) add(typ, members string) Webhook {
	body := fmt.Appendf(nil, `{"webhook_id":"w","event_type":%q%s}`, typ, members)
	w := NewWebhook(Genuine, fake.Webhook{
		Provider: fake.Truv, ID: "w", Type: typ, Account: truvLink, Body: body,
	})
	s.ledger.AddWebhook(w)
	s.ledger.AddAnswer(w, 200)
	s.events = append(s.events, Message{
		Subject: w.Event().Subject(), Sequence: 1, Data: body,
		Header: map[string][]string{"Nats-Msg-Id": {w.Key()}},
	})
	return w
}

// taken is when the worker took the events of a scene.
var taken = time.Unix(1000, 0)

// order gives a completion of Truv's data its time.
func order(c *schema.Completion) {
	c.Data.TakenAt = taken
	at := taken
	if c.Data.Resource == schema.VerificationReports {
		at = c.Data.Event.OccurredAt
	}
	c.Sequence = schema.Sequence(at, taken, c.ID)
}

// asTruvs gives a completion of Truv's data its scope.
func asTruvs(c *schema.Completion) {
	scope := schema.Snapshot
	switch c.Data.Resource {
	case schema.Paystubs, schema.VerificationReports:
		scope = schema.Delta
	case schema.Shifts:
		if c.Data.Stale {
			scope = schema.Delta
		}
	default: // all of the link
	}
	scoped(scope)(c)
}

func scoped(scope schema.Scope) func(*schema.Completion) {
	return func(c *schema.Completion) { c.Data.Scope = &scope }
}

func TestCheckOfTruvFinds(t *testing.T) {
	const (
		ofJob = `,"employment_id":"job-1","objects_count":2`
		one   = `,"employment_id":"job-1","objects_count":1`
	)
	stale := func(c *schema.Completion) { c.Data.Stale = true }
	provider := func(c *schema.Completion) {
		c.Data.Error = &schema.CompletionError{Class: string(schema.ClassProvider)}
	}
	withoutShifts := func(c *schema.Completion) {
		isShifts := func(r schema.Resource) bool { return r == schema.Shifts }
		c.Data.Supported = slices.DeleteFunc(c.Data.Supported, isShifts)
	}
	missing := func(c *schema.Completion) { c.Data.Missing = []string{"gone"} }
	for _, row := range []struct {
		name     string
		typ      string
		members  string
		resource schema.Resource
		outcome  schema.Outcome
		records  []string
		with     func(*schema.Completion)
		aimed    bool
		// throttled is true if Truv made a call about another link wait.
		throttled bool
		want      []string
	}{
		{name: "nothing when the profile has come", typ: "profile-created",
			members: `,"object_id":"me"`, resource: schema.Identity,
			records: []string{`{"id":"me"}`}},
		{name: "a completion that names another object", typ: "profile-created",
			members: `,"object_id":"me"`, resource: schema.Identity,
			records: []string{`{"id":"me"}`},
			with:    func(c *schema.Completion) { c.Data.ObjectID = "you" },
			want:    []string{Changed}},
		{name: "nothing when the statements of the employment have come",
			typ: "statements-created", members: ofJob, resource: schema.Paystubs,
			records: []string{`{"id":"a"}`, `{"id":"b"}`}},
		{name: "a statement of another employment", typ: "statements-created", members: ofJob,
			resource: schema.Paystubs,
			records:  []string{`{"id":"a"}`, `{"id":"b"}`, `{"id":"c"}`},
			want:     []string{Incomplete}},
		{name: "a completion that names another employment", typ: "statements-created",
			members: ofJob, resource: schema.Paystubs,
			records: []string{`{"id":"a"}`, `{"id":"b"}`},
			with:    func(c *schema.Completion) { c.Data.EmploymentID = "" },
			want:    []string{Changed}},
		{name: "fewer statements than announced that are not stale", typ: "statements-created",
			members: ofJob, resource: schema.Paystubs, aimed: true,
			records: []string{`{"id":"a"}`}, want: []string{Incomplete}},
		{name: "nothing when fewer statements are stale, and the provider held one back",
			typ: "statements-created", members: ofJob, resource: schema.Paystubs, aimed: true,
			records: []string{`{"id":"a"}`}, with: stale},
		{name: "fewer statements although the provider held nothing back",
			typ: "statements-created", members: ofJob, resource: schema.Paystubs,
			records: []string{`{"id":"a"}`}, with: stale, want: []string{Incomplete}},
		{name: "stale shifts of which all have come", typ: "shifts-updated", members: one,
			resource: schema.Shifts, records: []string{`{"id":"s"}`}, with: stale,
			want: []string{Incomplete}},
		{name: "nothing when the bank accounts have come", typ: "bank-accounts-created",
			members: one, resource: schema.BankAccounts,
			records: []string{`{"account_number":"` + number + `"}`}},
		{name: "a bank account that is lacking", typ: "bank-accounts-created", members: one,
			resource: schema.BankAccounts, with: stale, want: []string{Incomplete}},
		{name: "nothing when a report has come without bank accounts and tokens",
			typ: "task-status-updated", members: `,"status":"done","product":"income"`,
			resource: schema.VerificationReports,
			records:  []string{`{"id":"r","employments":[{"profile":{"n":1.50}}]}`}},
		{name: "a report with an account number", typ: "task-status-updated",
			members:  `,"status":"done","product":"employment"`,
			resource: schema.VerificationReports,
			records: []string{`{"id":"r","employments":[{"bank_accounts":[{"account_number":"` +
				number + `"}],"profile":{"n":1.50}}]}`},
			want: []string{Changed, Revealed}},
		{name: "a task on its way that is completed with a report", typ: "task-status-updated",
			members: `,"status":"full_parse","product":"income"`, resource: schema.VerificationReports,
			records: []string{`{"id":"r","employments":[{"profile":{"n":1.50}}]}`},
			want:    []string{Outcome}},
		{name: "nothing when a task without data is unavailable", typ: "task-status-updated",
			members: `,"status":"no_data","product":"income"`, resource: schema.VerificationReports,
			outcome: schema.Unavailable, with: provider},
		{name: "nothing when a task of another product is unavailable",
			typ: "task-status-updated", members: `,"status":"done","product":"deposit_switch"`,
			resource: schema.VerificationReports, outcome: schema.Unavailable, with: provider},
		{name: "nothing when a task without a product has the report of the income",
			typ: "task-status-updated", members: `,"status":"done","product":null`,
			resource: schema.VerificationReports,
			records:  []string{`{"id":"r","employments":[{"profile":{"n":1.50}}]}`}},
		{name: "nothing when a task of a product in another case that failed is failed",
			typ: "task-status-updated", members: `,"status":"mfa_error","product":"Employment"`,
			resource: schema.VerificationReports, outcome: schema.Failed, with: provider},
		{name: "a task that failed and is unavailable", typ: "task-status-updated",
			members: `,"status":"mfa_error","product":"income"`, resource: schema.VerificationReports,
			outcome: schema.Unavailable, with: provider, want: []string{Outcome}},
		{name: "nothing when a task that failed is failed", typ: "task-status-updated",
			members: `,"status":"mfa_error","product":"income"`, resource: schema.VerificationReports,
			outcome: schema.Failed, with: provider},
		{name: "a report that would replace that of another product",
			typ: "task-status-updated", members: `,"status":"done","product":"income"`,
			resource: schema.VerificationReports,
			records:  []string{`{"id":"r","employments":[{"profile":{"n":1.50}}]}`},
			with:     scoped(schema.Snapshot), want: []string{Changed}},
		{name: "a report that is ordered by its fetch", typ: "task-status-updated",
			members:  `,"status":"done","product":"income"`,
			resource: schema.VerificationReports,
			records:  []string{`{"id":"r","employments":[{"profile":{"n":1.50}}]}`},
			with: func(c *schema.Completion) {
				c.Sequence = schema.Sequence(c.Data.TakenAt, c.Data.TakenAt, c.ID)
			},
			want: []string{Changed}},
		{name: "data that is ordered by its webhook", typ: "profile-created",
			members: `,"object_id":"me"`, resource: schema.Identity,
			records: []string{`{"id":"me"}`},
			with: func(c *schema.Completion) {
				c.Sequence = schema.Sequence(c.Data.Event.OccurredAt, c.Data.TakenAt, c.ID)
			},
			want: []string{Changed}},
		{name: "stale shifts that would replace those that are lacking", typ: "shifts-updated",
			members: `,"employment_id":"job-1","objects_count":2`, resource: schema.Shifts,
			aimed: true, records: []string{`{"id":"s"}`},
			with: func(c *schema.Completion) {
				stale(c)
				scoped(schema.Snapshot)(c)
			},
			want: []string{Changed}},
		{name: "nothing when shifts are lacking, and the others are a part", aimed: true,
			typ: "shifts-updated", members: `,"employment_id":"job-1","objects_count":2`,
			resource: schema.Shifts, records: []string{`{"id":"s"}`}, with: stale},
		{name: "shifts of which all have come as a part", typ: "shifts-updated", members: one,
			resource: schema.Shifts, records: []string{`{"id":"s"}`},
			with: scoped(schema.Delta), want: []string{Changed}},
		{name: "a report that does not know of the shifts", typ: "task-status-updated",
			members:  `,"status":"done","product":"income"`,
			resource: schema.VerificationReports,
			records:  []string{`{"id":"r","employments":[{"profile":{"n":1.50}}]}`},
			with:     withoutShifts, want: []string{Incomplete}},
		{name: "nothing when Truv made calls wait, and a report does not know of the shifts",
			typ: "task-status-updated", members: `,"status":"done","product":"income"`,
			resource: schema.VerificationReports, throttled: true,
			records: []string{`{"id":"r","employments":[{"profile":{"n":1.50}}]}`},
			with:    withoutShifts},
		{name: "a report whose account lacks a resource that the link has",
			typ: "task-status-updated", members: `,"status":"done","product":"income"`,
			resource: schema.VerificationReports,
			records:  []string{`{"id":"r","employments":[{"profile":{"n":1.50}}]}`},
			with:     func(c *schema.Completion) { c.Data.Supported = c.Data.Supported[1:] },
			want:     []string{Incomplete}},
		{name: "statements that would replace those of the other employment",
			typ: "statements-created", members: ofJob, resource: schema.Paystubs,
			records: []string{`{"id":"a"}`, `{"id":"b"}`},
			with:    scoped(schema.Snapshot), want: []string{Changed}},
		{name: "a missing profile although the provider held nothing back",
			typ: "profile-updated", members: `,"object_id":"gone"`, resource: schema.Identity,
			records: []string{`{"id":"me"}`}, with: missing,
			want: []string{Incomplete, Incomplete}},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := newTruvScene()
			if row.aimed {
				s.served.Aim(truvLink)
			}
			if row.throttled {
				s.served.Note(ParseCall("/truv/v1/links/another/shifts/"), 429, nil)
			}
			w := s.add(row.typ, row.members)
			if row.outcome == "" {
				row.outcome = schema.Succeeded
			}
			s.complete(w, row.resource, row.outcome, func(c *schema.Completion) {
				c.Data.ObjectID = w.ObjectID
				c.Data.EmploymentID = w.EmploymentID
				order(c)
				c.Data.Supported = []schema.Resource{
					schema.Employment, schema.Identity, schema.Income, schema.Paystubs,
					schema.Shifts, schema.VerificationReports,
				}
				records(row.records...)(c)
				if row.with != nil {
					row.with(c)
				}
				if c.Data.Scope == nil {
					asTruvs(c)
				}
			})
			var got []string
			for _, v := range s.violations() {
				if v.What != Invalid { // the schema's own tests are about these bodies
					got = append(got, v.What)
				}
				t.Log(v.What, v.ID, v.Why)
			}
			if diff := cmp.Diff(row.want, got); diff != "" {
				t.Errorf("violations (-want +got):\n%s", diff)
			}
		})
	}
}

func TestTheIncomeAtTruvIsTheEmployment(t *testing.T) {
	for _, row := range []struct {
		name    string
		records []string
		want    []string
	}{
		{"every employment without its bank accounts is right",
			[]string{`{"id":"job-1"}`, `{"id":"job-2"}`}, nil},
		{"an employment that is lacking is found", []string{`{"id":"job-1"}`},
			[]string{Incomplete, Incomplete}},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := newTruvScene()
			w := s.add("employment-updated", `,"object_id":"job-1"`)
			for _, r := range []schema.Resource{schema.Employment, schema.Income} {
				s.complete(w, r, schema.Succeeded, func(c *schema.Completion) {
					c.Data.ObjectID = "job-1"
					order(c)
					asTruvs(c)
					records(row.records...)(c)
				})
			}
			var got []string
			for _, v := range s.violations() {
				if v.What != Invalid {
					got = append(got, v.What)
				}
			}
			if !slices.Equal(got, row.want) {
				t.Errorf("violations %v, want %v", got, row.want)
			}
		})
	}
}

func TestDocumentsOfPaystubsAreTheirPaystubs(t *testing.T) {
	const payload = `{"outcome":"success","params":{"from_pay_date":"2026-01-01",` +
		`"to_pay_date":"2026-01-31"},"deleted":[{"id":"b"}]}`
	for _, row := range []struct {
		name    string
		payload string
		records []string
		want    []string
	}{
		{"the paystubs of the dates are right, and a deleted document is no deleted paystub",
			payload, []string{paystubA}, nil},
		{"a paystub outside of the dates is found", payload, []string{paystubA, paystubB},
			[]string{Incomplete}},
		{"without dates, a paystub that is lacking is found", `{"outcome":"success"}`,
			[]string{paystubA}, []string{Incomplete}},
		{"a job that failed is no word of paystubs", `{"outcome":"error"}`, nil, nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			s, _ := goodScene()
			w := s.send(Genuine, fake.Pinwheel, "x", "paystubs.documents.added", account,
				row.payload, 200)
			s.store(w, row.payload)
			failed := w.Outcome == "error"
			if !failed {
				s.complete(w, schema.Paystubs, schema.Succeeded, records(row.records...))
				s.complete(w, schema.Notices, schema.Succeeded, records(row.payload))
			} else {
				s.complete(w, schema.Notices, schema.Failed, func(c *schema.Completion) {
					c.Data.Error = &schema.CompletionError{Class: string(schema.ClassProvider)}
				})
			}
			var got []string
			for _, v := range s.violations() {
				got = append(got, v.What)
				t.Log(v.What, v.ID, v.Why)
			}
			if !slices.Equal(got, row.want) {
				t.Errorf("violations %v, want %v", got, row.want)
			}
		})
	}
}

func TestAWorkerAsksForItsTargets(t *testing.T) {
	for _, row := range []struct {
		promise  string
		provider schema.Provider
		resource schema.Resource
		want     []string
	}{
		{"most resources are asked for alone", schema.Truv, schema.Shifts, []string{"shifts"}},
		{"the income at Truv is in the employment", schema.Truv, schema.Income,
			[]string{"employment"}},
		{"the income at Pinwheel is its own", schema.Pinwheel, schema.Income, []string{"income"}},
		{"a report at Truv needs the shifts", schema.Truv, schema.VerificationReports,
			[]string{"verification_reports", "shifts"}},
	} {
		var got []string
		for _, target := range TargetsOf(row.provider, "a", row.resource) {
			got = append(got, target.Resource)
		}
		if !slices.Equal(got, row.want) {
			t.Errorf("%s: targets %v, want %v", row.promise, got, row.want)
		}
	}
}

func TestABadAnswerAboutShiftsIsNoEndOfAReport(t *testing.T) {
	for _, row := range []struct {
		promise string
		path    string
		want    []string
	}{
		{"404s about the report are the end of its event", "income/report", nil},
		{"404s about the shifts are none", "shifts", []string{Outcome}},
	} {
		t.Run(row.promise, func(t *testing.T) {
			s := newTruvScene()
			for range steps.NotReady + 1 {
				s.served.Note(ParseCall("/truv/v1/links/"+truvLink+"/"+row.path+"/"), 404, nil)
			}
			w := s.add("task-status-updated", `,"status":"done","product":"income"`)
			s.complete(w, schema.VerificationReports, schema.Unavailable,
				func(c *schema.Completion) {
					c.Data.Error = &schema.CompletionError{Class: string(schema.ClassNotReady)}
				})
			var got []string
			for _, v := range s.violations() {
				if v.What != Invalid {
					got = append(got, v.What)
				}
			}
			if !slices.Equal(got, row.want) {
				t.Errorf("violations %v, want %v", got, row.want)
			}
		})
	}
}

func TestMembersAreHiddenAtAnyDepth(t *testing.T) {
	for _, row := range []struct{ document, want string }{
		{`{"a": 1.50, "x": {"x": 1}, "b": [ {"x": [2], "c": "é<"}, null, "x" ]}`,
			`{"a":1.50,"b":[{"c":"é<"},null,"x"]}`},
		{`[{"x":1},[],{}]`, `[{},[],{}]`},
		{`90071992547409931`, `90071992547409931`},
	} {
		got, ok := without([]byte(row.document), "x", "y")
		if !ok || string(got) != row.want {
			t.Errorf("%s: %s, want %s", row.document, got, row.want)
		}
	}
	for _, broken := range []string{``, `{"a":`, `{"a":1`, `[1`, `{"a":[1}}`, `nul`} {
		if got, ok := without([]byte(broken), "x"); ok {
			t.Errorf("%s: %s, want no document", broken, got)
		}
	}
}

func TestAPersonOfTheFakesHasRecordsAtBothProviders(t *testing.T) {
	f := fake.New(fake.Config{})
	defer f.Close()
	p := f.Person(fake.PersonOptions{Paystubs: 3, Shifts: 2})
	got := NewPerson(p)
	if len(got.Paystubs) != 3 || len(got.Shifts) != 2 || len(got.TruvShifts) != 2 ||
		len(got.Employments) == 0 || got.Profile == "" ||
		len(got.Statements[got.Employments[0]]) != 3 {
		t.Errorf("the person has %+v", got)
	}
}
