package fetch

import (
	"context"
	"slices"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/workers"
	"github.com/wagewire/wagewire/workers/api"
	"github.com/wagewire/wagewire/workers/pinwheel"
)

// pinwheelReports is the handler of Pinwheel's verification reports: GET
// /v1/end_users/{end_user_id}/verification_reports/voe and /voie.
type pinwheelReports struct{ client *pinwheel.Client }

// Fetch gets the accounts of the person, because the webhook names no account, and then each report
// announced as available. That is one call more an event, or one for each 100 accounts. The
// accounts count even if the reports cannot be fetched: each account learns why.
func (p pinwheelReports) Fetch(ctx context.Context, job workers.Job) (workers.Fetched, error) {
	accounts, err := p.listAccounts(ctx, job.Event.AccountID)
	if err != nil {
		return workers.Fetched{}, err
	}
	fetched, err := p.fetchReports(ctx, job)
	fetched.Accounts = accounts
	return fetched, err
}

// listAccounts returns the ids of the person's accounts. An account can move to the next page
// between two calls, and is returned once. A person whom Pinwheel does not know (404) has none.
func (p pinwheelReports) listAccounts(ctx context.Context, endUserID string) ([]string, error) {
	var ids []string
	for page, err := range p.client.Accounts(ctx, endUserID) {
		if api.IsNotFound(err) && len(ids) == 0 {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		for _, account := range page.Records {
			if !slices.Contains(ids, account.ID) {
				ids = append(ids, account.ID)
			}
		}
	}
	return ids, nil
}

// fetchReports gets each report announced as available. An announced report is missing if Pinwheel
// does not have the report. Without any report, fetchReports returns Pinwheel's error, or the
// outcome Unavailable if none was announced.
func (p pinwheelReports) fetchReports(
	ctx context.Context, job workers.Job,
) (workers.Fetched, error) {
	fetched := workers.Fetched{Outcome: schema.Unavailable}
	var absentErr error
	for _, report := range []struct {
		kind      pinwheel.Report
		announced workers.Availability
	}{
		{pinwheel.VOE, job.Payload.VOE},
		{pinwheel.VOIE, job.Payload.VOIE},
	} {
		if !report.announced.Available() {
			continue
		}
		s, err := p.client.VerificationReport(ctx, job.Event.AccountID, report.kind)
		if isAbsent(err) {
			absentErr = err
			fetched.Missing = append(fetched.Missing, string(report.kind))
			continue
		}
		if err != nil {
			return workers.Fetched{}, err
		}
		err = job.Records.Add(ctx, s.Record)
		s.Answer.Release()
		if err != nil {
			return workers.Fetched{}, err
		}
		fetched.Outcome = schema.Succeeded
		fetched.Scope = schema.Snapshot
		if isBehind(s.RefreshedAt, report.announced.RefreshedAt) {
			fetched.Stale = true
		}
		// Both together are as old as the older.
		if fetched.RefreshedAt.IsZero() || isBehind(s.RefreshedAt, fetched.RefreshedAt) {
			fetched.RefreshedAt = s.RefreshedAt
		}
	}
	if fetched.Outcome == schema.Unavailable && absentErr != nil {
		return workers.Fetched{}, absentErr
	}
	if len(fetched.Missing) > 0 { // an earlier report of the missing kind may still be good
		fetched.Scope = schema.Delta
	}
	return fetched, nil
}
