package console

import (
	"slices"

	"github.com/wagewire/wagewire/schema"
)

// classWords are the classes of the list each once, in the order of
// schema.Classes.
func classWords[T any](list []T, classOf func(T) schema.Class) []schema.Class {
	return slices.DeleteFunc(schema.Classes(), func(c schema.Class) bool {
		return !slices.ContainsFunc(list, func(one T) bool { return classOf(one) == c })
	})
}
