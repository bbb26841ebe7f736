package fetch_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/workers"
)

func TestPinwheelsLinks(t *testing.T) {
	const (
		active   = `{"id":"a","connected":true,"monitoring_status":"active","platform_id":"plat-1","end_user_id":"` + person + `","n":0.10}`
		payroll  = `{"id":"plat-1","supported_jobs":["direct_deposit_switch","paystubs","income"]}`
		platform = "/v1/platforms/plat-1"
	)
	both := []string{"", platform}
	only := []string{""}
	supported := []schema.Resource{schema.Income, schema.Paystubs}
	for _, row := range []struct {
		promise   string
		account   string
		platform  string
		statuses  map[string]int
		removed   bool
		outcome   schema.Outcome
		supported []schema.Resource
		asked     []string
		status    int
	}{
		{promise: "an account that Pinwheel reaches is fetched as Pinwheel wrote it",
			account: active, platform: payroll, supported: supported, asked: both},
		{promise: "an account that the person must connect again is disconnected",
			account:  `{"id":"a","connected":true,"monitoring_status":"user_action_required","end_user_id":"` + person + `"}`,
			outcome:  schema.Disconnected,
			platform: payroll, asked: only},
		{promise: "an account without a connection is disconnected", platform: payroll,
			account: `{"id":"a","connected":false,"monitoring_status":"active","end_user_id":"` + person + `"}`,
			outcome: schema.Disconnected, asked: only},
		{promise: "an account that Pinwheel does not monitor is connected", platform: payroll,
			account: `{"id":"a","connected":true,"monitoring_status":"customer_disabled","end_user_id":"` + person + `"}`,
			asked:   only},
		{promise: "nulls, and a status of another type, say nothing", platform: payroll,
			account: `{"id":"a","connected":null,"monitoring_status":7,"platform_id":null,"end_user_id":"` + person + `"}`,
			asked:   only},
		{promise: "a platform without our resources supports none", account: active,
			platform:  `{"id":"plat-1","supported_jobs":["direct_deposit_switch"]}`,
			supported: []schema.Resource{}, asked: both},
		{promise: "a platform that does not say its jobs leaves them open", account: active,
			platform: `{"id":"plat-1"}`, asked: both},
		{promise: "a platform that Pinwheel does not have leaves them open", account: active,
			statuses: map[string]int{platform: 404}, asked: both},
		{promise: "a platform that Pinwheel keeps from us leaves them open", account: active,
			statuses: map[string]int{platform: 403}, asked: both},
		{promise: "a platform that may come is waited for", account: active,
			statuses: map[string]int{platform: 409}, status: 409, asked: both},
		{promise: "an account that is not there is the provider's answer", account: active,
			statuses: map[string]int{"/v1/accounts/" + account: 404}, status: 404, asked: only},
		{promise: "an account that was removed and is there is fetched",
			account: active, platform: payroll, supported: supported, asked: both,
			removed: true},
		{promise: "an account that was removed, and whose answer may come, is waited for",
			account: active, removed: true, asked: only,
			statuses: map[string]int{"/v1/accounts/" + account: 409}, status: 409},
	} {
		t.Run(row.promise, func(t *testing.T) {
			p := &provider{T: t, account: row.account, platform: row.platform,
				statuses: row.statuses}
			action := schema.ActionAdded
			if row.removed {
				action = schema.ActionRemoved
			}
			job := job("account", action, workers.Payload{})
			got, err := p.fetchPinwheel(schema.Link, job)
			check(t, got, err, row.status)
			if diff := cmp.Diff(row.asked, p.asked()); diff != "" {
				t.Errorf("calls (-want +got):\n%s", diff)
			}
			if row.status != 0 {
				return
			}
			want := workers.Fetched{
				Outcome: row.outcome, Scope: schema.Snapshot, EndUserID: person,
				Supported: row.supported,
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			records := []json.RawMessage{[]byte(row.account)}
			if diff := cmp.Diff(records, job.Records.InMemory()); diff != "" {
				t.Errorf("records (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAnAccountThatIsRemovedAndGoneIsDisconnected(t *testing.T) {
	for _, status := range []int{403, 404, 410} {
		p := &provider{T: t, statuses: map[string]int{"/v1/accounts/" + account: status}}
		job := job("account", schema.ActionRemoved, workers.Payload{})
		got, err := p.fetchPinwheel(schema.Link, job)
		if err != nil {
			t.Fatalf("%d: %v", status, err)
		}
		want := workers.Fetched{Outcome: schema.Disconnected, Scope: schema.Delta}
		if diff := cmp.Diff(want, got); diff != "" || len(job.Records.InMemory()) > 0 {
			t.Errorf("%d: (-want +got):\n%s", status, diff)
		}
	}
}
