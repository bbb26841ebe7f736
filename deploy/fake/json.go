package fake

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// An object is a JSON object that keeps the order of its members.
type object []member

type member struct {
	name  string
	value any
}

// A decimal is a number that is written as it is spelled: 80.0 stays 80.0,
// and digits that a float64 would lose are kept.
type decimal = json.Number

// MarshalJSON writes the members in their order.
func (o object) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, m := range o {
		if i > 0 {
			b.WriteByte(',')
		}
		b.Write(encode(m.name))
		b.WriteByte(':')
		b.Write(encode(m.value))
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// encode returns compact JSON in which <, > and & are themselves, as the
// providers' servers write them. It panics if v has no JSON form: every v is
// made in this package.
func encode(v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic(fmt.Sprintf("fake: encode %T: %v", v, err))
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// spaced returns v as Python's json.dumps writes it: ", " between values and
// ": " after names. Recorded webhook bodies look like this, and a signature
// covers the spaces.
func spaced(v any) []byte {
	var b bytes.Buffer
	inString, escaped := false, false
	for _, c := range encode(v) {
		b.WriteByte(c)
		switch {
		case escaped:
			escaped = false
		case c == '\\':
			escaped = true
		case c == '"':
			inString = !inString
		case !inString && (c == ',' || c == ':'):
			b.WriteByte(' ')
		}
	}
	return b.Bytes()
}
