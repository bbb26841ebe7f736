// Package shelf works on messages that wait for a decision of an operator: dead letters, and
// webhooks in quarantine. The commands and the console share it. It prints nothing, and asks
// nobody.
//
// An operator chooses messages with a filter, and looks at them with a scan. Then a Redriver or a
// Releaser sends each through the line again, and says in an Outcome what happened:
//
//	                 look         store the event        delete the message
//	dead letter  ──▶ obstacle? ─▶ as redrive ID:rN    ─▶ Sent
//	webhook           │  │        or under its own id
//	                  │  └ stored before: SentBefore ──▶ (only deleted)
//	                  └ yes: Kept;  no message any more: Gone
//
// The message is deleted only after its event is stored, so nothing is lost by a crash in between,
// and the next look finds the stored event. Two operators may work on the same messages: whoever
// stores an event second is refused its number, and finds the event of the first.
//
//	kind.go     the two shelves
//	filter.go   LetterFilter, UnreadFilter: a choice of messages, and the subjects that have them
//	scan.go     Scan: the messages of a filter, from a number on, up to limits
//	page.go     ReadOlder, ReadNewer: a page of the newest, and those before and after
//	outcome.go  Outcome: what happened to a message
//	redrive.go  Redriver: dead letters, each through its queue
//	release.go  Releaser: webhooks in quarantine, as events
//	discard.go  Discarder: messages for good
//	history.go  History: which redrives of a webhook are stored, and the next free number
//	cause.go    CauseOf: why a worker gave up
//	letter.go   LetterJSON: a dead letter for another program
package shelf
