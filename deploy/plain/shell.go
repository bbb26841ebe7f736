package plain

import "strings"

// shellSafe are the characters that mean nothing to a shell.
const shellSafe = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._:@/=,+-"

// Shell is a word of a command line, to copy into a POSIX shell. A word that a shell would not read
// as it is stands in quotes, as Text: a terminal would act on control characters.
func Shell(word string) string {
	isOther := func(r rune) bool { return !strings.ContainsRune(shellSafe, r) }
	if word != "" && !strings.ContainsFunc(word, isOther) {
		return word
	}
	return "'" + strings.ReplaceAll(Text(word), "'", `'\''`) + "'"
}

// CommandLine is a command line, to copy into a POSIX shell.
func CommandLine(words ...string) string {
	quoted := make([]string, len(words))
	for i, word := range words {
		quoted[i] = Shell(word)
	}
	return strings.Join(quoted, " ")
}
