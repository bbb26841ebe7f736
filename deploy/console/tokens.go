package console

import (
	"bufio"
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"os"
	"slices"
	"strings"
)

const (
	// tokenBytesMin is the length of the shortest token: as of every secret.
	tokenBytesMin = 16
	// tokensBytesMax is the size of the largest file of tokens.
	tokensBytesMax = 64 << 10
	// fieldsOfToken are NAME, ROLES and TOKEN.
	fieldsOfToken = 3
)

// tokenHash is the SHA-256 of a token. Nothing else of a token is kept.
type tokenHash [sha256.Size]byte

func hashToken(token string) tokenHash { return sha256.Sum256([]byte(token)) }

// findPerson returns the person with the token, and the zero person if nobody has it.
func findPerson(path string, hash tokenHash) (person, error) {
	persons, err := readTokens(path)
	if err != nil {
		return person{}, err
	}
	var found person
	for _, p := range persons { // all of them: the time says nothing about the place
		if subtle.ConstantTimeCompare(p.token[:], hash[:]) == 1 {
			found = p
		}
	}
	return found, nil
}

// readTokens reads the file of tokens: a line is NAME ROLES TOKEN. A line that begins with # is no
// person. A name may stand in two lines while its token is replaced. Errors name the file and the
// line, and never hold a token.
func readTokens(path string) ([]person, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("CONSOLE_TOKENS_FILE: %w", err)
	}
	if !info.Mode().IsRegular() || info.Size() > tokensBytesMax {
		return nil, fmt.Errorf("CONSOLE_TOKENS_FILE: %s is no file of at most %d bytes", path,
			tokensBytesMax)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("CONSOLE_TOKENS_FILE: %w", err)
	}
	var persons []person
	lines := bufio.NewScanner(strings.NewReader(string(text)))
	for number := 1; lines.Scan(); number++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		p, err := parsePerson(line)
		if err != nil {
			return nil, fmt.Errorf("CONSOLE_TOKENS_FILE: %s line %d: %w", path, number, err)
		}
		if slices.ContainsFunc(persons, func(o person) bool { return o.token == p.token }) {
			return nil, fmt.Errorf("CONSOLE_TOKENS_FILE: %s line %d: the token stands there twice",
				path, number)
		}
		persons = append(persons, p)
	}
	if len(persons) == 0 {
		return nil, fmt.Errorf("CONSOLE_TOKENS_FILE: %s has no line NAME ROLES TOKEN", path)
	}
	return persons, lines.Err()
}

func parsePerson(line string) (person, error) {
	fields := strings.Fields(line)
	if len(fields) != fieldsOfToken {
		return person{}, fmt.Errorf("write NAME ROLES TOKEN, and not %d words", len(fields))
	}
	p := person{name: fields[0], token: hashToken(fields[2])}
	for role := range strings.SplitSeq(fields[1], ",") {
		if !slices.Contains(Roles(), Role(role)) {
			return person{}, fmt.Errorf("the roles are not of %s", join(Roles()))
		}
		p.roles = append(p.roles, Role(role))
	}
	if len(fields[2]) < tokenBytesMin {
		return person{}, fmt.Errorf("the token is shorter than %d characters", tokenBytesMin)
	}
	return p, nil
}
