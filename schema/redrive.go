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

// parseRedriveSuffix reverses redriveSuffix. It returns 0 for another text.
func parseRedriveSuffix(text string) int {
	n, err := strconv.Atoi(strings.TrimPrefix(text, ":r"))
	if err != nil || n < 1 || text != redriveSuffix(n) {
		return 0
	}
	return n
}

// RedriveOf returns the number of the redrive in a completion's id, or 0 if the id has none.
func RedriveOf(completionID string) int {
	event, _, _ := ParseCompletionKey(completionID)
	tokens := strings.Split(event, ":")
	if len(tokens) != 3 {
		return 0
	}
	return parseRedriveSuffix(":" + tokens[2])
}
