package stream_test

import (
	"errors"
	"maps"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream/streamtest"
)

// The broker checks the subject of a message, and not the headers that make the broker act. The
// tests here publish on a subject that a worker may use, with headers that no worker sends.

// send publishes an empty message with headers.
func (b broker) send(subject string, pairs ...string) error {
	b.t.Helper()
	msg := &nats.Msg{Subject: subject, Header: nats.Header{}}
	for i := 0; i+1 < len(pairs); i += 2 {
		msg.Header.Set(pairs[i], pairs[i+1])
	}
	_, err := b.PublishMsg(b.t.Context(), msg)
	return err
}

// now is a time of a schedule that fires at once.
func now() string { return "@at " + time.Now().Add(-time.Second).UTC().Format(time.RFC3339) }

func TestTheBrokerRefusesHeadersThatAStreamDoesNotNeed(t *testing.T) {
	t.Parallel()
	s, _ := streamtest.New(t)
	b := look(t, s)
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
		schema.ClosureSubject("pinwheel_paystubs", schema.ClosureDown): {
			"a rollup": rollup, "a schedule": schedule,
		},
		"$O.WAGEWIRE_RECORDS.C.pinwheel.paystubs.a.x.1": {
			"a TTL": ttl, "a rollup": rollup, "a schedule": schedule,
		},
		e.WaitingSubject("pinwheel_paystubs"): {
			"a TTL": ttl,
			"a schedule for the retries of another queue": {
				jetstream.ScheduleHeader, now(),
				jetstream.ScheduleTargetHeader, schema.RetriesSubject("truv_link", "a"),
			},
		},
	} {
		maps.Copy(headers, others)
		for what, pairs := range headers {
			err := b.send(subject, pairs...)
			if _, refused := errors.AsType[*jetstream.APIError](err); !refused {
				t.Errorf("%s on %s: %v", what, subject, err)
			}
		}
	}
}

func TestAMessageIDOfAnotherResourceDoesNotHideACompletion(t *testing.T) {
	t.Parallel()
	s, c := streamtest.New(t)
	c.BePatient()
	e := paystubs("e-1", "a-1")
	of := link("x", "a-1", "connected").CompletionSubject(schema.Link)
	completion := succeeded(e, `{"id":"1"}`)
	must(t, look(t, s).send(of, jetstream.MsgIDHeader, completion.ID))
	if !complete(t, c, e, completion) || complete(t, c, e, completion) {
		t.Error("want the completion stored once")
	}
}
