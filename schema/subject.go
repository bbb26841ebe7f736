package schema

import (
	"crypto/sha256"
	"encoding/base32"
	"fmt"
	"strings"
)

// NoAccount is the account token of an event that names no account.
const NoAccount = "_"

// hashPrefix marks a token that is a hash. An id that begins with it is hashed too, so that no id can pass for another's hash.
const hashPrefix = "h_"

// plain reports whether the id matches ^[A-Za-z0-9_-]{1,64}$.
func plain(id string) bool {
	for i := range len(id) {
		switch c := id[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '_', c == '-':
		default:
			return false
		}
	}
	return 1 <= len(id) && len(id) <= 64
}

// Token turns any id into one token of a subject: the id itself where it is made of letters, digits, _ and - and is at most
// 64 long, else "h_" and the unpadded base32 of its SHA-256. Two ids never share a token, and no token is a wildcard,
// NoAccount or more than one token.
func Token(id string) string {
	if plain(id) && id != NoAccount && !strings.HasPrefix(id, hashPrefix) {
		return id
	}
	return HashToken(id)
}

// HashToken is Token for ids that people choose, such as Pinwheel's end_user_id: always the hash.
func HashToken(id string) string {
	sum := sha256.Sum256([]byte(id))
	return hashPrefix + base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(sum[:])
}

const root = "wagewire."

// AllSubjects matches everything that is ours.
const AllSubjects = root + ">"

// Account is the event's account token: NoAccount where it names none.
func (e Event) Account() string {
	switch {
	case e.AccountID == "":
		return NoAccount
	case e.NamesEndUser():
		return HashToken(e.AccountID)
	default:
		return Token(e.AccountID)
	}
}

// NamesEndUser reports whether the event is about a person rather than an account: AccountID is then the end_user_id.
func (e Event) NamesEndUser() bool { return Lookup(e.Provider, e.Type).NamesEndUser }

// Erases reports whether the event says that an account's data was deleted at the provider.
func (e Event) Erases() bool { return Lookup(e.Provider, e.Type).Erases }

// Subject is where the event is published: wagewire.events.<provider>.<resource>.<action>.<account>.
func (e Event) Subject() string {
	return root + "events." + string(e.Provider) + "." + string(e.Resource) + "." + e.Action + "." + e.Account()
}

// Key is the event's name across the system, <provider>:<id>, and the message id under which it is stored once.
// An id that is no plain token stands in it as its hash. A redrive's name ends in :r1, :r2 and so on.
func (e Event) Key() string {
	key := string(e.Provider) + ":" + Token(e.ID)
	if e.Redrive > 0 {
		key += redriveSuffix(e.Redrive)
	}
	return key
}

// token is the event's in the subject of its completion.
func (e Event) token() string {
	if e.Redrive > 0 {
		return Token(RedriveID(e.ID, e.Redrive))
	}
	return Token(e.ID)
}

// CompletionKey is the completion's id, <provider>:<event id>:<resource>: consumers use it as their idempotency key.
func (e Event) CompletionKey(r Resource) string { return e.Key() + ":" + string(r) }

// CompletionSubject is where the resource's worker completes the event, and the name no second completion can take.
func (e Event) CompletionSubject(r Resource) string {
	return fmt.Sprintf("%scompletions.%s.%s.%s.%s", root, e.Provider, r, e.Account(), e.token())
}

// Completions matches every completion of the event, whatever the resource and the account.
func (e Event) Completions() string {
	return fmt.Sprintf("%scompletions.%s.*.*.%s", root, e.Provider, e.token())
}

// TombstoneSubject is where an account's erasure is marked; while a message is there, nothing about the account is stored.
func TombstoneSubject(p Provider, account string) string {
	return fmt.Sprintf("%stombstones.%s.%s", root, p, account)
}

// QuarantineSubject is where a signed webhook goes that cannot be read.
func QuarantineSubject(p Provider) string { return root + "quarantine." + string(p) }

// DeadLetterSubject is where a queue's unfinished events of one account are kept.
func DeadLetterSubject(queue, account string) string {
	return fmt.Sprintf("%sdead_letters.%s.%s", root, queue, account)
}

// ResourceCompletions matches what the resource's worker completes of a provider.
func ResourceCompletions(p Provider, r Resource) string {
	return fmt.Sprintf("%scompletions.%s.%s.*.*", root, p, r)
}

// AccountCompletions, AccountEvents and AccountDeadLetters are the subject filters that hold all there is of an account:
// erasure purges them.
func AccountCompletions(p Provider, account string) string {
	return fmt.Sprintf("%scompletions.%s.*.%s.*", root, p, account)
}

// AccountEvents matches the events of one resource and action of an account; "*" stands for any.
func AccountEvents(p Provider, r Resource, action, account string) string {
	return fmt.Sprintf("%sevents.%s.%s.%s.%s", root, p, r, action, account)
}

// RecordsName is the name of the object that holds a large completion's records. It begins with AccountRecords.
func (e Event) RecordsName(r Resource) string {
	return AccountRecords(e.Provider, e.Account()) + string(r) + "/" + e.token()
}

// AccountRecords is the prefix of all record objects of an account.
func AccountRecords(p Provider, account string) string { return string(p) + "/" + account + "/" }

// ParseSubject takes an event's subject apart.
func ParseSubject(subject string) (p Provider, r Resource, action, account string, err error) {
	t := strings.Split(subject, ".")
	if len(t) != 6 || t[0]+"." != root || t[1] != "events" {
		return "", "", "", "", fmt.Errorf("subject %q is not wagewire.events.<provider>.<resource>.<action>.<account>", subject)
	}
	return Provider(t[2]), Resource(t[3]), t[4], t[5], nil
}

// LastToken is the last token of a subject: an account, an event or a provider.
func LastToken(subject string) string { return subject[strings.LastIndex(subject, ".")+1:] }
