package api_test

import (
	"net/http"
	"testing"

	"github.com/wagewire/wagewire/workers/api"
)

func TestABaseURLMayBeWrittenAsPeopleWriteIt(t *testing.T) {
	tests := []struct{ promise, url, want string }{
		{"as a host", "https://h", "https://h/v1/things/1"},
		{"with a slash at the end", "https://h/", "https://h/v1/things/1"},
		{"with the version", "https://h/v1", "https://h/v1/things/1"},
		{"with the version and a slash", "https://h/v1/", "https://h/v1/things/1"},
		{"with doubled slashes", "https://h//v1//", "https://h/v1/things/1"},
		{"with slashes alone", "https://h///", "https://h/v1/things/1"},
		{"with a path", "https://h/x", "https://h/x/v1/things/1"},
		{"with a path and a slash", "https://h/x/", "https://h/x/v1/things/1"},
		{"with a path and the version", "https://h/x/v1/", "https://h/x/v1/things/1"},
		{"with doubled slashes in a path", "https://h//x//y", "https://h/x/y/v1/things/1"},
		{"with a port", "http://127.0.0.1:8081/truv//", "http://127.0.0.1:8081/truv/v1/things/1"},
		{"with an IPv6 address", "http://[::1]:8081/v1", "http://[::1]:8081/v1/things/1"},
		{"with an escaped path", "https://h/a%2Fb/v1", "https://h/a%2Fb/v1/things/1"},
		{"with a segment that only ends like a version", "https://h/xv1",
			"https://h/xv1/v1/things/1"},
		{"with a version that is not last", "https://h/v1/x", "https://h/v1/x/v1/things/1"},
	}
	for _, tt := range tests {
		t.Run(tt.promise, func(t *testing.T) {
			var got string
			f := &fake{replies: []reply{func(r *http.Request) (*http.Response, error) {
				got = r.URL.String()
				return replyWith(200, "{}")(r)
			}}}
			c := client(t, f, func(cfg *settings) { cfg.URL = tt.url })
			if _, err := c.Get(t.Context(), api.Path("/v1/things/{id}", "1")); err != nil {
				t.Fatal(err)
			}
			if got != tt.want {
				t.Errorf("%s calls %s, want %s", tt.url, got, tt.want)
			}
		})
	}
}
