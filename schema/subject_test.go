package schema_test

import (
	"strings"
	"testing"

	"github.com/wagewire/wagewire/schema"
)

// hostile are ids with special characters of subjects, headers and file names, and ids that look
// like the token of another id.
var hostile = []string{
	"", "_", "__", "*", ">", ".", "..", "a.b", "a.*", "a.>", "$JS.API", " ", "a b", " a", "a ",
	"\t", "\r\n", "a\r\nNats-Msg-Id: x",
	"\x00", "a\x00", "\x7f", "\u00e9", "e\u0301", "日本", "\xff\xfe", "h_", "h_a",
	schema.HashToken("*"), "H_a", "-", "a", "A", "a/b", `a\b`, "a:b",
	strings.Repeat("a", 64), strings.Repeat("a", 65), strings.Repeat("a", 10<<10),
	strings.Repeat("a", 10<<10) + "b",
	"449e7a5c-69d3-4b8a-aaaf-5c9b713ebc65", "d39d86dcc20c46e0ae75ba9ab1311a21",
}

func TestATokenIsAlwaysLegalAndNeverNoAccount(t *testing.T) {
	for _, id := range hostile {
		for _, token := range []string{schema.Token(id), schema.HashToken(id)} {
			if !legalToken.MatchString(token) || token == schema.NoAccount {
				t.Errorf("the token of %.40q is %q", id, token)
			}
		}
	}
}

func TestTwoIDsNeverShareAToken(t *testing.T) {
	ids := map[string]string{}
	for _, id := range hostile {
		token := schema.Token(id)
		if other, taken := ids[token]; taken {
			t.Errorf("%.40q and %.40q share the token %s", id, other, token)
		}
		ids[token] = id
	}
}

func TestAToken(t *testing.T) {
	for promise, test := range map[string]struct{ id, want string }{
		"is the id where it is plain": {
			"449e7a5c-69d3-4b8a-aaaf-5c9b713ebc65", "449e7a5c-69d3-4b8a-aaaf-5c9b713ebc65",
		},
		"keeps the case": {"aB_-9", "aB_-9"},
		"is the id up to 64 letters": {
			strings.Repeat("x", 64), strings.Repeat("x", 64),
		},
		"is a hash beyond 64": {
			strings.Repeat("x", 65), schema.HashToken(strings.Repeat("x", 65)),
		},
		"is a hash of what has a dot": {
			"a.b", "h_FZZTNXEOXKD66RZN6VUMGVECVPZFOXOD4XVMBROGFOH7V2WCZE2A",
		},
		"is a hash of nothing": {
			"", "h_4OYMIQUY7QOBJGX36TEJS35ZEQT24QPEMSNZGTFESWMRW6CSXBKQ",
		},
		"is a hash of what stands for no account": {"_", schema.HashToken("_")},
		"is a hash of what looks like a hash": {
			"h_4OYMIQUY7QOBJGX36TEJS35ZEQT24QPEMSNZGTFESWMRW6CSXBKQ",
			schema.HashToken("h_4OYMIQUY7QOBJGX36TEJS35ZEQT24QPEMSNZGTFESWMRW6CSXBKQ"),
		},
		"is a hash of an id that ends with newline": {"a\n", schema.HashToken("a\n")},
	} {
		t.Run(promise, func(t *testing.T) {
			if got := schema.Token(test.id); got != test.want {
				t.Errorf("Token(%.80q) = %s, want %s", test.id, got, test.want)
			}
		})
	}
}

func TestTheAccountTokenOfAnEvent(t *testing.T) {
	for promise, test := range map[string]struct {
		event schema.Event
		want  string
	}{
		"is the account's id": {
			schema.Event{Provider: "pinwheel", Type: "income.added", AccountID: "a-1"}, "a-1",
		},
		"is the link's id": {
			schema.Event{Provider: "truv", Type: "link-deleted", AccountID: "d39d86dc"}, "d39d86dc",
		},
		"is a hash of an id that is no token": {
			schema.Event{Provider: "truv", Type: "link-deleted", AccountID: "a.b"},
			schema.HashToken("a.b"),
		},
		"is always a hash of a person's id": {
			schema.Event{
				Provider: "pinwheel", Type: "verification_reports.refreshed",
				AccountID: "my_user_12345",
			},
			schema.HashToken("my_user_12345"),
		},
		"is the id of the person's account that a completion is about": {
			schema.Event{
				Provider: "pinwheel", Type: "verification_reports.refreshed",
				AccountID: "my_user_12345", Of: "a-1",
			}, "a-1",
		},
		"is a hash of the person's account that is no token": {
			schema.Event{
				Provider: "pinwheel", Type: "verification_reports.refreshed",
				AccountID: "my_user_12345", Of: "a.b",
			},
			schema.HashToken("a.b"),
		},
		"is _ where there is none": {
			schema.Event{Provider: "pinwheel", Type: "company_connect.status.updated"}, "_",
		},
		"is _ where there is no person's id": {
			schema.Event{Provider: "pinwheel", Type: "verification_reports.refreshed"}, "_",
		},
		"is the id of an unknown type": {
			schema.Event{Provider: "pinwheel", Type: "payroll.exploded", AccountID: "a-1"}, "a-1",
		},
		"is never _ because somebody's id is _": {
			schema.Event{Provider: "truv", Type: "link-deleted", AccountID: "_"},
			schema.HashToken("_"),
		},
	} {
		t.Run(promise, func(t *testing.T) {
			if got := test.event.Account(); got != test.want {
				t.Errorf("Account of %+v = %s, want %s", test.event, got, test.want)
			}
		})
	}
}

func TestNamesOnTheWire(t *testing.T) {
	e := employmentAdded()
	odd := e
	odd.ID = "a.b > c"
	odd.AccountID = "x\r\n*"
	reports := reportsOf("a-1")
	oddReports := reportsOf("a:1")
	oddReports.Redrive = 2
	for promise, test := range map[string]struct{ got, want string }{
		"an event's subject": {
			e.Subject(),
			"wagewire.events.pinwheel.employment.added.449e7a5c-69d3-4b8a-aaaf-5c9b713ebc65",
		},
		"an event's key": {
			e.Key(), "pinwheel:5a141122-4235-4fa1-bd76-0628573880b0",
		},
		"a completion's id": {
			e.CompletionKey("income"), "pinwheel:5a141122-4235-4fa1-bd76-0628573880b0:income",
		},
		"a completion's subject": {
			e.CompletionSubject("income"),
			"wagewire.completions.pinwheel.income.449e7a5c-69d3-4b8a-aaaf-5c9b713ebc65.5a141122-4235-4fa1-bd76-0628573880b0",
		},
		"the id of a completion of a person's account": {
			reports.CompletionKey(reports.Resource),
			"pinwheel:c1f0e9d8-b7a6-4958-8473-625140f3e2d1:verification_reports:a-1",
		},
		"the id of a redrive's completion of a person's account, odd id": {
			oddReports.CompletionKey(reports.Resource),
			"pinwheel:c1f0e9d8-b7a6-4958-8473-625140f3e2d1:r2:verification_reports:" +
				schema.HashToken("a:1"),
		},
		"the subject of a completion of a person's account": {
			reports.CompletionSubject(reports.Resource),
			"wagewire.completions.pinwheel.verification_reports.a-1." +
				"c1f0e9d8-b7a6-4958-8473-625140f3e2d1",
		},
		"records of a completion of a person's account": {
			reports.RecordsName(reports.Resource),
			"pinwheel/a-1/verification_reports/c1f0e9d8-b7a6-4958-8473-625140f3e2d1",
		},
		"an event's subject, odd ids": {
			odd.Subject(),
			"wagewire.events.pinwheel.employment.added." + schema.HashToken(odd.AccountID),
		},
		"an event's key, odd ids": {
			odd.Key(), "pinwheel:" + schema.HashToken(odd.ID),
		},
		"a completion's subject, odd ids": {
			odd.CompletionSubject("income"),
			"wagewire.completions.pinwheel.income." + schema.HashToken(odd.AccountID) + "." +
				schema.HashToken(odd.ID),
		},
		"a tombstone's subject": {
			schema.TombstoneSubject("truv", "a-1"), "wagewire.tombstones.truv.a-1",
		},
		"a dead letter's subject": {
			schema.DeadLetterSubject("truv_link", "a-1"), "wagewire.dead_letters.truv_link.a-1",
		},
		"quarantine": {
			schema.QuarantineSubject("truv"), "wagewire.quarantine.truv",
		},
		"all completions of an account": {
			schema.AccountCompletions("truv", "a-1"), "wagewire.completions.truv.*.a-1.*",
		},
		"all events of an account": {
			schema.AccountEvents("truv", "*", "*", "a-1"), "wagewire.events.truv.*.*.a-1",
		},
		"all records of an account": {
			schema.AccountRecords("truv", "a-1"), "truv/a-1/",
		},
		"records of a completion": {
			e.RecordsName("income"),
			"pinwheel/449e7a5c-69d3-4b8a-aaaf-5c9b713ebc65/income/5a141122-4235-4fa1-bd76-0628573880b0",
		},
		"records of a completion, odd ids": {
			odd.RecordsName("income"),
			"pinwheel/" + schema.HashToken(odd.AccountID) + "/income/" + schema.HashToken(odd.ID),
		},
		"a queue": {
			schema.QueueName("pinwheel", "verification_reports"), "pinwheel_verification_reports",
		},
		"a resource's source, in a CloudEvent": {
			schema.NewCompletion(e, "income", schema.Pending, e.ReceivedAt).Source,
			"urn:wagewire:worker:income",
		},
		"a resource's outcome, in a CloudEvent": {
			schema.NewCompletion(e, "income", schema.Pending, e.ReceivedAt).Type,
			"wagewire.income.pending.v1",
		},
	} {
		t.Run(promise, func(t *testing.T) {
			if test.got != test.want {
				t.Errorf("got %q, want %q", test.got, test.want)
			}
		})
	}
}

func TestACompletionsIDNamesItsEventAndResource(t *testing.T) {
	for promise, test := range map[string]struct {
		id, event string
		resource  schema.Resource
		ok        bool
	}{
		"of a webhook":   {"pinwheel:e-1:income", "pinwheel:e-1", "income", true},
		"of a redrive":   {"pinwheel:e-1:r12:income", "pinwheel:e-1:r12", "income", true},
		"of an account":  {"pinwheel:e-1:link:a-1", "pinwheel:e-1", "link", true},
		"of account r1":  {"pinwheel:e-1:link:r1", "pinwheel:e-1", "link", true},
		"of both":        {"pinwheel:e-1:r2:link:a-1", "pinwheel:e-1:r2", "link", true},
		"of event r1":    {"pinwheel:r1:income", "pinwheel:r1", "income", true},
		"not of nothing": {"", "", "", false},
		"not an event's": {"pinwheel:e-1", "", "", false},
		"not a longer":   {"pinwheel:e-1:income:a-1:b", "", "", false},
	} {
		t.Run(promise, func(t *testing.T) {
			event, resource, ok := schema.ParseCompletionKey(test.id)
			if event != test.event || resource != test.resource || ok != test.ok {
				t.Errorf("ParseCompletionKey(%s) = %s, %s, %v", test.id, event, resource, ok)
			}
		})
	}
	for _, e := range []schema.Event{
		employmentAdded(), redriven(employmentAdded()), reportsOf("a-1"), redriven(reportsOf("r1")),
	} {
		event, r, ok := schema.ParseCompletionKey(e.CompletionKey(e.Resource))
		if event != e.Key() || r != e.Resource || !ok {
			t.Errorf("%s is read as %s and %s", e.CompletionKey(e.Resource), event, r)
		}
		person := e
		person.Of = ""
		got := schema.WithoutAccount(e.CompletionKey(e.Resource))
		if want := person.CompletionKey(e.Resource); got != want {
			t.Errorf("without the account it is %s, want %s", got, want)
		}
	}
}

func TestAnAccountsFiltersMatchAllOfItsMessagesAndNoOthers(t *testing.T) {
	check := func(filter, own, foreign string) {
		t.Helper()
		if !matches(filter, own) || matches(filter, foreign) {
			t.Errorf("%s matches %s: %t, want true; %s: %t, want false",
				filter, own, matches(filter, own), foreign, matches(filter, foreign))
		}
	}
	for _, w := range schema.Catalogue() {
		own := schema.Event{
			Provider: w.Provider, ID: "e.1", Type: w.Name, Resource: w.Resource, Action: w.Action,
			AccountID: "a.1",
		}
		foreign := own
		foreign.AccountID = "a.2"
		events := schema.AccountEvents(w.Provider, "*", "*", own.Account())
		check(events, own.Subject(), foreign.Subject())
		completions := schema.AccountCompletions(w.Provider, own.Account())
		records := schema.AccountRecords(w.Provider, own.Account())
		for _, r := range w.Workers {
			check(completions, own.CompletionSubject(r), foreign.CompletionSubject(r))
			if !strings.HasPrefix(own.RecordsName(r), records) {
				t.Errorf("%s does not begin with %s", own.RecordsName(r), records)
			}
			if strings.HasPrefix(foreign.RecordsName(r), records) {
				t.Errorf("%s begins with %s", foreign.RecordsName(r), records)
			}
		}
	}
}

func TestASubjectIsTakenApartAsItWasPut(t *testing.T) {
	for _, id := range hostile {
		e := employmentAdded()
		e.AccountID = id
		p, r, action, account, err := schema.ParseSubject(e.Subject())
		if err != nil || p != e.Provider || r != e.Resource || action != e.Action ||
			account != e.Account() {
			t.Errorf("ParseSubject(%s) = %s, %s, %s, %s, %v",
				e.Subject(), p, r, action, account, err)
		}
	}
}

func TestASubjectOfSomethingElseIsNotTakenApart(t *testing.T) {
	for _, subject := range []string{
		"", "wagewire.events", "wagewire.events.pinwheel.income.added",
		"wagewire.events.pinwheel.income.added.a.b",
		"payroll.events.pinwheel.income.added.a", "wagewire.completions.pinwheel.income.a.b",
		"wagewire.event.pinwheel.income.added.a",
	} {
		if _, _, _, _, err := schema.ParseSubject(subject); err == nil {
			t.Errorf("ParseSubject(%q) takes it", subject)
		}
	}
}

// matches reports whether a filter matches a subject, by the rules of the broker.
func matches(filter, subject string) bool {
	f := strings.Split(filter, ".")
	s := strings.Split(subject, ".")
	for i, token := range f {
		switch {
		case token == ">":
			return len(s) > i
		case i >= len(s), token != "*" && token != s[i]:
			return false
		}
	}
	return len(f) == len(s)
}

func TestTheAccountOfACompletionsSubject(t *testing.T) {
	e := schema.Event{Provider: schema.Pinwheel, ID: "e-1", AccountID: "a.1"}
	subject := e.CompletionSubject(schema.Income)
	p, account := schema.CompletionAccount(subject)
	if p != schema.Pinwheel || account != e.Account() {
		t.Errorf("%s: got %s and %s, want %s", subject, p, account, e.Account())
	}
	for _, other := range []string{"", subject + ".more", e.Subject(), schema.AllCompletions} {
		if p, account := schema.CompletionAccount(other); p != "" || account != "" {
			t.Errorf("%q: got %q and %q", other, p, account)
		}
	}
}
