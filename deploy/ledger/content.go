package ledger

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"

	"github.com/wagewire/wagewire/schema"
)

// checkRecords compares the records of a completion with the records served by the provider. The
// record of a notice is the payload of its webhook.
func (c *Check) checkRecords(p passage, got schema.Completion) {
	d := got.Data
	if d.Stale {
		c.counts.Stale++
	}
	c.counts.Missing += len(d.Missing)
	if d.RecordsRef != nil {
		c.counts.Large++
		d.Records = c.readRecords(got.ID, *d.RecordsRef)
		if d.Records == nil {
			return
		}
	}
	if !d.Outcome.HasRecords() {
		if len(d.Records) > 0 {
			c.violate(Changed, got.ID, "the completion is %s and has %d records",
				d.Outcome, len(d.Records))
		}
		return
	}
	c.counts.Records += len(d.Records)
	resource := string(d.Resource)
	var ids []string
	for i, record := range d.Records {
		record := compact(record)
		isKnown := c.served.HasServed(Target{p.Account, resource}, record)
		if d.Resource == schema.Notices {
			isKnown = sha256.Sum256(record) == p.payload
		}
		if !isKnown {
			c.violate(Changed, got.ID, "the provider never served record %d of %d about %s",
				i+1, len(d.Records), p.Account)
		}
		var named struct {
			ID string `json:"id"`
		}
		_ = json.Unmarshal(record, &named) // a served record can be read
		ids = append(ids, named.ID)
	}
	c.checkIDs(p, got, ids)
}

// readRecords reads the records of a large completion from the record store. It returns nil after a
// violation.
func (c *Check) readRecords(id string, ref schema.RecordsRef) []json.RawMessage {
	body, err := c.records(ref)
	sum := sha256.Sum256(body)
	var records []json.RawMessage
	switch {
	case err != nil:
		c.violate(Lost, id, "the records at %s cannot be read: %v", ref.Name, err)
	case hex.EncodeToString(sum[:]) != ref.SHA256 || int64(len(body)) != ref.Bytes:
		c.violate(Changed, id, "the records at %s are not the %d bytes of records_ref",
			ref.Name, ref.Bytes)
	case json.Unmarshal(body, &records) != nil || len(records) != ref.Count:
		c.violate(Changed, id, "the records at %s are not %d", ref.Name, ref.Count)
	default:
		return records
	}
	return nil
}

// checkIDs compares the ids of a completion with the ids of the webhook or the account.
func (c *Check) checkIDs(p passage, got schema.Completion, ids []string) {
	d := got.Data
	must, may, exact := c.wantedIDs(p, d.Resource)
	have := append(slices.Clone(ids), d.Missing...)
	slices.Sort(have)
	isUnknown := func(id string) bool { return !slices.Contains(may, id) }
	isLacking := func(id string) bool { return !slices.Contains(have, id) }
	hasUnknown := slices.ContainsFunc(have, isUnknown)
	isIncomplete := exact && (hasUnknown || slices.ContainsFunc(must, isLacking))
	switch {
	case d.Resource != schema.Paystubs && d.Resource != schema.Shifts:
		if len(have) != len(must) {
			c.violate(Incomplete, got.ID, "%d records and missing ids, not %d",
				len(have), len(must))
		}
	case len(slices.Compact(slices.Clone(have))) != len(have):
		c.violate(Twice, got.ID, "an id is twice in the completion")
	case isIncomplete:
		c.violate(Incomplete, got.ID, "%d records and %d missing are not the %d announced",
			len(ids), len(d.Missing), len(must))
	case hasUnknown:
		c.violate(Invented, got.ID, "an id of the completion was not announced by %s", p.Type)
	}
	if len(d.Missing) > 0 && !c.served.IsTroubled(p.Account) {
		c.violate(Incomplete, got.ID, "%d missing, and the provider held nothing back",
			len(d.Missing))
	}
	slices.Sort(d.Deleted)
	deleted := slices.Sorted(slices.Values(p.Deleted))
	if !slices.Equal(d.Deleted, deleted) {
		c.violate(Incomplete, got.ID, "%d deleted, not %d", len(d.Deleted), len(deleted))
	}
}

// wantedIDs returns the ids that a completion must hold, and all ids that it may hold: the person
// may have got new records after the webhook. exact is false if the completion may lack some of the
// first: a list that was read while the provider had trouble with the account. Ids that the webhook
// announced may never be lacking.
func (c *Check) wantedIDs(p passage, r schema.Resource) (must, may []string, exact bool) {
	action := p.Event().Action
	switch {
	case r == schema.VerificationReports:
		return make([]string, 2), nil, true // voe and voie
	case r != schema.Paystubs && r != schema.Shifts:
		return make([]string, 1), nil, true
	case action == schema.ActionAdded:
		return p.Added, p.Added, true
	}
	exact = !c.served.IsTroubled(p.Account)
	then, last := c.ledger.recordsOf(p)
	if r == schema.Shifts {
		return then.Shifts, last.Shifts, exact
	}
	return c.paystubsIn(p, then.Paystubs), c.paystubsIn(p, last.Paystubs), exact
}

// paystubsIn returns the paystubs of a person that the webhook is about: all, or those with a pay
// date in the announced chunk.
func (c *Check) paystubsIn(p passage, all []string) (ids []string) {
	for _, id := range all {
		date, known := c.served.payDate(id)
		inDates := known && date >= p.From && date <= p.To
		if p.Event().Action == schema.ActionFullySynced || inDates {
			ids = append(ids, id)
		}
	}
	return ids
}
