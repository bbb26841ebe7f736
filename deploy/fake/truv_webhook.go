package fake

import (
	"cmp"
	"encoding/json"
	"strings"
	"time"
)

// truvTimeline is a link from the login to the end of its task (docs.truv.com, Task lifecycle and
// the pages of events). The place of link-connected among the others is not documented: one of
// Truv's samples has it before the data, another after.
func truvTimeline(p *Person) []moment {
	link := truvOf(p)
	var moments []moment
	add := func(webhookType string, opts EventOptions) {
		moments = append(moments, truvMoment(p, webhookType, opts))
	}
	task := func(status string) {
		add("task-status-updated", EventOptions{Status: status})
	}
	task("new")
	task("login")
	task("parse")
	add("link-connected", EventOptions{})
	for _, e := range link.employments {
		add("employment-created", EventOptions{ObjectID: e.id})
	}
	add("profile-created", EventOptions{})
	task("full_parse")
	for _, e := range link.employments {
		if len(e.statements) > 0 {
			add("statements-created", EventOptions{EmploymentID: e.id})
		}
	}
	if len(link.shifts) > 0 {
		add("shifts-created", EventOptions{})
	}
	add("bank-accounts-created", EventOptions{})
	task("done")
	return moments
}

// truvParting is the end of a link. A refresh fails before the link is disconnected.
func truvParting(p *Person) []moment {
	return []moment{
		truvMoment(p, "task-status-updated", EventOptions{Status: "login_error", Refresh: true}),
		truvMoment(p, "link-disconnected", EventOptions{}),
		truvMoment(p, "link-deleted", EventOptions{}),
	}
}

// truvMoment is a moment with a single webhook.
func truvMoment(p *Person, webhookType string, opts EventOptions) moment {
	return func(at time.Time) []Webhook {
		return []Webhook{truvWebhook(p, webhookType, opts, at)}
	}
}

// truvWebhook makes a webhook with the fields of docs.truv.com, and announces its objects (locked).
// The webhooks of links and tasks have updated_at, and those of data have none in any copy of the
// documentation. A task may have no user: user_id is null.
func truvWebhook(p *Person, webhookType string, opts EventOptions, at time.Time) Webhook {
	link := truvOf(p)
	at = at.UTC()
	kind, change, _ := strings.Cut(webhookType, "-")
	about, isOfData := link.about(kind, opts)
	var userID any = p.UserID
	if kind == "task" {
		userID = nil
	}
	id := cmp.Or(opts.ID, newHex())
	body := object{
		{"webhook_id", id},
		{"event_type", webhookType},
		{"event_created_at", at.Format(truvTime)},
	}
	if !isOfData {
		body = append(body, member{"updated_at", at.Format(truvOtherTime)})
	}
	body = append(body,
		member{"link_id", p.LinkID},
		member{"product", cmp.Or(opts.Product, "income")},
		member{"data_source", "payroll"},
		member{"tracking_info", nil},
		member{"user_id", userID},
	)
	if !isOfData {
		body = append(body, member{"template_id", nil})
	}
	switch {
	case kind == "task" || isOfData:
		task := link.task
		if opts.Refresh || strings.HasSuffix(change, "updated") && isOfData {
			task = link.refreshTask
		}
		body = append(body, member{"task_id", task})
	case kind == "order":
		body = append(body, member{"order_id", newHex()})
	}
	return Webhook{
		Provider: Truv, ID: id, Type: webhookType, Account: p.LinkID,
		Body: spaced(append(body, about...)),
	}
}

// about returns the members of a webhook that tell of its object. isOfData is true for a webhook
// about collected data.
func (l *truvLink) about(kind string, opts EventOptions) (about object, isOfData bool) {
	switch kind {
	case "task":
		status := cmp.Or(opts.Status, "done")
		if status == "done" {
			l.announced[l.reportID] = true
		}
		return object{{"status", status}}, false
	case "order":
		return object{{"status", cmp.Or(opts.Status, "completed")}}, false
	case "employment":
		return l.announceObject(cmp.Or(opts.ObjectID, l.employments[0].id)), true
	case "profile":
		return l.announceObject(cmp.Or(opts.ObjectID, l.profileID)), true
	case "statements":
		e, _ := l.find(opts.EmploymentID)
		return l.announceCount(truvIDs(e.statements), opts), true
	case "shifts":
		return l.announceCount(truvIDs(l.shifts), opts), true
	case "bank":
		var numbers []string
		for _, d := range l.bank {
			numbers = append(numbers, d.account)
		}
		return l.announceCount(numbers, opts), true
	default:
		return nil, false
	}
}

func (l *truvLink) announceObject(id string) object {
	l.announced[id] = true
	return object{{"object_id", id}}
}

func (l *truvLink) announceCount(ids []string, opts EventOptions) object {
	for _, id := range ids {
		l.announced[id] = true
	}
	count := len(ids)
	if opts.ObjectsCount != 0 {
		count = max(opts.ObjectsCount, 0)
	}
	return object{
		{"employment_id", cmp.Or(opts.EmploymentID, l.employments[0].id)},
		{"objects_count", count},
	}
}

// applyTruv puts the link into the state of a webhook.
func applyTruv(p *Person, w Webhook, at time.Time) {
	link := truvOf(p)
	switch w.Type {
	case "link-connected":
		link.status = "done"
	case "link-disconnected":
		link.status = "login_error"
	case "link-deleted":
		link.deleted = true
	case "task-status-updated":
		link.applyTask(w.Body, at)
	default:
		return
	}
	link.updated = at.UTC()
}

// applyTask puts the link into the state of a webhook about a task.
func (l *truvLink) applyTask(body []byte, at time.Time) {
	var task struct {
		ID     string `json:"task_id"`
		Status string
	}
	if json.Unmarshal(body, &task) != nil { // a body of the caller's own
		return
	}
	l.status = task.Status
	if task.Status == "done" {
		l.finished = at.UTC()
	}
	if task.ID == l.refreshTask {
		l.refreshStatus = task.Status
	}
}
