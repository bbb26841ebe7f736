package normal

import "strings"

// Word is a value of an open list: the provider's word, and what the word means in the model.
type Word struct {
	// Kind is a name of the model, the same for every provider. It is "other" for a word that the
	// model does not know.
	Kind string `json:"kind"`
	// Word is the provider's word.
	Word string `json:"word"`
}

// other is the kind of a word that the model does not know.
const other = "other"

// wordTable has the kinds of the words of a field.
type wordTable map[string]string

func (t wordTable) word(word string) *Word {
	kind, ok := t[word]
	if !ok {
		kind = other
	}
	return &Word{kind, word}
}

// plain is the word in lower case with spaces, for fields with the employer's words: "Full-Time" is
// "full time".
func plain(word string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case 'A' <= r && r <= 'Z':
			return r - 'A' + 'a'
		case r == '-' || r == '_':
			return ' '
		}
		return r
	}, word)
}

// same returns a table of words that mean what they say.
func same(words ...string) wordTable {
	t := wordTable{}
	for _, word := range words {
		t[word] = word
	}
	return t
}

// with returns the table with further words.
func (t wordTable) with(more wordTable) wordTable {
	for word, kind := range more {
		t[word] = kind
	}
	return t
}

// The words that the providers document. Pinwheel's are the enumerations of its OpenAPI file, those
// of Truv likewise: income_unit, pay_frequency, job_type, basis_of_pay and the categories of
// Statement.
var (
	statuses = same("employed", "terminated", "furloughed").with(wordTable{
		"true": "employed", "false": "inactive",
	})
	employmentTypes = wordTable{
		"F": "full_time", "P": "part_time", "S": "seasonal", "D": "per_diem", "C": "contract",
		"full time": "full_time", "part time": "part_time", "seasonal": "seasonal",
		"per diem": "per_diem", "contract": "contract",
	}
	units = same("hourly", "daily", "weekly", "monthly", "variable", "per_mile").with(wordTable{
		"bi-weekly": "biweekly", "semi-weekly": "semiweekly", "semi-monthly": "semimonthly",
		"annually": "yearly",
		"YEARLY":   "yearly", "MONTHLY": "monthly", "WEEKLY": "weekly", "DAILY": "daily",
		"HOURLY": "hourly",
	})
	frequencies = same("daily", "weekly", "monthly", "variable").with(wordTable{
		"bi-weekly": "biweekly", "semi-monthly": "semimonthly",
		"M": "monthly", "SM": "semimonthly", "W": "weekly", "BW": "biweekly", "A": "yearly",
		"SA": "semiannually", "C": "commission",
	})
	bases = wordTable{
		"S": "salary", "H": "hourly", "D": "daily", "W": "weekly", "M": "monthly", "C": "contract",
	}
	earnings = same("salary", "hourly", "overtime", "double_overtime", "premium", "bonus",
		"commission", "tips", "vacation", "holiday", "pto", "sick", "employer_contribution",
		"other", "fare", "unpaid", "parental", "shift_differential", "bereavement",
		"life_insurance", "stock", "retirement", "medical", "meal_comp", "disability", "retro_pay",
		"regular").with(wordTable{"other_pay": other})
	taxes = same("federal_income", "social_security", "medicare", "state_income", "local_income",
		"other").with(truvTaxes)
	deductions = same("retirement", "medical_insurance", "hsa", "fsa", "dental", "vision",
		"life_insurance", "disability", "child_support", "commuter", "union_dues", "stock",
		"charity", "savings", "tips", "wage_garnishment", "lending", "company_perk", "tax", "loan",
		"job_expense", "other", "fees", "reallocation", "retro_pay", "memo", "benefit").with(
		wordTable{"garnishment": "wage_garnishment"})
	timings    = same("pre_tax", "post_tax", "unknown")
	timesOff   = same("pto", "sick", "other")
	phones     = same("home", "work", "mobile")
	shiftTypes = same("shift", "rideshare", "delivery", "other")
	reports    = same("voe", "voie", "base")
)

// truvTaxes are the categories of Truv's deductions that are taxes. Truv lists taxes among the
// deductions. That federal and local are taxes on income, as state is in Truv's example, is an
// inference.
var truvTaxes = wordTable{
	"federal": "federal_income", "state": "state_income", "local": "local_income",
	"socialsec": "social_security", "medicare": "medicare",
}
