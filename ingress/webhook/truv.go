package webhook

import "github.com/wagewire/wagewire/schema"

// How Truv signs (docs.truv.com, webhooks): HMAC-SHA256 over the body alone, with the API access secret. It signs no time, so
// nothing here stops a replay; the event's id does.
const (
	truvSignature = "X-Webhook-Sign"
	truvVersion   = "v1"
)

func verifyTruv(r Received, secrets []schema.Secret) error {
	sum, err := digest(r.Header, truvSignature, truvVersion)
	if err != nil {
		return err
	}
	if !signedByAny(secrets, sum, r.Body) {
		return errSignatureMismatch
	}
	return nil
}

// truvLayout is flat. updated_at, by which Truv wants its webhooks ordered, is in some copies of its pages and not in others.
func truvLayout() layout {
	return layout{
		id:    "webhook_id",
		kind:  "event_type",
		times: []string{"updated_at", "event_created_at"},
		names: []string{"webhook_id", "event_type", "updated_at", "event_created_at", "link_id"},
	}
}
