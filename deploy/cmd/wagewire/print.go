package main

import (
	"io"
	"text/tabwriter"

	"github.com/wagewire/wagewire/deploy/plain"
)

// printBody prints a webhook byte for byte, and on a screen readably.
func printBody(t terminal, body []byte) error {
	if t.isScreen {
		body = []byte(plain.Text(string(body)) + "\n")
	}
	_, err := t.stdout.Write(body)
	return err
}

// newTable is a table with two spaces between columns.
func newTable(w io.Writer) *tabwriter.Writer { return tabwriter.NewWriter(w, 0, 0, 2, ' ', 0) }
