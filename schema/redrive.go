package schema

import (
	"fmt"
	"strconv"
	"strings"
)

// RedriveID returns the id of the nth redrive of an event: the provider's id, then :r1, :r2 and so
// on. The webhook itself is redrive 0 and keeps its id.
func RedriveID(id string, n int) string {
	if n < 1 {
		return id
	}
	return id + redriveSuffix(n)
}

// OriginalID is the inverse of RedriveID: it returns the provider's id from the id of the nth
// redrive.
func OriginalID(redriveID string, n int) string {
	if n < 1 {
		return redriveID
	}
	return strings.TrimSuffix(redriveID, redriveSuffix(n))
}

func redriveSuffix(n int) string { return fmt.Sprintf(":r%d", n) }

// isRedriveSuffix reports whether the text is what redriveSuffix returns for some redrive.
func isRedriveSuffix(text string) bool {
	n, err := strconv.Atoi(strings.TrimPrefix(text, ":r"))
	return err == nil && n > 0 && text == redriveSuffix(n)
}
