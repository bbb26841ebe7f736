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

// Snapshot is the latest state of a record.
type Snapshot struct {
	Record
	// RefreshedAt is when the provider last checked with its source; zero if unknown.
	RefreshedAt time.Time
}

// Page is a part of a list, in the provider's order.
type Page struct {
	Records     []Record
	RefreshedAt time.Time // as in Snapshot
}

// Pages returns the pages of a list. get returns the page at a cursor, and the cursor of the next
// page. An empty cursor is the first page's; an empty next cursor ends the list. A cursor may be
// anything an API pages by: a token, an offset, the query of a link.
//
// Nothing is yielded after an error, and the pages before an error are not the whole list.
// Providers promise that a list ends. A cursor seen before, or more pages than PagesMax, is
// therefore an error.
func Pages(template string, get func(cursor string) (Page, string, error)) iter.Seq2[Page, error] {
	return func(yield func(Page, error) bool) {
		cursor := ""
		seen := map[string]bool{}
		for range PagesMax {
			page, next, err := get(cursor)
			if !yield(page, err) || err != nil || next == "" {
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
