package fake

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"
	"time"
)

// pinwheelLag is how long after a webhook's timestamp its data is stamped: 0.14 to 0.25 s in five
// of five recorded jobs.
const pinwheelLag = 170 * time.Millisecond

// pinwheelWebhook makes a webhook of a new job. A type of paystubs or shifts is about the chunk
// with the type's threshold, or about the newest chunk.
func pinwheelWebhook(p *Person, webhookType string, opts EventOptions, at time.Time) Webhook {
	a := pinwheelOf(p)
	j := pinwheelJob{
		account: a, id: newUUID(), at: at, chunk: a.chunkOf(webhookType), EventOptions: opts,
	}
	return j.webhook(webhookType)
}

// pinwheelTimeline is the recorded timeline of a sandbox account, with the sync thresholds added.
// Each line of [Providers.Timeline] is one job.
func pinwheelTimeline(p *Person) []moment {
	a := pinwheelOf(p)
	paystubs := a.paystubChunks()
	shifts := a.shiftChunks()
	moments := []moment{
		a.single("account.added"),
		a.single("identity.added"),
		a.single("income.added"),
		a.chunkAdded("paystubs", paystubs[0]),
		a.chunkAdded("shifts", shifts[0]),
		a.chunkAdded("paystubs", paystubs[1]),
		a.chunkAdded("shifts", shifts[1]),
		a.chunkAdded("paystubs", paystubs[2]),
		a.chunkAdded("paystubs", paystubs[3]),
		a.chunkAdded("shifts", shifts[2]),
		a.single("employment.added"),
		a.single("direct_deposit_allocations.added"),
		a.single("tax_forms.added"),
	}
	if len(a.paystubs) > 0 { // the newest has no document yet
		moments = append(moments, a.single("paystubs.documents.added"))
	}
	return append(moments,
		a.single("verification_reports.refreshed"),
		a.single("account.monitoring_status.updated"),
	)
}

// single is a job with a single webhook.
func (a *pinwheelAccount) single(webhookType string) moment {
	return a.jobOf(a.chunkOf(webhookType), webhookType)
}

// chunkAdded is a job with a webhook about the chunk's records and a webhook about each threshold.
func (a *pinwheelAccount) chunkAdded(resource string, c chunk) moment {
	var types []string
	if len(c.records) > 0 || c.last {
		types = append(types, resource+".added")
	}
	for _, threshold := range c.synced {
		optional := threshold == "thirty_days" || threshold == "ninety_days"
		if len(c.records) == 0 && optional {
			continue
		}
		types = append(types, resource+"."+threshold+"_synced")
	}
	return a.jobOf(c, types...)
}

func (a *pinwheelAccount) jobOf(c chunk, types ...string) moment {
	return func(at time.Time) []Webhook {
		j := pinwheelJob{account: a, id: newUUID(), at: at, chunk: c}
		var webhooks []Webhook
		for _, webhookType := range types {
			webhooks = append(webhooks, j.webhook(webhookType))
		}
		return webhooks
	}
}

// chunk is the records of a single job of a sync.
type chunk struct {
	synced   []string // the thresholds reached with the chunk
	from, to string   // dates, both inclusive
	records  []record
	last     bool
}

// paystubChunks cuts the paystubs as a sync collects them: backwards in time, 7 days, 30, 90 and
// the rest.
func (a *pinwheelAccount) paystubChunks() []chunk {
	return []chunk{
		a.chunk(a.paystubs, 0, 7, "seven_days"),
		a.chunk(a.paystubs, 8, 30, "thirty_days"),
		a.chunk(a.paystubs, 31, 90, "ninety_days"),
		a.rest(a.paystubs, 91, "fully"),
	}
}

// shiftChunks cuts the shifts. There is no rest: Pinwheel collects only 90 days of shifts, and the
// last chunk reaches two thresholds.
func (a *pinwheelAccount) shiftChunks() []chunk {
	chunks := []chunk{
		a.chunk(a.shifts, 0, 7, "seven_days"),
		a.chunk(a.shifts, 8, 30, "thirty_days"),
		a.chunk(a.shifts, 31, 90, "ninety_days", "fully"),
	}
	chunks[2].last = true
	return chunks
}

// chunk takes the records with an end between youngest and oldest days ago.
func (a *pinwheelAccount) chunk(
	records []record,
	youngest, oldest int,
	synced ...string,
) chunk {
	c := chunk{synced: synced, from: a.date(oldest), to: a.date(youngest)}
	for _, r := range records {
		if c.from <= r.end && r.end <= c.to {
			c.records = append(c.records, r)
		}
	}
	return c
}

// rest takes every record older than the chunks before. The first date of the chunk is the date of
// the oldest record.
func (a *pinwheelAccount) rest(records []record, youngest int, synced ...string) chunk {
	oldest := youngest
	if n := len(records); n > 0 {
		oldest = max(oldest, payEveryDays*(n-1)+newestDays)
	}
	c := a.chunk(records, youngest, oldest, synced...)
	c.last = true
	return c
}

// chunkOf returns the chunk of a webhook outside a timeline: the chunk with the type's threshold,
// or the newest chunk.
func (a *pinwheelAccount) chunkOf(webhookType string) chunk {
	resource, action, _ := strings.Cut(webhookType, ".")
	var chunks []chunk
	switch resource {
	case "paystubs":
		chunks = a.paystubChunks()
	case "shifts":
		chunks = a.shiftChunks()
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

// pinwheelJob is a piece of Pinwheel's work. All webhooks of a job have the job's id and timestamp.
type pinwheelJob struct {
	account *pinwheelAccount
	id      string
	at      time.Time
	chunk   chunk
	EventOptions
}

// webhook reports the job in the envelope of docs.pinwheelapi.com, Income and Employment, with the
// members in the recorded order. The webhook stamps the announced data (locked).
func (j pinwheelJob) webhook(webhookType string) Webhook {
	w := Webhook{
		Provider: Pinwheel,
		ID:       cmp.Or(j.ID, newUUID()),
		Type:     webhookType,
		Account:  j.account.AccountID,
	}
	var payload object
	switch webhookType {
	case "verification_reports.refreshed":
		w.Account = j.account.EndUserID
		payload = j.availability()
	case "earnings_stream.payouts.refreshed": // its payload is not documented
		payload = object{
			{"account_id", j.account.AccountID}, {"end_user_id", j.account.EndUserID},
		}
	case "account.added":
		payload = j.accountState()
	case "account.monitoring_status.updated":
		j.account.monitoring = cmp.Or(j.MonitoringStatus, "active")
		payload = j.accountState()
	case "account.removed":
		j.account.removed = true
		payload = j.accountState()
	default:
		payload = j.outcome(webhookType)
	}
	isOfAccount := strings.HasPrefix(webhookType, "account.")
	if cmp.Or(j.Outcome, "success") == "success" && !isOfAccount {
		j.account.stamp(webhookType, j.at)
	}
	w.Body = spaced(object{{"event_id", w.ID}, {"event", webhookType}, {"payload", payload}})
	return w
}

// stamp notes when Pinwheel took the data of a webhook. Reports have the announced time itself.
// Income changes once more when the paystubs are complete, but its refreshed_at stays, as recorded.
func (a *pinwheelAccount) stamp(webhookType string, at time.Time) {
	resource, _, _ := strings.Cut(webhookType, ".")
	if resource == "verification_reports" {
		a.refreshed[resource] = at.UTC()
		return
	}
	a.refreshed[resource] = at.Add(pinwheelLag).UTC()
	if webhookType == "paystubs.fully_synced" {
		a.incomeUpdated = at.Add(pinwheelLag).UTC()
	}
}

// outcome is the payload of a webhook about a finished, failed or pending job.
func (j pinwheelJob) outcome(webhookType string) object {
	resource, action, _ := strings.Cut(webhookType, ".")
	name := resource
	switch webhookType {
	case "paystubs.documents.added":
		name = "paystubs_documents"
	case "documents.added":
		name = "document_uploads"
	}
	outcome := cmp.Or(j.Outcome, "success")
	var errorCode, errorType any
	if outcome == "error" {
		errorCode = cmp.Or(j.ErrorCode, "systemError")
		errorType = cmp.Or(j.ErrorType, "systemError")
	}
	payload := object{
		{"id", j.id},
		{"account_id", j.account.AccountID},
		{"end_user_id", j.account.EndUserID},
		{"link_token_id", j.account.LinkTokenID},
		{"name", name},
		{"timestamp", j.at.UTC().Format(pinwheelTime)},
		{"outcome", outcome},
		{"error_code", errorCode},
		{"error_type", errorType},
	}
	hasRecords := resource == "paystubs" || resource == "shifts"
	params := object{}
	if hasRecords && outcome == "success" {
		params = j.params(resource, action)
	}
	payload = append(payload, member{"params", params})
	j.finish(name, outcome, errorCode, errorType, params)
	if hasRecords && action == "added" {
		added := j.Added
		if added == nil && outcome == "success" {
			added = idsOf(j.chunk.records)
		}
		j.account.announce(added)
		payload = append(payload,
			member{"added", pinwheelItems(added)}, member{"deleted", pinwheelItems(j.Deleted)})
	}
	if outcome == "success" {
		payload = append(payload, j.metadata(webhookType)...)
	}
	return payload
}

// metadata are the members that only a webhook about documents has.
func (j pinwheelJob) metadata(webhookType string) []member {
	switch webhookType {
	case "documents.added":
		return []member{{"document_id", newUUID()}}
	case "tax_forms.added":
		return []member{
			{"added", j.account.taxFormItems(j.Added)}, {"deleted", pinwheelItems(j.Deleted)},
		}
	default:
		return nil
	}
}

// params describe the job's chunk alone, never the total so far.
func (j pinwheelJob) params(resource, action string) object {
	count := len(j.chunk.records)
	if action == "added" && j.Added != nil {
		count = len(j.Added)
	}
	var params object
	if resource == "paystubs" {
		params = append(params,
			member{"from_pay_date", j.chunk.from}, member{"to_pay_date", j.chunk.to})
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

// pinwheelItems lists ids as recorded: with the nulls of other kinds of document.
func pinwheelItems(list []string) []object {
	items := []object{}
	for _, id := range list {
		items = append(items,
			object{{"id", id}, {"document_type", nil}, {"year", nil}, {"pay_date", nil}})
	}
	return items
}

// taxFormItems lists the tax forms, or those with the ids, and announces them.
func (a *pinwheelAccount) taxFormItems(list []string) []object {
	if list == nil {
		list = idsOf(a.taxForms)
	}
	a.announce(list)
	items := []object{}
	for _, id := range list {
		var year any
		if i := slices.Index(idsOf(a.taxForms), id); i >= 0 {
			year = json.Number(a.taxForms[i].start)
		}
		items = append(items,
			object{{"id", id}, {"document_type", "w2"}, {"year", year}, {"pay_date", nil}})
	}
	return items
}

func (a *pinwheelAccount) announce(list []string) {
	for _, id := range list {
		a.announced[id] = true
	}
}

// availability is the payload of a report's webhook. It has no account, outcome or time of the job
// (docs.pinwheelapi.com, Pinwheel Verify Webhook Events).
func (j pinwheelJob) availability() object {
	at := j.at.UTC().Format(pinwheelTime)
	available := object{{"status", "available"}, {"updated_at", at}, {"refreshed_at", at}}
	return object{
		{"end_user_id", j.account.EndUserID},
		{"availability", object{{"voe", available}, {"voie", available}}},
	}
}

// accountState is the payload of a webhook about the account itself, as recorded for account.added.
// The payloads of the other types are not documented.
func (j pinwheelJob) accountState() object {
	return object{
		{"created_at", j.at.UTC().Format(pinwheelTime)},
		{"link_token_id", j.account.LinkTokenID},
		{"platform_id", platformID},
		{"platform_name", platformName},
		{"platform_type", "payroll"},
		{"connected", !j.account.removed},
		{"monitoring_status", j.account.monitoring},
		{"end_user_id", j.account.EndUserID},
		{"account_id", j.account.AccountID},
	}
}
