package health

import (
	"fmt"
	"strings"
	"time"

	"github.com/wagewire/wagewire/schema"
)

// Verdict is the first line of wagewire status: the most urgent finding that asks for a person, or
// that all is well.
type Verdict struct {
	// Severity is that of the finding, or Well.
	Severity Severity `json:"severity"`
	Text     string   `json:"text"`
}

// Judge returns the verdict on the state with these findings.
func (s State) Judge(findings []Finding) Verdict {
	for _, f := range findings {
		if f.Severity != Note {
			return Verdict{f.Severity, f.String()}
		}
	}
	return Verdict{Well, fmt.Sprintf("%-4s  %s", strings.ToUpper(string(Well)), s.summary())}
}

// summary says how the installation is if nothing is wrong: "oldest unfinished event 14 s; 212 wait
// for truv, the next until 22:41Z; no dead letters".
func (s State) summary() string {
	parts := []string{"no event is unfinished"}
	var oldest time.Time
	waiting := map[schema.Provider]int{}
	next := map[schema.Provider]time.Time{}
	for _, q := range s.Queues {
		if !q.Oldest.IsZero() && (oldest.IsZero() || q.Oldest.Before(oldest)) {
			oldest = q.Oldest
		}
		p := providerOf(q.Name)
		waiting[p] += q.Waiting
		for _, c := range q.WaitingByClass {
			if !c.Next.IsZero() && (next[p].IsZero() || c.Next.Before(next[p])) {
				next[p] = c.Next
			}
		}
	}
	if !oldest.IsZero() {
		parts[0] = fmt.Sprintf("oldest unfinished event %s", rough(s.At.Sub(oldest)))
	}
	for _, p := range schema.Providers() {
		switch {
		case waiting[p] > 0 && !next[p].IsZero():
			parts = append(parts, fmt.Sprintf("%d wait for %s, the first until %s",
				waiting[p], p, s.clock(next[p])))
		case waiting[p] > 0:
			parts = append(parts, fmt.Sprintf("%d wait for %s", waiting[p], p))
		}
	}
	return strings.Join(append(parts, "no dead letters"), "; ")
}
