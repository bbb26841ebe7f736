package shelf

import (
	"context"
	"errors"

	"github.com/wagewire/wagewire/schema/stream"
)

// Search has the bounds of a scan of a shelf. The zero value is the whole shelf.
type Search struct {
	// From is the first number to look at, and Before the first one beyond the end. 0 is no end.
	From, Before uint64
	// LookMax ends the scan after so many messages of the filter's subjects, and MatchMax after so
	// many chosen messages. 0 is without a limit.
	LookMax, MatchMax int
	// Progress is called after each message with the number of messages looked at, unless nil.
	Progress func(looked int)
}

// Seen counts the work of a scan.
type Seen struct {
	// Looked counts all messages, and Matched the chosen messages.
	Looked, Matched int
	// Last is the number of the last message, 0 without a message.
	Last uint64
	// IsCut is true if a limit of the search has ended the scan. More messages may follow.
	IsCut bool
}

var errEnough = errors.New("enough is seen")

// Scan hands each the chosen messages without their bodies, oldest first. The end is the last
// message at the beginning of Scan, a limit of the search, or an error of each. The broker looks
// only at the subjects of the filter.
func Scan[T any](
	ctx context.Context, op *stream.Operator, kind Kind[T], filter Filter[T], search Search,
	each func(T) error,
) (Seen, error) {
	subjects, err := subjectsInUse(ctx, op, kind.Stream, filter.Subjects())
	if err != nil {
		return Seen{}, err
	}
	return scan(ctx, op, kind, filter, subjects, search, each)
}

// scan is Scan for subjects in use.
func scan[T any](
	ctx context.Context, op *stream.Operator, kind Kind[T], filter Filter[T], subjects []string,
	search Search, each func(T) error,
) (Seen, error) {
	var seen Seen
	which := stream.Selection{HeadersOnly: true, From: search.From, Filters: subjects}
	err := op.Scan(ctx, kind.Stream, which, func(m stream.Stored) error {
		isFull := search.LookMax > 0 && seen.Looked == search.LookMax ||
			search.MatchMax > 0 && seen.Matched == search.MatchMax
		isBeyond := search.Before > 0 && m.Sequence >= search.Before
		if isFull || isBeyond {
			seen.IsCut = isFull && !isBeyond
			return errEnough
		}
		seen.Looked++
		seen.Last = m.Sequence
		if search.Progress != nil {
			search.Progress(seen.Looked)
		}
		message := kind.Read(m)
		if !filter.Matches(message) {
			return nil
		}
		seen.Matched++
		return each(message)
	})
	if errors.Is(err, errEnough) {
		err = nil
	}
	return seen, err
}

// subjectsInUse leaves out subjects without a message if there are several. An account may have one
// of several tokens, and the broker finds the messages of one subject much faster than those of
// two.
func subjectsInUse(
	ctx context.Context, op *stream.Operator, name string, subjects []string,
) ([]string, error) {
	if len(subjects) < 2 {
		return subjects, nil
	}
	var used []string
	for _, subject := range subjects {
		which := stream.Selection{HeadersOnly: true, Filters: []string{subject}}
		err := op.Scan(ctx, name, which, func(stream.Stored) error { return errEnough })
		switch {
		case errors.Is(err, errEnough):
			used = append(used, subject)
		case err != nil:
			return nil, err
		}
	}
	if len(used) == 0 {
		return subjects[:1], nil
	}
	return used, nil
}
