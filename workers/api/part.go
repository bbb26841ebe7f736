package api

import (
	"encoding/json"
	"iter"
	"strings"
)

// Members returns the names and values of a JSON object, in their order. A value is a part of doc
// and not a copy: decoding into json.RawMessage would double the memory of a large answer. doc must
// be valid JSON, as Get returns it. Anything but an object has no members.
func Members(doc []byte) iter.Seq2[string, json.RawMessage] {
	return func(yield func(string, json.RawMessage) bool) {
		s := scanner{doc: doc}
		for more := s.enter('{'); more; more = s.next() {
			var name string
			if json.Unmarshal(s.value(), &name) != nil {
				return
			}
			s.skip(':')
			if !yield(name, s.value()) {
				return
			}
		}
	}
}

// Elements returns the elements of a JSON array, in their order. An element is a part of doc and
// not a copy. doc must be valid JSON. Anything but an array has no elements.
func Elements(doc []byte) iter.Seq[json.RawMessage] {
	return func(yield func(json.RawMessage) bool) {
		s := scanner{doc: doc}
		for more := s.enter('['); more; more = s.next() {
			if !yield(s.value()) {
				return
			}
		}
	}
}

// scanner finds the values in a valid JSON document.
type scanner struct {
	doc []byte
	at  int
}

// enter steps over the opening delimiter. It returns false if there is another byte, or if nothing
// is inside the delimiters.
func (s *scanner) enter(open byte) bool {
	if s.peek() != open {
		return false
	}
	s.at++
	return s.peek() != '}' && s.peek() != ']'
}

// next steps over the comma after a value. It returns false if there is no comma.
func (s *scanner) next() bool {
	if s.peek() != ',' {
		return false
	}
	s.at++
	return true
}

// skip steps over the byte, if the byte is next.
func (s *scanner) skip(b byte) {
	if s.peek() == b {
		s.at++
	}
}

// peek returns the next byte that is not white space, or 0 at the end.
func (s *scanner) peek() byte {
	for s.at < len(s.doc) {
		if b := s.doc[s.at]; !isSpace(b) {
			return b
		}
		s.at++
	}
	return 0
}

// value returns the next value and steps over it.
func (s *scanner) value() []byte {
	first := s.peek()
	begin := s.at
	switch first {
	case '{', '[':
		s.skipNested()
	case '"':
		s.skipString()
	default:
		s.skipLiteral()
	}
	return s.doc[begin:s.at:s.at]
}

// skipNested steps over an object or an array.
func (s *scanner) skipNested() {
	depth := 0
	for s.at < len(s.doc) {
		switch s.doc[s.at] {
		case '"':
			s.skipString()
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

// skipString steps over a string.
func (s *scanner) skipString() {
	for s.at++; s.at < len(s.doc); s.at++ {
		switch s.doc[s.at] {
		case '\\':
			s.at++
		case '"':
			s.at++
			return
		}
	}
	s.at = len(s.doc)
}

// skipLiteral steps over a number, true, false or null.
func (s *scanner) skipLiteral() {
	for s.at < len(s.doc) && !isSpace(s.doc[s.at]) &&
		!strings.ContainsRune(",]}", rune(s.doc[s.at])) {
		s.at++
	}
}

func isSpace(b byte) bool { return b == ' ' || b == '\t' || b == '\n' || b == '\r' }
