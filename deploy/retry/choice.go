package retry

import (
	"slices"

	"github.com/wagewire/wagewire/deploy/find"
	"github.com/wagewire/wagewire/deploy/trace"
	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
)

// Classes returns the classes of failures after which an event waits.
func Classes() []schema.Class {
	return []schema.Class{
		schema.ClassTransient, schema.ClassNotReady, schema.ClassThrottled,
		schema.ClassUnauthorized, schema.ClassForbidden, schema.ClassContract,
		schema.ClassNotStored,
	}
}

// IsClass reports whether events wait after a failure of the class.
func IsClass(c schema.Class) bool { return slices.Contains(Classes(), c) }

// Choice chooses waiting events. An event must match each field that is set. The zero value chooses
// every event.
type Choice struct {
	// Queues and Events are alternatives: an event must match one of each list.
	Queues []string
	Events []trace.Name
	Class  schema.Class
	// Account is an account's token, or the provider's id of it.
	Account string
}

// Matches reports whether a waiting event is chosen.
func (c Choice) Matches(w stream.Waiting) bool {
	isNamed := func(n trace.Name) bool { return n.Matches(w.Event) }
	return (len(c.Queues) == 0 || slices.Contains(c.Queues, w.Queue)) &&
		(len(c.Events) == 0 || slices.ContainsFunc(c.Events, isNamed)) &&
		(c.Class == "" || c.Class == w.Class) &&
		(c.Account == "" || find.IsAccount(w.Account, c.Account))
}
