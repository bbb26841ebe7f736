package fake

import "net/http"

// endUserAccounts answers a page of a person's accounts, the oldest first. People who were made
// with the same end_user_id are one person with several accounts. The meta has no refreshed_at.
func (f pinwheelAPI) endUserAccounts(r *http.Request, faults fired) reply {
	id := r.PathValue("end_user_id")
	accounts := f.accountsThat(func(a *pinwheelAccount) bool { return a.EndUserID == id })
	if len(accounts) == 0 {
		return pinwheelError(http.StatusNotFound, "End user not found.")
	}
	return f.list(r, accounts, faults)
}
