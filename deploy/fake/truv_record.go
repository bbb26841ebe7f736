package fake

import (
	"strings"
	"time"
)

// How Truv spells times. Reports have a time in a form that is not RFC 3339 (docs.truv.com,
// completed_at: deprecated).
const (
	truvTime       = "2006-01-02T15:04:05.000000Z"
	truvOtherTime  = "2006-01-02T15:04:05.000000+00:00"
	truvBrokenTime = "2006-01-02 15:04:05+00:00"
)

const truvProvider = "fictional_payroll"

// link is the Link object. The access token is complete: callers must keep the token secret.
func (l *truvLink) link() object {
	return object{
		{"id", l.LinkID},
		{"access_token", l.token},
		{"created_at", l.made.Format(time.RFC3339)},
		{"updated_at", l.updated.Format(time.RFC3339)},
		{"deleted_at", nil},
		{"tracking_info", nil},
		{"status", l.status}, // of the link's last task
		{"user_external_id", l.EndUserID},
		{"provider_id", truvProvider},
		{"provider", object{
			{"id", truvProvider}, {"name", platformName}, {"logo_url", nil},
		}},
		{"company_mapping", object{{"id", nil}, {"name", employer}, {"logo_url", nil}}},
		{"link_hash", l.hash},
		{"allowed_products", []string{"income", "employment"}},
		{"initial_product_type", "income"},
		{"data_source", "payroll"},
		{"is_suspicious", false},
		{"is_dds_available", nil},
	}
}

// employed is the members of an employment that every object about one has.
func (l *truvLink) employed(e truvEmployment) object {
	name := employer
	start := l.hired()
	title := "Sample Sorter"
	var end any
	if e.isEarlier {
		name = earlierEmployer
		start, end = l.employedEarlier()
		title = "Sample Stacker"
	}
	return object{
		{"id", e.id},
		{"is_active", !e.isEarlier},
		{"job_title", title},
		{"job_type", "F"},
		{"start_date", start},
		{"original_hire_date", start},
		{"end_date", end},
		{"external_last_updated", l.date(0)},
		{"derived_fields", []string{"is_active"}},
		{"missing_data_fields", []string{"w2s"}},
		{"manager_name", ""},
		{"company", object{
			{"name", name},
			{"address", truvAddress("1 Makebelieve Plaza")},
			{"phone", "5550000000"},
			{"ein", nil},
		}},
	}
}

// income is the members of an employment that only objects with income have. Both employments pay
// the same.
func (l *truvLink) income() object {
	return object{
		{"income", dollars(l.rate)},
		{"income_unit", "HOURLY"},
		{"pay_rate", dollars(payHours * l.rate)},
		{"pay_frequency", "M"},
	}
}

func truvAddress(street string) object {
	return object{
		{"street", street},
		{"city", "Nowhere"},
		{"state", "KS"},
		{"zip", "00000"},
		{"country", "US"},
	}
}

// truvSSN is the social security number as Truv spells it: whole, without signs.
func truvSSN(p *Person) string { return strings.ReplaceAll(p.ssn, "-", "") }

func (l *truvLink) profile() object {
	return object{
		{"id", l.profileID},
		{"created_at", l.made.Format(time.RFC3339)},
		{"updated_at", l.made.Format(truvTime)},
		{"first_name", l.firstName},
		{"last_name", l.lastName},
		{"full_name", l.fullName()},
		{"middle_initials", nil},
		{"email", l.email},
		{"ssn", truvSSN(l.Person)},
		{"date_of_birth", "1900-02-29"}, // 1900 had no such day
		{"home_address", truvAddress(l.street)},
		{"phone_number", l.phone}, // not documented: Truv may add fields any day
	}
}

// statement is a pay statement, with the amounts of the same paystub at the other providers.
func (l *truvLink) statement(item truvItem) object {
	pay := l.pay(item.n)
	age := l.payAge(item.n)
	var check any
	if item.n%2 == 0 {
		check = "PS-" + item.date
	}
	line := func(name, category string, cents int, more ...member) object {
		return append(object{{"name", name}, {"amount", dollars(cents)}, {"category", category}},
			more...)
	}
	return object{
		{"id", item.id},
		{"check_number", check},
		{"pay_date", item.date},
		{"net_pay", dollars(pay.net())},
		{"net_pay_ytd", nil},
		{"gross_pay", dollars(pay.gross())},
		{"gross_pay_ytd", dollars(grossYTD(item.n))},
		{"regular", dollars(pay.regular)},
		{"regular_ytd", nil},
		{"overtime", "0.00"},
		{"overtime_ytd", nil},
		{"bonus", nil},
		{"bonus_ytd", nil},
		{"commission", nil},
		{"commission_ytd", nil},
		{"other_pay", dollars(pay.premium)},
		{"other_pay_ytd", nil},
		{"hours", hundredths(100 * payHours)},
		{"basis_of_pay", "H"},
		{"period_start", l.date(age + payEveryDays + 6)},
		{"period_end", l.date(age + 7)},
		{"earnings", []object{
			line("Regular", "regular", pay.regular,
				member{"rate", dollars(l.rate)}, member{"units", hundredths(100 * payHours)}),
			line("Weekend", "other_pay", pay.premium,
				member{"rate", nil}, member{"units", "37.33333333333333333"}),
		}},
		{"earnings_ytd", []object{}},
		{"deductions", []object{
			line("Federal Income", "federal", pay.federal),
			line("State Income", "state", pay.state),
			line("401k", "retirement", pay.retirement),
			line("Bus Pass", "other", pay.commuter),
		}},
		{"deductions_ytd", []object{}},
		{"md5sum", nil},
		{"file", nil},
		{"derived_fields", []string{}},
		{"missing_data_fields", []string{}},
	}
}

func (l *truvLink) shift(item truvItem) object {
	return object{
		{"id", item.id},
		{"external_id", "S-" + item.id[:8]},
		{"created_at", l.made.Format(truvTime)},
		{"updated_at", l.made.Format(time.RFC3339)},
		{"start_date", item.date},
		{"end_date", item.date},
		{"time_entries", []object{{
			{"external_id", "E-" + item.id[:8]},
			{"entry_date", item.date},
			{"start", item.date + "T09:00:00-04:00"},
			{"end", item.date + "T15:03:00-04:00"},
		}}},
		{"earnings", []object{
			{
				{"name", "Regular Hours"},
				{"amount", dollars(l.rate * shiftHours / 100)},
				{"category", "regular"},
				{"rate", dollars(l.rate)},
				{"units", hundredths(shiftHours)},
			},
			{
				{"name", "Overtime"},
				{"amount", dollars(l.overtimeRate() * overtimeHours / 100)},
				{"category", "overtime"},
				{"rate", dollars(l.overtimeRate())},
				{"units", hundredths(overtimeHours)},
			},
		}},
		{"type", "shift"},
	}
}

// bankAccounts are the accounts to which the pay goes, in the order of Person.bank.
func (l *truvLink) bankAccounts() []object {
	var list []object
	for _, d := range l.bank {
		kind := "C"
		if d.savings {
			kind = "S"
		}
		deposit := "E"
		var value any
		if d.amount > 0 {
			deposit = "A"
			value = dollars(d.amount)
		}
		list = append(list, object{
			{"account_number", d.account},
			{"routing_number", d.routing},
			{"account_name", d.name},
			{"account_type", kind},
			{"deposit_type", deposit},
			{"deposit_value", value},
			{"bank_name", d.bank},
		})
	}
	return list
}

// truvReportState is the state of a link that a report shows.
type truvReportState struct {
	status, refreshStatus string
	finished              time.Time
}

// report is IncomeCheck, or EmploymentCheck without income, of docs.truv.com.
func (l *truvLink) report(product string, state truvReportState) object {
	var finished, completed, refreshed any
	if state.status == "done" {
		finished = state.finished.Format(time.RFC3339)
		completed = state.finished.Format(truvBrokenTime)
	}
	if state.refreshStatus != "" {
		refreshed = state.refreshStatus
	}
	report := object{
		{"id", l.reportID},
		{"status", state.status},
		{"finished_at", finished},
		{"completed_at", completed},
		{"access_token", l.token},
		{"tracking_info", nil},
		{"is_suspicious", false},
	}
	if product == "income" {
		report = append(report, member{"refresh_status", refreshed})
	}
	employments := []object{}
	for _, e := range l.employments {
		employment := append(l.employed(e), member{"profile", l.profile()})
		if product == "income" {
			employment = append(employment, l.reportIncome(e)...)
		}
		employments = append(employments, employment)
	}
	return append(report,
		member{"employments", employments},
		member{"pdf_report", "https://documents.invalid/" + product + "_report.pdf"},
		member{"provider", truvProvider},
		member{"data_source", "payroll"},
	)
}

// reportIncome is the members of an employment that only the report about income has. The
// customer's template limits the statements.
func (l *truvLink) reportIncome(e truvEmployment) object {
	statements := []object{}
	for _, item := range e.statements[:min(len(e.statements), truvTemplateMax)] {
		statements = append(statements, l.statement(item))
	}
	years := []object{}
	if len(e.statements) > 0 {
		newest := e.statements[0]
		years = append(years, object{
			{"year", l.payYear(newest)},
			{"regular", nil},
			{"overtime", nil},
			{"bonus", nil},
			{"commission", nil},
			{"other_pay", nil},
			{"net_pay", nil},
			{"gross_pay", dollars(grossYTD(newest.n))},
		})
	}
	accounts := l.bankAccounts()
	if e.isEarlier {
		accounts = []object{}
	}
	return append(l.income(),
		member{"statements", statements},
		member{"annual_income_summary", years},
		member{"bank_accounts", accounts},
		member{"w2s", []object{}},
	)
}

// payYear is the year of a statement.
func (l *truvLink) payYear(item truvItem) int {
	return l.day.AddDate(0, 0, -l.payAge(item.n)).Year()
}
