package schema

import (
	"fmt"
	"strings"
)

// RedriveID is the id under which the nth redrive of an event is published: the provider's id, then :r1, :r2 and so on.
// The webhook itself is redrive 0 and keeps its id.
func RedriveID(id string, n int) string {
	if n == 0 {
		return id
	}
	return id + redriveSuffix(n)
}

// OriginalID is the provider's id in the id of the nth redrive.
func OriginalID(redriveID string, n int) string {
	if n == 0 {
		return redriveID
	}
	return strings.TrimSuffix(redriveID, redriveSuffix(n))
}

func redriveSuffix(n int) string { return fmt.Sprintf(":r%d", n) }
