package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/wagewire/wagewire/deploy/fake"
	"github.com/wagewire/wagewire/ingress/webhook"
	"github.com/wagewire/wagewire/schema"
)

// store stores the event of a webhook of the person.
func (w *ward) store(p *fake.Person, kind string) schema.Event {
	w.Helper()
	sent, err := w.fakes.Event(p, kind, fake.EventOptions{})
	w.must(err)
	e, err := webhook.Parse(webhook.Received{
		Provider: schema.Provider(sent.Provider), Body: sent.Body, At: receivedAt,
	})
	w.must(err)
	w.publish(e)
	return e
}

func TestAWebhookIsRecorded(t *testing.T) {
	w := newWard(t)
	p := w.fakes.Person(fake.PersonOptions{})
	older := w.store(p, "paystubs.added")
	newer := w.store(p, "paystubs.added")
	link := w.store(p, "link-connected")
	for promise, args := range map[string][]string{
		"by the provider's id":       {older.ID},
		"by the key of Wagewire":     {newer.Key()},
		"the newest of a type":       {"--last", "paystubs.added"},
		"a link":                     {link.ID},
		"the newest link, by a flag": {"--last=link-connected"},
	} {
		t.Run(promise, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "fixture.json")
			got := w.does(0, append([]string{"record", "-o", path}, args...)...)
			const counts = `values replaced \([0-9]+ texts, [0-9]+ numbers?, [0-9]+ times, ` +
				`[0-9]+ names?\), 1 call\nto play it: wagewire trigger --fixture `
			if !regexp.MustCompile(counts).MatchString(got.stdout) {
				t.Errorf("printed %s", got.stdout)
			}
			info, err := os.Stat(path)
			w.must(err)
			text, err := os.ReadFile(path)
			w.must(err)
			if info.Mode() != 0o600 || !strings.Contains(string(text), `"wagewire.fixture.v1"`) {
				t.Errorf("%v %s", info.Mode(), text)
			}
			for _, canary := range append(p.Canaries(), p.AccountID, p.LinkID, older.ID) {
				if strings.Contains(string(text)+got.stdout+got.stderr, canary) {
					t.Errorf("%q is not replaced", canary)
				}
			}
		})
	}
}

// Names of unknown fields may be names of persons. They are replaced, and those that stay are told.
func TestNamesOfUnknownFieldsThatStayAreTold(t *testing.T) {
	w := newWard(t)
	for promise, row := range map[string]struct {
		// members stand before those of the webhook.
		members string
		stays   []string
		gone    []string
		stderr  string // in front of all other lines
	}{
		"names of known words": {
			`"pay_group":1,"tax_code":{"rate_type":null},`,
			[]string{`"pay_group"`, `"tax_code"`, `"rate_type"`}, nil,
			"names of unknown fields that stay: pay_group, rate_type, tax_code: " +
				"make sure that none is of a person\n",
		},
		"no name of a person": {
			`"pay_group":1,"pay_by_employee":{"maria_gonzalez":{"gross":1},"jdoe":1},`,
			[]string{`"pay_group"`, `"gross"`}, []string{"maria", "gonzalez", "jdoe"},
			"names of unknown fields that stay: gross, pay_by_employee, pay_group: ",
		},
		"no name that is a value in another spelling": {
			`"title":"Gross, First","tax_code":{"first_gross":1},`,
			[]string{`"tax_code"`}, []string{"first_gross"},
			"names of unknown fields that stay: tax_code, title: ",
		},
		"nothing is told without any": {"", nil, nil, ""},
	} {
		t.Run(promise, func(t *testing.T) {
			sent, err := w.fakes.Event(w.fakes.Person(fake.PersonOptions{}), "link-connected",
				fake.EventOptions{})
			w.must(err)
			body := "{" + row.members + strings.TrimPrefix(string(sent.Body), "{")
			e, err := webhook.Parse(webhook.Received{
				Provider: schema.Truv, Body: []byte(body), At: receivedAt,
			})
			w.must(err)
			w.publish(e)
			got := w.does(0, "record", e.ID, "--output", "-")
			contains(t, got.stdout, row.stays...)
			if !strings.HasPrefix(got.stderr, row.stderr) ||
				strings.Contains(got.stderr, "unknown") != (row.stderr != "") {
				t.Errorf("told %q, want first %q", got.stderr, row.stderr)
			}
			for _, name := range row.gone {
				if strings.Contains(got.stdout+got.stderr, name) {
					t.Errorf("%s is left in %s and %s", name, got.stdout, got.stderr)
				}
			}
		})
	}
}

func TestTheNewestWebhookIsRecorded(t *testing.T) {
	w := newWard(t)
	p := w.fakes.Person(fake.PersonOptions{Paystubs: -1, Shifts: -1})
	w.store(w.fakes.Person(fake.PersonOptions{Forbidden: true}), "income.added")
	w.store(p, "income.added")
	w.store(p, "identity.added")
	path := filepath.Join(t.TempDir(), "fixture.json")
	got := w.does(0, "record", "--last", "income.added", "--output", path)
	if got.stderr != "" {
		t.Errorf("an older one was recorded, which is forbidden: %s", got.stderr)
	}
}

func TestAFileIsOverwrittenOnlyWithForce(t *testing.T) {
	w := newWard(t)
	e := w.store(w.fakes.Person(fake.PersonOptions{}), "income.added")
	path := filepath.Join(t.TempDir(), "fixture.json")
	w.must(os.WriteFile(path, []byte("mine"), 0o600))
	got := w.does(1, "record", e.ID, "--output", path)
	contains(t, got.stderr, "file already exists: give another --output, or --force")
	if text, err := os.ReadFile(path); string(text) != "mine" || w.fakes.Calls().Total != 0 {
		t.Errorf("the file is %s, %v, and %d calls were made", text, err, w.fakes.Calls().Total)
	}
	w.does(0, "record", e.ID, "--output", path, "--force")
	text, err := os.ReadFile(path)
	w.must(err)
	contains(t, string(text), "wagewire.fixture.v1")
}

func TestADirectoryIsMissedBeforeAnyCall(t *testing.T) {
	w := newWard(t)
	e := w.store(w.fakes.Person(fake.PersonOptions{}), "income.added")
	got := w.does(1, "record", e.ID, "--output", filepath.Join(t.TempDir(), "nosuch", "f.json"))
	contains(t, got.stderr, "nosuch: no such file or directory")
	if calls := w.fakes.Calls().Total; calls != 0 {
		t.Errorf("%d calls were made", calls)
	}
}

func TestAFixtureGoesToStandardOutput(t *testing.T) {
	w := newWard(t)
	e := w.store(w.fakes.Person(fake.PersonOptions{}), "income.added")
	got := w.does(0, "record", e.ID, "--output", "-")
	contains(t, got.stderr, " values replaced (", ", 1 call\n")
	var f fake.Fixture
	w.must(json.Unmarshal([]byte(got.stdout), &f))
	if f.Type != "income.added" || len(f.Calls) != 1 {
		t.Errorf("printed %s", got.stdout)
	}
}

func TestRecordSaysWhatIsWrong(t *testing.T) {
	w := newWard(t)
	p := w.fakes.Person(fake.PersonOptions{})
	pinwheel := w.event("income.added", "the-same", "a-1")
	truv := w.event("link-connected", "the-same", "l-1")
	w.publish(pinwheel, truv)
	stored := w.store(p, "order-created")
	for promise, row := range map[string]struct {
		args []string
		code int
		want string
	}{
		"no event":                   {nil, 2, "give one event id, not 0, or --last with a type"},
		"two events":                 {[]string{"a", "b"}, 2, "not 2"},
		"an event and a type":        {[]string{"a", "--last", "income.added"}, 2, "not both"},
		"a type with a typo":         {[]string{"--last", "incom.added"}, 2, "did you mean income.added?"},
		"an event that is not there": {[]string{"nosuch"}, 1, "event nosuch is not on WAGEWIRE_EVENTS"},
		"a type that nobody has":     {[]string{"--last", "shifts.added"}, 1, "no webhook shifts.added is stored"},
		"a deletion, which is erased": {[]string{"--last", "link-deleted"}, 1,
			"no webhook link-deleted is stored: the events of a deleted account are erased"},
		"an id at two providers":  {[]string{"the-same"}, 1, "give pinwheel:ID or truv:ID"},
		"a type without a worker": {[]string{stored.ID}, 1, "no worker completes events of this type"},
	} {
		t.Run(promise, func(t *testing.T) {
			dir := t.TempDir()
			args := []string{"record", "--output", filepath.Join(dir, "fixture.json")}
			got := w.does(row.code, append(args, row.args...)...)
			contains(t, got.stderr, row.want)
			if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 {
				t.Errorf("%v is left, %v", entries, err)
			}
		})
	}
}
