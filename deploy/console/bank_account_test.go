package console

import (
	"net/http"
	"strings"
	"testing"

	"github.com/wagewire/wagewire/schema"
)

// A whole account number is the most that a record has. Only the page for a person who says why has
// it.
func TestNoPageShowsAnAccountNumberWithoutAReason(t *testing.T) {
	const number = "00000000123456789012"
	b := newBenchOf(t, Config{TokensFile: "…", Reveal: true})
	e := schema.Event{
		Provider: schema.Truv, ID: "e-1", Type: "bank-accounts-created",
		Resource: schema.BankAccounts, Action: schema.ActionCreated, AccountID: "link-1",
		ReceivedAt: receivedAt, OccurredAt: receivedAt,
		Body: []byte(`{"link_id":"link-1","note":"` + number + `"}`),
	}
	b.publish(e)
	record := `{"account_number":"` + number + `","routing_number":"` + canary + `"}`
	c := b.complete(e, schema.Succeeded, record)
	b.storeState(c)
	b.read()
	for path, says := range map[string]string{
		"/":                      "truv_bank_accounts",
		"/queues":                "truv_bank_accounts",
		"/events/truv:e-1":       "bank_accounts",
		"/accounts/truv/link-1":  "bank_accounts: succeeded",
		"/feed":                  "",
		"/search?q=link-1":       "",
		"/queues/pinwheel_link":  "",
		"/queues/truv_paystubs":  "",
		"/queues/no-such-number": "",
	} {
		page := b.get(path, olgaToken)
		if strings.Contains(page.body, number) || strings.Contains(page.body, canary) {
			t.Errorf("%s shows an account number", path)
		}
		if !strings.Contains(page.body, says) {
			t.Errorf("%s does not say %q: %s", path, says, short(page.body))
		}
	}
	got := b.post("/reveal", olgaToken, revealing(revealCompletion, c.ID, reason))
	b.wants(got, http.StatusOK, number)
	b.wantsLog("records revealed", "olga", reason, c.ID)
	b.wantsNoCanary()
	if strings.Contains(b.logged.String(), number) {
		t.Error("a log line has an account number")
	}
}
