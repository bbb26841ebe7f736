package backfill

import (
	"context"
	"strings"

	"github.com/wagewire/wagewire/ingress/webhook"
	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/workers/fetch"
)

// findAtTruv reads Truv's log. A webhook that Truv tried to send several times is one candidate.
func findAtTruv(ctx context.Context, r run) ([]candidate, error) {
	client, closeAll, err := fetch.OpenTruv(r.surroundings())
	if err != nil {
		return nil, err
	}
	defer closeAll()
	var found []candidate
	seen := map[string]bool{}
	entries := 0
	elsewhere := 0 // sent to another address
	for sending, err := range client.Sendings(ctx, r.Since) {
		if err != nil {
			return nil, err
		}
		entries++
		if entries%progressEvery == 0 {
			r.tell("entries read of Truv's log: %d", entries)
		}
		if r.WebhookURL != "" && withoutSlash(sending.URL) != withoutSlash(r.WebhookURL) {
			elsewhere++
			continue
		}
		e, err := webhook.Parse(webhook.Received{
			Provider: schema.Truv, Body: sending.Body, At: r.now,
		})
		if err != nil {
			found = append(found, candidate{Finding: Finding{Verdict: Left, Why: whyUnreadable}})
			continue
		}
		if seen[e.Key()] || r.Account != "" && e.AccountID != r.Account {
			continue
		}
		seen[e.Key()] = true
		e.Backfill = true
		c := newCandidate(e, e.OccurredAt)
		switch {
		case r.past.keys[e.Key()]:
			c.find()
		case r.isYoung(e.OccurredAt):
			c.leave(whyYoung)
		}
		found = append(found, c)
	}
	r.tell("entries read of Truv's log: %d", entries)
	if elsewhere > 0 {
		r.tell("entries for other addresses than %s, left alone: %d", r.WebhookURL, elsewhere)
	}
	return found, nil
}

// withoutSlash returns an address as providers compare it: a slash at the end means nothing.
func withoutSlash(url string) string { return strings.TrimRight(url, "/") }
