package api_test

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/wagewire/wagewire/workers/api"
)

// describe returns the ids of a list's records, a word a page, and in brackets the error.
func describe(pages func(func(api.Page, error) bool)) string {
	var words []string
	for page, err := range pages {
		word := ""
		for _, r := range page.Records {
			word += r.ID
		}
		if err != nil {
			word = "(" + err.Error() + ")"
		}
		words = append(words, word)
	}
	return strings.Join(words, " ")
}

func TestPages(t *testing.T) {
	broken := errors.New("broken")
	pageOf := func(ids ...string) api.Page {
		var page api.Page
		for _, id := range ids {
			page.Records = append(page.Records, api.Record{ID: id})
		}
		return page
	}
	tests := []struct {
		promise string
		get     func(cursor string) (api.Page, string, error)
		want    string
	}{
		{"follow the API's cursors", func(cursor string) (api.Page, string, error) {
			next := map[string]string{"": "x", "x": "y", "y": ""}
			return pageOf("after-" + cursor), next[cursor], nil
		}, "after- after-x after-y"},
		{"count an offset", func(cursor string) (api.Page, string, error) {
			const limit = 2
			all := []string{"a", "b", "c", "d", "e"}
			offset, _ := strconv.Atoi(cursor)
			end := min(offset+limit, len(all))
			if end == len(all) {
				return pageOf(all[offset:]...), "", nil
			}
			return pageOf(all[offset:end]...), strconv.Itoa(end), nil
		}, "ab cd e"},
		{"end with an error", func(cursor string) (api.Page, string, error) {
			if cursor == "x" {
				return api.Page{}, "y", broken
			}
			return pageOf("a"), "x", nil
		}, "a (broken)"},
		{"end with an error if a cursor repeats", func(cursor string) (api.Page, string, error) {
			return pageOf("after-" + cursor), "x", nil
		}, "after- after-x (get /v1/things: a cursor came twice)"},
	}
	for _, tt := range tests {
		t.Run(tt.promise, func(t *testing.T) {
			if got := describe(api.Pages("/v1/things", tt.get)); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

func TestAListHasAsManyPagesAsTheLimitAndNoMore(t *testing.T) {
	for _, length := range []int{api.PagesMax, api.PagesMax + 1} {
		gets := 0
		pages := api.Pages("/v1/things", func(string) (api.Page, string, error) {
			gets++
			if gets == length {
				return api.Page{}, "", nil
			}
			return api.Page{}, strconv.Itoa(gets), nil
		})
		var last error
		for _, err := range pages {
			last = err
		}
		want := ""
		if length > api.PagesMax {
			want = "contract: over 200 pages"
		}
		if kind(last) != want || gets != api.PagesMax {
			t.Errorf("a list of %d pages: error %v after %d pages", length, last, gets)
		}
	}
}

func TestAListCanBeLeftAndReadAgain(t *testing.T) {
	var cursors []string
	pages := api.Pages("/v1/things", func(cursor string) (api.Page, string, error) {
		cursors = append(cursors, cursor)
		return api.Page{}, fmt.Sprint(len(cursors)), nil
	})
	for range 2 {
		for _, err := range pages {
			if err != nil {
				t.Fatal(err)
			}
			if len(cursors)%2 == 0 {
				break
			}
		}
	}
	if got := fmt.Sprintf("%q", cursors); got != `["" "1" "" "3"]` {
		t.Errorf("asked for the pages at %s", got)
	}
}
