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
func Suggest(word string, known []string) string {
	tree := &cobra.Command{SuggestionsMinimumDistance: distanceMax}
	for _, name := range known {
		tree.AddCommand(&cobra.Command{Use: name, Run: func(*cobra.Command, []string) {}})
	}
	near := tree.SuggestionsFor(word)
	if len(near) == 0 {
		return ""
	}
	return ": did you mean " + strings.Join(near, " or ") + "?"
}
