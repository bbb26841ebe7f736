package fake

import (
	"cmp"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// pinwheelSubscriptionsMax is how many registrations an API key may have
// (docs.pinwheelapi.com, Webhooks).
const pinwheelSubscriptionsMax = 10

// list answers a page of objects that have no refreshed_at.
func (f pinwheelAPI) list(r *http.Request, objects []object, faults fired) reply {
	page, wrong := readPinwheelPage(r.URL.Query())
	if wrong != "" {
		return pinwheelError(http.StatusBadRequest, "Validation error.", wrong)
	}
	size := min(page.limit, cmp.Or(f.config.PageMax, pinwheelPageMax))
	start := min(page.start, len(objects))
	end := min(start+size, len(objects))
	list := append([]object{}, objects[start:end]...)
	var next any
	switch {
	case faults.repeatCursor():
		next = pinwheelCursor(start)
	case end < len(objects):
		next = pinwheelCursor(end)
	}
	return pinwheelData(list, object{{"count", len(list)}, {"next_cursor", next}})
}

// accounts answers a page of all accounts (docs.pinwheelapi.com, List Accounts).
func (f pinwheelAPI) accounts(r *http.Request, faults fired) reply {
	connected := r.URL.Query().Get("connected")
	return f.list(r, f.accountsThat(func(a *pinwheelAccount) bool {
		return connected == "" || (connected == "true") == !a.removed
	}), faults)
}

// accountsThat returns the chosen accounts, the oldest first.
func (f pinwheelAPI) accountsThat(isChosen func(*pinwheelAccount) bool) []object {
	f.mu.Lock()
	defer f.mu.Unlock()
	var accounts []object
	for _, p := range f.people {
		if a := pinwheelOf(p); isChosen(a) {
			accounts = append(accounts, a.account(a.refreshed))
		}
	}
	return accounts
}

// finishedJobsMax is how many jobs of an account are remembered.
const finishedJobsMax = 1000

// finishedJob is a job in the list of GET /v1/jobs.
type finishedJob struct {
	id     string
	at     time.Time
	object object
}

// finish notes a job for GET /v1/jobs, which has no refreshes (docs.pinwheelapi.com, List Jobs).
// The webhooks of one job are one job there (locked).
func (j pinwheelJob) finish(name, outcome string, errorCode, errorType any, params object) {
	a := j.account
	last := len(a.jobs) - 1
	if j.Refresh || last >= 0 && a.jobs[last].id == j.id {
		return
	}
	if len(a.jobs) >= finishedJobsMax {
		a.jobs = a.jobs[1:]
	}
	a.jobs = append(a.jobs, finishedJob{j.id, j.at.UTC(), object{
		{"id", j.id},
		{"name", name},
		{"timestamp", j.at.UTC().Format(pinwheelTime)},
		{"outcome", outcome},
		{"error_code", errorCode},
		{"error_type", errorType},
		{"link_token_id", a.LinkTokenID},
		{"params", params},
		{"account_id", a.AccountID},
	}})
}

// jobs answers a page of finished jobs, newest first. The order is not documented.
func (f pinwheelAPI) jobs(r *http.Request, faults fired) reply {
	query := r.URL.Query()
	since, wrong := readSince(query, "from_timestamp")
	if wrong {
		return pinwheelError(http.StatusBadRequest, "Validation error.", "from_timestamp")
	}
	f.mu.Lock()
	var chosen []finishedJob
	for _, p := range f.people {
		if account := query.Get("account_id"); account != "" && account != p.AccountID {
			continue
		}
		for _, job := range pinwheelOf(p).jobs {
			if !job.at.Before(since) {
				chosen = append(chosen, job)
			}
		}
	}
	f.mu.Unlock()
	slices.SortStableFunc(chosen, func(a, b finishedJob) int { return b.at.Compare(a.at) })
	var objects []object
	for _, job := range chosen {
		objects = append(objects, job.object)
	}
	return f.list(r, objects, faults)
}

// readSince reads a time of the query. Without the parameter the time is zero.
func readSince(query url.Values, name string) (since time.Time, wrong bool) {
	text := query.Get(name)
	if text == "" {
		return time.Time{}, false
	}
	since, err := time.Parse(time.RFC3339, text)
	return since, err != nil
}

func (f pinwheelAPI) webhooks(r *http.Request, faults fired) reply {
	var objects []object
	for _, s := range f.subscriptionsOf(Pinwheel) {
		objects = append(objects, pinwheelSubscription(s))
	}
	return f.list(r, objects, faults)
}

func pinwheelSubscription(s Subscription) object {
	status := "active"
	if s.Paused {
		status = "paused"
	}
	return object{
		{"id", s.ID},
		{"url", s.URL},
		{"status", status},
		{"enabled_events", s.Events},
		{"version", s.Version},
		{"created_at", s.made.Format(pinwheelTime)},
		{"last_updated", s.changed.Format(pinwheelTime)},
	}
}

// pinwheelRegistration is the body of a call that registers, or changes a registration.
type pinwheelRegistration struct {
	URL     string   `json:"url"`
	Status  string   `json:"status"`
	Events  []string `json:"enabled_events"`
	Version string   `json:"version"`
}

// wrong returns the name of a wrong field. Pinwheel refuses types that are not in its own list
// (docs.pinwheelapi.com, Create Webhook).
func (in pinwheelRegistration) wrong() string {
	switch {
	case !strings.HasPrefix(in.URL, "https://") && !strings.HasPrefix(in.URL, "http://127.0.0.1"):
		return "url"
	case in.Status != "active" && in.Status != "paused":
		return "status"
	case len(in.Events) == 0 || slices.Contains(in.Events, "account.removed"):
		return "enabled_events"
	default:
		return ""
	}
}

func (f pinwheelAPI) createWebhook(r *http.Request, _ fired) reply {
	var in pinwheelRegistration
	_ = json.NewDecoder(r.Body).Decode(&in) // a wrong body lacks the fields
	wrong := in.wrong()
	if in.Version == "" {
		wrong = "version"
	}
	if len(f.subscriptionsOf(Pinwheel)) >= pinwheelSubscriptionsMax {
		wrong = "webhook"
	}
	if wrong != "" {
		return pinwheelError(http.StatusBadRequest, "Validation error.", wrong)
	}
	s := f.subscribe(Subscription{
		Provider: Pinwheel, URL: in.URL, Events: in.Events, Paused: in.Status == "paused",
		Version: in.Version,
	})
	return pinwheelData(pinwheelSubscription(s), nil)
}

func (f pinwheelAPI) updateWebhook(r *http.Request, _ fired) reply {
	var in pinwheelRegistration
	_ = json.NewDecoder(r.Body).Decode(&in) // a wrong body lacks the fields
	if wrong := in.wrong(); wrong != "" {
		return pinwheelError(http.StatusBadRequest, "Validation error.", wrong)
	}
	s, err := f.ChangeSubscription(r.PathValue("webhook_id"), func(s *Subscription) {
		s.URL = in.URL
		s.Events = in.Events
		s.Paused = in.Status == "paused"
	})
	if err != nil {
		return pinwheelError(http.StatusNotFound, "Webhook not found.")
	}
	return pinwheelData(pinwheelSubscription(s), nil)
}
