package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
)

// formatTime prints a time in UTC, and "-" for the zero time.
func formatTime(at time.Time) string {
	if at.IsZero() {
		return "-"
	}
	return at.UTC().Format(time.RFC3339)
}

// plural is "1 dead letter" and "2 dead letters".
func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// plain quotes a word with spaces, or with characters that control a terminal.
func plain[T ~string](word T) string {
	text := string(word)
	quoted := strconv.QuoteToASCII(text)
	if quoted != `"`+text+`"` || strings.ContainsAny(text, " \t") {
		return quoted
	}
	return text
}

// readable escapes the characters of a longer text that control a terminal.
func readable(text string) string {
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

// printBody prints a webhook byte for byte, and on a screen readably.
func printBody(t terminal, body []byte) error {
	if t.isScreen {
		body = []byte(readable(string(body)) + "\n")
	}
	_, err := t.stdout.Write(body)
	return err
}

// newTable is a table with two spaces between columns.
func newTable(w io.Writer) *tabwriter.Writer { return tabwriter.NewWriter(w, 0, 0, 2, ' ', 0) }
