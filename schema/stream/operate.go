package stream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/wagewire/wagewire/schema"
)

// What an operator sees and does. Nothing here is on the line; all of it goes by what is on the streams.

// Level is how full one stream is.
type Level struct {
	Name     string    `json:"name"`
	Messages uint64    `json:"messages"`
	Bytes    uint64    `json:"bytes"`
	BytesMax int64     `json:"bytes_max"`
	Oldest   time.Time `json:"oldest,omitzero"`
}

// QueueStatus is one queue at a glance.
type QueueStatus struct {
	Name string `json:"name"`
	// Waiting events have not been delivered; those InFlight are in a worker's hands or wait for a delayed redelivery.
	Waiting  uint64 `json:"waiting"`
	InFlight int    `json:"in_flight"`
	// Redelivered events in flight have been delivered before.
	Redelivered int `json:"redelivered"`
	// Oldest is when the oldest event that is not settled was stored; zero where there is none.
	Oldest time.Time `json:"oldest,omitzero"`
	// PausedUntil is when a pause ends; zero where there is none.
	PausedUntil time.Time `json:"paused_until,omitzero"`
	// FreeHands counts the requests for an event that wait at the broker, of all workers.
	FreeHands int `json:"free_hands"`
}

// headerSize is the broker's, on a message whose body was not asked for.
const headerSize = "Nats-Msg-Size"

// quietFor is how long a scan waits for a message that should come before it looks whether it is still there.
const quietFor = 500 * time.Millisecond

// Status reads every stream's and queue's state. What is not there is left out.
func (o *Operator) Status(ctx context.Context) (streams []Level, queues []QueueStatus, err error) {
	topology := schema.DefaultTopology()
	names := []string{}
	for _, s := range topology.Streams {
		names = append(names, s.Name)
	}
	for _, name := range append(names, recordsStream) {
		s, err := o.js.Stream(ctx, name)
		if errors.Is(err, jetstream.ErrStreamNotFound) {
			continue
		}
		if err != nil {
			return nil, nil, fmt.Errorf("status of stream %s: %w", name, err)
		}
		info := s.CachedInfo()
		status := Level{Name: name, Messages: info.State.Msgs, Bytes: info.State.Bytes, BytesMax: info.Config.MaxBytes}
		if info.State.Msgs > 0 {
			status.Oldest = info.State.FirstTime
		}
		streams = append(streams, status)
	}
	for _, q := range topology.Queues {
		status, err := o.queueStatus(ctx, q)
		if errors.Is(err, ErrNoQueue) {
			continue
		}
		if err != nil {
			return nil, nil, fmt.Errorf("status of queue %s: %w", q.Name, err)
		}
		queues = append(queues, status)
	}
	return streams, queues, nil
}

func (o *Operator) queueStatus(ctx context.Context, q schema.Queue) (QueueStatus, error) {
	consumer, err := o.Queue(q).consumer(ctx)
	if err != nil {
		return QueueStatus{}, err
	}
	info := consumer.CachedInfo()
	status := QueueStatus{
		Name: q.Name, Waiting: info.NumPending, InFlight: info.NumAckPending, Redelivered: info.NumRedelivered, FreeHands: info.NumWaiting,
	}
	if until := info.Config.PauseUntil; info.Paused && until != nil {
		status.PausedUntil = *until
	}
	if status.Waiting == 0 && status.InFlight == 0 {
		return status, nil
	}
	s, err := o.js.Stream(ctx, schema.EventsStream)
	if err != nil {
		return status, err
	}
	for _, subject := range q.Subjects {
		m, err := s.GetMsg(ctx, info.AckFloor.Stream+1, jetstream.WithGetMsgSubject(subject))
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			continue
		}
		if err != nil {
			return status, err
		}
		if status.Oldest.IsZero() || m.Time.Before(status.Oldest) {
			status.Oldest = m.Time
		}
	}
	return status, nil
}

// Position is how far a queue has come on the events stream.
type Position struct {
	// Settled: every event of the queue up to this sequence is settled. Delivered: none behind this one was delivered.
	Settled, Delivered uint64
}

// Position looks the queue up. ErrNoQueue: it is not there.
func (o *Operator) Position(ctx context.Context, q schema.Queue) (Position, error) {
	consumer, err := o.Queue(q).consumer(ctx)
	if err != nil {
		return Position{}, err
	}
	info := consumer.CachedInfo()
	return Position{Settled: info.AckFloor.Stream, Delivered: info.Delivered.Stream}, nil
}

// Pause stops a queue's deliveries until the given time, or Resume. Events in flight stay where they are.
func (o *Operator) Pause(ctx context.Context, q schema.Queue, until time.Time) error {
	if _, err := o.Queue(q).consumer(ctx); err != nil {
		return err
	}
	if _, err := o.js.PauseConsumer(ctx, schema.EventsStream, q.Name, until); err != nil {
		return fmt.Errorf("pause queue %s: %w", q.Name, err)
	}
	return nil
}

// Resume ends a pause. paused is false where there was none.
func (o *Operator) Resume(ctx context.Context, q schema.Queue) (paused bool, err error) {
	consumer, err := o.Queue(q).consumer(ctx)
	if err != nil || !consumer.CachedInfo().Paused {
		return false, err
	}
	if _, err := o.js.ResumeConsumer(ctx, schema.EventsStream, q.Name); err != nil {
		return true, fmt.Errorf("resume queue %s: %w", q.Name, err)
	}
	return true, nil
}

// Stored is a message as it lies on a stream.
type Stored struct {
	Sequence uint64
	Subject  string
	At       time.Time
	Header   nats.Header
	Body     []byte
}

// bytes is the size of the body, also where it was not asked for.
func (m Stored) bytes() int {
	if n, err := strconv.Atoi(m.Header.Get(headerSize)); err == nil {
		return n
	}
	return len(m.Body)
}

// Selection is what a scan hands out. The zero value is everything.
type Selection struct {
	// Filters are subject filters; a message matches one of them.
	Filters []string
	// Since is when the oldest message was stored.
	Since time.Time
	// HeadersOnly leaves the bodies at the broker.
	HeadersOnly bool
}

// Scan hands each the messages of a stream that are selected, oldest first, up to the last that is there when it begins. An
// error of each ends it. Messages may come and go meanwhile: those that went may be handed out or not.
func (o *Operator) Scan(ctx context.Context, stream string, which Selection, each func(Stored) error) error {
	if err := o.scan(ctx, stream, which, each); err != nil {
		return fmt.Errorf("scan %s: %w", stream, err)
	}
	return nil
}

func (o *Operator) scan(ctx context.Context, stream string, which Selection, each func(Stored) error) error {
	s, err := o.js.Stream(ctx, stream)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return fmt.Errorf("it is not there: %w", ErrNoQueue)
	}
	if err != nil {
		return err
	}
	last := s.CachedInfo().State.LastSeq
	config := jetstream.OrderedConsumerConfig{
		FilterSubjects: which.Filters, HeadersOnly: which.HeadersOnly, DeliverPolicy: jetstream.DeliverAllPolicy,
	}
	if !which.Since.IsZero() {
		config.DeliverPolicy, config.OptStartTime = jetstream.DeliverByStartTimePolicy, &which.Since
	}
	consumer, err := o.js.OrderedConsumer(ctx, stream, config)
	if err != nil {
		return err
	}
	if consumer.CachedInfo().NumPending == 0 {
		return nil
	}
	messages, err := consumer.Messages()
	if err != nil {
		return err
	}
	defer messages.Stop()
	for next := s.CachedInfo().State.FirstSeq; ; {
		if err := ctx.Err(); err != nil {
			return err
		}
		soon, cancel := context.WithTimeout(ctx, quietFor)
		msg, err := messages.Next(jetstream.NextContext(soon))
		cancel()
		if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
			// Nothing tells that what was to come is deleted.
			if left, err := among(ctx, s, which.Filters, next, last); err != nil || !left {
				return err
			}
			continue
		}
		if err != nil {
			return err
		}
		meta, err := msg.Metadata()
		if err != nil {
			return err
		}
		if meta.Sequence.Stream > last {
			return nil
		}
		if err := each(Stored{meta.Sequence.Stream, msg.Subject(), meta.Timestamp, msg.Headers(), msg.Data()}); err != nil {
			return err
		}
		if next = meta.Sequence.Stream + 1; meta.NumPending == 0 || next > last {
			return nil
		}
	}
}

// among reports whether a stream has a message that matches one of the filters, from one sequence to another.
func among(ctx context.Context, s jetstream.Stream, filters []string, first, last uint64) (bool, error) {
	if len(filters) == 0 {
		filters = []string{">"}
	}
	for _, filter := range filters {
		m, err := s.GetMsg(ctx, first, jetstream.WithGetMsgSubject(filter))
		if err == nil && m.Sequence <= last {
			return true, nil
		}
		if err != nil && !errors.Is(err, jetstream.ErrMsgNotFound) {
			return false, err
		}
	}
	return false, nil
}

// Message reads one message of a stream; false where there is none, or no more.
func (o *Operator) Message(ctx context.Context, stream string, sequence uint64) (Stored, bool, error) {
	m, err := o.message(ctx, stream, sequence)
	switch {
	case errors.Is(err, jetstream.ErrMsgNotFound):
		return Stored{}, false, nil
	case errors.Is(err, jetstream.ErrStreamNotFound):
		return Stored{}, false, fmt.Errorf("stream %s is not there: %w", stream, ErrNoQueue)
	case err != nil:
		return Stored{}, false, fmt.Errorf("read message %d of %s: %w", sequence, stream, err)
	}
	return Stored{m.Sequence, m.Subject, m.Time, m.Header, m.Data}, true, nil
}

// DecodeEvent reads an event from a message of the events stream.
func DecodeEvent(m Stored) (schema.Event, error) { return decode(m.Subject, m.Header, m.Body) }

// Heading is what the headers of an event say, for who looks at many: all but what is in its body.
type Heading struct {
	// Event has neither a Body nor an AccountID.
	Event schema.Event
	// Account is the account's token.
	Account    string
	BodyBytes  int
	BodySHA256 string
	// Sequence, Subject and At are the message's.
	Sequence uint64
	Subject  string
	At       time.Time
}

// Headings hands each the headings of the selected events. A message that is no event has one that says little.
func (o *Operator) Headings(ctx context.Context, which Selection, each func(Heading) error) error {
	which.HeadersOnly = true
	return o.Scan(ctx, schema.EventsStream, which, func(m Stored) error {
		h := Heading{
			Event: eventOf(m.Header), Account: schema.LastToken(m.Subject), BodyBytes: m.bytes(), BodySHA256: m.Header.Get(headerBodySHA256),
			Sequence: m.Sequence, Subject: m.Subject, At: m.At,
		}
		return each(h)
	})
}

// eventOf is what headers say of an event, as far as they can be read.
func eventOf(header nats.Header) schema.Event {
	text := func(name string) string {
		s, err := headerText(header.Get(name))
		if err != nil {
			return header.Get(name)
		}
		return s
	}
	moment := func(name string) time.Time {
		at, _ := schema.ParseTime(header.Get(name)) // zero says that it cannot be read
		return at
	}
	provider := strings.TrimPrefix(text(headerSource), providerURN)
	e := schema.Event{
		Provider: schema.Provider(provider), ID: text(headerID), Type: strings.TrimPrefix(text(headerType), provider+"."),
		OccurredAt: moment(headerTime), ReceivedAt: moment(headerReceivedAt), TraceParent: header.Get(headerTraceParent),
	}
	t := schema.Lookup(e.Provider, e.Type)
	e.Resource, e.Action = t.Resource, t.Action
	if n, err := strconv.Atoi(header.Get(headerRedrive)); err == nil {
		e.Redrive, e.Queue, e.ID = n, header.Get(headerQueue), schema.OriginalID(e.ID, n)
	}
	return e
}

// Letter is a dead letter as it lies on its stream.
type Letter struct {
	schema.DeadLetter
	// Number is its sequence on the stream: what `wagewire dead` calls it.
	Number uint64
	// Event is what its headers say of the event; Decode reads all of it.
	Event     schema.Event
	BodyBytes int
}

// ReadLetter reads a dead letter. Its body need not be there, but for Decode.
func ReadLetter(m Stored) Letter {
	attempts, _ := strconv.Atoi(m.Header.Get(headerAttempts)) // ours; a broken one shows as 0
	sequence, _ := strconv.ParseUint(m.Header.Get(headerSequence), 10, 64)
	at, err := schema.ParseTime(m.Header.Get(headerFailedAt))
	if err != nil {
		at = m.At
	}
	return Letter{Number: m.Sequence, Event: eventOf(m.Header), BodyBytes: m.bytes(), DeadLetter: schema.DeadLetter{
		Queue: m.Header.Get(headerQueue), Class: schema.Class(m.Header.Get(headerClass)), Reason: schema.Reason(m.Header.Get(headerReason)),
		Attempts: attempts, Sequence: sequence, At: at, Headers: m.Header, Body: m.Body, Account: schema.LastToken(m.Subject),
	}}
}

// Decode reads the event: the catalogue knows the subject it had.
func (l Letter) Decode() (schema.Event, error) {
	return decode(schema.AccountEvents(l.Event.Provider, l.Event.Resource, l.Event.Action, l.Account), l.Headers, l.Body)
}

// Redrive sends an event through one queue again, or through all that read its type where queue is "". Its name is a new
// one, so that neither the broker's memory of its id nor its first completion stands in the way. stored is false where the
// name is taken: the nth redrive of this id was sent before.
func (o *Operator) Redrive(ctx context.Context, e schema.Event, queue string, n int) (stored bool, err error) {
	e.Redrive, e.Queue = n, queue
	duplicate, err := o.PublishEvent(ctx, e)
	if errors.Is(err, schema.ErrIDConflict) {
		return false, nil
	}
	return err == nil && !duplicate, err
}

// Discard deletes one message of the dead letters or the quarantine, and overwrites it.
func (o *Operator) Discard(ctx context.Context, stream string, sequence uint64) error {
	if !slices.Contains([]string{schema.DeadLettersStream, schema.QuarantineStream}, stream) {
		return fmt.Errorf("discard: nothing is discarded from %s", stream)
	}
	s, err := o.js.Stream(ctx, stream)
	if err == nil {
		err = overwrite(ctx, s, sequence)
	}
	if err != nil {
		return fmt.Errorf("discard %d of %s: %w", sequence, stream, err)
	}
	return nil
}

// Unread is a webhook in quarantine as it lies on its stream.
type Unread struct {
	schema.Quarantined
	// Number is its sequence on the stream: what `wagewire quarantine` calls it.
	Number    uint64
	BodyBytes int
}

// ReadUnread reads a webhook in quarantine. Its body need not be there.
func ReadUnread(m Stored) Unread {
	at, err := schema.ParseTime(m.Header.Get(headerReceivedAt))
	if err != nil {
		at = m.At
	}
	return Unread{Number: m.Sequence, BodyBytes: m.bytes(), Quarantined: schema.Quarantined{
		Provider: schema.Provider(schema.LastToken(m.Subject)), Reason: schema.QuarantineReason(m.Header.Get(headerReason)), ReceivedAt: at, Body: m.Body,
	}}
}

// CompletionsOf returns the event's completions, a resource each, whatever account they are of.
func (o *Operator) CompletionsOf(ctx context.Context, e schema.Event) ([]schema.Completion, error) {
	var all []schema.Completion
	err := o.Scan(ctx, schema.CompletionsStream, Selection{Filters: []string{e.Completions()}}, func(m Stored) error {
		var completion schema.Completion
		if err := json.Unmarshal(m.Body, &completion); err != nil {
			return fmt.Errorf("decode %s: %w", m.Subject, err)
		}
		all = append(all, completion)
		return nil
	})
	return all, err
}

// Ended is the broker's word that it ended the deliveries of an event.
type Ended struct {
	Queue      string
	Sequence   uint64
	Deliveries int
	At         time.Time
	// Exhausted: they ran out. Otherwise a worker ended them, for Reason.
	Exhausted bool
	Reason    string
}

// Endings hands each what the broker said of deliveries that ended without success.
func (o *Operator) Endings(ctx context.Context, each func(Ended) error) error {
	return o.Scan(ctx, schema.AdvisoriesStream, Selection{}, func(m Stored) error {
		var said struct {
			Consumer   string `json:"consumer"`
			StreamSeq  uint64 `json:"stream_seq"`
			Deliveries int    `json:"deliveries"`
			Reason     string `json:"reason"`
		}
		if err := json.Unmarshal(m.Body, &said); err != nil {
			return fmt.Errorf("decode advisory %d: %w", m.Sequence, err)
		}
		return each(Ended{
			Queue: said.Consumer, Sequence: said.StreamSeq, Deliveries: said.Deliveries, At: m.At,
			Exhausted: m.Subject == schema.ExhaustedSubject(said.Consumer), Reason: said.Reason,
		})
	})
}
