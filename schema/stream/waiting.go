package stream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/wagewire/wagewire/schema"
)

const (
	// scheduleAt begins the header with the time of a schedule.
	scheduleAt = "@at "
	// unstoredMax is the longest delay of an event whose schedule the broker did not store. The
	// broker's own delay is a place in the queue, and nobody sees the reason.
	unstoredMax = time.Minute
	// giveBackAgainAfter is the delay of an event that could not be published among the retries.
	giveBackAgainAfter = 10 * time.Second
)

// Wait ends the delivery and lets the event wait: first Wait publishes the schedule of the next
// try, then it acknowledges the delivery. A crash between the two steps costs a second delivery,
// whose schedule replaces the first. An undecodable event has no id for a schedule, and is given
// back with the delay.
//
// The error is ErrErased if the account has a tombstone. Nothing then waits, and the delivery is
// not settled. An event of an erasures queue waits all the same.
func (d *Delivery) Wait(w schema.Wait) error {
	if d.Err != nil {
		return d.settled("later", d.msg.NakWithDelay(time.Until(w.Until)))
	}
	ctx, cancel := context.WithTimeout(d.ctx, settleFor)
	defer cancel()
	if err := d.conn.publishWaiting(ctx, d, w); err != nil {
		// Only the broker's own delay is left. The failure behind w is not counted.
		_ = d.msg.NakWithDelay(min(time.Until(w.Until), unstoredMax))
		return d.settled("later", err)
	}
	if !d.Queue.Erases { // an erasure that waits has published the tombstone itself
		if err := d.conn.checkNotErased(ctx, d.Queue, d.Account); err != nil {
			return d.settled("later", err)
		}
	}
	return d.settled("later", d.msg.DoubleAck(ctx))
}

// GiveBack ends the delivery without a verdict: the event goes back as it came, and another worker
// may have it at once. After schema.DeliveriesInPlace deliveries GiveBack publishes the event anew
// among the retries or replays, so that deliveries count from 1 again.
func (d *Delivery) GiveBack() error {
	if !d.IsWornOut() {
		return d.settled("given back", d.msg.Nak())
	}
	return d.publishAnew("given back", d.conn.publishRetry)
}

// isBeforeFresh reports whether the event is a replayed one that stands before fresh events: it is
// not among the replays of the queue yet. Operators publish a redrive, and ingress a backfill, as
// they publish every event. In earlier releases also the retries had redrives.
func (d *Delivery) isBeforeFresh() bool {
	return d.Err == nil && !d.Replay && d.Queue.Replays(d.Event)
}

// putBehind ends the delivery of a replayed event: first it publishes the event among the replays,
// then it acknowledges the delivery. After a crash between the steps, the second delivery publishes
// under the same message id.
func (d *Delivery) putBehind() error {
	return d.publishAnew("put behind", d.conn.publishBehind)
}

// publishAnew publishes the event among the retries or replays with publish, and then acknowledges
// the delivery.
func (d *Delivery) publishAnew(
	how string, publish func(context.Context, *Delivery) error,
) error {
	ctx, cancel := context.WithTimeout(d.ctx, settleFor)
	defer cancel()
	if err := publish(ctx, d); err != nil {
		_ = d.msg.NakWithDelay(giveBackAgainAfter)
		return d.settled(how, err)
	}
	return d.settled(how, d.msg.DoubleAck(ctx))
}

// IsWornOut reports whether the event had many deliveries without a verdict: it should be given
// back instead of worked on again.
func (d *Delivery) IsWornOut() bool {
	return d.Err == nil && d.Deliveries > schema.DeliveriesInPlace
}

// publishWaiting stores the schedule of the event's next try. The broker keeps one schedule a
// subject: a new one replaces the one before.
func (c *Conn) publishWaiting(ctx context.Context, d *Delivery, w schema.Wait) error {
	msg, err := d.retryMessage(d.Event.WaitingSubject(d.Queue.Name), w)
	if err != nil {
		return err
	}
	msg.Header.Set(jetstream.ScheduleHeader, scheduleAt+formatTime(w.Until))
	msg.Header.Set(jetstream.ScheduleTargetHeader, d.Queue.DueSubject(d.Event))
	if _, err := c.publish(ctx, d.Queue.WaitingStream(), msg); err != nil {
		return fmt.Errorf("publish the schedule of %s: %w", msg.Subject, err)
	}
	return nil
}

// publishRetry stores the event among the retries or replays as it is, once for each delivery.
func (c *Conn) publishRetry(ctx context.Context, d *Delivery) error {
	return c.publishDue(ctx, d, fmt.Sprintf("%d:%d:%d", d.Sequence, d.retrySequence, d.Deliveries))
}

// publishBehind stores a replayed event among the replays as it is, once. The event's key is in the
// message id, because sequences start again in a new stream.
func (c *Conn) publishBehind(ctx context.Context, d *Delivery) error {
	id := fmt.Sprintf("behind:%s:%d:%d", d.Event.Key(), d.Sequence, d.retrySequence)
	return c.publishDue(ctx, d, id)
}

// publishDue stores the event among the retries or replays as it is, under a message id.
func (c *Conn) publishDue(ctx context.Context, d *Delivery, id string) error {
	msg, err := d.retryMessage(d.Queue.DueSubject(d.Event), d.Waited)
	if err != nil {
		return err
	}
	_, err = c.publish(ctx, d.Queue.WaitingStream(), msg, jetstream.WithMsgID(id))
	if err != nil {
		return fmt.Errorf("publish to %s: %w", msg.Subject, err)
	}
	return nil
}

// retryMessage is the message of an event that waits, or waited. The message has the event's
// headers and its sequence, and no body: see the package comment.
func (d *Delivery) retryMessage(subject string, w schema.Wait) (*nats.Msg, error) {
	msg := &nats.Msg{Subject: subject, Header: copyHeaders(d.header)}
	msg.Header.Set(headerQueue, d.Queue.Name)
	msg.Header.Set(headerSequence, strconv.FormatUint(d.Sequence, 10))
	if w.Class == "" {
		return msg, nil
	}
	msg.Header.Set(headerClass, string(w.Class))
	msg.Header.Set(headerStatus, strconv.Itoa(w.Status))
	msg.Header.Set(headerEndpoint, encodeText(w.Endpoint))
	msg.Header.Set(headerStep, fmt.Sprintf("%d/%d", w.Step, w.Steps))
	msg.Header.Set(headerSince, formatTime(w.Since))
	msg.Header.Set(headerUntil, formatTime(w.Until))
	msg.Header.Set(headerFailures, w.Failures.String())
	msg.Header.Set(headerTook, w.ProviderTook.String())
	if w.TraceParent != "" {
		msg.Header.Set(headerLastTrace, w.TraceParent)
	}
	if w.Progress != nil {
		progress, err := json.Marshal(w.Progress)
		if err != nil {
			return nil, fmt.Errorf("encode the progress of %s: %w", subject, err)
		}
		msg.Header.Set(headerProgress, string(progress))
	}
	return msg, nil
}

// copyHeaders copies the headers of a message, except those with a meaning in NATS itself and those
// of a former wait.
func copyHeaders(from nats.Header) nats.Header {
	header := copyOwnHeaders(from)
	maps.DeleteFunc(header, func(key string, _ []string) bool { return isWaitHeader(key) })
	return header
}

// copyOwnHeaders copies the headers of a message, except those with a meaning in NATS itself.
func copyOwnHeaders(from nats.Header) nats.Header {
	header := nats.Header{}
	for key, values := range from {
		if !strings.HasPrefix(key, brokerHeaders) {
			header[key] = values
		}
	}
	return header
}

func isWaitHeader(key string) bool {
	switch key {
	case headerClass, headerStatus, headerEndpoint, headerStep, headerSince, headerUntil,
		headerFailures, headerTook, headerLastTrace, headerProgress, headerSequence:
		return true
	default:
		return false
	}
}

// waitOf reads the wait from the headers of retryMessage. We wrote the headers ourselves: a broken
// one counts as absent.
func waitOf(header nats.Header) schema.Wait {
	w := schema.Wait{
		Class:    schema.Class(header.Get(headerClass)),
		Endpoint: textOf(header, headerEndpoint),
		Since:    timeOf(header, headerSince),
		Until:    timeOf(header, headerUntil),

		TraceParent: header.Get(headerLastTrace),
	}
	w.Status, _ = strconv.Atoi(header.Get(headerStatus))
	w.Failures, _ = schema.ParseFailures(header.Get(headerFailures))
	w.ProviderTook, _ = time.ParseDuration(header.Get(headerTook))
	step, steps, _ := strings.Cut(header.Get(headerStep), "/")
	w.Step, _ = strconv.Atoi(step)
	w.Steps, _ = strconv.Atoi(steps)
	var progress schema.RecordsRef
	if json.Unmarshal([]byte(header.Get(headerProgress)), &progress) == nil {
		w.Progress = &progress
	}
	return w
}

// errGone means that the events stream no longer has the event of a retry.
var errGone = errors.New("the event is gone from its stream")

// readEvent reads the event of a retry from the events stream. The error is errGone if the stream
// has no message with the sequence, or a message of another event: somebody may have deleted the
// stream and provisioned a new one.
func (c *Conn) readEvent(ctx context.Context, retry nats.Header) (*jetstream.RawStreamMsg, error) {
	sequence, err := strconv.ParseUint(retry.Get(headerSequence), 10, 64)
	if err != nil {
		return nil, fmt.Errorf("header %s: %w", headerSequence, err)
	}
	m, err := c.readMessage(ctx, schema.EventsStream, sequence)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return nil, fmt.Errorf("event %d: %w", sequence, errGone)
	}
	if err != nil {
		return nil, fmt.Errorf("read event %d: %w", sequence, err)
	}
	for _, key := range []string{headerSource, headerID, headerBodySHA256} {
		if m.Header.Get(key) != retry.Get(key) {
			return nil, fmt.Errorf("event %d: %w", sequence, errGone)
		}
	}
	return m, nil
}

// checkNotErased returns ErrErased if the account has a tombstone, after it has erased the
// account's waiting events from the queue. An erasure stores the tombstone before it looks for
// waiting events. So either the erasure finds an event that begins to wait at the same moment, or
// this check finds the tombstone.
func (c *Conn) checkNotErased(ctx context.Context, q schema.Queue, account string) error {
	if !hasErasures(q.Provider) {
		return nil
	}
	erased, err := c.Erased(ctx, q.Provider, account)
	if err != nil || !erased {
		return err
	}
	if err := c.EraseWaiting(ctx, q, account); err != nil {
		return err
	}
	return ErrErased
}
