package api

import (
	"errors"
	"net/url"
	"strconv"
	"strings"
	"unicode"
)

// baseOf reads a Config.URL into the beginning of every call's URL, without a slash at its end.
// Doubled slashes count as one. A last segment v1 is left out, because the templates begin with
// /v1/: public samples write the URL both with the segment and without. Errors do not quote the
// URL.
func baseOf(rawURL string) (string, error) {
	u, err := url.Parse(rawURL)
	switch {
	case err != nil:
		return "", errors.New("base url: cannot be read")
	case u.Scheme != "http" && u.Scheme != "https":
		return "", errors.New("base url: must begin with http:// or https://")
	case u.Hostname() == "":
		return "", errors.New("base url: has no host")
	case u.User != nil:
		return "", errors.New("base url: must not hold credentials")
	case strings.ContainsAny(rawURL, "?#"):
		return "", errors.New("base url: must not have a query or a fragment")
	case strings.ContainsFunc(rawURL, unicode.IsSpace):
		return "", errors.New("base url: must not have a space")
	}
	var base strings.Builder
	base.WriteString((&url.URL{Scheme: u.Scheme, Host: u.Host}).String())
	path := strings.TrimRight(u.EscapedPath(), "/")
	for segment := range strings.SplitSeq(strings.TrimSuffix(path, "/v1"), "/") {
		if segment != "" {
			base.WriteString("/" + segment)
		}
	}
	return base.String(), nil
}

// hostOf returns the host and the port of a base.
func hostOf(base string) (host string, port int) {
	u, err := url.Parse(base)
	if err != nil { // baseOf returns no such base
		return "", 0
	}
	port, err = strconv.Atoi(u.Port())
	switch {
	case err == nil:
		return u.Hostname(), port
	case u.Scheme == "http":
		return u.Hostname(), 80
	default:
		return u.Hostname(), 443
	}
}
