package fetch_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/workers"
	"github.com/wagewire/wagewire/workers/api"
	"github.com/wagewire/wagewire/workers/fetch"
	"github.com/wagewire/wagewire/workers/pinwheel"
)

// pages is a Pinwheel that answers each URL of the account with a body, and 404 to every other URL.
type pages struct {
	bodies map[string]string
	asked  []string
}

// RoundTrip answers a call.
func (p *pages) RoundTrip(r *http.Request) (*http.Response, error) {
	of := strings.TrimPrefix(r.URL.RequestURI(), "/v1/accounts/"+account)
	p.asked = append(p.asked, of)
	w := httptest.NewRecorder()
	body, ok := p.bodies[of]
	if !ok {
		w.WriteHeader(http.StatusNotFound)
	}
	_, _ = w.WriteString(body)
	return w.Result(), nil
}

// fetch works on a job about the resource of the webhook with the handler of resource r.
func (p *pages) fetch(
	t *testing.T, r, webhook schema.Resource, payload workers.Payload,
) (workers.Job, workers.Fetched, error) {
	t.Helper()
	config := (&provider{T: t}).config()
	config.Transport = p
	client, err := pinwheel.New(pinwheel.Config{Config: config, Version: "2025-07-08"})
	if err != nil {
		t.Fatal(err)
	}
	job := job(webhook, schema.ActionAdded, payload)
	got, err := fetch.PinwheelHandlers[r](client).Fetch(t.Context(), job)
	return job, got, err
}

// paystub is a paystub of the account. document is the JSON of its document.
func paystub(id, payDate, document string) string {
	return fmt.Sprintf(`{"id":%q,"pay_date":%q,"document":%s}`, id, payDate, document)
}

func TestDocumentsOfPaystubs(t *testing.T) {
	const (
		none = `null`
		some = `{"id":"doc-1","download_url":"https://documents.invalid/doc-1"}`
		all  = "/paystubs?limit=100"
		near = "/paystubs?from_pay_date=2025-12-31&limit=100&to_pay_date=2026-01-31"
	)
	first := paystub("stub-1", "2026-01-16", some)
	second := paystub("stub-2", "2026-01-02", none)
	outside := paystub("stub-3", "2026-01-31", `{"id":"doc-3"}`)
	dates := workers.Payload{FromPayDate: "2026-01-01", ToPayDate: "2026-01-30"}
	window := workers.Fetched{Scope: schema.Window, From: "2026-01-01", To: "2026-01-30"}
	with := func(p workers.Payload, added ...string) workers.Payload {
		p.Added = added
		return p
	}
	stale := func(f workers.Fetched) workers.Fetched {
		f.Stale = true
		return f
	}
	for _, row := range []struct {
		promise string
		records []string
		payload workers.Payload
		want    []string
		fetched workers.Fetched
		asked   string
	}{
		{"the dates are a window, and a paystub without a document is no lag",
			[]string{outside, first, second}, dates, []string{"stub-1", "stub-2"}, window, near},
		{"the dates count more than ids, which may be those of documents",
			[]string{first, second}, with(dates, "doc-9"), []string{"stub-1", "stub-2"}, window,
			near},
		{"a window without a document is stale", []string{outside, second}, dates,
			[]string{"stub-2"}, stale(window), near},
		{"a window without a paystub is stale", []string{outside}, dates, nil, stale(window), near},
		{"without dates, the paystubs that are named", []string{first, second, outside},
			with(workers.Payload{}, "stub-1"), []string{"stub-1"},
			workers.Fetched{Scope: schema.Delta}, all},
		{"without dates, the paystubs whose documents are named",
			[]string{first, second, outside}, with(workers.Payload{}, "doc-3"),
			[]string{"stub-3"}, workers.Fetched{Scope: schema.Delta}, all},
		{"without dates, a named paystub without a document is stale",
			[]string{first, second, outside}, with(workers.Payload{}, "stub-2"),
			[]string{"stub-2"}, stale(workers.Fetched{Scope: schema.Delta}), all},
		{"without dates and ids, every paystub", []string{first, second, outside},
			workers.Payload{}, []string{"stub-1", "stub-2", "stub-3"},
			workers.Fetched{Scope: schema.Snapshot}, all},
		{"a document that is gone leaves its paystub", []string{first},
			workers.Payload{Deleted: []string{"stub-1"}}, []string{"stub-1"},
			workers.Fetched{Scope: schema.Snapshot}, all},
		{"a document of another type is none",
			[]string{paystub("stub-1", "2026-01-16", `"doc"`), paystub("stub-2", "", `[]`)},
			workers.Payload{}, []string{"stub-1", "stub-2"},
			stale(workers.Fetched{Scope: schema.Snapshot}), all},
	} {
		t.Run(row.promise, func(t *testing.T) {
			// The paystubs were refreshed long before their documents came.
			body := `{"data":[` + strings.Join(row.records, ",") +
				`],"meta":{"refreshed_at":"2026-02-03T15:00:00Z"}}`
			p := &pages{bodies: map[string]string{row.asked: body}}
			row.payload.Timestamp = announced
			job, got, err := p.fetch(t, schema.Paystubs, "paystubs_documents", row.payload)
			if err != nil {
				t.Fatal(err)
			}
			row.fetched.RefreshedAt = time.Date(2026, 2, 3, 15, 0, 0, 0, time.UTC)
			if diff := cmp.Diff(row.fetched, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if got := idsOf(t, job); !slices.Equal(got, row.want) {
				t.Errorf("records %v, want %v", got, row.want)
			}
			if diff := cmp.Diff([]string{row.asked}, p.asked); diff != "" {
				t.Errorf("calls (-want +got):\n%s", diff)
			}
		})
	}
	t.Run("paystubs that are not there are the provider's answer", func(t *testing.T) {
		_, got, err := (&pages{}).fetch(t, schema.Paystubs, "paystubs_documents", dates)
		check(t, got, err, http.StatusNotFound)
	})
}

func TestTaxForms(t *testing.T) {
	const (
		first  = "/tax_forms?limit=100"
		second = "/tax_forms?cursor=next&limit=100"
	)
	bodies := map[string]string{
		first: `{"data":[{"id":"form-1","form_type":"W-2","year":"2025"},{"id":"form-2"}],` +
			`"meta":{"count":2,"next_cursor":"next","refreshed_at":"2026-02-03T15:19:08Z"}}`,
		second: `{"data":[{"id":"form-3"}],"meta":{"count":1,"next_cursor":null,` +
			`"refreshed_at":"2026-02-03T15:19:08Z"}}`,
	}
	fresh := time.Date(2026, 2, 3, 15, 19, 8, 0, time.UTC)
	for _, row := range []struct {
		promise string
		payload workers.Payload
		want    []string
		fetched workers.Fetched
		asked   []string
	}{
		{"the list is read until every announced form is found, and deleted ones are passed on",
			workers.Payload{Added: []string{"form-1"}, Deleted: []string{"old"}},
			[]string{"form-1"},
			workers.Fetched{RefreshedAt: fresh, Deleted: []string{"old"}}, []string{first}},
		{"the next page has what the first lacks", workers.Payload{Added: []string{"form-3"}},
			[]string{"form-3"}, workers.Fetched{RefreshedAt: fresh}, []string{first, second}},
		{"a form that is in no page is missing, and is never asked for by itself",
			workers.Payload{Added: []string{"gone", "form-2"}}, []string{"form-2"},
			workers.Fetched{RefreshedAt: fresh, Missing: []string{"gone"}},
			[]string{first, second}},
		{"a form that was only deleted needs no call", workers.Payload{Deleted: []string{"old"}},
			nil, workers.Fetched{Deleted: []string{"old"}}, nil},
		{"a webhook that names no form needs no call", workers.Payload{}, nil,
			workers.Fetched{}, nil},
		{"a list that is older than the webhook is stale", workers.Payload{
			Added: []string{"form-1"}, Timestamp: fresh.Add(time.Second),
		}, []string{"form-1"}, workers.Fetched{RefreshedAt: fresh, Stale: true}, []string{first}},
	} {
		t.Run(row.promise, func(t *testing.T) {
			p := &pages{bodies: bodies}
			job, got, err := p.fetch(t, schema.TaxForms, schema.TaxForms, row.payload)
			if err != nil {
				t.Fatal(err)
			}
			row.fetched.Scope = schema.Delta
			if diff := cmp.Diff(row.fetched, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if got := idsOf(t, job); !slices.Equal(got, row.want) {
				t.Errorf("records %v, want %v", got, row.want)
			}
			if diff := cmp.Diff(row.asked, p.asked); diff != "" {
				t.Errorf("calls (-want +got):\n%s", diff)
			}
		})
	}
	t.Run("forms that are not there are the provider's answer", func(t *testing.T) {
		payload := workers.Payload{Added: []string{"form-1"}}
		_, got, err := (&pages{}).fetch(t, schema.TaxForms, schema.TaxForms, payload)
		check(t, got, err, http.StatusNotFound)
	})
}

func TestDirectDepositAllocationsAreBankAccounts(t *testing.T) {
	const (
		path   = "/direct_deposit_allocations"
		record = `{"id":"dda-1","allocations":[{"masked_account_number":"6789","percentage":12.50}]}`
	)
	at := time.Date(2026, 2, 3, 15, 19, 7, 0, time.UTC)
	answer := `{"data":` + record + `,"meta":{"refreshed_at":"2026-02-03T15:19:07Z"}}`
	for _, row := range []struct {
		promise   string
		announced time.Time
		stale     bool
	}{
		{"are fetched as Pinwheel wrote them", at, false},
		{"are stale if they are older than their webhook", at.Add(time.Second), true},
	} {
		t.Run(row.promise, func(t *testing.T) {
			p := &pages{bodies: map[string]string{path: answer}}
			payload := workers.Payload{Timestamp: row.announced}
			job, got, err := p.fetch(t, schema.BankAccounts, "direct_deposit_allocations", payload)
			if err != nil {
				t.Fatal(err)
			}
			want := workers.Fetched{Scope: schema.Snapshot, RefreshedAt: at, Stale: row.stale}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			records := job.Records.InMemory()
			if len(records) != 1 || string(records[0]) != record {
				t.Errorf("records %s, want %s", records, record)
			}
		})
	}
	t.Run("that are not there are the provider's answer", func(t *testing.T) {
		_, got, err := (&pages{}).fetch(t, schema.BankAccounts, "direct_deposit_allocations",
			workers.Payload{})
		check(t, got, err, http.StatusNotFound)
	})
}

func TestJobsOfAPlatformAreResources(t *testing.T) {
	for _, row := range []struct {
		promise, jobs string
		want          []schema.Resource
	}{
		{"allocations of direct deposits are bank accounts", `"direct_deposit_allocations"`,
			[]schema.Resource{schema.BankAccounts}},
		{"tax forms have their name", `"tax_forms"`, []schema.Resource{schema.TaxForms}},
		{"a switch of direct deposits is none", `"direct_deposit_switch"`, []schema.Resource{}},
		{"a job with the name of our resource, and not Pinwheel's, is none", `"bank_accounts"`,
			[]schema.Resource{}},
	} {
		t.Run(row.promise, func(t *testing.T) {
			p := &provider{
				T:        t,
				account:  `{"id":"a","platform_id":"plat-1"}`,
				platform: `{"id":"plat-1","supported_jobs":[` + row.jobs + `]}`,
			}
			job := job("account", schema.ActionAdded, workers.Payload{})
			got, err := p.fetchPinwheel(schema.Link, job)
			check(t, got, err, 0)
			if diff := cmp.Diff(row.want, got.Supported); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestADocumentIsNamedByItsID(t *testing.T) {
	for document, want := range map[string]string{
		`{"id":"doc-1"}`: "doc-1", `{"id":7}`: "", `{}`: "", `null`: "", `"doc"`: "", `[]`: "",
	} {
		record := api.Record{JSON: []byte(paystub("stub-1", "2026-01-16", document))}
		if got := pinwheel.DocumentID(record); got != want {
			t.Errorf("document %s: id %q, want %q", document, got, want)
		}
	}
}
