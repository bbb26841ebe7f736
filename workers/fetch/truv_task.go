package fetch

import (
	"context"
	"errors"
	"net/http"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/workers"
	"github.com/wagewire/wagewire/workers/api"
	"github.com/wagewire/wagewire/workers/truv"
)

// Ends of a task (docs.truv.com, Task lifecycle; the enum of Task.status in Truv's OpenAPI file).
// Every other status is one on the way.
const taskDone = "done"

// taskError returns the outcome of a task that ended with an error, or "" for another status.
func taskError(status string) schema.Outcome {
	switch status {
	case "no_data", "not_supported": // there is no data, and no fault of anybody
		return schema.Unavailable
	case "login_error", "mfa_error", "config_error", "account_locked", "unable_to_reset",
		"unavailable", "error":
		return schema.Failed
	default:
		return ""
	}
}

// isUnderway reports whether a task of the status goes on.
func isUnderway(status string) bool { return status != taskDone && taskError(status) == "" }

// noteTask notes the product of a webhook about a task, and the task's outcome. A task that failed
// leaves nothing to wait for but its report. A task of a product without a report has no word of
// its own.
func noteTask(payload *workers.Payload, product, status string) {
	payload.Product = product
	hasReport := truv.Product(product).HasReport()
	failed := taskError(status)
	switch {
	case isUnderway(status):
		payload.Outcome = schema.Pending
	case !hasReport:
		payload.Outcome = schema.Unavailable
		payload.ErrorCode = schema.CodeNoReport
	case failed != "":
		payload.Outcome = failed
		payload.ErrorCode = status
		payload.Supported = reportAlone()
	}
}

// reportAlone are the resources of a link about which nothing but the end of its task is known.
// Without them, the account would wait for data that nobody has announced.
func reportAlone() []schema.Resource { return []schema.Resource{schema.VerificationReports} }

// truvReport is the handler of Truv's tasks: GET /v1/links/{link_id}/income/report/, or
// …/employment/report/ for a task about employment alone.
type truvReport struct{ client *truv.Client }

// Fetch gets the report of a task that is done. The report is a Delta, because that of another
// product stays good. A report whose own task goes on is stale. The report and the list of shifts,
// which no report has, tell which resources the link has. If the event ends with the error, the
// report alone was to come.
//
// The time of the event orders the reports, because each event is the word about a task of its own,
// and Truv does not say whether a refresh moves the time of the report.
func (t truvReport) Fetch(ctx context.Context, job workers.Job) (workers.Fetched, error) {
	report, err := t.client.Report(ctx, job.Event.AccountID, truv.Product(job.Payload.Product))
	if err != nil {
		return workers.Fetched{Supported: reportAlone()}, err
	}
	err = job.Records.Add(ctx, report.Record)
	report.Answer.Release() // before the next call, which needs room for its own answer
	if err != nil {
		return workers.Fetched{}, err
	}
	hasShifts, err := t.hasShifts(ctx, job)
	fetched := workers.Fetched{
		Scope:       schema.Delta,
		RefreshedAt: report.RefreshedAt,
		DataAt:      job.Event.OccurredAt,
		Stale:       isEarly(report.Status) || isRefreshing(report.RefreshStatus),
		Supported:   resourcesOf(report, hasShifts),
	}
	return fetched, err
}

// isRefreshing reports whether a refresh with the status is at work. Truv's reference has "new" as
// its example and does not say what a link has that was never refreshed: a refresh that is new has
// changed nothing, and is followed by a webhook of its own.
func isRefreshing(status string) bool { return status != "new" && isEarly(status) }

// isEarly reports whether a report of the status may still change. An absent status says nothing.
func isEarly(status string) bool { return status != "" && isUnderway(status) }

// hasShifts reports whether the link is known to have a shift. The question must not cost the
// report, which Truv has given. So only the end of ctx and refused credentials are errors, which
// are not about the link.
func (t truvReport) hasShifts(ctx context.Context, job workers.Job) (bool, error) {
	has, err := t.client.HasShifts(ctx, job.Event.AccountID)
	if ctx.Err() != nil || isUnauthorized(err) {
		return false, err
	}
	return has && err == nil, nil
}

// isUnauthorized reports whether the provider refuses our credentials, or there are none.
func isUnauthorized(err error) bool {
	status, ok := errors.AsType[*api.StatusError](err)
	return errors.Is(err, api.ErrCredentials) || ok && status.Status == http.StatusUnauthorized
}

// resourcesOf returns the resources of which the link has data.
func resourcesOf(report truv.Report, hasShifts bool) []schema.Resource {
	resources := reportAlone()
	for _, of := range []struct {
		resource schema.Resource
		has      bool
	}{
		{schema.Employment, report.HasEmployment},
		{schema.Income, report.HasEmployment},
		{schema.Identity, report.HasIdentity},
		{schema.Paystubs, report.HasStatements},
		{schema.Shifts, hasShifts},
		{schema.BankAccounts, report.HasBankAccounts},
	} {
		if of.has {
			resources = append(resources, of.resource)
		}
	}
	return resources
}
