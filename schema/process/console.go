package process

import (
	"errors"
	"net/url"
	"regexp"
	"strconv"
	"strings"
)

// ConsoleConfig says where operators find the console's pages. It is for every process that prints
// or exports the address of a page.
type ConsoleConfig struct {
	// URL is empty if the installation has no console. No address is printed then.
	URL Console `env:"CONSOLE_URL" help:"public address of the console's pages, such as https://wagewire.example.com: alerts, log lines of dead letters and commands then link to them; the console refuses requests with another Host, but those of its own machine (none)"`
}

// Console is the public address of the console's pages, such as https://wagewire.example.com, with
// no slash at the end. Its methods are the only place that spells the paths of their pages: alerts,
// log lines and commands link to them, so a path never changes. The empty Console returns the paths
// alone, as links from one page to another have them.
type Console string

// UnmarshalText parses the value of an environment variable. The errors do not quote the value: a
// URL may have a password in it.
func (c *Console) UnmarshalText(text []byte) error {
	u, err := url.Parse(string(text))
	if err != nil {
		return errConsole
	}
	isWeb := u.Scheme == "http" || u.Scheme == "https"
	switch {
	case !isWeb || u.Host == "":
		return errConsole
	case u.User != nil:
		return errors.New("the URL has a user: remove it, because the console has its own login")
	case strings.ContainsAny(string(text), "?#"):
		return errors.New("the URL has a query or a fragment: end it after the host")
	case u.Path != "" && u.Path != "/":
		return errors.New("the URL has a path, and the pages have no prefix: end it after the host")
	case !isHost(u):
		return errConsole
	}
	*c = Console(u.Scheme + "://" + strings.ToLower(u.Host))
	return nil
}

var errConsole = errors.New("this is no URL such as https://wagewire.example.com")

// hostOfPages is a host name, or an IPv4 address. Package url accepts more, such as quotes and
// angle brackets, and the address is printed on terminals and in alerts.
var hostOfPages = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$`)

// addressOfPages is an IPv6 address without a zone.
var addressOfPages = regexp.MustCompile(`^[0-9A-Fa-f:.]+$`)

// isHost reports whether the URL has a plain host, and no port or a port from 1 to 65535.
func isHost(u *url.URL) bool {
	name := u.Hostname()
	isName := hostOfPages.MatchString(name)
	isAddress := strings.HasPrefix(u.Host, "[") && addressOfPages.MatchString(name)
	if !isName && !isAddress {
		return false
	}
	if hasPort := strings.HasSuffix(u.Host, ":"+u.Port()); !hasPort {
		return true
	}
	port, err := strconv.ParseUint(u.Port(), 10, 16)
	return err == nil && port > 0
}

// Event returns the address of the page of an event. The key is that of schema.Event.Key.
func (c Console) Event(key string) string { return c.page("events", key) }

// Letter returns the address of the page of a dead letter.
func (c Console) Letter(number uint64) string {
	return c.page("dead", strconv.FormatUint(number, 10))
}

// Quarantined returns the address of the page of a webhook in quarantine.
func (c Console) Quarantined(number uint64) string {
	return c.page("quarantine", strconv.FormatUint(number, 10))
}

// Finding returns the address of the page of a kind of finding.
func (c Console) Finding(name string) string { return c.page("findings", name) }

// Account returns the address of the page of an account. The token is that in subjects.
func (c Console) Account(provider, token string) string {
	return c.page("accounts", provider, token)
}

// page joins the parts of a path. No character of a part ends the part, or controls a terminal.
func (c Console) page(parts ...string) string {
	address := string(c)
	for _, part := range parts {
		address += "/" + url.PathEscape(part)
	}
	return address
}
