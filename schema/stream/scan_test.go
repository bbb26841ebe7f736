package stream_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
	"github.com/wagewire/wagewire/schema/stream/streamtest"
)

// consumers returns the names of a stream's consumers, without those of the queues.
func (b broker) consumers(name string) []string {
	b.t.Helper()
	var names []string
	list := b.stream(name).ConsumerNames(b.t.Context())
	for consumer := range list.Name() {
		isQueue := func(q schema.Queue) bool { return q.Name == consumer }
		if !slices.ContainsFunc(schema.Queues(), isQueue) {
			names = append(names, consumer)
		}
	}
	must(b.t, list.Err())
	return names
}

func TestAReaderLeavesNoConsumerBehind(t *testing.T) {
	t.Parallel()
	s, c := streamtest.New(t)
	c.BePatient()
	publish(t, c, paystubs("e-1", "a-1"), paystubs("e-2", "a-2"))
	if !complete(t, c, paystubs("e-1", "a-1"), succeeded(paystubs("e-1", "a-1"))) {
		t.Fatal("the completion is not stored")
	}
	b := look(t, s)
	broken := errors.New("each has had enough")
	for promise, read := range map[string]func() error{
		"a scan to the end": func() error {
			return operator(c).Scan(t.Context(), schema.EventsStream, stream.Selection{},
				func(stream.Stored) error { return nil })
		},
		"a scan without a message": func() error {
			which := stream.Selection{Filters: []string{paystubs("e-3", "a-3").Subject()}}
			return operator(c).Scan(t.Context(), schema.EventsStream, which,
				func(stream.Stored) error { return nil })
		},
		"a scan that each ends": func() error {
			err := operator(c).Scan(t.Context(), schema.EventsStream, stream.Selection{},
				func(stream.Stored) error { return broken })
			if errors.Is(err, broken) {
				return nil
			}
			return fmt.Errorf("the error of each is lost: %w", err)
		},
		"a scan whose context ends": func() error {
			ctx, cancel := context.WithCancel(t.Context())
			err := operator(c).Scan(ctx, schema.EventsStream, stream.Selection{},
				func(stream.Stored) error { cancel(); return nil })
			if errors.Is(err, context.Canceled) {
				return nil
			}
			return fmt.Errorf("the scan went on: %w", err)
		},
		"a tail": func() error {
			tail, err := operator(c).Tail(t.Context(), "", time.Time{})
			if err != nil {
				return err
			}
			defer tail.Close()
			_, err = tail.Next(t.Context())
			return err
		},
	} {
		must(t, read())
		for _, name := range []string{schema.EventsStream, schema.CompletionsStream} {
			left := slices.DeleteFunc(b.consumers(name), func(name string) bool {
				return name == schema.AccountsConsumer
			})
			if len(left) > 0 {
				t.Errorf("%s leaves %q on %s", promise, left, name)
			}
		}
	}
}

// scanned returns the ids of the events that a scan hands out.
func scanned(t *testing.T, c *stream.Conn, which stream.Selection) []string {
	t.Helper()
	ids := []string{}
	must(t, operator(c).Headings(t.Context(), which, func(h stream.Heading) error {
		ids = append(ids, h.Event.ID)
		return nil
	}))
	return ids
}

func TestAScanHandsOutTheSelectedEventsAndEnds(t *testing.T) {
	t.Parallel()
	_, c := streamtest.New(t)
	pinwheel := schema.AccountEvents(schema.Pinwheel, "*", "*", "*")
	truv := schema.AccountEvents(schema.Truv, "*", "*", "*")
	plaid := schema.AccountEvents("plaid", "*", "*", "*")
	first := paystubs("e-1", "a-1").Subject()
	if got := scanned(t, c, stream.Selection{}); len(got) > 0 {
		t.Errorf("an empty stream: got %q", got)
	}
	publish(t, c,
		paystubs("e-1", "a-1"), link("e-2", "a-2", schema.ActionConnected),
		paystubs("e-3", "a-3"), link("e-4", "a-4", schema.ActionConnected),
	)
	var at []time.Time
	noteTime := func(m stream.Stored) error {
		at = append(at, m.At)
		return nil
	}
	must(t, operator(c).Scan(t.Context(), schema.EventsStream, stream.Selection{}, noteTime))
	matching := func(filters ...string) stream.Selection {
		return stream.Selection{Filters: filters}
	}
	since := func(at time.Time) stream.Selection { return stream.Selection{Since: at} }
	for promise, test := range map[string]struct {
		which stream.Selection
		want  []string
	}{
		"no filter selects every event":     {matching(), []string{"e-1", "e-2", "e-3", "e-4"}},
		"a filter selects matching events":  {matching(pinwheel), []string{"e-1", "e-3"}},
		"an event may match any filter":     {matching(first, truv), []string{"e-1", "e-2", "e-4"}},
		"no event may match":                {matching(plaid), []string{}},
		"since selects later events":        {since(at[2]), []string{"e-3", "e-4"}},
		"since may be after the last event": {since(at[3].Add(time.Nanosecond)), []string{}},
		"since may be in the future":        {since(time.Now().Add(time.Hour)), []string{}},
	} {
		t.Run(promise, func(t *testing.T) {
			if diff := cmp.Diff(test.want, scanned(t, c, test.which)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestAScanEndsAtTheLastMessageOfItsBeginning(t *testing.T) {
	t.Parallel()
	_, c := streamtest.New(t)
	publish(t, c, paystubs("e-1", "a-1"), paystubs("e-2", "a-1"))
	n := 0
	publishAnother := func(stream.Stored) error {
		n++
		publish(t, c, paystubs(fmt.Sprintf("new-%d", n), "a-1"))
		return nil
	}
	must(t, operator(c).Scan(t.Context(), schema.EventsStream, stream.Selection{}, publishAnother))
	if n != 2 {
		t.Errorf("%d messages, want the 2 that were there", n)
	}
}

func TestAScanEndsThoughTheMessagesToComeAreDeleted(t *testing.T) {
	t.Parallel()
	const all = 1200 // more than the client requests in advance
	s, c := streamtest.New(t)
	for i := range all {
		publish(t, c, paystubs(fmt.Sprintf("e-%d", i), "a-1"))
	}
	events := look(t, s).stream(schema.EventsStream)
	n := 0
	subject := paystubs("", "a-1").Subject()
	which := stream.Selection{Filters: []string{subject}}
	must(t, operator(c).Scan(t.Context(), schema.EventsStream, which, func(stream.Stored) error {
		n++
		if n == 1 {
			must(t, events.Purge(t.Context(), jetstream.WithPurgeSubject(subject)))
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
		enough := errors.New("enough")
		n := 0
		stop := func(stream.Stored) error {
			n++
			return enough
		}
		err := operator(c).Scan(t.Context(), schema.EventsStream, stream.Selection{}, stop)
		if !errors.Is(err, enough) || n != 1 {
			t.Errorf("%d messages and %v, want one and the error", n, err)
		}
	})
	t.Run("by its context", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		stop := func(stream.Stored) error {
			cancel()
			return nil
		}
		err := operator(c).Scan(ctx, schema.EventsStream, stream.Selection{}, stop)
		if !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("by a stream that is not there, with what to run", func(t *testing.T) {
		s := streamtest.Run(t, streamtest.Config{})
		o := operator(s.Connect(t))
		err := o.Scan(t.Context(), schema.EventsStream, stream.Selection{}, nil)
		if !errors.Is(err, stream.ErrNoQueue) {
			t.Errorf("got %v", err)
		}
	})
}

func TestAScanSelects(t *testing.T) {
	t.Parallel()
	_, c := streamtest.New(t)
	var events []schema.Event
	for i := range 6 {
		events = append(events, paystubs(fmt.Sprint(i), fmt.Sprintf("a-%d", i%3)))
	}
	publish(t, c, events...)
	of := func(i int) string { return events[i].Subject() }
	for promise, test := range map[string]struct {
		which stream.Selection
		want  []string
	}{
		"the newest places": {
			stream.Selection{Newest: 2}, []string{of(4), of(5)},
		},
		"all, if there are fewer than the newest": {
			stream.Selection{Newest: 9}, []string{of(0), of(1), of(2), of(3), of(4), of(5)},
		},
		"what the filter matches among the newest places": {
			stream.Selection{Newest: 3, Filters: []string{of(0)}}, []string{of(3)},
		},
		"what is stored from a place on": {
			stream.Selection{From: 5}, []string{of(4), of(5)},
		},
		"what a filter matches from a place on": {
			stream.Selection{From: 2, Filters: []string{of(0)}}, []string{of(3)},
		},
		"nothing behind the last place": {
			stream.Selection{From: 7}, nil,
		},
		"what one of several filters matches, and nothing else": {
			stream.Selection{Filters: []string{of(0), of(2)}},
			[]string{of(0), of(2), of(3), of(5)},
		},
		"filters of different lengths": {
			stream.Selection{Filters: []string{of(1), "wagewire.tombstones.>"}},
			[]string{of(1), of(4)},
		},
		"nothing for a filter that is longer than the subjects": {
			stream.Selection{Filters: []string{of(0) + ".x", of(1) + ".*"}}, nil,
		},
	} {
		var got []string
		err := operator(c).Scan(t.Context(), schema.EventsStream, test.which,
			func(m stream.Stored) error {
				got = append(got, m.Subject)
				return nil
			})
		must(t, err)
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", promise, diff)
		}
	}
}

func TestTheFilterOfABrokerCoversEachFilter(t *testing.T) {
	for promise, test := range map[string]struct{ filters, want []string }{
		"no filter":                               {nil, nil},
		"one filter as it is":                     {[]string{"a.>"}, []string{"a.>"}},
		"one token for those that differ":         {[]string{"a.b.c", "a.d.c"}, []string{"a.*.c"}},
		"a token that matches any":                {[]string{"a.*", "a.b"}, []string{"a.*"}},
		"everything, of different lengths":        {[]string{"a.b", "a.b.c"}, nil},
		"everything, if one has an open end":      {[]string{"a.>", "a.b"}, nil},
		"everything, if the last has an open end": {[]string{"a.b", "a.>"}, nil},
	} {
		t.Run(promise, func(t *testing.T) {
			if diff := cmp.Diff(test.want, stream.Cover(test.filters)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
