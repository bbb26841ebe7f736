package console

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/wagewire/wagewire/schema/process"
)

func TestWhoMayDoWhat(t *testing.T) {
	behindProxy := Config{
		TrustedProxies: "127.0.0.1", UserHeader: "X-Forwarded-User",
		GroupsHeader: "X-Forwarded-Groups", GroupRoles: "read=payroll,act=payroll-ops",
	}
	strangersProxy := behindProxy
	strangersProxy.TrustedProxies = "192.0.2.0/24"
	for _, test := range []struct {
		promise string
		config  Config
		method  string
		path    string
		token   string
		groups  string
		status  int
	}{
		{"a console of this machine reads freely", Config{}, "GET", "/", "", "", 200},
		{"with tokens, a stranger is led to the login", Config{TokensFile: "…"}, "GET", "/", "", "", 303},
		{"with tokens, a stranger reads if it is wished",
			Config{TokensFile: "…", AnyoneReads: true}, "GET", "/", "", "", 200},
		{"a reader reads", Config{TokensFile: "…"}, "GET", "/", ritaToken, "", 200},
		{"a revealer reads", Config{TokensFile: "…"}, "GET", "/", olgaToken, "", 200},
		{"a wrong token is nobody's", Config{TokensFile: "…"}, "GET", "/", "a-token-of-nobody", "", 303},
		{"a proxy names a reader", behindProxy, "GET", "/", "", "payroll, others", 200},
		{"a person of another group does not read", behindProxy, "GET", "/", "", "others", 403},
		{"a proxy that names nobody", behindProxy, "GET", "/", "", "", 401},
		{"headers of a stranger's proxy count nothing", strangersProxy, "GET", "/", "", "payroll", 401},
		{"the style needs nobody", Config{TokensFile: "…"}, "GET", "/static/style.css", "", "", 200},
		{"there is no other static file", Config{}, "GET", "/static/..%2fconfig.go", "", "", 404},
	} {
		t.Run(test.promise, func(t *testing.T) {
			b := newBenchWithoutBroker(t, test.config)
			got := b.ask(test.method, test.path, test.token, nil, func(r *http.Request) {
				if test.groups != "" {
					r.Header.Set("X-Forwarded-User", "petra")
					r.Header.Set("X-Forwarded-Groups", test.groups)
				}
			})
			b.wants(got, test.status)
		})
	}
}

func TestAProxyAndTokens(t *testing.T) {
	b := newBenchWithoutBroker(t, Config{
		TokensFile: "…", TrustedProxies: "127.0.0.1", UserHeader: "X-Forwarded-User",
		GroupsHeader: "X-Forwarded-Groups", GroupRoles: "read=payroll,act=payroll-ops",
	})
	login := b.post("/login", "", url.Values{"token": {annaToken}})
	cookie, _, _ := strings.Cut(login.Get("Set-Cookie"), ";")
	for _, test := range []struct {
		promise        string
		users, groups  []string
		token, session string
		status         int
		says, saysNot  string
	}{
		{"a proxy's person has no logout", []string{"petra"}, []string{"payroll"}, "", "",
			http.StatusOK, "petra", "Log out"},
		{"a proxy's person with a role is that person, also with a token", []string{"petra"},
			[]string{"payroll"}, annaToken, "", http.StatusOK, "petra", "anna"},
		{"a proxy's person without a role reads with a token", []string{"petra"}, nil, annaToken,
			"", http.StatusOK, "anna", "petra"},
		{"and with a session", []string{"petra"}, []string{"others"}, "", cookie,
			http.StatusOK, "Log out", "petra"},
		{"without a token that person may not", []string{"petra"}, nil, "", "",
			http.StatusForbidden, "needs the role", ""},
		{"a client's own name beside the proxy's is nobody's", []string{"admin", "petra"},
			[]string{"payroll-ops"}, "", "", http.StatusSeeOther, "", "admin"},
		{"a client's own groups beside the proxy's are nobody's", []string{"petra"},
			[]string{"payroll-ops", "payroll"}, "", "", http.StatusSeeOther, "", "petra"},
		{"groups without a name are nobody's", nil, []string{"payroll"}, "", "",
			http.StatusSeeOther, "", ""},
		{"a token of nobody leaves the session", nil, nil, "a-token-of-nobody", cookie,
			http.StatusOK, "anna", ""},
	} {
		t.Run(test.promise, func(t *testing.T) {
			got := b.ask("GET", "/", test.token, nil, func(r *http.Request) {
				r.Header["X-Forwarded-User"] = test.users
				r.Header["X-Forwarded-Groups"] = test.groups
				if test.session != "" {
					r.Header.Set("Cookie", test.session)
				}
			})
			if got.status != test.status || !strings.Contains(got.body, test.says) ||
				test.saysNot != "" && strings.Contains(got.body, test.saysNot) {
				t.Errorf("status %d: %s", got.status, got.body)
			}
		})
	}
}

func TestATokenCountsAsLongAsItStandsInTheFile(t *testing.T) {
	b := newBenchWithoutBroker(t, Config{TokensFile: "…"})
	b.wants(b.get("/", ritaToken), http.StatusOK)
	b.writeTokens(strings.ReplaceAll(persons, ritaToken, "new-token-of-rita"))
	b.wants(b.get("/", ritaToken), http.StatusSeeOther)
	b.writeTokens(persons)
	b.wants(b.get("/", ritaToken), http.StatusOK)
}

func TestAFileOfTokensThatCannotBeRead(t *testing.T) {
	b := newBenchWithoutBroker(t, Config{TokensFile: "…"})
	plan := func() answer { return b.post("/dead/plan", annaToken, url.Values{}) }
	b.wants(plan(), http.StatusBadRequest)
	b.writeTokens("rita read,act")
	b.wants(b.get("/", annaToken), http.StatusOK)
	b.wants(b.get("/", "a-token-of-nobody"), http.StatusServiceUnavailable)
	for range 3 {
		got := plan()
		b.wants(got, http.StatusServiceUnavailable, "The file of tokens cannot be read")
		if strings.Contains(got.body, b.tokens) {
			t.Errorf("a stranger learns the path: %s", short(got.body))
		}
	}
	b.wants(b.post("/login", "", url.Values{"token": {annaToken}}), http.StatusServiceUnavailable)
	if n := strings.Count(b.logged.String(), "line 1: write NAME ROLES TOKEN"); n != 1 {
		t.Errorf("the log says %d times what is wrong: %s", n, b.logged.String())
	}
	if _, err := b.Console.tokens.read(time.Now().Add(oldTokensFor)); !errors.Is(err, errTokens) {
		t.Errorf("error %v", err)
	}
	b.wants(b.get("/", annaToken), http.StatusServiceUnavailable)
	b.writeTokens(persons)
	b.wants(plan(), http.StatusBadRequest)
	b.wantsLog("file of tokens read again")
}

func TestADemonstrationsTokenIsRefusedAlsoLater(t *testing.T) {
	demo, err := os.ReadFile("../compose/demo/console.tokens")
	if err != nil {
		t.Fatal(err)
	}
	for url, status := range map[string]int{
		"": http.StatusServiceUnavailable, "http://providers:8081": http.StatusBadRequest,
	} {
		b := newBenchWithoutBroker(t, Config{
			TokensFile: "…",
			Providers:  []process.ProviderURL{{Variable: "PINWHEEL_URL", Value: url}},
		})
		b.writeTokens(persons + string(demo))
		b.wants(b.post("/dead/plan", annaToken, nil), status)
		if status == http.StatusServiceUnavailable {
			b.wantsLog("PINWHEEL_URL, which is not set, is real")
		}
	}
}

func TestLogIn(t *testing.T) {
	b := newBenchWithoutBroker(t, Config{TokensFile: "…"})
	b.wants(b.post("/login", "", url.Values{"token": {"a-token-of-nobody"}}),
		http.StatusForbidden, "Nobody has this token")
	form := url.Values{"token": {" " + annaToken + "\n"}, "next": {"/dead?class=transient"}}
	got := b.post("/login", "", form)
	b.wants(got, http.StatusSeeOther)
	if to := got.Get("Location"); to != "/dead?class=transient" {
		t.Errorf("a login leads to %q", to)
	}
	cookie := got.Get("Set-Cookie")
	for _, word := range []string{"HttpOnly", "SameSite=Lax", "Path=/"} {
		if !strings.Contains(cookie, word) {
			t.Errorf("the cookie lacks %s: %s", word, cookie)
		}
	}
	if strings.Contains(cookie, annaToken) {
		t.Error("the cookie has the token")
	}
	pair, _, _ := strings.Cut(cookie, ";")
	asAnna := func(r *http.Request) { r.Header.Set("Cookie", pair) }
	b.wants(b.ask("GET", "/", "", nil, asAnna), http.StatusOK, "anna")
	b.wants(b.ask("POST", "/logout", "", url.Values{}, asAnna), http.StatusSeeOther)
	b.wants(b.ask("GET", "/", "", nil, asAnna), http.StatusSeeOther)
	logged := b.logged.String()
	if !strings.Contains(logged, `"action":"login"`) || !strings.Contains(logged, "login refused") {
		t.Errorf("the log lacks the logins: %s", logged)
	}
	if strings.Contains(logged, annaToken) {
		t.Error("the log has a token")
	}
}

func TestALoginLeadsNowhereElse(t *testing.T) {
	for _, path := range []string{
		"https://evil.example", "//evil.example", "/\\evil.example", "javascript:alert(1)", "", "/\t/x",
	} {
		if got := localPath(path); got != "/" {
			t.Errorf("a login with next=%q leads to %q", path, got)
		}
	}
}

func TestASessionEnds(t *testing.T) {
	s := newSessions()
	long := s.begin(hashToken(annaToken), timeAgo(sessionFor+1))
	if _, exists := s.find(long); exists {
		t.Errorf("a session lasts longer than %s", sessionFor)
	}
	first := s.begin(hashToken(annaToken), timeAgo(2))
	for i := range sessionsMax {
		s.begin(hashToken(fmt.Sprint(ritaToken, i)), timeAgo(1))
	}
	if _, exists := s.find(first); exists {
		t.Errorf("more than %d sessions are kept", sessionsMax)
	}
}

func TestNobodyEndsTheSessionsOfOthers(t *testing.T) {
	s := newSessions()
	annas := s.begin(hashToken(annaToken), timeAgo(2*time.Minute))
	ritas := s.begin(hashToken(ritaToken), timeAgo(time.Minute))
	for range sessionsMax {
		s.begin(hashToken(ritaToken), time.Now())
	}
	if _, exists := s.find(annas); !exists {
		t.Error("rita ends anna's session")
	}
	if _, exists := s.find(ritas); exists || len(s.byID) != sessionsOfToken+1 {
		t.Errorf("rita has %d sessions", len(s.byID)-1)
	}
}

func TestManyWrongTokensAreNotLogged(t *testing.T) {
	b := newBenchWithoutBroker(t, Config{TokensFile: "…"})
	b.refused.SetLimit(0)
	wrong := url.Values{"token": {"a-token-of-nobody"}}
	for range refusedBurst {
		b.wants(b.post("/login", "", wrong), http.StatusForbidden)
	}
	b.wants(b.post("/login", "", wrong), http.StatusTooManyRequests, "Too many logins")
	if n := strings.Count(b.logged.String(), "login refused"); n != refusedBurst {
		t.Errorf("the log has %d lines", n)
	}
	b.wants(b.post("/login", "", url.Values{"token": {annaToken}}), http.StatusSeeOther)
}

func TestTokensFile(t *testing.T) {
	for text, want := range map[string]string{
		"":                               "no line NAME ROLES TOKEN",
		"# anna read token-of-somebody":  "no line NAME ROLES TOKEN",
		"anna token-of-somebody":         "line 1: write NAME ROLES TOKEN",
		"\nanna admin token-of-somebody": "line 2: the roles are not of read, act, reveal",
		"anna read short":                "line 1: the token is shorter than 16",
		"a read token-of-somebody\nb act token-of-somebody": "line 2: the token stands there twice",
	} {
		b := &bench{T: t, tokens: t.TempDir() + "/tokens"}
		b.writeTokens(text)
		_, err := readTokens(b.tokens)
		if err == nil || !strings.Contains(err.Error(), want) ||
			!strings.HasPrefix(err.Error(), "CONSOLE_TOKENS_FILE: ") {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
		if err != nil && strings.Contains(err.Error(), "token-of-somebody") {
			t.Errorf("%q: the error has the token: %v", text, err)
		}
	}
}

func TestConfigThatIsRefused(t *testing.T) {
	for want, c := range map[string]Config{
		"CONSOLE_ADDR: :8090 can be reached":       {Addr: ":8090"},
		"CONSOLE_ADDR: 0.0.0.0:8090 can be":        {Addr: "0.0.0.0:8090"},
		"CONSOLE_URL: this is no URL such as":      {URL: "wagewire"},
		"CONSOLE_URL: the URL has a path":          {URL: "https://x.example/console"},
		"CONSOLE_TRUSTED_PROXIES: \"proxy\" is no": {TrustedProxies: "proxy"},
		"CONSOLE_ROLES: \"admin=ops\" is no":       {TrustedProxies: "::1", GroupRoles: "admin=ops"},
		"CONSOLE_ROLES: groups come from a proxy":  {GroupRoles: "act=ops"},
		"CONSOLE_TOKENS_FILE: ":                    {TokensFile: "/nowhere"},
		"CONSOLE_ADDR: address 8090: missing port": {Addr: "8090"},
		"CONSOLE_REVEAL: nobody has the role":      {Reveal: true},
		"CONSOLE_ROLES is not set, so nobody":      {TrustedProxies: "::1"},
		"CONSOLE_USER_HEADER: \"X User\" is no name": {
			TrustedProxies: "::1", AnyoneReads: true, UserHeader: "X User",
		},
		"CONSOLE_GROUPS_HEADER: \"\" is no name": {
			TrustedProxies: "::1", AnyoneReads: true, UserHeader: "X-User",
		},
	} {
		if c.Addr == "" {
			c.Addr = "127.0.0.1:8090"
		}
		_, err := New(c, nil, noHealth, nil)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", c, err, want)
		}
	}
}
