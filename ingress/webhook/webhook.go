// Package webhook says of a request whether the provider signed it, and reads of its body what it takes to store it. Both are
// pure functions of the bytes as they came. What a provider does differently is in the file with its name.
package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/wagewire/wagewire/schema"
)

// Received is a request to a provider's endpoint, as it came. The body is never changed.
type Received struct {
	Provider schema.Provider
	Header   http.Header
	Body     []byte
	At       time.Time
}

// UnverifiedError is a way in which a request can fail to prove who sent it. Its Reason is a metric's label; the sender is
// not told.
type UnverifiedError struct {
	Reason string
	text   string
}

func (e *UnverifiedError) Error() string { return e.text }

// One for each way a signature can fail.
var (
	errSignatureMissing   = &UnverifiedError{"sig_missing", "the signature header is missing"}
	errSignatureAmbiguous = &UnverifiedError{"sig_ambiguous", "there is more than one signature"}
	errSignatureVersion   = &UnverifiedError{"sig_mismatch", "the signature is of another version"}
	errSignatureMalformed = &UnverifiedError{"sig_mismatch", "the signature is not 64 hexadecimal digits"}
	errSignatureMismatch  = &UnverifiedError{"sig_mismatch", "no active secret signed this body"}
	errTimestampMissing   = &UnverifiedError{"timestamp_invalid", "the timestamp header is missing"}
	errTimestampAmbiguous = &UnverifiedError{"timestamp_invalid", "there is more than one timestamp"}
	errTimestampMalformed = &UnverifiedError{"timestamp_invalid", "the timestamp is not in Unix seconds"}
	errStale              = &UnverifiedError{"stale", "the signature is too old, or from the future"}
	errProviderUnknown    = &UnverifiedError{"provider", "the provider is not known"}
)

// Verify returns nil only if one of the secrets signed exactly these bytes. Where the provider signs a time, the signature is
// also at most ageMax older or younger than r.At; 0 lets it be of any age. Its errors are all an UnverifiedError.
func Verify(r Received, secrets []schema.Secret, ageMax time.Duration) error {
	switch r.Provider {
	case schema.Pinwheel:
		return verifyPinwheel(r, secrets, ageMax)
	case schema.Truv:
		return verifyTruv(r, secrets)
	default:
		return errProviderUnknown
	}
}

// digest reads the one signature that a request may carry: version, "=", 64 hexadecimal digits.
func digest(h http.Header, name, version string) ([]byte, error) {
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
	sum, err := hex.DecodeString(text)
	if err != nil || len(sum) != sha256.Size {
		return nil, errSignatureMalformed
	}
	return sum, nil
}

// signedByAny tries all secrets, also after one has matched: the time it takes does not tell which it was.
func signedByAny(secrets []schema.Secret, digest []byte, parts ...[]byte) bool {
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

// UnreadableError says why a signed body is no event. It quotes nothing of the body.
type UnreadableError struct {
	Reason schema.QuarantineReason
	Err    error
}

func (e *UnreadableError) Error() string { return fmt.Sprintf("read webhook: %v", e.Err) }

func (e *UnreadableError) Unwrap() error { return e.Err }

// layout is where a provider's body says what an event needs. A path is names joined by dots.
type layout struct {
	id, kind string
	// times are where it says when it happened, the best one first.
	times []string
	// names are all that stand in those paths and in the catalogue's account paths.
	names []string
}

// Parse reads the event out of a verified body: its id, type, account and time, and nothing else. The same bytes make the
// same event; whoever reads them again, with any JSON parser, finds the same id and type. Its errors are all an
// UnreadableError.
func Parse(r Received) (schema.Event, error) {
	in, err := layoutOf(r.Provider)
	if err != nil {
		return schema.Event{}, &UnreadableError{schema.QuarantineSchema, err}
	}
	top, err := object(r.Body, in.names)
	if err != nil {
		return schema.Event{}, err
	}
	kind := top.text(in.kind)
	known := schema.Lookup(r.Provider, kind)
	event := schema.Event{
		Provider:   r.Provider,
		ID:         top.text(in.id),
		Type:       kind,
		Resource:   known.Resource,
		Action:     known.Action,
		AccountID:  top.text(known.Account),
		OccurredAt: top.time(in.times, r.At),
		ReceivedAt: r.At,
		Body:       r.Body,
	}
	if err := check(event); err != nil {
		return schema.Event{}, &UnreadableError{schema.QuarantineSchema, err}
	}
	return event, nil
}

func layoutOf(p schema.Provider) (layout, error) {
	switch p {
	case schema.Pinwheel:
		return pinwheelLayout(), nil
	case schema.Truv:
		return truvLayout(), nil
	default:
		return layout{}, errProviderUnknown
	}
}

// check refuses what could be stored but not acted on.
func check(e schema.Event) error {
	switch {
	case e.Resource == schema.Link && e.Action == schema.ActionDeleted && e.AccountID == "":
		return errNothingToErase
	case strings.ContainsRune(e.ID+e.Type+e.AccountID, utf8.RuneError):
		return errReplaced
	default:
		return e.Validate()
	}
}
