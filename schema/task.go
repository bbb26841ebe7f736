package schema

import (
	"maps"
	"slices"
	"time"
)

// This file has the part of an account's state that is Truv's alone: what the ends of its tasks
// say, and the statements of each employment.

// isOfTask reports whether the completion is about a task of Truv's.
func (c Completion) isOfTask() bool {
	return c.Data.Provider == Truv && c.Data.Resource == VerificationReports
}

// isWithoutReport reports whether the task has no report, so it says nothing about reports.
func (c Completion) isWithoutReport() bool {
	return c.isOfTask() && c.Data.Error != nil && c.Data.Error.Code == CodeNoReport
}

// addTask adds the resources that the end of a task says. Reported is what the final reports
// showed, of all tasks together: the report of one product shows less than that of another. Told
// is what the other ends said. Neither ever shrinks, so the order of the tasks does not matter.
func (b *AccountBasis) addTask(c Completion) {
	said := c.Data.Supported
	switch {
	case said == nil || c.Data.Outcome == Pending:
	case c.Data.Outcome == Succeeded && !c.Data.Stale:
		b.Reported = joinResources(b.Reported, said)
	default:
		b.Told = joinResources(b.Told, said)
	}
}

// ofTasks returns the resources that the tasks of the account said, nil before the end of a task.
// Without a final report, data that has come counts too.
func (b *AccountBasis) ofTasks() []Resource {
	if b.Reported != nil || b.Told == nil {
		return b.Reported
	}
	return joinResources(b.Told, slices.Collect(maps.Keys(b.Resources)))
}

// hasTaskAfter reports whether a task ended well after the time. After a person has connected a
// link again, the only webhook for sure is that of the task.
func (b *AccountBasis) hasTaskAfter(at time.Time) bool {
	reports := b.Resources[VerificationReports]
	return reports != nil && reports.Reached != nil && reports.Reached.Event.OccurredAt.After(at)
}

// addEnd adds the end of a task. The newest end, which is Word already, answers for all earlier
// tasks, so no other event stays.
func (b *ResourceBasis) addEnd(end *AccountWord) {
	if end.Outcome == Succeeded {
		b.Reached = newestWord(b.Reached, end)
	}
	isOther := func(e WordOfEvent) bool { return !b.Word.isOfEvent(e) }
	b.Events = slices.DeleteFunc(addEvent(b.Events, end), isOther)
}

// employmentOf returns the token of the employment of statements, and "" for all else.
func (c Completion) employmentOf() string {
	if c.Data.Resource != Paystubs || c.Data.EmploymentID == "" {
		return ""
	}
	return Token(c.Data.EmploymentID)
}

// addStatements adds a good list of the statements of an employment. Of more than AccountEventsMax
// employments, those with the newest lists stay.
func (b *ResourceBasis) addStatements(word *AccountWord) {
	statements := map[string]*AccountWord{}
	maps.Copy(statements, b.Statements)
	statements[word.Employment] = newestData(statements[word.Employment], word)
	if len(statements) > AccountEventsMax {
		oldest := slices.MinFunc(slices.Collect(maps.Values(statements)), compareData)
		delete(statements, oldest.Employment)
	}
	b.Statements = statements
}

// hasStatements reports whether a good list has the statements that an event of the time announced
// for the employment.
func (b *ResourceBasis) hasStatements(employment string, occurred time.Time) bool {
	list := b.Statements[employment]
	return list != nil && !occurred.After(list.dataTime())
}
