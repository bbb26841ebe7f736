package trace

import (
	"context"
	"fmt"
	"strings"

	"github.com/wagewire/wagewire/deploy/plain"
	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
)

// NotFoundError says that nothing of an event is known, and where Event looked.
type NotFoundError struct {
	// Name is what the operator asked for, as it came.
	Name string
	// Unread are the streams that Event did not read to their beginning, in words: "the newest
	// 50000 of 60000 events". With none, Event looked at all that the streams have.
	Unread []string
}

func (e *NotFoundError) Error() string {
	const reason = "it was never stored, is older than they keep, or its account is erased"
	if len(e.Unread) == 0 {
		return fmt.Sprintf("nothing of event %s is on the streams: %s", plain.Word(e.Name), reason)
	}
	return fmt.Sprintf("nothing of event %s is among the completions, the waiting events, "+
		"and %s: %s", plain.Word(e.Name), strings.Join(e.Unread, " and "), reason)
}

// Explain says why Event returned nothing of the event, as a *NotFoundError. It returns another
// error if the broker does not answer.
func Explain(ctx context.Context, op *stream.Operator, name string, newest uint64) error {
	missing := &NotFoundError{Name: name}
	for _, s := range []struct{ name, noun string }{
		{schema.EventsStream, "events"}, {schema.DeadLettersStream, "dead letters"},
	} {
		stored, err := op.CountMessages(ctx, s.name)
		if err != nil {
			return err
		}
		if newest > 0 && stored > newest {
			missing.Unread = append(missing.Unread,
				fmt.Sprintf("the newest %d of %d %s", newest, stored, s.noun))
		}
	}
	return missing
}
