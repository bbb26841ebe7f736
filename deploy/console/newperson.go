package console

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/wagewire/wagewire/deploy/plain"
)

// newTokenBytes is how many random bytes a new token has.
const newTokenBytes = 32

// personName is a name that stands in a line, in a log and on a page without a change.
var personName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._@+-]{0,63}$`)

// NewPerson returns a line for the file of tokens, without its line end: the name, the roles, and
// a new random token. A role must be one of Roles.
func NewPerson(name string, roles []string) (line string, err error) {
	if !personName.MatchString(name) {
		return "", fmt.Errorf("%q is no name: write 1 to 64 letters, digits and . _ @ + -, "+
			"such as anna", name)
	}
	if len(roles) == 0 {
		return "", errors.New("a person needs a role: " + plain.List(Roles()))
	}
	for _, role := range roles {
		if !slices.Contains(Roles(), Role(role)) {
			return "", fmt.Errorf("%q is no role: write some of %s", role, plain.List(Roles()))
		}
	}
	token := make([]byte, newTokenBytes)
	if _, err := rand.Read(token); err != nil {
		return "", err
	}
	return fmt.Sprintf("%s %s %s", name, strings.Join(roles, ","), hex.EncodeToString(token)), nil
}
