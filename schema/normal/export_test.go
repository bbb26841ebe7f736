package normal

// WordTables has the words of each field, for tests: see testdata/words/words.json.
var WordTables = map[string]map[string]string{
	"deduction.category":   deductions,
	"deduction.timing":     timings,
	"earning.category":     earnings,
	"employment.status":    statuses,
	"employment.type":      employmentTypes,
	"income.pay_frequency": frequencies,
	"income.unit":          units,
	"paystub.basis":        bases,
	"phone.type":           phones,
	"report.type":          reports,
	"shift.type":           shiftTypes,
	"tax.category":         taxes,
	"time_off.category":    timesOff,
}
