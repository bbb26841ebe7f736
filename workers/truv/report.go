package truv

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/wagewire/wagewire/schema/rawjson"
	"github.com/wagewire/wagewire/workers/api"
)

// Product is the kind of data that a task of Truv collects.
type Product string

// The products whose report is a person's employment: the others are about deposits, insurance and
// bank transactions.
const (
	ProductIncome     Product = "income"
	ProductEmployment Product = "employment"
)

// HasReport reports whether Report gets the product's report. A product that Truv does not say
// counts as the income, whose report has the employment as well. The case of a product says
// nothing.
func (p Product) HasReport() bool {
	return p == "" || p.is(ProductIncome) || p.is(ProductEmployment)
}

func (p Product) is(other Product) bool { return strings.EqualFold(string(p), string(other)) }

// Report is the report of a link: IncomeCheck or EmploymentCheck in Truv's reference. The records
// of bank accounts are cut out.
type Report struct {
	api.Snapshot
	// Status is that of the task behind the report, such as "done" (docs.truv.com, Task lifecycle).
	// RefreshStatus is that of the newest refresh. Each is empty if Truv does not say it.
	Status        string
	RefreshStatus string
	// Employments, and the members of any of them, tell which data the link has.
	HasEmployment, HasIdentity, HasStatements, HasBankAccounts bool
}

// Report gets the report of a product that has one. Its RefreshedAt is finished_at, or the
// deprecated completed_at, whose form is not RFC 3339. Of another product, Report gets that of the
// income.
func (c *Client) Report(ctx context.Context, linkID string, p Product) (Report, error) {
	e := api.Path("/v1/links/{link_id}/income/report/", linkID)
	if p.is(ProductEmployment) {
		e = api.Path("/v1/links/{link_id}/employment/report/", linkID)
	}
	answer, err := c.api.Get(ctx, e)
	if err != nil {
		return Report{}, err
	}
	report, err := readReport(e, answer.Body)
	if err != nil {
		answer.Release()
		return Report{}, err
	}
	report.Answer = answer
	return report, nil
}

// readReport reads a report. It changes body: the report's JSON is a part of body.
func readReport(e api.Endpoint, body []byte) (report Report, err error) {
	var known struct {
		Status        api.Text
		RefreshStatus api.Text  `json:"refresh_status"`
		FinishedAt    api.Stamp `json:"finished_at"`
		CompletedAt   api.Stamp `json:"completed_at"`
	}
	_ = json.Unmarshal(body, &known) // another type says nothing
	report.Status = string(known.Status)
	report.RefreshStatus = string(known.RefreshStatus)
	report.noteEmployments(body)
	report.Snapshot, err = readObject(e, body)
	if err != nil {
		return Report{}, err
	}
	report.RefreshedAt = known.FinishedAt.Time
	if report.RefreshedAt.IsZero() {
		report.RefreshedAt = known.CompletedAt.Time
	}
	return report, nil
}

// noteEmployments notes which data the report shows, before the bank accounts are cut out.
func (r *Report) noteEmployments(body []byte) {
	for name, value := range rawjson.Members(body) {
		if name != "employments" {
			continue
		}
		for employment := range rawjson.Elements(value) {
			r.HasEmployment = r.HasEmployment || hasMember(employment)
			for name, value := range rawjson.Members(employment) {
				switch name {
				case "profile":
					r.HasIdentity = r.HasIdentity || hasValue(value)
				case "statements":
					r.HasStatements = r.HasStatements || hasElement(value)
				case bankAccounts:
					r.HasBankAccounts = r.HasBankAccounts || hasElement(value)
				}
			}
		}
	}
}

func hasMember(object json.RawMessage) bool {
	for range rawjson.Members(object) {
		return true
	}
	return false
}

// hasValue reports whether a member of the object is not null. A profile of nulls is none.
func hasValue(object json.RawMessage) bool {
	for _, value := range rawjson.Members(object) {
		if string(value) != "null" {
			return true
		}
	}
	return false
}

func hasElement(array json.RawMessage) bool {
	for range rawjson.Elements(array) {
		return true
	}
	return false
}
