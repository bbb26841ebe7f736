package webhook

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/wagewire/wagewire/schema"
)

// UnreadableError says why a signed body is no event. The text quotes nothing of the body.
type UnreadableError struct {
	Reason schema.QuarantineReason
	Err    error
}

func (e *UnreadableError) Error() string { return fmt.Sprintf("read webhook: %v", e.Err) }

func (e *UnreadableError) Unwrap() error { return e.Err }

// The reasons for schema.QuarantineSchema, besides the errors of schema.Event.Validate.
var (
	errProviderUnknown = errors.New("the provider is not known")
	errNothingToErase  = errors.New("the webhook says that an account was deleted, and not which")
	errReplaced        = errors.New("the id, type or account holds U+FFFD: " +
		"two different values could read the same")
)

// Parse reads an event out of a verified body: id, type, account and time, and nothing else. The
// same bytes always give the same event, and any JSON parser finds the same id and type. All errors
// are an UnreadableError.
func Parse(r Received) (schema.Event, error) {
	if !r.Provider.Known() {
		return schema.Event{}, &UnreadableError{schema.QuarantineSchema, errProviderUnknown}
	}
	found, err := readObject(r.Body, members[r.Provider])
	if err != nil {
		return schema.Event{}, err
	}
	layout := r.Provider.Layout()
	known := schema.Lookup(r.Provider, found[layout.Type])
	event := schema.Event{
		Provider:   r.Provider,
		ID:         found[layout.ID],
		Type:       found[layout.Type],
		Resource:   known.Resource,
		Action:     known.Action,
		AccountID:  found[known.Account],
		OccurredAt: found.time(layout.Times, r.At),
		ReceivedAt: r.At,
		Body:       r.Body,
	}
	if err := check(event); err != nil {
		return schema.Event{}, &UnreadableError{schema.QuarantineSchema, err}
	}
	return event, nil
}

// check refuses an event that could be stored but not acted on.
func check(e schema.Event) error {
	switch {
	case e.Erases() && e.AccountID == "":
		return errNothingToErase
	case strings.ContainsRune(e.ID+e.Type+e.AccountID, utf8.RuneError):
		return errReplaced
	default:
		return e.Validate()
	}
}

// memberSet is the JSON members that Parse reads in a provider's bodies.
type memberSet struct {
	// names are the names of the members, in sorted order.
	names []string
	// depth is the depth of the deepest member; a member of the body itself has depth 1.
	depth int
}

// fold returns the name that equals the key without regard to letter case, "" if there is none.
// Below the deepest member there is none.
func (m memberSet) fold(depth int, key []byte) string {
	if depth > m.depth {
		return ""
	}
	for _, name := range m.names {
		if bytes.EqualFold(key, []byte(name)) {
			return name
		}
	}
	return ""
}

// members has the members of every provider.
var members = membersByProvider()

func membersByProvider() map[schema.Provider]memberSet {
	sets := make(map[schema.Provider]memberSet)
	for _, p := range schema.Providers() {
		sets[p] = membersOn(paths(p))
	}
	return sets
}

// paths lists every path that Parse reads in a provider's bodies.
func paths(p schema.Provider) []string {
	layout := p.Layout()
	all := append([]string{layout.ID, layout.Type, layout.Account}, layout.Times...)
	for _, known := range schema.Catalogue() {
		if known.Provider == p {
			all = append(all, known.Account)
		}
	}
	return all
}

// membersOn returns the members on the paths.
func membersOn(paths []string) memberSet {
	set := memberSet{depth: foldDepthMin}
	for _, path := range paths {
		names := strings.Split(path, ".")
		set.names = append(set.names, names...)
		set.depth = max(set.depth, len(names))
	}
	slices.Sort(set.names)
	set.names = slices.Compact(set.names)
	return set
}
