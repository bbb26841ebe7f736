package stream_test

import (
	"errors"
	"maps"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
	"github.com/wagewire/wagewire/schema/stream/streamtest"
)

// The tests here do what the key of one worker can do to the queue of another: the broker checks
// the subject of a message, and not the headers that make the broker act.

// foreign is a waiting event of the queue of paystubs, and the subjects of the queue of links.
type foreign struct {
	broker
	conn   *stream.Conn
	event  schema.Event
	victim schema.Queue
	// own and ownRetries are subjects of the queue of links.
	own, ownRetries string
}

func newForeign(t *testing.T) foreign {
	t.Helper()
	s, c := streamtest.New(t)
	f := foreign{
		broker: look(t, s), conn: c,
		event: paystubs("e-1", "a-1"), victim: queueOf(schema.Paystubs),
		own:        link("x", "a-1", "connected").WaitingSubject(queueOf(schema.Link).Name),
		ownRetries: schema.RetriesSubject(queueOf(schema.Link).Name, "a-1"),
	}
	publish(t, c, f.event)
	letWait(t, c, f.victim, wait(schema.ClassTransient, later))
	return f
}

// waits reports whether the event of paystubs still waits.
func (f foreign) waits() bool {
	f.t.Helper()
	return len(waiting(f.t, f.conn, f.victim.Name)) == 1
}

// send publishes on a subject of links, with headers.
func (f foreign) send(subject string, pairs ...string) error {
	f.t.Helper()
	msg := &nats.Msg{Subject: subject, Header: nats.Header{}}
	for i := 0; i+1 < len(pairs); i += 2 {
		msg.Header.Set(pairs[i], pairs[i+1])
	}
	_, err := f.PublishMsg(f.t.Context(), msg)
	return err
}

// now is a time of a schedule that fires at once.
func now() string { return "@at " + time.Now().Add(-time.Second).UTC().Format(time.RFC3339) }

func TestARetryFromAnotherQueuesScheduleIsDroppedWithoutWork(t *testing.T) {
	t.Parallel()
	f := newForeign(t)
	m := f.all(schema.WaitingStream, f.event.WaitingSubject(f.victim.Name))[0]
	pairs := []string{
		jetstream.ScheduleHeader, now(),
		jetstream.ScheduleTargetHeader, schema.RetriesSubject(f.victim.Name, f.event.Account()),
	}
	for key := range m.Header {
		if key[0] == 'W' || key[0] == 'c' { // the event's own headers
			pairs = append(pairs, key, m.Header.Get(key))
		}
	}
	jobs, _, _ := holdTaking(t, f.conn, f.victim, stream.Taking{Hands: 1, RetryHands: 1})
	must(t, f.send(f.own, pairs...))
	streamtest.Eventually(t, "the retry is settled", func() bool {
		retries, err := f.Consumer(t.Context(), schema.WaitingStream, f.victim.Name)
		return err == nil && retries.CachedInfo().AckFloor.Consumer == 1
	})
	select {
	case j := <-jobs:
		t.Errorf("a worker got the retry: %+v", j.Delivery)
	default:
	}
	if !f.waits() {
		t.Error("the event itself no longer waits")
	}
}

// The broker turns rollups on with schedules, for the whole stream. So these are the limits of the
// rights of a worker, and the comment of Grants says so. A row that fails is good news.
func TestAWorkersKeyCanEndTheWaitsOfOtherQueues(t *testing.T) {
	t.Parallel()
	for promise, headersOf := range map[string]func(victim string) []string{
		"by a rollup of all subjects": func(string) []string {
			return []string{jetstream.MsgRollup, jetstream.MsgRollupAll}
		},
		"by a retry that names the schedule": func(victim string) []string {
			return []string{
				jetstream.SchedulerHeader, victim, jetstream.ScheduleNextHeader, "purge",
			}
		},
		"by a schedule whose message replaces the subject": func(victim string) []string {
			return []string{
				jetstream.ScheduleHeader, now(), jetstream.ScheduleTargetHeader, victim,
				jetstream.ScheduleRollupHeader, jetstream.MsgRollupSubject,
			}
		},
	} {
		t.Run(promise, func(t *testing.T) {
			t.Parallel()
			f := newForeign(t)
			must(t, f.send(f.own, headersOf(f.event.WaitingSubject(f.victim.Name))...))
			streamtest.Eventually(t, "the event no longer waits", func() bool {
				return !f.hasSchedule()
			})
		})
	}
}

// hasSchedule reports whether the schedule of the event of paystubs is stored.
func (f foreign) hasSchedule() bool {
	f.t.Helper()
	subject := f.event.WaitingSubject(f.victim.Name)
	for _, m := range f.all(schema.WaitingStream, subject) {
		if m.Header.Get(jetstream.ScheduleHeader) != "" {
			return true
		}
	}
	return false
}

func TestTheBrokerRefusesHeadersThatAStreamDoesNotNeed(t *testing.T) {
	t.Parallel()
	s, c := streamtest.New(t)
	f := foreign{broker: look(t, s), conn: c}
	e := paystubs("e-1", "a-1")
	ttl := []string{jetstream.MsgTTLHeader, "1s"}
	rollup := []string{jetstream.MsgRollup, jetstream.MsgRollupAll}
	schedule := []string{
		jetstream.ScheduleHeader, now(), jetstream.ScheduleTargetHeader, "wagewire.events.x",
	}
	others := map[string][]string{
		"a part of a batch": {"Nats-Batch-Id", "b", "Nats-Batch-Sequence", "1"},
		"a counter":         {"Nats-Incr", "1"},
		"a source":          {"Nats-Stream-Source", "WAGEWIRE_EVENTS 1 > > wagewire.events.x"},
	}
	for subject, headers := range map[string]map[string][]string{
		e.Subject(): {
			"a TTL": ttl, "a rollup": rollup, "a schedule": schedule,
		},
		e.CompletionSubject(schema.Paystubs): {"a rollup": rollup, "a schedule": schedule},
		schema.DeadLetterSubject("pinwheel_paystubs", "a"): {
			"a TTL": ttl, "a rollup": rollup, "a schedule": schedule,
		},
		schema.PauseSubject("pinwheel_paystubs"): {
			"a TTL": ttl, "a rollup": rollup, "a schedule": schedule,
		},
		"$O.WAGEWIRE_RECORDS.C.pinwheel.paystubs.a.x.1": {
			"a TTL": ttl, "a rollup": rollup, "a schedule": schedule,
		},
		e.WaitingSubject("pinwheel_paystubs"): {"a TTL": ttl},
	} {
		maps.Copy(headers, others)
		for what, pairs := range headers {
			err := f.send(subject, pairs...)
			if _, refused := errors.AsType[*jetstream.APIError](err); !refused {
				t.Errorf("%s on %s: %v", what, subject, err)
			}
		}
	}
}

// The duplicate window belongs to the whole stream. The message id of another queue must not make a
// retry disappear.
func TestAMessageIDOfAnotherQueueDoesNotHideARetry(t *testing.T) {
	t.Parallel()
	f := newForeign(t)
	id := "pinwheel_paystubs:1:0:0"
	must(t, f.send(f.ownRetries, jetstream.MsgIDHeader, id))
	must(t, f.conn.Requeue(t.Context(), f.victim, f.event, 1))
	if n := len(retriesOf(t, f.conn, f.event)); n != 1 {
		t.Errorf("%d retries, want 1", n)
	}
	// The ids of the queue itself are still stored once.
	other := paystubs("e-2", "a-1")
	publish(t, f.conn, other)
	for range 2 {
		must(t, f.conn.Requeue(t.Context(), f.victim, other, 2))
	}
	if n := len(retriesOf(t, f.conn, other)); n != 1 {
		t.Errorf("%d retries of a retry published twice, want 1", n)
	}
}

func TestAMessageIDOfAnotherResourceDoesNotHideACompletion(t *testing.T) {
	t.Parallel()
	f := newForeign(t)
	of := link("x", "a-1", "connected").CompletionSubject(schema.Link)
	completion := succeeded(f.event, `{"id":"1"}`)
	must(t, f.send(of, jetstream.MsgIDHeader, completion.ID))
	if !complete(t, f.conn, f.event, completion) || complete(t, f.conn, f.event, completion) {
		t.Error("want the completion stored once")
	}
}
