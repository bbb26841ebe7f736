package console

import (
	"net"
	"net/http"
	"net/netip"
	"strings"

	"go.uber.org/zap"
)

// policy is the Content-Security-Policy of every answer: scripts, styles and requests of our own,
// and nothing inline.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; " +
	"connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"

// guard lets a request through if its Host is ours and no other site has sent it, and gives the
// answer the headers that keep it in the browser of the person who asked.
func (c *Console) guard(next http.Handler) http.Handler {
	crossOrigin := http.NewCrossOriginProtection()
	crossOrigin.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.log.Warn("request of another site refused", zap.String("peer", r.RemoteAddr))
		c.fail(w, r, http.StatusForbidden, "Another site sent this form, so nothing was done.")
	}))
	protected := crossOrigin.Handler(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("Cache-Control", "no-store")
		h.Set("Referrer-Policy", "same-origin") // an address names an account
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		if c.isHTTPS {
			h.Set("Strict-Transport-Security", "max-age=31536000")
		}
		if !c.isOurs(r.Host) {
			http.Error(w, "wagewire console: this host is not ours: "+
				"set CONSOLE_URL to the address in the browser", http.StatusMisdirectedRequest)
			return
		}
		if isEmbedded(r) {
			http.Error(w, "wagewire console: another site asked for this, so nothing was read",
				http.StatusForbidden)
			return
		}
		if c.takeForm(w, r) {
			protected.ServeHTTP(w, r)
		}
	})
}

// isEmbedded reports whether a page of another site asks for an address, as a picture or in a
// frame, without a person who follows a link. Such a request costs us a look at the broker.
func isEmbedded(r *http.Request) bool {
	isForm := r.Method != http.MethodGet && r.Method != http.MethodHead // see CrossOriginProtection
	if isForm || isOfOwnPage(r) {
		return false
	}
	mode := r.Header.Get("Sec-Fetch-Mode")
	dest := r.Header.Get("Sec-Fetch-Dest")
	return mode != "navigate" || dest != "" && dest != "document"
}

// isOfOwnPage reports whether a page of ours sends the request, or a person without a page, or a
// program that is no browser.
func isOfOwnPage(r *http.Request) bool {
	site := r.Header.Get("Sec-Fetch-Site")
	return site == "" || site == "same-origin" || site == "none"
}

// isOurs reports whether the Host of a request is ours: the host of CONSOLE_URL, or this machine. A
// page of another name, which an attacker lets point to us, has another Host.
func (c *Console) isOurs(host string) bool {
	name := canonicalHost(host)
	return isLoopbackHost(name) || c.host != "" && name == c.host
}

// canonicalHost is the name or the address of a Host without its port, in the one form that is
// compared.
func canonicalHost(host string) string {
	name, _, err := net.SplitHostPort(host)
	if err != nil {
		name = host
		if strings.HasPrefix(name, "[") && strings.HasSuffix(name, "]") {
			name = name[1 : len(name)-1]
		}
	}
	if ip, err := netip.ParseAddr(name); err == nil {
		return ip.Unmap().String()
	}
	return strings.ToLower(strings.TrimSuffix(name, "."))
}
