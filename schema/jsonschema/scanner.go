package jsonschema

import (
	"bytes"
	"encoding/json"
)

// scanner reads JSON without copies: a record is read for each completion, and most of its values
// only need to be passed. A text that is not JSON ends the reading and does no harm.
type scanner struct {
	text []byte
	at   int
}

// begin moves to the next token and returns its place.
func (s *scanner) begin() int {
	for s.at < len(s.text) && isSpace(s.text[s.at]) {
		s.at++
	}
	return s.at
}

func isSpace(b byte) bool { return b == ' ' || b == '\t' || b == '\r' || b == '\n' }

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
		return numberType(s.text[s.at:s.endOfScalar()])
	default:
		s.at = len(s.text)
		return ""
	}
}

// numberType returns the JSON type of a number by its spelling.
func numberType(number []byte) string {
	for _, b := range number {
		if b == '.' || b == 'e' || b == 'E' {
			return "number"
		}
	}
	return "integer"
}

// endOfScalar is the place behind the number or word that begins here.
func (s *scanner) endOfScalar() int {
	end := s.at
	for end < len(s.text) && !endsScalar(s.text[end]) {
		end++
	}
	return end
}

func endsScalar(b byte) bool { return isSpace(b) || b == ',' || b == ':' || b == ']' || b == '}' }

// readString returns the string that is next, without quotes and with its escapes.
func (s *scanner) readString() []byte {
	if !s.take('"') {
		s.at = len(s.text)
		return nil
	}
	start := s.at
	for {
		quote := bytes.IndexByte(s.text[s.at:], '"')
		if quote < 0 {
			s.at = len(s.text)
			return nil
		}
		s.at += quote + 1
		if text := s.text[start : s.at-1]; !endsInEscape(text) {
			return text
		}
	}
}

// endsInEscape reports whether a byte after the text of a string would be escaped.
func endsInEscape(text []byte) bool {
	backslashes := 0
	for i := len(text) - 1; i >= 0 && text[i] == '\\'; i-- {
		backslashes++
	}
	return backslashes%2 == 1
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
