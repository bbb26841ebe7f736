package nats_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	natsgo "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
	"github.com/wagewire/wagewire/schema/stream/streamtest"
)

// The broker checks the subject of a message, and not the headers that make the broker act: some
// headers remove other messages of the same stream. The tests here send such headers with the key
// of each role, against the waiting events, the retries and the replays of each queue.

// trick is a publish whose headers remove messages of its stream.
type trick struct {
	name string
	// headers returns the headers. target is the subject to empty: that of a waiting event, of
	// retries, or of replays.
	headers func(target string) natsgo.Header
}

// tricks are the known ways to remove messages of nats-server 2.15.2 with a publish.
func tricks() []trick {
	return []trick{
		{"a rollup of all subjects", func(string) natsgo.Header {
			return natsgo.Header{jetstream.MsgRollup: {jetstream.MsgRollupAll}}
		}},
		{"a retry that names the schedule", func(target string) natsgo.Header {
			return natsgo.Header{
				jetstream.SchedulerHeader: {target}, jetstream.ScheduleNextHeader: {"purge"},
			}
		}},
		{"a schedule whose message replaces the subject", func(target string) natsgo.Header {
			return natsgo.Header{
				jetstream.ScheduleHeader:       {scheduleAt(-time.Second)},
				jetstream.ScheduleTargetHeader: {target},
				jetstream.ScheduleRollupHeader: {jetstream.MsgRollupSubject},
			}
		}},
	}
}

// scheduleAt is the header of a schedule whose time comes after the duration.
func scheduleAt(d time.Duration) string {
	return "@at " + time.Now().Add(d).UTC().Format(time.RFC3339)
}

// waitingOf is the subject of an event that waits in the queue.
func waitingOf(q schema.Queue) string { return webhook(typeOf(q), "e", "a").WaitingSubject(q.Name) }

// retriesOf is the subject of the queue's retries of the same account.
func retriesOf(q schema.Queue) string { return schema.RetriesSubject(q.Name, "a") }

// dueOf has the subjects of the queue's retries and replays of the same account.
func dueOf(q schema.Queue) []string {
	if q.Erases {
		return []string{retriesOf(q)}
	}
	return []string{retriesOf(q), schema.ReplaysSubject(q.Name, "a")}
}

// letWait stores a waiting event, whose time comes after the duration, and returns its sequence.
func letWait(
	t *testing.T, js jetstream.JetStream, q schema.Queue, d time.Duration,
) (sequence uint64) {
	t.Helper()
	ack, err := js.PublishMsg(t.Context(), &natsgo.Msg{Subject: waitingOf(q), Header: natsgo.Header{
		jetstream.ScheduleHeader:       {scheduleAt(d)},
		jetstream.ScheduleTargetHeader: {retriesOf(q)},
	}})
	must(t, err)
	return ack.Sequence
}

// awaitGone waits until the message is no longer on the queue's stream. The broker removes a
// schedule after it has published the retry.
func awaitGone(t *testing.T, full jetstream.JetStream, q schema.Queue, sequence uint64) {
	t.Helper()
	s, err := full.Stream(t.Context(), q.WaitingStream())
	must(t, err)
	streamtest.Eventually(t, "the event no longer waits in "+q.Name, func() bool {
		_, err := s.GetMsg(t.Context(), sequence)
		if err != nil && !errors.Is(err, jetstream.ErrMsgNotFound) {
			t.Fatal(err)
		}
		return err != nil
	})
}

// fillWaiting stores a waiting event, a retry and a replay of the queue, and returns the sequence
// of the waiting event.
func fillWaiting(t *testing.T, full jetstream.JetStream, q schema.Queue) (sequence uint64) {
	t.Helper()
	sequence = letWait(t, full, q, 24*time.Hour)
	for _, subject := range dueOf(q) {
		_, err := full.Publish(t.Context(), subject, []byte("{}"))
		must(t, err)
	}
	return sequence
}

// waitingState is the state of the queue's stream. It changes with every message that is stored or
// removed.
func waitingState(t *testing.T, full jetstream.JetStream, q schema.Queue) jetstream.StreamState {
	t.Helper()
	s, err := full.Stream(t.Context(), q.WaitingStream())
	must(t, err)
	return s.CachedInfo().State
}

// play publishes the headers on each subject of a waiting event, retry or replay, whatever the
// queue. It returns after the broker has answered.
func (k trick) play(t *testing.T, c client, target string) {
	t.Helper()
	for _, q := range schema.Queues() {
		for _, subject := range append(dueOf(q), waitingOf(q)) {
			_, err := c.RequestMsgWithContext(t.Context(),
				&natsgo.Msg{Subject: subject, Header: k.headers(target)})
			if err != nil && !errors.Is(err, natsgo.ErrNoResponders) {
				t.Fatal(err)
			}
		}
	}
}

func TestNoKeyRemovesTheWaitingEventsOfAnotherRole(t *testing.T) {
	t.Parallel()
	b := start(t, quick)
	provision(t, b.connect(t, stream.RoleOperator), schema.DefaultTopology())
	full := b.dial(t, stream.RoleOperator).jetstream(t)
	for _, victim := range schema.Queues() {
		fillWaiting(t, full, victim)
		before := waitingState(t, full, victim)
		for _, grant := range everyGrant(t) {
			if grant.Role == stream.WorkerRole(victim.Resource) {
				continue
			}
			c := b.dial(t, grant.Role)
			for _, k := range tricks() {
				for _, target := range append(dueOf(victim), waitingOf(victim)) {
					k.play(t, c, target)
				}
			}
			awaitSchedules(t, full, grant.Role)
			if diff := cmp.Diff(before, waitingState(t, full, victim)); diff != "" {
				t.Fatalf("%s changed the stream of %s (-before +after):\n%s", grant.Role,
					victim.Name, diff)
			}
		}
	}
}

// awaitSchedules waits until the broker has published the retry of a new schedule in each queue of
// the role. The schedules of before have had their time, too.
func awaitSchedules(t *testing.T, full jetstream.JetStream, role string) {
	t.Helper()
	for _, q := range schema.Queues() {
		if stream.WorkerRole(q.Resource) != role {
			continue
		}
		awaitGone(t, full, q, letWait(t, full, q, 0))
	}
}

// Without this test, tricks that the broker refuses for another reason would pass.
func TestAWorkersKeyRemovesItsOwnWaitingEvents(t *testing.T) {
	t.Parallel()
	q := schema.QueuesOf(schema.Paystubs)[0]
	b := start(t, quick)
	provision(t, b.connect(t, stream.RoleOperator), schema.DefaultTopology())
	full := b.dial(t, stream.RoleOperator).jetstream(t)
	c := b.dial(t, stream.WorkerRole(q.Resource))
	for _, k := range tricks() {
		t.Run(k.name, func(t *testing.T) {
			sequence := fillWaiting(t, full, q)
			k.play(t, c, waitingOf(q))
			awaitGone(t, full, q, sequence)
		})
	}
}
