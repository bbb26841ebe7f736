package chaos

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"

	"github.com/wagewire/wagewire/schema"
)

// data looks at the records of a completion.
func (c *check) data(e *entry, got schema.Completion) {
	d := got.Data
	if d.Stale {
		c.counts.stale++
	}
	c.counts.missing += len(d.Missing)
	if d.RecordsRef != nil {
		c.counts.large++
		if d.Records = c.referred(got.ID, *d.RecordsRef); d.Records == nil {
			return
		}
	}
	if d.Outcome != schema.Succeeded {
		if len(d.Records) > 0 {
			c.violate(changed, got.ID, "it is %s and has %d records", d.Outcome, len(d.Records))
		}
		return
	}
	c.counts.records += len(d.Records)
	resource := string(d.Resource)
	var ids []string
	for i, record := range d.Records {
		record := compact(record)
		if !c.served.records[recordHash(resource, e.account, record)] {
			c.violate(changed, got.ID, "record %d of %d is not one that the provider served about %s", i+1, len(d.Records), e.account)
		}
		var named struct {
			ID string `json:"id"`
		}
		_ = json.Unmarshal(record, &named) // it was served, so it can be read
		ids = append(ids, named.ID)
	}
	c.announced(e, got, ids)
}

// referred reads the records that a completion points to.
func (c *check) referred(id string, ref schema.RecordsRef) []json.RawMessage {
	body, err := c.records(ref)
	sum := sha256.Sum256(body)
	var records []json.RawMessage
	switch {
	case err != nil:
		c.violate(lost, id, "its records at %s cannot be had: %v", ref.Name, err)
	case hex.EncodeToString(sum[:]) != ref.SHA256 || int64(len(body)) != ref.Bytes:
		c.violate(changed, id, "its records at %s are not the %d bytes that it speaks of", ref.Name, ref.Bytes)
	case json.Unmarshal(body, &records) != nil || len(records) != ref.Count:
		c.violate(changed, id, "its records at %s are not %d", ref.Name, ref.Count)
	default:
		return records
	}
	return nil
}

// announced holds the ids of a completion against those that the webhook, or the account, has.
func (c *check) announced(e *entry, got schema.Completion, ids []string) {
	d := got.Data
	want, exact := c.wanted(e, d.Resource)
	have := append(slices.Clone(ids), d.Missing...)
	slices.Sort(have)
	slices.Sort(want)
	switch {
	case d.Resource != schema.Paystubs && d.Resource != schema.Shifts:
		if n := len(ids) + len(d.Missing); n != len(want) {
			c.violate(incomplete, got.ID, "%d records and missing, not %d", n, len(want))
		}
	case len(slices.Compact(slices.Clone(have))) != len(have):
		c.violate(twice, got.ID, "an id stands twice in it")
	case exact && !slices.Equal(have, want):
		c.violate(incomplete, got.ID, "%d records and %d missing are not the %d announced", len(ids), len(d.Missing), len(want))
	case !exact && slices.ContainsFunc(have, func(id string) bool { return !slices.Contains(want, id) }):
		c.violate(invented, got.ID, "it holds an id that %s has not announced", e.typ)
	}
	if len(d.Missing) > 0 && !c.served.troubled[e.account] {
		c.violate(incomplete, got.ID, "%d missing, and the provider kept nothing back", len(d.Missing))
	}
	slices.Sort(d.Deleted)
	if deleted := slices.Sorted(slices.Values(e.deleted)); !slices.Equal(d.Deleted, deleted) {
		c.violate(incomplete, got.ID, "%d deleted, not %d", len(d.Deleted), len(deleted))
	}
}

// wanted are the ids that a completion must hold. Where a provider had trouble with the account, a list may lack some of
// them unseen: exact is false then, but for ids that the webhook itself announces.
func (c *check) wanted(e *entry, r schema.Resource) (ids []string, exact bool) {
	exact = !c.served.troubled[e.account]
	all := c.ledger.people[e.account]
	action := e.event().Action
	switch {
	case r == schema.VerificationReports:
		return make([]string, 2), true // voe and voie
	case r != schema.Paystubs && r != schema.Shifts:
		return make([]string, 1), true
	case action == schema.ActionAdded:
		return slices.Clone(e.added), true
	case r == schema.Shifts:
		return slices.Clone(all.shifts), exact
	}
	for _, id := range all.paystubs {
		date, known := c.served.payDates[id]
		if action == schema.ActionFullySynced || known && date >= e.from && date <= e.to {
			ids = append(ids, id)
		}
	}
	return ids, exact
}
