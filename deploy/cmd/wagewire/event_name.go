package main

import (
	"slices"
	"strconv"
	"strings"

	"github.com/wagewire/wagewire/schema"
)

// eventName is the name of an event on the command line: the provider's id alone, or
// <provider>:<id> with or without the number of a redrive.
type eventName struct {
	// providers are all providers if the name has none.
	providers []schema.Provider
	id        string
	// redrive is -1 for any.
	redrive int
}

func parseEventName(name string) eventName {
	provider, id, _ := strings.Cut(name, ":")
	if !schema.Provider(provider).Known() {
		return eventName{providers: schema.Providers(), id: name, redrive: -1}
	}
	original, number := splitRedriveID(id)
	if number == 0 {
		number = -1
	}
	return eventName{[]schema.Provider{schema.Provider(provider)}, original, number}
}

// splitRedriveID splits the id of a redrive into the provider's id and the number, which is 0 if
// the id is not a redrive's.
func splitRedriveID(id string) (original string, number int) {
	withoutDigits := strings.TrimRight(id, "0123456789")
	number, err := strconv.Atoi(id[len(withoutDigits):])
	if err != nil {
		return id, 0
	}
	original = schema.OriginalID(id, number)
	if original == id {
		return id, 0
	}
	return original, number
}

func (n eventName) matches(e schema.Event) bool {
	return slices.Contains(n.providers, e.Provider) &&
		(e.ID == n.id || schema.Token(e.ID) == n.id) &&
		(n.redrive < 0 || n.redrive == e.Redrive)
}
