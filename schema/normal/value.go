package normal

import (
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Money is an amount in minor units of a currency, such as cents.
type Money struct {
	// Minor is the amount in minor units. It may be negative.
	Minor int64 `json:"minor"`
	// Currency is the ISO 4217 code. It is empty if the provider does not say it.
	Currency string `json:"currency,omitempty"`
}

// Rate is an amount that may have parts of a minor unit, such as the pay for one hour.
type Rate struct {
	// Minor is the amount in minor units: "3029.5" is 30.295 dollars.
	Minor Decimal `json:"minor"`
	// Currency is the ISO 4217 code. It is empty if the provider does not say it.
	Currency string `json:"currency,omitempty"`
}

// Decimal is a decimal number as text, exact, in one spelling for each number: without an exponent,
// without zeros that could be left out, and with no sign at zero. It has 100 digits at most.
type Decimal string

// Date is a day of the calendar, YYYY-MM-DD.
type Date string

// Time is a time by RFC 3339 with the offset from UTC that the provider writes, Z for UTC. Its
// fraction of a second does not end with 0.
type Time string

// Instant is the time, for comparing and sorting: texts of two offsets do not compare. It is the
// zero time if t is not a Time of this package.
func (t Time) Instant() time.Time {
	instant, err := time.Parse(time.RFC3339Nano, string(t))
	if err != nil {
		return time.Time{}
	}
	return instant
}

// digitsMax is how many digits a Decimal may have: a short text with an exponent could stand for
// gigabytes. exponentMax is the greatest exponent that is looked at.
const (
	digitsMax   = 100
	exponentMax = 9999
)

var (
	decimalForm = regexp.MustCompile(`^(-?)([0-9]+)(?:\.([0-9]+))?(?:[eE]([+-]?[0-9]+))?$`)
	dateForm    = regexp.MustCompile(`^[0-9]{4}-[0-9]{2}-[0-9]{2}$`)
	timeForm    = regexp.MustCompile(`^([0-9]{4}-[0-9]{2}-[0-9]{2})[T ]` +
		`((?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9])(?:\.([0-9]{1,9}))?` +
		`(Z|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])$`)
	currencyForm = regexp.MustCompile(`^[A-Z]{3}$`)
	fourDigits   = regexp.MustCompile(`^[0-9]{4}$`)
)

// number is a decimal number: the digits, without zeros at either end, times ten to the power of
// exponent. Zero has no digits.
type number struct {
	negative bool
	digits   string
	exponent int
}

// parseNumber reads a number of JSON, or the same with zeros in front.
func parseNumber(text string) (number, bool) {
	parts := decimalForm.FindStringSubmatch(text)
	if parts == nil {
		return number{}, false
	}
	exponent := 0
	if parts[4] != "" {
		var err error
		exponent, err = strconv.Atoi(parts[4])
		if err != nil || exponent < -exponentMax || exponent > exponentMax {
			return number{}, false
		}
	}
	digits := strings.TrimLeft(parts[2]+parts[3], "0")
	short := strings.TrimRight(digits, "0")
	if short == "" {
		return number{}, true
	}
	exponent += len(digits) - len(short) - len(parts[3])
	return number{parts[1] == "-", short, exponent}, true
}

// decimal returns the number as a Decimal. It returns false for a number with too many digits.
func (n number) decimal() (Decimal, bool) {
	if n.digits == "" {
		return "0", true
	}
	whole := max(len(n.digits)+n.exponent, 1)
	if whole+max(-n.exponent, 0) > digitsMax {
		return "", false
	}
	text := n.digits + strings.Repeat("0", max(n.exponent, 0))
	if n.exponent < 0 {
		text = strings.Repeat("0", max(1-n.exponent-len(text), 0)) + text
		point := len(text) + n.exponent
		text = text[:point] + "." + text[point:]
	}
	if n.negative {
		text = "-" + text
	}
	return Decimal(text), true
}

// integer returns the number as a whole number. It returns false if the number has a fraction, or
// is too great for 64 bits.
func (n number) integer() (int64, bool) {
	text, ok := n.decimal()
	if !ok {
		return 0, false
	}
	whole, err := strconv.ParseInt(string(text), 10, 64)
	return whole, err == nil
}

// shift returns the number times ten to the power of places.
func (n number) shift(places int) number {
	if n.digits != "" {
		n.exponent += places
	}
	return n
}

func parseDate(text string) (Date, bool) {
	if !dateForm.MatchString(text) || strings.HasPrefix(text, "0000") {
		return "", false
	}
	_, err := time.Parse(time.DateOnly, text)
	return Date(text), err == nil
}

// parseTime reads RFC 3339 with T or a space before the time of day.
func parseTime(text string) (Time, bool) {
	parts := timeForm.FindStringSubmatch(text)
	if parts == nil {
		return "", false
	}
	date, ok := parseDate(parts[1])
	if !ok {
		return "", false
	}
	read := string(date) + "T" + parts[2]
	if fraction := strings.TrimRight(parts[3], "0"); fraction != "" {
		read += "." + fraction
	}
	if parts[4] == "+00:00" || parts[4] == "-00:00" {
		return Time(read + "Z"), true
	}
	return Time(read + parts[4]), true
}
