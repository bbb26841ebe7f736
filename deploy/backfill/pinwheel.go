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
	"net/http"
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

// jobResources are the jobs whose webhooks can be built: Pinwheel names a job as we do.
func jobResources() []schema.Resource {
	return []schema.Resource{
		schema.Employment, schema.Identity, schema.Income, schema.Paystubs, schema.Shifts,
	}
}

// isList reports whether the resource is a list, which a sync collects part by part.
func isList(r schema.Resource) bool { return r == schema.Paystubs || r == schema.Shifts }

// atPinwheel is a backfill of Pinwheel with what its API has.
type atPinwheel struct {
	run
	// jobs are by the account's id.
	jobs map[string][]pinwheel.Job
}

func findAtPinwheel(ctx context.Context, r run) ([]candidate, error) {
	client, closeAll, err := fetch.OpenPinwheel(r.surroundings())
	if err != nil {
		return nil, err
	}
	defer closeAll()
	p := atPinwheel{run: r, jobs: map[string][]pinwheel.Job{}}
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
	accounts, err := p.readAccounts(ctx, client)
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
func (p atPinwheel) readAccounts(
	ctx context.Context, client *pinwheel.Client,
) ([]pinwheel.Account, error) {
	if p.Account != "" {
		account, err := client.Account(ctx, p.Account)
		if s, ok := errors.AsType[*api.StatusError](err); ok && s.Status == http.StatusNotFound {
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
	for account, err := range client.ConnectedAccounts(ctx) {
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
		for _, r := range jobResources() {
			if job := newestJob(p.jobs[id], r); job != nil && id != "" {
				left = append(left, candidate{Finding: Finding{
					Verdict: Left, Why: whyNotConnected, Type: typeOf(r),
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
		}
		found = append(found, c)
	}
	return found, nil
}

// want is a webhook that must have come.
type want struct {
	account  pinwheel.Account
	resource schema.Resource
	typeName string
	// job is the job of the webhook. It is nil for a refresh, which the list of jobs lacks, and for
	// account.added.
	job *pinwheel.Job
	// at is the time of the job, or of the change of the data, or of the account's creation.
	at time.Time
}

// wantsOf returns the webhooks that must have come about the account in the time in question.
func (p atPinwheel) wantsOf(account pinwheel.Account) []want {
	var wants []want
	isInTime := func(at time.Time) bool {
		return !at.IsZero() && (p.Account != "" || !at.Before(p.Since))
	}
	if isInTime(account.CreatedAt) {
		wants = append(wants, want{
			account: account, resource: schema.Link, typeName: accountAdded, at: account.CreatedAt,
		})
	}
	for _, r := range jobResources() {
		job := newestJob(p.jobs[account.ID], r)
		changed := account.UpdatedAt[string(r)]
		switch {
		case isInTime(changed) && (job == nil || changed.After(job.Timestamp.Add(lagMax))):
			wants = append(wants, want{
				account: account, resource: r, typeName: typeOf(r), at: changed,
			})
		case job != nil:
			wants = append(wants, want{
				account: account, resource: r, typeName: typeOf(r),
				job: job, at: job.Timestamp,
			})
		}
	}
	return wants
}

// newestJob returns the newest job of the resource that has ended, nil without one.
func newestJob(jobs []pinwheel.Job, r schema.Resource) *pinwheel.Job {
	var newest *pinwheel.Job
	for _, job := range jobs {
		if job.Name != string(r) || job.Outcome == outcomePending || job.Timestamp.IsZero() {
			continue
		}
		if newest == nil || job.Timestamp.After(newest.Timestamp) {
			newest = &job
		}
	}
	return newest
}

// typeOf is the type of the webhook to build. After fully_synced a worker reads the whole list.
func typeOf(r schema.Resource) string {
	if isList(r) {
		return string(r) + "." + schema.ActionFullySynced
	}
	return string(r) + "." + schema.ActionAdded
}

// isToldBy reports whether a stored event tells the same. A refresh of a list may have been told
// by any webhook about the list, and the first sync by fully_synced alone.
func (w want) isToldBy(e schema.Event) bool {
	if e.Resource != w.resource && e.Type != w.typeName {
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
	b := a.Data.Basis.Resources[w.resource]
	if b == nil || w.typeName == accountAdded {
		return b != nil
	}
	word := b.Word
	if isList(w.resource) && w.job != nil {
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
		Name:        string(w.resource),
		Timestamp:   formatTime(w.at),
		Outcome:     outcomeSuccess,
		Params:      json.RawMessage("{}"),
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
