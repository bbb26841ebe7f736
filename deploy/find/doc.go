// Package find reads all that the streams have of one account: for `wagewire find` and for the
// pages of the console. No entry has data of the person.
//
//	account.go  Account, Token: the entries of an account; Places: where it is known
//	entry.go    Entry: a message about the account, without its content
//	token.go    Tokens: under which names an account may stand in subjects
package find
