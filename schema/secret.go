package schema

import (
	"fmt"
	"io"
)

// Secret is a credential or a signing key. A secret never prints: fmt, zap and encoding/json show
// "[secret]". If the secret is in an unexported field, they show an address, because they cannot
// call the methods of the field. The zero value is the empty secret.
type Secret struct{ text *string }

// NewSecret returns the secret with the given text.
func NewSecret(text string) Secret { return Secret{&text} }

const redacted = "[secret]"

// String returns "[secret]".
func (Secret) String() string { return redacted }

// GoString returns "[secret]", for %#v.
func (Secret) GoString() string { return redacted }

// Format prints "[secret]" for every verb.
func (Secret) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, redacted) }

// MarshalText returns "[secret]", for encoders.
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// Reveal returns the text of the secret. Call it only to sign or to send.
func (s Secret) Reveal() string {
	if s.text == nil {
		return ""
	}
	return *s.text
}
