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
		"link-connected":    {"link"},
		"link-disconnected": {"link"},
		"link-deleted":      {"link"},
	})
}

func TestTruvsQueues(t *testing.T) {
	checkQueues(t, schema.Truv, map[string][]string{
		"truv_link": {
			"wagewire.events.truv.link.connected.*",
			"wagewire.events.truv.link.disconnected.*",
		},
		"truv_erasures": {"wagewire.events.truv.link.deleted.*"},
	})
}
