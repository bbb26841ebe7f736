package stream

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/wagewire/wagewire/schema"
)

// Level says how full a stream is.
type Level struct {
	Name     string `json:"name"`
	Messages uint64 `json:"messages"`
	Bytes    uint64 `json:"bytes"`
	BytesMax int64  `json:"bytes_max"`
	// MessagesMax is the limit of messages, -1 without one.
	MessagesMax int64     `json:"messages_max"`
	Oldest      time.Time `json:"oldest,omitzero"`
	// Last is the sequence of the newest message, also of a deleted one: two readings of it say how
	// many messages were stored meanwhile.
	Last uint64 `json:"-"`
	// MaxAge is how long the stream keeps a message, 0 for ever.
	MaxAge time.Duration `json:"-"`
	// Replicas is the number of copies, and Behind names the servers whose copy is away or not up
	// to date.
	Replicas int      `json:"replicas"`
	Behind   []string `json:"behind,omitempty"`
}

// QueueStatus is the state of a queue, over all of its lanes.
type QueueStatus struct {
	Name string `json:"name"`
	// Ready events may be taken at once: new events, and waiting events whose time has come.
	Ready uint64 `json:"ready"`
	// Replays are replayed events that may be taken at once. They come after fresh events, and are
	// not among Ready. A replayed event that no worker has seen yet is among Ready, because only a
	// worker puts it behind fresh events.
	Replays uint64 `json:"replays"`
	// InHand events are taken and not settled. Redelivered events are in hand and have been
	// delivered more than once.
	InHand      int `json:"in_hand"`
	Redelivered int `json:"redelivered"`
	// Oldest is when the oldest ready or unsettled event came: was stored, or had waited long
	// enough. Replays do not count. It is zero if there is none.
	Oldest time.Time `json:"oldest,omitzero"`
	// Waiting events wait for the time of their next try. They are neither ready nor in hand.
	Waiting        int            `json:"waiting"`
	WaitingByClass []WaitingCount `json:"waiting_by_class"`
	// PausedUntil is when an operator's pause of the queue ends, zero without a pause.
	PausedUntil time.Time `json:"paused_until,omitzero"`
	// Refusal is set while the queue takes no events because its provider refuses our credentials.
	Refusal *schema.Pause `json:"refusal,omitempty"`
	// Closures are the reasons why an autoscaler adds no worker at the moment.
	Closures []schema.ClosureReason `json:"closures,omitempty"`
	// Requests counts the workers' requests for new events that are open at the broker. Without a
	// request, no worker is there, or all of them are busy.
	Requests int `json:"requests"`
}

// WaitingCount counts the events of a queue that wait after a failure of the class.
type WaitingCount struct {
	Class schema.Class `json:"class"`
	Count int          `json:"count"`
	// Oldest is when the oldest of the events was received.
	Oldest time.Time `json:"oldest,omitzero"`
	// Next and Last are when the first and the last of the events are tried again. They are zero
	// for ClassUnread, as Oldest is.
	Next time.Time `json:"next_try,omitzero"`
	Last time.Time `json:"last_try,omitzero"`
}

// Status reads the state of every stream and queue. A missing stream or queue is left out.
func (o *Operator) Status(ctx context.Context) (streams []Level, queues []QueueStatus, err error) {
	streams, err = o.streamLevels(ctx)
	if err != nil {
		return nil, nil, err
	}
	pauses, err := o.Pauses(ctx)
	if err != nil && !errors.Is(err, ErrNoQueue) { // a missing stream is left out
		return nil, nil, fmt.Errorf("read the pauses of queues: %w", err)
	}
	closures, err := o.Closures(ctx)
	if err != nil {
		return nil, nil, err
	}
	for _, q := range schema.DefaultTopology().Queues {
		status, err := o.queueStatus(ctx, q)
		if errors.Is(err, ErrNoQueue) {
			continue
		}
		if err != nil {
			return nil, nil, fmt.Errorf("status of queue %s: %w", q.Name, err)
		}
		for _, p := range pauses {
			if p.Queue == q.Name {
				status.Refusal = &p
			}
		}
		status.Closures = closures[q.Name]
		queues = append(queues, status)
	}
	return streams, queues, nil
}

func (o *Operator) streamLevels(ctx context.Context) ([]Level, error) {
	var names []string
	for _, s := range schema.DefaultTopology().AllStreams() {
		names = append(names, s.Name)
	}
	var levels []Level
	for _, name := range append(names, recordsStream) {
		level, err := o.streamLevel(ctx, name)
		if errors.Is(err, jetstream.ErrStreamNotFound) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("status of stream %s: %w", name, err)
		}
		levels = append(levels, level)
	}
	return levels, nil
}

// waitsReadMax is how many waiting events of a queue Status reads. In a long outage more may wait,
// and somebody looks every few seconds.
const waitsReadMax = 20_000

// ClassUnread stands for the classes of the waiting events beyond waitsReadMax.
const ClassUnread schema.Class = "unread"

var errEnough = errors.New("enough is read")

// addWaiting sets the counts of waiting events, in the order of their classes. It reads most events
// at most, the oldest, and only counts the others.
func (o *Operator) addWaiting(
	ctx context.Context, q schema.Queue, s *QueueStatus, most int,
) error {
	counts := map[schema.Class]WaitingCount{}
	read := 0
	err := o.Waiting(ctx, s.Name, "*", func(w Waiting) error {
		if read == most {
			return errEnough
		}
		read++
		count := counts[w.Class]
		count.Add(w)
		counts[w.Class] = count
		return nil
	})
	if errors.Is(err, errEnough) {
		var all uint64
		all, err = o.CountSince(
			ctx, q.WaitingStream(), schema.AccountWaiting(q.Name, "*"), time.Time{})
		counts[ClassUnread] = WaitingCount{
			Class: ClassUnread, Count: max(1, int(all)-read),
		}
	}
	s.WaitingByClass = []WaitingCount{} // [] in JSON, and not null
	for _, class := range slices.Sorted(maps.Keys(counts)) {
		s.Waiting += counts[class].Count
		s.WaitingByClass = append(s.WaitingByClass, counts[class])
	}
	return err
}

// Add counts one more waiting event.
func (c *WaitingCount) Add(w Waiting) {
	c.Class = w.Class
	c.Count++
	if c.Oldest.IsZero() || w.Event.ReceivedAt.Before(c.Oldest) {
		c.Oldest = w.Event.ReceivedAt
	}
	if c.Next.IsZero() || w.Until.Before(c.Next) {
		c.Next = w.Until
	}
	if w.Until.After(c.Last) {
		c.Last = w.Until
	}
}

func (o *Operator) streamLevel(ctx context.Context, name string) (Level, error) {
	s, err := o.js.Stream(ctx, name)
	if err != nil {
		return Level{}, err
	}
	info := s.CachedInfo()
	level := Level{
		Name:        name,
		Messages:    info.State.Msgs,
		Bytes:       info.State.Bytes,
		BytesMax:    info.Config.MaxBytes,
		MessagesMax: info.Config.MaxMsgs,
		MaxAge:      ageOf(info.Config),
		Replicas:    info.Config.Replicas,
		Behind:      behindOf(info.Cluster),
	}
	level.Last = info.State.LastSeq
	if info.State.Msgs > 0 {
		level.Oldest = info.State.FirstTime
	}
	return level, nil
}

// behindOf names the servers whose copy of a stream is away, or not up to date.
func behindOf(cluster *jetstream.ClusterInfo) []string {
	if cluster == nil {
		return nil
	}
	var behind []string
	for _, peer := range cluster.Replicas {
		if peer.Offline || !peer.Current {
			behind = append(behind, peer.Name)
		}
	}
	return behind
}

func (o *Operator) queueStatus(ctx context.Context, q schema.Queue) (QueueStatus, error) {
	infos, err := o.lookUpLanes(ctx, q)
	if err != nil {
		return QueueStatus{}, err
	}
	status := QueueStatus{Name: q.Name, PausedUntil: lastPause(infos)}
	for i, lane := range q.Lanes() {
		if err := o.addLane(ctx, &status, lane, infos[i]); err != nil {
			return status, err
		}
	}
	err = o.addWaiting(ctx, q, &status, waitsReadMax)
	return status, err
}

// addLane adds the state of a lane to the state of its queue.
func (o *Operator) addLane(
	ctx context.Context, s *QueueStatus, lane schema.Lane, info *jetstream.ConsumerInfo,
) error {
	s.InHand += info.NumAckPending
	s.Redelivered += info.NumRedelivered
	switch lane.Name {
	case schema.LaneReplays:
		s.Replays = info.NumPending
		return nil
	case schema.LaneEvents:
		s.Requests = info.NumWaiting
	}
	s.Ready += info.NumPending
	oldest, err := o.oldestMessage(ctx, info, lane.Subjects)
	if err != nil {
		return err
	}
	if s.Oldest.IsZero() || !oldest.IsZero() && oldest.Before(s.Oldest) {
		s.Oldest = oldest
	}
	return nil
}

// oldestMessage returns when the consumer's first message without a settlement was stored. It
// returns the zero time if there is none.
func (o *Operator) oldestMessage(
	ctx context.Context, info *jetstream.ConsumerInfo, subjects []string,
) (oldest time.Time, err error) {
	if info.NumPending == 0 && info.NumAckPending == 0 {
		return oldest, nil
	}
	s, err := o.js.Stream(ctx, info.Stream)
	if err != nil {
		return oldest, err
	}
	for _, subject := range subjects {
		m, err := s.GetMsg(ctx, info.AckFloor.Stream+1, jetstream.WithGetMsgSubject(subject))
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			continue
		}
		if err != nil {
			return oldest, err
		}
		if oldest.IsZero() || m.Time.Before(oldest) {
			oldest = m.Time
		}
	}
	return oldest, nil
}

// Position is the progress of a queue in one of its lanes.
type Position struct {
	// Settled: all messages of the lane up to this sequence of its stream are settled.
	Settled uint64
	// Delivered: no message of the lane after this sequence of its stream was delivered.
	Delivered uint64
}

// Position returns the progress in a lane. The error is ErrNoQueue if the lane's consumer does not
// exist.
func (o *Operator) Position(ctx context.Context, lane schema.Lane) (Position, error) {
	return o.positionOn(ctx, lane.Stream, lane.Consumer)
}

func (o *Operator) positionOn(ctx context.Context, stream, name string) (Position, error) {
	consumer, err := o.lookUpConsumer(ctx, stream, name)
	if err != nil {
		return Position{}, err
	}
	info := consumer.CachedInfo()
	return Position{Settled: info.AckFloor.Stream, Delivered: info.Delivered.Stream}, nil
}

// lookUpLanes returns the states of the queue's consumers, in the order of its lanes. The error is
// ErrNoQueue if one of them does not exist.
func (o *Operator) lookUpLanes(
	ctx context.Context, q schema.Queue,
) ([]*jetstream.ConsumerInfo, error) {
	var infos []*jetstream.ConsumerInfo
	for _, lane := range q.Lanes() {
		consumer, err := o.lookUpConsumer(ctx, lane.Stream, lane.Consumer)
		if err != nil {
			return nil, err
		}
		infos = append(infos, consumer.CachedInfo())
	}
	return infos, nil
}
