package fake

import (
	"cmp"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
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
	secret:      "sandbox-truv-secret",
	environment: map[string]string{"CLIENT_ID": TruvClientID, "RATE_PER_S": "100"},

	spells: func(webhookType string) bool {
		return strings.Contains(webhookType, "-") && !strings.Contains(webhookType, ".")
	},
	open: openTruv,
	ids: func(p *Person) object {
		return object{{"link_id", p.LinkID}, {"user_id", p.UserID}}
	},
	idPath:   []string{"webhook_id"},
	newID:    newHex,
	webhook:  truvWebhook,
	timeline: truvTimeline,
	apply:    applyTruv,

	sign: signTruv,
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

// truvLink is a person's account at Truv. Everything but token and hash is guarded by Providers.mu.
type truvLink struct {
	token   string // the access_token
	hash    string // the link_hash
	status  string
	updated time.Time
	deleted bool
}

func truvOf(p *Person) *truvLink { return p.accounts[Truv].(*truvLink) }

func openTruv(p *Person, id string, made ids) {
	p.LinkID = cmp.Or(id, made.hex())
	p.UserID = made.hex()
	link := &truvLink{
		token:   "fake-access-token-" + made.hex(),
		hash:    made.hex(),
		status:  "done",
		updated: p.made,
	}
	p.canaries = append(p.canaries, link.token)
	p.accounts[Truv] = link
}

// signTruv sets X-WEBHOOK-SIGN: HMAC-SHA256 over the body alone, with the access secret as key
// (docs.truv.com, Webhooks).
func signTruv(header http.Header, secret string, _ time.Time, body []byte) {
	header.Set("X-WEBHOOK-SIGN", "v1="+hmacHex(secret, body))
}

// truvTimeline connects a link, disconnects and deletes it.
func truvTimeline(p *Person) []moment {
	var moments []moment
	for _, webhookType := range []string{"link-connected", "link-disconnected", "link-deleted"} {
		moments = append(moments, func(at time.Time) []Webhook {
			return []Webhook{truvWebhook(p, webhookType, EventOptions{}, at)}
		})
	}
	return moments
}

// truvWebhook makes a webhook with the fields of docs.truv.com, Links events. Webhooks of other
// kinds have the documented ids.
func truvWebhook(p *Person, webhookType string, opts EventOptions, at time.Time) Webhook {
	at = at.UTC()
	id := cmp.Or(opts.ID, newHex())
	body := object{
		{"webhook_id", id},
		{"event_type", webhookType},
		{"event_created_at", at.Format("2006-01-02T15:04:05.000000Z")},
		{"updated_at", at.Format("2006-01-02T15:04:05.000000+00:00")},
		{"link_id", p.LinkID},
		{"product", "income"},
		{"data_source", "payroll"},
		{"tracking_info", nil},
		{"user_id", p.UserID},
		{"template_id", nil},
	}
	kind, _, _ := strings.Cut(webhookType, "-")
	switch kind {
	case "task":
		body = append(body, member{"task_id", newHex()}, member{"status", "done"})
	case "order":
		body = append(body, member{"order_id", newHex()}, member{"status", "completed"})
	case "employment", "profile":
		body = append(body, member{"task_id", newHex()}, member{"object_id", newHex()})
	case "statements", "shifts", "bank":
		body = append(body, member{"task_id", newHex()}, member{"employment_id", newHex()},
			member{"objects_count", 1})
	}
	return Webhook{
		Provider: Truv, ID: id, Type: webhookType, Account: p.LinkID, Body: spaced(body),
	}
}

// applyTruv puts the link into the state of a webhook.
func applyTruv(p *Person, webhookType string, at time.Time) {
	link := truvOf(p)
	switch webhookType {
	case "link-connected":
		link.status = "done"
	case "link-disconnected":
		link.status = "login_error"
	case "link-deleted":
		link.deleted = true
	default:
		return
	}
	link.updated = at.UTC()
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

func truvEndpoints(f *Providers) []endpoint {
	api := truvAPI{f}
	return []endpoint{
		{name: "link", path: "/v1/links/{link_id}/{$}", serve: api.link},
		{name: "", path: "/v1/links/{link_id}", serve: redirectToSlash},
		{name: "webhooks", path: "/v1/webhooks/{$}", serve: api.webhooks},
		{name: "webhook_requests", path: "/v1/webhook-requests/{$}", serve: api.sendings},
		{path: "/v1/webhooks/{$}", method: http.MethodPost, serve: api.createWebhook},
		{path: "/v1/webhooks/{webhook_id}/{$}", method: http.MethodPatch, serve: api.updateWebhook},
	}
}

// truvAPI answers the calls to Truv.
type truvAPI struct{ *Providers }

// link returns the Link object. The access token is complete: callers must keep the token
// secret. A deleted link is not found.
func (f truvAPI) link(r *http.Request, _ fired) reply {
	f.mu.Lock()
	defer f.mu.Unlock()
	id := r.PathValue("link_id")
	p := f.byID[id]
	if p == nil || p.LinkID != id || truvOf(p).deleted {
		return truvError(http.StatusNotFound, "")
	}
	link := truvOf(p)
	return reply{status: http.StatusOK, body: encode(object{
		{"id", p.LinkID},
		{"access_token", link.token},
		{"created_at", p.made.Format(time.RFC3339)},
		{"updated_at", link.updated.Format(time.RFC3339)},
		{"deleted_at", nil},
		{"tracking_info", nil},
		{"status", link.status}, // of the link's last task
		{"user_external_id", p.EndUserID},
		{"provider_id", "fictional_payroll"},
		{"provider", object{
			{"id", "fictional_payroll"}, {"name", platformName}, {"logo_url", nil},
		}},
		{"company_mapping", object{{"id", nil}, {"name", employer}, {"logo_url", nil}}},
		{"link_hash", link.hash},
		{"allowed_products", []string{"income", "employment"}},
		{"initial_product_type", "income"},
		{"data_source", "payroll"},
		{"is_suspicious", false},
		{"is_dds_available", nil},
	})}
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
