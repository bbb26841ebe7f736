package fake

import (
	"cmp"
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// refuseTruv wants both credentials (docs.truv.com, Authentication).
func refuseTruv(c Config, r *http.Request) (reply, bool) {
	id, secret := r.Header.Get("X-Access-Client-Id"), r.Header.Get("X-Access-Secret")
	if id == "" || secret == "" || id != c.TruvClientID || secret != c.TruvSecret {
		return truvError(http.StatusUnauthorized, ""), true
	}
	return reply{}, false
}

// truvError is what Truv answers (docs.truv.com, Errors). Two shapes differ
// from the rest: 404 and 429 have a bare "detail". No shape is documented for
// 5xx; Truv runs Django, whose own answer is HTML.
func truvError(status int, retryAfter string) reply {
	var code, message string
	switch status {
	case http.StatusBadRequest:
		code, message = "incorrect_parameters", "Incorrect request parameters"
	case http.StatusUnauthorized:
		code, message = "authentication_failed", "No such token"
	case http.StatusForbidden:
		code, message = "not_authenticated", "Authentication credentials were not provided."
	case http.StatusGone:
		code, message = "expired_token", "Token has expired"
	case http.StatusNotFound:
		return reply{status: status, body: encode(object{{"detail", "Not Found."}})}
	case http.StatusTooManyRequests:
		seconds := "17"
		if _, err := strconv.Atoi(retryAfter); err == nil {
			seconds = retryAfter
		}
		detail := "Request was throttled. Expected available in " + seconds + " seconds."
		return reply{status: status, body: encode(object{{"detail", detail}})}
	default:
		if status >= http.StatusInternalServerError {
			return reply{
				status: status,
				header: map[string]string{"Content-Type": "text/html"},
				body:   fmt.Appendf(nil, "<!doctype html><title>Server Error</title><h1>Server Error (%d)</h1>\n", status),
			}
		}
		code, message = "error", cmp.Or(http.StatusText(status), "Unknown")
	}
	return reply{status: status, body: encode(object{{"error", object{{"code", code}, {"message", message}}}})}
}

// link answers the Link object, with its access token unmasked: callers must
// not let it out. A deleted link is not found.
func (f *Providers) link(r *http.Request, _ fired) reply {
	f.mu.Lock()
	defer f.mu.Unlock()
	id := r.PathValue("link_id")
	p := f.byID[id]
	if p == nil || p.LinkID != id || p.linkDeleted {
		return truvError(http.StatusNotFound, "")
	}
	return reply{status: http.StatusOK, body: encode(object{
		{"id", p.LinkID},
		{"access_token", p.token},
		{"created_at", p.made.Format(time.RFC3339)},
		{"updated_at", p.linkUpdated.Format(time.RFC3339)},
		{"deleted_at", nil},
		{"tracking_info", nil},
		{"status", p.linkStatus}, // of the link's last task
		{"user_external_id", p.EndUserID},
		{"provider_id", "fictional_payroll"},
		{"provider", object{{"id", "fictional_payroll"}, {"name", platformName}, {"logo_url", nil}}},
		{"company_mapping", object{{"id", nil}, {"name", employer}, {"logo_url", nil}}},
		{"link_hash", p.hash},
		{"allowed_products", []string{"income", "employment"}},
		{"initial_product_type", "income"},
		{"data_source", "payroll"},
		{"is_suspicious", false},
		{"is_dds_available", nil},
	})}
}

// addSlash answers as Django does when only the final slash is missing.
func addSlash(r *http.Request, _ fired) reply {
	to := r.URL.EscapedPath() + "/"
	if r.URL.RawQuery != "" {
		to += "?" + r.URL.RawQuery
	}
	return reply{
		status: http.StatusMovedPermanently,
		header: map[string]string{"Location": to, "Content-Type": "text/html; charset=utf-8"},
	}
}

// linkEvent puts a link into the state that a webhook tells of.
func (f *Providers) linkEvent(w Webhook) {
	f.mu.Lock()
	defer f.mu.Unlock()
	p := f.byID[w.Account]
	if p == nil || w.Provider != Truv {
		return
	}
	switch w.Type {
	case "link-connected":
		p.linkStatus = "done"
	case "link-disconnected":
		p.linkStatus = "login_error"
	case "link-deleted":
		p.linkDeleted = true
	default:
		return
	}
	p.linkUpdated = f.now().UTC()
}
