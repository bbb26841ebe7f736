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
	asked := TargetsOf(d.Provider, p.Account, d.Resource)[0]
	var ids []string
	for i, record := range d.Records {
		record := compact(record)
		isKnown := c.served.HasServed(asked, record)
		if d.Resource == schema.Notices {
			isKnown = sha256.Sum256(record) == p.payload
		}
		if !isKnown {
			c.violate(Changed, got.ID, "the provider never served record %d of %d about %s",
				i+1, len(d.Records), p.Account)
		}
		if d.Resource != schema.BankAccounts && c.served.hasNumber(p.Account, record) {
			c.violate(Revealed, got.ID, "record %d of %d has the number of a bank account",
				i+1, len(d.Records))
		}
		var named struct {
			ID string `json:"id"`
		}
		_ = json.Unmarshal(record, &named) // a served record can be read
		ids = append(ids, named.ID)
	}
	c.checkIDs(p, got, ids)
	if p.Provider == schema.Truv && d.Resource != schema.Link {
		c.checkTruv(p, got)
	}
}

// checkTruv checks what a completion of Truv's data says of its records.
func (c *Check) checkTruv(p passage, got schema.Completion) {
	d := got.Data
	scope := scopeAtTruv(d)
	if d.Scope == nil || *d.Scope != scope {
		c.violate(Changed, got.ID, "the records are not the %s of %s", scope, d.Resource)
	}
	at := d.TakenAt
	if d.Resource == schema.VerificationReports {
		at = d.Event.OccurredAt
	}
	if want := schema.Sequence(at, d.TakenAt, got.ID); got.Sequence != want {
		c.violate(Changed, got.ID, "the sequence is %s, not %s", got.Sequence, want)
	}
	if d.Resource != schema.VerificationReports || c.served.IsTroubled(p.Account) {
		return
	}
	_, person := c.ledger.recordsOf(p)
	for _, r := range person.resourcesAtTruv(p.Product) {
		if r == schema.Shifts && c.served.isThrottled(p.Provider) {
			continue // a hold that lasts leaves the question for shifts without an answer
		}
		if !slices.Contains(d.Supported, r) {
			c.violate(Incomplete, got.ID, "the link has %s, and supported lacks it", r)
		}
	}
}

// scopeAtTruv returns the scope of a completion of Truv's data. The statements are those of one
// employment, the report is that of one product, and shifts of which some are lacking are a part: a
// snapshot would replace the others.
func scopeAtTruv(d schema.CompletionData) schema.Scope {
	isPart := d.Resource == schema.Paystubs || d.Resource == schema.VerificationReports ||
		d.Resource == schema.Shifts && d.Stale
	if isPart {
		return schema.Delta
	}
	return schema.Snapshot
}

// resourcesAtTruv returns the resources of which a person has data that the report of a product
// shows.
func (p Person) resourcesAtTruv(product string) []schema.Resource {
	list := []schema.Resource{schema.VerificationReports}
	if len(p.Employments) > 0 {
		list = append(list, schema.Employment, schema.Income, schema.Identity)
	}
	hasStatements := false
	for _, statements := range p.Statements {
		hasStatements = hasStatements || len(statements) > 0
	}
	if hasStatements && product == "income" {
		list = append(list, schema.Paystubs)
	}
	if len(p.TruvShifts) > 0 {
		list = append(list, schema.Shifts)
	}
	return list
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
	want := c.wantedRecords(p, d.Resource)
	have := append(slices.Clone(ids), d.Missing...)
	slices.Sort(have)
	isUnknown := func(id string) bool { return !slices.Contains(want.may, id) }
	isLacking := func(id string) bool { return !slices.Contains(have, id) }
	hasUnknown := slices.ContainsFunc(have, isUnknown)
	isIncomplete := want.exact && (hasUnknown || slices.ContainsFunc(want.must, isLacking))
	switch {
	case !want.byID:
		if want.exact && len(have) != want.count {
			c.violate(Incomplete, got.ID, "%d records and missing ids, not %d",
				len(have), want.count)
		}
	case len(slices.Compact(slices.Clone(have))) != len(have):
		c.violate(Twice, got.ID, "an id is twice in the completion")
	case isIncomplete:
		c.violate(Incomplete, got.ID, "%d records and %d missing are not the %d announced",
			len(ids), len(d.Missing), len(want.must))
	case hasUnknown:
		c.violate(Invented, got.ID, "an id of the completion was not announced by %s", p.Type)
	}
	c.checkCount(p, got, len(ids))
	if len(d.Missing) > 0 && !c.served.IsTroubled(p.Account) {
		c.violate(Incomplete, got.ID, "%d missing, and the provider held nothing back",
			len(d.Missing))
	}
	var deleted []string
	if p.tellsOfDeleted(d.Resource) {
		deleted = slices.Sorted(slices.Values(p.Deleted))
	}
	slices.Sort(d.Deleted)
	if !slices.Equal(d.Deleted, deleted) {
		c.violate(Incomplete, got.ID, "%d deleted, not %d", len(d.Deleted), len(deleted))
	}
}

// checkCount compares the number of records with the number in Truv's webhook. Fewer records are
// stale.
func (c *Check) checkCount(p passage, got schema.Completion, records int) {
	lacks := records < p.Count
	switch {
	case p.Provider != schema.Truv || got.Data.Resource == schema.VerificationReports:
	case lacks && !got.Data.Stale:
		c.violate(Incomplete, got.ID, "%d records of %d announced, and the completion is not stale",
			records, p.Count)
	case !lacks && got.Data.Stale:
		c.violate(Incomplete, got.ID, "the completion is stale, and has %d records of %d announced",
			records, p.Count)
	}
}

// wanted are the records that a completion must have.
type wanted struct {
	// byID is true if the records are known by their ids. Otherwise count is their number.
	byID  bool
	count int
	// must are the ids that the completion must hold, and may all ids that it may hold: the person
	// may have got new records after the webhook.
	must, may []string
	// exact is false if the completion may lack some of must: the provider had trouble with the
	// account while the list was read. Ids that the webhook announced may never be lacking.
	exact bool
}

// wantedRecords returns the records that a completion of the resource must have.
func (c *Check) wantedRecords(p passage, r schema.Resource) wanted {
	if p.namesIDs(r) {
		return wanted{byID: true, must: p.Added, may: p.Added, exact: true}
	}
	if p.Provider == schema.Truv {
		return c.wantedOfTruv(p, r)
	}
	list := wanted{byID: true, exact: !c.served.IsTroubled(p.Account)}
	then, last := c.ledger.recordsOf(p)
	switch r {
	case schema.VerificationReports:
		return wanted{count: 2, exact: true} // voe and voie
	case schema.Paystubs:
		list.must = c.paystubsIn(p, then.Paystubs)
		list.may = c.paystubsIn(p, last.Paystubs)
	case schema.Shifts:
		list.must = then.Shifts
		list.may = last.Shifts
	default:
		return wanted{count: 1, exact: true}
	}
	return list
}

// wantedOfTruv returns the records of a link. Bank accounts have no ids.
func (c *Check) wantedOfTruv(p passage, r schema.Resource) wanted {
	isWhole := !c.served.IsTroubled(p.Account)
	then, last := c.ledger.recordsOf(p)
	list := func(of func(Person) []string) wanted {
		return wanted{byID: true, must: of(then), may: of(last), exact: isWhole}
	}
	switch r {
	case schema.Employment, schema.Income:
		return list(func(person Person) []string { return person.Employments })
	case schema.Identity:
		return list(func(person Person) []string { return []string{person.Profile} })
	case schema.Paystubs:
		return list(func(person Person) []string { return person.Statements[p.EmploymentID] })
	case schema.Shifts:
		return list(func(person Person) []string { return person.TruvShifts })
	case schema.BankAccounts:
		return wanted{count: p.Count, exact: isWhole}
	default:
		return wanted{count: 1, exact: true}
	}
}

// paystubsIn returns the paystubs of a person that the webhook is about: all, or those with a pay
// date in the announced chunk.
func (c *Check) paystubsIn(p passage, all []string) (ids []string) {
	for _, id := range all {
		date, known := c.served.payDate(id)
		inDates := known && date >= p.From && date <= p.To
		isWhole := p.Event().Action == schema.ActionFullySynced || p.From == "" && p.To == ""
		if isWhole || inDates {
			ids = append(ids, id)
		}
	}
	return ids
}
