package schema_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/wagewire/wagewire/schema"
)

// accountIDOf reads the account's id with encoding/json, which copies every member on the way.
func accountIDOf(body []byte, path string) (id string, err error) {
	value := json.RawMessage(body)
	for key := range strings.SplitSeq(path, ".") {
		var object map[string]json.RawMessage
		if err := json.Unmarshal(value, &object); err != nil {
			return "", err
		}
		value = object[key]
		if value == nil {
			return "", nil
		}
	}
	err = json.Unmarshal(value, &id)
	return id, err
}

func FuzzTheAccountIDIsThatOfTheStandardLibrary(f *testing.F) {
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
		`{"payload":"account_id"}`, `{"payload":1}`, `{}`, `[]`, `null`, ` null `, ``, `"`, `1`,
	} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, path := range []string{"payload.account_id", "payload"} {
			got, err := schema.WebhookType{Account: path}.AccountIDIn(body)
			want, wantErr := accountIDOf(body, path)
			if (err == nil) != (wantErr == nil) || err == nil && got != want {
				t.Errorf("%s: got %q, %v, want %q, %v", path, got, err, want, wantErr)
			}
		}
	})
}
