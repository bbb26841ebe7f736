package process

// An image holds one binary and no other file. A system's own certificates and time zones come
// first.
import (
	_ "time/tzdata" // time zones

	_ "golang.org/x/crypto/x509roots/fallback" // certificate authorities of the providers
)
