package schema

import (
	"strings"
	"time"
)

// ReportsStream has the last report of every process.
const ReportsStream = "WAGEWIRE_REPORTS"

// Limits of reports.
const (
	// ReportEvery is the time between two reports of a process.
	ReportEvery = 10 * time.Second
	// ReportLateAfter is how long a process may be silent before it counts as gone: three reports
	// may be lost.
	ReportLateAfter = 4 * ReportEvery
	// ReportKeptFor is how long the last report of a process is kept. For so long an operator knows
	// that there must be a process of the role.
	ReportKeptFor = 24 * time.Hour
)

// Report is what a process says about itself every ReportEvery. An operator learns from reports
// which processes run, and what only a process sees: how a provider answers, and whether webhooks
// have a signature that fits. Nothing of the line reads a report.
type Report struct {
	// Role is the role of the process, as in its key of the broker: "ingress", "paystubs".
	Role string `json:"role"`
	// Instance is a random name, made at each start.
	Instance string `json:"instance"`
	// Version is the version of the binary.
	Version string    `json:"version"`
	Started time.Time `json:"started"`
	At      time.Time `json:"at"`
	// Stopped is true in the last report of a process that stopped in order. A process whose
	// reports end without it was killed, or cannot reach the broker.
	Stopped   bool                        `json:"stopped,omitempty"`
	Providers map[Provider]ProviderReport `json:"providers,omitempty"`
}

// ProviderReport is what a process has seen of a provider.
type ProviderReport struct {
	// Signatures are the webhooks whose signature fitted one of our secrets, and those with a
	// well-formed signature that fitted none. Ingress reports them.
	Signatures Recent `json:"signatures,omitzero"`
	// Stored are the webhooks that the broker stored, and those that it did not. Ingress reports
	// them.
	Stored Recent `json:"stored,omitzero"`
	// Dates are the signed webhooks whose date was near our clock, and those that were too far from
	// it, and so went to quarantine. Ingress reports them.
	Dates Recent `json:"dates,omitzero"`
	// SkewS is how much older than our clock the last of the dates too far from it was, in seconds.
	// Below zero the date was in the future.
	SkewS float64 `json:"skew_s,omitempty"`
	// Calls are the calls that the provider answered, and those that it failed: no answer, 5xx or
	// 408. A worker reports them.
	Calls Recent `json:"calls,omitzero"`
	// Status and Endpoint describe the last failed call, as in Wait.
	Status   int    `json:"status,omitempty"`
	Endpoint string `json:"endpoint,omitempty"`
}

// Recent counts what went well and what failed lately: within the last five minutes.
type Recent struct {
	OK     int `json:"ok"`
	Failed int `json:"failed"`
	// InARow counts the failures since the last success, however long ago.
	InARow int `json:"in_a_row,omitempty"`
	// Since is the first of the failures in a row.
	Since      time.Time `json:"since,omitzero"`
	LastOK     time.Time `json:"last_ok,omitzero"`
	LastFailed time.Time `json:"last_failed,omitzero"`
}

// Add returns the counts of two processes together. Failures in a row count only if the other
// process had no success since they began: then one process alone fails. The reports of two
// processes may be ReportEvery apart.
func (r Recent) Add(other Recent) Recent {
	sum := Recent{OK: r.OK + other.OK, Failed: r.Failed + other.Failed}
	sum.LastOK = later(r.LastOK, other.LastOK)
	sum.LastFailed = later(r.LastFailed, other.LastFailed)
	for _, part := range []Recent{r, other} {
		if part.InARow == 0 || sum.LastOK.After(part.Since.Add(ReportEvery)) {
			continue
		}
		sum.InARow += part.InARow
		if sum.Since.IsZero() || part.Since.Before(sum.Since) {
			sum.Since = part.Since
		}
	}
	return sum
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// ReportSubject is the subject of a process's reports. The token "*" stands for any role or
// instance.
func ReportSubject(role, instance string) string {
	return root + "reports." + role + "." + instance
}

// ReportRole returns the role of a report by its subject, "" for another subject.
func ReportRole(subject string) string {
	rest, isReport := strings.CutPrefix(subject, root+"reports.")
	if !isReport {
		return ""
	}
	role, _, _ := strings.Cut(rest, ".")
	return role
}
