package schema

import (
	"encoding/json"
	"errors"
	"fmt"
)

// DecodeJSON is json.Unmarshal with errors that quote no value. The content of a message is
// personal data, and errors come to logs and pages.
func DecodeJSON(text []byte, target any) error {
	err := json.Unmarshal(text, target)
	if err == nil {
		return nil
	}
	// Err is not wrapped, because err quotes the value.
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return fmt.Errorf("member %q, before byte %d, is of another type",
			wrong.Field, wrong.Offset)
	}
	if broken, ok := errors.AsType[*json.SyntaxError](err); ok {
		return fmt.Errorf("no JSON from byte %d on", broken.Offset)
	}
	return errors.New("a value, such as a time, has another form")
}
