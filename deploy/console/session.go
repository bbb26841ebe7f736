package console

import (
	"crypto/rand"
	"net/http"
	"strings"
	"sync"
	"time"
)

const (
	// sessionFor is how long somebody stays logged in.
	sessionFor = 12 * time.Hour
	// sessionsMax is how many sessions are kept, and sessionsOfToken how many of a token: a further
	// one ends the oldest.
	sessionsMax     = 1000
	sessionsOfToken = 20
	// refusedEvery and refusedBurst are how often a login with a wrong token has its own answer and
	// its own line of the log. Further wrong tokens, of everybody together, have neither.
	refusedEvery = time.Second / 10
	refusedBurst = 20
)

// sessions are the people who have logged in. A session is the hash of a token: whose it is, and
// whether it is still somebody's, the file of tokens says at each request.
type sessions struct {
	mu sync.Mutex
	// byID has the sessions by the hash of the cookie's value.
	byID map[tokenHash]session
}

type session struct {
	token tokenHash
	since time.Time
}

func newSessions() *sessions { return &sessions{byID: map[tokenHash]session{}} }

// begin returns the value of the cookie of a new session.
func (s *sessions) begin(token tokenHash, now time.Time) string {
	id := rand.Text()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.makeRoom(sessionsOfToken, func(one session) bool { return one.token == token })
	s.makeRoom(sessionsMax, func(session) bool { return true })
	s.byID[hashToken(id)] = session{token, now}
	return id
}

// makeRoom ends the oldest of the counted sessions if there are as many as may be.
func (s *sessions) makeRoom(most int, counts func(session) bool) {
	var oldest tokenHash
	var since time.Time
	n := 0
	for id, one := range s.byID {
		if !counts(one) {
			continue
		}
		n++
		if since.IsZero() || one.since.Before(since) {
			oldest = id
			since = one.since
		}
	}
	if n >= most {
		delete(s.byID, oldest)
	}
}

// find returns the token of the session.
func (s *sessions) find(id string) (token tokenHash, exists bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	one, exists := s.byID[hashToken(id)]
	if exists && time.Since(one.since) > sessionFor {
		delete(s.byID, hashToken(id))
		return tokenHash{}, false
	}
	return one.token, exists
}

func (s *sessions) end(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.byID, hashToken(id))
}

// cookieName is the name of the cookie. With https, the prefix lets the browser refuse a cookie
// that another host or an unencrypted page has set.
func (c *Console) cookieName() string {
	if c.isHTTPS {
		return "__Host-wagewire"
	}
	return "wagewire"
}

func (c *Console) setCookie(w http.ResponseWriter, value string, maxAge int) {
	http.SetCookie(w, &http.Cookie{ //nolint:gosec // Secure with https: the cookie must come back
		Name:     c.cookieName(),
		Value:    value,
		Path:     "/",
		MaxAge:   maxAge,
		Secure:   c.isHTTPS,
		HttpOnly: true,
		// The link of an alert brings the cookie, and a form of another site never does.
		SameSite: http.SameSiteLaxMode,
	})
}

// showLogin shows the form for a token.
func (c *Console) showLogin(w http.ResponseWriter, r *http.Request) {
	if c.TokensFile == "" {
		c.fail(w, r, http.StatusNotFound, "Nobody logs in here. "+c.howToLogIn())
		return
	}
	c.renderLogin(w, r, http.StatusOK, "")
}

func (c *Console) renderLogin(w http.ResponseWriter, r *http.Request, status int, problem string) {
	form := loginForm(localPath(r.FormValue("next")), problem)
	c.render(w, r, status, page{title: "Log in"}, form)
}

// logIn begins a session for a token.
func (c *Console) logIn(w http.ResponseWriter, r *http.Request) {
	if c.TokensFile == "" {
		c.showLogin(w, r)
		return
	}
	hash := hashToken(strings.TrimSpace(r.PostFormValue("token")))
	p, err := c.tokens.find(hash)
	switch {
	case err != nil:
		c.renderLogin(w, r, http.StatusServiceUnavailable, sentence(err.Error()))
		return
	case !p.isKnown() && !c.refused.Allow():
		c.renderLogin(w, r, http.StatusTooManyRequests,
			"Too many logins with wrong tokens: try again in a few seconds.")
		return
	case !p.isKnown():
		c.audit(r, person{}, "login refused")
		c.renderLogin(w, r, http.StatusForbidden, "Nobody has this token.")
		return
	}
	c.audit(r, p, "login")
	c.setCookie(w, c.sessions.begin(hash, time.Now()), int(sessionFor/time.Second))
	http.Redirect(w, r, localPath(r.PostFormValue("next")), http.StatusSeeOther)
}

// logOut ends the session.
func (c *Console) logOut(w http.ResponseWriter, r *http.Request) {
	if p := personOf(r); p.isKnown() {
		c.audit(r, p, "logout")
	}
	if cookie, err := r.Cookie(c.cookieName()); err == nil {
		c.sessions.end(cookie.Value)
	}
	c.setCookie(w, "", -1)
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

// localPath is the path if it is a path of the console, and "/" if it leads elsewhere.
func localPath(path string) string {
	if !strings.HasPrefix(path, "/") || strings.HasPrefix(path, "//") ||
		strings.ContainsAny(path, "\\\r\n\t") {
		return "/"
	}
	return path
}
