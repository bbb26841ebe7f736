package fetch

import (
	"context"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/workers"
	"github.com/wagewire/wagewire/workers/pinwheel"
)

// VerificationReports fetches GET /v1/end_users/{end_user_id}/verification_reports/voe and /voie, each where the event
// says it is available.
func VerificationReports(c *pinwheel.Client) workers.Handler { return reports{c} }

type reports struct{ client *pinwheel.Client }

// Fetch gets the reports. A report that is announced and not there is missing; where none can be had, there is no data.
func (r reports) Fetch(ctx context.Context, job workers.Job) (workers.Fetched, error) {
	fetched := workers.Fetched{Outcome: schema.Unavailable}
	var gone error
	for _, report := range []struct {
		kind      pinwheel.Report
		announced workers.Availability
	}{{pinwheel.VOE, job.Payload.VOE}, {pinwheel.VOIE, job.Payload.VOIE}} {
		if !report.announced.Available() {
			continue
		}
		s, err := r.client.VerificationReport(ctx, job.Event.AccountID, report.kind)
		switch {
		case absent(err):
			gone, fetched.Missing = err, append(fetched.Missing, string(report.kind))
			continue
		case err != nil:
			return workers.Fetched{}, err
		}
		fetched.Outcome = schema.Succeeded
		fetched.Records = append(fetched.Records, s.JSON)
		fetched.Stale = fetched.Stale || behind(s.RefreshedAt, report.announced.RefreshedAt)
		if at := s.RefreshedAt; !at.IsZero() && (fetched.RefreshedAt.IsZero() || at.Before(fetched.RefreshedAt)) {
			fetched.RefreshedAt = s.RefreshedAt
		}
	}
	if len(fetched.Records) == 0 && gone != nil {
		return workers.Fetched{}, gone
	}
	return fetched, nil
}
