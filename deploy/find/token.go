package find

import (
	"regexp"
	"slices"

	"github.com/wagewire/wagewire/schema"
)

// hashed is the token of schema.HashToken.
var hashed = regexp.MustCompile(`^h_[A-Z2-7]{52}$`)

// Tokens returns the tokens under which an account or a person may stand in subjects. The name is
// the provider's id, or a token. The id of a person is always hashed.
func Tokens(name string) []string {
	tokens := append(AccountTokens(name), schema.HashToken(name))
	slices.Sort(tokens)
	return slices.Compact(tokens)
}

// IsToken reports whether the text is the token of an account or of a person.
func IsToken(text string) bool { return slices.Contains(AccountTokens(text), text) }

// IsAccount reports whether the name is the account's token, or the provider's id of the account.
func IsAccount(token, name string) bool { return slices.Contains(Tokens(name), token) }

// AccountTokens returns the token of an account's id, and the name itself if it is the hash of
// an id.
func AccountTokens(name string) []string {
	tokens := []string{schema.Token(name)}
	if hashed.MatchString(name) {
		tokens = append(tokens, name)
	}
	return tokens
}
