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
	// signsTime is true if the provider signs the time of sending.
	signsTime bool
	// readSignature reads the signature from a request's headers. All errors are an
	// UnverifiedError.
	readSignature func(h http.Header) (signature, error)
	// verify reports whether one of the secrets made the signature for exactly this body.
	verify func(claimed signature, secrets []schema.Secret, body []byte) bool
}

// signature is the claim in a request's headers. Only Verify proves the claim.
type signature struct {
	// at is the signed time, zero if the provider signs no time, and stamp is its text.
	at     time.Time
	stamp  string
	digest []byte
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
func SignsTime(p schema.Provider) bool { return schemes[p].signsTime }

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
	errSchemeUnknown      = unverified("provider", "the provider is not known")
)

// ErrStale means that a signature is right, but too old, or from the future.
var ErrStale = errors.New("the signature is too old, or from the future")

// CheckHeaders returns an error if no body can make the request a signed one: a header of the
// signature is missing, malformed, or there twice. All errors are an UnverifiedError.
func CheckHeaders(p schema.Provider, h http.Header) error {
	_, err := readSignature(p, h)
	return err
}

// IsMismatch reports whether an error of Verify says that none of the secrets signed the body.
// Another secret may have.
func IsMismatch(err error) bool { return errors.Is(err, errSignatureMismatch) }

// Verify returns nil only if one of the secrets signed exactly these bytes, at any time. All errors
// are an UnverifiedError.
func Verify(r Received, secrets []schema.Secret) error {
	claimed, err := readSignature(r.Provider, r.Header)
	if err != nil {
		return err
	}
	if !schemes[r.Provider].verify(claimed, secrets, r.Body) {
		return errSignatureMismatch
	}
	return nil
}

// CheckAge returns ErrStale if a verified request came more than ageMax after the signed time, or
// more than ageMax before it, which is a negative age. Any age is good if ageMax is 0.
func CheckAge(age, ageMax time.Duration) error {
	if ageMax > 0 && age.Abs() > ageMax {
		return ErrStale
	}
	return nil
}

// SignedAt returns the time of signing, by the sender's own clock. ok is false if the provider
// signs no time, or if CheckHeaders refuses the request.
func SignedAt(r Received) (at time.Time, ok bool) {
	claimed, err := readSignature(r.Provider, r.Header)
	return claimed.at, err == nil && SignsTime(r.Provider)
}

func readSignature(p schema.Provider, h http.Header) (signature, error) {
	s, ok := schemes[p]
	if !ok {
		return signature{}, errSchemeUnknown
	}
	return s.readSignature(h)
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

// isSignedByAny reports whether one of the secrets made the HMAC-SHA256 of before and the body. It
// tries every secret, also after a match: the time taken does not give away the matching secret.
func isSignedByAny(
	secrets []schema.Secret, digest []byte, before string, body []byte,
) bool {
	signed := false
	for _, secret := range secrets {
		if secret.Reveal() == "" {
			continue // anyone can sign with the empty key
		}
		mac := hmac.New(sha256.New, []byte(secret.Reveal()))
		mac.Write([]byte(before))
		mac.Write(body)
		var right [sha256.Size]byte
		if hmac.Equal(mac.Sum(right[:0]), digest) {
			signed = true
		}
	}
	return signed
}
