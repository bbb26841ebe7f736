package console

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/wagewire/wagewire/deploy/plain"
	"github.com/wagewire/wagewire/schema/process"
)

// Config is the configuration of the console. Its zero value, with an Addr, serves everybody who
// reaches a loopback listener, and nobody can act.
type Config struct {
	Addr string `env:"CONSOLE_ADDR" envDefault:"127.0.0.1:8090" help:"listener of the pages"`
	// The host of URL is accepted as the Host of a request.
	URL process.Console `env:"CONSOLE_URL" help:"public address of the console's pages, such as https://wagewire.example.com: alerts, log lines of dead letters and commands then link to them; the console refuses requests with another Host, but those of its own machine (none)"`
	// TokensFile is read at each request, so that a revoked token is out at once.
	TokensFile string `env:"CONSOLE_TOKENS_FILE" help:"file with a line for each person, NAME ROLES TOKEN, such as: anna read,act 6f1c0b… (nobody acts)"`
	// Providers are the providers of the installation. Beside a real one, TokensFile must have no
	// token of the demonstration, now and later.
	Providers []process.ProviderURL `env:"-"`
	// TrustedProxies, UserHeader, GroupsHeader and GroupRoles are for a proxy that knows the
	// persons. The headers of others count nothing.
	TrustedProxies string `env:"CONSOLE_TRUSTED_PROXIES" help:"addresses of proxies whose headers name the person, such as 10.0.0.0/8 (none)"`
	UserHeader     string `env:"CONSOLE_USER_HEADER" envDefault:"X-Forwarded-User" help:"header of the proxy with the name of the person; the proxy must remove the client's own"`
	GroupsHeader   string `env:"CONSOLE_GROUPS_HEADER" envDefault:"X-Forwarded-Groups" help:"header of the proxy with the groups of the person; the proxy must remove the client's own"`
	GroupRoles     string `env:"CONSOLE_ROLES" help:"roles of the groups: read=payroll,act=payroll-ops,reveal=payroll-privacy (no group has a role)"`
	AnyoneReads    bool   `env:"CONSOLE_ANYONE_READS" help:"1: everybody who reaches the listener reads, and nobody acts without a name"`
	Reveal         bool   `env:"CONSOLE_REVEAL" help:"1: persons with the role reveal can see records, and the log says who and why"`
}

// settings is a Config that was checked.
type settings struct {
	Config

	// host is the host of Config.URL, "" without one. isHTTPS is true if the URL is https.
	host    string
	isHTTPS bool
	proxies []netip.Prefix
	// groups has the roles of each group.
	groups map[string][]Role
}

// hasPersons reports whether the console can know who asks.
func (s *settings) hasPersons() bool { return s.TokensFile != "" || len(s.proxies) > 0 }

// readsFreely reports whether a request without a person may read.
func (s *settings) readsFreely() bool { return s.AnyoneReads || !s.hasPersons() }

// check checks the configuration. Errors name the variable to change.
func (c Config) check() (*settings, error) {
	s := &settings{Config: c, groups: map[string][]Role{}}
	for _, check := range []func() error{
		s.checkURL, s.checkProxies, s.checkGroups, s.checkHeaders, s.checkAddr, s.checkReveal,
	} {
		if err := check(); err != nil {
			return nil, err
		}
	}
	return s, nil
}

func (s *settings) checkURL() error {
	if s.URL == "" {
		return nil
	}
	if err := s.URL.UnmarshalText([]byte(s.URL)); err != nil {
		return fmt.Errorf("CONSOLE_URL: %w", err)
	}
	u, err := url.Parse(string(s.URL))
	if err != nil {
		return fmt.Errorf("CONSOLE_URL: %w", err)
	}
	s.host = canonicalHost(u.Hostname())
	s.isHTTPS = u.Scheme == "https"
	return nil
}

func (s *settings) checkProxies() error {
	for text := range strings.SplitSeq(s.TrustedProxies, ",") {
		text = strings.TrimSpace(text)
		if text == "" {
			continue
		}
		prefix, err := parsePrefix(text)
		if err != nil {
			return fmt.Errorf(
				"CONSOLE_TRUSTED_PROXIES: %q is no address or network such as 10.0.0.0/8", text)
		}
		s.proxies = append(s.proxies, prefix)
	}
	return nil
}

func parsePrefix(text string) (netip.Prefix, error) {
	if addr, err := netip.ParseAddr(text); err == nil {
		return addr.Prefix(addr.BitLen())
	}
	prefix, err := netip.ParsePrefix(text)
	return prefix.Masked(), err
}

func (s *settings) checkGroups() error {
	for text := range strings.SplitSeq(s.GroupRoles, ",") {
		text = strings.TrimSpace(text)
		if text == "" {
			continue
		}
		role, group, isPair := strings.Cut(text, "=")
		if !isPair || group == "" || !slices.Contains(Roles(), Role(role)) {
			return fmt.Errorf("CONSOLE_ROLES: %q is no ROLE=GROUP with a role of %s", text,
				plain.List(Roles()))
		}
		s.groups[group] = append(s.groups[group], Role(role))
	}
	switch {
	case len(s.groups) > 0 && len(s.proxies) == 0:
		return errors.New(
			"CONSOLE_ROLES: groups come from a proxy: set CONSOLE_TRUSTED_PROXIES to its addresses")
	case len(s.groups) == 0 && len(s.proxies) > 0 && !s.AnyoneReads:
		return errors.New("CONSOLE_ROLES is not set, so nobody whom the proxy names has a role: " +
			"write roles of groups, such as read=payroll,act=payroll-ops, or set " +
			"CONSOLE_ANYONE_READS=1")
	}
	return nil
}

// headerName is the name of a header of HTTP.
var headerName = regexp.MustCompile("^[!#$%&'*+.^_`|~0-9A-Za-z-]+$")

// checkHeaders refuses a header that no proxy can send.
func (s *settings) checkHeaders() error {
	if len(s.proxies) == 0 {
		return nil
	}
	for _, header := range []struct{ variable, value string }{
		{"CONSOLE_USER_HEADER", s.UserHeader},
		{"CONSOLE_GROUPS_HEADER", s.GroupsHeader},
	} {
		if !headerName.MatchString(header.value) {
			return fmt.Errorf("%s: %q is no name of a header such as X-Forwarded-User",
				header.variable, header.value)
		}
	}
	return nil
}

// checkReveal refuses to reveal if nobody can have the role.
func (s *settings) checkReveal() error {
	if s.Reveal && !s.hasPersons() {
		return errors.New("CONSOLE_REVEAL: nobody has the role reveal: " +
			"set CONSOLE_TOKENS_FILE or CONSOLE_TRUSTED_PROXIES")
	}
	return nil
}

// AddrError says what is wrong with Config.Addr.
type AddrError struct{ err error }

func (e *AddrError) Error() string { return "CONSOLE_ADDR: " + e.err.Error() }

// Unwrap returns the error without the name of the variable.
func (e *AddrError) Unwrap() error { return e.err }

// checkAddr refuses an address without a port, and a listener that strangers may reach, unless it
// is wished.
func (s *settings) checkAddr() error {
	if _, _, err := net.SplitHostPort(s.Addr); err != nil {
		return &AddrError{fmt.Errorf("%w: write HOST:PORT, such as 127.0.0.1:8090", err)}
	}
	if s.hasPersons() || s.AnyoneReads || isLoopback(s.Addr) {
		return nil
	}
	return &AddrError{fmt.Errorf("%s can be reached from other machines: "+
		"set CONSOLE_TOKENS_FILE or CONSOLE_TRUSTED_PROXIES to know who reads, "+
		"or CONSOLE_ANYONE_READS=1", s.Addr)}
}

// isLoopback reports whether only this machine reaches a listener at the address.
func isLoopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return false
	}
	return isLoopbackHost(host)
}

// isLoopbackHost reports whether the host is this machine.
func isLoopbackHost(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil && ip.Unmap().IsLoopback()
}
