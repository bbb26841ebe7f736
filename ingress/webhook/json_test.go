package webhook

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/wagewire/wagewire/schema"
)

// FuzzReadObject: every body is read as if encoding/json had read it token by token. A body that is
// JSON is refused for the same reason.
func FuzzReadObject(f *testing.F) {
	for _, body := range pinwheelBodies() {
		f.Add([]byte(body))
	}
	for _, body := range []string{
		incomeBody(`,"payload":{"a":[{"b":{"c":1,"c":1}}]}`), incomeBody(`,"EVENT_ID":"e2"`),
		incomeBody(`,"event\u005fid":"e2"`), incomeBody(`,"a":` + nested(64)), `{"a":[}]}`,
		`{"a":1"b":2}`, `{"a":[1 2]}`, `{"event":{"id":{}},"meta":{"event":{"id":"\ud800"}}}`,
		`{"a":{"event_id":"x"},"payload":[{"account_id":"y"}]}`, `{"a":"\"`, `{"a":"b\`, `,{}`,
	} {
		f.Add([]byte(body))
	}
	f.Add([]byte(manyKeys(40, "")))
	f.Add([]byte(manyKeys(40, `,"k20":1`)))
	f.Fuzz(func(t *testing.T, body []byte) {
		wanted := members[schema.Pinwheel]
		want, wantErr := readTokens(body, wanted)
		got, err := readObject(body, wanted)
		if (err == nil) != (wantErr == nil) {
			t.Fatalf("read: %v, token by token: %v", err, wantErr)
		}
		if diff := gocmp.Diff(want, got); diff != "" {
			t.Errorf("the strings differ from those read token by token (-want +got):\n%s", diff)
		}
		if wantErr != nil && json.Valid(body) {
			wanted, _ := errors.AsType[*UnreadableError](wantErr)
			expectUnreadable(t, err, wanted.Reason)
		}
	})
}

// readTokens is readObject with the tokens of encoding/json.
func readTokens(body []byte, wanted memberSet) (fields, error) {
	if !utf8.Valid(body) {
		return nil, &UnreadableError{schema.QuarantineUTF8, errUTF8}
	}
	tokens := json.NewDecoder(bytes.NewReader(body))
	tokens.UseNumber() // a number too large for float64 is valid JSON too
	s := tokenScan{tokens: tokens, wanted: wanted, found: fields{}}
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

// tokenScan walks over a JSON value, token by token of encoding/json.
type tokenScan struct {
	tokens *json.Decoder
	// wanted are the members to read. Another spelling of a wanted name, in other letter case,
	// counts as the same key.
	wanted memberSet
	// found gets the strings of the wanted members.
	found fields
}

// readValue reads a value. depth is 1 for the whole body. path is "" for a value on no path of
// wanted members.
func (s tokenScan) readValue(depth int, path string) error {
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

func (s tokenScan) readMembers(depth int, path string) error {
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

func (s tokenScan) readElements(depth int) error {
	for s.tokens.More() {
		if err := s.readValue(depth+1, ""); err != nil {
			return err
		}
	}
	return nil
}

// readKey reads a key. name is the wanted name that equals the key without regard to letter case,
// or "" if there is none.
func (s tokenScan) readKey(depth int) (key, name string, err error) {
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
