package shelf

import (
	"time"

	"github.com/wagewire/wagewire/deploy/find"
	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
)

// Filter is a choice of messages of a shelf.
type Filter[T any] interface {
	// IsEmpty reports whether the filter chooses every message.
	IsEmpty() bool
	// Matches reports whether the filter chooses the message.
	Matches(message T) bool
	// Subjects are subject filters that match every chosen message and perhaps more, nil if all
	// subjects may have one.
	Subjects() []string
}

// Span is a stretch of time, from Since until just before Until. A zero end is open.
type Span struct{ Since, Until time.Time }

// Contains reports whether the time is in the span.
func (s Span) Contains(at time.Time) bool {
	return !at.Before(s.Since) && (s.Until.IsZero() || at.Before(s.Until))
}

// IsOpen reports whether both ends are open.
func (s Span) IsOpen() bool { return s.Since.IsZero() && s.Until.IsZero() }

// LetterFilter is a choice of dead letters. The zero value chooses all.
type LetterFilter struct {
	Queue    string
	Class    schema.Class
	Provider schema.Provider
	// Account is the provider's id of an account or end user, or its token.
	Account string
	// Span is when the worker gave up.
	Span
}

// LetterClasses are the classes that a dead letter can have.
func LetterClasses() []schema.Class {
	return []schema.Class{
		schema.ClassTransient, schema.ClassNotReady, schema.ClassThrottled,
		schema.ClassUnauthorized, schema.ClassForbidden, schema.ClassPermanent,
		schema.ClassContract, schema.ClassPoison, schema.ClassExhausted,
	}
}

// IsEmpty reports whether the filter chooses every dead letter.
func (f LetterFilter) IsEmpty() bool { return f == LetterFilter{} }

// Matches reports whether the filter chooses the dead letter.
func (f LetterFilter) Matches(l stream.Letter) bool {
	return (f.Queue == "" || f.Queue == l.Queue) &&
		(f.Class == "" || f.Class == l.Class) &&
		(f.Provider == "" || f.Provider == l.Event.Provider) &&
		(f.Account == "" || find.IsAccount(l.Account, f.Account)) &&
		f.Contains(l.At)
}

// Subjects are those of the queue and of the account.
func (f LetterFilter) Subjects() []string {
	queue := f.Queue
	if queue == "" {
		queue = "*"
	}
	if f.Account == "" {
		if f.Queue == "" {
			return nil
		}
		return []string{schema.DeadLetterSubject(queue, "*")}
	}
	var subjects []string
	for _, token := range find.Tokens(f.Account) {
		subjects = append(subjects, schema.DeadLetterSubject(queue, token))
	}
	return subjects
}

// AccountWord is the account as a word that needs no quotes and chooses the same accounts, ""
// without one.
func (f LetterFilter) AccountWord() string {
	if f.Account == "" || find.IsToken(f.Account) {
		return f.Account
	}
	return schema.Token(f.Account)
}

// UnreadFilter is a choice of webhooks in quarantine. The zero value chooses all.
type UnreadFilter struct {
	Provider schema.Provider
	Reason   schema.QuarantineReason
	// Span is when ingress received the webhook.
	Span
}

// IsEmpty reports whether the filter chooses every webhook.
func (f UnreadFilter) IsEmpty() bool { return f == UnreadFilter{} }

// Matches reports whether the filter chooses the webhook.
func (f UnreadFilter) Matches(u stream.Unread) bool {
	return (f.Provider == "" || f.Provider == u.Provider) &&
		(f.Reason == "" || f.Reason == u.Reason) &&
		f.Contains(u.ReceivedAt)
}

// Subjects is that of the provider.
func (f UnreadFilter) Subjects() []string {
	if f.Provider == "" {
		return nil
	}
	return []string{schema.QuarantineSubject(f.Provider)}
}
