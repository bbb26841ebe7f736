package fake

import (
	"cmp"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Pinwheel is the name of the fake of https://www.pinwheelapi.com.
const Pinwheel = "pinwheel"

// pinwheel is Pinwheel's row.
//
// Pinwheel repeats a webhook only after a 5xx or a network failure, 5 times within 15 minutes with
// exponential waits (docs.pinwheelapi.com, Webhooks). The fake leaves out the jitter and follows no
// redirect.
var pinwheel = provider{
	name:        Pinwheel,
	secret:      "sandbox-pinwheel-secret",
	environment: map[string]string{"RATE_PER_S": "100"},

	spells: func(webhookType string) bool { return strings.Contains(webhookType, ".") },
	open:   openPinwheel,
	ids: func(p *Person) object {
		return object{{"account_id", p.AccountID}, {"link_token_id", p.LinkTokenID}}
	},
	idPath:   []string{"event_id"},
	newID:    newUUID,
	webhook:  pinwheelWebhook,
	timeline: pinwheelTimeline,
	apply:    applyPinwheel,

	sign:     signPinwheel,
	describe: describePinwheel,
	redelivery: redelivery{
		repeats:    func(status int) bool { return status == 0 || status >= 500 },
		repeatsMax: 5,
		wait:       25 * time.Second,
		growth:     2,
		answerFor:  15 * time.Second,
	},

	endpoints: pinwheelEndpoints,
	refuse:    refusePinwheel,
	fail:      func(status int, _ string) reply { return pinwheelError(status, "") },
	annotate: func(header http.Header, r *http.Request) {
		header.Set("Pinwheel-Version", r.Header.Get("Pinwheel-Version"))
		header.Set("X-Pinwheel-Request-Id", newUUID())
	},
}

// pinwheelAccount is a person's account at Pinwheel.
type pinwheelAccount struct {
	*Person
	objects  map[string]string // the ids of single objects, by their kind
	paystubs []record          // newest first
	shifts   []record          // newest first
	taxForms []record          // newest year first

	// Guarded by Providers.mu.
	monitoring    string               // monitoring_status
	removed       bool                 // Pinwheel reaches the account no more
	documented    bool                 // the newest paystub has its document
	refreshed     map[string]time.Time // when the snapshot of a resource was taken
	incomeUpdated time.Time
	announced     map[string]bool // ids that a webhook has announced
	jobs          []finishedJob   // oldest first
}

// applyPinwheel puts the account into the state of a webhook.
func applyPinwheel(p *Person, w Webhook, _ time.Time) {
	if w.Type == "paystubs.documents.added" {
		pinwheelOf(p).documented = true
	}
}

// record is a paystub, a shift or a tax form. A paystub starts and ends on the pay date, and a tax
// form with its year.
type record struct {
	id         string
	start, end string // dates
	body       []byte
}

func pinwheelOf(p *Person) *pinwheelAccount { return p.accounts[Pinwheel].(*pinwheelAccount) }

func openPinwheel(p *Person, id string, made ids) {
	p.AccountID = cmp.Or(id, made.uuid())
	p.LinkTokenID = made.uuid()
	a := &pinwheelAccount{
		Person:        p,
		monitoring:    "active",
		objects:       make(map[string]string),
		refreshed:     make(map[string]time.Time),
		incomeUpdated: p.made,
		announced:     make(map[string]bool),
	}
	for _, kind := range []string{
		"employment", "identity", "income", "voe", "voie", "document", "allocations",
	} {
		a.objects[kind] = made.uuid()
	}
	for i := range taxFormCount {
		a.taxForms = append(a.taxForms, a.taxForm(p.day.Year()-1-i, made.uuid()))
	}
	for i := range p.paystubCount {
		a.paystubs = append(a.paystubs, a.paystub(i, made.uuid(), i > 0))
		p.canaries = append(p.canaries, fmt.Sprint(grossYTD(i)))
	}
	for i := range p.shiftCount {
		a.shifts = append(a.shifts, a.shift(p.shiftAge(i), made.uuid()))
	}
	p.accounts[Pinwheel] = a
}

// PaystubIDs lists the ids of the person's paystubs at Pinwheel, newest first.
func (p *Person) PaystubIDs() []string { return idsOf(pinwheelOf(p).paystubs) }

// ShiftIDs lists the ids of the person's shifts at Pinwheel, newest first.
func (p *Person) ShiftIDs() []string { return idsOf(pinwheelOf(p).shifts) }

// TaxFormIDs lists the ids of the person's tax forms at Pinwheel, newest year first.
func (p *Person) TaxFormIDs() []string { return idsOf(pinwheelOf(p).taxForms) }

func idsOf(records []record) []string {
	list := make([]string, len(records))
	for i, r := range records {
		list[i] = r.id
	}
	return list
}

// signPinwheel sets x-timestamp and x-pinwheel-signature: HMAC-SHA256 over "v2:<timestamp>:<body>",
// with the API secret as key (docs.pinwheelapi.com, Webhook Signature Verification).
func signPinwheel(header http.Header, secret string, at time.Time, body []byte) {
	timestamp := strconv.FormatInt(at.Unix(), 10)
	header.Set("x-timestamp", timestamp)
	header.Set("x-pinwheel-signature", "v2="+hmacHex(secret, []byte("v2:"+timestamp+":"), body))
}

// describePinwheel sets the recorded headers. x-pinwheel-webhook-id names the registration, not the
// webhook.
func describePinwheel(header http.Header, registration string) {
	header.Set("User-Agent", "python-requests/2.31.0")
	header.Set("Pinwheel-Version", "2023-11-22")
	header.Set("x-pinwheel-webhook-id", registration)
}

// refusePinwheel requires the secret, and the header that names an API version
// (docs.pinwheelapi.com, Change Management).
func refusePinwheel(secret string, r *http.Request) (reply, bool) {
	if r.Header.Get("x-api-secret") != secret {
		return pinwheelError(http.StatusUnauthorized, "Invalid API secret."), true
	}
	if r.Header.Get("Pinwheel-Version") == "" {
		const message = "Pinwheel-Version is required."
		return pinwheelError(http.StatusBadRequest, message, "Pinwheel-Version"), true
	}
	return reply{}, false
}

// pinwheelError is the error envelope of docs.pinwheelapi.com, API Errors. The documentation has
// the type of 400 alone.
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
		const reason = "Provided value doesn't match valid format."
		var list []object
		for _, name := range fields {
			list = append(list, object{{"message", reason}, {"name", name}})
		}
		body = append(body, member{"fields", list})
	}
	return reply{status: status, body: encode(object{{"error", body}})}
}
