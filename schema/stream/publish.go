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

// copiesMax is how many deleted copies of a message a publish passes: see publishKept.
const copiesMax = 100

// PublishEvent stores the event. It returns after the broker has stored the event: only then may
// the provider get a 200. Until ctx ends, PublishEvent tries again under the same message id.
// duplicate is true if a copy of the event is stored already. The error is schema.ErrIDConflict if
// another body is stored under the same id, and ErrTooLarge if the broker takes no event of this
// size.
func (c *Conn) PublishEvent(ctx context.Context, e schema.Event) (duplicate bool, err error) {
	duplicate, err = c.publishEvent(ctx, e)
	c.events.record(e, duplicate, err)
	return duplicate, err
}

func (c *Conn) publishEvent(ctx context.Context, e schema.Event) (duplicate bool, err error) {
	msg := eventMessage(e)
	var first *jetstream.RawStreamMsg
	published, err := c.publishKept(ctx, schema.EventsStream, msg, e.Key(),
		func(ctx context.Context, sequence uint64) (kept bool, err error) {
			first, err = c.readMessage(ctx, schema.EventsStream, sequence)
			if errors.Is(err, jetstream.ErrMsgNotFound) {
				return false, nil
			}
			return err == nil, err
		})
	if err != nil {
		return false, fmt.Errorf("publish event %s: %w", e.Key(), markTooLarge(err))
	}
	if !published.Duplicate {
		return false, nil
	}
	if first.Header.Get(headerBodySHA256) != msg.Header.Get(headerBodySHA256) {
		return true, fmt.Errorf("publish event %s: %w", e.Key(), schema.ErrIDConflict)
	}
	return true, nil
}

func eventMessage(e schema.Event) *nats.Msg {
	msg := &nats.Msg{Subject: e.Subject(), Data: e.Body, Header: newHeader(
		headerSpecVersion, schema.CloudEventsVersion,
		headerID, encodeText(schema.RedriveID(e.ID, e.Redrive)),
		headerSource, providerURN+string(e.Provider),
		headerType, encodeText(string(e.Provider)+"."+e.Type),
		headerSubject, e.Account(),
		headerTime, formatTime(e.OccurredAt),
		headerContentType, jsonContentType,
		headerReceivedAt, formatTime(e.ReceivedAt),
		headerBodySHA256, sha256Of(e.Body),
	)}
	if e.TraceParent != "" {
		msg.Header.Set(headerTraceParent, e.TraceParent)
	}
	if e.Backfill {
		msg.Header.Set(headerBackfill, schema.BackfillTrue)
	}
	if e.Redrive > 0 {
		msg.Header.Set(headerRedrive, strconv.Itoa(e.Redrive))
		msg.Header.Set(headerQueue, e.Queue)
	}
	return msg
}

// PublishQuarantined stores a signed webhook that is not stored as an event. If the same bytes
// arrive again within the duplicate window of the stream, a day, they are stored once, unless
// somebody has discarded the copy.
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
	if err := c.publishCopy(ctx, schema.QuarantineStream, msg, id); err != nil {
		return fmt.Errorf("publish to quarantine: %w", markTooLarge(err))
	}
	return nil
}

// PublishDeadLetter stores our copy of an event that no worker could finish. The same event of the
// same queue is stored once an hour (the duplicate window of the stream), unless somebody has
// discarded the dead letter.
func (c *Conn) PublishDeadLetter(ctx context.Context, d schema.DeadLetter) error {
	header := copyHeaders(d.Headers)
	id := deadLetterID(d)
	header.Set(headerQueue, d.Queue)
	header.Set(headerClass, string(d.Class))
	header.Set(headerReason, string(d.Reason))
	header.Set(headerAttempts, strconv.Itoa(d.Attempts))
	header.Set(headerSequence, strconv.FormatUint(d.Sequence, 10))
	header.Set(headerFailedAt, formatTime(d.At))
	if d.Endpoint != "" {
		header.Set(headerStatus, strconv.Itoa(d.Status))
		header.Set(headerEndpoint, encodeText(d.Endpoint))
	}
	msg := &nats.Msg{
		Subject: schema.DeadLetterSubject(d.Queue, d.Account),
		Data:    d.Body,
		Header:  header,
	}
	if err := c.publishCopy(ctx, schema.DeadLettersStream, msg, id); err != nil {
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

// publishCopy stores a message once, as publishKept does. It asks about the first copy without a
// right to read the stream.
func (c *Conn) publishCopy(ctx context.Context, stream string, msg *nats.Msg, id string) error {
	_, err := c.publishKept(ctx, stream, msg, id,
		func(ctx context.Context, sequence uint64) (bool, error) {
			return c.hasSequence(ctx, stream, sequence)
		})
	return err
}

// publishKept stores the message under the id. It believes the broker's answer "duplicate" only if
// isKept finds the first copy at its sequence: the broker remembers an id for the whole duplicate
// window, also when somebody has deleted the message since. Without the first copy, publishKept
// stores the message under the id and the missing sequence. The same publish again finds the new
// copy in the same way.
func (c *Conn) publishKept(
	ctx context.Context, stream string, msg *nats.Msg, id string,
	isKept func(ctx context.Context, sequence uint64) (bool, error),
	options ...jetstream.PublishOpt,
) (publication, error) {
	unanswered := false
	next := id
	for range copiesMax {
		setHeader(msg, jetstream.MsgIDHeader, next)
		published, err := c.publish(ctx, stream, msg, options...)
		unanswered = unanswered || published.Unanswered
		published.Unanswered = unanswered
		if err != nil || !published.Duplicate {
			return published, err
		}
		kept, err := isKept(ctx, published.Sequence)
		if err != nil {
			err = fmt.Errorf("look up the first copy: %w", err)
		}
		if kept || err != nil {
			return published, err
		}
		next = fmt.Sprintf("%s:%d", id, published.Sequence)
	}
	return publication{}, fmt.Errorf("stream %s: %w", stream, errCopiesDeleted)
}

// publish stores the message. Until ctx ends, it tries again under the same message id while
// another try may succeed.
func (c *Conn) publish(
	ctx context.Context, stream string, msg *nats.Msg, options ...jetstream.PublishOpt,
) (publication, error) {
	setHeader(msg, jetstream.ExpectedStreamHeader, stream)
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
	return publication{Unanswered: unanswered}, c.explain(err)
}

// explain says what the error of a publish means, if the error alone does not.
func (c *Conn) explain(err error) error {
	if errors.Is(err, context.DeadlineExceeded) && c.up.Load() {
		err = fmt.Errorf("%w: %w", errSilent, err)
	}
	return markFull(err)
}

// sha256Of returns the SHA-256 of the bytes in hexadecimal digits.
func sha256Of(body []byte) string {
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:])
}
