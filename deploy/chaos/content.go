package chaos

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"

	"github.com/wagewire/wagewire/schema"
)

// checkRecords compares the records of a completion with the records served by the provider.
func (c *check) checkRecords(e *entry, got schema.Completion) {
	d := got.Data
	if d.Stale {
		c.counts.stale++
	}
	c.counts.missing += len(d.Missing)
	if d.RecordsRef != nil {
		c.counts.large++
		d.Records = c.readRecords(got.ID, *d.RecordsRef)
		if d.Records == nil {
			return
		}
	}
	if d.Outcome != schema.Succeeded {
		if len(d.Records) > 0 {
			c.violate(changed, got.ID, "the completion is %s and has %d records",
				d.Outcome, len(d.Records))
		}
		return
	}
	c.counts.records += len(d.Records)
	resource := string(d.Resource)
	var ids []string
	for i, record := range d.Records {
		record := compact(record)
		if !c.served.records[recordHash(resource, e.account, record)] {
			c.violate(changed, got.ID, "the provider never served record %d of %d about %s",
				i+1, len(d.Records), e.account)
		}
		var named struct {
			ID string `json:"id"`
		}
		_ = json.Unmarshal(record, &named) // a served record can be read
		ids = append(ids, named.ID)
	}
	c.checkIDs(e, got, ids)
}

// readRecords reads the records of a large completion from the record store. It returns nil after a
// violation.
func (c *check) readRecords(id string, ref schema.RecordsRef) []json.RawMessage {
	body, err := c.records(ref)
	sum := sha256.Sum256(body)
	var records []json.RawMessage
	switch {
	case err != nil:
		c.violate(lost, id, "the records at %s cannot be read: %v", ref.Name, err)
	case hex.EncodeToString(sum[:]) != ref.SHA256 || int64(len(body)) != ref.Bytes:
		c.violate(changed, id, "the records at %s are not the %d bytes of records_ref",
			ref.Name, ref.Bytes)
	case json.Unmarshal(body, &records) != nil || len(records) != ref.Count:
		c.violate(changed, id, "the records at %s are not %d", ref.Name, ref.Count)
	default:
		return records
	}
	return nil
}

// checkIDs compares the ids of a completion with the ids of the webhook or the account.
func (c *check) checkIDs(e *entry, got schema.Completion, ids []string) {
	d := got.Data
	wanted, exact := c.wantedIDs(e, d.Resource)
	have := append(slices.Clone(ids), d.Missing...)
	slices.Sort(have)
	slices.Sort(wanted)
	unknown := func(id string) bool { return !slices.Contains(wanted, id) }
	switch {
	case d.Resource != schema.Paystubs && d.Resource != schema.Shifts:
		if len(have) != len(wanted) {
			c.violate(incomplete, got.ID, "%d records and missing ids, not %d",
				len(have), len(wanted))
		}
	case len(slices.Compact(slices.Clone(have))) != len(have):
		c.violate(twice, got.ID, "an id is twice in the completion")
	case exact && !slices.Equal(have, wanted):
		c.violate(incomplete, got.ID, "%d records and %d missing are not the %d announced",
			len(ids), len(d.Missing), len(wanted))
	case !exact && slices.ContainsFunc(have, unknown):
		c.violate(invented, got.ID, "an id of the completion was not announced by %s", e.typ)
	}
	if len(d.Missing) > 0 && !c.served.troubled[e.account] {
		c.violate(incomplete, got.ID, "%d missing, and the provider held nothing back",
			len(d.Missing))
	}
	slices.Sort(d.Deleted)
	deleted := slices.Sorted(slices.Values(e.deleted))
	if !slices.Equal(d.Deleted, deleted) {
		c.violate(incomplete, got.ID, "%d deleted, not %d", len(d.Deleted), len(deleted))
	}
}

// wantedIDs returns the ids that a completion must hold. exact is false if the completion may lack
// some: a list that was read while the provider had trouble with the account. Ids that the webhook
// announced may never be lacking.
func (c *check) wantedIDs(e *entry, r schema.Resource) (ids []string, exact bool) {
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
		inDates := known && date >= e.from && date <= e.to
		if action == schema.ActionFullySynced || inDates {
			ids = append(ids, id)
		}
	}
	return ids, exact
}
