package process

import (
	"crypto/sha256"
	_ "embed" // for demoSums
	"encoding/hex"
	"fmt"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"unicode"
)

// Variables with the files of a process's key for the broker, and of the certificate by which it
// knows the broker. Package stream reads the files.
const (
	credsVariable = "NATS_CREDS_FILE"
	caVariable    = "NATS_CA_FILE"
)

// demoSums has the SHA-256 sum of each key of the demonstration, a line each, as sha256sum prints
// sums. A test of deploy/compose makes the file out of the keys.
//
//go:embed demo.sha256
var demoSums string

// isDemoKey reports whether a text is one of the demonstration's keys.
func isDemoKey(key string) bool {
	sum := sha256.Sum256([]byte(key))
	return strings.Contains(demoSums, hex.EncodeToString(sum[:])+" ")
}

// ProviderURL is the setting of a provider's base URL. The demonstration's keys are published for
// everybody, so they may stand beside the URL of a fake provider only, and never beside the URL of
// a real host. A host is a fake's if it is this machine (localhost or a loopback address) or has a
// name of a single label, such as a container.
//
// The zero ProviderURL is that of no provider, and refuses nothing.
type ProviderURL struct {
	// Variable is the name of the environment variable.
	Variable string
	// Value is the value of the variable. Empty: the default, the provider's own host.
	Value string
}

// CheckHTTPS returns an error if calls to a real host would show secrets and payroll data to
// everybody on the way: if the URL begins with http://.
func (u ProviderURL) CheckHTTPS() error {
	if scheme, _, _ := strings.Cut(u.Value, ":"); strings.EqualFold(scheme, "http") && u.IsReal() {
		return fmt.Errorf("%s: http:// to a real host shows secrets and payroll data on the way: "+
			"write https://, or set ALLOW_HTTP=1 if the way is safe", u.Variable)
	}
	return nil
}

// CheckValue returns an error if a variable has a key of the demonstration and the host is real.
func (u ProviderURL) CheckValue(variable, value string) error {
	if err := u.refuseDemo(value); err != nil {
		return fmt.Errorf("%s: %w", variable, err)
	}
	return nil
}

// CheckBrokerKey returns an error if the file of NATS_CREDS_FILE or NATS_CA_FILE is the
// demonstration's and the host is real. A file that cannot be read is no error here: whoever
// connects to the broker has a better error.
func (u ProviderURL) CheckBrokerKey(getenv func(string) string) error {
	for _, variable := range []string{credsVariable, caVariable} {
		if err := u.CheckFile(variable, getenv(variable)); err != nil {
			return err
		}
	}
	return nil
}

// CheckFile returns an error if a word of the file is a key of the demonstration and the host is
// real. path is the value of the variable. A file that cannot be read is no error here, as
// CheckBrokerKey says.
func (u ProviderURL) CheckFile(variable, path string) error {
	if err := u.checkWords(path); err != nil {
		return fmt.Errorf("%s: %w", variable, err)
	}
	return nil
}

// checkWords returns an error if a word of a file is a key of the demonstration and the host is
// real.
func (u ProviderURL) checkWords(path string) error {
	if path == "" || !u.IsReal() {
		return nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil //nolint:nilerr // as CheckBrokerKey says
	}
	keys := strings.FieldsFunc(string(text), isBetweenKeys)
	for _, key := range append(keys, strings.TrimSpace(string(text))) {
		if err := u.refuseDemo(key); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
	}
	return nil
}

// isBetweenKeys reports whether r is no part of a key: white space or a byte order mark.
func isBetweenKeys(r rune) bool { return unicode.IsSpace(r) || r == '\ufeff' }

// refuseDemo returns an error if a key is the demonstration's and the host is real.
func (u ProviderURL) refuseDemo(key string) error {
	if !u.IsReal() || !isDemoKey(key) {
		return nil
	}
	host := "the host of " + u.Variable
	switch {
	case u.Value == "":
		host += ", which is not set,"
	case !u.hasHost():
		return fmt.Errorf("the demonstration's keys are public, and %s is no URL: "+
			"write that of a fake provider, such as http://127.0.0.1:8081/pinwheel", u.Variable)
	}
	return fmt.Errorf("the demonstration's keys are public, and %s is real: "+
		"put a key of your own there, or set %s to the URL of a fake provider", host, u.Variable)
}

// IsReal reports whether the URL may be a provider's own. A URL that cannot be read counts as real.
func (u ProviderURL) IsReal() bool {
	if u.Variable == "" {
		return false
	}
	parsed, err := url.Parse(u.Value)
	return err != nil || isRealHost(parsed.Hostname())
}

// hasHost reports whether the URL names a host.
func (u ProviderURL) hasHost() bool {
	parsed, err := url.Parse(u.Value)
	return err == nil && parsed.Hostname() != ""
}

// isRealHost reports whether a host is neither this machine nor a name of a single label. Some
// resolvers take a label that begins with a digit for an address.
func isRealHost(host string) bool {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if address, err := netip.ParseAddr(host); err == nil {
		return !address.Unmap().IsLoopback()
	}
	isLabel := host != "" && !strings.Contains(host, ".")
	if isLabel {
		return '0' <= host[0] && host[0] <= '9'
	}
	return !strings.HasSuffix(host, ".localhost")
}
