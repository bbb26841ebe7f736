package schema_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/wagewire/wagewire/schema"
)

// eventsTable renders the catalogue: a table of the types with workers, and one of the others with
// the reasons.
func eventsTable() string {
	var b strings.Builder
	b.WriteString("| webhook | event's subject | queue | work |\n|---|---|---|---|\n")
	for _, w := range schema.Catalogue() {
		if len(w.Workers) == 0 {
			continue
		}
		var queues []string
		for _, r := range w.Workers {
			queues = append(queues, code(schema.QueueName(w.Provider, r)))
		}
		subject := schema.AccountEvents(w.Provider, w.Resource, w.Action, "<account>")
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n",
			code(w.Name), code(subject), strings.Join(queues, "<br>"), w.Does)
	}
	b.WriteString("\nTypes without a worker are stored under their own resource and action, " +
		"and have no completion:\n\n| provider | webhook | why no worker reads it |\n|---|---|---|\n")
	for _, p := range schema.Providers() {
		for types := storedOnly(p); len(types) > 0; {
			why := types[0].Why
			var names []string
			types = slices.DeleteFunc(types, func(w schema.WebhookType) bool {
				if w.Why == why {
					names = append(names, code(w.Name))
				}
				return w.Why == why
			})
			fmt.Fprintf(&b, "| %s | %s | %s |\n", p.Title(), strings.Join(names, ", "), why)
		}
	}
	fmt.Fprintf(&b, "\nAny other type is stored as %s.\n",
		code(schema.AccountEvents("<provider>", schema.Other, "<type>", "<account>")))
	return b.String()
}

// notDocumented is the one type of the catalogue that stands in no list of its provider.
const notDocumented = "account.removed"

// supportMatrix renders a row for each provider: the numbers of its types with workers and without,
// and the resources of the workers.
func supportMatrix() string {
	var b strings.Builder
	b.WriteString("| provider | webhook types | worked on | stored only | completions of |\n" +
		"|---|---|---|---|---|\n")
	for _, p := range schema.Providers() {
		var resources []string
		documented := 0
		extra := ""
		completed := 0
		for _, w := range schema.Catalogue() {
			if w.Provider != p {
				continue
			}
			documented++
			if w.Name == notDocumented {
				documented--
				extra = ", and " + code(w.Name)
			}
			completed += min(len(w.Workers), 1)
			for _, r := range w.Workers {
				name := strings.ReplaceAll(string(r), "_", " ")
				if !slices.Contains(resources, name) {
					resources = append(resources, name)
				}
			}
		}
		fmt.Fprintf(&b, "| %s | %d documented%s | %d | %d | %s |\n", p.Title(), documented, extra,
			completed, len(storedOnly(p)), strings.Join(resources, ", "))
	}
	return b.String()
}

// storedOnly returns the provider's types without workers.
func storedOnly(p schema.Provider) []schema.WebhookType {
	return slices.DeleteFunc(schema.Catalogue(), func(w schema.WebhookType) bool {
		return w.Provider != p || len(w.Workers) > 0
	})
}

func code(text string) string { return "`" + text + "`" }

func TestTheGeneratedPartOfAREADMEIsTheCatalogue(t *testing.T) {
	for name, test := range map[string]struct{ file, want string }{
		"events":  {"README.md", eventsTable()},
		"support": {"../README.md", supportMatrix()},
	} {
		t.Run(name, func(t *testing.T) {
			text, err := os.ReadFile(test.file)
			if err != nil {
				t.Fatal(err)
			}
			begin := "<!-- " + name + ":begin -->"
			end := "<!-- " + name + ":end -->"
			before, rest, begins := strings.Cut(string(text), begin)
			_, after, ends := strings.Cut(rest, end)
			if !begins || !ends || strings.Contains(after, begin) {
				t.Fatalf("%s must have the lines %s and %s once, in this order: "+
					"a generated table stands between them", test.file, begin, end)
			}
			current(t, test.file, before+begin+"\n"+test.want+end+after)
		})
	}
}
