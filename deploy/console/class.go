package console

import (
	"slices"

	"github.com/wagewire/wagewire/schema"
)

// classMeanings say what each class of failure stands for.
var classMeanings = map[schema.Class]string{
	schema.ClassTransient:    "the provider failed, or did not answer",
	schema.ClassNotReady:     "the provider does not have the data yet",
	schema.ClassThrottled:    "the provider answered 429 (too many calls)",
	schema.ClassUnauthorized: "the provider refuses our credentials",
	schema.ClassForbidden:    "the provider refuses this record to our credentials",
	schema.ClassPermanent:    "the provider rejects the request, and would again",
	schema.ClassContract:     "the provider's answer has another form than it promises",
	schema.ClassPoison:       "the event cannot be read, or a worker breaks on it",
	schema.ClassNotStored:    "the broker did not store the completion",
	schema.ClassProvider:     "the provider's own job failed",
	schema.ClassExhausted:    "the event had all of its deliveries without a verdict",
}

// classWords are the classes of the list that have a meaning, each once, in the order of
// schema.Classes.
func classWords[T any](list []T, classOf func(T) schema.Class) []schema.Class {
	return slices.DeleteFunc(schema.Classes(), func(c schema.Class) bool {
		return !slices.ContainsFunc(list, func(one T) bool { return classOf(one) == c })
	})
}
