package console

import (
	"net/http"
	"net/url"
	"strings"
)

// route is an address of the console.
type route struct {
	// pattern is the pattern of http.ServeMux.
	pattern string
	// role is what the person must have, roleNone if nobody need be known.
	role Role
	show http.HandlerFunc
}

// table returns every address. Pages that alerts and logs link to keep their addresses.
func (c *Console) table() []route {
	routes := []route{
		{"GET /{$}", RoleRead, c.showOverview},
		{"GET /findings/{name}", RoleRead, c.showFinding},
		{"GET /events/{key}", RoleRead, c.showEvent},
		{"GET /accounts/{provider}/{token}", RoleRead, c.showAccount},
		{"GET /search", RoleRead, c.showSearch},
		{"GET /feed", RoleRead, c.showFeed},
		{"GET /queues", RoleRead, c.showQueues},
		{"GET /queues/{queue}", RoleRead, c.showQueue},
		{"POST /queues/{queue}/pause", RoleAct, c.onQueue("pause", c.readPause)},
		{"POST /queues/{queue}/resume", RoleAct, c.onQueue("resume", c.readResume)},
		{"POST /queues/{queue}/retry", RoleAct, c.planRetry},
		{"GET /providers", RoleRead, c.showProviders},
		{"GET /teams", RoleRead, c.showTeams},
		{"GET /dead", RoleRead, c.showDead},
		{"GET /dead/{number}", RoleRead, c.showLetter},
		{"POST /dead/plan", RoleAct, c.planDead},
		{"GET /quarantine", RoleRead, c.showQuarantine},
		{"GET /quarantine/{number}", RoleRead, c.showUnread},
		{"POST /quarantine/plan", RoleAct, c.planQuarantine},
		{"GET /runs/{id}", RoleRead, c.showRun},
		{"POST /runs/{id}/start", RoleAct, c.startRun},
		{"POST /runs/{id}/cancel", RoleAct, c.cancelRun},

		{"GET /changes", RoleRead, c.sendChanges},

		{"GET /login", roleNone, c.showLogin},
		{"POST /login", roleNone, c.logIn},
		{"POST /logout", roleNone, c.logOut},
		{"GET /static/{file}", roleNone, sendStatic},
	}
	if c.Reveal {
		routes = append(routes, route{"POST /reveal", RoleReveal, c.reveal})
	}
	return routes
}

// Patterns returns the method and the pattern of every address, such as "GET /findings/{name}".
func (c *Console) Patterns() []string {
	var patterns []string
	for _, one := range c.table() {
		patterns = append(patterns, one.pattern)
	}
	return patterns
}

// routes returns the handler of every address.
func (c *Console) routes() http.Handler {
	mux := http.NewServeMux()
	for _, one := range c.table() {
		mux.HandleFunc(one.pattern, c.permit(one.role, one.show))
	}
	missing := c.permit(RoleRead, func(w http.ResponseWriter, r *http.Request) {
		methods := methodsOf(mux, r)
		if methods == "" {
			c.fail(w, r, http.StatusNotFound, "There is no such page.")
			return
		}
		w.Header().Set("Allow", methods)
		c.fail(w, r, http.StatusMethodNotAllowed, "This address is for "+methods+".")
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, pattern := mux.Handler(r); pattern == "" {
			missing(w, r)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

// methodsOf returns the methods that the address of the request has, as the header Allow lists
// them.
func methodsOf(mux *http.ServeMux, r *http.Request) string {
	var methods []string
	for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPost} {
		other := r.WithContext(r.Context())
		other.Method = method
		if _, pattern := mux.Handler(other); pattern != "" {
			methods = append(methods, method)
		}
	}
	return strings.Join(methods, ", ")
}

// permit lets a request through if the person has the role. The function finds the person in the
// context of the request: see personOf.
func (c *Console) permit(role Role, show http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		p, err := c.whoAsks(r)
		r = withPerson(r, p)
		switch {
		case role == roleNone, role == RoleRead && c.mayRead(p), err == nil && p.has(role):
			show(w, r)
		case err != nil:
			c.fail(w, r, http.StatusServiceUnavailable, sentence(err.Error()))
		case p.isKnown():
			c.auditRefusal(r, p, role)
			c.fail(w, r, http.StatusForbidden, "You may not do this: it needs the role "+
				string(role)+".")
		case r.Method == http.MethodGet && c.TokensFile != "":
			to := "/login?next=" + url.QueryEscape(r.URL.RequestURI())
			http.Redirect(w, r, to, http.StatusSeeOther)
		default:
			if r.Method != http.MethodGet && r.Method != http.MethodHead {
				c.auditRefusal(r, p, role)
			}
			c.fail(w, r, http.StatusUnauthorized, "Nobody is logged in, so nothing was done. "+
				c.howToLogIn())
		}
	}
}

// howToLogIn says how a person can be known.
func (c *Console) howToLogIn() string {
	switch {
	case c.TokensFile != "":
		return "Log in, and try again."
	case len(c.proxies) > 0:
		return "The proxy in front of the console must name the person, with one line for each " +
			"header: it must remove the headers that the browser sends."
	default:
		return "The console is read-only, because it knows no persons: set CONSOLE_TOKENS_FILE " +
			"or CONSOLE_TRUSTED_PROXIES."
	}
}
