package plain

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Time is a time in UTC, and "-" for the zero time.
func Time(at time.Time) string {
	if at.IsZero() {
		return "-"
	}
	return at.UTC().Format(time.RFC3339)
}

// Count is "1 dead letter" and "2 dead letters".
func Count[N int | uint64](n N, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// Word is a word as it is. A word with spaces, or with characters that control a terminal, is
// quoted.
func Word[T ~string](word T) string {
	text := string(word)
	quoted := strconv.QuoteToASCII(text)
	if quoted != `"`+text+`"` || strings.ContainsAny(text, " \t") {
		return quoted
	}
	return text
}

// List is the words with commas between them.
func List[T ~string](words []T) string {
	texts := make([]string, len(words))
	for i, word := range words {
		texts[i] = string(word)
	}
	return strings.Join(texts, ", ")
}

// Text is a longer text, with escapes for the characters that control a terminal.
func Text(text string) string {
	var b strings.Builder
	for _, r := range text {
		if r == '\n' || r == '\t' || strconv.IsPrint(r) && r != '\uFFFD' {
			b.WriteRune(r)
		} else {
			quoted := strconv.QuoteRuneToASCII(r)
			b.WriteString(quoted[1 : len(quoted)-1])
		}
	}
	return b.String()
}
