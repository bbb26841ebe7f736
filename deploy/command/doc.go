// Package command holds the habits that the commands of this module share. Each command is a tree
// of cobra commands; [Run] runs the tree and turns its error into a message and an exit code.
//
//	exit code 0   the command did its work
//	exit code 1   the command failed; the last line on standard error says why
//	exit code 2   the command line is wrong: cobra refused it, or the command returned UsageError
//	other codes   the command returned [Exit]
//
// Some commands differ: providers and bench end with 1 for every error, and chaos and simulate end
// with 2 also if they could not run.
//
// Run gives every tree --version, the subcommands version, help and completion, and the same
// layout of help: description, usage, examples, commands by group, flags, and then the sections
// that [AddSection] and [AddEnvironment] added. Commands without a group are the last, under
// "Other". A word that is no command gets the suggestions of cobra; [Suggest] gives other words,
// such as a webhook type, the same.
//
// A command that starts processes of its own gives them a process group with [OwnGroup] or
// [InOwnGroup], so that Ctrl-C reaches the command alone and no child outlives it.
package command
