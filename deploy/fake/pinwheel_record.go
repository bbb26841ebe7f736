package fake

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"
)

// How Pinwheel spells times. The times of shifts have a space in place of the T.
const (
	pinwheelTime      = "2006-01-02T15:04:05.000000+00:00"
	pinwheelShiftTime = "2006-01-02 15:04:05.000000+00:00"
)

const pinwheelDocuments = "https://documents.invalid/"

func (a *pinwheelAccount) address() object {
	return pinwheelAddress(a.street, nil, "Nowhere", "KS", "00000")
}

func pinwheelAddress(line1 string, line2 any, city, state, postalCode string) object {
	return object{
		{"raw", fmt.Sprintf("%s, %s, %s, %s, USA", line1, city, state, postalCode)},
		{"line1", line1},
		{"line2", line2},
		{"city", city},
		{"state", state},
		{"postal_code", postalCode},
		{"country", "US"},
	}
}

func pinwheelEmployerAddress() object {
	return pinwheelAddress("1 Makebelieve Plaza", "Suite 0", "Nowhere", "KS", "00000")
}

func (a *pinwheelAccount) employment() object {
	return object{
		{"id", a.objects["employment"]},
		{"account_id", a.AccountID},
		{"created_at", a.made.Format(pinwheelTime)},
		{"updated_at", a.made.Format(pinwheelTime)},
		{"status", "employed"},
		{"start_date", a.hired()},
		{"termination_date", nil},
		{"employer_name", employer},
		{"employer_address", pinwheelEmployerAddress()},
		{"employer_phone_number", object{{"value", "+15550000000"}, {"type", nil}}},
		{"title", "Sample Sorter"},
	}
}

func (a *pinwheelAccount) identity() object {
	return object{
		{"id", a.objects["identity"]},
		{"account_id", a.AccountID},
		{"created_at", a.made.Format(pinwheelTime)},
		{"updated_at", a.made.Format(pinwheelTime)},
		{"full_name", a.fullName()},
		{"date_of_birth", "1900-02-29"}, // 1900 had no such day
		{"last_four_ssn", a.lastFour()},
		{"emails", []string{a.email}},
		{"address", a.address()},
		{"phone_numbers", a.phones()},
		{"ssn_on_file", a.ssn}, // not documented: Pinwheel may add fields any day
	}
}

func (a *pinwheelAccount) phones() []object {
	return []object{{{"value", a.phone}, {"type", "mobile"}}}
}

// income is the income object with the time of its last change. The recorded income changed when
// the paystubs were complete, after the event of the income itself.
func (a *pinwheelAccount) income(updated time.Time) object {
	return object{
		{"id", a.objects["income"]},
		{"account_id", a.AccountID},
		{"created_at", a.made.Format(pinwheelTime)},
		{"updated_at", updated.Format(pinwheelTime)},
		{"compensation_amount", a.rate},
		{"compensation_unit", "hourly"},
		{"currency", "USD"},
		{"pay_frequency", "monthly"},
	}
}

// paystub makes the i-th paystub. The newest is the first, and has no document before
// paystubs.documents.added.
func (a *pinwheelAccount) paystub(i int, id string, hasDocument bool) record {
	age := a.payAge(i)
	payDate := a.date(age)
	pay := a.pay(i)
	var employerName, externalID any
	if i%2 == 0 {
		employerName = employer
		externalID = "PS-" + payDate
	}
	body := object{
		{"id", id},
		{"account_id", a.AccountID},
		{"pay_date", payDate},
		{"pay_period_start", a.date(age + payEveryDays + 6)},
		{"pay_period_end", a.date(age + 7)},
		{"currency", "USD"},
		{"gross_pay_amount", pay.gross()},
		{"net_pay_amount", pay.net()},
		{"check_amount", pay.net() + pay.reimbursed},
		{"gross_pay_ytd", grossYTD(i)},
		{"net_pay_ytd", nil},
		{"total_taxes", pay.taxes()},
		{"total_deductions", pay.deductions()},
		{"total_reimbursements", pay.reimbursed},
		{"employer_name", employerName},
		{"external_paystub_id", externalID},
	}
	body = append(body, a.payItems(pay)...)
	body = append(body,
		member{"created_at", a.made.Format(pinwheelTime)},
		member{"document", a.paystubDocument(id, hasDocument)},
		// Not documented: Pinwheel may add fields any day.
		member{"pay_group", object{{"code", "FOUR-WEEKLY"}}},
	)
	return record{id: id, start: payDate, end: payDate, body: encode(body)}
}

// payItems are the lists of a paystub.
func (a *pinwheelAccount) payItems(pay pay) object {
	item := func(name, category string, amount int, more ...member) object {
		return append(object{{"name", name}, {"category", category}, {"amount", amount}}, more...)
	}
	const weekendHours = decimal("37.33333333333333333")
	return object{
		{"taxes", []object{
			item("Federal Income", "federal_income", pay.federal),
			item("State Income", "state_income", pay.state),
		}},
		{"deductions", []object{
			item("401k", "retirement", pay.retirement, member{"type", "pre_tax"}),
			item("Bus Pass", "commuter", pay.commuter, member{"type", "post_tax"}),
		}},
		{"earnings", []object{
			item("Regular", "hourly", pay.regular,
				member{"rate", a.rate}, member{"hours", decimal(fmt.Sprintf("%d.0", payHours))}),
			item("Weekend", "premium", pay.premium,
				member{"rate", nil}, member{"hours", weekendHours}),
		}},
		{"time_off", []object{{
			{"name", "Vacation"},
			{"category", "pto"},
			{"available_hours", decimal("41.5")},
			{"earned_hours", decimal("0.0")},
			{"used_hours", nil},
		}}},
	}
}

func (a *pinwheelAccount) paystubDocument(id string, hasDocument bool) any {
	if !hasDocument {
		return nil
	}
	return object{
		{"id", a.objects["document"]},
		{"download_url", pinwheelDocuments + id + "?X-Amz-Expires=900"},
		{"download_url_expiration", a.made.Add(15 * time.Minute).Format(pinwheelTime)},
	}
}

// shift makes the shift of so many days ago.
func (a *pinwheelAccount) shift(age int, id string) record {
	date := a.date(age)
	overtimeRate := a.overtimeRate()
	body := object{
		{"id", id},
		{"account_id", a.AccountID},
		{"created_at", a.made.Format(pinwheelShiftTime)},
		{"start_date", date},
		{"end_date", date},
		{"type", "shift"},
		{"timezone", "America/New_York"},
		{"timestamps", []object{{
			{"from", date + "T09:00:00-04:00"}, {"to", date + "T15:03:00-04:00"},
		}}},
		{"earnings", []object{
			{
				{"name", "Regular Hours"},
				{"category", "hourly"},
				{"hours", decimal(hundredths(shiftHours))},
				{"rate", a.rate},
				{"amount", a.rate * shiftHours / 100},
			},
			{
				{"name", "Overtime"},
				{"category", "overtime"},
				{"hours", decimal(hundredths(overtimeHours))},
				{"rate", overtimeRate},
				{"amount", overtimeRate * overtimeHours / 100},
			},
			// The amount is optional.
			{{"name", "Uniform"}, {"category", "other"}, {"hours", nil}, {"rate", nil}},
		}},
		{"currency", "USD"},
	}
	return record{id: id, start: date, end: date, body: encode(body)}
}

// taxFormCount is the number of an account's tax forms, one a year.
const taxFormCount = 3

// taxForm is a form as lists have it (docs.pinwheelapi.com, Tax Forms).
func (a *pinwheelAccount) taxForm(year int, id string) record {
	text := strconv.Itoa(year)
	body := object{
		{"id", id},
		{"account_id", a.AccountID},
		{"created_at", a.made.Format(pinwheelTime)},
		{"form_type", "W-2"},
		{"year", text},
	}
	return record{id: id, start: text, end: text, body: encode(body)}
}

// allocations are where the pay goes. The account numbers are masked.
func (a *pinwheelAccount) allocations() object {
	allocations := []object{}
	for i, d := range a.bank {
		kind := "checking"
		if d.savings {
			kind = "savings"
		}
		allocation := "remainder"
		var amount any
		if d.amount > 0 {
			allocation = "amount"
			amount = d.amount
		}
		allocations = append(allocations, object{
			{"account_name", d.name},
			{"account_type", kind},
			{"allocation_type", allocation},
			{"amount", amount},
			{"bank_name", d.bank},
			{"currency", "USD"},
			{"masked_account_number", d.account[len(d.account)-4:]},
			{"percentage", nil},
			{"priority", i + 1},
			{"routing_number", d.routing},
		})
	}
	return object{
		{"id", a.objects["allocations"]},
		{"account_id", a.AccountID},
		{"created_at", a.made.Format(pinwheelTime)},
		{"updated_at", a.made.Format(pinwheelTime)},
		{"allocations", allocations},
	}
}

// report is a verification report of a kind: voe, or voie with income.
func (a *pinwheelAccount) report(kind string, refreshed time.Time) object {
	var lastPaid any
	if len(a.paystubs) > 0 {
		lastPaid = a.paystubs[0].end
	}
	employment := object{
		{"employer_name", employer},
		{"employer_address", pinwheelEmployerAddress()},
		{"start_date", a.hired()},
		{"employment_duration_months", (len(a.paystubs) + 1) * payEveryDays / 30},
		{"employment_status", "employed"},
		{"employment_type", "part time"},
		{"termination_date", nil},
		{"title", "Sample Sorter"},
		{"most_recent_pay_date", lastPaid},
	}
	if kind == "voie" {
		employment = append(employment, member{"income", a.reportIncome()})
	}
	return object{
		{"id", a.objects[kind]},
		{"updated_at", a.made.Format(pinwheelTime)},
		{"refreshed_at", refreshed.Format(pinwheelTime)},
		{"employee", a.reportEmployee()},
		{"report_type", kind},
		{"employments", []object{employment}},
		{"document", object{
			{"id", a.objects["document"]},
			{"download_url", pinwheelDocuments + kind + "_report.pdf"},
			{"download_url_expiration", a.made.Add(15 * time.Minute).Format(pinwheelTime)},
		}},
	}
}

func (a *pinwheelAccount) reportEmployee() object {
	return object{
		{"name", object{
			{"first_name", a.firstName},
			{"middle_name", ""},
			{"last_name", a.lastName},
			{"full_name", a.fullName()},
		}},
		{"address", a.address()},
		{"last_four_ssn", a.lastFour()},
		{"date_of_birth", "1900-02-29"},
		{"phone_numbers", a.phones()},
	}
}

// reportIncome holds at most two paystubs (docs.pinwheelapi.com, Get VOIE).
func (a *pinwheelAccount) reportIncome() object {
	paystubs := []json.RawMessage{}
	for _, r := range a.paystubs[:min(2, len(a.paystubs))] {
		paystubs = append(paystubs, r.body)
	}
	return object{
		{"pay_frequency", "monthly"},
		{"compensation_unit", "hourly"},
		{"compensation_amount", a.rate},
		{"currency", "USD"},
		{"annual_incomes", []object{{
			{"year", a.day.Format("2006")},
			{"gross_pay_ytd", grossYTD(0)},
			{"net_pay_ytd", nil},
			{"total_deductions_ytd", 64_704},
			{"total_reimbursements_ytd", 7_000},
			{"total_taxes_ytd", 94_407},
			{"earnings_ytds", []object{{{"amount", grossYTD(0)}, {"category", "hourly"}}}},
		}}},
		{"paystubs", paystubs},
	}
}

// account is the payroll account, with the time at which each resource was collected.
// platform is the only payroll platform of the fake.
func platform() object {
	return object{
		{"id", platformID},
		{"name", platformName},
		{"type", "payroll"},
		{"last_updated", "2026-01-06T15:59:13.530178+00:00"},
		{"logo_url", nil},
		{"supported_jobs", []string{
			"direct_deposit_switch", "direct_deposit_allocations",
			"employment", "identity", "income", "paystubs", "shifts", "tax_forms",
		}},
	}
}

func (a *pinwheelAccount) account(refreshed map[string]time.Time) object {
	collected := object{}
	for _, resource := range []string{
		"direct_deposit_allocations", "employment", "identity", "income", "paystubs", "shifts",
	} {
		if at, ok := refreshed[resource]; ok {
			collected = append(collected, member{resource, at.Format(pinwheelTime)})
		}
	}
	return object{
		{"id", a.AccountID},
		{"created_at", a.made.Format(pinwheelTime)},
		{"link_token_id", a.LinkTokenID},
		{"platform_id", platformID},
		{"connected", !a.removed},
		{"monitoring_status", a.monitoring},
		{"data_updated_at", collected},
		{"data_refreshed_at", collected},
		{"end_user_id", a.EndUserID},
		{"customer_id", nil},
		{"tags", object{}},
	}
}
