package deploy_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wagewire/wagewire/deploy"
)

func TestTheRunbookHasASectionForEachTopic(t *testing.T) {
	text, err := os.ReadFile("runbook.md")
	if err != nil {
		t.Fatal(err)
	}
	var titles, topics []string
	for _, match := range regexp.MustCompile(`(?m)^## (.+)$`).FindAllStringSubmatch(string(text), -1) {
		titles = append(titles, match[1])
	}
	for _, topic := range deploy.Topics() {
		topics = append(topics, topic.Name)
	}
	if diff := cmp.Diff(topics, titles); diff != "" {
		t.Errorf("sections of runbook.md, the most urgent first (-want +got)\n%s", diff)
	}
}

// parts are the parts of each section, in this order.
var parts = []string{"What it means", "How to look", "What to do", "How to know it worked"}

func TestASectionHasFourPartsWithText(t *testing.T) {
	for _, topic := range deploy.Topics() {
		t.Run(topic.Name, func(t *testing.T) {
			section := topic.Section()
			title, rest, _ := strings.Cut(section, "\n")
			if title != "## "+topic.Name {
				t.Fatalf("it begins with %q", title)
			}
			before, rest, _ := strings.Cut(rest, "**"+parts[0]+"**\n")
			if strings.TrimSpace(before) != "" {
				t.Errorf("text before the first part: %q", before)
			}
			for _, next := range append(parts[1:], "") {
				part, after, isThere := strings.Cut(rest, "\n**"+next+"**\n")
				if next != "" && !isThere {
					t.Fatalf("there is no part %q", next)
				}
				if strings.TrimSpace(part) == "" {
					t.Errorf("the part before %q is empty", next)
				}
				rest = after
			}
			if strings.Contains(section, "\n## ") {
				t.Error("it runs into the next section")
			}
		})
	}
}

// TestTheRunbookNamesOnlyCommandsOfWagewire holds the commands of the runbook against the command
// line: the help of every command is in testdata.
func TestTheRunbookNamesOnlyCommandsOfWagewire(t *testing.T) {
	text, err := os.ReadFile("runbook.md")
	if err != nil {
		t.Fatal(err)
	}
	called := regexp.MustCompile("(?m)(?:`|^ *)wagewire ([a-z]+)(?: ([a-z]+))?")
	flag := regexp.MustCompile(`--[a-z-]+`)
	for _, line := range strings.Split(string(text), "\n") {
		for _, match := range called.FindAllStringSubmatchIndex(line, -1) {
			command, help := commandHelp(line, match)
			if help == "" {
				t.Errorf("there is no command %q: %s", command, line)
				continue
			}
			arguments, _, _ := strings.Cut(line[match[0]+1:], "`")
			arguments, _, _ = strings.Cut(arguments, "#")
			for _, name := range flag.FindAllString(arguments, -1) {
				if !strings.Contains(help, name) {
					t.Errorf("wagewire %s has no flag %s: %s", command, name, line)
				}
			}
		}
	}
}

// commandHelp returns the longest command that the match names, and its help.
func commandHelp(line string, match []int) (command, help string) {
	word := func(i int) string {
		if match[i] < 0 {
			return ""
		}
		return line[match[i]:match[i+1]]
	}
	for _, command = range []string{word(2) + "_" + word(4), word(2)} {
		text, err := os.ReadFile("cmd/wagewire/testdata/help/wagewire_" + command + ".golden")
		if err == nil {
			return strings.ReplaceAll(command, "_", " "), string(text)
		}
	}
	return command, ""
}

func TestAnAlertHasTheNameOfItsTopic(t *testing.T) {
	topic := deploy.Topic{Name: "refused-credentials"}
	if got := topic.Alert(); got != "WagewireRefusedCredentials" {
		t.Errorf("got %s", got)
	}
	if got := (deploy.Topic{Name: "refused"}).Section(); got != "" {
		t.Errorf("a topic without a section has %q", got)
	}
}
