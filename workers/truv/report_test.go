package truv_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/wagewire/wagewire/workers/api"
	"github.com/wagewire/wagewire/workers/truv"
)

// finished is when the reports of these tests were finished.
var finished = time.Date(2021, 4, 6, 11, 30, 0, 0, time.UTC)

func TestReport(t *testing.T) {
	tests := []struct {
		promise, body string
		want          truv.Report
	}{
		{"statuses are read", `{"status":"done","refresh_status":"full_parse"}`,
			truv.Report{Status: "done", RefreshStatus: "full_parse"}},
		{"a report need not have any", `{"id":"r1"}`, truv.Report{}},
		{"statuses of another type say nothing", `{"status":7,"refresh_status":["done"]}`,
			truv.Report{}},
		{"nor do nulls", `{"status":null,"refresh_status":null,"finished_at":null,` +
			`"completed_at":null,"employments":null}`, truv.Report{}},

		{"what an employment has is read", `{"employments":[{"profile":{"ssn":"1"},` +
			`"statements":[{"id":"s"}],"bank_accounts":[{"account_number":"1"}]}]}`,
			truv.Report{HasEmployment: true, HasIdentity: true, HasStatements: true,
				HasBankAccounts: true}},
		{"of several employments together",
			`{"employments":[{"id":"1"},{"profile":{"ssn":"1"}},{"statements":[{}]}]}`,
			truv.Report{HasEmployment: true, HasIdentity: true, HasStatements: true}},
		{"empty members are no data",
			`{"employments":[{"id":"1","profile":{},"statements":[],"bank_accounts":[]}]}`,
			truv.Report{HasEmployment: true}},
		{"nor are nulls",
			`{"employments":[{"id":"1","profile":null,"statements":null,"bank_accounts":null}]}`,
			truv.Report{HasEmployment: true}},
		{"nor is a profile of nulls",
			`{"employments":[{"id":null,"profile":{"id":null,"ssn":null},"statements":[]}]}`,
			truv.Report{HasEmployment: true}},
		{"but a profile with one member that is there is one",
			`{"employments":[{"profile":{"id":null,"ssn":"","email":null}}]}`,
			truv.Report{HasEmployment: true, HasIdentity: true}},
		{"nor are members of another type",
			`{"employments":[{"id":"1","profile":"x","statements":{"a":1},"bank_accounts":7}]}`,
			truv.Report{HasEmployment: true}},
		{"nor is an empty list of employments", `{"employments":[]}`, truv.Report{}},
		{"nor are employments of another type", `{"employments":{"id":"1"}}`, truv.Report{}},
		{"nor is an employment of another type", `{"employments":[null,7,{}]}`, truv.Report{}},
		{"a member of another type hides no other",
			`{"employments":[7,{"profile":[1],"statements":[{}]}],"status":"done"}`,
			truv.Report{Status: "done", HasEmployment: true, HasStatements: true}},
	}
	for _, tt := range tests {
		t.Run(tt.promise, func(t *testing.T) {
			c := client(t, respondWith(200, tt.body))
			got, err := c.Report(t.Context(), "l1", truv.ProductIncome)
			diff := cmp.Diff(tt.want, got, cmpopts.IgnoreTypes(api.Snapshot{}))
			if err != nil || diff != "" {
				t.Errorf("%v (-want +got):\n%s", err, diff)
			}
		})
	}
}

func TestAReportSaysWhenItWasFinished(t *testing.T) {
	tests := []struct {
		promise, finishedAt, completedAt string
		want                             time.Time
	}{
		{"with Z", `"2021-04-06T11:30:00Z"`, `null`, finished},
		{"with microseconds and an offset", `"2021-04-06T11:30:00.250000+00:00"`, `null`,
			finished.Add(250 * time.Millisecond)},
		{"in the deprecated member, whose form is not RFC 3339", `null`,
			`"2021-04-06 11:30:00+00:00"`, finished},
		{"in the newer member, if both say it", `"2021-04-06T11:30:00Z"`,
			`"2022-01-01 00:00:00+00:00"`, finished},
		{"in the older member, if the newer cannot be read", `20210406`,
			`"2021-04-06 11:30:00+00:00"`, finished},
		{"or nowhere", `null`, `null`, time.Time{}},
		{"a time without a zone is none", `"2021-04-06T11:30:00"`, `"soon"`, time.Time{}},
		{"nor is an impossible date", `"2022-06-31T15:00:00Z"`, `{}`, time.Time{}},
	}
	for _, tt := range tests {
		t.Run(tt.promise, func(t *testing.T) {
			body := fmt.Sprintf(`{"finished_at":%s,"completed_at":%s}`, tt.finishedAt,
				tt.completedAt)
			c := client(t, respondWith(200, body))
			got, err := c.Report(t.Context(), "l1", truv.ProductEmployment)
			if err != nil || !got.RefreshedAt.Equal(tt.want) {
				t.Errorf("finished at %v, want %v (error %v)", got.RefreshedAt, tt.want, err)
			}
			if string(got.JSON) != body {
				t.Errorf("the record is %s, want what Truv wrote", got.JSON)
			}
		})
	}
}

func TestAReportShowsNoBankAccountAndSaysThatThereAreSome(t *testing.T) {
	c := client(t, respondWith(200, `{"access_token":"CANARY","employments":[
		{"id":"e1","bank_accounts":[{"account_number":"CANARY"}],"income":"1.10"}]}`))
	got, err := c.Report(t.Context(), "l1", truv.ProductIncome)
	const want = `{"employments":[
		{"id":"e1","income":"1.10"}]}`
	if err != nil || string(got.JSON) != want || !got.HasBankAccounts {
		t.Errorf("left is %s, bank accounts %v (error %v)", got.JSON, got.HasBankAccounts, err)
	}
}

func TestTheProductsOfAPersonsEmploymentHaveAReport(t *testing.T) {
	for product, want := range map[truv.Product]bool{
		"income": true, "employment": true, "deposit_switch": false, "pll": false,
		"insurance": false, "transactions": false, "assets": false, "admin": false,
		"": true, "Income": true, "EMPLOYMENT": true, "incomes": false,
	} {
		if got := product.HasReport(); got != want {
			t.Errorf("%q has a report: %v, want %v", product, got, want)
		}
	}
}
