package webhook

import (
	"bytes"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/rawjson"
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
// the other two. The tokens of encoding/json take four times as long as package rawjson, and each
// token makes garbage.
func readObject(body []byte, wanted memberSet) (fields, error) {
	if !utf8.Valid(body) {
		return nil, &UnreadableError{schema.QuarantineUTF8, errUTF8}
	}
	if rawjson.Check(body, rawjson.DepthMax) != nil {
		return nil, whyNotJSON(body)
	}
	s := scan{
		Reader: rawjson.NewReader(body), wanted: wanted,
		found: make(fields, len(wanted.names)), keys: make([][]byte, 0, fewKeys),
	}
	if s.Next() != '{' {
		return nil, &UnreadableError{schema.QuarantineJSON, errNotOneObject}
	}
	if err := s.readValue(1, ""); err != nil {
		return nil, err
	}
	return s.found, nil
}

// whyNotJSON returns the first fault of a body that is not JSON: it may be too deep before it ends.
func whyNotJSON(body []byte) error {
	if errors.Is(rawjson.Check(body, DepthMax), rawjson.ErrDepth) {
		return &UnreadableError{schema.QuarantineDepth, errDepth}
	}
	return &UnreadableError{schema.QuarantineJSON, errNotOneObject}
}

// scan walks over a JSON value.
type scan struct {
	*rawjson.Reader

	// wanted are the members to read. Another spelling of a wanted name, in other letter case,
	// counts as the same key.
	wanted memberSet
	// found gets the strings of the wanted members.
	found fields
	// keys are keys of the objects around the place, the innermost object's last.
	keys [][]byte
}

// readValue reads a value. depth is 1 for the whole body. path is "" for a value on no path of
// wanted members.
func (s *scan) readValue(depth int, path string) error {
	next := s.Next()
	switch {
	case next == '{' || next == '[':
		return s.readNested(depth, path)
	case next == '"' && path != "":
		var text string
		rawjson.ReadText(s.Value(), &text)
		s.found[path] = text
	default:
		s.Value()
	}
	return nil
}

// readNested reads an object or an array.
func (s *scan) readNested(depth int, path string) error {
	if depth > DepthMax {
		return &UnreadableError{schema.QuarantineDepth, errDepth}
	}
	if s.Next() == '{' {
		return s.readMembers(depth, path)
	}
	for range s.Elements() {
		if err := s.readValue(depth+1, ""); err != nil {
			return err
		}
	}
	return nil
}

func (s *scan) readMembers(depth int, path string) error {
	open := object{first: len(s.keys)}
	for key := range s.Members() {
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
