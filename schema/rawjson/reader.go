package rawjson

import (
	"bytes"
	"encoding/json"
	"iter"
	"unicode/utf8"
)

// Members returns the names and values of a JSON object, in their order. A value is a part of doc
// and not a copy: decoding into json.RawMessage would double the memory of a large answer. doc must
// be valid JSON. Anything but an object has no members.
func Members(doc []byte) iter.Seq2[string, json.RawMessage] {
	return func(yield func(string, json.RawMessage) bool) {
		r := NewReader(doc)
		for name := range r.Members() {
			if !yield(string(name), r.Value()) {
				return
			}
		}
	}
}

// Elements returns the elements of a JSON array, in their order. An element is a part of doc and
// not a copy. doc must be valid JSON. Anything but an array has no elements.
func Elements(doc []byte) iter.Seq[json.RawMessage] {
	return func(yield func(json.RawMessage) bool) {
		r := NewReader(doc)
		for range r.Elements() {
			if !yield(r.Value()) {
				return
			}
		}
	}
}

// Reader reads a document in one pass, and returns parts of the document and no copies. The loops
// over members and elements can be nested, so that a list and the members of its elements are read
// together. Of a document that is not valid JSON, a Reader reads anything.
type Reader struct {
	doc []byte
	at  int
}

// NewReader returns a Reader before the value of a document.
func NewReader(doc []byte) *Reader { return &Reader{doc: doc} }

// Next returns the first byte of the next value, such as '{', or 0 at the end.
func (r *Reader) Next() byte {
	for r.at < len(r.doc) {
		if b := r.doc[r.at]; !isSpace(b) {
			return b
		}
		r.at++
	}
	return 0
}

// Offset returns the place of the next value, for From.
func (r *Reader) Offset() int {
	r.Next()
	return r.at
}

// From returns the document from a place up to here.
func (r *Reader) From(begin int) json.RawMessage { return r.doc[begin:r.at:r.at] }

// Value returns the next value and steps over it.
func (r *Reader) Value() json.RawMessage {
	begin := r.Offset()
	switch r.Next() {
	case '{', '[':
		r.skipNested()
	case '"':
		r.skipString()
	default:
		r.skipLiteral()
	}
	return r.From(begin)
}

// Members steps over the next value, and yields the name of each member if the value is an object.
// Within the loop, the value of the member is next. A value that the loop does not read is stepped
// over. A loop that ends early leaves the Reader inside the object.
func (r *Reader) Members() iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for more := r.enter('{'); more; more = r.isMore() {
			if r.Next() != '"' {
				return
			}
			name := Unquote(r.Value())
			if r.Next() != ':' {
				return
			}
			r.at++
			begin := r.Offset()
			if !yield(name) {
				return
			}
			r.stepOver(begin)
		}
	}
}

// Elements steps over the next value, and yields for each element if the value is an array. Within
// the loop, the element is next. The loop is otherwise like that over Members.
func (r *Reader) Elements() func(yield func() bool) {
	return func(yield func() bool) {
		for more := r.enter('['); more; more = r.isMore() {
			begin := r.Offset()
			if !yield() {
				return
			}
			r.stepOver(begin)
		}
	}
}

// stepOver steps over the value at a place, if nobody has read it.
func (r *Reader) stepOver(begin int) {
	if r.at == begin {
		r.Value()
	}
}

// enter steps over the opening delimiter. If the next value begins with another byte, or has
// nothing inside, enter steps over the value and returns false.
func (r *Reader) enter(open byte) bool {
	if r.Next() != open {
		r.Value()
		return false
	}
	r.at++
	if next := r.Next(); next == '}' || next == ']' {
		r.at++
		return false
	}
	return true
}

// isMore steps over the comma after a value, or over the closing delimiter: then it returns false.
func (r *Reader) isMore() bool {
	next := r.Next()
	if next == ',' || next == '}' || next == ']' {
		r.at++
	}
	return next == ','
}

// skipNested steps over an object or an array.
func (r *Reader) skipNested() {
	depth := 0
	for r.at < len(r.doc) {
		switch r.doc[r.at] {
		case '"':
			r.skipString()
			continue
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		}
		r.at++
		if depth == 0 {
			return
		}
	}
}

// skipString steps over a string.
func (r *Reader) skipString() {
	r.at++
	begin := r.at
	for {
		quote := bytes.IndexByte(r.doc[r.at:], '"')
		if quote < 0 {
			r.at = len(r.doc)
			return
		}
		r.at += quote + 1
		if !endsInEscape(r.doc[begin : r.at-1]) {
			return
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

// skipLiteral steps over a number, true, false or null.
func (r *Reader) skipLiteral() {
	for r.at < len(r.doc) {
		b := r.doc[r.at]
		if isSpace(b) || b == ',' || b == ']' || b == '}' {
			return
		}
		r.at++
	}
}

// Unquote returns the text of a JSON string, as encoding/json decodes it. A text without escapes
// and with valid UTF-8 is a part of the string and no copy.
func Unquote(quoted []byte) []byte {
	if len(quoted) >= 2 && bytes.IndexByte(quoted, '\\') < 0 && utf8.Valid(quoted) {
		return quoted[1 : len(quoted)-1]
	}
	var text string
	_ = json.Unmarshal(quoted, &text) // a string of a valid document
	return []byte(text)
}

// ReadText reads a value that must be a string into text. A null leaves text as it is. ReadText
// returns false for a value of another type. It does what json.Unmarshal would do.
func ReadText(value json.RawMessage, text *string) bool {
	if len(value) > 0 && value[0] == '"' {
		*text = string(Unquote(value))
		return true
	}
	return string(value) == "null"
}
