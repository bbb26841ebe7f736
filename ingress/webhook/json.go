package webhook

import (
	"bytes"
	"cmp"
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

const (
	// DepthMax is how deeply objects and arrays may be nested.
	DepthMax = 64

	// foldDepthMin is a depth of nesting. Down to this depth, an object may not hold a wanted name
	// twice with different letter case, such as event_id and EVENT_ID.
	foldDepthMin = 2
)

// The reasons for quarantine that concern JSON.
var (
	errUTF8         = errors.New("the body is not valid UTF-8")
	errNotOneObject = errors.New("the body is not one JSON object")
	errDuplicateKey = errors.New("an object names a key twice")
	errDepth        = fmt.Errorf("objects and arrays are nested deeper than %d", DepthMax)
)

// fields are the strings found in a body, by path. A path is names joined by dots.
type fields map[string]string

// readObject reads the body as one JSON object. It refuses a body that two parsers may understand
// differently. Package encoding/json alone takes the last of equal keys, ignores letter case, puts
// U+FFFD in place of invalid UTF-8, and accepts 10,000 levels of nesting. Package
// encoding/json/jsontext, an experiment in Go 1.26, refuses equal keys and invalid UTF-8, but not
// the other two.
func readObject(body []byte, wanted memberSet) (fields, error) {
	if !utf8.Valid(body) {
		return nil, &UnreadableError{schema.QuarantineUTF8, errUTF8}
	}
	tokens := json.NewDecoder(bytes.NewReader(body))
	tokens.UseNumber() // a number too large for float64 is valid JSON too
	s := scan{tokens: tokens, wanted: wanted, found: fields{}}
	if err := s.readValue(1, ""); err != nil {
		return nil, err
	}
	_, err := tokens.Token()
	isObject := bytes.HasPrefix(bytes.TrimLeft(body, " \t\r\n"), []byte("{"))
	if !errors.Is(err, io.EOF) || !isObject {
		return nil, &UnreadableError{schema.QuarantineJSON, errNotOneObject}
	}
	return s.found, nil
}

// scan walks over a JSON value, token by token.
type scan struct {
	tokens *json.Decoder
	// wanted are the members to read. Another spelling of a wanted name, in other letter case,
	// counts as the same key.
	wanted memberSet
	// found gets the strings of the wanted members.
	found fields
}

// readValue reads a value. depth is 1 for the whole body. path is "" for a value on no path of
// wanted members.
func (s scan) readValue(depth int, path string) error {
	token, err := s.tokens.Token()
	if err != nil {
		// err would quote the body.
		return &UnreadableError{schema.QuarantineJSON, errNotOneObject}
	}
	if text, ok := token.(string); ok && path != "" {
		s.found[path] = text
	}
	open, nests := token.(json.Delim)
	if !nests {
		return nil
	}
	if depth > DepthMax {
		return &UnreadableError{schema.QuarantineDepth, errDepth}
	}
	if open == '{' {
		err = s.readMembers(depth, path)
	} else {
		err = s.readElements(depth)
	}
	if err != nil {
		return err
	}
	if _, err := s.tokens.Token(); err != nil { // the closing bracket
		return &UnreadableError{schema.QuarantineJSON, errNotOneObject}
	}
	return nil
}

func (s scan) readMembers(depth int, path string) error {
	seen := map[string]bool{}
	for s.tokens.More() {
		key, name, err := s.readKey(depth)
		if err != nil {
			return err
		}
		unique := cmp.Or(name, key)
		if seen[unique] {
			return &UnreadableError{schema.QuarantineDuplicateKey, errDuplicateKey}
		}
		seen[unique] = true
		inner := ""
		if name != "" && key == name && (depth == 1 || path != "") {
			inner = join(path, name)
		}
		if err := s.readValue(depth+1, inner); err != nil {
			return err
		}
	}
	return nil
}

func (s scan) readElements(depth int) error {
	for s.tokens.More() {
		if err := s.readValue(depth+1, ""); err != nil {
			return err
		}
	}
	return nil
}

// readKey reads a key. name is the wanted name that equals the key without regard to letter case,
// or "" if there is none.
func (s scan) readKey(depth int) (key, name string, err error) {
	token, err := s.tokens.Token()
	key, ok := token.(string)
	if err != nil || !ok {
		return "", "", &UnreadableError{schema.QuarantineJSON, errNotOneObject}
	}
	if depth > s.wanted.depth {
		return key, "", nil
	}
	matches := func(name string) bool { return strings.EqualFold(key, name) }
	i := slices.IndexFunc(s.wanted.names, matches)
	if i < 0 {
		return key, "", nil
	}
	return key, s.wanted.names[i], nil
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// time returns the first time found at the paths, in UTC. Without a time there, it returns
// otherwise.
func (f fields) time(paths []string, otherwise time.Time) time.Time {
	for _, path := range paths {
		at, err := schema.ParseTime(f[path])
		at = at.UTC()
		// An offset can move a date out of the four-digit years. The date could then be written,
		// but not read again.
		if err == nil && !at.IsZero() && at.Year() >= 1 && at.Year() <= 9999 {
			return at
		}
	}
	return otherwise
}
