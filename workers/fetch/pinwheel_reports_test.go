package fetch_test

import (
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/workers"
)

func TestAccountsOfAPersonWithReports(t *testing.T) {
	const first, second = "", "1" // cursors
	failsAt := func(path, cursor string, status int) func(string, string) int {
		return func(p, c string) int {
			if p == path && c == cursor {
				return status
			}
			return 0
		}
	}
	const accounts = "/v1/end_users/" + endUser + "/accounts"
	const voe = "/v1/end_users/" + endUser + "/verification_reports/voe"
	const asksReport = reportsPath + "voe"
	const secondPage = accountsPath + "?cursor=1"
	for _, row := range []struct {
		promise  string
		accounts [][]string
		statusOf func(path, cursor string) int
		want     []string
		asked    []string
		status   int
	}{
		{"none: the reports are fetched", [][]string{{}}, nil, nil,
			[]string{accountsPath, asksReport}, 0},
		{"one", [][]string{{"a-1"}}, nil, []string{"a-1"},
			[]string{accountsPath, asksReport}, 0},
		{"three on two pages", [][]string{{"a-1", "a-2"}, {"a-3"}}, nil,
			[]string{"a-1", "a-2", "a-3"}, []string{accountsPath, secondPage, asksReport}, 0},
		{"an account on two pages counts once", [][]string{{"a-1"}, {"a-1", "a-2"}}, nil,
			[]string{"a-1", "a-2"}, []string{accountsPath, secondPage, asksReport}, 0},
		{"404: none, and the reports are fetched", nil, nil, nil,
			[]string{accountsPath, asksReport}, 0},
		{"403 is the provider's answer, and no report is fetched", [][]string{{"a-1"}},
			failsAt(accounts, first, http.StatusForbidden), nil, []string{accountsPath},
			http.StatusForbidden},
		{"409 is the provider's answer, and no report is fetched", [][]string{{"a-1"}},
			failsAt(accounts, first, http.StatusConflict), nil, []string{accountsPath},
			http.StatusConflict},
		{"404 on the second page is the provider's answer: the list is not whole",
			[][]string{{"a-1"}, {"a-2"}}, failsAt(accounts, second, http.StatusNotFound), nil,
			[]string{accountsPath, secondPage}, http.StatusNotFound},
		{"the accounts are known even if the provider has no report", [][]string{{"a-1"}},
			failsAt(voe, first, http.StatusNotFound), []string{"a-1"},
			[]string{accountsPath, asksReport}, http.StatusNotFound},
		{"the accounts are known even if the reports cannot be fetched", [][]string{{"a-1"}},
			failsAt(voe, first, http.StatusUnprocessableEntity), []string{"a-1"},
			[]string{accountsPath, asksReport}, http.StatusUnprocessableEntity},
	} {
		t.Run(row.promise, func(t *testing.T) {
			p := &provider{
				T: t, accounts: row.accounts, statusOf: row.statusOf, refreshedAt: announced,
			}
			payload := workers.Payload{VOE: workers.Availability{
				Status: "available", RefreshedAt: announced,
			}}
			job := job(schema.VerificationReports, schema.ActionRefreshed, payload)
			got, err := p.fetchPinwheel(schema.VerificationReports, job)
			check(t, got, err, row.status)
			if diff := cmp.Diff(row.want, got.Accounts); diff != "" {
				t.Errorf("accounts (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(row.asked, p.asked()); diff != "" {
				t.Errorf("calls (-want +got):\n%s", diff)
			}
		})
	}
}
