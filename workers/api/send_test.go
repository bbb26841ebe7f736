package api_test

import (
	"errors"
	"io"
	"net/http"
	"testing"

	"github.com/wagewire/wagewire/workers/api"
)

func TestSendMakesAChangeOnce(t *testing.T) {
	for _, test := range []struct {
		promise string
		replies []reply
		calls   int
		want    string // the body of the answer
		err     string
	}{
		{"a change is answered 200", []reply{replyWith(200, `{"id":"1"}`)}, 1, `{"id":"1"}`, ""},
		{"what was made is answered 201", []reply{replyWith(201, `{}`)}, 1, `{}`, ""},
		{"a failure is not tried again, because the change may be made",
			[]reply{replyWith(503, ``), replyWith(200, `{}`)}, 1, "",
			"post /v1/things/{thing_id}: status 503"},
		{"a refused secret is followed by the next",
			[]reply{replyWith(401, ``), replyWith(200, `{}`)}, 2, `{}`, ""},
		{"a mistake of ours is an error", []reply{replyWith(400, ``)}, 1, "",
			"post /v1/things/{thing_id}: status 400"},
		{"an answer that is not JSON breaks the contract", []reply{replyWith(200, `ok`)}, 1, "",
			"post /v1/things/{thing_id}: the body is not JSON"},
	} {
		t.Run(test.promise, func(t *testing.T) {
			var method, body, kind string
			f := &fake{}
			for _, next := range test.replies {
				f.replies = append(f.replies, func(r *http.Request) (*http.Response, error) {
					text, err := io.ReadAll(r.Body)
					if err != nil {
						return nil, err
					}
					method = r.Method
					body = string(text)
					kind = r.Header.Get("Content-Type")
					return next(r)
				})
			}
			c, err := api.New(api.Config{
				URL:       "https://api.test",
				Secrets:   func() ([]string, error) { return []string{"one", "two"}, nil },
				Transport: f,
			}, api.Dialect{Header: func(string) http.Header { return http.Header{} }})
			if err != nil {
				t.Fatal(err)
			}
			answer, err := c.Send(t.Context(), http.MethodPost,
				api.Path("/v1/things/{thing_id}", "a"), []byte(`{"a":1}`))
			if method != "POST" || body != `{"a":1}` || kind != "application/json" {
				t.Errorf("sent %s %s %s", method, kind, body)
			}
			if f.callCount() != test.calls || string(answer.Body) != test.want {
				t.Errorf("%d calls, answer %s", f.callCount(), answer.Body)
			}
			if got := textOf(err); got != test.err {
				t.Errorf("error %q, want %q", got, test.err)
			}
		})
	}
}

func TestSendRefusesAnIDThatIsNone(t *testing.T) {
	c, err := api.New(api.Config{
		URL:     "https://api.test",
		Secrets: func() ([]string, error) { return []string{"one"}, nil },
	}, api.Dialect{Header: func(string) http.Header { return http.Header{} }})
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Send(t.Context(), http.MethodPut, api.Path("/v1/things/{thing_id}", ".."), nil)
	if !errors.Is(err, api.ErrID) {
		t.Errorf("error %v, want %v", err, api.ErrID)
	}
}

func textOf(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
