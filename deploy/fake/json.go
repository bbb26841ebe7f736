package fake

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// object is a JSON object with members in a fixed order.
type object []member

type member struct {
	name  string
	value any
}

// decimal is a number with a fixed spelling in JSON: 80.0 stays 80.0, and no digits are lost as in a
// float64.
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

// encode returns compact JSON with <, > and & as themselves, like the JSON of the providers' servers.
// encode panics if v has no JSON form: only package fake makes v.
func encode(v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic(fmt.Sprintf("fake: encode %T: %v", v, err))
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// spaced returns v as Python's json.dumps writes v: ", " between values and ": " after names. Recorded
// webhook bodies have such spaces, and a signature covers the spaces too.
func spaced(v any) []byte {
	var b bytes.Buffer
	inString := false
	escaped := false
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
