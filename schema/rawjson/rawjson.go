package rawjson

import (
	"errors"
	"io"
	"strings"
)

// DepthMax is how deeply objects and arrays may be nested for WriteCompact: the limit of
// encoding/json.
const DepthMax = 10_000

// The ways in which a text can be wrong.
var (
	// ErrDepth means that objects and arrays are nested deeper than allowed.
	ErrDepth = errors.New("nested too deeply")
	// ErrSyntax means that the text is not one value of JSON.
	ErrSyntax = errors.New("not JSON")
)

// Check returns nil if the text is one JSON value with objects and arrays nested at most depthMax
// deep. The error is ErrDepth or ErrSyntax, for the first fault of the text. A string may hold
// bytes of no UTF-8.
func Check(text []byte, depthMax int) error {
	s := scanner{text: text, levels: depthMax}
	return s.scan()
}

// WriteCompact writes the JSON text without the white space between its tokens, and every other
// byte as it is. The error is one of Check, or the first of w. A text that is not JSON may be
// written in part.
func WriteCompact(w io.Writer, text []byte) error {
	s := scanner{text: text, levels: DepthMax, to: w}
	if err := s.scan(); err != nil {
		return err
	}
	s.write(len(text))
	return s.err
}

// scanner passes over one JSON value. Each method steps over a part of the grammar, and returns
// false if the text has another part.
type scanner struct {
	text []byte
	at   int
	// levels is how many more levels may be nested. It is below zero if the text has more.
	levels int

	// to gets the text without white space, unless to is nil. to has everything before written, and
	// err is the first error.
	to      io.Writer
	written int
	err     error
}

// scan passes over the whole text.
func (s *scanner) scan() error {
	ok := s.value()
	s.space()
	switch {
	case s.levels < 0:
		return ErrDepth
	case !ok || s.at < len(s.text):
		return ErrSyntax
	default:
		return nil
	}
}

// space steps over white space. Most texts have none, so the first look must be cheap.
func (s *scanner) space() {
	if s.at < len(s.text) && s.text[s.at] <= ' ' {
		s.skipSpace()
	}
}

func (s *scanner) skipSpace() {
	begin := s.at
	for s.at < len(s.text) && isSpace(s.text[s.at]) {
		s.at++
	}
	s.write(begin)
	s.written = s.at
}

// write writes the text up to end.
func (s *scanner) write(end int) {
	if s.to != nil && s.err == nil && s.written < end {
		_, s.err = s.to.Write(s.text[s.written:end])
	}
}

func isSpace(b byte) bool { return b == ' ' || b == '\t' || b == '\n' || b == '\r' }

// take steps over the byte if it is next, after white space.
func (s *scanner) take(b byte) bool {
	s.space()
	if s.at < len(s.text) && s.text[s.at] == b {
		s.at++
		return true
	}
	return false
}

func (s *scanner) value() bool {
	s.space()
	if s.at == len(s.text) {
		return false
	}
	switch s.text[s.at] {
	case '{':
		return s.object()
	case '[':
		return s.array()
	case '"':
		return s.string()
	case 't':
		return s.word("true")
	case 'f':
		return s.word("false")
	case 'n':
		return s.word("null")
	default:
		return s.number()
	}
}

func (s *scanner) object() bool {
	s.at++
	s.levels--
	if s.levels < 0 {
		return false
	}
	if !s.take('}') {
		for more := true; more; more = s.take(',') {
			s.space()
			if !s.string() || !s.take(':') || !s.value() {
				return false
			}
		}
		if !s.take('}') {
			return false
		}
	}
	s.levels++
	return true
}

func (s *scanner) array() bool {
	s.at++
	s.levels--
	if s.levels < 0 {
		return false
	}
	if !s.take(']') {
		for more := true; more; more = s.take(',') {
			if !s.value() {
				return false
			}
		}
		if !s.take(']') {
			return false
		}
	}
	s.levels++
	return true
}

func (s *scanner) word(word string) bool {
	end := s.at + len(word)
	if end > len(s.text) || string(s.text[s.at:end]) != word {
		return false
	}
	s.at = end
	return true
}

func (s *scanner) string() bool {
	if s.at == len(s.text) || s.text[s.at] != '"' {
		return false
	}
	for {
		s.at++
		s.at += plainLen(s.text[s.at:])
		switch {
		case s.at == len(s.text):
			return false
		case s.text[s.at] == '"':
			s.at++
			return true
		case !s.escape(): // a control character is no escape either
			return false
		}
	}
}

// plainLen returns how many bytes of text come before a quote, a backslash or a control character.
func plainLen(text []byte) int {
	for i, b := range text {
		if b == '"' || b == '\\' || b < ' ' {
			return i
		}
	}
	return len(text)
}

// escape steps over an escape up to its last byte.
func (s *scanner) escape() bool {
	if s.text[s.at] != '\\' || s.at+1 == len(s.text) {
		return false
	}
	s.at++
	switch s.text[s.at] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return true
	case 'u':
		for range 4 {
			s.at++
			if s.at == len(s.text) || !isHex(s.text[s.at]) {
				return false
			}
		}
		return true
	default:
		return false
	}
}

func isHex(b byte) bool {
	return isDigit(b) || 'a' <= b && b <= 'f' || 'A' <= b && b <= 'F'
}

func isDigit(b byte) bool { return '0' <= b && b <= '9' }

func (s *scanner) number() bool {
	s.skip("-")
	if !s.skip("0") && !s.digits() {
		return false
	}
	if s.skip(".") && !s.digits() {
		return false
	}
	if s.skip("eE") {
		s.skip("+-")
		return s.digits()
	}
	return true
}

// digits steps over digits, at least one.
func (s *scanner) digits() bool {
	begin := s.at
	for s.at < len(s.text) && isDigit(s.text[s.at]) {
		s.at++
	}
	return s.at > begin
}

// skip steps over the next byte if it is one of set.
func (s *scanner) skip(set string) bool {
	if s.at < len(s.text) && strings.IndexByte(set, s.text[s.at]) >= 0 {
		s.at++
		return true
	}
	return false
}
