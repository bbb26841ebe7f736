package trace

import (
	"slices"
	"strconv"
	"strings"

	"github.com/wagewire/wagewire/schema"
)

// Name is what an operator calls an event: the provider's id alone, or <provider>:<id> with or
// without the number of a redrive.
type Name struct {
	// providers are all providers if the name has none.
	providers []schema.Provider
	id        string
	// redrive is -1 for any.
	redrive int
}

// ParseName reads a name. Every text is a name: a text without a known provider is an id.
func ParseName(name string) Name {
	provider, id, _ := strings.Cut(name, ":")
	if !schema.Provider(provider).Known() {
		return Name{providers: schema.Providers(), id: name, redrive: -1}
	}
	original, number := splitRedriveID(id)
	if number == 0 {
		number = -1
	}
	return Name{[]schema.Provider{schema.Provider(provider)}, original, number}
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

// Matches reports whether the event has the name. A name without the number of a redrive matches
// the event and its redrives.
func (n Name) Matches(e schema.Event) bool {
	return slices.Contains(n.providers, e.Provider) &&
		(e.ID == n.id || schema.Token(e.ID) == n.id) &&
		(n.redrive < 0 || n.redrive == e.Redrive)
}
