package fake

import (
	"cmp"
	"net/http"
)

// endUserAccounts answers a page of a person's accounts, the oldest first. People who were made
// with the same end_user_id are one person with several accounts. The meta has no refreshed_at.
func (f pinwheelAPI) endUserAccounts(r *http.Request, faults fired) reply {
	page, wrong := readPinwheelPage(r.URL.Query())
	if wrong != "" {
		return pinwheelError(http.StatusBadRequest, "Validation error.", wrong)
	}
	accounts := f.accountsOf(r.PathValue("end_user_id"))
	if len(accounts) == 0 {
		return pinwheelError(http.StatusNotFound, "End user not found.")
	}
	size := min(page.limit, cmp.Or(f.config.PageMax, pinwheelPageMax))
	start := min(page.start, len(accounts))
	end := min(start+size, len(accounts))
	list := accounts[start:end]
	var next any
	switch {
	case faults.repeatCursor():
		next = pinwheelCursor(start)
	case end < len(accounts):
		next = pinwheelCursor(end)
	}
	return pinwheelData(list, object{{"count", len(list)}, {"next_cursor", next}})
}

// accountsOf returns the accounts of everybody with the end_user_id.
func (f pinwheelAPI) accountsOf(endUserID string) []object {
	f.mu.Lock()
	defer f.mu.Unlock()
	var accounts []object
	for _, p := range f.people {
		if p.EndUserID == endUserID {
			a := pinwheelOf(p)
			accounts = append(accounts, a.account(a.refreshed))
		}
	}
	return accounts
}
