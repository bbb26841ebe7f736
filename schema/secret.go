package schema

import (
	"fmt"
	"io"
)

// Secret is a credential or signing key. It never prints: fmt, zap and encoding/json show "[secret]", or an address where
// it is an unexported field, whose methods they cannot call. The zero value is the empty secret.
type Secret struct{ text *string }

// NewSecret makes a secret of its text.
func NewSecret(text string) Secret { return Secret{&text} }

const redacted = "[secret]"

// String returns "[secret]".
func (Secret) String() string { return redacted }

// GoString returns "[secret]", for %#v.
func (Secret) GoString() string { return redacted }

// Format prints "[secret]" for every verb.
func (Secret) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, redacted) }

// MarshalText returns "[secret]", for every encoder that asks.
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// Reveal returns the secret itself, for the one place that signs or sends with it.
func (s Secret) Reveal() string {
	if s.text == nil {
		return ""
	}
	return *s.text
}
