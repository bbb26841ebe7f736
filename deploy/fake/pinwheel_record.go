package fake

import (
	"encoding/json"
	"fmt"
	"time"
)

// How Pinwheel spells a time. Shifts have a space where all else has a T.
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
		{"date_of_birth", "1900-02-29"}, // a day that never was
		{"last_four_ssn", a.lastFour()},
		{"emails", []string{a.email}},
		{"address", a.address()},
		{"phone_numbers", a.phones()},
		{"ssn_on_file", a.ssn}, // not documented: fields are added any day
	}
}

func (a *pinwheelAccount) phones() []object {
	return []object{{{"value", a.phone}, {"type", "mobile"}}}
}

// income is the object as of updated: it was seen to change when the paystubs
// were finished, after its own event.
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

// pinwheelGrossYTD is an amount that only this paystub has, with more digits than a
// float64 keeps.
func pinwheelGrossYTD(i int) decimal {
	return decimal(fmt.Sprint((90_071_992_547_409_931 - i*1_000_003) | 1))
}

// paystub makes the i-th paystub, the newest being the first.
func (a *pinwheelAccount) paystub(i int, id string) record {
	age := newestDays + payEveryDays*i
	payDate := a.date(age)
	regular, premium := 80*a.rate, 5_000+i
	gross := regular + premium
	federal, state := gross/8, gross/25
	retirement, commuter := gross/20, 4_200
	net := gross - federal - state - retirement - commuter
	reimbursed := 700

	var document, employerName, externalID any
	if i > 0 { // the newest has no document yet: it comes with paystubs.documents.added
		document = object{
			{"id", a.objects["document"]},
			{"download_url", pinwheelDocuments + id + "?X-Amz-Expires=900"},
			{"download_url_expiration", a.made.Add(15 * time.Minute).Format(pinwheelTime)},
		}
	}
	if i%2 == 0 {
		employerName, externalID = employer, fmt.Sprintf("PS-%s", payDate)
	}
	body := object{
		{"id", id},
		{"account_id", a.AccountID},
		{"pay_date", payDate},
		{"pay_period_start", a.date(age + payEveryDays + 6)},
		{"pay_period_end", a.date(age + 7)},
		{"currency", "USD"},
		{"gross_pay_amount", gross},
		{"net_pay_amount", net},
		{"check_amount", net + reimbursed},
		{"gross_pay_ytd", pinwheelGrossYTD(i)},
		{"net_pay_ytd", nil},
		{"total_taxes", federal + state},
		{"total_deductions", retirement + commuter},
		{"total_reimbursements", reimbursed},
		{"employer_name", employerName},
		{"external_paystub_id", externalID},
		{"taxes", []object{
			{{"name", "Federal Income"}, {"category", "federal_income"}, {"amount", federal}},
			{{"name", "State Income"}, {"category", "state_income"}, {"amount", state}},
		}},
		{"deductions", []object{
			{{"name", "401k"}, {"category", "retirement"}, {"amount", retirement}, {"type", "pre_tax"}},
			{{"name", "Bus Pass"}, {"category", "commuter"}, {"amount", commuter}, {"type", "post_tax"}},
		}},
		{"earnings", []object{
			{{"name", "Regular"}, {"category", "hourly"}, {"amount", regular}, {"rate", a.rate}, {"hours", decimal("80.0")}},
			{{"name", "Weekend"}, {"category", "premium"}, {"amount", premium}, {"rate", nil}, {"hours", decimal("37.33333333333333333")}},
		}},
		{"time_off", []object{
			{{"name", "Vacation"}, {"category", "pto"}, {"available_hours", decimal("41.5")}, {"earned_hours", decimal("0.0")}, {"used_hours", nil}},
		}},
		{"created_at", a.made.Format(pinwheelTime)},
		{"document", document},
		{"pay_group", object{{"code", "FOUR-WEEKLY"}}}, // not documented: fields are added any day
	}
	return record{id: id, start: payDate, end: payDate, body: encode(body)}
}

// shift makes the shift of so many days ago.
func (a *pinwheelAccount) shift(age int, id string) record {
	date := a.date(age)
	body := object{
		{"id", id},
		{"account_id", a.AccountID},
		{"created_at", a.made.Format(pinwheelShiftTime)},
		{"start_date", date},
		{"end_date", date},
		{"type", "shift"},
		{"timezone", "America/New_York"},
		{"timestamps", []object{{{"from", date + "T09:00:00-04:00"}, {"to", date + "T12:12:00-04:00"}}}},
		{"earnings", []object{
			{{"name", "Regular Hours"}, {"category", "hourly"}, {"hours", decimal("2.85")}, {"rate", a.rate}, {"amount", a.rate * 285 / 100}},
			{{"name", "Overtime"}, {"category", "overtime"}, {"hours", decimal("0.35")}, {"rate", a.rate * 3 / 2}, {"amount", a.rate * 3 / 2 * 35 / 100}},
			{{"name", "Uniform"}, {"category", "other"}, {"hours", nil}, {"rate", nil}}, // amount is optional here
		}},
		{"currency", "USD"},
	}
	return record{id: id, start: date, end: date, body: encode(body)}
}

// report is a verification report: kind is voe or voie, which adds income.
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
		{"employee", object{
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
		}},
		{"report_type", kind},
		{"employments", []object{employment}},
		{"document", object{
			{"id", a.objects["document"]},
			{"download_url", pinwheelDocuments + kind + "_report.pdf"},
			{"download_url_expiration", a.made.Add(15 * time.Minute).Format(pinwheelTime)},
		}},
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
			{"gross_pay_ytd", pinwheelGrossYTD(0)},
			{"net_pay_ytd", nil},
			{"total_deductions_ytd", 64_704},
			{"total_reimbursements_ytd", 7_000},
			{"total_taxes_ytd", 94_407},
			{"earnings_ytds", []object{{{"amount", pinwheelGrossYTD(0)}, {"category", "hourly"}}}},
		}}},
		{"paystubs", paystubs},
	}
}

// account is the payroll account: what was collected, and when.
func (a *pinwheelAccount) account(refreshed map[string]time.Time) object {
	collected := object{}
	for _, resource := range []string{"employment", "identity", "income", "paystubs", "shifts"} {
		if at, ok := refreshed[resource]; ok {
			collected = append(collected, member{resource, at.Format(pinwheelTime)})
		}
	}
	return object{
		{"id", a.AccountID},
		{"created_at", a.made.Format(pinwheelTime)},
		{"link_token_id", a.LinkTokenID},
		{"platform_id", platformID},
		{"connected", true},
		{"monitoring_status", "active"},
		{"data_updated_at", collected},
		{"data_refreshed_at", collected},
		{"end_user_id", a.EndUserID},
		{"customer_id", nil},
		{"tags", object{}},
	}
}
