package command

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/wagewire/wagewire/schema/process"
)

// The exit codes of every command.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
)

// usageError is an error in the command line.
type usageError struct{ text string }

func (e *usageError) Error() string { return e.text }

// UsageError returns an error in the command line. Run prints the error with a pointer to the help
// and returns exit code 2.
func UsageError(format string, args ...any) error {
	return &usageError{fmt.Sprintf(format, args...)}
}

// exitError is an error with an exit code of its own.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit code %d", e.code)
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

// Exit returns an error that makes Run return the code. Run prints err unless err is nil.
func Exit(code int, err error) error { return &exitError{code, err} }

// Run runs the command that args name in the tree of root and returns the exit code of the
// process. Commands write to cmd.OutOrStdout and cmd.ErrOrStderr, and return errors from RunE: Run
// prints the error. The tree is used once.
func Run(
	ctx context.Context,
	root *cobra.Command,
	args []string,
	stdout, stderr io.Writer,
) int {
	started := false
	root.SetArgs(append([]string{}, args...)) // nil makes cobra read the process's own
	root.SetOut(stdout)
	root.SetErr(stderr)
	prepare(root, &started)
	ran, err := root.ExecuteContextC(ctx)
	if err != nil && !started {
		err = &usageError{err.Error()} // cobra refused the command line
	}
	return report(ctx, ran.CommandPath(), err, stderr)
}

// report prints the error of the command and returns the exit code.
func report(ctx context.Context, name string, err error, stderr io.Writer) int {
	if err == nil {
		return exitOK
	}
	if exit, ok := errors.AsType[*exitError](err); ok {
		if exit.err != nil {
			fmt.Fprintf(stderr, "%s: %v\n", name, err)
		}
		return exit.code
	}
	if usage, ok := errors.AsType[*usageError](err); ok {
		fmt.Fprintf(stderr, "%s: %s\nsee: %s --help\n", name, usage.text, name)
		return exitUsage
	}
	if ctx.Err() != nil {
		fmt.Fprintf(stderr, "%s: interrupted: %v\n", name, err)
		return exitFailed
	}
	fmt.Fprintf(stderr, "%s: %v\n", name, err)
	return exitFailed
}

// prepare gives the tree what all trees have. The commands set started when their own work begins:
// an error before that is an error in the command line.
func prepare(root *cobra.Command, started *bool) {
	root.SilenceErrors = true
	root.SilenceUsage = true
	root.Flags().BoolP("version", "v", false, "print the version")
	root.SetUsageFunc(writeUsage)
	root.SetHelpFunc(writeHelp)
	root.AddCommand(versionCommand())
	root.InitDefaultHelpCmd()
	refuseUnknownHelp(root)
	root.InitDefaultCompletionCmd()
	prepareAll(root, started)
	answerVersion(root)
}

// answerVersion lets the flag --version print what the command version prints. The flag that cobra
// has prints other words, unless a template changes them.
func answerVersion(root *cobra.Command) {
	run := root.RunE
	root.RunE = func(c *cobra.Command, args []string) error {
		if asked, _ := c.Flags().GetBool("version"); asked {
			return printVersion(c, nil)
		}
		return run(c, args)
	}
}

func prepareAll(c *cobra.Command, started *bool) {
	c.Flags().SortFlags = false
	if !c.Runnable() {
		annotate(c, group, "yes")
		c.RunE = refuseNoCommand
	}
	if c.Args == nil {
		c.Args = NoArguments
	}
	if run := c.RunE; run != nil {
		c.RunE = func(c *cobra.Command, args []string) error {
			*started = true
			return run(c, args)
		}
	}
	for _, child := range c.Commands() {
		prepareAll(child, started)
	}
}

func versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		RunE:  printVersion,
	}
}

func printVersion(c *cobra.Command, _ []string) error {
	_, err := fmt.Fprintln(c.OutOrStdout(), c.Root().Name(), process.Version())
	return err
}

// refuseUnknownHelp makes the help command refuse a word that is no command.
func refuseUnknownHelp(root *cobra.Command) {
	help, _, _ := root.Find([]string{"help"})
	help.Args = func(_ *cobra.Command, args []string) error {
		named, rest, err := root.Find(args)
		if err != nil {
			return err
		}
		return NoArguments(named, rest)
	}
}

// refuseNoCommand is the work of a command that only groups others.
func refuseNoCommand(c *cobra.Command, _ []string) error {
	return UsageError("give a command: %s", OneOf(commandNames(c)))
}

// NoArguments refuses every argument. Where commands could stand, the error suggests some. Run sets
// NoArguments as the Args of a command without Args.
func NoArguments(c *cobra.Command, args []string) error {
	switch {
	case len(args) == 0:
		return nil
	case c.HasAvailableSubCommands():
		return UsageError("there is no command %q%s", args[0], Suggest(args[0], commandNames(c)))
	default:
		return UsageError("unexpected argument %q", args[0])
	}
}

func commandNames(c *cobra.Command) []string {
	var names []string
	for _, child := range c.Commands() {
		if child.IsAvailableCommand() {
			names = append(names, child.Name())
		}
	}
	return names
}
