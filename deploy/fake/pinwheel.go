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

// Sizes of a page of paystubs or shifts (docs.pinwheelapi.com, API
// Pagination; the default is recorded, not documented, for shifts).
const (
	pageSize = 25
	pageMax  = 100
)

// refusePinwheel wants the secret, and the header that names an API version
// (docs.pinwheelapi.com, Change Management).
func refusePinwheel(c Config, r *http.Request) (reply, bool) {
	if secret := r.Header.Get("x-api-secret"); secret == "" || secret != c.PinwheelSecret {
		return pinwheelError(http.StatusUnauthorized, "Invalid API secret."), true
	}
	if r.Header.Get("Pinwheel-Version") == "" {
		return pinwheelError(http.StatusBadRequest, "Pinwheel-Version is required.", "Pinwheel-Version"), true
	}
	return reply{}, false
}

// pinwheelError is the envelope of docs.pinwheelapi.com, API Errors. Which
// status goes with which type is not documented beyond 400.
func pinwheelError(status int, message string, fields ...string) reply {
	kind := "UNKNOWN_ERROR"
	switch status {
	case http.StatusBadRequest:
		kind = "INVALID_REQUEST_PARAMETERS"
	case http.StatusUnauthorized, http.StatusForbidden:
		kind = "UNAUTHORIZED_REQUEST"
	case http.StatusNotFound:
		kind = "RECORD_NOT_FOUND"
	}
	body := object{
		{"type", kind},
		{"code", kind},
		{"message", cmp.Or(message, http.StatusText(status), "Unknown.")},
		{"status_code", status},
	}
	if len(fields) > 0 {
		var list []object
		for _, name := range fields {
			list = append(list, object{{"message", "Provided value doesn't match valid format."}, {"name", name}})
		}
		body = append(body, member{"fields", list})
	}
	return reply{status: status, body: encode(object{{"error", body}})}
}

// ofAccount answers with what a registered account has, or that there is none.
func (f *Providers) ofAccount(r *http.Request, answer func(*Person) reply) reply {
	id := r.PathValue("account_id")
	p := f.find(id)
	if p == nil || p.AccountID != id {
		return pinwheelError(http.StatusNotFound, "Account not found.")
	}
	return answer(p)
}

func (f *Providers) account(r *http.Request, _ fired) reply {
	return f.ofAccount(r, func(p *Person) reply {
		f.mu.Lock()
		defer f.mu.Unlock()
		return data(p.account(p.refreshed), nil)
	})
}

func (f *Providers) employment(r *http.Request, faults fired) reply {
	return f.ofAccount(r, func(p *Person) reply {
		return data(p.employment(), f.snapshot(p, "employment", faults))
	})
}

func (f *Providers) identity(r *http.Request, faults fired) reply {
	return f.ofAccount(r, func(p *Person) reply {
		return data(p.identity(), f.snapshot(p, "identity", faults))
	})
}

func (f *Providers) income(r *http.Request, faults fired) reply {
	return f.ofAccount(r, func(p *Person) reply {
		meta := f.snapshot(p, "income", faults)
		f.mu.Lock()
		defer f.mu.Unlock()
		return data(p.income(p.incomeUpdated), meta)
	})
}

func (f *Providers) paystubs(r *http.Request, faults fired) reply {
	return f.ofAccount(r, func(p *Person) reply {
		return f.page(r, p, "paystubs", p.paystubs, faults, filter{after: "from_pay_date", to: "to_pay_date"})
	})
}

func (f *Providers) shifts(r *http.Request, faults fired) reply {
	return f.ofAccount(r, func(p *Person) reply {
		return f.page(r, p, "shifts", p.shifts, faults,
			filter{from: "from_start_date", to: "to_start_date"},
			filter{from: "from_end_date", to: "to_end_date"})
	})
}

func (f *Providers) paystub(r *http.Request, faults fired) reply {
	return f.ofAccount(r, func(p *Person) reply {
		id := r.PathValue("paystub_id")
		for _, s := range f.present(p, p.paystubs, faults) {
			if s.id == id {
				return data(json.RawMessage(s.body), nil)
			}
		}
		return pinwheelError(http.StatusNotFound, "Paystub not found.")
	})
}

func (f *Providers) voe(r *http.Request, faults fired) reply  { return f.report(r, "voe", faults) }
func (f *Providers) voie(r *http.Request, faults fired) reply { return f.report(r, "voie", faults) }

// report has no meta: refreshed_at is a member of the report.
func (f *Providers) report(r *http.Request, kind string, faults fired) reply {
	id := r.PathValue("end_user_id")
	p := f.find(id)
	if p == nil || p.EndUserID != id {
		return pinwheelError(http.StatusNotFound, "End user not found.")
	}
	return data(p.report(kind, f.refreshedAt(p, "verification_reports", faults)), nil)
}

// data is the envelope of every answer; meta may be nil.
func data(v any, meta object) reply {
	body := object{{"data", v}}
	if meta != nil {
		body = append(body, member{"meta", meta})
	}
	return reply{status: http.StatusOK, body: encode(body)}
}

// snapshot says when the data was last looked at, at the payroll platform.
func (f *Providers) snapshot(p *Person, resource string, faults fired) object {
	return object{{"refreshed_at", f.refreshedAt(p, resource, faults).Format(pinwheelTime)}}
}

func (f *Providers) refreshedAt(p *Person, resource string, faults fired) time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	at, ok := p.refreshed[resource]
	if !ok {
		at = p.made
	}
	if faults.stale() {
		at = at.Add(-24 * time.Hour)
	}
	return at
}

// present are the records but those that a fault leaves out.
func (f *Providers) present(p *Person, records []record, faults fired) []record {
	f.mu.Lock()
	defer f.mu.Unlock()
	var list []record
	for _, r := range records {
		if !faults.leaveOut(r.id, p.announced[r.id]) {
			list = append(list, r)
		}
	}
	return list
}

// A filter names the query parameters that bound a date. Paystubs are
// documented as "after" from_pay_date; to_pay_date was seen to be inclusive.
// Shifts are documented as "on or after" and "on or before".
type filter struct{ after, from, to string }

func (b filter) keeps(query url.Values, date string) bool {
	after, from, to := query.Get(b.after), query.Get(b.from), query.Get(b.to)
	return date > after && date >= from && (to == "" || date <= to)
}

// page answers one page of a list, newest first.
func (f *Providers) page(r *http.Request, p *Person, resource string, records []record, faults fired, filters ...filter) reply {
	query := r.URL.Query()
	for name, values := range query {
		_, err := time.Parse(time.DateOnly, values[0])
		if strings.HasSuffix(name, "_date") && err != nil {
			return pinwheelError(http.StatusBadRequest, "Validation error.", name)
		}
	}
	limit, err := strconv.Atoi(cmp.Or(query.Get("limit"), strconv.Itoa(pageSize)))
	if err != nil || limit < 1 || limit > pageMax {
		return pinwheelError(http.StatusBadRequest, "Validation error.", "limit")
	}
	start, err := offsetOf(query.Get("cursor"))
	if err != nil {
		return pinwheelError(http.StatusBadRequest, "Validation error.", "cursor")
	}

	var kept []record
	for _, r := range f.present(p, records, faults) {
		keep := filters[0].keeps(query, r.start)
		for _, b := range filters[1:] {
			keep = keep && b.keeps(query, r.end)
		}
		if keep {
			kept = append(kept, r)
		}
	}
	start = min(start, len(kept))
	end := min(start+min(limit, f.config.PageMax), len(kept))
	list := []json.RawMessage{}
	for _, r := range kept[start:end] {
		list = append(list, r.body)
	}
	var next any // null on the last page, as recorded
	switch {
	case faults.repeatCursor():
		next = cursor(start)
	case end < len(kept):
		next = cursor(end)
	}
	meta := append(f.snapshot(p, resource, faults), member{"count", len(list)}, member{"next_cursor", next})
	return data(list, meta)
}

// cursor is opaque to the caller, like Pinwheel's.
func cursor(offset int) string {
	return base64.URLEncoding.EncodeToString(fmt.Appendf(nil, `{"offset": %d}`, offset))
}

func offsetOf(cursor string) (int, error) {
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
