package schema_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/wagewire/wagewire/schema"
)

// eventsTable renders the catalogue: a table of the types with workers, a list of the others.
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
	b.WriteString("\nTypes without a worker are stored under their own resource and action:\n\n")
	for _, p := range schema.Providers() {
		var names []string
		for _, w := range storedOnly(p) {
			names = append(names, code(w.Name))
		}
		fmt.Fprintf(&b, "- %s: %s\n", p.Title(), strings.Join(names, ", "))
	}
	b.WriteString("\n" + storedWhy)
	fmt.Fprintf(&b, "\nAny other type is stored as %s.\n",
		code(schema.AccountEvents("<provider>", schema.Other, "<type>", "<account>")))
	return b.String()
}

// storedWhy says what the types without a worker are.
const storedWhy = `None of them has a completion:

- Bills and bill switches (` + "`" + `bill.…` + "`" + `, ` + "`" + `bill_switch.…` + "`" + `) are of Pinwheel's product for a person's bills.
- ` + "`" + `company_connect.…` + "`" + ` is of the product for employers, whose data is not that of one person.
- ` + "`" + `paycheck_viewer.added` + "`" + ` is of the product that shows paychecks to the person.
- ` + "`" + `account.additional_connections_recommended` + "`" + ` recommends further accounts to connect, and has no data of the account.
- Truv's types are about tasks, orders and certifications, and about data that has no worker yet.
`

// supportMatrix renders a row for each provider: the resources with a worker, and the number of
// types without.
func supportMatrix() string {
	var b strings.Builder
	b.WriteString("| provider | webhooks that workers complete | stored only |\n|---|---|---|\n")
	for _, p := range schema.Providers() {
		var resources []string
		for _, w := range schema.Catalogue() {
			for _, r := range w.Workers {
				name := strings.ReplaceAll(string(r), "_", " ")
				if w.Provider == p && !slices.Contains(resources, name) {
					resources = append(resources, name)
				}
			}
		}
		fmt.Fprintf(&b, "| %s | %s | %d types |\n",
			p.Title(), strings.Join(resources, ", "), len(storedOnly(p)))
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
