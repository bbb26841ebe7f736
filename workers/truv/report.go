package truv

import (
	"context"
	"encoding/json"

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

// HasReport reports whether Report gets the product's report.
func (p Product) HasReport() bool { return p == ProductIncome || p == ProductEmployment }

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
// deprecated completed_at, whose form is not RFC 3339.
func (c *Client) Report(ctx context.Context, linkID string, p Product) (Report, error) {
	e := api.Path("/v1/links/{link_id}/"+string(p)+"/report/", linkID)
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
func readReport(e api.Endpoint, body []byte) (Report, error) {
	var known struct {
		Status        api.Text
		RefreshStatus api.Text  `json:"refresh_status"`
		FinishedAt    api.Stamp `json:"finished_at"`
		CompletedAt   api.Stamp `json:"completed_at"`
		Employments   []struct {
			Profile      map[string]any
			Statements   []json.RawMessage
			BankAccounts []json.RawMessage `json:"bank_accounts"`
		}
	}
	_ = json.Unmarshal(body, &known) // another type says nothing
	s, err := readObject(e, body)
	if err != nil {
		return Report{}, err
	}
	s.RefreshedAt = known.FinishedAt.Time
	if s.RefreshedAt.IsZero() {
		s.RefreshedAt = known.CompletedAt.Time
	}
	report := Report{
		Snapshot: s, Status: string(known.Status), RefreshStatus: string(known.RefreshStatus),
		HasEmployment: len(known.Employments) > 0,
	}
	for _, employment := range known.Employments {
		report.HasIdentity = report.HasIdentity || len(employment.Profile) > 0
		report.HasStatements = report.HasStatements || len(employment.Statements) > 0
		report.HasBankAccounts = report.HasBankAccounts || len(employment.BankAccounts) > 0
	}
	return report, nil
}
