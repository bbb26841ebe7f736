package main

import (
	"fmt"
	"strings"

	"github.com/agnivade/levenshtein"
)

// suggestMax is how many letters of a word may be wrong for a suggestion.
const suggestMax = 2

// notAmong is the error for an unknown word. The error suggests the
// nearest known word.
func notAmong[T ~string](word string, known []T) error {
	words := toStrings(known)
	return fmt.Errorf("not one of %s%s", strings.Join(words, ", "), suggestion(word, words))
}

// suggestion is ": did you mean X?" with the known word nearest to the word, and "" if none is
// near.
func suggestion(word string, known []string) string {
	nearest := ""
	best := suggestMax + 1
	for _, k := range known {
		if distance := levenshtein.ComputeDistance(word, k); distance < best {
			nearest = k
			best = distance
		}
	}
	if nearest == "" {
		return ""
	}
	return didYouMean(nearest)
}

func didYouMean(words ...string) string {
	return fmt.Sprintf(": did you mean %s?", strings.Join(words, " or "))
}
