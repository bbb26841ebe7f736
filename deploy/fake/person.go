package fake

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"time"
)

// PersonOptions say who is made. The zero value is the person of the recorded
// sandbox account: 31 paystubs and 90 shifts.
type PersonOptions struct {
	Paystubs  int    // 0 means 31, negative means none
	Shifts    int    // 0 means 90, negative means none
	EndUserID string // "" means a new one
	Seed      uint64 // the same seed makes the same person; 0 means a new one
}

// A Person is somebody who linked a payroll account: an account and an end
// user at Pinwheel, a link and a user at Truv. The exported fields never
// change.
type Person struct {
	AccountID   string // Pinwheel
	EndUserID   string
	LinkTokenID string
	LinkID      string // Truv
	UserID      string

	day      time.Time // the newest day of the person's payroll
	made     time.Time
	name     [2]string // first, last
	ssn      string
	email    string
	phone    string
	street   string
	token    string // Truv's access_token
	hash     string // Truv's link_hash
	rate     int    // cents an hour
	ids      map[string]string
	paystubs []record // newest first
	shifts   []record // newest first

	// Guarded by Providers.mu.
	refreshed     map[string]time.Time // resource: when its snapshot was taken
	incomeUpdated time.Time
	announced     map[string]bool // ids that a webhook has announced
	linkStatus    string
	linkUpdated   time.Time
	linkDeleted   bool
}

// A record is one paystub or shift. A paystub starts and ends on its pay date.
type record struct {
	id         string
	start, end string // dates
	body       []byte
}

// Periods between one record and the next, and how old the newest one is.
// Four weeks give the chunks of the recorded account: 1 paystub within seven
// days, 1 more within thirty, 2 more within ninety.
const (
	payEveryDays = 28
	newestDays   = 1
	shiftsDays   = 90 // Pinwheel collects 90 days of shifts
)

// Person makes a person and registers it with both providers.
func (f *Providers) Person(opts PersonOptions) *Person {
	p := newPerson(opts, f.now().UTC())
	f.mu.Lock()
	defer f.mu.Unlock()
	f.people = append(f.people, p)
	f.byID[p.AccountID], f.byID[p.EndUserID], f.byID[p.LinkID] = p, p, p
	return p
}

// Stranger makes a person without data whose account, end user and link all
// have the id. Webhooks may be about a stranger; the API answers 404.
func (f *Providers) Stranger(id string) *Person {
	p := newPerson(PersonOptions{Paystubs: -1, Shifts: -1, EndUserID: id}, f.now().UTC())
	p.AccountID, p.LinkID = id, id
	return p
}

func newPerson(opts PersonOptions, now time.Time) *Person {
	ids := source{rand.Uint64}
	if opts.Seed != 0 {
		ids = source{rand.New(rand.NewPCG(opts.Seed, opts.Seed)).Uint64}
	}
	n := ids.next()
	p := &Person{
		AccountID:   ids.uuid(),
		EndUserID:   cmp.Or(opts.EndUserID, "end_user_"+ids.hex()[:12]),
		LinkTokenID: ids.uuid(),
		LinkID:      ids.hex(),
		UserID:      ids.hex(),

		day:    now.Truncate(24 * time.Hour),
		made:   now,
		name:   [2]string{"Canary", fmt.Sprintf("Notaperson-%08x", uint32(n))},
		ssn:    fmt.Sprintf("9%02d-00-0%03d", n%100, n%1000), // no real number starts with 9
		email:  fmt.Sprintf("canary.%08x@person.invalid", uint32(n)),
		phone:  fmt.Sprintf("+1555%07d", n%10_000_000),
		street: fmt.Sprintf("%d Imaginary Lane", 10_000+n%90_000),
		token:  "fake-access-token-" + ids.hex(),
		hash:   ids.hex(),
		rate:   2500 + int(n%1000),
		ids:    make(map[string]string),

		refreshed:     make(map[string]time.Time),
		incomeUpdated: now,
		announced:     make(map[string]bool),
		linkStatus:    "done",
		linkUpdated:   now,
	}
	for _, name := range []string{"employment", "identity", "income", "voe", "voie", "document"} {
		p.ids[name] = ids.uuid()
	}
	for i := range max(cmp.Or(opts.Paystubs, 31), 0) {
		p.paystubs = append(p.paystubs, p.paystub(i, ids.uuid()))
	}
	count := max(cmp.Or(opts.Shifts, shiftsDays), 0)
	for i := range count {
		age := newestDays + i*shiftsDays/max(count, shiftsDays)
		p.shifts = append(p.shifts, p.shift(age, ids.uuid()))
	}
	return p
}

// PaystubIDs lists the person's paystubs, newest first.
func (p *Person) PaystubIDs() []string { return idsOf(p.paystubs) }

// ShiftIDs lists the person's shifts, newest first.
func (p *Person) ShiftIDs() []string { return idsOf(p.shifts) }

// Canaries are texts of the person's data that occur nowhere else: the name,
// the social security number, contacts, the street, the pay of each paystub
// and Truv's access token. A test looks for them where no personal data may be.
func (p *Person) Canaries() []string {
	texts := []string{p.name[1], p.ssn, p.email, p.phone, p.street, p.token}
	for i := range p.paystubs {
		texts = append(texts, string(grossYTD(i)))
	}
	return texts
}

// A chunk is what one job of a sync collects.
type chunk struct {
	synced   []string // the thresholds that are reached with it
	from, to string   // dates, both inclusive
	records  []record
	last     bool
}

// paystubChunks cuts the paystubs as a sync collects them: backwards in time,
// 7 days, 30, 90 and the rest.
func (p *Person) paystubChunks() []chunk {
	return []chunk{
		p.chunk(p.paystubs, 0, 7, "seven_days"),
		p.chunk(p.paystubs, 8, 30, "thirty_days"),
		p.chunk(p.paystubs, 31, 90, "ninety_days"),
		p.rest(p.paystubs, 91, "fully"),
	}
}

// shiftChunks cuts the shifts. There is no rest: 90 days are all that
// Pinwheel collects, so two thresholds are reached together.
func (p *Person) shiftChunks() []chunk {
	chunks := []chunk{
		p.chunk(p.shifts, 0, 7, "seven_days"),
		p.chunk(p.shifts, 8, 30, "thirty_days"),
		p.chunk(p.shifts, 31, 90, "ninety_days", "fully"),
	}
	chunks[2].last = true
	return chunks
}

// chunk takes the records that ended between youngest and oldest days ago.
func (p *Person) chunk(records []record, youngest, oldest int, synced ...string) chunk {
	c := chunk{synced: synced, from: p.date(oldest), to: p.date(youngest)}
	for _, r := range records {
		if c.from <= r.end && r.end <= c.to {
			c.records = append(c.records, r)
		}
	}
	return c
}

// rest takes every record older than the chunks before it; its first date is
// the oldest record's own.
func (p *Person) rest(records []record, youngest int, synced ...string) chunk {
	oldest := youngest
	if n := len(records); n > 0 {
		oldest = max(oldest, payEveryDays*(n-1)+newestDays)
	}
	c := p.chunk(records, youngest, oldest, synced...)
	c.last = true
	return c
}

// date is the day so many days ago.
func (p *Person) date(daysAgo int) string {
	return p.day.AddDate(0, 0, -daysAgo).Format(time.DateOnly)
}

func idsOf(records []record) []string {
	ids := make([]string, len(records))
	for i, r := range records {
		ids[i] = r.id
	}
	return ids
}

// A source makes ids.
type source struct{ next func() uint64 }

// hex is an id as Truv spells it: 32 hexadecimal digits.
func (s source) hex() string { return fmt.Sprintf("%016x%016x", s.next(), s.next()) }

// uuid is an id as Pinwheel spells it: a random UUID.
func (s source) uuid() string {
	h := s.hex()
	return h[:8] + "-" + h[8:12] + "-4" + h[13:16] + "-a" + h[17:20] + "-" + h[20:]
}

// newUUID and newHex make ids that are new at every start, whatever the seed
// of a person: no webhook is ever sent under the id of another.
func newUUID() string { return source{rand.Uint64}.uuid() }
func newHex() string  { return source{rand.Uint64}.hex() }
