package console

import (
	"bufio"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/wagewire/wagewire/deploy/plain"
	"github.com/wagewire/wagewire/schema/process"
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

// Limits for a file of tokens that cannot be read, perhaps because somebody is writing it.
const (
	// oldTokensFor is how long whom the file named before may read.
	oldTokensFor = 10 * time.Second
	// tokensTries is how often an action under way reads the file, and tokensAgain the time
	// between.
	tokensTries = 5
	tokensAgain = time.Second
)

// errTokens is all that a page says of the file. The log has the path and the mistake.
var errTokens = errors.New("the file of tokens cannot be read at the moment: the log says why")

// tokens is the file of tokens. It is safe for concurrent use.
type tokens struct {
	path string
	// providers are those beside which a token of the demonstration is refused.
	providers []process.ProviderURL
	log       *zap.Logger
	// again is the time until an action under way reads the file again.
	again time.Duration

	mu sync.Mutex
	// last are the persons of the last file that could be read, at readAt.
	last   []person
	readAt time.Time
	// problem is why the file cannot be read, "" if it can.
	problem string
}

// find returns the person with the token, and the zero person if nobody has it. If the file cannot
// be read, the error is errTokens: then the person may read for oldTokensFor, and do nothing else.
func (t *tokens) find(hash tokenHash) (person, error) {
	persons, err := t.read(time.Now())
	var found person
	for _, p := range persons { // all of them: the time says nothing about the place
		if subtle.ConstantTimeCompare(p.token[:], hash[:]) == 1 {
			found = p
		}
	}
	if err != nil && found.isKnown() {
		found.roles = []Role{RoleRead}
	}
	return found, err
}

// read reads the file. With errTokens it returns the persons of a moment ago.
func (t *tokens) read(now time.Time) ([]person, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	persons, err := readTokens(t.path, t.providers...)
	t.note(err)
	if err == nil {
		t.last = persons
		t.readAt = now
		return persons, nil
	}
	if now.Sub(t.readAt) > oldTokensFor {
		t.last = nil
	}
	return t.last, errTokens
}

// note logs a new problem once, and its end.
func (t *tokens) note(err error) {
	problem := ""
	if err != nil {
		problem = err.Error()
	}
	if problem == t.problem {
		return
	}
	t.problem = problem
	if err != nil {
		t.log.Error("file of tokens not read: nobody can act", zap.Error(err))
		return
	}
	t.log.Info("file of tokens read again")
}

// readTokens reads the file of tokens: a line is NAME ROLES TOKEN. A line that begins with # is no
// person. A name may stand in two lines while its token is replaced. A token of the demonstration
// is refused beside a real provider. Errors name the file and the line, and never hold a token.
func readTokens(path string, providers ...process.ProviderURL) ([]person, error) {
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
		p, err := parsePerson(line, providers)
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

func parsePerson(line string, providers []process.ProviderURL) (person, error) {
	fields := strings.Fields(line)
	if len(fields) != fieldsOfToken {
		return person{}, fmt.Errorf("write NAME ROLES TOKEN, and not %d words", len(fields))
	}
	p := person{name: fields[0], token: hashToken(fields[2])}
	for role := range strings.SplitSeq(fields[1], ",") {
		if !slices.Contains(Roles(), Role(role)) {
			return person{}, fmt.Errorf("the roles are not of %s", plain.List(Roles()))
		}
		p.roles = append(p.roles, Role(role))
	}
	if len(fields[2]) < tokenBytesMin {
		return person{}, fmt.Errorf("the token is shorter than %d characters", tokenBytesMin)
	}
	for _, provider := range providers {
		if err := provider.CheckValue("the token", fields[2]); err != nil {
			return person{}, err
		}
	}
	return p, nil
}
