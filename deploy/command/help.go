package command

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/wagewire/wagewire/schema/process"
)

// Annotations of a command, for the templates below.
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

const helpTemplate = `{{with or .Long .Short}}{{. | trimTrailingWhitespaces}}

{{end}}{{.UsageString}}`

const usageTemplate = `Usage:{{if not .Annotations.group}}
  {{.UseLine}}{{end}}{{if .HasAvailableSubCommands}}
  {{.CommandPath}} COMMAND{{end}}
{{- if .HasExample}}

Examples:
{{.Example | trimTrailingWhitespaces}}{{end}}
{{- if .HasAvailableSubCommands}}{{$c := .}}{{range .Groups}}{{$id := .ID}}

{{.Title}}{{range $c.Commands}}{{if and .IsAvailableCommand (eq .GroupID $id)}}
  {{rpad .Name .NamePadding}} {{.Short}}{{end}}{{end}}{{end}}

{{if .Groups}}Other:{{else}}Commands:{{end}}
{{- range .Commands}}{{if and .IsAvailableCommand (not .GroupID)}}
  {{rpad .Name .NamePadding}} {{.Short}}{{end}}{{end}}{{end}}
{{- if .HasAvailableLocalFlags}}

Flags:
{{.LocalFlags.FlagUsagesWrapped 100 | trimTrailingWhitespaces}}{{end}}
{{- if .HasAvailableInheritedFlags}}

Flags of every command:
{{.InheritedFlags.FlagUsagesWrapped 100 | trimTrailingWhitespaces}}{{end}}
{{with .Annotations.sections}}{{.}}{{end}}`
