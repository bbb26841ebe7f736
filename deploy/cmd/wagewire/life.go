package main

import (
	"fmt"
	"io"
	"time"

	"github.com/wagewire/wagewire/deploy/plain"
	"github.com/wagewire/wagewire/deploy/trace"
)

// printLife prints a line for each incident of the life, and of its queues.
func printLife(w io.Writer, l *trace.Life, now time.Time) {
	fmt.Fprintf(w, "%s  %s  account %s\n", plain.Word(l.Event), plain.Word(l.Type),
		plain.Word(l.Account))
	printIncidents(w, "", l.Incidents())
	for _, f := range l.Queues {
		fmt.Fprintf(w, "  %s: %s\n", f.Queue, f.State)
		printIncidents(w, "  ", f.Incidents(now))
	}
}

func printIncidents(w io.Writer, indent string, incidents []trace.Incident) {
	for _, i := range incidents {
		fmt.Fprintf(w, "  %-20s  %s%s\n", plain.Time(i.At), indent, i.Text)
	}
}
