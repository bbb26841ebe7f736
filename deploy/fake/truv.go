package fake

import (
	"cmp"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/wagewire/wagewire/deploy/fake/signature"
)

// Truv is the name of the fake of https://truv.com.
const Truv = "truv"

// TruvClientID is the published client id of the fake Truv, the X-Access-Client-Id.
const TruvClientID = "sandbox-truv-client"

// truv is Truv's row.
//
// Truv repeats a webhook after every status but a 2xx, 3 times, 30 s apart (docs.truv.com,
// Webhooks; the numbers are from truvhq/demo-apps, USE-CASES.md). The fake follows no redirect.
var truv = provider{
	name:        Truv,
	secret:      signature.Truv().Secret,
	environment: map[string]string{"CLIENT_ID": TruvClientID, "RATE_PER_S": "100"},

	spells: func(webhookType string) bool {
		return strings.Contains(webhookType, "-") && !strings.Contains(webhookType, ".")
	},
	open: openTruv,
	ids: func(p *Person) object {
		list := object{{"link_id", p.LinkID}, {"user_id", p.UserID}, {"profile_id", p.ProfileID()}}
		for i, name := range []string{"employment_id", "earlier_employment_id"} {
			if ids := p.EmploymentIDs(); i < len(ids) {
				list = append(list, member{name, ids[i]})
			}
		}
		return list
	},
	idPath:   []string{"webhook_id"},
	newID:    newHex,
	webhook:  truvWebhook,
	timeline: truvTimeline,
	parting:  truvParting,
	apply:    applyTruv,

	sign: signature.Truv().Sign,
	describe: func(header http.Header, _ string) {
		header.Set("User-Agent", "Truv-Webhook-Service/2.0")
	},
	redelivery: redelivery{
		repeats:    func(status int) bool { return status < 200 || status > 299 },
		repeatsMax: 3,
		wait:       30 * time.Second,
		growth:     1,
		answerFor:  10 * time.Second,
	},
	keepsLog: true,

	endpoints: truvEndpoints,
	refuse:    refuseTruv,
	fail:      truvError,
}

// truvLink is a person's account at Truv.
type truvLink struct {
	*Person
	token       string // the access_token
	hash        string // the link_hash
	task        string // the id of the task that collected the data
	refreshTask string // the id of the newest refresh
	profileID   string
	reportID    string
	employments []truvEmployment // newest first
	shifts      []truvItem       // newest first

	// Guarded by Providers.mu.
	status        string    // of the newest task
	refreshStatus string    // of the newest refresh, empty without one
	finished      time.Time // when the data was complete
	updated       time.Time
	deleted       bool
	announced     map[string]bool // ids that a webhook has announced
}

// truvEmployment is a person's employment, with its pay statements, newest first.
type truvEmployment struct {
	id         string
	isEarlier  bool // it has ended
	statements []truvItem
}

// truvItem is a pay statement or a shift: the n-th of the person's paystubs or shifts.
type truvItem struct {
	n    int
	id   string
	date string
}

func truvOf(p *Person) *truvLink { return p.accounts[Truv].(*truvLink) }

func openTruv(p *Person, id string, made ids) {
	p.LinkID = cmp.Or(id, made.hex())
	p.UserID = made.hex()
	link := &truvLink{
		Person:      p,
		token:       "fake-access-token-" + made.hex(),
		hash:        made.hex(),
		task:        made.hex(),
		refreshTask: made.hex(),
		profileID:   made.hex(),
		reportID:    made.hex(),
		status:      "done",
		finished:    p.made,
		updated:     p.made,
		announced:   make(map[string]bool),
	}
	link.employments = append(link.employments, link.employment(made, 0, p.paystubCount))
	if p.earlierCount > 0 {
		earlier := link.employment(made, p.paystubCount, p.earlierCount)
		earlier.isEarlier = true
		link.employments = append(link.employments, earlier)
	}
	for i := range p.shiftCount {
		shift := truvItem{n: i, id: made.hex(), date: p.date(p.shiftAge(i))}
		link.shifts = append(link.shifts, shift)
	}
	p.canaries = append(p.canaries, link.token, truvSSN(p))
	p.accounts[Truv] = link
}

// employment makes an employment with so many of the person's paystubs, from the first-th on.
func (l *truvLink) employment(made ids, first, count int) truvEmployment {
	e := truvEmployment{id: made.hex()}
	for n := first; n < first+count; n++ {
		e.statements = append(e.statements, truvItem{
			n: n, id: made.hex(), date: l.date(l.payAge(n)),
		})
		l.canaries = append(l.canaries, dollars(grossYTD(n)))
	}
	return e
}

// EmploymentIDs lists the ids of the person's employments at Truv, newest first.
func (p *Person) EmploymentIDs() []string {
	var list []string
	for _, e := range truvOf(p).employments {
		list = append(list, e.id)
	}
	return list
}

// ProfileID returns the id of the person's profile at Truv.
func (p *Person) ProfileID() string { return truvOf(p).profileID }

// StatementIDs lists the ids of the pay statements of an employment at Truv, newest first.
func (p *Person) StatementIDs(employmentID string) []string {
	e, _ := truvOf(p).find(employmentID)
	return truvIDs(e.statements)
}

// TruvShiftIDs lists the ids of the person's shifts at Truv, newest first.
func (p *Person) TruvShiftIDs() []string { return truvIDs(truvOf(p).shifts) }

func truvIDs(items []truvItem) []string {
	list := make([]string, len(items))
	for i, item := range items {
		list[i] = item.id
	}
	return list
}

// find returns the employment with the id. An empty id means the newest employment.
func (l *truvLink) find(employmentID string) (e truvEmployment, ok bool) {
	for _, e := range l.employments {
		if employmentID == "" || e.id == employmentID {
			return e, true
		}
	}
	return truvEmployment{}, false
}

// refuseTruv requires both credentials (docs.truv.com, Authentication).
func refuseTruv(secret string, r *http.Request) (reply, bool) {
	right := r.Header.Get("X-Access-Client-Id") == TruvClientID &&
		r.Header.Get("X-Access-Secret") == secret
	if !right {
		return truvError(http.StatusUnauthorized, ""), true
	}
	return reply{}, false
}

// truvError is an error response of Truv (docs.truv.com, Errors). 404 and 429 have a bare "detail"
// where the other statuses have an "error" object. Truv documents no body for 5xx; Truv runs
// Django, whose own error page is HTML.
func truvError(status int, retryAfter string) reply {
	switch status {
	case http.StatusBadRequest:
		return truvErrorBody(status, "incorrect_parameters", "Incorrect request parameters")
	case http.StatusUnauthorized:
		return truvErrorBody(status, "authentication_failed", "No such token")
	case http.StatusForbidden:
		return truvErrorBody(status, "not_authenticated",
			"Authentication credentials were not provided.")
	case http.StatusGone:
		return truvErrorBody(status, "expired_token", "Token has expired")
	case http.StatusNotFound:
		return truvDetail(status, "Not Found.")
	case http.StatusTooManyRequests:
		return truvThrottled(retryAfter)
	}
	if status >= http.StatusInternalServerError {
		return truvServerError(status)
	}
	return truvErrorBody(status, "error", cmp.Or(http.StatusText(status), "Unknown"))
}

func truvErrorBody(status int, code, message string) reply {
	body := object{{"error", object{{"code", code}, {"message", message}}}}
	return reply{status: status, body: encode(body)}
}

func truvDetail(status int, detail string) reply {
	return reply{status: status, body: encode(object{{"detail", detail}})}
}

func truvThrottled(retryAfter string) reply {
	seconds := "17"
	if _, err := strconv.Atoi(retryAfter); err == nil {
		seconds = retryAfter
	}
	return truvDetail(http.StatusTooManyRequests,
		"Request was throttled. Expected available in "+seconds+" seconds.")
}

func truvServerError(status int) reply {
	const page = "<!doctype html><title>Server Error</title><h1>Server Error (%d)</h1>\n"
	return reply{
		status: status,
		header: map[string]string{"Content-Type": "text/html"},
		body:   fmt.Appendf(nil, page, status),
	}
}
