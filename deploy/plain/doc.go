// Package plain writes words, times and sizes as people read them, in the output of commands and
// on the pages of the console, and reads what people write. Nothing of it controls a terminal.
//
//	word.go  Word, Text, List: what others named; Count: a number and its noun
//	shell.go Shell, CommandLine: command lines to copy
//	parse.go ParseAge, ParseTime: durations and times as people write them
//	time.go  Time, Age, Ago, In: times and durations; Size: bytes
package plain
