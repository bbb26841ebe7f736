package command

import (
	"strings"

	"github.com/spf13/cobra"
)

// distanceMax is how many letters of a word may be wrong for a suggestion.
const distanceMax = 2

// Suggest returns ": did you mean X?" with the known words near to the word, and "" if no known
// word is near. Cobra measures the distance: the known words are commands of a tree that never
// runs.
func Suggest[T ~string](word string, known []T) string {
	tree := &cobra.Command{SuggestionsMinimumDistance: distanceMax}
	for _, name := range known {
		tree.AddCommand(&cobra.Command{
			Use: string(name), Run: func(*cobra.Command, []string) {},
		})
	}
	near := tree.SuggestionsFor(word)
	if word == "" || len(near) == 0 { // "" is the start of every word
		return ""
	}
	return ": did you mean " + OneOf(near) + "?"
}

// OneOf returns the words as text: "a, b or c".
func OneOf[T ~string](words []T) string {
	var text strings.Builder
	for i, word := range words {
		switch i {
		case 0:
		case len(words) - 1:
			text.WriteString(" or ")
		default:
			text.WriteString(", ")
		}
		text.WriteString(string(word))
	}
	return text.String()
}
