package api_test

import (
	"strings"
	"testing"

	"github.com/wagewire/wagewire/workers/api"
)

// nested returns objects and arrays in turn, nested depth deep.
func nested(depth int) string {
	var open, shut strings.Builder
	for level := range depth {
		if level%2 == 0 {
			open.WriteString(`{"a":`)
		} else {
			open.WriteString("[")
		}
	}
	for level := depth - 1; level >= 0; level-- {
		if level%2 == 0 {
			shut.WriteString("}")
		} else {
			shut.WriteString("]")
		}
	}
	return open.String() + "7" + shut.String()
}

func TestABodyMayBeNestedAsDeeplyAsTheLimitAndNoDeeper(t *testing.T) {
	const tooDeep = "contract: nested deeper than 64"
	tests := []struct {
		promise, body string
		want          string // kind of error
	}{
		{"as deep as the limit", nested(api.DepthMax), ""},
		{"one deeper", nested(api.DepthMax + 1), tooDeep},
		{"deeper than encoding/json reads", nested(20_000), tooDeep},
		{"brackets in a text are no nesting",
			`{"\"[":"\\","text":"` + strings.Repeat(`[{\"`, api.DepthMax+1) + `"}`, ""},
		{"nesting after a text that ends in a backslash",
			`["\\",` + nested(api.DepthMax) + `]`, tooDeep},
		{"a long list is not a deep one", `[{}` + strings.Repeat(`,{"a":[]}`, 100) + `]`, ""},
		{"brackets that never close", strings.Repeat("[", api.DepthMax),
			"contract: the body is not JSON"},
	}
	for _, tt := range tests {
		t.Run(tt.promise, func(t *testing.T) {
			f := &fake{replies: []reply{replyWith(200, tt.body)}}
			answer, err := client(t, f).Get(t.Context(), things)
			if kind(err) != tt.want {
				t.Errorf("error is %v, want %q", err, tt.want)
			}
			if err == nil && string(answer.Body) != tt.body {
				t.Errorf("body is %s", answer.Body)
			}
		})
	}
}
