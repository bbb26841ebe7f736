package stream_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
	"github.com/wagewire/wagewire/schema/stream/streamtest"
)

// keeping plans a topology with a Keep of one answer, and returns the asked settings.
func keeping(
	t *testing.T, c *stream.Conn, topology schema.Topology, keep bool,
) (changes []stream.Change, asked []stream.Kept) {
	t.Helper()
	o := operator(c)
	o.Keep = func(k stream.Kept) bool {
		asked = append(asked, k)
		return keep
	}
	changes, err := o.Plan(t.Context(), topology)
	must(t, err)
	return changes, asked
}

func TestAStreamKeepsWhatItHasMoreThanTheTopologyWishes(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	for _, test := range []struct {
		promise string
		has     func(*schema.Topology)
		kept    stream.Kept
	}{
		{
			"bytes",
			func(topology *schema.Topology) {
				streamIn(topology, schema.EventsStream).MaxBytes = 96 << 20
			},
			stream.Kept{
				What: "stream WAGEWIRE_EVENTS", Name: schema.EventsStream,
				Setting: stream.SettingBytes, Have: 96 << 20, Want: 64 << 20,
			},
		},
		{
			"bytes without a limit",
			func(topology *schema.Topology) {
				streamIn(topology, schema.DeadLettersStream).MaxBytes = 0
			},
			stream.Kept{
				What: "stream WAGEWIRE_DEAD_LETTERS", Name: schema.DeadLettersStream,
				Setting: stream.SettingBytes, Have: 0, Want: 64 << 20,
			},
		},
		{
			"messages",
			func(topology *schema.Topology) {
				streamIn(topology, schema.CompletionsStream).MaxMessages = 9_000_000
			},
			stream.Kept{
				What: "stream WAGEWIRE_COMPLETIONS", Name: schema.CompletionsStream,
				Setting: stream.SettingMessages, Have: 9_000_000, Want: 3_000_000,
			},
		},
		{
			"an age",
			func(topology *schema.Topology) {
				streamIn(topology, schema.QuarantineStream).MaxAge = 30 * day
			},
			stream.Kept{
				What: "stream WAGEWIRE_QUARANTINE", Name: schema.QuarantineStream,
				Setting: stream.SettingAge, Have: int64(30 * day), Want: int64(14 * day),
			},
		},
		{
			"an age of messages that carry it",
			func(topology *schema.Topology) {
				streamIn(topology, schema.CompletionsStream).MaxAge = 30 * day
			},
			stream.Kept{
				What: "stream WAGEWIRE_COMPLETIONS", Name: schema.CompletionsStream,
				Setting: stream.SettingAge, Have: int64(30 * day), Want: int64(21 * day),
			},
		},
		{
			"for ever, in the object store",
			func(topology *schema.Topology) { topology.Records.MaxAge = 0 },
			stream.Kept{
				What: "object store WAGEWIRE_RECORDS", Name: schema.RecordsBucket,
				Setting: stream.SettingAge, Have: 0, Want: int64(22 * day),
			},
		},
		{
			"bytes of the object store",
			func(topology *schema.Topology) { topology.Records.MaxBytes = 96 << 20 },
			stream.Kept{
				What: "object store WAGEWIRE_RECORDS", Name: schema.RecordsBucket,
				Setting: stream.SettingBytes, Have: 96 << 20, Want: 64 << 20,
			},
		},
	} {
		t.Run(test.promise, func(t *testing.T) {
			t.Parallel()
			_, c := start(t, test.has)
			changes, kept := keeping(t, c, streamtest.Topology(), true)
			if diff := cmp.Diff([]stream.Kept{test.kept}, kept); diff != "" {
				t.Errorf("kept (-want +got):\n%s", diff)
			}
			if len(changes) > 0 {
				t.Errorf("planned %s", texts(changes))
			}
			if changes, _ := keeping(t, c, streamtest.Topology(), false); len(changes) != 1 {
				t.Errorf("planned %s, want the one change that is not kept", texts(changes))
			}
		})
	}
}

func TestAKeptSettingDoesNotHoldUpTheOthers(t *testing.T) {
	t.Parallel()
	_, c := start(t, func(topology *schema.Topology) {
		events := streamIn(topology, schema.EventsStream)
		events.MaxBytes = 96 << 20
		events.Duplicates = time.Minute
	})
	changes, _ := keeping(t, c, streamtest.Topology(), true)
	want := []string{"~ stream WAGEWIRE_EVENTS\n    duplicate_window: 1m0s -> 24h0m0s"}
	if diff := cmp.Diff(want, texts(changes)); diff != "" {
		t.Fatalf("planned (-want +got):\n%s", diff)
	}
	must(t, operator(c).Apply(t.Context(), changes))
	if changes, _ := keeping(t, c, streamtest.Topology(), true); len(changes) > 0 {
		t.Errorf("applied and planned again: %s", texts(changes))
	}
}

func TestSizesChangeUnderEventsInHand(t *testing.T) {
	t.Parallel()
	s, c := streamtest.New(t)
	publish(t, c, numbered(0, 2)...)
	jobs, end, returned := hold(t, c, paystubsQueue, 1)
	j := next(t, "delivery", jobs)

	enlarged := streamtest.Topology()
	for _, name := range []string{schema.EventsStream, schema.CompletionsStream} {
		streamIn(&enlarged, name).MaxBytes *= 2
	}
	streamtest.Provision(t, c, enlarged)
	// A release with the former sizes plans the same again, and then an operator shrinks.
	changes, kept := keeping(t, c, streamtest.Topology(), true)
	if len(changes) > 0 || len(kept) != 2 {
		t.Errorf("planned %s and kept %v", texts(changes), kept)
	}
	streamtest.Provision(t, c, streamtest.Topology())

	must(t, j.Done())
	end()
	j.release()
	next(t, "Consume returns", returned)
	jobs, _, _ = hold(t, s.Connect(t), paystubsQueue, 1)
	if j = next(t, "delivery", jobs); j.Event.ID != "1" {
		t.Errorf("event %s, want the next one", j.Event.ID)
	}
	must(t, j.Done())
	if n := look(t, s).state(schema.EventsStream).Msgs; n != 2 {
		t.Errorf("%d events, want 2", n)
	}
}

func TestANewStreamGetsAsManyCopiesAsTheOthersKeep(t *testing.T) {
	t.Parallel()
	_, urls := cluster(t)
	c := provisionCluster(t, urls, clusterTopology())
	b := lookAt(t, urls)
	clusterEventually(t, "two streams are gone", func(ctx context.Context) bool {
		_ = b.DeleteStream(ctx, schema.QuarantineStream)
		_ = b.DeleteStream(ctx, "OBJ_"+schema.RecordsBucket)
		_, err := b.Stream(ctx, schema.QuarantineStream)
		_, records := b.Stream(ctx, "OBJ_"+schema.RecordsBucket)
		return err != nil && records != nil
	})
	single := streamtest.Topology()
	o := operator(c)
	copies := map[string]int64{}
	o.Keep = func(k stream.Kept) bool {
		if k.Setting == stream.SettingReplicas {
			copies[k.Name] = k.Have
		}
		return true
	}
	clusterEventually(t, "streams are provisioned by a wish for one copy",
		func(ctx context.Context) bool { return o.Provision(ctx, single) == nil })
	if copies[schema.EventsStream] != 3 || copies[schema.RecordsBucket] != 0 {
		t.Errorf("kept copies %v", copies)
	}
	for _, name := range []string{
		schema.EventsStream, schema.QuarantineStream, "OBJ_" + schema.RecordsBucket,
	} {
		clusterEventually(t, name+" has three copies", func(ctx context.Context) bool {
			made, err := b.Stream(ctx, name)
			return err == nil && made.CachedInfo().Config.Replicas == 3
		})
	}
}

func TestAStreamWithoutALimitOfMessagesGetsOneWhileEventsAreInFlight(t *testing.T) {
	t.Parallel()
	s, c := start(t, func(topology *schema.Topology) {
		for i := range topology.Streams {
			topology.Streams[i].MaxMessages = 0 // as an earlier release made them
		}
	})
	events := []schema.Event{paystubs("e-1", "a-1"), paystubs("e-2", "a-1"), paystubs("e-3", "a-1")}
	publish(t, c, events...)
	jobs, _, _ := hold(t, c, queueOf(schema.Paystubs), 1)
	inHand := next(t, "a delivery", jobs)
	topology := streamtest.Topology()
	changes, asked := keeping(t, c, topology, true)
	if len(changes) != 4 || len(asked) > 0 {
		t.Fatalf("planned %s, asked about %v: want a limit for each of four streams",
			texts(changes), asked)
	}
	must(t, operator(c).Apply(t.Context(), changes))
	must(t, inHand.Done())
	inHand.release()
	for range events[1:] {
		j := next(t, "the rest of the events", jobs)
		must(t, j.Done())
		j.release()
	}
	if state := look(t, s).state(schema.EventsStream); state.Msgs != uint64(len(events)) {
		t.Errorf("%d events are stored, want %d", state.Msgs, len(events))
	}
}

func TestAStreamThatWouldSoonBeFullGetsNoFirstLimitOfMessages(t *testing.T) {
	t.Parallel()
	_, c := start(t, func(topology *schema.Topology) {
		streamIn(topology, schema.EventsStream).MaxMessages = 0
	})
	for i := range 4 {
		publish(t, c, paystubs(fmt.Sprint(i), "a-1"))
	}
	for _, test := range []struct {
		promise string
		most    int64
		// bytes is how many fewer bytes are wished than the stream has.
		bytes int64
		asked []stream.Setting
	}{
		{"below what it holds", 3, 0, []stream.Setting{stream.SettingMessages}},
		{"at what it holds", 4, 0, []stream.Setting{stream.SettingMessages}},
		{"a little above", 5, 0, []stream.Setting{stream.SettingMessages}},
		{"with room", 6, 0, nil},
		{
			"with room for messages, and with more bytes than wished", 6, 1 << 20,
			[]stream.Setting{stream.SettingBytes, stream.SettingMessages},
		},
	} {
		topology := streamtest.Topology()
		events := streamIn(&topology, schema.EventsStream)
		events.MaxMessages = test.most
		events.MaxBytes -= test.bytes
		changes, kept := keeping(t, c, topology, true)
		var asked []stream.Setting
		for _, k := range kept {
			asked = append(asked, k.Setting)
		}
		if diff := cmp.Diff(test.asked, asked); diff != "" ||
			(len(changes) == 0) != (len(asked) > 0) {
			t.Errorf("%s: planned %s; asked (-want +got):\n%s", test.promise, texts(changes), diff)
		}
		if len(asked) == 0 {
			continue
		}
		// Somebody insists: the limit is planned, and refused if the stream holds more.
		changes, _ = keeping(t, c, topology, false)
		if len(changes) != 1 || (changes[0].Refused != "") != (test.most < 4) {
			t.Errorf("%s, for one who insists: planned %s", test.promise, texts(changes))
		}
	}
}

func TestNoLimitOfMessagesIsSetBelowWhatAStreamHolds(t *testing.T) {
	t.Parallel()
	_, c := streamtest.New(t)
	publish(t, c, paystubs("e-1", "a-1"), paystubs("e-2", "a-1"))
	topology := streamtest.Topology()
	streamIn(&topology, schema.EventsStream).MaxMessages = 1
	changes, _ := keeping(t, c, topology, false)
	if err := operator(c).Apply(t.Context(), changes); !errors.Is(err, stream.ErrRefused) {
		t.Errorf("Apply = %v, want ErrRefused", err)
	}
}

func TestAStreamFullOfMessagesRefuses(t *testing.T) {
	t.Parallel()
	_, c := start(t, func(topology *schema.Topology) {
		streamIn(topology, schema.EventsStream).MaxMessages = 2
		streamIn(topology, schema.CompletionsStream).MaxMessages = 1
	})
	c.BePatient()
	first := paystubs("e-1", "a-1")
	publish(t, c, first, paystubs("e-2", "a-1"))
	if err := c.Ready(t.Context()); !errors.Is(err, stream.ErrFull) {
		t.Errorf("Ready = %v, want ErrFull", err)
	}
	if _, err := c.PublishEvent(t.Context(), paystubs("e-3", "a-1")); err == nil {
		t.Error("an event is stored over the limit")
	}
	if !complete(t, c, first, succeeded(first)) {
		t.Fatal("the first completion is not stored")
	}
	second := paystubs("e-2", "a-1")
	stored, err := c.PublishCompletion(t.Context(), second, succeeded(second))
	if stored || !errors.Is(err, stream.ErrFull) {
		t.Errorf("PublishCompletion = %v, %v; want ErrFull", stored, err)
	}
	if complete(t, c, first, succeeded(first)) {
		t.Error("the first completion is stored twice")
	}
}
