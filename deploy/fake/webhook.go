package fake

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// The providers' names, as paths and fields spell them.
const (
	Pinwheel = "pinwheel"
	Truv     = "truv"
)

// The payroll platform that every account is at.
const (
	platformID   = "00000000-0000-4000-a000-00000000fa4e"
	platformName = "Fictional Payroll"
)

// A Webhook is what a provider sends, before it is signed.
type Webhook struct {
	Provider string
	ID       string // event_id, webhook_id
	Type     string
	Account  string // account_id, end_user_id (reports) or link_id
	Body     []byte
}

// EventOptions say what is unusual about a webhook. The zero value is a
// success about the newest data.
type EventOptions struct {
	Provider  string   // "" means Pinwheel for a type with a dot in it, else Truv
	ID        string   // "" means a new one
	Outcome   string   // success (""), pending or error; Pinwheel only
	ErrorCode string   // "" means systemError, when the outcome is error
	ErrorType string   // likewise
	Added     []string // announced as added in place of the newest chunk's ids
	Deleted   []string // announced as deleted
}

// snapshotLag is how long after a webhook's timestamp its data is stamped:
// 0.14 to 0.25 s in five of five recorded jobs.
const snapshotLag = 170 * time.Millisecond

// Event makes one webhook about p of any type, known or not, and stamps the
// data that it announces with a time just after its own.
func (f *Providers) Event(p *Person, typ string, opts EventOptions) (Webhook, error) {
	switch {
	case p == nil:
		return Webhook{}, errors.New("make event: no person")
	case typ == "":
		return Webhook{}, errors.New("make event: no type")
	case !slices.Contains([]string{"", Pinwheel, Truv}, opts.Provider):
		return Webhook{}, fmt.Errorf("make event %s: no provider %q", typ, opts.Provider)
	case !slices.Contains([]string{"", "success", "pending", "error"}, opts.Outcome):
		return Webhook{}, fmt.Errorf("make event %s: outcome %q is none of success, pending, error", typ, opts.Outcome)
	}
	provider := opts.Provider
	if provider == "" {
		provider = Truv
		if strings.Contains(typ, ".") {
			provider = Pinwheel
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if provider == Truv {
		return truvWebhook(p, typ, cmp.Or(opts.ID, newHex()), f.now()), nil
	}
	j := job{id: newUUID(), at: f.now(), chunk: p.chunkOf(typ), EventOptions: opts}
	return j.webhook(p, typ), nil
}

// chunkOf is the chunk that a webhook of a type is about: the one that reaches
// the threshold, or the newest.
func (p *Person) chunkOf(typ string) chunk {
	resource, action, _ := strings.Cut(typ, ".")
	var chunks []chunk
	switch resource {
	case "paystubs":
		chunks = p.paystubChunks()
	case "shifts":
		chunks = p.shiftChunks()
	default:
		return chunk{}
	}
	for _, c := range chunks {
		if slices.Contains(c.synced, strings.TrimSuffix(action, "_synced")) {
			return c
		}
	}
	newest := chunks[0]
	newest.last = true // a refresh is one chunk
	return newest
}

// A job is one piece of Pinwheel's work; all the webhooks it causes carry its
// id and timestamp.
type job struct {
	id    string
	at    time.Time
	chunk chunk
	EventOptions
}

// webhook tells of the job: the envelope of docs.pinwheelapi.com, Income and
// Employment, with the members in recorded order. Providers.mu is held.
func (j job) webhook(p *Person, typ string) Webhook {
	w := Webhook{Provider: Pinwheel, ID: cmp.Or(j.ID, newUUID()), Type: typ, Account: p.AccountID}
	var payload object
	switch typ {
	case "verification_reports.refreshed":
		w.Account = p.EndUserID
		payload = j.availability(p)
	case "account.added":
		payload = j.accountAdded(p)
	default:
		payload = j.outcome(p, typ)
	}
	if cmp.Or(j.Outcome, "success") == "success" {
		p.stamp(typ, j.at)
	}
	w.Body = spaced(object{{"event_id", w.ID}, {"event", typ}, {"payload", payload}})
	return w
}

// stamp notes when the data that a webhook announces was taken. The reports
// are stamped with the announced time itself. Income changes once more when
// the paystubs are complete, and its refreshed_at stays behind, as recorded.
func (p *Person) stamp(typ string, at time.Time) {
	resource, _, _ := strings.Cut(typ, ".")
	if resource == "verification_reports" {
		p.refreshed[resource] = at.UTC()
		return
	}
	p.refreshed[resource] = at.Add(snapshotLag).UTC()
	if typ == "paystubs.fully_synced" {
		p.incomeUpdated = at.Add(snapshotLag).UTC()
	}
}

// outcome is the payload of a webhook about a finished, failed or pending job.
func (j job) outcome(p *Person, typ string) object {
	resource, action, _ := strings.Cut(typ, ".")
	name := resource
	if action == "documents.added" {
		name += "_documents"
	}
	outcome := cmp.Or(j.Outcome, "success")
	var errorCode, errorType any
	if outcome == "error" {
		errorCode, errorType = cmp.Or(j.ErrorCode, "systemError"), cmp.Or(j.ErrorType, "systemError")
	}
	payload := object{
		{"id", j.id},
		{"account_id", p.AccountID},
		{"end_user_id", p.EndUserID},
		{"link_token_id", p.LinkTokenID},
		{"name", name},
		{"timestamp", j.at.UTC().Format(pinwheelTime)},
		{"outcome", outcome},
		{"error_code", errorCode},
		{"error_type", errorType},
	}
	records := resource == "paystubs" || resource == "shifts"
	params := object{}
	if records && outcome == "success" {
		params = j.params(resource, action)
	}
	payload = append(payload, member{"params", params})
	if records && action == "added" {
		added := j.Added
		if added == nil && outcome == "success" {
			added = idsOf(j.chunk.records)
		}
		p.announce(added)
		payload = append(payload, member{"added", items(added)}, member{"deleted", items(j.Deleted)})
	}
	return payload
}

// params describe the job's chunk only, never the running total.
func (j job) params(resource, action string) object {
	count := len(j.chunk.records)
	if action == "added" && j.Added != nil {
		count = len(j.Added)
	}
	var params object
	if resource == "paystubs" {
		params = append(params, member{"from_pay_date", j.chunk.from}, member{"to_pay_date", j.chunk.to})
	}
	params = append(params, member{"count", count})
	switch {
	case !strings.HasSuffix(action, "_synced"):
		status := "in_progress"
		if j.chunk.last {
			status = "complete"
		}
		params = append(params, member{"sync_status", status})
	case resource == "paystubs":
		params = append(params, member{"has_potential_paystubs_documents", true})
	}
	return params
}

// items list ids as recorded: with the nulls of other kinds of document.
func items(ids []string) []object {
	list := []object{}
	for _, id := range ids {
		list = append(list, object{{"id", id}, {"document_type", nil}, {"year", nil}, {"pay_date", nil}})
	}
	return list
}

func (p *Person) announce(ids []string) {
	for _, id := range ids {
		p.announced[id] = true
	}
}

// availability names no account, outcome or time of the job
// (docs.pinwheelapi.com, Pinwheel Verify Webhook Events).
func (j job) availability(p *Person) object {
	at := j.at.UTC().Format(pinwheelTime)
	available := object{{"status", "available"}, {"updated_at", at}, {"refreshed_at", at}}
	return object{
		{"end_user_id", p.EndUserID},
		{"availability", object{{"voe", available}, {"voie", available}}},
	}
}

func (j job) accountAdded(p *Person) object {
	return object{
		{"created_at", j.at.UTC().Format(pinwheelTime)},
		{"link_token_id", p.LinkTokenID},
		{"platform_id", platformID},
		{"platform_name", platformName},
		{"platform_type", "payroll"},
		{"connected", true},
		{"monitoring_status", "active"},
		{"end_user_id", p.EndUserID},
		{"account_id", p.AccountID},
	}
}

// truvWebhook makes a webhook with the fields of docs.truv.com, Links events,
// and for other kinds the ids they are documented to carry.
func truvWebhook(p *Person, typ, id string, at time.Time) Webhook {
	at = at.UTC()
	body := object{
		{"webhook_id", id},
		{"event_type", typ},
		{"event_created_at", at.Format("2006-01-02T15:04:05.000000Z")},
		{"updated_at", at.Format("2006-01-02T15:04:05.000000+00:00")},
		{"link_id", p.LinkID},
		{"product", "income"},
		{"data_source", "payroll"},
		{"tracking_info", nil},
		{"user_id", p.UserID},
		{"template_id", nil},
	}
	kind, _, _ := strings.Cut(typ, "-")
	switch kind {
	case "task":
		body = append(body, member{"task_id", newHex()}, member{"status", "done"})
	case "order":
		body = append(body, member{"order_id", newHex()}, member{"status", "completed"})
	case "employment", "profile":
		body = append(body, member{"task_id", newHex()}, member{"object_id", newHex()})
	case "statements", "shifts", "bank":
		body = append(body, member{"task_id", newHex()}, member{"employment_id", newHex()}, member{"objects_count", 1})
	}
	return Webhook{Provider: Truv, ID: id, Type: typ, Account: p.LinkID, Body: spaced(body)}
}
