package normal

import "encoding/json"

// Record is a record of a provider in the normalised model. Exactly one of the pointers is set:
// the one that Kind names.
type Record struct {
	Kind       Kind        `json:"kind"`
	Employment *Employment `json:"employment,omitempty"`
	Identity   *Identity   `json:"identity,omitempty"`
	Income     *Income     `json:"income,omitempty"`
	Paystub    *Paystub    `json:"paystub,omitempty"`
	Report     *Report     `json:"report,omitempty"`
	Shift      *Shift      `json:"shift,omitempty"`
	// Unread has the JSONPath of every value that the model could not take: a value of the wrong
	// type, a date that does not exist, an amount with a part of a cent. Such a field is absent in
	// the model. The paths are sorted. The field is absent if everything was read.
	Unread []string `json:"unread,omitempty"`
	// Raw is the record as the provider wrote it.
	Raw json.RawMessage `json:"-"`
}

// Kind is the name of a model.
type Kind string

// The models.
const (
	KindEmployment Kind = "employment"
	KindIdentity   Kind = "identity"
	KindIncome     Kind = "income"
	KindPaystub    Kind = "paystub"
	KindReport     Kind = "report"
	KindShift      Kind = "shift"
)

// Employer is who pays. Neither provider has an id of an employer.
type Employer struct {
	Name    string   `json:"name,omitempty"`
	Address *Address `json:"address,omitempty"`
	Phone   *Phone   `json:"phone,omitempty"`
	// EIN is the Employer Identification Number, as the provider writes it.
	EIN string `json:"ein,omitempty"`
}

// Address is a postal address.
type Address struct {
	// Text is the whole address in one line.
	Text       string `json:"text,omitempty"`
	Line1      string `json:"line1,omitempty"`
	Line2      string `json:"line2,omitempty"`
	City       string `json:"city,omitempty"`
	State      string `json:"state,omitempty"`
	PostalCode string `json:"postal_code,omitempty"`
	Country    string `json:"country,omitempty"`
}

// Phone is a phone number, as the provider writes it.
type Phone struct {
	Number string `json:"number,omitempty"`
	Type   *Word  `json:"type,omitempty"`
}

// Employment is a person's work for one employer.
type Employment struct {
	ID        string    `json:"id,omitempty"`
	AccountID string    `json:"account_id,omitempty"`
	Employer  *Employer `json:"employer,omitempty"`
	Status    *Word     `json:"status,omitempty"`
	Type      *Word     `json:"type,omitempty"`
	Title     string    `json:"title,omitempty"`
	Manager   string    `json:"manager,omitempty"`
	StartDate Date      `json:"start_date,omitempty"`
	// FirstHireDate is the first day of the first employment, if there were several.
	FirstHireDate Date `json:"first_hire_date,omitempty"`
	EndDate       Date `json:"end_date,omitempty"`
	LastPayDate   Date `json:"last_pay_date,omitempty"`
	// DurationMonths is the length of the employment, in months.
	DurationMonths *int64 `json:"duration_months,omitempty"`
	CreatedAt      Time   `json:"created_at,omitempty"`
	UpdatedAt      Time   `json:"updated_at,omitempty"`
	// UpdatedOn is the day of the last change in the payroll platform.
	UpdatedOn Date `json:"updated_on,omitempty"`

	// Income, Paystubs and Identity are set where the provider writes them into the employment.
	Income   *Income   `json:"income,omitempty"`
	Paystubs []Paystub `json:"paystubs,omitzero"`
	Identity *Identity `json:"identity,omitempty"`

	// Raw is the employment as the provider wrote it.
	Raw json.RawMessage `json:"-"`
}

// Income is what an employment pays.
type Income struct {
	ID        string `json:"id,omitempty"`
	AccountID string `json:"account_id,omitempty"`
	// Employer is set where the record of the income names the employer.
	Employer *Employer `json:"employer,omitempty"`
	// Compensation is the pay for one Unit.
	Compensation *Rate `json:"compensation,omitempty"`
	Unit         *Word `json:"unit,omitempty"`
	// CyclePay is the pay for one pay period, whose length is PayFrequency.
	CyclePay     *Rate        `json:"cycle_pay,omitempty"`
	PayFrequency *Word        `json:"pay_frequency,omitempty"`
	Years        []YearIncome `json:"years,omitzero"`
	CreatedAt    Time         `json:"created_at,omitempty"`
	UpdatedAt    Time         `json:"updated_at,omitempty"`

	// Raw is the object with the income as the provider wrote it.
	Raw json.RawMessage `json:"-"`
}

// YearIncome is the income of one year, up to the report.
type YearIncome struct {
	Year           *int64 `json:"year,omitempty"`
	GrossPay       *Money `json:"gross_pay,omitempty"`
	NetPay         *Money `json:"net_pay,omitempty"`
	Taxes          *Money `json:"taxes,omitempty"`
	Deductions     *Money `json:"deductions,omitempty"`
	Reimbursements *Money `json:"reimbursements,omitempty"`
	// Sums are the pay of the year by kind.
	Sums []Sum `json:"sums,omitzero"`
}

// Sum is the pay of one kind.
type Sum struct {
	Category *Word `json:"category,omitempty"`
	// Amount is the sum of the period: of the pay period in a paystub, of the year in a YearIncome.
	Amount *Money `json:"amount,omitempty"`
	// YTD is the sum of the year up to the paystub.
	YTD *Money `json:"ytd,omitempty"`
}

// Paystub is one payment.
type Paystub struct {
	ID           string    `json:"id,omitempty"`
	AccountID    string    `json:"account_id,omitempty"`
	EmploymentID string    `json:"employment_id,omitempty"`
	ExternalID   string    `json:"external_id,omitempty"`
	Employer     *Employer `json:"employer,omitempty"`
	PayDate      Date      `json:"pay_date,omitempty"`
	PeriodStart  Date      `json:"period_start,omitempty"`
	PeriodEnd    Date      `json:"period_end,omitempty"`
	// GrossPay is the pay before taxes and deductions, NetPay the pay after them.
	GrossPay    *Money `json:"gross_pay,omitempty"`
	NetPay      *Money `json:"net_pay,omitempty"`
	GrossPayYTD *Money `json:"gross_pay_ytd,omitempty"`
	NetPayYTD   *Money `json:"net_pay_ytd,omitempty"`
	// CheckAmount is the amount paid out, with reimbursements.
	CheckAmount         *Money    `json:"check_amount,omitempty"`
	TotalTaxes          *Money    `json:"total_taxes,omitempty"`
	TotalDeductions     *Money    `json:"total_deductions,omitempty"`
	TotalReimbursements *Money    `json:"total_reimbursements,omitempty"`
	Hours               Decimal   `json:"hours,omitempty"`
	Basis               *Word     `json:"basis,omitempty"`
	Earnings            []Line    `json:"earnings,omitzero"`
	EarningsYTD         []Line    `json:"earnings_ytd,omitzero"`
	Taxes               []Line    `json:"taxes,omitzero"`
	TaxesYTD            []Line    `json:"taxes_ytd,omitzero"`
	Deductions          []Line    `json:"deductions,omitzero"`
	DeductionsYTD       []Line    `json:"deductions_ytd,omitzero"`
	Sums                []Sum     `json:"sums,omitzero"`
	TimeOff             []TimeOff `json:"time_off,omitzero"`
	CreatedAt           Time      `json:"created_at,omitempty"`

	// Raw is the paystub as the provider wrote it.
	Raw json.RawMessage `json:"-"`
}

// Line is a line of a paystub or shift: an earning, a tax or a deduction.
type Line struct {
	Name     string `json:"name,omitempty"`
	Category *Word  `json:"category,omitempty"`
	Amount   *Money `json:"amount,omitempty"`
	// Rate, Hours and Units are of earnings. Hours may stand in two lines: a line of category
	// premium repeats the hours of another line. Units are hours or anything else that is paid by
	// the piece; the provider does not say which.
	Rate  *Rate   `json:"rate,omitempty"`
	Hours Decimal `json:"hours,omitempty"`
	Units Decimal `json:"units,omitempty"`
	// Timing says whether a deduction comes before or after taxes.
	Timing *Word `json:"timing,omitempty"`
}

// TimeOff is a kind of time off, in hours.
type TimeOff struct {
	Name           string  `json:"name,omitempty"`
	Category       *Word   `json:"category,omitempty"`
	AvailableHours Decimal `json:"available_hours,omitempty"`
	EarnedHours    Decimal `json:"earned_hours,omitempty"`
	UsedHours      Decimal `json:"used_hours,omitempty"`
}

// Shift is a shift, or a trip of a gig worker.
type Shift struct {
	ID         string `json:"id,omitempty"`
	AccountID  string `json:"account_id,omitempty"`
	ExternalID string `json:"external_id,omitempty"`
	Type       *Word  `json:"type,omitempty"`
	StartDate  Date   `json:"start_date,omitempty"`
	EndDate    Date   `json:"end_date,omitempty"`
	// Zone is the time zone of the place by its IANA name, such as America/Chicago. The times of
	// Spans have their own offsets.
	Zone      string `json:"zone,omitempty"`
	Spans     []Span `json:"spans,omitzero"`
	Earnings  []Line `json:"earnings,omitzero"`
	CreatedAt Time   `json:"created_at,omitempty"`
	UpdatedAt Time   `json:"updated_at,omitempty"`

	// Raw is the shift as the provider wrote it.
	Raw json.RawMessage `json:"-"`
}

// Span is a stretch of work without a break.
type Span struct {
	// Date is the day under which the payroll platform has the span.
	Date Date `json:"date,omitempty"`
	From Time `json:"from,omitempty"`
	To   Time `json:"to,omitempty"`
}

// Identity is a person, as the payroll platform knows them.
type Identity struct {
	ID         string `json:"id,omitempty"`
	AccountID  string `json:"account_id,omitempty"`
	FullName   string `json:"full_name,omitempty"`
	FirstName  string `json:"first_name,omitempty"`
	MiddleName string `json:"middle_name,omitempty"`
	LastName   string `json:"last_name,omitempty"`
	// DateOfBirth is the day of birth.
	DateOfBirth Date `json:"date_of_birth,omitempty"`
	// LastFourSSN has the last four digits of the social security number, also where the provider
	// has all nine.
	LastFourSSN string   `json:"last_four_ssn,omitempty"`
	Address     *Address `json:"address,omitempty"`
	Emails      []string `json:"emails,omitzero"`
	Phones      []Phone  `json:"phones,omitzero"`
	CreatedAt   Time     `json:"created_at,omitempty"`
	UpdatedAt   Time     `json:"updated_at,omitempty"`

	// Raw is the object with the identity as the provider wrote it.
	Raw json.RawMessage `json:"-"`
}

// Report is a verification of employment, or of income and employment.
type Report struct {
	ID   string `json:"id,omitempty"`
	Type *Word  `json:"type,omitempty"`
	// Status is the provider's word for the progress of the report. It may be one of a report that
	// is not complete.
	Status      string       `json:"status,omitempty"`
	Identity    *Identity    `json:"identity,omitempty"`
	Employments []Employment `json:"employments,omitzero"`
	UpdatedAt   Time         `json:"updated_at,omitempty"`
	// RefreshedAt is the time when the provider last looked into the payroll platform, FinishedAt
	// the time when the report was finished.
	RefreshedAt Time `json:"refreshed_at,omitempty"`
	FinishedAt  Time `json:"finished_at,omitempty"`

	// Raw is the report as the provider wrote it.
	Raw json.RawMessage `json:"-"`
}
