package schema_test

import (
	"strings"
	"testing"

	"github.com/wagewire/wagewire/schema"
)

func TestTruvsRowHasEveryDocumentedType(t *testing.T) {
	documented := strings.Fields(`
		task-status-updated order-created order-status-updated order-refresh-failed
		order-finalized certification-completed
		link-connected link-disconnected link-deleted
		employment-created employment-updated profile-created profile-updated
		statements-created statements-updated shifts-created shifts-updated
		bank-accounts-created bank-accounts-updated`)
	checkRow(t, schema.Truv, documented, map[string][]schema.Resource{
		"employment-created":    {"employment", "income"},
		"employment-updated":    {"employment", "income"},
		"profile-created":       {"identity"},
		"profile-updated":       {"identity"},
		"statements-created":    {"paystubs"},
		"statements-updated":    {"paystubs"},
		"shifts-created":        {"shifts"},
		"shifts-updated":        {"shifts"},
		"bank-accounts-created": {"bank_accounts"},
		"bank-accounts-updated": {"bank_accounts"},
		"task-status-updated":   {"verification_reports"},
		"link-connected":        {"link"},
		"link-disconnected":     {"link"},
		"link-deleted":          {"link"},
	})
}

func TestTruvsQueues(t *testing.T) {
	checkQueues(t, schema.Truv, map[string][]string{
		"truv_employment": {
			"wagewire.events.truv.employment.created.*",
			"wagewire.events.truv.employment.updated.*",
		},
		"truv_income": {
			"wagewire.events.truv.employment.created.*",
			"wagewire.events.truv.employment.updated.*",
		},
		"truv_identity": {
			"wagewire.events.truv.profile.created.*",
			"wagewire.events.truv.profile.updated.*",
		},
		"truv_paystubs": {
			"wagewire.events.truv.statements.created.*",
			"wagewire.events.truv.statements.updated.*",
		},
		"truv_shifts": {
			"wagewire.events.truv.shifts.created.*",
			"wagewire.events.truv.shifts.updated.*",
		},
		"truv_bank_accounts": {
			"wagewire.events.truv.bank_accounts.created.*",
			"wagewire.events.truv.bank_accounts.updated.*",
		},
		"truv_verification_reports": {"wagewire.events.truv.task.status_updated.*"},
		"truv_link": {
			"wagewire.events.truv.link.connected.*",
			"wagewire.events.truv.link.disconnected.*",
		},
		"truv_erasures": {"wagewire.events.truv.link.deleted.*"},
	})
}
