package shelf

import (
	"context"
	"slices"

	"github.com/wagewire/wagewire/schema/stream"
)

const (
	// windowFirst and windowMax are how many numbers ReadOlder looks at in one scan: the first
	// time, and at most.
	windowFirst = 256
	windowMax   = 32_768
	// windowsMax is how many scans ReadOlder makes for a page.
	windowsMax = 64
)

// PageSize is how long a page is, and how much work it may be.
type PageSize struct {
	// Rows is how many messages a page has at most.
	Rows int
	// LookMax is about how many messages are looked at for a page.
	LookMax int
}

// Page is a part of a shelf.
type Page[T any] struct {
	// Messages are the chosen messages without bodies, the newest first.
	Messages []T
	// Looked counts the messages of the filter's subjects that were looked at, and Stored the
	// messages of the shelf.
	Looked int
	Stored uint64
	// Older and Newer are where to go on with ReadOlder and ReadNewer, 0 if nothing is there.
	Older, Newer uint64
}

// ReadOlder reads the newest of the chosen messages with a number below before, 0 for the newest of
// all. The page may have fewer messages than rows, though older ones exist, if LookMax was reached.
func ReadOlder[T any](
	ctx context.Context, op *stream.Operator, kind Kind[T], filter Filter[T], before uint64,
	size PageSize,
) (Page[T], error) {
	var page Page[T]
	extent, err := op.ExtentOf(ctx, kind.Stream)
	page.Stored = extent.Messages
	if err != nil || extent.Messages == 0 {
		return page, err
	}
	end := extent.Last + 1
	if before > 0 && before < end {
		end = before
		page.Newer = before - 1
	}
	subjects, err := subjectsInUse(ctx, op, kind.Stream, filter.Subjects())
	if err != nil {
		return page, err
	}
	window := uint64(windowFirst)
	for scans := 0; end > extent.First; scans++ {
		if len(page.Messages) == size.Rows || page.Looked >= size.LookMax || scans == windowsMax {
			page.Older = end
			return page, nil
		}
		from := extent.First
		if end-from > window {
			from = end - window
		}
		found, seen, err := readLast(ctx, op, kind, filter, subjects,
			Search{From: from, Before: end}, size.Rows-len(page.Messages))
		if err != nil {
			return page, err
		}
		slices.Reverse(found)
		page.Messages = append(page.Messages, found...)
		page.Looked += seen.Looked
		end = from
		if len(found) < seen.Matched { // the window has more than the rest of the page
			end = kind.Number(found[len(found)-1])
		}
		if seen.Looked < windowFirst {
			window = min(2*window, windowMax)
		}
		window = max(min(window, uint64(max(size.LookMax-page.Looked, 0))), windowFirst)
	}
	return page, nil
}

// ScanNewest hands each the chosen messages among the newest messages of the filter's subjects. It
// looks at lookMax of them, and at most at twice as many. isAll reports that nothing older is left.
func ScanNewest[T any](
	ctx context.Context, op *stream.Operator, kind Kind[T], filter Filter[T], lookMax int,
	each func(T) error,
) (looked int, isAll bool, err error) {
	extent, err := op.ExtentOf(ctx, kind.Stream)
	if err != nil || extent.Messages == 0 {
		return 0, true, err
	}
	subjects, err := subjectsInUse(ctx, op, kind.Stream, filter.Subjects())
	if err != nil {
		return 0, false, err
	}
	end := extent.Last + 1
	for scans := 0; end > extent.First && looked < lookMax && scans < windowsMax; scans++ {
		from := extent.First
		if end-from > uint64(lookMax) {
			from = end - uint64(lookMax)
		}
		search := Search{From: from, Before: end}
		seen, err := scan(ctx, op, kind, filter, subjects, search, each)
		looked += seen.Looked
		if err != nil {
			return looked, false, err
		}
		end = from
	}
	return looked, end <= extent.First, nil
}

// readLast returns the last of the chosen messages of the search, at most so many.
func readLast[T any](
	ctx context.Context, op *stream.Operator, kind Kind[T], filter Filter[T], subjects []string,
	search Search, most int,
) ([]T, Seen, error) {
	var last []T
	seen, err := scan(ctx, op, kind, filter, subjects, search, func(message T) error {
		last = append(last, message)
		if len(last) > 2*most {
			last = append(last[:0], last[len(last)-most:]...)
		}
		return nil
	})
	return last[max(len(last)-most, 0):], seen, err
}

// ReadNewer reads the oldest of the chosen messages with a number above after. The page has them
// with the newest first, too.
func ReadNewer[T any](
	ctx context.Context, op *stream.Operator, kind Kind[T], filter Filter[T], after uint64,
	size PageSize,
) (Page[T], error) {
	var page Page[T]
	extent, err := op.ExtentOf(ctx, kind.Stream)
	page.Stored = extent.Messages
	if err != nil || extent.Messages == 0 {
		return page, err
	}
	search := Search{From: after + 1, LookMax: size.LookMax, MatchMax: size.Rows}
	seen, err := Scan(ctx, op, kind, filter, search, func(message T) error {
		page.Messages = append(page.Messages, message)
		return nil
	})
	slices.Reverse(page.Messages)
	page.Looked = seen.Looked
	if after >= extent.First {
		page.Older = after + 1
	}
	if seen.IsCut {
		page.Newer = seen.Last
	}
	return page, err
}
