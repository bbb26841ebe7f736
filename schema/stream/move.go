package stream

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/wagewire/wagewire/schema"
)

// moveTogether is how many messages are moved before they are removed from the former stream.
const moveTogether = 500

// move is the end of the stream that held the waiting events of all queues: its messages move to
// the streams of their queues.
type move struct {
	operator *Operator
	topology schema.Topology
	keeper   *keeper
	// isNeeded is false if the broker does not have the stream.
	isNeeded bool
	// settled has, for each queue, the sequence up to which all of its retries are settled.
	settled map[string]uint64
	// pausedUntil is when an operator's pause of a queue ends.
	pausedUntil map[string]*time.Time
	// exhausted has the retries whose deliveries ran out, if no worker has read the advisory. The
	// broker counts such a retry as settled.
	exhausted map[uint64]bool
	// planned are the messages to move at the time of the plan.
	planned []Stored
}

// newMove reads what there is to move.
func (o *Operator) newMove(ctx context.Context, t schema.Topology, k *keeper) (*move, error) {
	m := &move{operator: o, topology: t, keeper: k}
	err := m.readQueues(ctx)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return m, nil
	}
	if err != nil {
		return nil, err
	}
	m.isNeeded = true
	m.planned, err = m.find(ctx)
	return m, err
}

// changes returns the change that moves the messages, if there is a stream to move.
func (m *move) changes() []Change {
	if !m.isNeeded {
		return nil
	}
	change := Change{What: "stream " + schema.FormerWaitingStream, apply: m.run}
	waiting := 0
	for _, message := range m.planned {
		queue := schema.WaitingQueue(message.Subject)
		if m.queue(queue) == nil {
			change.Refused = fmt.Sprintf(
				"it holds events of the queue %s, which this release does not have", queue)
		}
		if isSchedule(message) {
			waiting++
		}
	}
	change.Does = fmt.Sprintf("move %s and %s to the streams of their queues, then delete it",
		plural(waiting, "waiting event", "waiting events"),
		plural(len(m.planned)-waiting, "retry", "retries"))
	return []Change{change}
}

// plural is a number with its noun.
func plural(n int, one, several string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, several)
}

// retries is the consumer of the queue's retries. A pause of the former consumer goes on.
func (m *move) retries(q schema.Queue) queueConsumer {
	retries := laneConsumer(q, q.RetriesLane(), m.topology.Lease)
	retries.config.PauseUntil = m.pausedUntil[q.Name]
	return retries
}

// run moves all messages and deletes the stream. It may be repeated after an error or a crash, at
// any point.
//
// The first step takes the subjects from the stream, because the broker allows no two streams with
// the same subjects. From then on the stream takes no message from outside: a worker of the former
// release gives its events back with a delay. But the stream still publishes the retry of each
// schedule whose time has come. So run looks again until nothing is left.
func (m *move) run(ctx context.Context) error {
	former, err := m.operator.lookUpStream(ctx, schema.FormerWaitingStream)
	if err != nil {
		return err
	}
	if err := m.takeSubjects(ctx, former); err != nil {
		return fmt.Errorf("take its subjects: %w", err)
	}
	if err := m.makeStreams(ctx); err != nil {
		return err
	}
	for moved := 0; ; {
		messages, err := m.find(ctx)
		if err != nil {
			return err
		}
		if len(messages) == 0 {
			return m.operator.js.DeleteStream(ctx, schema.FormerWaitingStream)
		}
		for some := range slices.Chunk(messages, moveTogether) {
			if err := m.moveAll(ctx, former, some, moved); err != nil {
				return err
			}
			moved += len(some)
		}
	}
}

// moveAll publishes messages to the streams of their queues, and then removes them, with all
// messages before them, from the former stream. done messages have moved before.
func (m *move) moveAll(
	ctx context.Context, former jetstream.Stream, messages []Stored, done int,
) error {
	for i, message := range messages {
		if err := m.publish(ctx, message); err != nil {
			return fmt.Errorf("move message %d: %w", message.Sequence, err)
		}
		if m.operator.OnMove != nil {
			m.operator.OnMove(done+i+1, len(m.planned))
		}
	}
	last := messages[len(messages)-1].Sequence
	return former.Purge(ctx, jetstream.WithPurgeSequence(last+1))
}

// takeSubjects leaves the stream its name as its only subject: a stream must have a subject.
func (m *move) takeSubjects(ctx context.Context, former jetstream.Stream) error {
	config := former.CachedInfo().Config
	config.Subjects = []string{schema.FormerWaitingStream}
	_, err := m.operator.js.UpdateStream(ctx, config)
	return err
}

// makeStreams makes the streams of the queues, with their consumers. The plan has these changes
// too, and then finds them made.
func (m *move) makeStreams(ctx context.Context) error {
	streams, err := m.operator.planStreams(
		ctx, m.topology.WaitingStreams(), m.topology.Replicas, m.keeper)
	if err != nil {
		return err
	}
	var retries []queueConsumer
	for _, q := range m.topology.Queues {
		retries = append(retries, m.retries(q))
	}
	consumers, err := m.operator.planConsumers(ctx, retries)
	if err != nil {
		return err
	}
	return m.operator.Apply(ctx, append(streams, consumers...))
}

// readQueues reads the state of the queues on the stream.
func (m *move) readQueues(ctx context.Context) error {
	m.settled = map[string]uint64{}
	m.pausedUntil = map[string]*time.Time{}
	s, err := m.operator.lookUpStream(ctx, schema.FormerWaitingStream)
	if err != nil {
		return err
	}
	consumers := s.ListConsumers(ctx)
	for info := range consumers.Info() {
		m.settled[info.Name] = info.AckFloor.Stream
		if info.Paused {
			m.pausedUntil[info.Name] = info.Config.PauseUntil
		}
	}
	if err := consumers.Err(); err != nil {
		return fmt.Errorf("list its queues: %w", err)
	}
	return m.readExhausted(ctx)
}

// readExhausted reads the advisories that no worker has settled.
func (m *move) readExhausted(ctx context.Context) error {
	m.exhausted = map[uint64]bool{}
	settled := map[string]uint64{}
	for _, q := range m.topology.Queues {
		at, err := m.operator.positionOn(ctx, schema.AdvisoriesStream, q.Name)
		if err != nil && !errors.Is(err, ErrNoQueue) {
			return err
		}
		settled[q.Name] = at.Settled
	}
	err := m.operator.scanAdvisories(ctx, func(number uint64, e Ended) error {
		isOfRetry := e.Exhausted && e.Stream == schema.FormerWaitingStream
		if isOfRetry && number > settled[e.Queue] {
			m.exhausted[e.Sequence] = true
		}
		return nil
	})
	if errors.Is(err, ErrNoQueue) {
		return nil
	}
	return err
}

// find returns the messages to move, oldest first. They have no bodies.
func (m *move) find(ctx context.Context) ([]Stored, error) {
	var messages []Stored
	all := Selection{}
	err := m.operator.Scan(ctx, schema.FormerWaitingStream, all, func(message Stored) error {
		queue := schema.WaitingQueue(message.Subject)
		isSettled := !isSchedule(message) && message.Sequence <= m.settled[queue] &&
			!m.exhausted[message.Sequence]
		if queue != "" && !isSettled {
			messages = append(messages, message)
		}
		return nil
	})
	return messages, err
}

func isSchedule(m Stored) bool { return m.Header.Get(jetstream.ScheduleHeader) != "" }

// queue returns the queue with the name, nil if the topology has none.
func (m *move) queue(name string) *schema.Queue {
	i := slices.IndexFunc(m.topology.Queues, func(q schema.Queue) bool { return q.Name == name })
	if i < 0 {
		return nil
	}
	return &m.topology.Queues[i]
}

// publish publishes the message to the stream of its queue. If the message is published again after
// a crash, the same schedule is not stored again, and the same retry only behind the duplicate
// window. A second delivery of an event is harmless.
func (m *move) publish(ctx context.Context, message Stored) error {
	q := m.queue(schema.WaitingQueue(message.Subject))
	if q == nil {
		return fmt.Errorf("no queue for subject %s", message.Subject)
	}
	msg := &nats.Msg{
		Subject: message.Subject, Header: copyOwnHeaders(message.Header), Data: message.Body,
	}
	options := []jetstream.PublishOpt{
		jetstream.WithMsgID(fmt.Sprintf("moved:%d", message.Sequence)),
	}
	if isSchedule(message) {
		for _, key := range []string{jetstream.ScheduleHeader, jetstream.ScheduleTargetHeader} {
			msg.Header.Set(key, message.Header.Get(key))
		}
		// A new worker may have replaced the schedule: the newer one stays.
		options = append(options, jetstream.WithExpectLastSequenceForSubject(0, msg.Subject))
	}
	_, err := m.operator.publish(ctx, q.WaitingStream(), msg, options...)
	if codeOf(err) == codeWrongLastSequence {
		return nil
	}
	return err
}
