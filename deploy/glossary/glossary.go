// Package glossary explains the words that completions, states and commands have: statuses of
// accounts, outcomes, classes of failures, and the codes of Truv's tasks.
package glossary

import (
	"slices"

	"github.com/wagewire/wagewire/schema"
)

// Kind says what a word is about.
type Kind string

// The kinds of words.
const (
	OfAccount Kind = "status of an account"
	OfOutcome Kind = "outcome of a completion"
	OfClass   Kind = "class of a failure"
	OfTask    Kind = "code of a task of Truv's"
)

// Word is a word with its meaning.
type Word struct {
	Kind Kind
	Name string
	// Means is the rest of a sentence about the word: "the provider's own job failed".
	Means string
}

// statuses say what each status of an account stands for.
var statuses = map[schema.AccountStatus]string{
	schema.AccountLinking:      "an awaited resource is not final yet",
	schema.AccountReady:        "all awaited resources are final and good",
	schema.AccountIncomplete:   "all awaited resources are final, and some are not good",
	schema.AccountDisconnected: "the provider cannot reach it until the person connects it again",
	schema.AccountDeleted:      "its data was deleted at the provider, and is erased here",
}

// outcomes say what each outcome stands for.
var outcomes = map[schema.Outcome]string{
	schema.Succeeded:    "the data was fetched and is in the records",
	schema.Pending:      "the provider's job is not finished: another webhook follows",
	schema.Unavailable:  "the provider does not have the data, or refuses it",
	schema.Failed:       "the provider's job failed, or Wagewire gave up: the class tells which",
	schema.Disconnected: "the provider cannot reach the account until the person connects it again",
	schema.Deleted:      "the account's data was deleted at the provider, and is erased here",
}

// classes say what each class of failure stands for.
var classes = map[schema.Class]string{
	schema.ClassTransient:    "the provider failed, or did not answer",
	schema.ClassNotReady:     "the provider does not have the data yet",
	schema.ClassThrottled:    "the provider answered 429 (too many calls)",
	schema.ClassUnauthorized: "the provider refuses our credentials",
	schema.ClassForbidden:    "the provider refuses this record to our credentials",
	schema.ClassPermanent:    "the provider rejects the request, and would again",
	schema.ClassContract:     "the provider's answer has another form than it promises",
	schema.ClassPoison:       "the event cannot be read, or a worker breaks on it",
	schema.ClassNotStored:    "the broker did not store the completion",
	schema.ClassProvider:     "the provider's own job failed",
	schema.ClassExhausted:    "the event had all of its deliveries without a verdict",
}

// codes are the codes of Truv's tasks that end without a report (docs.truv.com, Task lifecycle),
// and our own for a task that has none.
var codes = []Word{
	{OfTask, "login_error", "the login was refused: the person must connect the account again"},
	{OfTask, "mfa_error", "the second factor of the login was refused or did not come"},
	{OfTask, "account_locked", "the payroll system has locked the person's account"},
	{OfTask, "unable_to_reset", "the person's password could not be reset"},
	{OfTask, "config_error", "Truv's connection to the payroll system is not set up right"},
	{OfTask, "unavailable", "the payroll system cannot be reached"},
	{OfTask, "error", "Truv's task failed for another reason"},
	{OfTask, "no_data", "the payroll system has no data of the person"},
	{OfTask, "not_supported", "Truv does not support the payroll system or the product"},
	{OfTask, "no_report", "the task was for a product without a report of employment or income, " +
		"so nothing is wrong"},
}

// Words returns every word. A name can stand there more than once, with different kinds.
func Words() []Word {
	var words []Word
	for _, s := range schema.AccountStatuses() {
		words = append(words, Word{OfAccount, string(s), statuses[s]})
	}
	for _, o := range schema.Outcomes() {
		words = append(words, Word{OfOutcome, string(o), outcomes[o]})
	}
	for _, c := range schema.Classes() {
		words = append(words, Word{OfClass, string(c), classes[c]})
	}
	return append(words, codes...)
}

// Named returns the words with the name, none for a name that is no word.
func Named(name string) []Word {
	return slices.DeleteFunc(Words(), func(w Word) bool { return w.Name != name })
}

// OfFailure says what a class of failure stands for.
func OfFailure(c schema.Class) string { return classes[c] }
