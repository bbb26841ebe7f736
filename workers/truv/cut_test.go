package truv_test

import (
	"encoding/json"
	"strings"
	"testing"
)

// cuts are documents before and after access_token is cut out. Each is the value of a link's member
// "x".
var cuts = []struct{ promise, before, after string }{
	{"an only member", `{"access_token":"CANARY"}`, `{}`},
	{"an only member, and its spaces", `{ "access_token" : "CANARY" }`, `{ }`},
	{"a first member", `{"access_token":"CANARY","a":1}`, `{"a":1}`},
	{"a first member on lines", "{\n  \"access_token\": \"CANARY\" ,\n  \"a\": 1\n}",
		"{\n  \"a\": 1\n}"},
	{"a middle member", `{"a":1, "access_token":"CANARY", "b":2}`, `{"a":1, "b":2}`},
	{"a last member", "{\n  \"a\": 1,\n  \"access_token\": \"CANARY\"\n}", "{\n  \"a\": 1\n}"},
	{"two of them", `{"access_token":"CANARY","access_token":"CANARY"}`, `{}`},
	{"two at the start", `{"access_token":"CANARY", "access_token":"CANARY", "a":1}`, `{ "a":1}`},
	{"two at the end", `{"a":1,"access_token":"CANARY","access_token":"CANARY"}`, `{"a":1}`},
	{"around another", `{"access_token":"CANARY","a":1,"access_token":"CANARY"}`, `{"a":1}`},
	{"an object of one", `{"a":1,"access_token":{"v":["CANARY",{"access_token":"CANARY"}]},"b":2}`,
		`{"a":1,"b":2}`},
	{"null, too", `{"access_token":null,"a":1}`, `{"a":1}`},
	{"in another case", `{"Access_Token":"CANARY","a":1}`, `{"a":1}`},
	{"in escapes", `{"access\u005ftoken":"CANARY","a":1}`, `{"a":1}`},
	{"at any depth",
		`[[{"a":{"b":[1,{"access_token":"CANARY","c":2.50}]}},{"access_token":"CANARY"}]]`,
		`[[{"a":{"b":[1,{"c":2.50}]}},{}]]`},
	{"in capitals and a letter that folds", `{"ACCE\u017fS_TOKEN":"CANARY","a":1}`, `{"a":1}`},
	{"beside braces and quotes in texts",
		`{"a":"}],{\"\\","access_token":"CANARY \" } ] , \\","b":"\\\""}`,
		`{"a":"}],{\"\\","b":"\\\""}`},
	{"from every element", `[{"access_token":"CANARY"},7,{"a":1,"access_token":["CANARY"]},[]]`,
		`[{},7,{"a":1},[]]`},
	{"not what it only begins", `{"access_token_id":1,"my_access_token":2}`,
		`{"access_token_id":1,"my_access_token":2}`},
	{"not a value", `["access_token",{"a":"access_token"}]`,
		`["access_token",{"a":"access_token"}]`},
	{"not from a scalar", `-0.10e-7`, `-0.10e-7`},
}

func TestAccessTokenIsCutOutAndNothingElse(t *testing.T) {
	for _, tt := range cuts {
		t.Run(tt.promise, func(t *testing.T) {
			c := client(t, respondWith(200, `{"id":"l1","x":`+tt.before+`}`))
			got, err := c.Link(t.Context(), "l1")
			if err != nil {
				t.Fatal(err)
			}
			if want := `{"id":"l1","x":` + tt.after + `}`; string(got.JSON) != want {
				t.Errorf("left is\n%s, want\n%s", got.JSON, want)
			}
		})
	}
}

func FuzzNoAccessTokenIsLeft(f *testing.F) {
	for _, tt := range cuts {
		f.Add(tt.before)
	}
	f.Fuzz(func(t *testing.T, x string) {
		got, err := client(t, respondWith(200, `{"id":"l1","x":`+x+`}`)).Link(t.Context(), "l1")
		if err != nil {
			return
		}
		var left any
		d := json.NewDecoder(strings.NewReader(string(got.JSON)))
		d.UseNumber()
		if err := d.Decode(&left); err != nil {
			t.Fatalf("%s: %v", got.JSON, err)
		}
		if holds(left, "access_token") {
			t.Errorf("left in %s", got.JSON)
		}
	})
}

func holds(v any, name string) bool {
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			if holds(e, name) {
				return true
			}
		}
	case map[string]any:
		for k, e := range v {
			if strings.EqualFold(k, name) || holds(e, name) {
				return true
			}
		}
	}
	return false
}
