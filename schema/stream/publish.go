package stream

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/wagewire/wagewire/schema"
)

// PublishEvent stores the event. It returns after the broker has stored the event: only then may
// the provider get a 200. Until ctx ends, PublishEvent tries again under the same message id.
// duplicate is true if the event was stored before. The error is schema.ErrIDConflict if another
// body was stored under the same id.
func (c *Conn) PublishEvent(ctx context.Context, e schema.Event) (duplicate bool, err error) {
	msg := eventMessage(e)
	published, err := c.publish(ctx, schema.EventsStream, msg, jetstream.WithMsgID(e.Key()))
	if err != nil {
		return false, fmt.Errorf("publish event %s: %w", e.Key(), err)
	}
	if !published.Duplicate {
		return false, nil
	}
	first, err := c.readMessage(ctx, schema.EventsStream, published.Sequence)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return true, nil // erased by now, but the broker still knows the id
	}
	if err != nil {
		return false, fmt.Errorf("look up the first copy of event %s: %w", e.Key(), err)
	}
	if first.Header.Get(headerBodySHA256) != msg.Header.Get(headerBodySHA256) {
		return true, fmt.Errorf("publish event %s: %w", e.Key(), schema.ErrIDConflict)
	}
	return true, nil
}

func eventMessage(e schema.Event) *nats.Msg {
	msg := &nats.Msg{Subject: e.Subject(), Data: e.Body, Header: nats.Header{
		headerSpecVersion: {schema.CloudEventsVersion},
		headerID:          {encodeText(schema.RedriveID(e.ID, e.Redrive))},
		headerSource:      {providerURN + string(e.Provider)},
		headerType:        {encodeText(string(e.Provider) + "." + e.Type)},
		headerSubject:     {e.Account()},
		headerTime:        {formatTime(e.OccurredAt)},
		headerContentType: {jsonContentType},
		headerReceivedAt:  {formatTime(e.ReceivedAt)},
		headerBodySHA256:  {sha256Of(e.Body)},
	}}
	if e.TraceParent != "" {
		msg.Header.Set(headerTraceParent, e.TraceParent)
	}
	if e.Redrive > 0 {
		msg.Header.Set(headerRedrive, strconv.Itoa(e.Redrive))
		msg.Header.Set(headerQueue, e.Queue)
	}
	return msg
}

// PublishQuarantined stores a signed webhook that is not stored as an event. If the same bytes
// arrive again within the duplicate window of the stream, a day, they are stored once.
func (c *Conn) PublishQuarantined(ctx context.Context, q schema.Quarantined) error {
	sum := sha256Of(q.Body)
	msg := &nats.Msg{
		Subject: schema.QuarantineSubject(q.Provider),
		Data:    q.Body,
		Header: nats.Header{
			headerReason:     {string(q.Reason)},
			headerReceivedAt: {formatTime(q.ReceivedAt)},
			headerBodySHA256: {sum},
		},
	}
	id := string(q.Provider) + ":" + sum
	if _, err := c.publish(ctx, schema.QuarantineStream, msg, jetstream.WithMsgID(id)); err != nil {
		return fmt.Errorf("publish to quarantine: %w", err)
	}
	return nil
}

// PublishDeadLetter stores our copy of an event that no worker could finish. The same event of the
// same queue is stored once an hour: the duplicate window of the stream.
func (c *Conn) PublishDeadLetter(ctx context.Context, d schema.DeadLetter) error {
	header := copyHeaders(d.Headers)
	id := deadLetterID(d)
	header.Set(headerQueue, d.Queue)
	header.Set(headerClass, string(d.Class))
	header.Set(headerReason, string(d.Reason))
	header.Set(headerAttempts, strconv.Itoa(d.Attempts))
	header.Set(headerSequence, strconv.FormatUint(d.Sequence, 10))
	header.Set(headerFailedAt, formatTime(d.At))
	msg := &nats.Msg{
		Subject: schema.DeadLetterSubject(d.Queue, d.Account),
		Data:    d.Body,
		Header:  header,
	}
	_, err := c.publish(ctx, schema.DeadLettersStream, msg, jetstream.WithMsgID(id))
	if err != nil {
		return fmt.Errorf("publish dead letter of %s: %w", d.Queue, err)
	}
	return nil
}

// deadLetterID is the message id of a dead letter: the queue, and a hash of the event with all of
// its headers. The event's sequence would not do. Sequences start again when somebody deletes the
// stream and provisions a new one, and the dead letter of a later event would count as a duplicate.
func deadLetterID(d schema.DeadLetter) string {
	header := copyHeaders(d.Headers)
	sum := sha256.New()
	for _, key := range slices.Sorted(maps.Keys(header)) {
		fmt.Fprintf(sum, "%q=%q\n", key, header[key])
	}
	fmt.Fprintf(sum, "%q\n", d.Account)
	sum.Write(d.Body)
	return d.Queue + ":" + hex.EncodeToString(sum.Sum(nil))
}

// publication is the broker's answer to a publish.
type publication struct {
	// Sequence is the place of the message in the stream. Duplicate is true if the message was
	// stored before.
	Sequence  uint64
	Duplicate bool
	// Unanswered is true if the broker left a try unanswered. The message of such a try may be
	// stored.
	Unanswered bool
}

// publish stores the message. Until ctx ends, it tries again under the same message id while
// another try may succeed.
func (c *Conn) publish(
	ctx context.Context, stream string, msg *nats.Msg, options ...jetstream.PublishOpt,
) (publication, error) {
	options = append(options, jetstream.WithExpectStream(stream))
	unanswered := false
	ack, err := askUntilAnswered(ctx, c, func(ctx context.Context) (*jetstream.PubAck, error) {
		ack, err := c.js.PublishMsg(ctx, msg, options...)
		if err != nil && apiErrorOf(err) == nil {
			unanswered = true
		}
		return ack, err
	})
	if err == nil {
		return publication{
			Sequence:   ack.Sequence,
			Duplicate:  ack.Duplicate,
			Unanswered: unanswered,
		}, nil
	}
	if errors.Is(err, context.DeadlineExceeded) && c.up.Load() {
		err = fmt.Errorf("%w: %w", errSilent, err)
	}
	return publication{Unanswered: unanswered}, markFull(err)
}

// sha256Of returns the SHA-256 of the bytes in hexadecimal digits.
func sha256Of(body []byte) string {
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:])
}
