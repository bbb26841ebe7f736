package normal

import "github.com/wagewire/wagewire/schema"

// truv reads the records of Truv's REST API, by the schemas of its OpenAPI file of March 2026:
// EmploymentLinked, Profile, Statement, Shift, and the reports EmploymentCheck and IncomeCheck. The
// resource of a statement is paystubs. The resources employment and income have the same records.
var truv = map[schema.Resource]mapping{
	schema.Employment: func(o object, r *Record) {
		if o.isReport() {
			r.setReport(truvReport(o))
			return
		}
		r.setEmployment(truvEmployment(o))
	},
	schema.Identity: func(o object, r *Record) { r.setIdentity(truvIdentity(o)) },
	schema.Income: func(o object, r *Record) {
		if o.isReport() {
			r.setReport(truvReport(o))
			return
		}
		r.setIncome(truvIncomeRecord(o))
	},
	schema.Paystubs: func(o object, r *Record) { r.setPaystub(truvPaystub(o)) },
	schema.Shifts:   func(o object, r *Record) { r.setShift(truvShift(o)) },
	schema.VerificationReports: func(o object, r *Record) {
		r.setReport(truvReport(o))
	},
}

// truvUnit is how Truv writes amounts: as text, in whole units with a point, such as "1695.11".
// That the currency is the US dollar is an inference: Truv states no currency, and its data has
// social security numbers, EINs and W-2 forms.
var truvUnit = unit{asText, "USD", 2}

// isReport reports whether the record is a report, which lists employments, and not one employment.
func (o object) isReport() bool { return o.member("employments") != nil }

// truvEmployment reads EmploymentLinked, and the Employment and EmploymentIncome of reports.
func truvEmployment(o object) Employment {
	read := Employment{
		ID:            o.text("id"),
		Employer:      truvEmployer(o),
		Status:        o.flag("is_active", statuses),
		Type:          o.word("job_type", employmentTypes),
		Title:         o.text("job_title"),
		Manager:       o.text("manager_name"),
		StartDate:     o.date("start_date"),
		FirstHireDate: o.date("original_hire_date"),
		EndDate:       o.date("end_date"),
		UpdatedOn:     o.date("external_last_updated"),
		Paystubs:      objects(o, "statements", truvPaystub),
		Raw:           o.raw,
	}
	if income := truvIncome(o); income.isSaid() {
		read.Income = &income
	}
	if profile, ok := o.object("profile"); ok {
		identity := truvIdentity(profile)
		read.Identity = &identity
	}
	return read
}

func truvEmployer(o object) *Employer {
	company, ok := o.object("company")
	if !ok {
		return nil
	}
	read := Employer{
		Name:    company.text("name"),
		Address: truvAddress(company, "address"),
		EIN:     company.text("ein"),
	}
	if number := company.text("phone"); number != "" {
		read.Phone = &Phone{Number: number}
	}
	return give(read)
}

func truvAddress(o object, name string) *Address {
	a, ok := o.object(name)
	if !ok {
		return nil
	}
	return give(Address{
		Line1:      a.text("street"),
		City:       a.text("city"),
		State:      a.text("state"),
		PostalCode: a.text("zip"),
		Country:    a.text("country"),
	})
}

// truvIncome reads the members about income, of an employment.
func truvIncome(o object) Income {
	return Income{
		Compensation: o.rate("income", truvUnit),
		Unit:         o.word("income_unit", units),
		CyclePay:     o.rate("pay_rate", truvUnit),
		PayFrequency: o.word("pay_frequency", frequencies),
		Years:        objects(o, "annual_income_summary", truvYear),
		Raw:          o.raw,
	}
}

// isSaid reports whether the provider says anything of the income.
func (i Income) isSaid() bool {
	return i.Compensation != nil || i.Unit != nil || i.CyclePay != nil || i.PayFrequency != nil ||
		i.Years != nil
}

// truvIncomeRecord reads an employment as the record of an income.
func truvIncomeRecord(o object) Income {
	read := truvIncome(o)
	read.ID = o.text("id")
	read.Employer = truvEmployer(o)
	return read
}

func truvYear(o object) YearIncome {
	return YearIncome{
		Year:     o.integer("year", asNumber),
		GrossPay: o.money("gross_pay", truvUnit),
		NetPay:   o.money("net_pay", truvUnit),
		Sums:     truvSums(o),
	}
}

// truvSums reads the sums by kind of pay, which stand beside the lines in members of their own.
func truvSums(o object) []Sum {
	var sums []Sum
	for _, name := range []string{"regular", "overtime", "bonus", "commission", "other_pay"} {
		amount := o.money(name, truvUnit)
		ytd := o.money(name+"_ytd", truvUnit)
		if amount != nil || ytd != nil {
			sums = append(sums, Sum{earnings.word(name), amount, ytd})
		}
	}
	return sums
}

func truvPaystub(o object) Paystub {
	read := Paystub{
		ID:           o.text("id"),
		EmploymentID: o.text("employment_id"),
		ExternalID:   o.text("check_number"),
		PayDate:      o.date("pay_date"),
		PeriodStart:  o.date("period_start"),
		PeriodEnd:    o.date("period_end"),
		GrossPay:     o.money("gross_pay", truvUnit),
		NetPay:       o.money("net_pay", truvUnit),
		GrossPayYTD:  o.money("gross_pay_ytd", truvUnit),
		NetPayYTD:    o.money("net_pay_ytd", truvUnit),
		Hours:        o.decimal("hours"),
		Basis:        o.word("basis_of_pay", bases),
		Earnings:     objects(o, "earnings", truvEarning),
		EarningsYTD:  objects(o, "earnings_ytd", truvEarning),
		Sums:         truvSums(o),
		Raw:          o.raw,
	}
	read.Taxes, read.Deductions = truvDeductions(o, "deductions")
	read.TaxesYTD, read.DeductionsYTD = truvDeductions(o, "deductions_ytd")
	return read
}

func truvEarning(o object) Line {
	return Line{
		Name:     o.text("name"),
		Category: o.word("category", earnings),
		Amount:   o.money("amount", truvUnit),
		Rate:     o.rate("rate", truvUnit),
		Units:    o.decimal("units"),
	}
}

// truvDeductions reads a list of deductions, and returns its taxes and the others: Truv lists taxes
// among the deductions. Both are nil if there is no list.
func truvDeductions(o object, name string) (taxLines, deductionLines []Line) {
	lines := objects(o, name, func(line object) Line {
		category := line.text("category")
		table := deductions
		if truvTaxes[category] != "" {
			table = taxes
		}
		return Line{
			Name:     line.text("name"),
			Category: line.word("category", table),
			Amount:   line.money("amount", truvUnit),
		}
	})
	if lines == nil {
		return nil, nil
	}
	taxLines = []Line{}
	deductionLines = []Line{}
	for _, line := range lines {
		if line.Category != nil && truvTaxes[line.Category.Word] != "" {
			taxLines = append(taxLines, line)
		} else {
			deductionLines = append(deductionLines, line)
		}
	}
	return taxLines, deductionLines
}

func truvShift(o object) Shift {
	return Shift{
		ID:         o.text("id"),
		ExternalID: o.text("external_id"),
		Type:       o.word("type", shiftTypes),
		StartDate:  o.date("start_date"),
		EndDate:    o.date("end_date"),
		Spans: objects(o, "time_entries", func(entry object) Span {
			return Span{
				Date: entry.date("entry_date"),
				From: entry.time("start"),
				To:   entry.time("end"),
			}
		}),
		Earnings:  objects(o, "earnings", truvEarning),
		CreatedAt: o.time("created_at"),
		UpdatedAt: o.time("updated_at"),
		Raw:       o.raw,
	}
}

func truvIdentity(o object) Identity {
	read := Identity{
		ID:          o.text("id"),
		FullName:    o.text("full_name"),
		FirstName:   o.text("first_name"),
		MiddleName:  o.text("middle_initials"),
		LastName:    o.text("last_name"),
		DateOfBirth: o.date("date_of_birth"),
		LastFourSSN: o.lastFour("ssn"),
		Address:     truvAddress(o, "home_address"),
		CreatedAt:   o.time("created_at"),
		UpdatedAt:   o.time("updated_at"),
		Raw:         o.raw,
	}
	if email := o.text("email"); email != "" {
		read.Emails = []string{email}
	}
	return read
}

// truvReport reads EmploymentCheck and IncomeCheck. Each of their employments has a person of its
// own. The deprecated completed_at counts if a report has no finished_at.
func truvReport(o object) Report {
	finished := o.time("finished_at")
	if o.member("finished_at") == nil {
		finished = o.time("completed_at")
	}
	return Report{
		ID:          o.text("id"),
		Status:      o.text("status"),
		Employments: objects(o, "employments", truvEmployment),
		FinishedAt:  finished,
		Raw:         o.raw,
	}
}
