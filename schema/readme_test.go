package schema_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/wagewire/wagewire/schema"
)

const (
	readmeFile  = "README.md"
	eventsBegin = "<!-- events:begin -->"
	eventsEnd   = "<!-- events:end -->"
)

// eventsTable renders the catalogue for the README: a row for each type that is worked on, a line for the others.
func eventsTable() string {
	var b strings.Builder
	b.WriteString("| webhook | event's subject | queue | what its worker does |\n|---|---|---|---|\n")
	stored := map[schema.Provider][]string{}
	for _, w := range schema.Catalogue() {
		if len(w.Workers) == 0 {
			stored[w.Provider] = append(stored[w.Provider], "`"+w.Name+"`")
			continue
		}
		var queues []string
		for _, r := range w.Workers {
			queues = append(queues, "`"+schema.QueueName(w.Provider, r)+"`")
		}
		fmt.Fprintf(&b, "| `%s` | `%s` | %s | %s |\n", w.Name,
			schema.AccountEvents(w.Provider, w.Resource, w.Action, "<account>"), strings.Join(queues, "<br>"), w.Does)
	}
	b.WriteString("\nStored under their own resource and action, without a worker yet:\n\n")
	for _, p := range schema.Providers() {
		fmt.Fprintf(&b, "- %s: %s\n", p, strings.Join(stored[p], ", "))
	}
	fmt.Fprintf(&b, "\nA type that is in neither list is stored as `%s`.\n",
		schema.AccountEvents("<provider>", schema.Other, "<type>", "<account>"))
	return b.String()
}

func TestTheREADMEsTableOfEventsIsTheCatalogue(t *testing.T) {
	text, err := os.ReadFile(readmeFile)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, begins := strings.Cut(string(text), eventsBegin)
	_, after, ends := strings.Cut(rest, eventsEnd)
	if !begins || !ends || strings.Contains(after, eventsBegin) {
		t.Fatalf("%s must have the lines %s and %s once, in this order: the table of events stands between them", readmeFile, eventsBegin, eventsEnd)
	}
	current(t, readmeFile, before+eventsBegin+"\n"+eventsTable()+eventsEnd+after)
}
