package simulation

import (
	"context"
	"maps"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
)

// upgrade puts the waiting events into the stream of the release before, as if that release had
// run, and provisions this release again.
func (w *world) upgrade(f Fault) (end func()) {
	w.gate.forgetHolds()
	restart := w.stopCommands(commands()[1:]...)
	if w.broker.jetStream() != nil {
		ctx, cancel := context.WithTimeout(w.ctx, time.Minute)
		defer cancel()
		if err := w.broker.moveBack(ctx); err != nil {
			w.violate("upgrade", "", "the simulation cannot move the waiting events back: %v", err)
		}
	}
	return func() {
		w.operate(func(ctx context.Context, o *stream.Operator) error {
			return o.Provision(ctx, w.topology())
		})
		restart()
	}
}

// moveBack makes the stream of the release before, with one stream for all queues and no replays.
func (b *natsServer) moveBack(ctx context.Context) error {
	var messages []*nats.Msg
	var consumers []jetstream.ConsumerConfig
	var config jetstream.StreamConfig
	for _, q := range schema.Queues() {
		s, err := b.js.Stream(ctx, q.WaitingStream())
		if err != nil {
			return err
		}
		config = s.CachedInfo().Config
		found, err := b.unsettled(ctx, s, q)
		if err != nil {
			return err
		}
		messages = append(messages, found...)
		c, err := s.Consumer(ctx, q.Name)
		if err != nil {
			return err
		}
		consumers = append(consumers, c.CachedInfo().Config)
		if err := b.js.DeleteStream(ctx, q.WaitingStream()); err != nil {
			return err
		}
	}
	config.Name = schema.FormerWaitingStream
	config.Description = ""
	config.Subjects = []string{"wagewire.waiting.>", "wagewire.retries.>"}
	if _, err := b.js.CreateStream(ctx, config); err != nil {
		return err
	}
	for _, c := range consumers {
		if _, err := b.js.CreateConsumer(ctx, schema.FormerWaitingStream, c); err != nil {
			return err
		}
	}
	for _, m := range messages {
		if _, err := b.js.PublishMsg(ctx, m); err != nil {
			return err
		}
	}
	return nil
}

// unsettled returns the schedules of a queue, and its retries and replays that no worker has
// settled, as the release before wrote them.
func (b *natsServer) unsettled(
	ctx context.Context, s jetstream.Stream, q schema.Queue,
) ([]*nats.Msg, error) {
	floors := map[string]uint64{}
	for _, lane := range q.Lanes()[1:] {
		c, err := s.Consumer(ctx, lane.Consumer)
		if err != nil {
			return nil, err
		}
		floors[string(lane.Name)] = c.CachedInfo().AckFloor.Stream
	}
	var found []*nats.Msg
	err := b.readAll(ctx, q.WaitingStream(), func(m *jetstream.RawStreamMsg) {
		lane := strings.Split(m.Subject, ".")[1] // waiting, retries or replays
		if floor, isLane := floors[lane]; !isLane || m.Sequence > floor {
			found = append(found, asFormer(m))
		}
	})
	return found, err
}

// asFormer returns a message as the release before wrote it. It had no replays.
func asFormer(m *jetstream.RawStreamMsg) *nats.Msg {
	former := func(subject string) string {
		return strings.Replace(subject, "wagewire.replays.", "wagewire.retries.", 1)
	}
	header := maps.Clone(m.Header)
	for _, key := range []string{
		jetstream.MsgRollup, jetstream.MsgIDHeader, jetstream.ExpectedStreamHeader,
		jetstream.SchedulerHeader, jetstream.ScheduleNextHeader,
	} {
		header.Del(key)
	}
	if target := header.Get(jetstream.ScheduleTargetHeader); target != "" {
		header.Set(jetstream.ScheduleTargetHeader, former(target))
	}
	return &nats.Msg{Subject: former(m.Subject), Header: header}
}

// writeNewer adds a header and a class of failures that this release does not know to the waiting
// events of a queue.
func (w *world) writeNewer(f Fault) (end func()) {
	js := w.broker.jetStream()
	if js == nil {
		return nothing
	}
	ctx, cancel := context.WithTimeout(w.ctx, askFor)
	defer cancel()
	var waiting []*jetstream.RawStreamMsg
	err := w.broker.readAll(ctx, queueOf(f.Queue).WaitingStream(),
		func(m *jetstream.RawStreamMsg) {
			if strings.HasPrefix(m.Subject, "wagewire.waiting.") {
				waiting = append(waiting, m)
			}
		})
	if err != nil {
		return nothing // the stream is gone during an upgrade
	}
	for _, m := range waiting {
		header := maps.Clone(m.Header)
		header.Del(jetstream.MsgRollup)
		header.Set("Wagewire-Weather", "fine")
		failures, _ := schema.ParseFailures(header.Get(headerFailures))
		header.Set(headerFailures, failures.With("weather").String())
		_, _ = js.PublishMsg(ctx, &nats.Msg{Subject: m.Subject, Header: header},
			jetstream.WithExpectLastSequenceForSubject(m.Sequence, m.Subject))
	}
	return nothing
}
