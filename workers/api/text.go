package api

import "encoding/json"

// Text is a text in a body that we can do without. Another type is no reason to refuse the body: a
// null, and a value of another type, are read as the empty text.
type Text string

// UnmarshalJSON never fails.
func (t *Text) UnmarshalJSON(b []byte) error {
	*t = ""
	var text string
	if json.Unmarshal(b, &text) == nil {
		*t = Text(text)
	}
	return nil
}
