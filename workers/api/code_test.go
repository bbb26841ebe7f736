package api_test

import (
	"errors"
	"testing"

	"github.com/wagewire/wagewire/workers/api"
)

// The hashes are the output of printf %s CODE | sha256sum.
func TestACodeOfAnErrorIsKnownOrHashed(t *testing.T) {
	tests := []struct {
		promise            string
		code, typ          string // as the API writes them
		wantCode, wantType string
		want               string // the error's text
	}{
		{"known words are kept", "known_code", "known_type", "known_code", "known_type",
			"get /v1/things/{id}: status 400 known_code known_type"},
		{"an unknown code is hashed", "jane.doe", "known_type", "unknown_d48722fc", "known_type",
			"get /v1/things/{id}: status 400 unknown_d48722fc known_type"},
		{"an unknown type is hashed", "known_code", "jane.doe", "known_code", "unknown_d48722fc",
			"get /v1/things/{id}: status 400 known_code unknown_d48722fc"},
		{"case matters", "KNOWN_CODE", "", "unknown_1a4830d1", "",
			"get /v1/things/{id}: status 400 unknown_1a4830d1"},
		{"prose is hashed", "No account of Jane Doe", "", "unknown_34bca322", "",
			"get /v1/things/{id}: status 400 unknown_34bca322"},
		{"nothing stays nothing", "", "", "", "", "get /v1/things/{id}: status 400"},
	}
	for _, tt := range tests {
		t.Run(tt.promise, func(t *testing.T) {
			c := client(t, &fake{replies: []reply{replyWith(400, "")}}, func(cfg *settings) {
				cfg.Codes = []string{"known_code", "known_type"}
				cfg.ErrorOf = func(_ []byte, e *api.StatusError) {
					e.Code = tt.code
					e.Type = tt.typ
				}
			})
			_, err := c.Get(t.Context(), things)
			got, ok := errors.AsType[*api.StatusError](err)
			if !ok || got.Code != tt.wantCode || got.Type != tt.wantType {
				t.Errorf("error is %#v, want code %s and type %s", err, tt.wantCode, tt.wantType)
			}
			if err.Error() != tt.want {
				t.Errorf("error is %q, want %q", err, tt.want)
			}
		})
	}
}
