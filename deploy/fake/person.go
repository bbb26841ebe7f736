package fake

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"
)

// PersonOptions describe a person to make. The zero value makes the person of the recorded sandbox
// account: 31 paystubs and 90 shifts. At Truv the person has an earlier employment too.
type PersonOptions struct {
	Paystubs int // 0 means 31, a negative number means none
	Shifts   int // 0 means 90, a negative number means none
	// EarlierPaystubs are those of an employment that has ended. Only Truv has them: an account at
	// Pinwheel is that of one employer. 0 means 3, and none for a person without paystubs. A
	// negative number means no such employment.
	EarlierPaystubs int
	EndUserID       string // empty means a new id
	Seed            uint64 // the same seed makes the same person; 0 means a new person
	Forbidden       bool   // the APIs answer 403 to every call about the person
}

// Person is somebody who linked a payroll account and has an account at every provider. The
// exported fields never change.
type Person struct {
	AccountID   string // at Pinwheel
	EndUserID   string
	LinkTokenID string // at Pinwheel
	LinkID      string // at Truv
	UserID      string // at Truv

	day          time.Time // the newest day of the person's payroll
	made         time.Time
	firstName    string
	lastName     string
	ssn          string
	email        string
	phone        string
	street       string
	rate         int // cents an hour
	paystubCount int
	earlierCount int // of paystubs of the earlier employment
	shiftCount   int
	bank         []deposit
	forbidden    bool
	canaries     []string

	// accounts holds the account at each provider. The provider's file defines the type.
	accounts map[string]any
}

// A paystub comes every 28 days. Four weeks give the chunks of the recorded account: 1 paystub
// within seven days, 1 more within thirty, 2 more within ninety.
const (
	payEveryDays = 28
	newestDays   = 1  // age of the newest record
	shiftsDays   = 90 // age of the oldest shift
)

// The payroll platform and the employers of every account.
const (
	platformID   = "00000000-0000-4000-a000-00000000fa4e"
	platformName = "Fictional Payroll"
	employer     = "Fictional & Sons"

	earlierEmployer = "Invented Wares"
)

// Person makes a person and registers the person with all providers.
func (f *Providers) Person(opts PersonOptions) *Person {
	p := newPerson(opts, "", f.now().UTC())
	f.mu.Lock()
	defer f.mu.Unlock()
	f.people = append(f.people, p)
	f.byID[p.EndUserID] = p
	for _, provider := range providers {
		for _, id := range provider.ids(p) {
			f.byID[id.value.(string)] = p
		}
	}
	return p
}

// Stranger makes a person without data. The end user and the account at every provider have the id.
// Webhooks may be about a stranger, but the APIs answer 404.
func (f *Providers) Stranger(id string) *Person {
	opts := PersonOptions{Paystubs: -1, Shifts: -1, EndUserID: id}
	return newPerson(opts, id, f.now().UTC())
}

func newPerson(opts PersonOptions, accountID string, now time.Time) *Person {
	made := randomIDs()
	if opts.Seed != 0 {
		made = ids{rand.New(rand.NewPCG(opts.Seed, opts.Seed)).Uint64}
	}
	n := made.next()
	p := &Person{
		EndUserID: cmp.Or(opts.EndUserID, "end_user_"+made.hex()[:12]),

		day:       now.Truncate(24 * time.Hour),
		made:      now,
		firstName: "Canary",
		lastName:  fmt.Sprintf("Notaperson-%08x", uint32(n)),
		// No real social security number starts with 9.
		ssn:          fmt.Sprintf("9%02d-00-0%03d", n%100, n%1000),
		email:        fmt.Sprintf("canary.%08x@person.invalid", uint32(n)),
		phone:        fmt.Sprintf("+1555%07d", n%10_000_000),
		street:       fmt.Sprintf("%d Imaginary Lane", 10_000+n%90_000),
		rate:         2500 + int(n%1000),
		paystubCount: max(cmp.Or(opts.Paystubs, 31), 0),
		earlierCount: max(opts.EarlierPaystubs, 0),
		shiftCount:   max(cmp.Or(opts.Shifts, shiftsDays), 0),
		bank:         deposits(n),
		forbidden:    opts.Forbidden,
		accounts:     make(map[string]any),
	}
	if opts.EarlierPaystubs == 0 && p.paystubCount > 0 {
		p.earlierCount = 3
	}
	p.canaries = []string{p.lastName, p.ssn, p.email, p.phone, p.street}
	for _, d := range p.bank {
		p.canaries = append(p.canaries, d.account)
	}
	for _, provider := range providers {
		provider.open(p, accountID, made)
	}
	return p
}

func (p *Person) fullName() string { return p.firstName + " " + p.lastName }

// lastFour returns the last four digits of the social security number.
func (p *Person) lastFour() string { return p.ssn[len(p.ssn)-4:] }

// date returns the day so many days ago.
func (p *Person) date(daysAgo int) string {
	return p.day.AddDate(0, 0, -daysAgo).Format(time.DateOnly)
}

// hired returns a day a month before the first paystub.
func (p *Person) hired() string { return p.date(payEveryDays * (p.paystubCount + 1)) }

// Canaries returns unique texts of the person's data: the last name, the social
// security number, contacts, the street, account numbers, the pay of each paystub and access
// tokens, each in every spelling of the providers. Tests look for canaries in places where no
// personal data may be.
func (p *Person) Canaries() []string { return append([]string{}, p.canaries...) }

// ids makes ids from random numbers.
type ids struct{ next func() uint64 }

// randomIDs makes new ids at every start.
func randomIDs() ids { return ids{rand.Uint64} }

// hex returns an id of 32 hexadecimal digits.
func (s ids) hex() string { return fmt.Sprintf("%016x%016x", s.next(), s.next()) }

// uuid returns an id in the form of a random UUID.
func (s ids) uuid() string {
	h := s.hex()
	return strings.Join([]string{h[:8], h[8:12], "4" + h[13:16], "a" + h[17:20], h[20:]}, "-")
}

// newUUID and newHex return a new id, also for a person with a seed: no two webhooks have the same
// id.
func newUUID() string { return randomIDs().uuid() }
func newHex() string  { return randomIDs().hex() }
