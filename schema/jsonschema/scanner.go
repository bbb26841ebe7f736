package jsonschema

import (
	"bytes"
	"encoding/json"
	"strings"
)

// scanner reads JSON without copies: a record is read for each completion, and most of its values
// only need to be passed. A text that is not JSON ends the reading and does no harm.
type scanner struct {
	text []byte
	at   int
}

// begin moves to the next token and returns its place.
func (s *scanner) begin() int {
	for s.at < len(s.text) && strings.IndexByte(" \t\r\n", s.text[s.at]) >= 0 {
		s.at++
	}
	return s.at
}

// take passes the byte if it is next.
func (s *scanner) take(b byte) bool {
	if s.begin() < len(s.text) && s.text[s.at] == b {
		s.at++
		return true
	}
	return false
}

// more reports whether an object or array has another entry, and moves to it. end is its last byte.
func (s *scanner) more(end byte) bool {
	if s.take(end) {
		return false
	}
	s.take(',')
	return s.begin() < len(s.text) && s.text[s.at] != end
}

// typeOfNext returns the JSON type of the value that begins here, "" if none begins.
func (s *scanner) typeOfNext() string {
	if s.at >= len(s.text) {
		return ""
	}
	switch s.text[s.at] {
	case '{':
		return "object"
	case '[':
		return "array"
	case '"':
		return "string"
	case 't', 'f':
		return "boolean"
	case 'n':
		return "null"
	case '-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9':
		if bytes.ContainsAny(s.text[s.at:s.endOfScalar()], ".eE") {
			return "number"
		}
		return "integer"
	default:
		s.at = len(s.text)
		return ""
	}
}

// endOfScalar is the place behind the number or word that begins here.
func (s *scanner) endOfScalar() int {
	end := s.at
	for end < len(s.text) && strings.IndexByte(" \t\r\n,:]}", s.text[end]) < 0 {
		end++
	}
	return end
}

// readString returns the string that is next, without quotes and with its escapes.
func (s *scanner) readString() []byte {
	if !s.take('"') {
		s.at = len(s.text)
		return nil
	}
	start := s.at
	for s.at < len(s.text) {
		switch s.text[s.at] {
		case '\\':
			s.at += 2
		case '"':
			s.at++
			return s.text[start : s.at-1]
		default:
			s.at++
		}
	}
	s.at = len(s.text)
	return nil
}

// skip passes the value that is next, however deep it is.
func (s *scanner) skip() {
	for depth := 0; s.begin() < len(s.text); {
		switch s.text[s.at] {
		case '{', '[':
			s.at++
			depth++
		case '}', ']':
			s.at++
			depth--
		case ',', ':':
			s.at++
		case '"':
			s.readString()
		default:
			s.at = s.endOfScalar()
		}
		if depth <= 0 {
			return
		}
	}
}

// unescape returns the text of a string with escapes.
func unescape(text []byte) []byte {
	if bytes.IndexByte(text, '\\') < 0 {
		return text
	}
	var plain string
	quoted := append(append([]byte{'"'}, text...), '"')
	if err := json.Unmarshal(quoted, &plain); err != nil {
		return text
	}
	return []byte(plain)
}

// isWhole reports whether a number has a fraction of zeros. A number with an exponent is not whole.
func isWhole(number []byte) bool {
	_, fraction, ok := bytes.Cut(number, []byte("."))
	return ok && len(bytes.Trim(fraction, "0")) == 0
}
