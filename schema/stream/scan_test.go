package stream_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
	"github.com/wagewire/wagewire/schema/stream/streamtest"
)

// scanned returns the ids of the events that a scan hands out.
func scanned(t *testing.T, c *stream.Conn, which stream.Selection) []string {
	t.Helper()
	ids := []string{}
	must(t, stream.NewOperator(c).Headings(t.Context(), which, func(h stream.Heading) error {
		ids = append(ids, h.Event.ID)
		return nil
	}))
	return ids
}

func TestAScanHandsOutWhatIsSelectedAndEnds(t *testing.T) {
	t.Parallel()
	_, c := streamtest.New(t)
	pinwheel := schema.AccountEvents(schema.Pinwheel, "*", "*", "*")
	empty := func(which stream.Selection) []string { return scanned(t, c, which) }
	if got := empty(stream.Selection{}); len(got) > 0 {
		t.Errorf("an empty stream: got %q", got)
	}
	publish(t, c, paystubs("e-1", "a-1"), link("e-2", "a-2", schema.ActionConnected), paystubs("e-3", "a-3"), link("e-4", "a-4", schema.ActionConnected))
	var at []time.Time
	must(t, stream.NewOperator(c).Scan(t.Context(), schema.EventsStream, stream.Selection{}, func(m stream.Stored) error {
		at = append(at, m.At)
		return nil
	}))
	for promise, test := range map[string]struct {
		which stream.Selection
		want  []string
	}{
		"everything": {stream.Selection{}, []string{"e-1", "e-2", "e-3", "e-4"}},
		"what a filter matches, though more comes after it": {stream.Selection{Filters: []string{pinwheel}}, []string{"e-1", "e-3"}},
		"what one of several filters matches":               {stream.Selection{Filters: []string{paystubs("", "a-1").Subject(), schema.AccountEvents(schema.Truv, "*", "*", "*")}}, []string{"e-1", "e-2", "e-4"}},
		"nothing where no filter matches":                   {stream.Selection{Filters: []string{schema.AccountEvents("plaid", "*", "*", "*")}}, []string{}},
		"what was stored since":                             {stream.Selection{Since: at[2]}, []string{"e-3", "e-4"}},
		"nothing since the last":                            {stream.Selection{Since: at[3].Add(time.Nanosecond)}, []string{}},
		"nothing since a time to come":                      {stream.Selection{Since: time.Now().Add(time.Hour)}, []string{}},
	} {
		t.Run(promise, func(t *testing.T) {
			if diff := cmp.Diff(test.want, scanned(t, c, test.which)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestAScanEndsWithWhatWasThereWhenItBegan(t *testing.T) {
	t.Parallel()
	_, c := streamtest.New(t)
	publish(t, c, paystubs("e-1", "a-1"), paystubs("e-2", "a-1"))
	n := 0
	must(t, stream.NewOperator(c).Scan(t.Context(), schema.EventsStream, stream.Selection{}, func(stream.Stored) error {
		n++ // one more for each: it would never end
		publish(t, c, paystubs(fmt.Sprintf("new-%d", n), "a-1"))
		return nil
	}))
	if n != 2 {
		t.Errorf("%d messages, want the 2 that were there", n)
	}
}

func TestAScanOutlivesTheDeletionOfWhatItWaitsFor(t *testing.T) {
	t.Parallel()
	const all = 1200 // more than the client takes ahead
	s, c := streamtest.New(t)
	for i := range all {
		publish(t, c, paystubs(fmt.Sprintf("e-%d", i), "a-1"))
	}
	events := look(t, s).stream(schema.EventsStream)
	n := 0
	must(t, stream.NewOperator(c).Scan(t.Context(), schema.EventsStream, stream.Selection{Filters: []string{paystubs("", "a-1").Subject()}}, func(stream.Stored) error {
		if n++; n == 1 {
			must(t, events.Purge(t.Context(), jetstream.WithPurgeSubject(paystubs("", "a-1").Subject())))
			publish(t, c, link("e-new", "a-2", schema.ActionConnected))
		}
		return nil
	}))
	if n == 0 || n == all {
		t.Errorf("%d of %d messages: nothing was deleted while it waited", n, all)
	}
}

func TestAScanIsEnded(t *testing.T) {
	t.Parallel()
	_, c := streamtest.New(t)
	publish(t, c, paystubs("e-1", "a-1"), paystubs("e-2", "a-1"))
	t.Run("by an error of each, which it returns", func(t *testing.T) {
		enough, n := errors.New("enough"), 0
		err := stream.NewOperator(c).Scan(t.Context(), schema.EventsStream, stream.Selection{}, func(stream.Stored) error { n++; return enough })
		if !errors.Is(err, enough) || n != 1 {
			t.Errorf("%d messages and %v, want one and the error", n, err)
		}
	})
	t.Run("by its context", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		err := stream.NewOperator(c).Scan(ctx, schema.EventsStream, stream.Selection{}, func(stream.Stored) error { cancel(); return nil })
		if !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("by a stream that is not there, with what to run", func(t *testing.T) {
		s := streamtest.Run(t, streamtest.Config{})
		err := stream.NewOperator(s.Connect(t)).Scan(t.Context(), schema.EventsStream, stream.Selection{}, nil)
		if !errors.Is(err, stream.ErrNoQueue) {
			t.Errorf("got %v", err)
		}
	})
}
