package fake

import "fmt"

// pay is the amounts of a paystub in cents.
type pay struct {
	regular    int
	premium    int
	federal    int
	state      int
	retirement int
	commuter   int
	reimbursed int
}

// payHours is how many hours at the rate of the income every paystub pays: those of four weeks.
const payHours = 160

// pay returns the amounts of the i-th paystub. The newest is the first. The paystubs of the earlier
// employment follow.
func (p *Person) pay(i int) pay {
	paid := pay{regular: payHours * p.rate, premium: 5_000 + i, commuter: 4_200, reimbursed: 700}
	paid.federal = paid.gross() / 8
	paid.state = paid.gross() / 25
	paid.retirement = paid.gross() / 20
	return paid
}

func (p pay) gross() int      { return p.regular + p.premium }
func (p pay) taxes() int      { return p.federal + p.state }
func (p pay) deductions() int { return p.retirement + p.commuter }
func (p pay) net() int        { return p.gross() - p.taxes() - p.deductions() }

// payAge returns how many days ago the i-th paystub was paid.
func (p *Person) payAge(i int) int {
	age := newestDays + payEveryDays*i
	if i >= p.paystubCount {
		age += payEveryDays * betweenMonths
	}
	return age
}

// betweenMonths is how long the person had no pay between the two employments, in steps of
// payEveryDays.
const betweenMonths = 3

// employedEarlier returns the first and the last day of the earlier employment.
func (p *Person) employedEarlier() (start, end string) {
	months := p.paystubCount + betweenMonths
	return p.date(payEveryDays * (months + p.earlierCount + 1)), p.date(payEveryDays * (months - 1))
}

// grossYTD returns cents that no other paystub of the person has, with more digits than a float64
// holds.
func grossYTD(i int) int { return (90_071_992_547_409_931 - i*1_000_003) | 1 }

// shiftAge returns how many days ago the i-th shift was. The newest is the first.
func (p *Person) shiftAge(i int) int {
	return newestDays + i*shiftsDays/max(p.shiftCount, shiftsDays)
}

// Hours of every shift, in hundredths. The shifts of four weeks have the hours of a paystub.
const (
	shiftHours    = 570
	overtimeHours = 35
)

// overtimeRate returns the cents of an hour of overtime.
func (p *Person) overtimeRate() int { return p.rate * 3 / 2 }

// deposit is a bank account to which a part of the pay goes.
type deposit struct {
	bank, name string
	account    string // the number
	routing    string
	savings    bool
	amount     int // cents of each paycheck; 0 means the rest
}

// deposits makes the bank accounts of a person. No real account number has more than 17 digits, and
// no real routing number starts with 9.
func deposits(n uint64) []deposit {
	number := func(i uint64) string { return fmt.Sprintf("00000000%012d", (n*2+i)%1e12) }
	const bank = "Bank of Nowhere"
	return []deposit{
		{
			bank: bank, name: "Imaginary Savings", account: number(0), routing: "990000001",
			savings: true, amount: 5_000,
		},
		{bank: bank, name: "Imaginary Checking", account: number(1), routing: "990000001"},
	}
}

// dollars returns cents as Truv writes amounts: "25.00".
func dollars(cents int) string { return hundredths(cents) }

// hundredths returns a number of hundredths with two decimals.
func hundredths(n int) string { return fmt.Sprintf("%d.%02d", n/100, n%100) }
