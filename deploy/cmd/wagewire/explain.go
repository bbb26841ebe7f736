package main

import (
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"github.com/wagewire/wagewire/deploy"
	"github.com/wagewire/wagewire/deploy/command"
	"github.com/wagewire/wagewire/deploy/glossary"
)

func newExplainCommand(t terminal) *cobra.Command {
	return &cobra.Command{
		Use:     "explain [NAME]",
		GroupID: groupObserve,
		Short:   "Print what to do about a finding or an alert, or what a word means",
		Long: `wagewire explain prints the runbook's section about a finding of wagewire status, or
about an alert of Prometheus: what it means, how to look, what to do, and how to know it worked.

NAME is the name of a finding, such as refused-credentials, or of an alert, such as
WagewireRefusedCredentials. Without a NAME, explain lists the names, the most urgent first:
  bad   events are lost, or do not get finished, until a person acts; its alert pages
  warn  a person should act within days; its alert is a ticket
  note  nobody needs to act; it has no alert

NAME can also be a word of completions and commands: a status of an account (incomplete), an outcome
(unavailable), a class of failures (not_ready), or a code of a task of Truv's (login_error). Explain
then prints what the word means.

The command needs no broker.`,
		Example: `  List what status and alerts can say:
    wagewire explain
  See what to do about a finding:
    wagewire explain refused-credentials
  See what to do about an alert:
    wagewire explain WagewireBrokerAway
  See why an account is not ready:
    wagewire explain incomplete`,
		ValidArgs: append(topicNames(), wordNames()...),
		Args: func(_ *cobra.Command, args []string) error {
			switch {
			case len(args) > 1:
				return command.UsageError("give one name, or none")
			case len(args) == 1 && topicNamed(args[0]) < 0 && len(glossary.Named(args[0])) == 0:
				known := slices.Concat(topicNames(), alertNames(), wordNames())
				return command.UsageError("%q is no finding and no alert%s: see wagewire explain",
					args[0], command.Suggest(args[0], known))
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return listTopics(t.stdout)
			}
			if words := glossary.Named(args[0]); len(words) > 0 {
				return explainWords(t.stdout, words)
			}
			_, err := io.WriteString(t.stdout, deploy.Topics()[topicNamed(args[0])].Section())
			return err
		},
	}
}

// topicNamed returns the index of the topic with the name, or with the alert, -1 if there is none.
func topicNamed(name string) int {
	return slices.IndexFunc(deploy.Topics(), func(topic deploy.Topic) bool {
		return name == topic.Name || name == topic.Alert()
	})
}

func topicNames() []string {
	var names []string
	for _, topic := range deploy.Topics() {
		names = append(names, topic.Name)
	}
	return names
}

func alertNames() []string {
	var names []string
	for _, topic := range deploy.Topics() {
		names = append(names, topic.Alert())
	}
	return names
}

func wordNames() []string {
	var names []string
	for _, w := range glossary.Words() {
		names = append(names, w.Name)
	}
	return names
}

// explainWords prints what the words mean, and where the operator sees more.
func explainWords(w io.Writer, words []glossary.Word) error {
	next := "wagewire trace EVENT shows the way of one event"
	for _, word := range words {
		if word.Kind == glossary.OfAccount {
			next = "wagewire find ACCOUNT shows the state and what completed or failed"
		}
		fmt.Fprintf(w, "%s (%s): %s\n", word.Name, word.Kind, word.Means)
	}
	_, err := fmt.Fprintln(w, "next: "+next)
	return err
}

// listTopics prints a line for each topic.
func listTopics(w io.Writer) error {
	table := newTable(w)
	for _, topic := range deploy.Topics() {
		fmt.Fprintf(table, "%s\t%s\t%s\n", topic.Severity, topic.Name, topic.Means)
	}
	return table.Flush()
}
