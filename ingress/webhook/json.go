package webhook

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/wagewire/wagewire/schema"
)

// DepthMax is how deep objects and arrays may stand in each other.
const DepthMax = 64

// readDepth is how deep the deepest name stands that is read: payload.account_id.
const readDepth = 2

// What is wrong with a body, by the reason under which it goes to quarantine.
var (
	errUTF8           = errors.New("it is not valid UTF-8")
	errNotOneObject   = errors.New("it is not one JSON object")
	errDuplicateKey   = errors.New("an object names a key twice")
	errDepth          = fmt.Errorf("objects and arrays are nested deeper than %d", DepthMax)
	errNothingToErase = errors.New("it deletes a link and does not say which")
	errReplaced       = errors.New("the id, type or account holds U+FFFD: two that differ could read the same")
)

// fields is a JSON object, one level of it read.
type fields map[string]json.RawMessage

// object reads the body as one JSON object, or says why no two parsers need agree on what it means. Package encoding/json
// alone takes the last of equal keys, does not mind case, puts U+FFFD where bytes are no text, and nests 10,000 deep.
func object(body []byte, names []string) (fields, error) {
	if !utf8.Valid(body) {
		return nil, &UnreadableError{schema.QuarantineUTF8, errUTF8}
	}
	tokens := json.NewDecoder(bytes.NewReader(body))
	tokens.UseNumber() // a number that no float64 holds is JSON all the same
	if err := (scan{tokens, names}).value(1); err != nil {
		return nil, err
	}
	if _, err := tokens.Token(); !errors.Is(err, io.EOF) {
		return nil, &UnreadableError{schema.QuarantineJSON, errNotOneObject}
	}
	var top fields
	if err := json.Unmarshal(body, &top); err != nil || top == nil {
		return nil, &UnreadableError{schema.QuarantineJSON, errNotOneObject}
	}
	return top, nil
}

// scan walks over a value, token by token.
type scan struct {
	tokens *json.Decoder
	// names are those that are read: beside them not even another case of theirs may stand.
	names []string
}

func (s scan) value(depth int) error {
	token, err := s.tokens.Token()
	if err != nil {
		return &UnreadableError{schema.QuarantineJSON, errNotOneObject} // err would quote the body
	}
	open, nests := token.(json.Delim)
	if !nests {
		return nil
	}
	if depth > DepthMax {
		return &UnreadableError{schema.QuarantineDepth, errDepth}
	}
	seen := map[string]bool{}
	for s.tokens.More() {
		if open == '{' {
			key, err := s.key(depth)
			if err != nil {
				return err
			}
			if seen[key] {
				return &UnreadableError{schema.QuarantineDuplicateKey, errDuplicateKey}
			}
			seen[key] = true
		}
		if err := s.value(depth + 1); err != nil {
			return err
		}
	}
	if _, err := s.tokens.Token(); err != nil { // the bracket that closes it
		return &UnreadableError{schema.QuarantineJSON, errNotOneObject}
	}
	return nil
}

// key reads a key. One that differs in case only from a name that is read counts as that name.
func (s scan) key(depth int) (string, error) {
	token, err := s.tokens.Token()
	key, ok := token.(string)
	if err != nil || !ok {
		return "", &UnreadableError{schema.QuarantineJSON, errNotOneObject}
	}
	if depth <= readDepth {
		if i := slices.IndexFunc(s.names, func(name string) bool { return strings.EqualFold(key, name) }); i >= 0 {
			return s.names[i], nil
		}
	}
	return key, nil
}

// text returns the string at a path, "" where there is none or something else.
func (f fields) text(path string) string {
	name, rest, deeper := strings.Cut(path, ".")
	if deeper {
		var inner fields
		if json.Unmarshal(f[name], &inner) != nil {
			return ""
		}
		return inner.text(rest)
	}
	var s string
	if json.Unmarshal(f[name], &s) != nil {
		return ""
	}
	return s
}

// time returns the first time found at the paths, in UTC, otherwise the other one.
func (f fields) time(paths []string, otherwise time.Time) time.Time {
	for _, path := range paths {
		at, err := schema.ParseTime(f.text(path))
		// An offset can move a date beyond the four-digit years, where it could be written and never read again.
		if at = at.UTC(); err == nil && !at.IsZero() && at.Year() >= 1 && at.Year() <= 9999 {
			return at
		}
	}
	return otherwise
}
