// Package deploy has the runbook: what an on-call person does about each finding and each alert.
package deploy

import (
	_ "embed" // the runbook is part of the operator's command
	"strings"

	"github.com/wagewire/wagewire/deploy/health"
)

//go:embed runbook.md
var runbook string

// Topic is a section of the runbook: a kind of finding, or an alert that is no finding.
type Topic struct {
	// Name is the title of the section: "refused-credentials".
	Name string
	// Severity is that of the kind of finding. An alert that is no finding is Bad if it pages.
	Severity health.Severity
	// Means says in one sentence what the finding or the alert says.
	Means string
}

// alerts are the topics that Prometheus alone can see.
var alerts = []Topic{
	{"freshness-burn-fast", health.Bad,
		"So many webhooks are completed late that two days use up the allowance of a month."},
	{"freshness-burn-slow", health.Warn,
		"So many webhooks are completed late that five days use up the allowance of a month."},
	{"metrics-absent", health.Bad,
		"Prometheus has no reading of wagewire metrics, so no other alert can come."},
}

// Topics returns a topic for each section of the runbook: the kinds of findings, the most urgent
// first, and then the alerts that are no finding.
func Topics() []Topic {
	var topics []Topic
	for _, k := range health.Kinds() {
		topics = append(topics, Topic{string(k.Name), k.Severity, k.Means})
	}
	return append(topics, alerts...)
}

// HasAlert reports whether Prometheus alerts on the topic. Nobody needs to act on a note.
func (t Topic) HasAlert() bool { return t.Severity != health.Note }

// Alert is the name of the topic's alert: "WagewireRefusedCredentials".
func (t Topic) Alert() string {
	var b strings.Builder
	b.WriteString("Wagewire")
	for word := range strings.SplitSeq(t.Name, "-") {
		b.WriteString(strings.ToUpper(word[:1]) + word[1:])
	}
	return b.String()
}

// Section returns the section of the runbook about the topic, as Markdown with the title, "" if the
// runbook has no such section.
func (t Topic) Section() string {
	title := "## " + t.Name + "\n"
	_, rest, isThere := strings.Cut(runbook, "\n"+title)
	if !isThere {
		return ""
	}
	text, _, _ := strings.Cut(rest, "\n## ")
	return title + strings.TrimRight(text, "\n") + "\n"
}
