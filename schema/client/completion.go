package client

import (
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
	if err := json.Unmarshal(text, &c.Completion); err != nil {
		return nil, Poison(errors.New("the message is not a completion")) // err may quote the text
	}
	if c.ID == "" || c.Data.Outcome == "" {
		return nil, Poison(errors.New("the message has no id or no outcome"))
	}
	return c, nil
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
