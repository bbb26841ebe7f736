package fake

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Sizes of a page of paystubs or shifts (docs.pinwheelapi.com, API Pagination). The default for
// shifts is recorded, not documented.
const (
	pinwheelPageSize = 25
	pinwheelPageMax  = 100
)

func pinwheelEndpoints(f *Providers) []endpoint {
	const account = "/v1/accounts/{account_id}"
	const endUser = "/v1/end_users/{end_user_id}"
	const reports = endUser + "/verification_reports"
	api := pinwheelAPI{f}
	return []endpoint{
		{name: "account", path: account, serve: api.account},
		{name: "employment", path: account + "/employment", serve: api.employment},
		{name: "identity", path: account + "/identity", serve: api.identity},
		{name: "income", path: account + "/income", serve: api.income},
		{name: "paystubs", path: account + "/paystubs", serve: api.paystubs},
		{name: "paystub", path: account + "/paystubs/{paystub_id}", serve: api.paystub},
		{name: "shifts", path: account + "/shifts", serve: api.shifts},
		{
			name: "direct_deposit_allocations", path: account + "/direct_deposit_allocations",
			serve: api.allocations,
		},
		{name: "tax_forms", path: account + "/tax_forms", serve: api.taxForms},
		{name: "platform", path: "/v1/platforms/{platform_id}", serve: api.platform},
		{name: "end_user_accounts", path: endUser + "/accounts", serve: api.endUserAccounts},
		{name: "voe", path: reports + "/voe", serve: api.report("voe")},
		{name: "voie", path: reports + "/voie", serve: api.report("voie")},
		{name: "accounts", path: "/v1/accounts", serve: api.accounts},
		{name: "jobs", path: "/v1/jobs", serve: api.jobs},
		{name: "webhooks", path: "/v1/webhooks", serve: api.webhooks},
		{path: "/v1/webhooks", method: http.MethodPost, serve: api.createWebhook},
		{path: "/v1/webhooks/{webhook_id}", method: http.MethodPut, serve: api.updateWebhook},
	}
}

// pinwheelAPI answers the calls to Pinwheel.
type pinwheelAPI struct{ *Providers }

// ofAccount calls respond with the account in the path. An unknown account is not found.
func (f pinwheelAPI) ofAccount(r *http.Request, respond func(*pinwheelAccount) reply) reply {
	id := r.PathValue("account_id")
	p := f.find(id)
	if p == nil || p.AccountID != id {
		return pinwheelError(http.StatusNotFound, "Account not found.")
	}
	return respond(pinwheelOf(p))
}

func (f pinwheelAPI) account(r *http.Request, _ fired) reply {
	return f.ofAccount(r, func(a *pinwheelAccount) reply {
		f.mu.Lock()
		defer f.mu.Unlock()
		return pinwheelData(a.account(a.refreshed), nil)
	})
}

func (f pinwheelAPI) platform(r *http.Request, _ fired) reply {
	if r.PathValue("platform_id") != platformID {
		return pinwheelError(http.StatusNotFound, "Platform not found.")
	}
	return pinwheelData(platform(), nil)
}

func (f pinwheelAPI) employment(r *http.Request, faults fired) reply {
	return f.ofAccount(r, func(a *pinwheelAccount) reply {
		return pinwheelData(a.employment(), f.snapshot(a, "employment", faults))
	})
}

func (f pinwheelAPI) identity(r *http.Request, faults fired) reply {
	return f.ofAccount(r, func(a *pinwheelAccount) reply {
		return pinwheelData(a.identity(), f.snapshot(a, "identity", faults))
	})
}

func (f pinwheelAPI) income(r *http.Request, faults fired) reply {
	return f.ofAccount(r, func(a *pinwheelAccount) reply {
		meta := f.snapshot(a, "income", faults)
		f.mu.Lock()
		defer f.mu.Unlock()
		return pinwheelData(a.income(a.incomeUpdated), meta)
	})
}

func (f pinwheelAPI) allocations(r *http.Request, faults fired) reply {
	return f.ofAccount(r, func(a *pinwheelAccount) reply {
		return pinwheelData(a.allocations(), f.snapshot(a, "direct_deposit_allocations", faults))
	})
}

func (f pinwheelAPI) taxForms(r *http.Request, faults fired) reply {
	return f.ofAccount(r, func(a *pinwheelAccount) reply {
		return f.page(r, a, "tax_forms", a.taxForms, faults,
			pinwheelFilter{from: "from_year", to: "to_year"})
	})
}

func (f pinwheelAPI) paystubs(r *http.Request, faults fired) reply {
	return f.ofAccount(r, func(a *pinwheelAccount) reply {
		return f.page(r, a, "paystubs", a.paystubs, faults,
			pinwheelFilter{after: "from_pay_date", to: "to_pay_date"})
	})
}

func (f pinwheelAPI) shifts(r *http.Request, faults fired) reply {
	return f.ofAccount(r, func(a *pinwheelAccount) reply {
		return f.page(r, a, "shifts", a.shifts, faults,
			pinwheelFilter{from: "from_start_date", to: "to_start_date"},
			pinwheelFilter{from: "from_end_date", to: "to_end_date"})
	})
}

func (f pinwheelAPI) paystub(r *http.Request, faults fired) reply {
	return f.ofAccount(r, func(a *pinwheelAccount) reply {
		id := r.PathValue("paystub_id")
		for _, s := range f.present(a, a.paystubs, faults) {
			if s.id == id {
				return pinwheelData(json.RawMessage(s.body), nil)
			}
		}
		return pinwheelError(http.StatusNotFound, "Paystub not found.")
	})
}

// report answers with a report of the kind, without meta: refreshed_at is a member of the report.
func (f pinwheelAPI) report(kind string) func(*http.Request, fired) reply {
	return func(r *http.Request, faults fired) reply {
		id := r.PathValue("end_user_id")
		p := f.find(id)
		if p == nil || p.EndUserID != id {
			return pinwheelError(http.StatusNotFound, "End user not found.")
		}
		a := pinwheelOf(p)
		refreshed := f.refreshedAt(a, "verification_reports", faults)
		return pinwheelData(a.report(kind, refreshed), nil)
	}
}

// pinwheelData is the envelope of every success. meta may be nil.
func pinwheelData(v any, meta object) reply {
	body := object{{"data", v}}
	if meta != nil {
		body = append(body, member{"meta", meta})
	}
	return reply{status: http.StatusOK, body: encode(body)}
}

// snapshot is the meta of a response: the time at which Pinwheel last read the payroll platform.
func (f pinwheelAPI) snapshot(a *pinwheelAccount, resource string, faults fired) object {
	return object{{"refreshed_at", f.refreshedAt(a, resource, faults).Format(pinwheelTime)}}
}

func (f pinwheelAPI) refreshedAt(a *pinwheelAccount, resource string, faults fired) time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	at, ok := a.refreshed[resource]
	if !ok {
		at = a.made
	}
	if faults.stale() {
		at = at.Add(-24 * time.Hour)
	}
	return at
}

// present returns the records except those that a fault leaves out.
func (f pinwheelAPI) present(a *pinwheelAccount, records []record, faults fired) []record {
	f.mu.Lock()
	defer f.mu.Unlock()
	var list []record
	for _, r := range records {
		if faults.leaveOut(r.id, a.announced[r.id]) {
			continue
		}
		if a.documented && len(a.paystubs) > 0 && r.id == a.paystubs[0].id {
			r = a.paystub(0, r.id, true)
		}
		list = append(list, r)
	}
	return list
}

// pinwheelFilter names the query parameters of a date. Pinwheel documents paystubs as
// "after" from_pay_date, and to_pay_date was recorded to be inclusive. Shifts are documented as "on
// or after" and "on or before".
type pinwheelFilter struct{ after, from, to string }

func (b pinwheelFilter) matches(query url.Values, date string) bool {
	to := query.Get(b.to)
	return date > query.Get(b.after) && date >= query.Get(b.from) && (to == "" || date <= to)
}

// pinwheelPage is the part of a list in a call's query.
type pinwheelPage struct{ start, limit int }

// readPinwheelPage reads the page from the query. wrong is the name of a wrong parameter.
func readPinwheelPage(query url.Values) (page pinwheelPage, wrong string) {
	for name, values := range query {
		_, err := time.Parse(time.DateOnly, values[0])
		if strings.HasSuffix(name, "_date") && err != nil {
			return page, name
		}
	}
	limit, err := strconv.Atoi(cmp.Or(query.Get("limit"), strconv.Itoa(pinwheelPageSize)))
	if err != nil || limit < 1 || limit > pinwheelPageMax {
		return page, "limit"
	}
	start, err := pinwheelOffset(query.Get("cursor"))
	if err != nil {
		return page, "cursor"
	}
	return pinwheelPage{start: start, limit: limit}, ""
}

// page answers a page of a list, newest first. Shifts have a filter for the start and a second
// filter for the end.
func (f pinwheelAPI) page(
	r *http.Request,
	a *pinwheelAccount,
	resource string,
	records []record,
	faults fired,
	filters ...pinwheelFilter,
) reply {
	query := r.URL.Query()
	page, wrong := readPinwheelPage(query)
	if wrong != "" {
		return pinwheelError(http.StatusBadRequest, "Validation error.", wrong)
	}
	var matching []record
	for _, r := range f.present(a, records, faults) {
		matches := filters[0].matches(query, r.start)
		for _, filter := range filters[1:] {
			matches = matches && filter.matches(query, r.end)
		}
		if matches {
			matching = append(matching, r)
		}
	}
	size := min(page.limit, cmp.Or(f.config.PageMax, pinwheelPageMax))
	start := min(page.start, len(matching))
	end := min(start+size, len(matching))
	list := []json.RawMessage{}
	for _, r := range matching[start:end] {
		list = append(list, r.body)
	}
	var next any // null on the last page, as recorded
	switch {
	case faults.repeatCursor():
		next = pinwheelCursor(start)
	case end < len(matching):
		next = pinwheelCursor(end)
	}
	meta := append(f.snapshot(a, resource, faults),
		member{"count", len(list)}, member{"next_cursor", next})
	return pinwheelData(list, meta)
}

// pinwheelCursor makes an opaque cursor, like Pinwheel's.
func pinwheelCursor(offset int) string {
	return base64.URLEncoding.EncodeToString(fmt.Appendf(nil, `{"offset": %d}`, offset))
}

func pinwheelOffset(cursor string) (int, error) {
	if cursor == "" {
		return 0, nil
	}
	text, err := base64.URLEncoding.DecodeString(cursor)
	if err != nil {
		return 0, err
	}
	var place struct{ Offset uint32 }
	err = json.Unmarshal(text, &place)
	return int(place.Offset), err
}
