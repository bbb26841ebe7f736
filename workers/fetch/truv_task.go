package fetch

import (
	"context"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/workers"
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

// noteTask notes the outcome of a webhook about a task. A task that failed leaves nothing to wait
// for but its report. A task of a product without a report has no word of its own.
func noteTask(payload *workers.Payload, status string) {
	hasReport := truv.Product(payload.Product).HasReport()
	failed := taskError(status)
	switch {
	case isUnderway(status):
		payload.Outcome = schema.Pending
	case !hasReport:
		payload.Outcome = schema.Unavailable
		payload.ErrorCode = "no_report"
	case failed != "":
		payload.Outcome = failed
		payload.ErrorCode = status
		payload.Supported = []schema.Resource{schema.VerificationReports}
	}
}

// truvReport is the handler of Truv's tasks: GET /v1/links/{link_id}/income/report/, or
// …/employment/report/ for a task about employment alone.
type truvReport struct{ client *truv.Client }

// Fetch gets the report of a task that is done. A report whose own task goes on is stale. The
// report and the list of shifts, which no report has, tell which resources the link has.
func (t truvReport) Fetch(ctx context.Context, job workers.Job) (workers.Fetched, error) {
	report, err := t.client.Report(ctx, job.Event.AccountID, truv.Product(job.Payload.Product))
	if err != nil {
		return workers.Fetched{}, err
	}
	err = job.Records.Add(ctx, report.Record)
	report.Answer.Release() // before the next call, which needs room for its own answer
	if err != nil {
		return workers.Fetched{}, err
	}
	fetched := workers.Fetched{
		Scope:       schema.Snapshot,
		RefreshedAt: report.RefreshedAt,
		Stale: report.Status != "" && isUnderway(report.Status) ||
			report.RefreshStatus != "" && isUnderway(report.RefreshStatus),
	}
	hasShifts, err := t.client.HasShifts(ctx, job.Event.AccountID)
	if err != nil && !isRefused(err) {
		return workers.Fetched{}, err
	}
	fetched.Supported = resourcesOf(report, hasShifts)
	return fetched, nil
}

// resourcesOf returns the resources of which the link has data.
func resourcesOf(report truv.Report, hasShifts bool) []schema.Resource {
	resources := []schema.Resource{schema.VerificationReports}
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
