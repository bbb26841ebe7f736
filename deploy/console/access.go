package console

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/wagewire/wagewire/deploy/plain"
)

// Role is what a person may do.
type Role string

// The roles. Whoever acts or reveals may read.
const (
	// RoleRead sees the pages.
	RoleRead Role = "read"
	// RoleAct redrives, releases, discards, pauses, resumes and retries.
	RoleAct Role = "act"
	// RoleReveal sees records and bodies, with Config.Reveal.
	RoleReveal Role = "reveal"
)

// roleNone is for addresses that need no person.
const roleNone Role = ""

// Roles returns every role.
func Roles() []Role { return []Role{RoleRead, RoleAct, RoleReveal} }

// person is somebody who asks. The zero person is a stranger.
type person struct {
	name  string
	roles []Role
	// token is the hash of the token that the person has given, zero for a person whom a proxy
	// names.
	token tokenHash
}

func (p person) isKnown() bool { return p.name != "" }

// hasToken reports whether the person has logged in: a proxy logs nobody out.
func (p person) hasToken() bool { return p.token != tokenHash{} }

// has reports whether the person has the role.
func (p person) has(r Role) bool {
	return slices.Contains(p.roles, r) || r == RoleRead && len(p.roles) > 0
}

// whoAsks returns the person of the request, and the zero person for a stranger. A proxy may know a
// person without a role: then the token of the request counts, if there is one. With errTokens the
// person is known from a moment ago, and can read alone.
func (c *Console) whoAsks(r *http.Request) (person, error) {
	named := c.ofProxy(r)
	if len(named.roles) > 0 || c.TokensFile == "" {
		return named, nil
	}
	for _, hash := range c.givenTokens(r) {
		if p, err := c.tokens.find(hash); p.isKnown() || err != nil {
			return p, err
		}
	}
	return named, nil
}

// givenTokens returns the hashes of the tokens of the request: of the header Authorization that
// a program sends, and of the session.
func (c *Console) givenTokens(r *http.Request) []tokenHash {
	var given []tokenHash
	if token, isBearer := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); isBearer {
		given = append(given, hashToken(token))
	}
	if cookie, err := r.Cookie(c.cookieName()); err == nil {
		if hash, exists := c.sessions.find(cookie.Value); exists {
			given = append(given, hash)
		}
	}
	return given
}

// ofProxy returns the person whom a trusted proxy names. A proxy that adds a header beside the
// client's own, and does not replace it, names nobody: anybody could write the first one.
func (c *Console) ofProxy(r *http.Request) person {
	if !c.isTrusted(r.RemoteAddr) {
		return person{}
	}
	groups := r.Header.Values(c.GroupsHeader)
	if len(r.Header.Values(c.UserHeader)) > 1 || len(groups) > 1 {
		return person{}
	}
	p := person{name: r.Header.Get(c.UserHeader)}
	if !p.isKnown() {
		return person{}
	}
	for _, line := range groups {
		for group := range strings.SplitSeq(line, ",") {
			p.roles = append(p.roles, c.groups[strings.TrimSpace(group)]...)
		}
	}
	return p
}

// isTrusted reports whether a request from the address comes from a trusted proxy.
func (c *Console) isTrusted(addr string) bool {
	from, err := netip.ParseAddrPort(addr)
	if err != nil {
		return false
	}
	ip := from.Addr().Unmap()
	return slices.ContainsFunc(c.proxies, func(p netip.Prefix) bool { return p.Contains(ip) })
}

// mayStill returns nil if a person has the role at this moment. Somebody with a token loses the
// role with the token. Whom a proxy named is not asked for again. A file of tokens that cannot be
// read is read again a few times: somebody may be writing it.
func (c *Console) mayStill(ctx context.Context, p person, r Role) error {
	err := c.has(p, r)
	for try := 1; errors.Is(err, errTokens) && try < tokensTries; try++ {
		await(ctx, c.tokens.again)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		err = c.has(p, r)
	}
	return err
}

func (c *Console) has(p person, r Role) error {
	now := p
	if p.hasToken() {
		var err error
		if now, err = c.tokens.find(p.token); err != nil {
			return err
		}
	}
	if now.name != p.name || !now.has(r) {
		return fmt.Errorf("%s may %s no more", plain.Text(p.name), r)
	}
	return nil
}

// mayRead reports whether the person, or a stranger, may see the pages.
func (c *Console) mayRead(p person) bool { return c.readsFreely() || p.has(RoleRead) }
