package pinwheel

import (
	"context"
	"iter"

	"github.com/wagewire/wagewire/workers/api"
)

// Accounts lists the accounts of a person, a page after the other. The endUserID is a string of any
// form, given to Pinwheel by our side. The records are account objects
// (docs.pinwheelapi.com/public/reference, Get all end user accounts). See api.Pages for the errors.
func (c *Client) Accounts(ctx context.Context, endUserID string) iter.Seq2[api.Page, error] {
	return c.pages(ctx, api.Path("/v1/end_users/{end_user_id}/accounts", endUserID), "")
}
