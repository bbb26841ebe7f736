package process_test

import (
	"testing"

	"github.com/wagewire/wagewire/schema/process"
)

func TestTheAddressOfTheConsole(t *testing.T) {
	const noURL = "this is no URL such as https://wagewire.example.com"
	const noPrefix = "the URL has a path, and the pages have no prefix: end it after the host"
	const noQuery = "the URL has a query or a fragment: end it after the host"
	for promise, row := range map[string]struct {
		value string
		want  process.Console
		wrong string // what the error says after the name of the variable
	}{
		"none is no error":                {value: ""},
		"an https URL is taken":           {value: "https://w.example.com", want: "https://w.example.com"},
		"and an http URL":                 {value: "http://w.example.com", want: "http://w.example.com"},
		"a port is kept":                  {value: "http://127.0.0.1:8090", want: "http://127.0.0.1:8090"},
		"an IPv6 address has brackets":    {value: "http://[::1]:8090", want: "http://[::1]:8090"},
		"a slash at the end is dropped":   {value: "https://w.example.com/", want: "https://w.example.com"},
		"capitals of a host are small":    {value: "HTTPS://W.example.com", want: "https://w.example.com"},
		"a host without a scheme":         {value: "w.example.com", wrong: noURL},
		"a host with a port, no scheme":   {value: "w.example.com:443", wrong: noURL},
		"a path alone":                    {value: "/console", wrong: noURL},
		"another scheme":                  {value: "ftp://w.example.com", wrong: noURL},
		"a scheme that runs in a browser": {value: "javascript:alert(1)", wrong: noURL},
		"no host":                         {value: "https://", wrong: noURL},
		"a port alone":                    {value: "https://:443", wrong: noURL},
		"a blank":                         {value: "https://w example.com", wrong: noURL},
		"a host that is HTML":             {value: "https://<b>x", wrong: noURL},
		"a host with a quote":             {value: `https://w"x.example.com`, wrong: noURL},
		"a colon without a port":          {value: "https://w.example.com:", wrong: noURL},
		"a port that is no number":        {value: "https://w.example.com:http", wrong: noURL},
		"a port over 65535":               {value: "https://w.example.com:70000", wrong: noURL},
		"port 0":                          {value: "https://w.example.com:0", wrong: noURL},
		"a zone":                          {value: "http://[fe80::1%25eth0]", wrong: noURL},
		"a path":                          {value: "https://w.example.com/console", wrong: noPrefix},
		"a path of slashes":               {value: "https://w.example.com//", wrong: noPrefix},
		"a query":                         {value: "https://w.example.com?a=b", wrong: noQuery},
		"an empty query":                  {value: "https://w.example.com/?", wrong: noQuery},
		"a fragment":                      {value: "https://w.example.com/#", wrong: noQuery},
		"a user with a password, which the error does not quote": {
			value: "https://anna:hunter2@w.example.com",
			wrong: "the URL has a user: remove it, because the console has its own login",
		},
	} {
		t.Run(promise, func(t *testing.T) {
			var config process.ConsoleConfig
			err := process.ReadConfig(func(name string) string {
				return map[string]string{"CONSOLE_URL": row.value}[name]
			}, &config)
			said := ""
			if err != nil {
				said = err.Error()
			}
			want := ""
			if row.wrong != "" {
				want = "CONSOLE_URL: " + row.wrong
			}
			if said != want {
				t.Errorf("the error is %q, want %q", said, want)
			}
			if config.URL != row.want {
				t.Errorf("the address is %q, want %q", config.URL, row.want)
			}
		})
	}
}

func TestTheAddressOfAPage(t *testing.T) {
	const console process.Console = "https://w.example.com"
	for promise, row := range map[string]struct{ got, want string }{
		"an event":   {console.Event("pinwheel:e-1:r1"), "https://w.example.com/events/pinwheel:e-1:r1"},
		"an account": {console.Account("truv", "a-1"), "https://w.example.com/accounts/truv/a-1"},
		"a dead letter": {
			console.Letter(17), "https://w.example.com/dead/17",
		},
		"a webhook in quarantine": {
			console.Quarantined(18446744073709551615),
			"https://w.example.com/quarantine/18446744073709551615",
		},
		"a finding": {
			console.Finding("broker-away"), "https://w.example.com/findings/broker-away",
		},
		"no console: the path alone": {process.Console("").Event("truv:e"), "/events/truv:e"},
		"a key stays one part of the path": {
			console.Event("a/b?c#d"), "https://w.example.com/events/a%2Fb%3Fc%23d",
		},
		"a key that is HTML": {
			console.Event(`<x y="z">'`), "https://w.example.com/events/%3Cx%20y=%22z%22%3E%27",
		},
		"a key with a percent sign is escaped once": {
			console.Event("%2e"), "https://w.example.com/events/%252e",
		},
		"a key that controls a terminal": {
			console.Event("\x1b[2J\n\u202e"), "https://w.example.com/events/%1B%5B2J%0A%E2%80%AE",
		},
		"a token with a slash adds no part": {
			console.Account("truv", "../x"), "https://w.example.com/accounts/truv/..%2Fx",
		},
	} {
		t.Run(promise, func(t *testing.T) {
			if row.got != row.want {
				t.Errorf("%q, want %q", row.got, row.want)
			}
		})
	}
}
