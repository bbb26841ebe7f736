package client

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/rawjson"
)

// DepthMax is how many levels the objects and arrays of a completion or of a record may be nested.
const DepthMax = 100

// Completion is a completion as the broker delivered it. The outcome may be unknown to the release
// of the kit.
type Completion struct {
	schema.Completion
	// Raw is the whole message with every field and every digit, also the fields without a place in
	// the type.
	Raw []byte
	// StreamSequence is the place of the message on the stream. The order of completions is that
	// of Order.
	StreamSequence uint64
	// Deliveries is how often the broker has delivered the completion to the durable, the present
	// delivery included: 0 for a completion from RetryAside.
	Deliveries uint64
	// TraceParent is the W3C trace context in the header of the message, or "".
	TraceParent string

	// fetch returns a chunk of the records in the store.
	fetch fetcher
}

// decode reads a completion. The error is a poison.
func decode(text []byte, fetch fetcher) (*Completion, error) {
	err := rawjson.Check(text, DepthMax)
	if err != nil {
		return nil, Poison(fmt.Errorf("the message: %w", err))
	}
	c := &Completion{Raw: text, fetch: fetch}
	if err := json.Unmarshal(plain(text), &c.Completion); err != nil {
		return nil, Poison(errors.New("the message is not a completion")) // err may quote the text
	}
	if c.ID == "" || c.Data.Outcome == "" {
		return nil, Poison(errors.New("the message has no id or no outcome"))
	}
	return c, nil
}

// plain returns the text of a completion without the members of the envelope that the contract
// cannot have: its names have small letters, digits and _ alone. encoding/json would take a later
// field "Outcome" for "outcome". The records stay as they are.
func plain(text []byte) []byte {
	if !hasOddNames(rawjson.NewReader(text)) {
		return text
	}
	var out bytes.Buffer
	writePlain(&out, rawjson.NewReader(text))
	return out.Bytes()
}

// hasOddNames reports whether the next value is an object with an odd name, at any depth. An array
// has none, because the envelope has no objects in arrays.
func hasOddNames(r *rawjson.Reader) bool {
	for name := range r.Members() {
		if isOdd(name) || r.Next() == '{' && hasOddNames(r) {
			return true
		}
	}
	return false
}

// writePlain writes the next value, and of an object the members without odd names.
func writePlain(out *bytes.Buffer, r *rawjson.Reader) {
	if r.Next() != '{' {
		out.Write(r.Value())
		return
	}
	separator := ""
	out.WriteByte('{')
	for name := range r.Members() {
		if !isOdd(name) {
			fmt.Fprintf(out, "%s%q:", separator, name)
			writePlain(out, r)
			separator = ","
		}
	}
	out.WriteByte('}')
}

// isOdd reports whether no member of the envelope has the name.
func isOdd(name []byte) bool {
	return len(bytes.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789_")) > 0
}

// poisonError marks an error that another delivery does not help.
type poisonError struct{ error }

func (e poisonError) Unwrap() error { return e.error }

// Poison marks an error of a handler that another delivery does not help: the completion is set
// aside at once. The text of the error becomes the reason, and must have no personal data.
// Poison(nil) is nil.
func Poison(err error) error {
	if err == nil {
		return nil
	}
	return poisonError{err}
}
