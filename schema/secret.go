package schema

import (
	"fmt"
	"io"
)

// Secret is a credential or signing key. It never prints: fmt, zap and encoding/json all show "[secret]".
type Secret string

const redacted = "[secret]"

// String returns "[secret]".
func (Secret) String() string { return redacted }

// GoString returns "[secret]", for %#v.
func (Secret) GoString() string { return redacted }

// Format prints "[secret]" for every verb. Without it fmt would show the string to a verb that does not fit, such as %d.
func (Secret) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, redacted) }

// MarshalText returns "[secret]", for every encoder that asks.
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// Reveal returns the secret itself, for the one place that signs or sends with it.
func (s Secret) Reveal() string { return string(s) }
