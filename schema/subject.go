package schema

import (
	"crypto/sha256"
	"encoding/base32"
	"fmt"
	"strings"
)

// root begins every subject of Wagewire.
const root = "wagewire."

// Filters for whole groups of subjects.
const (
	// AllSubjects matches every subject of Wagewire.
	AllSubjects = root + ">"
	// AllCompletions matches every completion.
	AllCompletions = root + "completions.>"
	// AllAccounts matches the state of every account.
	AllAccounts = root + "accounts.>"

	allEvents      = root + "events.>"
	allTombstones  = root + "tombstones.>"
	allDeadLetters = root + "dead_letters.>"
	allQuarantined = root + "quarantine.>"
	allPauses      = root + "pauses.>"
	allClosures    = root + "closures.>"
	allReports     = root + "reports.>"
)

// Subjects with a name in braces for each token that differs from message to message. Traces have
// them instead of the subjects, which name accounts.
const (
	EventsTemplate      = root + "events.{provider}.{resource}.{action}.{account}"
	CompletionsTemplate = root + "completions.{provider}.{resource}.{account}.{event}"
	QuarantineTemplate  = root + "quarantine.{provider}"
)

// NoAccount is the account token of an event that names no account.
const NoAccount = "_"

// hashPrefix begins every token made from a hash.
const hashPrefix = "h_"

// plainMax is the length of the longest id used as a token without a hash.
const plainMax = 64

// Token returns the token of an id: the id itself if the id is plain, else "h_" and the unpadded
// base32 of its SHA-256. A plain id matches ^[A-Za-z0-9_-]{1,64}$.
//
// Two ids never share a token, and a token is never a wildcard. Therefore Token also hashes two
// kinds of plain ids: the id "_", because NoAccount is the token of events without an account, and
// ids that begin with "h_", because they could equal the hash of another id. An erasure finds an
// account's messages by the token.
func Token(id string) string {
	if isPlain(id) && id != NoAccount && !strings.HasPrefix(id, hashPrefix) {
		return id
	}
	return HashToken(id)
}

// HashToken returns the hash of an id as a token, even for a plain id. It serves ids chosen by
// people, such as Pinwheel's end_user_id.
func HashToken(id string) string {
	sum := sha256.Sum256([]byte(id))
	return hashPrefix + base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(sum[:])
}

func isPlain(id string) bool {
	for i := range len(id) {
		if !isTokenByte(id[i]) {
			return false
		}
	}
	return 1 <= len(id) && len(id) <= plainMax
}

func isTokenByte(c byte) bool {
	switch {
	case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		return true
	default:
		return c == '_' || c == '-'
	}
}

// Account is the account token of the event, or NoAccount if the event names no account.
func (e Event) Account() string {
	switch {
	case e.Of != "":
		return Token(e.Of)
	case e.AccountID == "":
		return NoAccount
	case e.NamesEndUser():
		return HashToken(e.AccountID)
	default:
		return Token(e.AccountID)
	}
}

// NamesEndUser reports whether the event is about a person. AccountID then holds the end_user_id.
func (e Event) NamesEndUser() bool { return Lookup(e.Provider, e.Type).NamesEndUser }

// Erases reports whether the event announces that the provider deleted the account's data.
func (e Event) Erases() bool { return Lookup(e.Provider, e.Type).Erases }

// Subject is the subject of the event: wagewire.events.<provider>.<resource>.<action>.<account>.
func (e Event) Subject() string {
	return AccountEvents(e.Provider, e.Resource, e.Action, e.Account())
}

// Key identifies the event in the whole system: <provider>:<token of the id>, and for a redrive
// :r1, :r2 and so on at the end. Key is also the message id: the events stream stores an event
// once under it.
func (e Event) Key() string {
	return RedriveID(string(e.Provider)+":"+Token(e.ID), e.Redrive)
}

// token is the event's token in the subject of its completion.
func (e Event) token() string { return Token(RedriveID(e.ID, e.Redrive)) }

// CompletionKey is the completion's id, <provider>:<event id>:<resource>. An event that names a
// person has a completion for each account of the person: their ids end in :<account>. Consumers
// use the id as an idempotency key.
func (e Event) CompletionKey(r Resource) string {
	key := e.Key() + ":" + string(r)
	if e.Of != "" {
		key += ":" + e.Account()
	}
	return key
}

// ParseCompletionKey returns the key of the event and the resource in a completion's id. ok is
// false for another text.
func ParseCompletionKey(id string) (event string, r Resource, ok bool) {
	t := strings.Split(id, ":")
	own := 2 // tokens of the event
	if len(t) > 3 && parseRedriveSuffix(":"+t[2]) > 0 {
		own = 3
	}
	if rest := len(t) - own; rest != 1 && rest != 2 {
		return "", "", false
	}
	return strings.Join(t[:own], ":"), Resource(t[own]), true
}

// WithoutAccount returns a completion's id without the account of a person at its end. It returns
// another text as it is.
func WithoutAccount(id string) string {
	event, r, ok := ParseCompletionKey(id)
	if !ok {
		return id
	}
	return event + ":" + string(r)
}

// CompletionSubject is the subject of the resource's completion of the event. The stream stores
// one completion a subject and refuses a second.
func (e Event) CompletionSubject(r Resource) string {
	return root + "completions." + string(e.Provider) + "." + string(r) + "." + e.Account() + "." +
		e.token()
}

// CompletionAccount is the provider and the account's token of a completion's subject. For any
// other subject both are empty.
func CompletionAccount(subject string) (p Provider, account string) {
	t := fourTokens("completions", subject)
	if t == nil {
		return "", ""
	}
	return Provider(t[0]), t[2]
}

// Completions matches every completion of the event, of any resource and account.
func (e Event) Completions() string {
	return fmt.Sprintf("%scompletions.%s.*.*.%s", root, e.Provider, e.token())
}

// RecordsName is the name of the object with a large completion's records. The name begins with
// AccountRecords.
func (e Event) RecordsName(r Resource) string {
	return AccountRecords(e.Provider, e.Account()) + string(r) + "/" + e.token()
}

// TombstoneSubject is the subject of an erased account's tombstone. While the tombstone exists, the
// stream refuses completions with data of the account.
func TombstoneSubject(p Provider, account string) string {
	return root + "tombstones." + string(p) + "." + account
}

// QuarantineSubject is the subject of a provider's webhooks in quarantine.
func QuarantineSubject(p Provider) string { return root + "quarantine." + string(p) }

// DeadLetterSubject is the subject of a queue's dead letters about one account.
func DeadLetterSubject(queue, account string) string {
	return root + "dead_letters." + queue + "." + account
}

// WaitingSubject is the subject of an event that waits for its next try in a queue. The stream has
// one message on the subject: a new one replaces the one before.
func (e Event) WaitingSubject(queue string) string {
	return waitingSubject(queue, e.Account(), e.token())
}

// AccountWaiting matches the waiting events of a queue about one account. The token "*" stands for
// any queue or account.
func AccountWaiting(queue, account string) string { return waitingSubject(queue, account, "*") }

// WaitingEvents matches the event among the waiting events of every queue.
func (e Event) WaitingEvents() string { return waitingSubject("*", "*", e.token()) }

// WaitingQueue returns the queue of a waiting event, a retry or a replay by its subject. It returns
// "" for another subject.
func WaitingQueue(subject string) string {
	t := strings.Split(subject, ".")
	if len(t) < 3 || t[0]+"." != root {
		return ""
	}
	switch t[1] {
	case "waiting", "retries", "replays":
		return t[2]
	default:
		return ""
	}
}

func waitingSubject(queue, account, event string) string {
	return root + "waiting." + queue + "." + account + "." + event
}

// RetriesSubject is the subject of a queue's events about one account whose time to wait is over.
// The token "*" stands for any queue or account.
func RetriesSubject(queue, account string) string {
	return fmt.Sprintf("%sretries.%s.%s", root, queue, account)
}

// ReplaysSubject is the subject of a queue's replayed events about one account, which fresh events
// do not wait for. The token "*" stands for any queue or account.
func ReplaysSubject(queue, account string) string {
	return fmt.Sprintf("%sreplays.%s.%s", root, queue, account)
}

// PauseSubject is the subject of the state of a queue whose provider refuses our credentials.
func PauseSubject(queue string) string { return root + "pauses." + queue }

// ClosureSubject is the subject of a closure. The scope is a queue, or a provider: then the closure
// is one of each queue of the provider. The token "*" stands for any scope or reason.
func ClosureSubject(scope string, r ClosureReason) string {
	return fmt.Sprintf("%sclosures.%s.%s", root, scope, r)
}

// ResourceCompletions matches the completions of a resource for one provider.
func ResourceCompletions(p Provider, r Resource) string {
	return fmt.Sprintf("%scompletions.%s.%s.*.*", root, p, r)
}

// AccountCompletions matches every completion of an account.
func AccountCompletions(p Provider, account string) string {
	return fmt.Sprintf("%scompletions.%s.*.%s.*", root, p, account)
}

// AccountSubject is the subject of the state of an account. The token "*" stands for any account.
func AccountSubject(p Provider, account string) string {
	return fmt.Sprintf("%saccounts.%s.%s", root, p, account)
}

// AccountEvents matches the events of an account with one resource and action. The token "*" stands
// for any resource, action or account.
func AccountEvents(p Provider, r Resource, action, account string) string {
	return root + "events." + string(p) + "." + string(r) + "." + action + "." + account
}

// ProviderEvents matches every event of a provider.
func ProviderEvents(p Provider) string { return AccountEvents(p, "*", "*", "*") }

// AccountRecords is the prefix of the names of an account's record objects.
func AccountRecords(p Provider, account string) string { return string(p) + "/" + account + "/" }

// ParseSubject splits an event's subject into its tokens.
func ParseSubject(subject string) (p Provider, r Resource, action, account string, err error) {
	t := fourTokens("events", subject)
	if t == nil {
		return "", "", "", "", fmt.Errorf(
			"subject %q is not wagewire.events.<provider>.<resource>.<action>.<account>", subject)
	}
	return Provider(t[0]), Resource(t[1]), t[2], t[3], nil
}

// fourTokens returns the tokens behind wagewire.<kind>, or nil if the subject is of another kind or
// has not four of them.
func fourTokens(kind, subject string) []string {
	t := strings.Split(subject, ".")
	if len(t) != 6 || t[0]+"." != root || t[1] != kind {
		return nil
	}
	return t[2:]
}

// LastToken is the last token of a subject: an account, an event or a provider.
func LastToken(subject string) string { return subject[strings.LastIndex(subject, ".")+1:] }
