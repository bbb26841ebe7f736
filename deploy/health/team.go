package health

import (
	"time"

	"github.com/wagewire/wagewire/schema/stream"
)

// AbandonedAfter is how long completions may wait for a team before its durable counts as
// abandoned.
const AbandonedAfter = 24 * time.Hour

// TeamLag is the lag of a team, over all of its durables.
type TeamLag struct {
	// Team is empty for the durables without a team.
	Team     string    `json:"team"`
	Durables int       `json:"durables"`
	Lag      uint64    `json:"lag"`
	Oldest   time.Time `json:"oldest,omitzero"`
	LostAt   time.Time `json:"lost_at,omitzero"`
	Active   time.Time `json:"active,omitzero"`
	// Abandoned counts the abandoned durables.
	Abandoned int `json:"abandoned"`
}

// TeamLags sums up the durables of each team, in their order.
func TeamLags(durables []stream.Durable, now time.Time) []TeamLag {
	lags := []TeamLag{} // [] in JSON, and not null
	for _, d := range durables {
		if last := len(lags) - 1; last < 0 || lags[last].Team != d.Team {
			lags = append(lags, TeamLag{Team: d.Team})
		}
		lags[len(lags)-1].add(d, now)
	}
	return lags
}

func (l *TeamLag) add(d stream.Durable, now time.Time) {
	l.Durables++
	l.Lag += d.Lag()
	if l.Oldest.IsZero() || !d.Oldest.IsZero() && d.Oldest.Before(l.Oldest) {
		l.Oldest = d.Oldest
		l.LostAt = d.LostAt
	}
	if d.Active.After(l.Active) {
		l.Active = d.Active
	}
	if d.Abandoned(now, AbandonedAfter) {
		l.Abandoned++
	}
}
