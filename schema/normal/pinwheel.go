package normal

import "github.com/wagewire/wagewire/schema"

// pinwheel reads the records of Pinwheel's REST API, by the schemas of its OpenAPI file of version
// 2025-07-08.
var pinwheel = map[schema.Resource]mapping{
	schema.Employment: func(o object, r *Record) { r.setEmployment(pinwheelEmployment(o)) },
	schema.Identity:   func(o object, r *Record) { r.setIdentity(pinwheelIdentity(o)) },
	schema.Income:     func(o object, r *Record) { r.setIncome(pinwheelIncome(o)) },
	schema.Paystubs:   func(o object, r *Record) { r.setPaystub(pinwheelPaystub(o)) },
	schema.Shifts:     func(o object, r *Record) { r.setShift(pinwheelShift(o)) },
	schema.VerificationReports: func(o object, r *Record) {
		r.setReport(pinwheelReport(o))
	},
}

// pinwheelUnit is how Pinwheel writes amounts: as integers in cents. That "cents" are the minor
// unit of every currency, also of one without cents, is an inference: Pinwheel's reference says
// cents of all currencies.
func pinwheelUnit(o object) unit { return unit{asNumber, o.currency("currency"), 0} }

func pinwheelEmployment(o object) Employment {
	return Employment{
		ID:        o.text("id"),
		AccountID: o.text("account_id"),
		Employer:  pinwheelEmployer(o),
		Status:    o.word("status", statuses),
		Title:     o.text("title"),
		StartDate: o.date("start_date"),
		EndDate:   o.date("termination_date"),
		CreatedAt: o.time("created_at"),
		UpdatedAt: o.time("updated_at"),
		Raw:       o.raw,
	}
}

// pinwheelEmployer reads the members about the employer, of any record.
func pinwheelEmployer(o object) *Employer {
	return give(Employer{
		Name:    o.text("employer_name"),
		Address: pinwheelAddress(o, "employer_address"),
		Phone:   pinwheelPhone(o, "employer_phone_number"),
	})
}

func pinwheelAddress(o object, name string) *Address {
	a, ok := o.object(name)
	if !ok {
		return nil
	}
	return give(Address{
		Text:       a.text("raw"),
		Line1:      a.text("line1"),
		Line2:      a.text("line2"),
		City:       a.text("city"),
		State:      a.text("state"),
		PostalCode: a.text("postal_code"),
		Country:    a.text("country"),
	})
}

func pinwheelPhone(o object, name string) *Phone {
	p, ok := o.object(name)
	if !ok {
		return nil
	}
	return give(pinwheelPhoneOf(p))
}

func pinwheelPhoneOf(o object) Phone {
	return Phone{Number: o.text("value"), Type: o.word("type", phones)}
}

func pinwheelIdentity(o object) Identity {
	return Identity{
		ID:          o.text("id"),
		AccountID:   o.text("account_id"),
		FullName:    o.text("full_name"),
		DateOfBirth: o.date("date_of_birth"),
		LastFourSSN: o.lastFour("last_four_ssn"),
		Address:     pinwheelAddress(o, "address"),
		Emails:      o.texts("emails"),
		Phones:      objects(o, "phone_numbers", pinwheelPhoneOf),
		CreatedAt:   o.time("created_at"),
		UpdatedAt:   o.time("updated_at"),
		Raw:         o.raw,
	}
}

func pinwheelIncome(o object) Income {
	u := pinwheelUnit(o)
	return Income{
		ID:           o.text("id"),
		AccountID:    o.text("account_id"),
		Compensation: o.rate("compensation_amount", u),
		Unit:         o.word("compensation_unit", units),
		PayFrequency: o.word("pay_frequency", frequencies),
		Years: objects(o, "annual_incomes", func(year object) YearIncome {
			return pinwheelYear(year, u)
		}),
		CreatedAt: o.time("created_at"),
		UpdatedAt: o.time("updated_at"),
		Raw:       o.raw,
	}
}

func pinwheelYear(o object, u unit) YearIncome {
	return YearIncome{
		Year:           o.integer("year", asText),
		GrossPay:       o.money("gross_pay_ytd", u),
		NetPay:         o.money("net_pay_ytd", u),
		Taxes:          o.money("total_taxes_ytd", u),
		Deductions:     o.money("total_deductions_ytd", u),
		Reimbursements: o.money("total_reimbursements_ytd", u),
		Sums: objects(o, "earnings_ytds", func(sum object) Sum {
			return Sum{Category: sum.word("category", earnings), Amount: sum.money("amount", u)}
		}),
	}
}

func pinwheelPaystub(o object) Paystub {
	u := pinwheelUnit(o)
	return Paystub{
		ID:                  o.text("id"),
		AccountID:           o.text("account_id"),
		ExternalID:          o.text("external_paystub_id"),
		Employer:            pinwheelEmployer(o),
		PayDate:             o.date("pay_date"),
		PeriodStart:         o.date("pay_period_start"),
		PeriodEnd:           o.date("pay_period_end"),
		GrossPay:            o.money("gross_pay_amount", u),
		NetPay:              o.money("net_pay_amount", u),
		GrossPayYTD:         o.money("gross_pay_ytd", u),
		NetPayYTD:           o.money("net_pay_ytd", u),
		CheckAmount:         o.money("check_amount", u),
		TotalTaxes:          o.money("total_taxes", u),
		TotalDeductions:     o.money("total_deductions", u),
		TotalReimbursements: o.money("total_reimbursements", u),
		Earnings:            pinwheelEarnings(o, u),
		Taxes: objects(o, "taxes", func(line object) Line {
			return pinwheelLine(line, taxes, u)
		}),
		Deductions: objects(o, "deductions", func(line object) Line {
			deduction := pinwheelLine(line, deductions, u)
			deduction.Timing = line.word("type", timings)
			return deduction
		}),
		TimeOff:   objects(o, "time_off", pinwheelTimeOff),
		CreatedAt: o.time("created_at"),
		Raw:       o.raw,
	}
}

func pinwheelLine(o object, table wordTable, u unit) Line {
	return Line{
		Name:     o.text("name"),
		Category: o.word("category", table),
		Amount:   o.money("amount", u),
	}
}

func pinwheelEarnings(o object, u unit) []Line {
	return objects(o, "earnings", func(line object) Line {
		earning := pinwheelLine(line, earnings, u)
		earning.Rate = line.rate("rate", u)
		earning.Hours = line.decimal("hours")
		return earning
	})
}

func pinwheelTimeOff(o object) TimeOff {
	return TimeOff{
		Name:           o.text("name"),
		Category:       o.word("category", timesOff),
		AvailableHours: o.decimal("available_hours"),
		EarnedHours:    o.decimal("earned_hours"),
		UsedHours:      o.decimal("used_hours"),
	}
}

func pinwheelShift(o object) Shift {
	return Shift{
		ID:        o.text("id"),
		AccountID: o.text("account_id"),
		Type:      o.word("type", shiftTypes),
		StartDate: o.date("start_date"),
		EndDate:   o.date("end_date"),
		Zone:      o.text("timezone"),
		Spans: objects(o, "timestamps", func(span object) Span {
			return Span{From: span.time("from"), To: span.time("to")}
		}),
		Earnings:  pinwheelEarnings(o, pinwheelUnit(o)),
		CreatedAt: o.time("created_at"),
		Raw:       o.raw,
	}
}

func pinwheelReport(o object) Report {
	return Report{
		ID:          o.text("id"),
		Type:        o.word("report_type", reports),
		Identity:    pinwheelEmployee(o),
		Employments: objects(o, "employments", pinwheelReportEmployment),
		UpdatedAt:   o.time("updated_at"),
		RefreshedAt: o.time("refreshed_at"),
		Raw:         o.raw,
	}
}

// pinwheelEmployee reads the person of a report: an identity whose name has parts.
func pinwheelEmployee(o object) *Identity {
	person, ok := o.object("employee")
	if !ok {
		return nil
	}
	read := pinwheelIdentity(person)
	if name, ok := person.object("name"); ok {
		read.FullName = name.text("full_name")
		read.FirstName = name.text("first_name")
		read.MiddleName = name.text("middle_name")
		read.LastName = name.text("last_name")
	}
	return &read
}

func pinwheelReportEmployment(o object) Employment {
	read := pinwheelEmployment(o)
	read.Status = o.word("employment_status", statuses)
	read.Type = o.plainWord("employment_type", employmentTypes)
	read.LastPayDate = o.date("most_recent_pay_date")
	read.DurationMonths = o.integer("employment_duration_months", asNumber)
	if income, ok := o.object("income"); ok {
		found := pinwheelIncome(income)
		read.Income = &found
		read.Paystubs = objects(income, "paystubs", pinwheelPaystub)
	}
	return read
}
