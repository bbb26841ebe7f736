// Package normal is one model over the records of all providers: employment, income, paystub,
// shift, identity and report. It serves programs that would rather not know how each provider
// spells a paystub.
//
//	record, err := normal.Of(completion.Data.Provider, completion.Data.Resource, raw)
//
// Truv's statements do not name their employment, and their completion does. OfCompletion takes the
// employment from there. Mirror.Entries of package client has the employment beside each paystub,
// so that a program can give the member EmploymentID to OfCompletion later.
//
// Amounts are whole minor units (cents) with a currency, and never floating point. Rates and hours
// are exact decimals. A day is a Date, and a time has its offset from UTC. A word of an open list
// is kept as the provider wrote it, beside its kind, which is the same for all providers. What the
// provider does not say is absent and not zero. What cannot be read is absent, and listed in
// Unread. The record itself is in Raw, so nothing is lost.
//
// # Why completions do not carry the model
//
// The model is computed when a record is read. A completion is stored once for all teams, and is
// good for weeks: a model stored in a completion would keep a fault of the mapping after its
// correction, and a reader could not tell which mapping made it. It would also double the bytes.
// Of is fast and needs nothing but the record, so everybody gets the newest mapping for old
// completions too.
//
// # Where the fields come from
//
// A name is a member of the provider's record. A dash means that the provider does not say it.
// Truv's records are mapped by its reference.
//
//	employment        Pinwheel employment        Truv EmploymentLinked
//	id                id                         id
//	account_id        account_id                 -
//	employer          employer_name, _address,   company: name, address, phone, ein
//	                  _phone_number
//	status            status                     is_active: true is employed, false is inactive
//	type              -                          job_type
//	title             title                      job_title
//	manager           -                          manager_name
//	start_date        start_date                 start_date
//	first_hire_date   -                          original_hire_date
//	end_date          termination_date           end_date
//	created_at        created_at                 -
//	updated_at        updated_at                 -
//	updated_on        -                          external_last_updated
//	income            -                          income, income_unit, pay_rate, pay_frequency,
//	                                             annual_income_summary
//	paystubs          -                          statements, in a report
//	identity          -                          profile, in a report
//
//	in a report       Pinwheel voe, voie         Truv EmploymentCheck, IncomeCheck
//	status            employment_status          as above
//	type              employment_type            as above
//	last_pay_date     most_recent_pay_date       -
//	duration_months   employment_duration_months -
//	income            income                     as above
//	paystubs          income.paystubs            as above
//
//	income            Pinwheel income            Truv EmploymentLinked
//	id, account_id    id, account_id             id, -
//	employer          -                          company
//	compensation      compensation_amount        income
//	unit              compensation_unit          income_unit
//	cycle_pay         -                          pay_rate
//	pay_frequency     pay_frequency              pay_frequency
//	years             annual_incomes             annual_income_summary
//	  year            year                       year
//	  gross_pay       gross_pay_ytd              gross_pay
//	  net_pay         net_pay_ytd                net_pay
//	  taxes           total_taxes_ytd            -
//	  deductions      total_deductions_ytd       -
//	  reimbursements  total_reimbursements_ytd   -
//	  sums            earnings_ytds: category,   regular, overtime, bonus, commission, other_pay
//	                  amount
//	created_at        created_at                 -
//	updated_at        updated_at                 -
//
//	paystub           Pinwheel paystub           Truv Statement
//	id, account_id    id, account_id             id, -
//	employment_id     -                          of the completion: see OfCompletion
//	external_id       external_paystub_id        check_number
//	employer          employer_name              -
//	pay_date          pay_date                   pay_date
//	period_start      pay_period_start           period_start
//	period_end        pay_period_end             period_end
//	gross_pay         gross_pay_amount           gross_pay
//	net_pay           net_pay_amount             net_pay
//	gross_pay_ytd     gross_pay_ytd              gross_pay_ytd
//	net_pay_ytd       net_pay_ytd                net_pay_ytd
//	check_amount      check_amount               -
//	total_taxes       total_taxes                -
//	total_deductions  total_deductions           -
//	total_reimbursements
//	                  total_reimbursements       -
//	hours             -                          hours
//	basis             -                          basis_of_pay
//	earnings          earnings: name, category,  earnings: name, category, amount, rate, units
//	                  amount, rate, hours
//	earnings_ytd      -                          earnings_ytd, likewise
//	taxes             taxes: name, category,     deductions of category federal, state, local,
//	                  amount                     socialsec or medicare: name, category, amount
//	taxes_ytd         -                          deductions_ytd, likewise
//	deductions        deductions: name,          the other deductions: name, category, amount
//	                  category, amount, type
//	                  (which is timing)
//	deductions_ytd    -                          deductions_ytd, likewise
//	sums              -                          regular, overtime, bonus, commission, other_pay,
//	                                             and the same with _ytd
//	time_off          time_off: name, category,  -
//	                  available_hours,
//	                  earned_hours, used_hours
//	created_at        created_at                 -
//
//	shift             Pinwheel shift             Truv Shift
//	id, account_id    id, account_id             id, -
//	external_id       -                          external_id
//	type              type                       type
//	start_date        start_date                 start_date
//	end_date          end_date                   end_date
//	zone              timezone                   -
//	spans             timestamps: from, to       time_entries: entry_date (date), start (from),
//	                                             end (to)
//	earnings          as in a paystub            as in a paystub
//	created_at        created_at                 created_at
//	updated_at        -                          updated_at
//
//	identity          Pinwheel identity          Truv Profile
//	id, account_id    id, account_id             id, -
//	full_name         full_name                  full_name
//	first_name        name.first_name (report)   first_name
//	middle_name       name.middle_name (report)  middle_initials
//	last_name         name.last_name (report)    last_name
//	date_of_birth     date_of_birth              date_of_birth
//	last_four_ssn     last_four_ssn              ssn, its last four digits
//	address           address                    home_address
//	emails            emails                     email
//	phones            phone_numbers: value, type -
//	created_at        created_at                 created_at
//	updated_at        updated_at                 updated_at
//
//	report            Pinwheel voe, voie         Truv EmploymentCheck, IncomeCheck
//	id                id                         id
//	type              report_type                -
//	status            -                          status
//	identity          employee                   -
//	employments       employments                employments
//	updated_at        updated_at                 -
//	refreshed_at      refreshed_at               -
//	finished_at       -                          finished_at, or completed_at without it
//
//	address           text: raw, and the others  line1: street, postal_code: zip, city, state,
//	                  by their names             country
//
// Only Raw has documents and their links, W-2 forms, and the whole social security number.
//
// # What has no model
//
// Links and notices say nothing of pay. A record of Truv's bank_accounts is one account with its
// whole number, and a record of Pinwheel's is the list of all with masked numbers, so a model would
// be neither. A record of tax_forms is the metadata of a form, and of one provider.
//
// # Inferences
//
// The providers do not say these; the code says them again at their places:
//
//   - Truv states no currency. Its amounts are taken as US dollars.
//   - Pinwheel says cents of every currency. The amounts are taken as minor units of the currency,
//     also where it has no cents: an amount of 300000 JPY is 300,000 yen.
//   - Truv's categories federal and local are taken as taxes on income, as state is in its example.
//   - A record of Truv's employment or income with employments is taken as a report, too.
//
// testdata has vectors of a record and its normalised form, which programs in other languages use
// too, with the rules in testdata/README.md.
package normal
