package command

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/wagewire/wagewire/schema/process"
)

// Annotations of a command, for the functions below.
const (
	// sections holds the sections of the command's help.
	sections = "sections"
	// group marks a command that only groups others.
	group = "group"
)

// AddSection adds a section to the end of the command's help, after the flags. The text is indented
// by two spaces, as the help shows it.
func AddSection(c *cobra.Command, title, text string) {
	section := "\n" + title + ":\n" + strings.TrimRight(text, "\n") + "\n"
	annotate(c, sections, c.Annotations[sections]+section)
}

// AddEnvironment adds the section "Environment" with the variables to the command's help.
func AddEnvironment(c *cobra.Command, variables []process.Variable) {
	var text strings.Builder
	process.PrintVariables(&text, variables)
	AddSection(c, "Environment", text.String())
}

func annotate(c *cobra.Command, name, value string) {
	if c.Annotations == nil {
		c.Annotations = map[string]string{}
	}
	c.Annotations[name] = value
}

// writeHelp and writeUsage are functions, not templates: the linker keeps every method of every
// type in a binary that has text/template, and an image would grow by a quarter.
func writeHelp(c *cobra.Command, _ []string) {
	about := cmp.Or(c.Long, c.Short)
	if about != "" {
		about = strings.TrimRight(about, " \n") + "\n\n"
	}
	fmt.Fprint(c.OutOrStdout(), about, c.UsageString())
}

func writeUsage(c *cobra.Command) error {
	var text strings.Builder
	text.WriteString("Usage:")
	if c.Annotations[group] == "" {
		fmt.Fprintf(&text, "\n  %s", c.UseLine())
	}
	if c.HasAvailableSubCommands() {
		fmt.Fprintf(&text, "\n  %s COMMAND", c.CommandPath())
	}
	if c.HasExample() {
		fmt.Fprintf(&text, "\n\nExamples:\n%s", strings.TrimRight(c.Example, " \n"))
	}
	if c.HasAvailableSubCommands() {
		writeCommands(&text, c)
	}
	if c.HasAvailableLocalFlags() {
		writeFlags(&text, "Flags", c.LocalFlags())
	}
	if c.HasAvailableInheritedFlags() {
		writeFlags(&text, "Flags of every command", c.InheritedFlags())
	}
	fmt.Fprintf(&text, "\n%s", c.Annotations[sections])
	_, err := fmt.Fprint(c.OutOrStderr(), text.String())
	return err
}

// writeCommands lists the commands under c by group. Those without a group come last.
func writeCommands(text *strings.Builder, c *cobra.Command) {
	rest := &cobra.Group{Title: "Commands:"}
	if len(c.Groups()) > 0 {
		rest.Title = "Other:"
	}
	for _, g := range append(slices.Clone(c.Groups()), rest) {
		fmt.Fprintf(text, "\n\n%s", g.Title)
		for _, child := range c.Commands() {
			if child.IsAvailableCommand() && child.GroupID == g.ID {
				fmt.Fprintf(text, "\n  %-*s %s", child.NamePadding(), child.Name(), child.Short)
			}
		}
	}
}

func writeFlags(text *strings.Builder, title string, flags *pflag.FlagSet) {
	fmt.Fprintf(text, "\n\n%s:\n%s", title, strings.TrimRight(flags.FlagUsagesWrapped(100), " \n"))
}
