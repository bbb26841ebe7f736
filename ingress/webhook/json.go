package webhook

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
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
// the other two. encoding/json decides what is JSON. Its Decoder takes four times as long as
// this, and makes garbage of every token.
func readObject(body []byte, wanted memberSet) (fields, error) {
	if !utf8.Valid(body) {
		return nil, &UnreadableError{schema.QuarantineUTF8, errUTF8}
	}
	s := scan{
		text: body, wanted: wanted, found: make(fields, len(wanted.names)),
		keys: make([][]byte, 0, fewKeys),
	}
	isObject := s.next() == '{'
	if err := s.readValue(1, ""); err != nil {
		return nil, err
	}
	if !isObject || !json.Valid(body) {
		return nil, notOneObject()
	}
	return s.found, nil
}

func notOneObject() error { return &UnreadableError{schema.QuarantineJSON, errNotOneObject} }

// scan walks over a JSON value once, without copies. It stops at the end of a text that is not
// JSON, and may take the text for JSON before.
type scan struct {
	text []byte
	at   int
	// wanted are the members to read. Another spelling of a wanted name, in other letter case,
	// counts as the same key.
	wanted memberSet
	// found gets the strings of the wanted members.
	found fields
	// keys are keys of the objects around the place, the innermost object's last.
	keys [][]byte
}

// next moves to the next byte that is not white space and returns it, or 0 at the end.
func (s *scan) next() byte {
	for s.at < len(s.text) {
		switch s.text[s.at] {
		case ' ', '\t', '\r', '\n':
			s.at++
		default:
			return s.text[s.at]
		}
	}
	return 0
}

// more reports whether an object or array has another entry, and moves to it. end is its last byte,
// and is passed.
func (s *scan) more(end byte) bool {
	c := s.next()
	if c == ',' {
		s.at++
		c = s.next()
	}
	if c == end {
		s.at++
	}
	return c != end && s.at < len(s.text)
}

// readValue reads a value. depth is 1 for the whole body. path is "" for a value on no path of
// wanted members.
func (s *scan) readValue(depth int, path string) error {
	switch open := s.next(); open {
	case '{', '[':
		if depth > DepthMax {
			return &UnreadableError{schema.QuarantineDepth, errDepth}
		}
		s.at++
		if open == '{' {
			return s.readMembers(depth, path)
		}
		return s.readElements(depth)
	case '"':
		text := s.readString()
		if path != "" {
			s.found[path] = string(unescape(text))
		}
		return nil
	default:
		return s.skipScalar()
	}
}

func (s *scan) readMembers(depth int, path string) error {
	open := object{first: len(s.keys)}
	for s.more('}') {
		key, err := s.readKey()
		if err != nil {
			return err
		}
		inner := ""
		if name := s.wanted.fold(depth, key); name != "" && name != string(key) {
			key = []byte(name)
		} else if name != "" && (depth == 1 || path != "") {
			inner = join(path, name)
		}
		if !s.addKey(&open, key) {
			return &UnreadableError{schema.QuarantineDuplicateKey, errDuplicateKey}
		}
		if err := s.readValue(depth+1, inner); err != nil {
			return err
		}
	}
	s.keys = s.keys[:open.first]
	return nil
}

func (s *scan) readElements(depth int) error {
	for s.more(']') {
		if err := s.readValue(depth+1, ""); err != nil {
			return err
		}
	}
	return nil
}

// readKey reads a key with the colon behind it.
func (s *scan) readKey() ([]byte, error) {
	if s.next() != '"' {
		return nil, notOneObject()
	}
	key := unescape(s.readString())
	if s.next() != ':' {
		return nil, notOneObject()
	}
	s.at++
	return key, nil
}

// readString reads the string that begins here. It returns the text between the quotes.
func (s *scan) readString() []byte {
	s.at++
	start := s.at
	for s.at < len(s.text) && s.text[s.at] != '"' {
		if s.text[s.at] == '\\' {
			s.at++
		}
		s.at++
	}
	end := min(s.at, len(s.text))
	s.at = min(end+1, len(s.text))
	return s.text[start:end]
}

// unescape returns the text of a string with its escapes replaced.
func unescape(text []byte) []byte {
	if bytes.IndexByte(text, '\\') < 0 {
		return text
	}
	var plain string
	if err := json.Unmarshal(slices.Concat(quote, text, quote), &plain); err != nil {
		return text // no JSON, as readObject notices
	}
	return []byte(plain)
}

var quote = []byte{'"'}

// skipScalar passes a number or a word.
func (s *scan) skipScalar() error {
	start := s.at
	for s.at < len(s.text) && bytes.IndexByte(endsScalar, s.text[s.at]) < 0 {
		s.at++
	}
	if s.at == start {
		return notOneObject()
	}
	return nil
}

var endsScalar = []byte(" \t\r\n,:]}[{\"")

// object is an object that is not read to its end. Its first fewKeys keys are in scan.keys, from
// first on. A search among few keys needs no map.
type object struct {
	first int
	many  map[string]bool
}

const fewKeys = 16

// addKey adds a key to the object, and returns false if the key is there already.
func (s *scan) addKey(o *object, key []byte) bool {
	few := s.keys[o.first:]
	for _, other := range few {
		if bytes.Equal(key, other) {
			return false
		}
	}
	if len(few) < fewKeys {
		s.keys = append(s.keys, key)
		return true
	}
	if o.many == nil {
		o.many = make(map[string]bool)
	}
	isNew := !o.many[string(key)]
	o.many[string(key)] = true
	return isNew
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
