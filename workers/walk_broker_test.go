package workers_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
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
	t        *testing.T
	server   *streamtest.BubbleServer
	operator *stream.Operator
	js       jetstream.JetStream
	queue    schema.Queue
}

// failure is the value of the panic that ends a walk. A test of rapid cannot fail inside a bubble.
type failure struct{ error }

func require(err error) {
	if err != nil {
		panic(failure{err})
	}
}

func failf(format string, args ...any) { panic(failure{fmt.Errorf(format, args...)}) }

// openBroker provisions the queues of Truv, and no others. An erasure looks into each of them.
func openBroker(t *testing.T, s *streamtest.BubbleServer) *broker {
	conn, err := stream.Connect(s.Config(), "operator", zap.NewNop())
	require(err)
	t.Cleanup(conn.Close)
	b := &broker{t: t, server: s, operator: stream.NewOperator(conn)}
	topology := streamtest.Topology()
	topology.Queues = slices.DeleteFunc(schema.Queues(), func(q schema.Queue) bool {
		return q.Provider != schema.Truv
	})
	for _, q := range topology.Queues {
		if q.Resource == schema.Link && !q.Erases {
			b.queue = q
		}
	}
	nc, err := nats.Connect(nats.DefaultURL, nats.SetCustomDialer(s), nats.MaxReconnects(-1),
		nats.PingInterval(s.Config().PingEvery))
	require(err)
	t.Cleanup(nc.Close)
	b.js, err = jetstream.New(nc)
	require(err)
	require(b.operator.Provision(t.Context(), topology))
	return b
}

// setFull takes the room from the completions stream, or gives it back.
func (b *broker) setFull(full bool) {
	s, err := b.js.Stream(b.t.Context(), schema.CompletionsStream)
	require(err)
	config := s.CachedInfo().Config
	config.MaxBytes = 64 << 20
	if full {
		config.MaxBytes = max(1, int64(s.CachedInfo().State.Bytes))
	}
	_, err = b.js.UpdateStream(b.t.Context(), config)
	require(err)
}

func (b *broker) isPaused() bool {
	state, err := b.operator.Queue(b.queue).PauseState(b.t.Context())
	require(err)
	return state.Paused
}

// sight is what the broker has.
type sight struct {
	// waits, letters and completions are by the key of the event.
	waits       map[string][]schema.Wait
	letters     map[string][]stream.Letter
	completions map[string][]ending
	// deleted counts the completions `deleted` by account, reports the reports of a deletion that
	// are still there, and events the other events.
	deleted    map[string]int
	reports    map[string]int
	events     map[string]int
	tombstones map[string]bool
	// lag is the number of events of the queue that are ready or in hand.
	lag    int
	paused bool
}

// look reads everything.
func (b *broker) look() *sight {
	s := &sight{
		waits: map[string][]schema.Wait{}, letters: map[string][]stream.Letter{},
		completions: map[string][]ending{}, deleted: map[string]int{},
		reports: map[string]int{}, events: map[string]int{}, tombstones: map[string]bool{},
		paused: b.isPaused(),
	}
	ctx := b.t.Context()
	require(b.operator.Waiting(ctx, b.queue.Name, "*", func(w stream.Waiting) error {
		s.waits[w.Event.Key()] = append(s.waits[w.Event.Key()], w.Wait)
		return nil
	}))
	for name, read := range map[string]func(stream.Stored) error{
		schema.DeadLettersStream: s.readLetter,
		schema.CompletionsStream: s.readCompletion,
		schema.EventsStream:      s.readEvent,
	} {
		require(b.operator.Scan(ctx, name, stream.Selection{}, read))
	}
	for _, lane := range b.queue.Lanes() {
		consumer, err := b.js.Consumer(ctx, lane.Stream, lane.Consumer)
		require(err)
		info := consumer.CachedInfo()
		s.lag += int(info.NumPending) + info.NumAckPending
	}
	return s
}

func (s *sight) readLetter(m stream.Stored) error {
	l := stream.ReadLetter(m)
	s.letters[l.Event.Key()] = append(s.letters[l.Event.Key()], l)
	return nil
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
	end := ending{how: string(c.Data.Outcome), attempts: c.Data.Attempts}
	if c.Data.Error != nil {
		end.class = schema.Class(c.Data.Error.Class)
	}
	key := strings.TrimSuffix(c.ID, ":"+string(schema.Link))
	s.completions[key] = append(s.completions[key], end)
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

// compare fails if the model and the sight differ. It takes over the spread of a wait, which the
// model cannot know. late is how many messages the erased accounts have in the queue.
func (m *model) compare(s *sight) (late int) {
	messages := 0
	lateMax := 0
	for i := range m.events {
		e := &m.events[i]
		switch {
		case !e.published:
			continue
		case m.erased[e.Account()]:
			lateMax++
			continue
		}
		e.compare(s.completions[e.Key()], s.letters[e.Key()])
		e.compareWait(s.waits[e.Key()])
		if e.message != nil {
			messages++
		}
	}
	late = s.lag - messages
	if late < 0 || late > lateMax {
		failf("%d messages at the broker, want %d, and up to %d of erased accounts",
			s.lag, messages, lateMax)
	}
	if s.paused != m.paused {
		failf("paused is %v at the broker", s.paused)
	}
	return late
}

// compare fails if the endings differ. Two workers with one event may store a dead letter each.
func (e *event) compare(completions []ending, letters []stream.Letter) {
	var want []ending
	if e.completion != nil {
		want = append(want, *e.completion)
	}
	if !slices.Equal(completions, want) {
		failf("%s: completions %v, want %v", e.Key(), completions, want)
	}
	if len(letters) > len(e.letters) || len(letters) == 0 && len(e.letters) > 0 {
		failf("%s: %d dead letters, want %v", e.Key(), len(letters), e.letters)
	}
	for _, l := range letters {
		got := ending{string(l.Reason), l.Class, l.Attempts}
		if !slices.Contains(e.letters, got) {
			failf("%s: dead letter %v, want %v", e.Key(), got, e.letters)
		}
	}
}

// compareWait fails if the waits differ, and makes the event due if its wait is over.
func (e *event) compareWait(waits []schema.Wait) {
	w := e.wait
	switch {
	case w == nil && len(waits) == 0:
		return
	case w != nil && len(waits) == 0 && !time.Now().Before(w.Until):
		e.ripen()
		return
	case w == nil || len(waits) != 1:
		failf("%s: waits %+v, want %+v", e.Key(), waits, w)
	}
	got := waits[0]
	switch {
	case got.Class != w.Class || got.Step != w.Step || got.Steps != w.Steps,
		!maps.Equal(w.Failures, got.Failures), !got.Since.Equal(w.Since),
		got.Until.Before(w.Until), got.Until.After(w.Until.Add(e.spread)):
		failf("%s: waits as %+v, want %+v", e.Key(), got, *w)
	case time.Now().After(got.Until.Add(onTime)):
		failf("%s: still waits until %v", e.Key(), got.Until)
	}
	w.Until = got.Until
	e.spread = 0
}

// requireErased fails if something is left of an account whose erasure has ended.
func (s *sight) requireErased(account string, events []event) {
	left := s.events[account]
	for _, e := range events {
		if e.Account() == account {
			left += len(s.waits[e.Key()]) + len(s.letters[e.Key()]) + len(s.completions[e.Key()])
		}
	}
	if left > 0 || s.deleted[account] != 1 {
		failf("%s is erased, and has %d messages, and %d completions", account, left,
			s.deleted[account])
	}
}
