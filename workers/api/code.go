package api

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
)

// codeOrHash returns a code that known has. For any other code, the result is unknown_ and the
// first 8 hex digits of the code's SHA-256: equal codes stay equal, and no text that could quote
// personal data reaches a log. An empty code stays empty.
func codeOrHash(known []string, code string) string {
	if code == "" || slices.Contains(known, code) {
		return code
	}
	sum := sha256.Sum256([]byte(code))
	return "unknown_" + hex.EncodeToString(sum[:4])
}
