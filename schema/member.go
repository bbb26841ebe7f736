package schema

import (
	"bytes"
	"encoding/json"
	"strings"
	"unicode/utf8"
)

// textAt returns the text at a path of names with dots between, in a JSON document. ok is false if
// the document needs a closer look: no JSON, no text at the path, or an escape in the text or in a
// name on the way. textAt copies the text alone, while encoding/json would copy every member on the
// way.
func textAt(doc []byte, path string) (text string, ok bool) {
	if !json.Valid(doc) {
		return "", false
	}
	value := doc
	for name := range strings.SplitSeq(path, ".") {
		value, ok = memberOf(value, name)
		if !ok {
			return "", false
		}
	}
	if value[0] != '"' || hasEscape(value) || !utf8.Valid(value) {
		return "", false
	}
	return unquoted(value), true
}

// memberOf returns the value of the last member with the name, in an object of a valid JSON
// document. ok is false without such a member, and if a name before it has an escape.
func memberOf(doc []byte, name string) (value []byte, ok bool) {
	s := jsonScanner{doc: doc}
	if s.next() != '{' {
		return nil, false
	}
	s.at++ // the brace
	for s.next() == '"' {
		key := s.value()
		if hasEscape(key) {
			return nil, false
		}
		s.next()
		s.at++ // the colon
		s.next()
		found := s.value()
		if unquoted(key) == name {
			value = found
		}
		s.next()
		s.at++ // the comma, or the brace at the end
	}
	return value, value != nil
}

func hasEscape(text []byte) bool { return bytes.IndexByte(text, '\\') >= 0 }

// unquoted returns a text without its quotes.
func unquoted(text []byte) string { return string(text[1 : len(text)-1]) }

// jsonScanner finds the values in a valid JSON document.
type jsonScanner struct {
	doc []byte
	at  int
}

// next steps over white space, and returns the byte that follows, or 0 at the end.
func (s *jsonScanner) next() byte {
	for ; s.at < len(s.doc); s.at++ {
		if b := s.doc[s.at]; b != ' ' && b != '\t' && b != '\n' && b != '\r' {
			return b
		}
	}
	return 0
}

// value returns the value that begins here, and steps over it.
func (s *jsonScanner) value() []byte {
	begin := s.at
	switch s.doc[s.at] {
	case '"':
		s.skipText()
	case '{', '[':
		s.skipNested()
	default: // a number or a word
		end := bytes.IndexAny(s.doc[s.at:], ",]} \t\r\n")
		if end < 0 {
			end = len(s.doc) - s.at
		}
		s.at += end
	}
	return s.doc[begin:s.at]
}

func (s *jsonScanner) skipText() {
	for s.at++; s.doc[s.at] != '"'; s.at++ {
		if s.doc[s.at] == '\\' {
			s.at++
		}
	}
	s.at++
}

func (s *jsonScanner) skipNested() {
	for depth := 0; ; {
		switch s.doc[s.at] {
		case '"':
			s.skipText()
			continue
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		}
		s.at++
		if depth == 0 {
			return
		}
	}
}
