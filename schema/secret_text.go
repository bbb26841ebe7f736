package schema

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"
)

const (
	// SecretBytesMin is the length of the shortest accepted secret. A signature made with a
	// shorter secret can be guessed.
	SecretBytesMin = 16
	// SecretTextBytesMax is the length of the longest accepted text of secrets. A longer file is
	// another file by mistake.
	SecretTextBytesMax = 64 << 10
)

// ParseSecrets reads the text of a file of secrets, one secret a line. A byte order mark, every
// kind of line end, empty lines, blanks around a line, and lines that begin with # are no part of
// a secret. ParseSecrets refuses marks of a mistake, such as quotes or a variable's name, because
// such a secret would never fit. Errors name the line, and never quote it.
func ParseSecrets(text []byte) ([]Secret, error) {
	lines, err := secretLines(text)
	if err != nil {
		return nil, err
	}
	var secrets []Secret
	for i, line := range lines {
		line = strings.Trim(line, " \t")
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if err := checkSecret(line); err != nil {
			return nil, fmt.Errorf("line %d: %w", i+1, err)
		}
		secrets = append(secrets, NewSecret(line))
	}
	if len(secrets) == 0 {
		return nil, errors.New("it holds no secret: write one secret a line")
	}
	return secrets, nil
}

// secretLines splits a text at every kind of line end: LF, CR LF, and CR alone.
func secretLines(text []byte) ([]string, error) {
	if len(text) > SecretTextBytesMax {
		return nil, fmt.Errorf("it is longer than %d KiB: name the file with the secrets",
			SecretTextBytesMax>>10)
	}
	if bytes.HasPrefix(text, []byte("\xff\xfe")) || bytes.HasPrefix(text, []byte("\xfe\xff")) {
		return nil, errors.New("it is in UTF-16: save it as UTF-8")
	}
	text = bytes.TrimPrefix(text, []byte("\ufeff"))
	return strings.Split(lineEnds.Replace(string(text)), "\n"), nil
}

// lineEnds turns every kind of line end into a single LF.
var lineEnds = strings.NewReplacer("\r\n", "\n", "\r", "\n")

// assignment matches NAME=value. The = at the end of a text in base64 has nothing behind it.
var assignment = regexp.MustCompile(`^(export\s+)?[A-Za-z_][A-Za-z0-9_]*\s*=+[^=]`)

// checkSecret returns why a line is no secret, without quoting the line.
func checkSecret(line string) error {
	switch {
	case strings.ContainsRune(line, 0):
		return errors.New("there is a NUL byte: if the file is in UTF-16, save it as UTF-8")
	case strings.ContainsFunc(line, isControl):
		return errors.New("there is a control character: write the secret again")
	case strings.ContainsFunc(line, isBeyondASCII):
		return errors.New("there is a character beyond ASCII: write the secret again")
	case strings.HasPrefix(line, "-----BEGIN"):
		return errors.New("a PEM block begins: write the secret alone")
	case assignment.MatchString(line):
		return errors.New("it is an assignment NAME=value: write the value alone")
	case isQuote(line[0]) || isQuote(line[len(line)-1]):
		return errors.New("there are quotes around the secret: remove them")
	case strings.ContainsAny(line, " \t"):
		return errors.New("there is a blank within the secret: " +
			"write one secret a line, and a comment on a line of its own")
	case len(line) < SecretBytesMin:
		return fmt.Errorf("the secret is shorter than %d bytes", SecretBytesMin)
	}
	return nil
}

// isControl reports whether r is an ASCII control character other than the tab, a blank.
func isControl(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }

func isBeyondASCII(r rune) bool { return r >= utf8.RuneSelf }

func isQuote(b byte) bool { return b == '"' || b == '\'' || b == '`' }
