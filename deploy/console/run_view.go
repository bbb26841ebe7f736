package console

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/wagewire/wagewire/deploy/shelf"
)

// runView is what the page of a run shows.
type runView struct {
	task
	report

	id     string
	mayAct bool
}

// verb is the action as the first word of a line.
func (t task) verb() string { return strings.ToUpper(t.action[:1]) + t.action[1:] }

func (v runView) title() string { return v.verb() + " " + v.noun + "s" }

// line is the command that does the same.
func (v runView) line() string {
	flags := append(slices.Clone(v.flags), "--rate", fmt.Sprint(v.rate))
	if len(v.flags) == 0 {
		flags = append([]string{"--all"}, flags...)
	}
	if v.isFiltered {
		flags = append(flags, "--most", fmt.Sprint(v.Chosen))
	}
	return v.commandFor(v.action, flags)
}

// planning says how far the plan is.
func (v runView) planning() string {
	text := fmt.Sprintf("Planning: looked at %s of %s", thousands(v.Looked),
		counted(v.Stored, v.noun))
	if v.Checked > 0 {
		text += fmt.Sprintf(", checked %s of %s", thousands(v.Checked),
			thousands(min(v.Chosen, shelf.PreviewMax)))
	}
	return text + "."
}

// wouldDo says in sentences what the plan is.
func (v runView) wouldDo() string {
	text := fmt.Sprintf("This would %s %s.", v.action, counted(v.Chosen, v.noun))
	if v.stays() > 0 {
		text = fmt.Sprintf("This would %s %s of %s, and leave the others.", v.action,
			thousands(v.would()), counted(v.Chosen, v.noun))
	}
	if left := v.Matched - v.Chosen; left > 0 {
		text += fmt.Sprintf(" %s that the filter chooses stay for another run: they are over the "+
			"bound.", counted(left, v.noun))
	}
	return text + " Nothing is done yet."
}

// took is how long the run was under way.
func (v runView) took() string { return v.At.Sub(v.StartedAt).Round(time.Millisecond).String() }

// ending says in a sentence how the run ended.
func (v runView) ending() string {
	switch {
	case v.State == runExpired:
		return "The plan was not started in time, and nothing was done."
	case v.State == runDone && v.Starter == "":
		return fmt.Sprintf("There is no such %s, so nothing is to be done.", v.noun)
	case v.State == runDone && v.stayed() > 0:
		return fmt.Sprintf("Done: %s looked at, %s.", counted(v.Chosen, v.noun), v.sums())
	case v.State == runDone:
		return fmt.Sprintf("Done: %d of %s.", v.Done, counted(v.Chosen, v.noun))
	case v.Starter == "" && !v.ReadyAt.IsZero():
		return fmt.Sprintf("The plan was not started, and nothing was done: %s.", v.Why)
	case v.Starter == "":
		return fmt.Sprintf("The plan was not made, and nothing was done: %s.", v.Why)
	default:
		return fmt.Sprintf("%s after %d of %d: %s. Plan again for the rest: what is done is not "+
			"done twice.", v.state(), v.Done, v.Chosen, v.Why)
	}
}

// state is the state as the first word of a sentence.
func (v runView) state() string {
	return strings.ToUpper(string(v.State)[:1]) + string(v.State)[1:]
}

// stayed counts the messages that are still on the shelf after the run has taken them.
func (v runView) stayed() int { return v.Result.counts[shelf.Kept] + v.Failed }

// sums are the results of the run as a part of a sentence: "1 sent, 3 kept".
func (v runView) sums() string {
	var parts []string
	for _, line := range v.results() {
		if line.count > 0 {
			parts = append(parts, thousands(line.count)+" "+line.name)
		}
	}
	return strings.Join(parts, ", ")
}

// stays counts the checked messages of the plan on which the run would do nothing.
func (v runView) stays() int {
	return v.Preview.counts[shelf.Kept] + v.Preview.counts[shelf.Gone] + v.Preview.counts[failed]
}

// would is how many messages the run would take off the shelf, and perhaps less if not all were
// checked.
func (v runView) would() int { return v.Chosen - v.stays() }

// resultLine is how many messages had a result.
type resultLine struct {
	name  string
	count int
}

// previews are the results that the checked messages would have.
func (v runView) previews() []resultLine {
	if v.Checked == 0 {
		return nil
	}
	return linesFor(v.Preview, map[shelf.Result]string{
		shelf.Sent: "would be sent", shelf.SentBefore: "were sent before, would be deleted",
		shelf.Discarded: "would be deleted for good", shelf.Gone: "gone meanwhile",
		shelf.Kept: "would be kept", failed: "could not be checked",
	}, v.action)
}

// results are the results of the run.
func (v runView) results() []resultLine {
	names := map[shelf.Result]string{
		shelf.Sent: "sent", shelf.SentBefore: "sent before, deleted",
		shelf.Discarded: "deleted for good", shelf.Gone: "gone meanwhile", shelf.Kept: "kept",
		failed: "failed",
	}
	if v.action == retryAction {
		names[shelf.Sent] = "tried now"
		names[shelf.Gone] = "no longer waited"
	}
	return append(linesFor(v.Result, names, v.action),
		resultLine{"not reached", v.Chosen - v.Done - v.Failed})
}

// linesFor are the lines of the results that the action can have.
func linesFor(t tally, names map[shelf.Result]string, action string) []resultLine {
	results := []shelf.Result{shelf.Sent, shelf.SentBefore, shelf.Gone, shelf.Kept}
	switch action {
	case discard:
		results = []shelf.Result{shelf.Discarded, shelf.Gone}
	case retryAction:
		results = []shelf.Result{shelf.Sent, shelf.Gone}
	}
	if t.counts[failed] > 0 {
		results = append(results, failed)
	}
	var lines []resultLine
	for _, result := range results {
		lines = append(lines, resultLine{names[result], t.counts[result]})
	}
	return lines
}

// firstOf is the title of a list: "The first 100 of 200 events", or "2 events".
func firstOf(listed, all int, noun string) string {
	if listed < all {
		return fmt.Sprintf("The first %s of %s", thousands(listed), counted(all, noun))
	}
	return counted(listed, noun)
}

// sortedReasons are the reasons, the most frequent first.
func (t tally) sortedReasons() []string {
	reasons := slices.Sorted(maps.Keys(t.reasons))
	slices.SortStableFunc(reasons, func(a, b string) int { return t.reasons[b] - t.reasons[a] })
	return reasons
}
