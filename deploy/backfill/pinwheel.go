package backfill

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/wagewire/wagewire/ingress/webhook"
	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
	"github.com/wagewire/wagewire/workers/api"
	"github.com/wagewire/wagewire/workers/fetch"
	"github.com/wagewire/wagewire/workers/pinwheel"
)

const (
	// lagMax is how much later than the webhook's timestamp Pinwheel stamps the data. A quarter of
	// a second was seen.
	lagMax = time.Minute
	// progressEvery is how many steps lie between two lines of progress.
	progressEvery = 1000

	accountAdded   = "account.added"
	outcomeSuccess = "success"
	outcomePending = "pending"
)

// jobKind is a kind of job whose webhook can be built.
type jobKind struct {
	// name is the name of the job at Pinwheel, also among the times of the account's data.
	name string
	// typeName is the type of the webhook to build. After fully_synced a worker reads the whole
	// list.
	typeName string
	// worker is the resource whose worker fetches the data.
	worker schema.Resource
}

// jobKinds are the kinds of jobs whose webhooks can be built.
func jobKinds() []jobKind {
	return []jobKind{
		{"employment", "employment.added", schema.Employment},
		{"identity", "identity.added", schema.Identity},
		{"income", "income.added", schema.Income},
		{"paystubs", "paystubs.fully_synced", schema.Paystubs},
		{"shifts", "shifts.fully_synced", schema.Shifts},
		{"direct_deposit_allocations", "direct_deposit_allocations.added", schema.BankAccounts},
		{taxForms, "tax_forms.added", schema.TaxForms},
		// Pinwheel does not document that it lists such jobs.
		{"paystubs_documents", "paystubs.documents.added", schema.Paystubs},
	}
}

// taxForms is the name of the job whose webhook has the ids of the records. The job has none.
const taxForms = "tax_forms"

// isSync reports whether the job collects a list part by part.
func (k jobKind) isSync() bool {
	return strings.HasSuffix(k.typeName, "."+schema.ActionFullySynced)
}

// atPinwheel is a backfill of Pinwheel with what its API has.
type atPinwheel struct {
	run
	client *pinwheel.Client
	// jobs are by the account's id.
	jobs map[string][]pinwheel.Job
}

func findAtPinwheel(ctx context.Context, r run) ([]candidate, error) {
	client, closeAll, err := fetch.OpenPinwheel(r.surroundings())
	if err != nil {
		return nil, err
	}
	defer closeAll()
	p := atPinwheel{run: r, client: client, jobs: map[string][]pinwheel.Job{}}
	query := pinwheel.JobQuery{Since: r.Since, AccountID: r.Account}
	if r.Account != "" {
		query.Since = time.Time{}
	}
	jobs := 0
	for job, err := range client.Jobs(ctx, query) {
		if err != nil {
			return nil, err
		}
		jobs++
		if jobs%progressEvery == 0 {
			r.tell("jobs read of Pinwheel: %d", jobs)
		}
		p.jobs[job.AccountID] = append(p.jobs[job.AccountID], job)
	}
	r.tell("jobs read of Pinwheel: %d", jobs)
	accounts, err := p.readAccounts(ctx)
	if err != nil {
		return nil, err
	}
	var found []candidate
	for _, account := range accounts {
		more, err := p.compare(ctx, account)
		if err != nil {
			return nil, err
		}
		found = append(found, more...)
		delete(p.jobs, account.ID)
	}
	return append(found, p.leftJobs()...), nil
}

// readAccounts returns the connected accounts, or the only account to look at if it is connected.
func (p atPinwheel) readAccounts(ctx context.Context) ([]pinwheel.Account, error) {
	if p.Account != "" {
		account, err := p.client.Account(ctx, p.Account)
		if api.IsNotFound(err) {
			return nil, nil // Pinwheel has no such account, or no longer
		}
		if err != nil {
			return nil, err
		}
		account.Answer.Release()
		if !account.Connected {
			return nil, nil
		}
		return []pinwheel.Account{account}, nil
	}
	var all []pinwheel.Account
	for account, err := range p.client.ConnectedAccounts(ctx) {
		if err != nil {
			return nil, err
		}
		account.JSON = nil // personal data, and not needed
		all = append(all, account)
		if len(all)%progressEvery == 0 {
			p.tell("accounts read of Pinwheel: %d", len(all))
		}
	}
	p.tell("accounts read of Pinwheel: %d", len(all))
	return all, nil
}

// leftJobs are the jobs of accounts that are not connected.
func (p atPinwheel) leftJobs() []candidate {
	var left []candidate
	for _, id := range slices.Sorted(maps.Keys(p.jobs)) {
		for _, kind := range jobKinds() {
			if job := newestJob(p.jobs[id], kind); job != nil && id != "" {
				left = append(left, candidate{Finding: Finding{
					Verdict: Left, Why: whyNotConnected, Type: kind.typeName,
					Account: schema.Token(id), OccurredAt: job.Timestamp.UTC(),
				}})
			}
		}
	}
	return left
}

// compare finds what the account lacks.
func (p atPinwheel) compare(
	ctx context.Context, account pinwheel.Account,
) ([]candidate, error) {
	wants := p.wantsOf(account)
	if len(wants) == 0 {
		return nil, nil
	}
	token := schema.Token(account.ID)
	erased, err := p.op.Erased(ctx, schema.Pinwheel, token)
	if err != nil {
		return nil, err
	}
	state, err := p.op.State(ctx, schema.Pinwheel, token)
	if err != nil && !errors.Is(err, stream.ErrBadState) {
		return nil, err
	}
	var found []candidate
	for _, w := range wants {
		e, err := w.event(p.now)
		if err != nil {
			return nil, err
		}
		c := newCandidate(e, w.at)
		switch {
		case erased || state.Data.Status == schema.AccountDeleted:
			c.leave(whyErased)
		case p.past.keys[e.Key()] || p.past.has(token, w.isToldBy) || w.isKnown(state.Account):
			c.find()
		case p.isYoung(w.at):
			c.leave(whyYoung)
		case w.needsIDs():
			c, err = p.withIDs(ctx, w, c)
		}
		if err != nil {
			return nil, err
		}
		found = append(found, c)
	}
	return found, nil
}

// withIDs returns the candidate with the ids of all tax forms of the account, for one call more, or
// one for each 100 forms. Without a form there is nothing to bring back.
func (p atPinwheel) withIDs(ctx context.Context, w want, c candidate) (candidate, error) {
	for page, err := range p.client.TaxForms(ctx, w.account.ID, "") {
		if api.IsNotFound(err) {
			break
		}
		if err != nil {
			return c, err
		}
		for _, form := range page.Records {
			w.added = append(w.added, recordID{form.ID})
		}
	}
	if len(w.added) == 0 {
		c.leave(whyNoRecord)
		return c, nil
	}
	e, err := w.event(p.now)
	return newCandidate(e, w.at), err
}

// want is a webhook that must have come.
type want struct {
	jobKind

	account pinwheel.Account
	// job is the job of the webhook. It is nil for a refresh, which the list of jobs lacks, and for
	// account.added.
	job *pinwheel.Job
	// at is the time of the job, or of the change of the data, or of the account's creation.
	at time.Time
	// added are the ids of the webhook, if needsIDs.
	added []recordID
}

// needsIDs reports whether the webhook tells a worker which records to fetch.
func (w want) needsIDs() bool {
	return w.name == taxForms && (w.job == nil || w.job.Outcome == outcomeSuccess)
}

// wantsOf returns the webhooks that must have come about the account in the time in question.
func (p atPinwheel) wantsOf(account pinwheel.Account) []want {
	var wants []want
	isInTime := func(at time.Time) bool {
		return !at.IsZero() && (p.Account != "" || !at.Before(p.Since))
	}
	if isInTime(account.CreatedAt) {
		wants = append(wants, want{
			jobKind: jobKind{typeName: accountAdded, worker: schema.Link},
			account: account, at: account.CreatedAt,
		})
	}
	for _, kind := range jobKinds() {
		job := newestJob(p.jobs[account.ID], kind)
		changed := account.UpdatedAt[kind.name]
		switch {
		case isInTime(changed) && (job == nil || changed.After(job.Timestamp.Add(lagMax))):
			wants = append(wants, want{jobKind: kind, account: account, at: changed})
		case job != nil:
			wants = append(wants, want{
				jobKind: kind, account: account, job: job, at: job.Timestamp,
			})
		}
	}
	return wants
}

// newestJob returns the newest job of the kind that has ended, nil without one.
func newestJob(jobs []pinwheel.Job, kind jobKind) *pinwheel.Job {
	var newest *pinwheel.Job
	for _, job := range jobs {
		if job.Name != kind.name || job.Outcome == outcomePending || job.Timestamp.IsZero() {
			continue
		}
		if newest == nil || job.Timestamp.After(newest.Timestamp) {
			newest = &job
		}
	}
	return newest
}

// isToldBy reports whether a stored event tells the same. A refresh of a list may have been told
// by any webhook about the list, and the first sync by fully_synced alone.
func (w want) isToldBy(e schema.Event) bool {
	if e.Resource != schema.Lookup(schema.Pinwheel, w.typeName).Resource {
		return false
	}
	if w.typeName == accountAdded {
		return e.Type == accountAdded
	}
	isSameType := e.Type == w.typeName || w.job == nil
	return isSameType && !e.OccurredAt.Before(w.at.Add(-lagMax))
}

// isKnown reports whether the state of the account has a completion of the same data, or of newer.
func (w want) isKnown(a schema.Account) bool {
	if a.Data.Basis == nil {
		return false
	}
	b := a.Data.Basis.Resources[w.worker]
	if b == nil || w.typeName == accountAdded {
		return b != nil
	}
	word := b.Word
	if w.isSync() && w.job != nil {
		word = b.Full
	}
	isNewer := word != nil && !word.Event.OccurredAt.Before(w.at.Add(-lagMax))
	isRefreshed := w.job == nil && b.Snapshot != nil && b.Snapshot.RefreshedAt != nil &&
		!b.Snapshot.RefreshedAt.Before(w.at)
	return isNewer || isRefreshed
}

// pinwheelBody is a webhook of Pinwheel, with the members in its order.
type pinwheelBody struct {
	EventID string `json:"event_id"`
	Event   string `json:"event"`
	Payload any    `json:"payload"`
}

// jobPayload is the payload of a webhook about a job.
type jobPayload struct {
	ID          string          `json:"id,omitempty"`
	AccountID   string          `json:"account_id"`
	EndUserID   *string         `json:"end_user_id"`
	LinkTokenID *string         `json:"link_token_id"`
	Name        string          `json:"name"`
	Timestamp   string          `json:"timestamp"`
	Outcome     string          `json:"outcome"`
	ErrorCode   *string         `json:"error_code"`
	ErrorType   *string         `json:"error_type"`
	Params      json.RawMessage `json:"params"`
	Added       []recordID      `json:"added,omitempty"`
}

// recordID is an item of added.
type recordID struct {
	ID string `json:"id"`
}

// accountPayload is the payload of account.added.
type accountPayload struct {
	AccountID        string  `json:"account_id"`
	EndUserID        *string `json:"end_user_id"`
	LinkTokenID      *string `json:"link_token_id"`
	PlatformID       *string `json:"platform_id"`
	Connected        bool    `json:"connected"`
	MonitoringStatus *string `json:"monitoring_status"`
	CreatedAt        string  `json:"created_at"`
}

// event builds the webhook, and reads it as ingress would.
func (w want) event(now time.Time) (schema.Event, error) {
	body := pinwheelBody{EventID: w.id(), Event: w.typeName, Payload: w.jobPayload()}
	if w.typeName == accountAdded {
		body.Payload = w.accountPayload()
	}
	text, err := json.Marshal(body)
	if err != nil {
		return schema.Event{}, fmt.Errorf("build %s: %w", w.typeName, err)
	}
	e, err := webhook.Parse(webhook.Received{Provider: schema.Pinwheel, Body: text, At: now})
	if err != nil {
		return schema.Event{}, fmt.Errorf("build %s: %w", w.typeName, err)
	}
	e.Backfill = true
	return e, nil
}

func (w want) jobPayload() jobPayload {
	payload := jobPayload{
		AccountID:   w.account.ID,
		EndUserID:   textOrNull(w.account.EndUserID),
		LinkTokenID: nil,
		Name:        w.name,
		Timestamp:   formatTime(w.at),
		Outcome:     outcomeSuccess,
		Params:      json.RawMessage("{}"),
		Added:       w.added,
	}
	if w.job == nil {
		return payload
	}
	payload.ID = w.job.ID
	payload.LinkTokenID = textOrNull(w.job.LinkTokenID)
	payload.Outcome = cmp.Or(w.job.Outcome, outcomeSuccess)
	payload.ErrorCode = textOrNull(w.job.ErrorCode)
	payload.ErrorType = textOrNull(w.job.ErrorType)
	if len(w.job.Params) > 0 {
		payload.Params = w.job.Params
	}
	return payload
}

func (w want) accountPayload() accountPayload {
	return accountPayload{
		AccountID:        w.account.ID,
		EndUserID:        textOrNull(w.account.EndUserID),
		LinkTokenID:      textOrNull(w.account.LinkTokenID),
		PlatformID:       textOrNull(w.account.PlatformID),
		Connected:        w.account.Connected,
		MonitoringStatus: textOrNull(w.account.MonitoringStatus),
		CreatedAt:        formatTime(w.at),
	}
}

// id is the id of the built webhook: a hash in the form of a UUID. The same webhook has the same id
// at each backfill.
func (w want) id() string {
	about := formatTime(w.at)
	if w.job != nil {
		about = w.job.ID
	}
	name := strings.Join([]string{"wagewire backfill", w.account.ID, w.typeName, about}, "\n")
	sum := sha256.Sum256([]byte(name))
	sum[6] = sum[6]&0x0f | 0x80 // version 8: made in a way of its own
	sum[8] = sum[8]&0x3f | 0x80
	digits := hex.EncodeToString(sum[:16])
	return strings.Join([]string{
		digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:],
	}, "-")
}

func formatTime(at time.Time) string {
	return at.UTC().Format("2006-01-02T15:04:05.000000+00:00")
}

func textOrNull(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}
