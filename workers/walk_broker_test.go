package workers_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/zap"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
	"github.com/wagewire/wagewire/schema/stream/streamtest"
)

// onTime is how late the broker may end a wait.
const onTime = 5 * time.Second

// broker reads and changes what the server of a walk has.
type broker struct {
	server   *streamtest.BubbleServer
	operator *stream.Operator
	nats     *nats.Conn
	js       jetstream.JetStream
	queue    schema.Queue
	erasures schema.Queue
}

// openBroker provisions the queues of links, and no others.
func openBroker(ctx context.Context, s *streamtest.BubbleServer) (*broker, error) {
	conn, err := stream.Connect(s.Config(), "operator", zap.NewNop())
	if err != nil {
		return nil, err
	}
	b := &broker{server: s, operator: stream.NewOperator(conn)}
	topology := streamtest.Topology()
	topology.Queues = schema.QueuesOf(schema.Link)
	for _, q := range topology.Queues {
		if q.Erases {
			b.erasures = q
		} else {
			b.queue = q
		}
	}
	b.nats, err = nats.Connect(nats.DefaultURL, nats.SetCustomDialer(s), nats.MaxReconnects(-1),
		nats.PingInterval(s.Config().PingEvery))
	if err != nil {
		return nil, err
	}
	b.js, err = jetstream.New(b.nats)
	if err != nil {
		return nil, err
	}
	return b, b.operator.Provision(ctx, topology)
}

func (b *broker) close() {
	b.nats.Close()
	b.operator.Close()
}

// setFull takes the room from the completions stream, or gives it back.
func (b *broker) setFull(ctx context.Context, full bool) error {
	s, err := b.js.Stream(ctx, schema.CompletionsStream)
	if err != nil {
		return err
	}
	config := s.CachedInfo().Config
	config.MaxBytes = 64 << 20
	if full {
		config.MaxBytes = max(1, int64(s.CachedInfo().State.Bytes))
	}
	_, err = b.js.UpdateStream(ctx, config)
	return err
}

// sight is what the broker has.
type sight struct {
	// waits, letters and completions are by the key of the event.
	waits       map[string][]stream.Waiting
	letters     map[string][]stream.Letter
	completions map[string][]schema.Completion
	// deleted counts the completions `deleted` by account, and reports the reports of a deletion
	// that are still there.
	deleted    map[string]int
	reports    map[string]int
	events     map[string]int
	tombstones map[string]bool
	// lag is the number of events of the queue that are ready or in hand.
	lag    int
	paused bool
}

// look reads everything.
func (b *broker) look(ctx context.Context) (*sight, error) {
	s := &sight{
		waits: map[string][]stream.Waiting{}, letters: map[string][]stream.Letter{},
		completions: map[string][]schema.Completion{}, deleted: map[string]int{},
		reports: map[string]int{}, events: map[string]int{}, tombstones: map[string]bool{},
	}
	all := func(name string, each func(stream.Stored) error) error {
		return b.operator.Scan(ctx, name, stream.Selection{}, each)
	}
	err := b.operator.Waiting(ctx, b.queue.Name, "*", func(w stream.Waiting) error {
		s.waits[w.Event.Key()] = append(s.waits[w.Event.Key()], w)
		return nil
	})
	if err != nil {
		return nil, err
	}
	err = all(schema.DeadLettersStream, func(m stream.Stored) error {
		l := stream.ReadLetter(m)
		s.letters[l.Event.Key()] = append(s.letters[l.Event.Key()], l)
		return nil
	})
	if err != nil {
		return nil, err
	}
	if err := all(schema.CompletionsStream, s.readCompletion); err != nil {
		return nil, err
	}
	if err := all(schema.EventsStream, s.readEvent); err != nil {
		return nil, err
	}
	for _, lane := range b.queue.Lanes() {
		consumer, err := b.js.Consumer(ctx, lane.Stream, lane.Consumer)
		if err != nil {
			return nil, err
		}
		info := consumer.CachedInfo()
		s.lag += int(info.NumPending) + info.NumAckPending
	}
	pause, err := b.operator.Queue(b.queue).PauseState(ctx)
	s.paused = pause.Paused
	return s, err
}

func (s *sight) readCompletion(m stream.Stored) error {
	if len(m.Body) == 0 { // a tombstone names the account at its end
		s.tombstones[schema.LastToken(m.Subject)] = true
		return nil
	}
	var c schema.Completion
	if err := json.Unmarshal(m.Body, &c); err != nil {
		return err
	}
	if c.Data.Outcome == schema.Deleted {
		s.deleted[c.Subject]++
		return nil
	}
	key := strings.TrimSuffix(c.ID, ":"+string(schema.Link))
	s.completions[key] = append(s.completions[key], c)
	return nil
}

func (s *sight) readEvent(m stream.Stored) error {
	account := schema.LastToken(m.Subject)
	if strings.Contains(m.Subject, ".deleted.") {
		s.reports[account]++
	} else {
		s.events[account]++
	}
	return nil
}

// compare returns what differs between the model and the sight, "" for nothing. It takes over from
// the sight what the model cannot know: the spread of a wait. now is the time of the sight.
func (m *model) compare(s *sight, now time.Time) string {
	least := 0
	late := 0 // events of erased accounts, which a worker may not have dropped yet
	for i := range m.events {
		e := &m.events[i]
		switch {
		case !e.published:
			continue
		case m.erased[e.Account()]:
			late++
			continue
		}
		if text := e.compare(s, now); text != "" {
			return e.Key() + ": " + text
		}
		if e.wait != nil && len(s.waits[e.Key()]) == 0 {
			e.ripen()
		}
		if e.message != nil {
			least++
		}
	}
	if s.lag < least || s.lag > least+late {
		return fmt.Sprintf("%d messages at the broker, want %d, and %d at most of erased accounts",
			s.lag, least, late)
	}
	if s.paused != m.paused {
		return fmt.Sprintf("paused is %v at the broker", s.paused)
	}
	return ""
}

func (e *event) compare(s *sight, now time.Time) string {
	completions := s.completions[e.Key()]
	switch {
	case len(completions) > 1:
		return fmt.Sprintf("%d completions", len(completions))
	case (e.completion != nil) != (len(completions) == 1):
		return fmt.Sprintf("completions %v, want %+v", completions, e.completion)
	case e.completion != nil && *e.completion != describe(completions[0]):
		return fmt.Sprintf("completion %+v, want %+v", describe(completions[0]), *e.completion)
	case e.completion == nil && e.wait == nil && e.message == nil:
		return "the model has lost it"
	}
	letters := s.letters[e.Key()]
	if len(letters) > len(e.letters) || (len(letters) == 0) != (len(e.letters) == 0) {
		return fmt.Sprintf("%d dead letters, want %+v", len(letters), e.letters)
	}
	for _, l := range letters {
		if !slices.Contains(e.letters, letter{l.Class, l.Reason, l.Attempts}) {
			return fmt.Sprintf("dead letter %s %s %d, want %+v", l.Class, l.Reason, l.Attempts,
				e.letters)
		}
	}
	return e.compareWait(s.waits[e.Key()], now)
}

// describe is what the model knows of a completion.
func describe(c schema.Completion) completion {
	d := completion{outcome: c.Data.Outcome, attempts: c.Data.Attempts}
	if c.Data.Error != nil {
		d.class = schema.Class(c.Data.Error.Class)
	}
	return d
}

func (e *event) compareWait(waits []stream.Waiting, now time.Time) string {
	w := e.wait
	switch {
	case len(waits) > 1:
		return fmt.Sprintf("%d waits", len(waits))
	case w == nil && len(waits) == 0:
		return ""
	case w == nil:
		return fmt.Sprintf("waits as %+v, want no wait", waits[0].Wait)
	case len(waits) == 0 && !now.Before(w.due()):
		return "" // its time has come
	case len(waits) == 0:
		return fmt.Sprintf("no wait, want %+v", *w)
	}
	got := waits[0].Wait
	length := got.Until.Sub(got.Since)
	switch {
	case now.After(got.Until.Add(onTime)):
		return fmt.Sprintf("waits since %v, until %v, at %v", got.Since, got.Until, now)
	case got.Class != w.class || got.Step != w.step || got.Steps != w.steps,
		!maps.Equal(w.failures, failures(got.Failures)),
		length < w.least || length > w.least+w.least/10, !got.Since.Equal(w.since),
		!w.until.IsZero() && !w.until.Equal(got.Until):
		return fmt.Sprintf("waits as %+v, want %+v", got, *w)
	}
	w.until = got.Until
	return ""
}

// compareErased returns what is left of an account whose erasure has ended.
func (s *sight) compareErased(account string, events []event) string {
	if n := s.events[account]; n > 0 {
		return fmt.Sprintf("%d events", n)
	}
	for _, e := range events {
		if e.Account() != account {
			continue
		}
		waits := len(s.waits[e.Key()])
		letters := len(s.letters[e.Key()])
		completions := len(s.completions[e.Key()])
		if waits+letters+completions > 0 {
			return fmt.Sprintf("%d waits, %d dead letters, %d completions of %s",
				waits, letters, completions, e.Key())
		}
	}
	return ""
}
