package jsonschema

import (
	"slices"

	"github.com/wagewire/wagewire/schema"
)

// recordRow says which records the completions of a provider's resource carry.
type recordRow struct {
	provider schema.Provider
	resource schema.Resource
	kinds    []string
	// chooser is the member of a record with the kind. It is empty if there is only one kind.
	chooser string
}

var recordRows = []recordRow{
	{schema.Pinwheel, schema.Employment, []string{"employment"}, ""},
	{schema.Pinwheel, schema.Identity, []string{"identity"}, ""},
	{schema.Pinwheel, schema.Income, []string{"income"}, ""},
	{schema.Pinwheel, schema.Paystubs, []string{"paystub"}, ""},
	{schema.Pinwheel, schema.Shifts, []string{"shift"}, ""},
	{schema.Pinwheel, schema.VerificationReports, []string{"voe", "voie"}, "report_type"},
	{schema.Pinwheel, schema.Link, []string{"account"}, ""},
	{schema.Pinwheel, schema.Notices, []string{"notice"}, ""},
	{schema.Pinwheel, schema.BankAccounts, []string{"direct_deposit_allocations"}, ""},
	{schema.Pinwheel, schema.TaxForms, []string{"tax_form"}, ""},
	{schema.Truv, schema.Employment, []string{"employment"}, ""},
	// An employment has the income from it. Truv has no other record of an income.
	{schema.Truv, schema.Income, []string{"employment"}, ""},
	{schema.Truv, schema.Identity, []string{"profile"}, ""},
	{schema.Truv, schema.Paystubs, []string{"statement"}, ""},
	{schema.Truv, schema.Shifts, []string{"shift"}, ""},
	{schema.Truv, schema.BankAccounts, []string{"bank_account"}, ""},
	// The reports of both products, whose fields have the same names. No field tells them apart.
	{schema.Truv, schema.VerificationReports, []string{"report"}, ""},
	{schema.Truv, schema.Link, []string{"link"}, ""},
}

// Kinds returns the kinds of the records that completions of the provider's resource carry, such as
// paystub. Each has a schema, see Record. Kinds returns nothing for a resource without records.
func Kinds(p schema.Provider, r schema.Resource) []string {
	for _, row := range recordRows {
		if row.provider == p && row.resource == r {
			return slices.Clone(row.kinds)
		}
	}
	return nil
}
