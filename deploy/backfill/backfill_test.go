package backfill_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"

	"github.com/wagewire/wagewire/deploy/backfill"
	"github.com/wagewire/wagewire/deploy/fake"
	"github.com/wagewire/wagewire/ingress/webhook"
	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/jsonschema/jsonschematest"
	"github.com/wagewire/wagewire/schema/stream"
	"github.com/wagewire/wagewire/schema/stream/streamtest"
	"github.com/wagewire/wagewire/workers/fetch"
)

// past is when the webhooks of these tests were sent: long enough ago for a backfill.
const past = time.Hour

// rig is a broker, and the fake providers an hour ago.
type rig struct {
	*testing.T
	op    *stream.Operator
	fakes *fake.Providers
	env   map[string]string
	since time.Time
}

func newRig(t *testing.T) *rig {
	t.Helper()
	t.Parallel()
	_, conn := streamtest.New(t)
	began := time.Now()
	fakes := fake.New(fake.Config{
		WebhookURL: "https://hooks.invalid/webhooks", PageMax: 10,
		Now: func() time.Time { return time.Now().Add(-past) },
	})
	api := httptest.NewServer(fakes)
	t.Cleanup(api.Close)
	t.Cleanup(fakes.Close)
	r := &rig{
		T: t, op: stream.NewOperator(conn), fakes: fakes, env: map[string]string{},
		since: began.Add(-2 * past),
	}
	for _, p := range schema.Providers() {
		for name, value := range fake.Environment(string(p), api.URL) {
			r.env[p.Variable(name)] = value
		}
		secret := filepath.Join(t.TempDir(), "secret")
		if err := os.WriteFile(secret, []byte(fake.Secret(string(p))), 0o600); err != nil {
			t.Fatal(err)
		}
		r.env[fetch.SecretVariable(p)] = secret
	}
	return r
}

// config is that of a backfill of everything since the beginning.
func (r *rig) config(p schema.Provider) backfill.Config {
	return backfill.Config{
		Provider: p, Since: r.since, SettledFor: backfill.SettledFor,
		Getenv: func(name string) string { return r.env[name] },
		Log:    zap.NewNop(),
		Tell:   func(text string) { r.Log(text) },
	}
}

// run runs a backfill, with changes to its config.
func (r *rig) run(p schema.Provider, change ...func(*backfill.Config)) []backfill.Finding {
	r.Helper()
	c := r.config(p)
	for _, change := range change {
		change(&c)
	}
	findings, err := backfill.Run(r.Context(), r.op, c)
	if err != nil {
		r.Fatal(err)
	}
	return findings
}

// lose makes a webhook that never arrives. SendWith tells the log of the provider.
func (r *rig) lose(p *fake.Person, kind string, opts fake.EventOptions) fake.Webhook {
	r.Helper()
	w, err := r.fakes.Event(p, kind, opts)
	if err != nil {
		r.Fatal(err)
	}
	if _, err := r.fakes.SendWith(r.Context(), w, fake.SendOptions{Lost: true}); err == nil {
		r.Fatal("a lost webhook had an answer")
	}
	return w
}

// deliver makes a webhook that ingress has stored.
func (r *rig) deliver(p *fake.Person, kind string, opts fake.EventOptions) schema.Event {
	r.Helper()
	w := r.lose(p, kind, opts)
	e, err := webhook.Parse(webhook.Received{
		Provider: schema.Provider(w.Provider), Body: w.Body, At: time.Now(),
	})
	if err == nil {
		_, err = r.op.PublishEvent(r.Context(), e)
	}
	if err != nil {
		r.Fatal(err)
	}
	return e
}

// complete stores a completion of the event in the state of its account, as the worker accounts
// does.
func (r *rig) complete(e schema.Event, outcome schema.Outcome, refreshed time.Time) {
	r.Helper()
	c := schema.NewCompletion(e, schema.Lookup(e.Provider, e.Type).Workers[0], outcome, time.Now())
	c.Data.AccountID = &e.AccountID
	scope := schema.Snapshot
	c.Data.Scope = &scope
	if !refreshed.IsZero() {
		c.Data.RefreshedAt = &refreshed
	}
	state, err := r.op.State(r.Context(), e.Provider, e.Account())
	if err != nil {
		r.Fatal(err)
	}
	next, _ := state.Merge(c, schema.ReadyWhen{}, time.Now())
	if stored, err := r.op.StoreState(r.Context(), state, next); !stored {
		r.Fatalf("the state is not stored: %v", err)
	}
}

// summary has the findings as "verdict type why", in alphabetical order.
func summary(findings []backfill.Finding) []string {
	lines := []string{}
	for _, f := range findings {
		lines = append(lines, strings.TrimSpace(fmt.Sprintf("%s %s %s", f.Verdict, f.Type, f.Why)))
	}
	slices.Sort(lines)
	return lines
}

// stored are the bodies and types of the stored events, in the order of the stream. Each must be a
// backfill.
func (r *rig) stored() (events []schema.Event) {
	r.Helper()
	err := r.op.Scan(r.Context(), schema.EventsStream, stream.Selection{},
		func(m stream.Stored) error {
			e, err := stream.DecodeEvent(m)
			events = append(events, e)
			return err
		})
	if err != nil {
		r.Fatal(err)
	}
	return events
}

func TestTheLogOfTruvBringsBackWebhooks(t *testing.T) {
	r := newRig(t)
	person := r.fakes.Person(fake.PersonOptions{})
	other := r.fakes.Person(fake.PersonOptions{})
	there := r.deliver(person, "link-connected", fake.EventOptions{})
	lost := r.lose(person, "link-disconnected", fake.EventOptions{})
	r.lose(other, "task-status-updated", fake.EventOptions{})
	for range 25 { // more than a page of the log, all about one webhook
		if _, err := r.fakes.SendWith(t.Context(), lost, fake.SendOptions{Lost: true}); err == nil {
			t.Fatal("a lost webhook had an answer")
		}
	}
	want := []string{
		"present link-connected", "stored link-disconnected", "stored task-status-updated",
	}
	dry := r.run(schema.Truv, func(c *backfill.Config) { c.DryRun = true })
	if diff := cmp.Diff(want, summary(dry)); diff != "" || len(r.stored()) != 1 {
		t.Errorf("a dry run (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(want, summary(r.run(schema.Truv))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	events := r.stored()
	if len(events) != 3 || events[0].Key() != there.Key() || events[0].Backfill {
		t.Fatalf("stored %v", events)
	}
	if e := events[1]; e.ID != lost.ID || !e.Backfill || e.AccountID != person.LinkID {
		t.Errorf("stored %+v", e)
	}
	again := []string{
		"present link-connected", "present link-disconnected", "present task-status-updated",
	}
	if diff := cmp.Diff(again, summary(r.run(schema.Truv))); diff != "" {
		t.Errorf("a second backfill (-want +got):\n%s", diff)
	}
}

func TestWhatABackfillOfTruvLeaves(t *testing.T) {
	for _, test := range []struct {
		promise string
		prepare func(r *rig, p *fake.Person)
		change  func(*backfill.Config)
		want    []string
	}{
		{"an erased account", func(r *rig, p *fake.Person) {
			r.lose(p, "link-connected", fake.EventOptions{})
			r.erase(schema.Truv, p.LinkID)
		}, nil, []string{"left link-connected the account is erased"}},
		{"what is young", func(r *rig, p *fake.Person) {
			r.lose(p, "link-connected", fake.EventOptions{})
		}, func(c *backfill.Config) { c.SettledFor = 2 * past },
			[]string{"left link-connected it is young: the provider may still send it"}},
		{"what is before the time in question", func(r *rig, p *fake.Person) {
			r.lose(p, "link-connected", fake.EventOptions{})
		}, func(c *backfill.Config) { c.Since = time.Now() }, []string{}},
		{"another account", func(r *rig, p *fake.Person) {
			r.lose(p, "link-connected", fake.EventOptions{})
		}, func(c *backfill.Config) { c.Account = "another" }, []string{}},
		{"another address", func(r *rig, p *fake.Person) {
			r.lose(p, "link-connected", fake.EventOptions{})
		}, func(c *backfill.Config) { c.WebhookURL = "https://another.invalid/truv" }, []string{}},
		{"what is no webhook", func(r *rig, p *fake.Person) {
			w := fake.Webhook{Provider: fake.Truv, Type: "x", Body: []byte(`{"event_type": 1}`)}
			_, _ = r.fakes.SendWith(r.Context(), w, fake.SendOptions{Lost: true})
		}, nil, []string{"left  the log has no webhook that can be read"}},
	} {
		t.Run(test.promise, func(t *testing.T) {
			r := newRig(t)
			test.prepare(r, r.fakes.Person(fake.PersonOptions{}))
			change := func(c *backfill.Config) {
				if test.change != nil {
					test.change(c)
				}
			}
			if diff := cmp.Diff(test.want, summary(r.run(schema.Truv, change))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if n := len(r.stored()); n != 0 {
				t.Errorf("%d events are stored", n)
			}
		})
	}
}

// erase marks the account as erased.
func (r *rig) erase(p schema.Provider, account string) {
	r.Helper()
	for _, step := range r.op.ErasureSteps(p, schema.Token(account)) {
		if err := step.Run(r.Context()); err != nil {
			r.Fatal(err)
		}
	}
}

// play loses every webhook of the life of a new account at Pinwheel.
func (r *rig) play(p *fake.Person) {
	r.Helper()
	for _, w := range r.fakes.Timeline(p) {
		if w.Provider == fake.Pinwheel {
			_, _ = r.fakes.SendWith(r.Context(), w, fake.SendOptions{Lost: true})
		}
	}
}

var wholeLife = []string{
	"stored account.added", "stored direct_deposit_allocations.added", "stored employment.added",
	"stored identity.added", "stored income.added", "stored paystubs.documents.added",
	"stored paystubs.fully_synced", "stored shifts.fully_synced", "stored tax_forms.added",
}

func TestTheJobsOfPinwheelBringBackWebhooks(t *testing.T) {
	r := newRig(t)
	for range 3 { // with pages of 10 jobs
		r.play(r.fakes.Person(fake.PersonOptions{}))
	}
	want := slices.Sorted(slices.Values(slices.Concat(wholeLife, wholeLife, wholeLife)))
	if diff := cmp.Diff(want, summary(r.run(schema.Pinwheel))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	events := r.stored()
	if len(events) != len(want) {
		t.Errorf("%d events are stored, want %d", len(events), len(want))
	}
	for _, e := range events {
		jsonschematest.Webhook(t, schema.Pinwheel, e.Type, e.Body)
		if !e.Backfill || len(schema.Lookup(e.Provider, e.Type).Workers) == 0 {
			t.Errorf("stored %+v", e)
		}
	}
	for _, line := range summary(r.run(schema.Pinwheel)) {
		if !strings.HasPrefix(line, "present ") {
			t.Errorf("a second backfill: %s", line)
		}
	}
	if n := len(r.stored()); n != len(want) {
		t.Errorf("%d events are stored after a second backfill, want %d", n, len(want))
	}
}

func TestABuiltWebhookSaysHowTheJobEnded(t *testing.T) {
	r := newRig(t)
	p := r.fakes.Person(fake.PersonOptions{})
	r.lose(p, "income.added", fake.EventOptions{
		Outcome: "error", ErrorCode: "dataNotAvailable", ErrorType: "platformError",
	})
	r.run(schema.Pinwheel)
	events := r.stored()
	if len(events) != 2 || events[0].Type != "income.added" && events[1].Type != "income.added" {
		t.Fatalf("stored %v", events)
	}
	for _, e := range events {
		if e.Type == "income.added" && !strings.Contains(string(e.Body),
			`"outcome":"error","error_code":"dataNotAvailable","error_type":"platformError"`) {
			t.Errorf("stored %s", e.Body)
		}
	}
}

func TestABuiltWebhookOfTaxFormsHasTheirIDs(t *testing.T) {
	for _, row := range []struct {
		promise string
		lose    fake.EventOptions
		fault   *fake.Fault
		want    string
		hasIDs  bool
	}{
		{"of every form", fake.EventOptions{}, nil, "stored tax_forms.added", true},
		{"of none if the job failed", fake.EventOptions{Outcome: "error"}, nil,
			"stored tax_forms.added", false},
		{"and none is built if Pinwheel has no list", fake.EventOptions{},
			&fake.Fault{Path: "tax_forms", Status: http.StatusNotFound},
			"left tax_forms.added the provider has no record", false},
	} {
		t.Run(row.promise, func(t *testing.T) {
			r := newRig(t)
			p := r.fakes.Person(fake.PersonOptions{})
			r.deliver(p, "account.added", fake.EventOptions{})
			r.lose(p, "tax_forms.added", row.lose)
			if row.fault != nil {
				if _, err := r.fakes.AddFault(*row.fault); err != nil {
					t.Fatal(err)
				}
			}
			want := []string{"present account.added", row.want}
			slices.Sort(want)
			if diff := cmp.Diff(want, summary(r.run(schema.Pinwheel))); diff != "" {
				t.Fatalf("(-want +got):\n%s", diff)
			}
			if strings.HasPrefix(row.want, "left") {
				return
			}
			events := r.stored()
			body := string(events[len(events)-1].Body)
			for _, id := range p.TaxFormIDs() {
				if strings.Contains(body, id) != row.hasIDs {
					t.Errorf("stored %s", body)
				}
			}
		})
	}
}

func TestTheLogOfTruvBringsBackEveryWebhookOfData(t *testing.T) {
	r := newRig(t)
	p := r.fakes.Person(fake.PersonOptions{})
	lost := map[string]fake.Webhook{}
	for _, row := range schema.Catalogue() {
		if row.Provider == schema.Truv && len(row.Workers) > 0 && !row.Erases {
			w := r.lose(p, row.Name, fake.EventOptions{})
			lost[w.ID] = w
		}
	}
	r.run(schema.Truv)
	events := r.stored()
	if len(events) != len(lost) {
		t.Fatalf("%d events are stored, want %d", len(events), len(lost))
	}
	for _, e := range events {
		var got, want any
		if err := json.Unmarshal(e.Body, &got); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(lost[e.ID].Body, &want); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" || !e.Backfill {
			t.Errorf("%s (-want +got):\n%s", e.Type, diff)
		}
	}
}

func TestWhatABackfillOfPinwheelStores(t *testing.T) {
	for _, test := range []struct {
		promise string
		prepare func(r *rig, p *fake.Person)
		change  func(*backfill.Config)
		want    []string
	}{
		{"nothing of an account whose webhooks came", func(r *rig, p *fake.Person) {
			for _, kind := range []string{
				"account.added", "employment.added", "paystubs.added", "paystubs.fully_synced",
			} {
				r.deliver(p, kind, fake.EventOptions{})
			}
		}, nil, []string{
			"present account.added", "present employment.added", "present paystubs.fully_synced",
		}},
		{"nothing of an account whose completions are there, without events",
			func(r *rig, p *fake.Person) {
				for _, kind := range []string{"account.added", "income.added", "shifts.fully_synced"} {
					w := r.lose(p, kind, fake.EventOptions{})
					e, err := webhook.Parse(webhook.Received{
						Provider: schema.Pinwheel, Body: w.Body, At: time.Now(),
					})
					if err != nil {
						r.Fatal(err)
					}
					r.complete(e, schema.Succeeded, e.OccurredAt.Add(time.Second))
				}
			}, nil, []string{
				"present account.added", "present income.added", "present shifts.fully_synced",
			}},
		{"nothing of bank accounts whose completion is there", func(r *rig, p *fake.Person) {
			r.deliver(p, "account.added", fake.EventOptions{})
			w := r.lose(p, "direct_deposit_allocations.added", fake.EventOptions{})
			e, err := webhook.Parse(webhook.Received{
				Provider: schema.Pinwheel, Body: w.Body, At: time.Now(),
			})
			if err != nil {
				r.Fatal(err)
			}
			r.complete(e, schema.Succeeded, e.OccurredAt.Add(time.Second))
		}, nil, []string{"present account.added", "present direct_deposit_allocations.added"}},
		{"the end of a sync whose beginning came", func(r *rig, p *fake.Person) {
			r.deliver(p, "account.added", fake.EventOptions{})
			r.deliver(p, "paystubs.added", fake.EventOptions{})
			r.lose(p, "paystubs.fully_synced", fake.EventOptions{})
		}, nil, []string{"present account.added", "stored paystubs.fully_synced"}},
		{"a refresh, which is no job", func(r *rig, p *fake.Person) {
			r.deliver(p, "account.added", fake.EventOptions{})
			r.lose(p, "employment.added", fake.EventOptions{Refresh: true})
		}, nil, []string{"present account.added", "stored employment.added"}},
		{"nothing of a refresh of a list whose webhook came", func(r *rig, p *fake.Person) {
			r.deliver(p, "account.added", fake.EventOptions{})
			r.deliver(p, "paystubs.added", fake.EventOptions{Refresh: true})
		}, nil, []string{"present account.added", "present paystubs.fully_synced"}},
		{"nothing of an account that is not connected", func(r *rig, p *fake.Person) {
			r.lose(p, "employment.added", fake.EventOptions{})
			r.lose(p, "account.removed", fake.EventOptions{})
		}, nil, []string{"left employment.added the account is not connected"}},
		{"nothing of an erased account", func(r *rig, p *fake.Person) {
			r.lose(p, "employment.added", fake.EventOptions{})
			r.erase(schema.Pinwheel, p.AccountID)
		}, nil, []string{
			"left account.added the account is erased", "left employment.added the account is erased",
		}},
		{"nothing that is young", func(r *rig, p *fake.Person) {
			r.lose(p, "employment.added", fake.EventOptions{})
		}, func(c *backfill.Config) { c.SettledFor = 2 * past }, []string{
			"left account.added it is young: the provider may still send it",
			"left employment.added it is young: the provider may still send it",
		}},
		{"nothing from before the time in question", func(r *rig, p *fake.Person) {
			r.lose(p, "employment.added", fake.EventOptions{})
		}, func(c *backfill.Config) { c.Since = time.Now() }, []string{}},
		{"nothing of a job that is pending", func(r *rig, p *fake.Person) {
			r.deliver(p, "account.added", fake.EventOptions{})
			r.lose(p, "income.added", fake.EventOptions{Outcome: "pending"})
		}, nil, []string{"present account.added"}},
	} {
		t.Run(test.promise, func(t *testing.T) {
			r := newRig(t)
			test.prepare(r, r.fakes.Person(fake.PersonOptions{}))
			change := func(c *backfill.Config) {
				if test.change != nil {
					test.change(c)
				}
			}
			before := len(r.stored())
			if diff := cmp.Diff(test.want, summary(r.run(schema.Pinwheel, change))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			stores := strings.Count(strings.Join(test.want, "\n"), "stored ")
			if n := len(r.stored()) - before; n != stores {
				t.Errorf("%d events are stored, want %d", n, stores)
			}
		})
	}
}

func TestABackfillOfOneAccountAsksForItsWholeLife(t *testing.T) {
	r := newRig(t)
	p := r.fakes.Person(fake.PersonOptions{})
	r.play(p)
	r.play(r.fakes.Person(fake.PersonOptions{}))
	one := func(c *backfill.Config) {
		c.Account = p.AccountID
		c.Since = time.Now()
	}
	findings := r.run(schema.Pinwheel, one)
	if diff := cmp.Diff(wholeLife, summary(findings)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for _, e := range r.stored() {
		if e.AccountID != p.AccountID {
			t.Errorf("stored %s of account %s", e.Type, e.AccountID)
		}
	}
	nobody := func(c *backfill.Config) { c.Account = "nobody" }
	if findings := r.run(schema.Pinwheel, nobody); len(findings) != 0 {
		t.Errorf("found %v of nobody", findings)
	}
}

func TestABackfillSaysWhatIsMissing(t *testing.T) {
	r := newRig(t)
	r.env["PINWHEEL_API_SECRET_FILE"] = ""
	_, err := backfill.Run(t.Context(), r.op, r.config(schema.Pinwheel))
	if err == nil || !strings.Contains(err.Error(), "PINWHEEL_API_SECRET_FILE is not set") {
		t.Errorf("error %v", err)
	}
	_, err = backfill.Run(t.Context(), r.op, r.config("acme"))
	if !errors.Is(err, backfill.ErrUnknown) {
		t.Errorf("error %v", err)
	}
}
