package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/spf13/cobra"
	"go.uber.org/zap/zapcore"

	"github.com/wagewire/wagewire/deploy/command"
	"github.com/wagewire/wagewire/deploy/doctor"
	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/process"
	"github.com/wagewire/wagewire/schema/stream"
	"github.com/wagewire/wagewire/workers/fetch"
)

const program = "wagewire"

const (
	// exitDiffers is the exit code of provision plan --exit-code if something differs.
	exitDiffers = 3
	// exitBad is the exit code of status and doctor if something is BAD.
	exitBad = 4
)

// terminal is the process around a command: its environment, input and output.
type terminal struct {
	getenv         func(string) string
	stdin          io.Reader
	stdout, stderr io.Writer
	// canAnswer: a person at stdin can answer a question.
	canAnswer bool
	// isScreen: stdout is a screen.
	isScreen bool
}

// run runs a command line and returns the exit code. Results go to stdout, messages to stderr.
func run(
	ctx context.Context, args []string, getenv func(string) string,
	stdin io.Reader, stdout, stderr io.Writer,
) int {
	stderr = zapcore.Lock(zapcore.AddSync(stderr)) // the NATS connection logs from goroutines
	return execute(ctx, args, terminal{
		getenv:    getenv,
		stdin:     stdin,
		stdout:    stdout,
		stderr:    stderr,
		canAnswer: isTerminal(stdin),
		isScreen:  isTerminal(stdout),
	})
}

// execute runs a command line in the terminal and returns the exit code.
func execute(ctx context.Context, args []string, t terminal) int {
	return command.Run(ctx, newRoot(t), args, t.stdout, t.stderr)
}

func isTerminal(end any) bool {
	file, ok := end.(*os.File)
	return ok && process.Terminal(file)
}

// Groups of commands in wagewire --help.
const (
	groupInstall = "install"
	groupObserve = "observe"
	groupBuild   = "build"
	groupRepair  = "repair"
)

func newRoot(t terminal) *cobra.Command {
	root := &cobra.Command{Use: program, Long: rootLong, Example: rootExample}
	root.AddGroup(
		&cobra.Group{ID: groupInstall, Title: "Install:"},
		&cobra.Group{ID: groupObserve, Title: "Send and observe:"},
		&cobra.Group{ID: groupBuild, Title: "Build on completions:"},
		&cobra.Group{ID: groupRepair, Title: "Repair:"},
	)
	root.AddCommand(
		newProvisionCommand(t), newNkeysCommand(t), newCertsCommand(t), newTeamCommand(t),
		newSendCommand(t), newTailCommand(t), newStatusCommand(t), newTraceCommand(t),
		newMetricsCommand(t), newConsoleCommand(t),
		newDriftCommand(t), newDoctorCommand(t), newFindCommand(t), newExplainCommand(t),
		newListenCommand(t), newTriggerCommand(t),
		newRecordCommand(t),
		newDeadCommand(t), newQuarantineCommand(t), newReplayCommand(t), newBackfillCommand(t),
		newAccountsCommand(t),
		newRetryCommand(t), newPauseCommand(t), newResumeCommand(t), newBudgetCommand(t),
		newHealthcheckCommand(t), newIdleCommand(),
	)
	command.AddEnvironment(root, slices.Concat(brokerVariables(), secretVariables()))
	addExitCodes(root)
	return root
}

// addExitCodes adds the exit codes to the help of the command and of every command below.
func addExitCodes(cmd *cobra.Command) {
	text := exitCodes
	if !cmd.HasParent() || cmd.Name() == "plan" {
		text += exitCodeOfPlan
	}
	if !cmd.HasParent() || cmd.Name() == "doctor" || cmd.Name() == "status" {
		text += exitCodeOfBad
	}
	command.AddSection(cmd, "Exit codes", text)
	for _, sub := range cmd.Commands() {
		addExitCodes(sub)
	}
}

const (
	exitCodes = `  0  done, also if Ctrl-C ended a command that has no end of its own
  1  failed, refused or declined; the last line says why
  2  the command line is wrong
`
	exitCodeOfPlan = "  3  provision plan --exit-code found a difference\n"
	exitCodeOfBad  = "  4  status or doctor found something BAD\n"
)

// untilInterrupted makes Ctrl-C a success of a command without an end.
func untilInterrupted(cmd *cobra.Command, isEndless func() bool) *cobra.Command {
	run := cmd.RunE
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		err := run(cmd, args)
		if isEndless() && cmd.Context().Err() != nil {
			return nil //nolint:nilerr // the interrupt is the cause of the error
		}
		return err
	}
	return cmd
}

func brokerVariables() []process.Variable { return process.Variables(stream.Config{}) }

// secretVariables are the variables of the files with each provider's secrets.
func secretVariables() []process.Variable {
	var variables []process.Variable
	for _, p := range schema.Providers() {
		variables = append(variables, process.Variable{
			Name: p.Variable("SECRETS_FILE"),
			Help: fmt.Sprintf("file with secrets of %s, one a line; the first signs what is sent",
				p.Title()),
		})
	}
	return variables
}

// apiVariables are the variables of each provider's API.
func apiVariables() []process.Variable {
	var variables []process.Variable
	for _, p := range schema.Providers() {
		variables = append(variables, fetch.Variables(p)...)
	}
	return variables
}

// consoleVariables is the variable of the console's address, for the commands that print the
// address of a page.
func consoleVariables() []process.Variable { return process.Variables(process.ConsoleConfig{}) }

// readConsole returns the address of the console, empty without one.
func readConsole(getenv func(string) string) (process.Console, error) {
	var c process.ConsoleConfig
	err := process.ReadConfig(getenv, &c)
	return c.URL, err
}

// addWebhookURL adds --webhook-url.
func addWebhookURL(cmd *cobra.Command, target *string) {
	addParsed(cmd.Flags(), target, "webhook-url", "address", "",
		"our public address for webhooks, without the provider (default "+
			doctor.WebhookURLVariable+")",
		func(text string) (string, error) { return text, doctor.CheckURL(text) })
}

// readWebhookURL returns the flag, or the variable without one.
func readWebhookURL(flag string, getenv func(string) string) (string, error) {
	if flag != "" {
		return flag, nil
	}
	text, err := process.ReadVariable(getenv, doctor.WebhookURLVariable)
	if err != nil || text == "" {
		return "", err
	}
	if err := doctor.CheckURL(text); err != nil {
		return "", fmt.Errorf("%s: %w", doctor.WebhookURLVariable, err)
	}
	return text, nil
}

const rootLong = `wagewire operates Wagewire. Wagewire stores webhooks of payroll data providers,
fetches the data that each webhook announces, and publishes a completion for each.`

const rootExample = `  Create the streams and queues of a new installation, after a look at them:
    wagewire provision plan
    wagewire provision apply
  Send a webhook about an employment and watch for its completion:
    wagewire tail &
    PINWHEEL_SECRETS_FILE=pinwheel.secret wagewire send employment.added
  Check an installation, and our registration at each provider:
    wagewire doctor --webhook-url https://hooks.example.com/webhooks
  Check the whole line, and the history of one event:
    wagewire status
    wagewire trace 5a141122-4235-4fa1-bd76-0628573880b0
  Look at the same in a browser:
    wagewire console
  Try the events that wait now, after the provider has healed:
    wagewire retry --class transient
  Redrive what failed during an outage of the provider:
    wagewire dead redrive --class transient`
