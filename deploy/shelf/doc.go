// Package shelf works on messages that wait for a decision of an operator: dead letters, and
// webhooks in quarantine.
//
//	letter.go  LetterJSON: a dead letter for another program
package shelf
