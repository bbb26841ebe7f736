package stream

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/wagewire/wagewire/schema"
)

const (
	// tryFor is how long one publish waits for its answer.
	tryFor = 1500 * time.Millisecond
	// The pause before the next try, doubled each time up to the last.
	pauseFirst, pauseLast = 20 * time.Millisecond, 500 * time.Millisecond
)

// PublishEvent stores the event and returns when the broker has it on its streams: only then may it be answered. It tries again
// under the same id until ctx ends. duplicate says that it was stored before; ErrIDConflict that another body was.
func (c *Conn) PublishEvent(ctx context.Context, e schema.Event) (duplicate bool, err error) {
	sum := sha256.Sum256(e.Body)
	msg := &nats.Msg{Subject: e.Subject(), Data: e.Body, Header: nats.Header{
		headerSpecVersion: {schema.CloudEventsVersion},
		headerID:          {headerValue(e.ID)},
		headerSource:      {providerURN + string(e.Provider)},
		headerType:        {headerValue(string(e.Provider) + "." + e.Type)},
		headerSubject:     {e.Account()},
		headerTime:        {formatTime(e.OccurredAt)},
		headerContentType: {jsonContentType},
		headerReceivedAt:  {formatTime(e.ReceivedAt)},
		headerBodySHA256:  {hex.EncodeToString(sum[:])},
	}}
	if e.TraceParent != "" {
		msg.Header.Set(headerTraceParent, e.TraceParent)
	}
	if e.Redrive > 0 {
		msg.Header.Set(headerID, headerValue(schema.RedriveID(e.ID, e.Redrive)))
		msg.Header.Set(headerRedrive, strconv.Itoa(e.Redrive))
		msg.Header.Set(headerQueue, e.Queue)
	}
	ack, err := c.publish(ctx, schema.EventsStream, msg, jetstream.WithMsgID(e.Key()))
	if err != nil {
		return false, fmt.Errorf("publish event %s: %w", e.Key(), err)
	}
	if !ack.Duplicate {
		return false, nil
	}
	first, err := c.message(ctx, schema.EventsStream, ack.Sequence)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return true, nil // erased since; its id is still known
	}
	if err != nil {
		return false, fmt.Errorf("look up the first copy of event %s: %w", e.Key(), err)
	}
	if first.Header.Get(headerBodySHA256) != msg.Header.Get(headerBodySHA256) {
		return true, fmt.Errorf("publish event %s: %w", e.Key(), schema.ErrIDConflict)
	}
	return true, nil
}

// PublishQuarantined stores a signed webhook that cannot be read. The same bytes sent again at once are stored once.
func (c *Conn) PublishQuarantined(ctx context.Context, q schema.Quarantined) error {
	sum := sha256.Sum256(q.Body)
	msg := &nats.Msg{Subject: schema.QuarantineSubject(q.Provider), Data: q.Body, Header: nats.Header{
		headerReason:     {string(q.Reason)},
		headerReceivedAt: {formatTime(q.ReceivedAt)},
		headerBodySHA256: {hex.EncodeToString(sum[:])},
	}}
	_, err := c.publish(ctx, schema.QuarantineStream, msg, jetstream.WithMsgID(string(q.Provider)+":"+hex.EncodeToString(sum[:])))
	if err != nil {
		return fmt.Errorf("publish to quarantine: %w", err)
	}
	return nil
}

// PublishCompletion stores the completion, once for the event and resource for ever. stored is false where it was there before.
// ErrErased: the account has a tombstone, and the completion is not Deleted. ErrFull: no room. A completion over
// schema.CompletionBytesMax has its records put into the object store first.
func (c *Conn) PublishCompletion(ctx context.Context, e schema.Event, completion schema.Completion) (stored bool, err error) {
	r := completion.Data.Resource
	body, err := completion.Encode()
	if err != nil {
		return false, err
	}
	var put []uint64
	if len(body) > schema.CompletionBytesMax {
		var ref *schema.RecordsRef
		if ref, put, err = c.putRecords(ctx, e, r, completion.Data.Records); err != nil {
			return false, fmt.Errorf("complete %s: %w", completion.ID, err)
		}
		completion.Data.Records, completion.Data.RecordsRef = nil, ref
		if body, err = completion.Encode(); err != nil {
			return false, err
		}
	}
	stored, maybeOurs, err := c.createOnce(ctx, e, completion, body)
	// After any other error the completion may be stored all the same, and need them.
	if !stored && (err == nil && !maybeOurs || errors.Is(err, ErrErased) || errors.Is(err, ErrFull)) {
		err = errors.Join(err, c.takeBack(ctx, put))
	}
	if err != nil {
		return stored, fmt.Errorf("complete %s: %w", completion.ID, err)
	}
	return stored, nil
}

// createOnce is the fence: the subject takes one message, and none while the account has a tombstone. maybeOurs says that
// the one that was there before may have come from here: a try of this call had no answer.
func (c *Conn) createOnce(ctx context.Context, e schema.Event, completion schema.Completion, body []byte) (stored, maybeOurs bool, err error) {
	msg := &nats.Msg{Subject: e.CompletionSubject(completion.Data.Resource), Data: body, Header: nats.Header{
		headerContentType: {schema.CloudEventsJSON},
		headerOutcome:     {string(completion.Data.Outcome)},
	}}
	if e.TraceParent != "" {
		msg.Header.Set(headerTraceParent, e.TraceParent)
	}
	options := []jetstream.PublishOpt{jetstream.WithMsgID(completion.ID)}
	ttl, err := c.completionTTL(ctx)
	if err != nil {
		return false, false, fmt.Errorf("look up stream %s: %w", schema.CompletionsStream, err)
	}
	if ttl > 0 {
		options = append(options, jetstream.WithMsgTTL(ttl))
	}
	if completion.Data.Outcome != schema.Deleted {
		options = append(options, jetstream.WithExpectLastSequenceForSubject(0, schema.TombstoneSubject(e.Provider, e.Account())))
	}
	ack, unanswered, err := c.publishing(ctx, schema.CompletionsStream, msg, options...)
	switch codeOf(err) {
	case 0:
		return err == nil && !ack.Duplicate, unanswered, err
	case codeWrongLastSequence:
		return false, unanswered, ErrErased
	case codeStoreFailed:
		return false, unanswered, c.takenOrFull(ctx, schema.CompletionsStream, msg.Subject)
	default:
		return false, unanswered, err
	}
}

// completionTTL is how long a completion is kept, as provisioned. It is looked up once.
func (c *Conn) completionTTL(ctx context.Context) (time.Duration, error) {
	if ttl := c.ttl.Load(); ttl != nil {
		return *ttl, nil
	}
	s, err := c.stream(ctx, schema.CompletionsStream)
	if err != nil {
		return 0, err
	}
	ttl, _ := time.ParseDuration(s.CachedInfo().Config.Metadata[metadataTTL]) // without one, the stream's own age counts
	c.ttl.Store(&ttl)
	return ttl, nil
}

// Completed reports whether the resource's completion of the event is stored.
func (c *Conn) Completed(ctx context.Context, e schema.Event, r schema.Resource) (bool, error) {
	completed, err := c.has(ctx, schema.CompletionsStream, e.CompletionSubject(r))
	if err != nil {
		return false, fmt.Errorf("look up completion %s: %w", e.CompletionKey(r), err)
	}
	return completed, nil
}

// PublishDeadLetter stores our copy of an event that no worker could finish. The same event of the same queue is stored once an hour.
func (c *Conn) PublishDeadLetter(ctx context.Context, d schema.DeadLetter) error {
	header := nats.Header{}
	for key, values := range d.Headers {
		if !strings.HasPrefix(key, "Nats-") { // what the broker was told about the event, not about this copy
			header[key] = values
		}
	}
	header.Set(headerQueue, d.Queue)
	header.Set(headerClass, string(d.Class))
	header.Set(headerReason, string(d.Reason))
	header.Set(headerAttempts, strconv.Itoa(d.Attempts))
	header.Set(headerSequence, strconv.FormatUint(d.Sequence, 10))
	header.Set(headerFailedAt, formatTime(d.At))
	msg := &nats.Msg{Subject: schema.DeadLetterSubject(d.Queue, d.Account), Data: d.Body, Header: header}
	id := d.Queue + ":" + strconv.FormatUint(d.Sequence, 10)
	if _, err := c.publish(ctx, schema.DeadLettersStream, msg, jetstream.WithMsgID(id)); err != nil {
		return fmt.Errorf("publish dead letter of %s: %w", d.Queue, err)
	}
	return nil
}

// publish stores the message and returns the broker's word for it. It tries again, under the same id, what another try may
// mend, until ctx ends.
func (c *Conn) publish(ctx context.Context, stream string, msg *nats.Msg, options ...jetstream.PublishOpt) (*jetstream.PubAck, error) {
	ack, _, err := c.publishing(ctx, stream, msg, options...)
	return ack, err
}

// publishing is publish, and says whether a try had no answer: that one may be stored.
func (c *Conn) publishing(ctx context.Context, stream string, msg *nats.Msg, options ...jetstream.PublishOpt) (ack *jetstream.PubAck, unanswered bool, err error) {
	options = append(options, jetstream.WithExpectStream(stream))
	err = c.insist(ctx, func(ctx context.Context) (err error) {
		ack, err = c.js.PublishMsg(ctx, msg, options...)
		unanswered = unanswered || err != nil && answerOf(err) == nil
		return err
	})
	if errors.Is(err, context.DeadlineExceeded) && c.up.Load() {
		err = fmt.Errorf("%w: %w", errSilent, err)
	}
	return ack, unanswered, full(err)
}

// errSilent is what a broker looks like that met a write error: it answers for everything but that stream, until it is restarted.
var errSilent = errors.New("the broker is there and does not store: see its log and the room on its volume, then restart it")

// insist asks the broker until it answers or ctx ends.
func (c *Conn) insist(ctx context.Context, ask func(context.Context) error) error {
	for pause := pauseFirst; ; pause = min(2*pause, pauseLast) {
		err := c.Connected()
		if err == nil {
			try, cancel := context.WithTimeout(ctx, tryFor)
			err = ask(try)
			cancel()
		}
		if err == nil || !again(err) {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w (%w)", err, context.Cause(ctx))
		case <-time.After(pause/2 + rand.N(pause/2)):
		}
	}
}

// stream looks a stream up.
func (c *Conn) stream(ctx context.Context, name string) (s jetstream.Stream, err error) {
	err = c.insist(ctx, func(ctx context.Context) (err error) {
		s, err = c.js.Stream(ctx, name)
		return err
	})
	return s, err
}

// again tells the errors that another try may not meet from those it will.
func again(err error) bool {
	switch api := answerOf(err); {
	case api == nil:
		return !errors.Is(err, nats.ErrConnectionClosed) && !errors.Is(err, nats.ErrMaxPayload) && !errors.Is(err, nats.ErrBadSubject)
	case api.ErrorCode == codeDuplicateInFlight, api.ErrorCode == codeConflictInFlight:
		return true
	case api.ErrorCode == codeStoreFailed:
		return !strings.HasPrefix(api.Description, "maximum") // else the store is closing: the broker is on its way down
	default:
		return api.Code >= 500
	}
}

// full names the code that every stream but the completions has one meaning for.
func full(err error) error {
	if codeOf(err) == codeStoreFailed {
		return fmt.Errorf("%w: %w", ErrFull, err)
	}
	return err
}

// takenOrFull tells the two meanings of 10077 apart: nil where the subject has its message.
func (c *Conn) takenOrFull(ctx context.Context, stream, subject string) error {
	taken, err := c.has(ctx, stream, subject)
	if err == nil && !taken {
		err = fmt.Errorf("stream %s: %w", stream, ErrFull)
	}
	return err
}

// has reports whether a subject has a message. It asks the stream's leader for a count: whoever may read a message may read
// all of the stream, and nobody who completes events needs to.
func (c *Conn) has(ctx context.Context, stream, subject string) (has bool, err error) {
	err = c.insist(ctx, func(ctx context.Context) error {
		s, err := c.js.Stream(ctx, stream)
		if err != nil {
			return err
		}
		info, err := s.Info(ctx, jetstream.WithSubjectFilter(subject))
		if err != nil {
			return err
		}
		has = info.State.Subjects[subject] > 0
		return nil
	})
	return has, err
}

// message reads one message from the stream's leader.
func (c *Conn) message(ctx context.Context, stream string, sequence uint64) (m *jetstream.RawStreamMsg, err error) {
	err = c.insist(ctx, func(ctx context.Context) error {
		s, err := c.js.Stream(ctx, stream)
		if err == nil {
			m, err = s.GetMsg(ctx, sequence)
		}
		return err
	})
	return m, err
}

func formatTime(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }
