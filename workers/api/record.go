package api

import (
	"encoding/json"
	"iter"
	"time"
)

// Record is one object of a provider's, byte for byte.
type Record struct {
	ID      string
	PayDate string          // of a paystub, YYYY-MM-DD; empty if the provider does not say
	JSON    json.RawMessage // holds personal data
}

// Snapshot is the latest state of a record. Who gets a Snapshot releases its Answer.
type Snapshot struct {
	Record
	// Answer holds the bytes of the record.
	Answer Answer
	// RefreshedAt is when the provider last checked with its source; zero if unknown.
	RefreshedAt time.Time
}

// Page is a part of a list, in the provider's order.
type Page struct {
	Records     []Record
	RefreshedAt time.Time // as in Snapshot
	// Total is the number of records in the whole list, as this page or an earlier one says it. 0
	// means unknown.
	Total int
	Next  string // the cursor of the next page, empty on the last page: set by Pages
	// Answer holds the bytes of the records. Pages releases the Answer.
	Answer Answer
}

// Pages returns the pages of a list. get returns the page at a cursor, and the cursor of the next
// page. An empty cursor is the first page's; an empty next cursor ends the list. A cursor may be
// anything an API pages by: a token, an offset, the query of a link.
//
// The records of a page are there until the caller asks for the next page: then Pages releases the
// page's Answer. get sets the Answer also when it returns an error.
//
// Nothing is yielded after an error, and the pages before an error are not the whole list.
// Providers promise that a list ends. A cursor seen before, or more pages than PagesMax, is
// therefore an error.
func Pages(template string, get func(cursor string) (Page, string, error)) iter.Seq2[Page, error] {
	return PagesFrom(template, "", get)
}

// PagesFrom returns the pages of a list as Pages does, beginning with the page at a cursor.
func PagesFrom(
	template, begin string, get func(cursor string) (Page, string, error),
) iter.Seq2[Page, error] {
	return func(yield func(Page, error) bool) {
		cursor := begin
		seen := map[string]bool{}
		for range PagesMax {
			page, next, err := get(cursor)
			page.Next = next
			more := yield(page, err)
			page.Answer.Release()
			if !more || err != nil || next == "" {
				return
			}
			if seen[next] {
				yield(Page{}, &ContractError{Endpoint: template, Why: "a cursor came twice"})
				return
			}
			seen[next] = true
			cursor = next
		}
		yield(Page{}, &ContractError{Endpoint: template, Why: "over 200 pages"})
	}
}
