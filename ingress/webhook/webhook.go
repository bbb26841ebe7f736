// Package webhook verifies the signature of a provider's request, and reads an event out of the
// body. Both are pure functions of the bytes received.
//
// To add a provider, write a file with the provider's name for the scheme, and add the scheme to
// schemes. Package schema has the layout of the provider's bodies, beside the webhook types.
package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/wagewire/wagewire/schema"
)

// schemes is the registry of the module: a row a provider, each in a file of the provider's name.
var schemes = map[schema.Provider]scheme{
	schema.Pinwheel: pinwheel,
	schema.Truv:     truv,
}

// scheme is how a provider signs its webhooks.
type scheme struct {
	// secretsName is the provider's own name for the signing secrets.
	secretsName string
	// verify returns nil only if one of the secrets signed exactly the bytes of the request. All
	// errors are an UnverifiedError. verify does not judge the age of a signature.
	verify func(r Received, secrets []schema.Secret) error
	// signedAt reads the signed time from a request's headers. nil: the provider signs no time.
	signedAt func(h http.Header) (time.Time, error)
}

// Covers returns an error if the provider has no signature scheme. The error names the files to
// change.
func Covers(p schema.Provider) error {
	if _, ok := schemes[p]; ok {
		return nil
	}
	return fmt.Errorf("provider %s has no signature scheme: write ingress/webhook/%s.go, "+
		"and add its row to schemes in ingress/webhook/webhook.go", p, p)
}

// SecretsName is the provider's own name for the signing secrets, in the plural.
func SecretsName(p schema.Provider) string { return schemes[p].secretsName }

// SignsTime reports whether the provider signs the time of sending. Without a signed time, a
// signature has no age.
func SignsTime(p schema.Provider) bool { return schemes[p].signedAt != nil }

// Received is a request to a provider's endpoint. The body is never changed.
type Received struct {
	Provider schema.Provider
	Header   http.Header
	Body     []byte
	At       time.Time
}

// UnverifiedError says why a request does not prove who sent it. Reason is a metric's label. The
// sender does not learn the reason.
type UnverifiedError struct {
	Reason string
	text   string
}

func (e *UnverifiedError) Error() string { return e.text }

func unverified(reason, text string) *UnverifiedError { return &UnverifiedError{reason, text} }

// The ways in which a signature can fail, an error each.
var (
	errSignatureMissing   = unverified("sig_missing", "the signature header is missing")
	errSignatureAmbiguous = unverified("sig_ambiguous", "there is more than one signature")
	errSignatureVersion   = unverified("sig_mismatch", "the signature is of another version")
	errSignatureMalformed = unverified("sig_mismatch", "the signature is not 64 hexadecimal digits")
	errSignatureMismatch  = unverified("sig_mismatch", "no active secret signed this body")
	errTimestampMissing   = unverified("timestamp_invalid", "the timestamp header is missing")
	errTimestampAmbiguous = unverified("timestamp_invalid", "there is more than one timestamp")
	errTimestampMalformed = unverified("timestamp_invalid", "the timestamp is not in Unix seconds")
	errStale              = unverified("stale", "the signature is too old, or from the future")
	errSchemeUnknown      = unverified("provider", "the provider is not known")
)

// IsMismatch reports whether an error of Verify says that none of the secrets signed the body.
// Another secret may have.
func IsMismatch(err error) bool { return errors.Is(err, errSignatureMismatch) }

// Verify returns nil only if one of the secrets signed exactly these bytes. If the provider signs a
// time, r.At must also be at most ageMax before or after the signed time; 0 allows any age. All
// errors are an UnverifiedError.
func Verify(r Received, secrets []schema.Secret, ageMax time.Duration) error {
	s, ok := schemes[r.Provider]
	if !ok {
		return errSchemeUnknown
	}
	if err := s.verify(r, secrets); err != nil {
		return err
	}
	// The age comes last. "stale" in the metrics then means that a clock is wrong or a delivery is
	// late, and never a forgery.
	if s.signedAt == nil || ageMax <= 0 {
		return nil
	}
	at, err := s.signedAt(r.Header)
	if err != nil {
		return err
	}
	if r.At.Sub(at).Abs() > ageMax {
		return errStale
	}
	return nil
}

// SignedAt returns the time of signing, by the sender's own clock. ok is false if the provider
// signs no time, or if the request has none.
func SignedAt(r Received) (at time.Time, ok bool) {
	if !SignsTime(r.Provider) {
		return time.Time{}, false
	}
	at, err := schemes[r.Provider].signedAt(r.Header)
	return at, err == nil
}

// readDigest reads the signature: version, "=", 64 hexadecimal digits. A request may carry no
// second signature.
func readDigest(h http.Header, name, version string) ([]byte, error) {
	values := h.Values(name) // Get would take the first of several in silence
	switch {
	case len(values) == 0 || len(values) == 1 && values[0] == "":
		return nil, errSignatureMissing
	case len(values) > 1 || strings.Contains(values[0], ","):
		return nil, errSignatureAmbiguous
	}
	text, ok := strings.CutPrefix(values[0], version+"=")
	if !ok {
		return nil, errSignatureVersion
	}
	digest, err := hex.DecodeString(text)
	if err != nil || len(digest) != sha256.Size {
		return nil, errSignatureMalformed
	}
	return digest, nil
}

// isSignedByAny tries every secret, also after a match: the time taken does not give away the
// matching secret.
func isSignedByAny(secrets []schema.Secret, digest []byte, parts ...[]byte) bool {
	signed := false
	for _, secret := range secrets {
		if secret.Reveal() == "" {
			continue // anyone can sign with the empty key
		}
		mac := hmac.New(sha256.New, []byte(secret.Reveal()))
		for _, part := range parts {
			mac.Write(part)
		}
		if hmac.Equal(mac.Sum(nil), digest) {
			signed = true
		}
	}
	return signed
}
