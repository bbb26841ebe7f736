package process

// An image holds one binary and nothing else. What a system has beside it serves first, where there is one.
import (
	_ "time/tzdata" // time zones

	_ "golang.org/x/crypto/x509roots/fallback" // the authorities that vouch for the providers
)
