package schema

import "testing"

// The quick way must find what the thorough way finds, or nothing.
func FuzzTheQuickWayToAnAccountIDAgreesWithTheThoroughWay(f *testing.F) {
	for _, body := range []string{
		`{"payload":{"account_id":"a1"}}`,
		` { "x" : [ 1 , {"account_id":"no"} , "]" ] , "payload" : { "account_id" : "a1" } } `,
		`{"payload":{"account_id":"a1","account_id":"a2"}}`,
		`{"payload":{"account_id":"a1"},"payload":{}}`,
		`{"payload":{"account_id":"a1"},"payload":null}`,
		`{"payload":{"account_id":null}}`,
		`{"payload":{"account_id":7}}`,
		`{"payload":{"account_id":"a\u0031"}}`,
		`{"payload":{"account\u005fid":"a1"}}`,
		`{"payload":{"Account_ID":"a1"}}`,
		`{"payload":{"\\":"\"","account_id":"a1"}}`,
		`{"payload":[{"account_id":"a1"}]}`,
		"{\"payload\":{\"account_id\":\"a\xff\"}}",
		"{\"payload\":{\"account_id\xff\":\"a\"}}",
		`{"payload":{"account_id":"a1"}} x`,
		`{"payload":{"account_id":"a1"`,
		`{"payload":"account_id"}`, `{"payload":1}`, `{}`, `[]`, `null`, ``, `"`, `1`,
	} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, path := range []string{"payload.account_id", "payload"} {
			row := WebhookType{Account: path}
			want, err := row.lookForAccountID(body)
			got, ok := textAt(body, path)
			if ok && (err != nil || got != want) {
				t.Errorf("quick %q, thorough %q, %v", got, want, err)
			}
		}
	})
}

func TestTheAccountIDOfAnOrdinaryWebhookIsFoundInTheQuickWay(t *testing.T) {
	const body = `{"event":"x","payload":{"n":[1,{"a":"}"}],"account_id":"a1","b":true},"c":-1.5}`
	if got, ok := textAt([]byte(body), "payload.account_id"); got != "a1" || !ok {
		t.Errorf("found %q, %v", got, ok)
	}
}
