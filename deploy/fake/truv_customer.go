package fake

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	truvPageSize = 20
	// truvLogFor is how long the log keeps an attempt (docs.truv.com, Webhook requests).
	truvLogFor = 30 * 24 * time.Hour
)

// webhooks answers a page of registrations (docs.truv.com, Webhooks).
func (f truvAPI) webhooks(r *http.Request, _ fired) reply {
	all := f.subscriptionsOf(Truv)
	page, err := strconv.Atoi(r.URL.Query().Get("page"))
	if err != nil || page < 1 {
		page = 1
	}
	start := min((page-1)*truvPageSize, len(all))
	end := min(start+truvPageSize, len(all))
	results := []object{}
	for _, s := range all[start:end] {
		results = append(results, truvSubscription(s))
	}
	var next any
	if end < len(all) {
		next = "https://api.invalid/v1/webhooks/?page=" + strconv.Itoa(page+1)
	}
	return reply{status: http.StatusOK, body: encode(object{
		{"count", len(all)}, {"next", next}, {"previous", nil}, {"results", results},
	})}
}

func truvSubscription(s Subscription) object {
	return object{
		{"id", s.ID},
		{"name", s.name},
		{"webhook_url", s.URL},
		{"events", s.Events},
		{"env_type", s.Environment},
		{"enabled", !s.Paused},
		{"created_at", s.made.Format(truvTime)},
		{"updated_at", s.changed.Format(truvTime)},
	}
}

// truvRegistration is the body of a call that registers, or changes a registration.
type truvRegistration struct {
	Name        string   `json:"name"`
	URL         string   `json:"webhook_url"`
	Environment string   `json:"env_type"`
	Events      []string `json:"events"`
	Enabled     *bool    `json:"enabled"`
}

func (f truvAPI) createWebhook(r *http.Request, _ fired) reply {
	var in truvRegistration
	_ = json.NewDecoder(r.Body).Decode(&in) // a wrong body lacks the fields
	isEnvironment := slices.Contains([]string{"sandbox", "dev", "prod"}, in.Environment)
	isKnown := func(s Subscription) bool {
		return s.URL == in.URL && s.Environment == in.Environment
	}
	if in.Name == "" || in.URL == "" || !isEnvironment ||
		slices.ContainsFunc(f.subscriptionsOf(Truv), isKnown) {
		return truvError(http.StatusBadRequest, "")
	}
	s := f.subscribe(Subscription{
		Provider: Truv, URL: in.URL, Events: in.Events, Environment: in.Environment, name: in.Name,
	})
	return reply{status: http.StatusCreated, body: encode(truvSubscription(s))}
}

func (f truvAPI) updateWebhook(r *http.Request, _ fired) reply {
	var in truvRegistration
	if json.NewDecoder(r.Body).Decode(&in) != nil {
		return truvError(http.StatusBadRequest, "")
	}
	s, err := f.ChangeSubscription(r.PathValue("webhook_id"), func(s *Subscription) {
		if in.Events != nil {
			s.Events = in.Events
		}
		if in.Enabled != nil {
			s.Paused = !*in.Enabled
		}
	})
	if err != nil {
		return truvError(http.StatusNotFound, "")
	}
	return reply{status: http.StatusOK, body: encode(truvSubscription(s))}
}

// sendings answers a page of the log of webhooks that Truv has sent or tried to send, newest first.
// webhook_id is the registration's. The webhook in webhook_payload has an id of its own.
func (f truvAPI) sendings(r *http.Request, _ fired) reply {
	query := r.URL.Query()
	since, wrong := readSince(query, "created_at__gte")
	if wrong {
		return truvError(http.StatusBadRequest, "")
	}
	oldest := f.now().Add(-truvLogFor)
	if since.Before(oldest) {
		since = oldest
	}
	// A cursor is the place in the list. New attempts would move it, and the fake has none then.
	start, _ := strconv.Atoi(strings.TrimPrefix(query.Get("cursor"), "c"))
	all := f.deliveriesOf(Truv, since)
	start = min(max(0, start), len(all))
	end := min(start+truvPageSize, len(all))
	results := []object{}
	for _, d := range all[start:end] {
		results = append(results, f.sending(d))
	}
	var next any
	if end < len(all) {
		next = "https://api.invalid/v1/webhook-requests/?cursor=c" + strconv.Itoa(end)
	}
	return reply{status: http.StatusOK, body: encode(object{
		{"next", next}, {"previous", nil}, {"results", results},
	})}
}

func (f truvAPI) sending(d delivery) object {
	var status, failure any
	if d.status != 0 {
		status = d.status
	}
	if d.err != "" {
		failure = "connection failed"
	}
	return object{
		{"webhook_id", f.registration},
		{"event_type", d.webhook.Type},
		{"event_created_at", d.at.UTC().Format(truvTime)},
		{"status_code", status},
		{"error_message", failure},
		{"webhook_payload", json.RawMessage(d.webhook.Body)},
		{"webhook_url", d.url},
	}
}
