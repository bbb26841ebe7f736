package fake_test

import (
	"net/http"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wagewire/wagewire/deploy/fake"
)

// accountsPage is an answer of Pinwheel about the accounts of a person.
type accountsPage struct {
	Data []struct {
		ID        string `json:"id"`
		EndUserID string `json:"end_user_id"`
	} `json:"data"`
	Meta struct {
		Count      int     `json:"count"`
		NextCursor *string `json:"next_cursor"`
	} `json:"meta"`
}

func TestAccountsOfAnEndUser(t *testing.T) {
	r := newRig(t)
	r.Person(fake.PersonOptions{EndUserID: "another"})
	var want []string
	for range 3 {
		want = append(want, r.Person(fake.PersonOptions{EndUserID: "user/1"}).AccountID)
	}
	const path = "/pinwheel/v1/end_users/user%2F1/accounts"
	for _, row := range []struct {
		name, limit string
		pages       []int // how many accounts each page has
	}{
		{"are on one page by default", "", []int{3}},
		{"are on one page if they fill it", "&limit=3", []int{3}},
		{"are on pages of the asked length", "&limit=2", []int{2, 1}},
	} {
		t.Run(row.name, func(t *testing.T) {
			var got []string
			var pages []int
			for cursor := ""; ; {
				page := decode[accountsPage](t,
					r.get(path+"?cursor="+cursor+row.limit, http.StatusOK).body)
				for _, account := range page.Data {
					if account.EndUserID != "user/1" {
						t.Errorf("an account of %s", account.EndUserID)
					}
					got = append(got, account.ID)
				}
				pages = append(pages, page.Meta.Count)
				if page.Meta.NextCursor == nil {
					break
				}
				cursor = *page.Meta.NextCursor
			}
			if diff := cmp.Diff(want, got); diff != "" || !slices.Equal(row.pages, pages) {
				t.Errorf("pages of %v accounts, want %v (-want +got):\n%s", pages, row.pages, diff)
			}
		})
	}
	t.Run("are not found if nobody has the id", func(t *testing.T) {
		r.get("/pinwheel/v1/end_users/nobody/accounts", http.StatusNotFound)
	})
	t.Run("are refused with a wrong limit", func(t *testing.T) {
		r.get(path+"?limit=101", http.StatusBadRequest)
	})
}
