package main

import "fmt"

// suggestMax is how many letters may be wrong in a word that is still known again.
const suggestMax = 2

// suggestion is ": did you mean X?" for the known word nearest to one that is not known, "" where none is near.
func suggestion(word string, known []string) string {
	nearest, best := "", suggestMax+1
	for _, k := range known {
		if d := distance(word, k); d < best {
			nearest, best = k, d
		}
	}
	if nearest == "" {
		return ""
	}
	return fmt.Sprintf(": did you mean %s?", nearest)
}

// distance is Levenshtein's: how many letters to insert, delete or change.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
