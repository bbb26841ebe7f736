package fake

import (
	"cmp"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
)

const (
	// truvPageMax is the size of the largest page. Truv documents none.
	truvPageMax = 100
	// truvTemplateMax is how many pay statements of an employment the customer's template lets
	// through (docs.truv.com, Customization). A list with return_all_statements has all.
	truvTemplateMax = 24
)

func truvEndpoints(f *Providers) []endpoint {
	const link = "/v1/links/{link_id}"
	api := truvAPI{f}
	return []endpoint{
		{name: "link", path: link + "/{$}", serve: api.link},
		{name: "employments", path: link + "/employments/{$}", serve: api.employments},
		{name: "profile", path: link + "/identity/{$}", serve: api.profile},
		{name: "statements", path: link + "/statements/{$}", serve: api.statements},
		{name: "truv_shifts", path: link + "/shifts/{$}", serve: api.shifts},
		{name: "bank_accounts", path: link + "/bank_accounts/{$}", serve: api.bankAccounts},
		{name: "income_report", path: link + "/income/report/{$}", serve: api.report("income")},
		{
			name: "employment_report", path: link + "/employment/report/{$}",
			serve: api.report("employment"),
		},
		{path: link, serve: redirectToSlash},
		{path: link + "/{list}", serve: redirectToSlash},
		{path: link + "/{product}/report", serve: redirectToSlash},
		{name: "webhooks", path: "/v1/webhooks/{$}", serve: api.webhooks},
		{name: "webhook_requests", path: "/v1/webhook-requests/{$}", serve: api.sendings},
		{path: "/v1/webhooks/{$}", method: http.MethodPost, serve: api.createWebhook},
		{path: "/v1/webhooks/{webhook_id}/{$}", method: http.MethodPatch, serve: api.updateWebhook},
	}
}

// truvAPI answers the calls to Truv.
type truvAPI struct{ *Providers }

// ofLink calls respond with the link in the path. An unknown link and a deleted link are not found.
func (f truvAPI) ofLink(r *http.Request, respond func(*truvLink) reply) reply {
	id := r.PathValue("link_id")
	p := f.find(id)
	if p == nil || p.LinkID != id || f.isDeleted(truvOf(p)) {
		return truvError(http.StatusNotFound, "")
	}
	return respond(truvOf(p))
}

func (f truvAPI) isDeleted(link *truvLink) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return link.deleted
}

// isPresent reports whether no fault leaves the record out.
func (f truvAPI) isPresent(link *truvLink, id string, faults fired) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return !faults.leaveOut(id, link.announced[id])
}

// present returns the items except those that a fault leaves out.
func (f truvAPI) present(link *truvLink, items []truvItem, faults fired) []truvItem {
	f.mu.Lock()
	defer f.mu.Unlock()
	var present []truvItem
	for _, item := range items {
		if !faults.leaveOut(item.id, link.announced[item.id]) {
			present = append(present, item)
		}
	}
	return present
}

func truvData(v any) reply { return reply{status: http.StatusOK, body: encode(v)} }

func (f truvAPI) link(r *http.Request, _ fired) reply {
	return f.ofLink(r, func(link *truvLink) reply {
		f.mu.Lock()
		defer f.mu.Unlock()
		return truvData(link.link())
	})
}

// employments answers a list without pages (docs.truv.com, Employment).
func (f truvAPI) employments(r *http.Request, faults fired) reply {
	return f.ofLink(r, func(link *truvLink) reply {
		list := []object{}
		for _, e := range link.employments {
			if f.isPresent(link, e.id, faults) {
				list = append(list, append(link.employed(e), link.income()...))
			}
		}
		return truvData(list)
	})
}

func (f truvAPI) profile(r *http.Request, faults fired) reply {
	return f.ofLink(r, func(link *truvLink) reply {
		if !f.isPresent(link, link.profileID, faults) {
			return truvError(http.StatusNotFound, "")
		}
		return truvData(link.profile())
	})
}

// statements answers a page of one employment's pay statements, by default of the newest. The
// answer to an unknown employment is not documented.
func (f truvAPI) statements(r *http.Request, faults fired) reply {
	return f.ofLink(r, func(link *truvLink) reply {
		query := r.URL.Query()
		e, ok := link.find(query.Get("employment_id"))
		if !ok || faults.leaveOut(e.id, false) {
			return truvError(http.StatusNotFound, "")
		}
		items := e.statements
		if query.Get("return_all_statements") != "true" {
			items = items[:min(len(items), truvTemplateMax)]
		}
		items = within(items, query, "pay_date_from", "pay_date_to")
		return f.page(r, link, "statements", items, faults, link.statement)
	})
}

// shifts answers a page of the shifts of all employments.
func (f truvAPI) shifts(r *http.Request, faults fired) reply {
	return f.ofLink(r, func(link *truvLink) reply {
		items := within(link.shifts, r.URL.Query(), "start_date_from", "start_date_to")
		return f.page(r, link, "shifts", items, faults, link.shift)
	})
}

// bankAccounts answers a list without pages, of records without ids.
func (f truvAPI) bankAccounts(r *http.Request, faults fired) reply {
	return f.ofLink(r, func(link *truvLink) reply {
		list := []object{}
		for i, account := range link.bankAccounts() {
			if f.isPresent(link, link.bank[i].account, faults) {
				list = append(list, account)
			}
		}
		return truvData(list)
	})
}

// report answers with the report of a product. Seconds after the task Truv may answer 404
// (truvhq/demo-apps), as with the fault missing.
func (f truvAPI) report(product string) func(*http.Request, fired) reply {
	return func(r *http.Request, faults fired) reply {
		return f.ofLink(r, func(link *truvLink) reply {
			if !f.isPresent(link, link.reportID, faults) {
				return truvError(http.StatusNotFound, "")
			}
			f.mu.Lock()
			state := truvReportState{"done", link.refreshStatus, link.finished}
			f.mu.Unlock()
			if faults.stale() {
				state.status = "full_parse"
			}
			return truvData(link.report(product, state))
		})
	}
}

// within returns the items with a date between two parameters of the query, both inclusive.
func within(items []truvItem, query url.Values, from, to string) []truvItem {
	var chosen []truvItem
	for _, item := range items {
		isEarly := query.Get(to) == "" || item.date <= query.Get(to)
		if item.date >= query.Get(from) && isEarly {
			chosen = append(chosen, item)
		}
	}
	return chosen
}

// page answers a page of a list, newest first, by the page's number. As in Truv's examples, next
// has the path in another form than the calls. Its host is not the fake's either.
func (f truvAPI) page(
	r *http.Request,
	link *truvLink,
	list string,
	items []truvItem,
	faults fired,
	record func(truvItem) object,
) reply {
	present := f.present(link, items, faults)
	number, size := f.readTruvPage(r.URL.Query())
	pages := max(1, (len(present)+size-1)/size)
	shown := number
	if faults.repeatCursor() {
		shown = 1
		pages = number + 1
	}
	if number < 1 || number > pages {
		return truvDetail(http.StatusNotFound, "Invalid page.") // Django REST framework
	}
	address := func(number int) any {
		if number < 1 || number > pages {
			return nil
		}
		return fmt.Sprintf("https://api.invalid/v1/link/%s/%s?page=%d", link.LinkID, list, number)
	}
	start := min((shown-1)*size, len(present))
	results := []object{}
	for _, item := range present[start:min(start+size, len(present))] {
		results = append(results, record(item))
	}
	return truvData(object{
		{"count", len(present)},
		{"next", address(number + 1)},
		{"previous", address(number - 1)},
		{"results", results},
	})
}

// readTruvPage reads the number and the size of a page from the query. A wrong number is 0. A wrong
// size is the usual one.
func (f truvAPI) readTruvPage(query url.Values) (number, size int) {
	number, err := strconv.Atoi(cmp.Or(query.Get("page"), "1"))
	if err != nil {
		number = 0
	}
	size, err = strconv.Atoi(query.Get("page_size"))
	if err != nil || size < 1 {
		size = truvPageSize
	}
	return number, min(size, cmp.Or(f.config.PageMax, truvPageMax))
}

// redirectToSlash answers as Django does if only the final slash is missing.
func redirectToSlash(r *http.Request, _ fired) reply {
	to := r.URL.EscapedPath() + "/"
	if r.URL.RawQuery != "" {
		to += "?" + r.URL.RawQuery
	}
	return reply{
		status: http.StatusMovedPermanently,
		header: map[string]string{"Location": to, "Content-Type": "text/html; charset=utf-8"},
	}
}
