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

// closureMin is the shortest lifetime of a message on the broker. Lifetimes are whole seconds.
const closureMin = time.Second

// ErrNoClosures: the broker does not store closures for this process, because it has the streams or
// the accounts of an earlier release. Nothing else depends on closures.
var ErrNoClosures = fmt.Errorf("the broker stores no closures: "+
	"load the accounts.conf of this release into NATS, then %w", ErrNoQueue)

// CloseFor tells an autoscaler that the queue needs no more workers, for a time in whole seconds,
// rounded up. A second call prolongs the closure, and shortens none. CloseFor asks the broker once.
// The error is ErrNoClosures if the broker does not store closures.
func (q *Queue) CloseFor(ctx context.Context, r schema.ClosureReason, lasts time.Duration) error {
	return q.conn.publishClosure(ctx, q.queue.ClosureSubject(r), lasts)
}

// EndClosure ends the closures on the subject, and has the broker count the closures of all queues
// anew. Only the operator has the right to delete them: the closures of workers end by themselves.
func (o *Operator) EndClosure(ctx context.Context, subject string) error {
	// nats-server 2.15.2 counts anew only if a purge removes two messages or more.
	for range 2 {
		if err := o.publishClosure(ctx, subject, closureMin); err != nil {
			return withoutClosures(err)
		}
	}
	closures, err := o.js.Stream(ctx, schema.ClosuresStream)
	if err == nil {
		err = closures.Purge(ctx, jetstream.WithPurgeSubject(subject))
	}
	if err != nil {
		return fmt.Errorf("end the closure %s: %w", subject, err)
	}
	return nil
}

// withoutClosures returns nil for a broker that stores no closures: all else works there.
func withoutClosures(err error) error {
	if errors.Is(err, ErrNoClosures) {
		return nil
	}
	return err
}

// publishClosure stores a closure beside those that are on the subject. It replaces none, because
// the broker may miscount what it removes: see "Closures" in doc.go.
func (c *Conn) publishClosure(ctx context.Context, subject string, lasts time.Duration) error {
	whole := (lasts + time.Second - 1).Truncate(time.Second)
	_, err := askOnce(ctx, c, func(ctx context.Context) (*jetstream.PubAck, error) {
		return c.js.PublishMsg(ctx, &nats.Msg{Subject: subject},
			jetstream.WithExpectStream(schema.ClosuresStream),
			jetstream.WithMsgTTL(max(whole, closureMin)))
	})
	if errors.Is(err, jetstream.ErrNoStreamResponse) {
		err = ErrNoClosures
	}
	if err != nil {
		return fmt.Errorf("store the closure %s: %w", subject, err)
	}
	return nil
}

// Closures returns the reasons of each queue's closures, in the order of schema.ClosureReasons. A
// closure that was ended is among them for up to two seconds. It returns none if the broker has no
// stream of closures.
func (o *Operator) Closures(ctx context.Context) (map[string][]schema.ClosureReason, error) {
	subjects, err := o.subjectsOf(ctx, schema.ClosuresStream, ">")
	if isMissing(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the closures of queues: %w", err)
	}
	closures := map[string][]schema.ClosureReason{}
	for _, q := range schema.Queues() {
		for _, r := range schema.ClosureReasons() {
			if !q.Erases && slices.Contains(subjects, q.ClosureSubject(r)) {
				closures[q.Name] = append(closures[q.Name], r)
			}
		}
	}
	return closures, nil
}
