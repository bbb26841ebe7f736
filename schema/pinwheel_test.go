package schema_test

import (
	"strings"
	"testing"

	"github.com/wagewire/wagewire/schema"
)

func TestPinwheelsRowHasEveryDocumentedType(t *testing.T) {
	documented := strings.Fields(`
		account.added account.additional_connections_recommended account.monitoring_status.updated
		account.removed
		bill.added bill.reminder bill.removed bill.updated bill_switch.added bill_switch.cancelled
		company_connect.census.added company_connect.employments.added
		company_connect.incomes.added company_connect.status.updated
		direct_deposit_allocations.added direct_deposit_switch.added documents.added
		earnings_stream.payouts.refreshed employment.added identity.added income.added
		paycheck_viewer.added paystubs.added paystubs.documents.added
		paystubs.seven_days_synced paystubs.thirty_days_synced
		paystubs.ninety_days_synced paystubs.fully_synced
		shifts.added shifts.seven_days_synced shifts.thirty_days_synced
		shifts.ninety_days_synced shifts.fully_synced
		tax_forms.added verification_reports.refreshed`)
	checkRow(t, schema.Pinwheel, documented, map[string][]schema.Resource{
		"employment.added":               {"employment"},
		"identity.added":                 {"identity"},
		"income.added":                   {"income"},
		"paystubs.added":                 {"paystubs"},
		"paystubs.seven_days_synced":     {"paystubs"},
		"paystubs.thirty_days_synced":    {"paystubs"},
		"paystubs.ninety_days_synced":    {"paystubs"},
		"paystubs.fully_synced":          {"paystubs", "income"},
		"shifts.added":                   {"shifts"},
		"shifts.seven_days_synced":       {"shifts"},
		"shifts.thirty_days_synced":      {"shifts"},
		"shifts.ninety_days_synced":      {"shifts"},
		"shifts.fully_synced":            {"shifts"},
		"verification_reports.refreshed": {"verification_reports"},

		"account.added":                     {"link"},
		"account.monitoring_status.updated": {"link"},
		"account.removed":                   {"link"},

		"paystubs.documents.added":          {"paystubs", "notices"},
		"documents.added":                   {"notices"},
		"tax_forms.added":                   {"tax_forms", "notices"},
		"direct_deposit_allocations.added":  {"bank_accounts", "notices"},
		"direct_deposit_switch.added":       {"notices"},
		"earnings_stream.payouts.refreshed": {"notices"},
	})
}

func TestPinwheelsQueues(t *testing.T) {
	checkQueues(t, schema.Pinwheel, map[string][]string{
		"pinwheel_employment": {"wagewire.events.pinwheel.employment.added.*"},
		"pinwheel_identity":   {"wagewire.events.pinwheel.identity.added.*"},
		"pinwheel_income": {
			"wagewire.events.pinwheel.income.added.*",
			"wagewire.events.pinwheel.paystubs.fully_synced.*",
		},
		"pinwheel_paystubs": {
			"wagewire.events.pinwheel.paystubs.added.*",
			"wagewire.events.pinwheel.paystubs.seven_days_synced.*",
			"wagewire.events.pinwheel.paystubs.thirty_days_synced.*",
			"wagewire.events.pinwheel.paystubs.ninety_days_synced.*",
			"wagewire.events.pinwheel.paystubs.fully_synced.*",
			"wagewire.events.pinwheel.paystubs_documents.added.*",
		},
		"pinwheel_bank_accounts": {"wagewire.events.pinwheel.direct_deposit_allocations.added.*"},
		"pinwheel_tax_forms":     {"wagewire.events.pinwheel.tax_forms.added.*"},
		"pinwheel_shifts": {
			"wagewire.events.pinwheel.shifts.added.*",
			"wagewire.events.pinwheel.shifts.seven_days_synced.*",
			"wagewire.events.pinwheel.shifts.thirty_days_synced.*",
			"wagewire.events.pinwheel.shifts.ninety_days_synced.*",
			"wagewire.events.pinwheel.shifts.fully_synced.*",
		},
		"pinwheel_link": {
			"wagewire.events.pinwheel.account.added.*",
			"wagewire.events.pinwheel.account_monitoring_status.updated.*",
			"wagewire.events.pinwheel.account.removed.*",
		},
		"pinwheel_notices": {
			"wagewire.events.pinwheel.paystubs_documents.added.*",
			"wagewire.events.pinwheel.documents.added.*",
			"wagewire.events.pinwheel.tax_forms.added.*",
			"wagewire.events.pinwheel.direct_deposit_allocations.added.*",
			"wagewire.events.pinwheel.direct_deposit_switch.added.*",
			"wagewire.events.pinwheel.earnings_stream_payouts.refreshed.*",
		},
		"pinwheel_verification_reports": {
			"wagewire.events.pinwheel.verification_reports.refreshed.*",
		},
	})
}
