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

// fields are the strings that stand in an object or in an object right inside of it.
type fields map[place]string

// place is where a string stands: under a name of the body, or under a name of the object that has the outer name there.
type place struct {
	depth       int
	outer, name string
}

// object reads the body as one JSON object, or says why no two parsers need agree on what it means. Package encoding/json
// alone takes the last of equal keys, does not mind case, puts U+FFFD where bytes are no text, and nests 10,000 deep.
func object(body []byte, names []string) (fields, error) {
	if !utf8.Valid(body) {
		return nil, &UnreadableError{schema.QuarantineUTF8, errUTF8}
	}
	tokens := json.NewDecoder(bytes.NewReader(body))
	tokens.UseNumber() // a number that no float64 holds is JSON all the same
	found := fields{}
	if err := (scan{tokens, names, found}).value(1, place{}); err != nil {
		return nil, err
	}
	if _, err := tokens.Token(); !errors.Is(err, io.EOF) || !bytes.HasPrefix(bytes.TrimLeft(body, " \t\r\n"), []byte("{")) {
		return nil, &UnreadableError{schema.QuarantineJSON, errNotOneObject}
	}
	return found, nil
}

// scan walks over a value, token by token.
type scan struct {
	tokens *json.Decoder
	// names are those that are read: beside them not even another case of theirs may stand.
	names []string
	// found gets the strings.
	found fields
}

// value reads a value at a depth, which stands at the place.
func (s scan) value(depth int, at place) error {
	token, err := s.tokens.Token()
	if err != nil {
		return &UnreadableError{schema.QuarantineJSON, errNotOneObject} // err would quote the body
	}
	open, nests := token.(json.Delim)
	if text, ok := token.(string); ok && at.depth == depth-1 && at.depth > 0 {
		s.found[at] = text
	}
	if !nests {
		return nil
	}
	if depth > DepthMax {
		return &UnreadableError{schema.QuarantineDepth, errDepth}
	}
	seen := map[string]bool{}
	for s.tokens.More() {
		var inner place
		if open == '{' {
			key, folded, err := s.key(depth)
			if err != nil {
				return err
			}
			if seen[folded] {
				return &UnreadableError{schema.QuarantineDuplicateKey, errDuplicateKey}
			}
			seen[folded] = true
			if depth <= readDepth && at.depth == depth-1 {
				inner = place{depth, at.name, key}
			}
		}
		if err := s.value(depth+1, inner); err != nil {
			return err
		}
	}
	if _, err := s.tokens.Token(); err != nil { // the bracket that closes it
		return &UnreadableError{schema.QuarantineJSON, errNotOneObject}
	}
	return nil
}

// key reads a key. folded is the name that is read from which it differs in case only, or else the key itself.
func (s scan) key(depth int) (key, folded string, err error) {
	token, err := s.tokens.Token()
	key, ok := token.(string)
	if err != nil || !ok {
		return "", "", &UnreadableError{schema.QuarantineJSON, errNotOneObject}
	}
	if depth <= readDepth {
		if i := slices.IndexFunc(s.names, func(name string) bool { return strings.EqualFold(key, name) }); i >= 0 {
			return key, s.names[i], nil
		}
	}
	return key, key, nil
}

// text returns the string at a path, "" where there is none or something else.
func (f fields) text(path string) string {
	outer, name, deeper := strings.Cut(path, ".")
	if deeper {
		return f[place{2, outer, name}]
	}
	return f[place{1, "", path}]
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
