// Package plain writes words, times and sizes as people read them: in the output of commands, and
// on the pages of the console. Nothing of it controls a terminal.
//
//	word.go  Word, Text: what others named; Count: a number and its noun
//	time.go  Time, Age, Ago, In: times and durations; Size: bytes
package plain
