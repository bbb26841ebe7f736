package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/zap"

	"github.com/wagewire/wagewire/deploy/fake"
	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
)

const (
	// publishedAtOnce is how many copies may be without an answer of the broker.
	publishedAtOnce = 4000
	// fillFor is how long a line may take to get its load.
	fillFor = 20 * time.Minute
	// progressEvery is the pause between two reports of progress.
	progressEvery = 5 * time.Second
	// samplesFor is how long a sample may take.
	samplesFor = 20 * time.Second
	// forgetFor is how long it may take to remove the completions of an account.
	forgetFor = time.Minute
	// completionsOfAccount is how many completions an account has: about as many as a person of
	// the capacity table.
	completionsOfAccount = 20
	// waitsFor is how long the waiting events wait: longer than any run.
	waitsFor = 48 * time.Hour
)

// sample is a message that our own processes have stored, with the ids to replace in a copy.
type sample struct {
	subject        string
	header         nats.Header
	body           []byte
	event, account string
}

// sampleOf makes a sample of a stored message. Copies have no message id: the stream forgets the
// ids after a while, and a broker that keeps many messages has few ids. They name no stream either,
// because a mapping may choose another one.
func sampleOf(m *jetstream.RawStreamMsg, w fake.Webhook) sample {
	header := nats.Header{}
	for key, values := range m.Header {
		if key != jetstream.MsgIDHeader && key != jetstream.ExpectedStreamHeader {
			header[key] = values
		}
	}
	return sample{m.Subject, header, m.Data, w.ID, w.Account}
}

// copyWith is the sample of another event and account.
func (s sample) copyWith(event, account string) *nats.Msg {
	text := strings.NewReplacer(s.event, event, s.account, account)
	msg := &nats.Msg{Subject: text.Replace(s.subject), Header: make(nats.Header, len(s.header))}
	for key, values := range s.header {
		msg.Header[key] = []string{text.Replace(values[0])}
	}
	body := bytes.ReplaceAll(s.body, []byte(s.event), []byte(event))
	msg.Data = bytes.ReplaceAll(body, []byte(s.account), []byte(account))
	return msg
}

// filler fills a broker with a load.
type filler struct {
	conn *stream.Conn
	nats *nats.Conn
	js   jetstream.JetStream
	// completion and waiting are the samples.
	completion, waiting sample
	// waitingStream has the waiting events.
	waitingStream string
	// progress is told how much of the load is there. It may be nil.
	progress func(done, all int)
}

// newFiller connects to a broker.
func newFiller(on *broker) (*filler, error) {
	conn, err := stream.Connect(stream.Config{URL: on.url}, "wagewire-bench", zap.NewNop())
	if err != nil {
		return nil, err
	}
	client, err := nats.Connect(on.url)
	if err != nil {
		conn.Close()
		return nil, err
	}
	f := &filler{conn: conn, nats: client}
	f.js, err = jetstream.New(client, jetstream.WithPublishAsyncMaxPending(publishedAtOnce))
	if err != nil {
		f.close()
	}
	return f, err
}

func (f *filler) close() {
	f.nats.Close()
	f.conn.Close()
}

// storeEvent stores the event of a webhook, as ingress does.
func (f *filler) storeEvent(ctx context.Context, w fake.Webhook) (schema.Event, error) {
	p := schema.Provider(w.Provider)
	row := schema.Lookup(p, w.Type)
	now := time.Now()
	e := schema.Event{
		Provider: p, ID: w.ID, Type: w.Type, Resource: row.Resource, Action: row.Action,
		AccountID: w.Account, OccurredAt: now, ReceivedAt: now, Body: w.Body,
	}
	_, err := f.conn.PublishEvent(ctx, e)
	return e, err
}

// sampleEvent stores an event and reads its message.
func (f *filler) sampleEvent(ctx context.Context, w fake.Webhook) (sample, error) {
	e, err := f.storeEvent(ctx, w)
	if err != nil {
		return sample{}, err
	}
	return f.readSample(schema.EventsStream, e.Subject(), w)
}

// sampleWaiting lets the event of a webhook wait for its next try, as a worker does.
func (f *filler) sampleWaiting(ctx context.Context, w fake.Webhook) error {
	e, err := f.storeEvent(ctx, w)
	if err != nil {
		return err
	}
	now := time.Now()
	ctx, cancel := context.WithTimeout(ctx, samplesFor)
	defer cancel()
	q := schema.QueuesOf(e.Resource)[0]
	took := errors.New("no event came")
	err = f.conn.Queue(q).Consume(ctx, stream.Taking{Hands: 1}, func(d *stream.Delivery) {
		defer cancel()
		took = d.Wait(schema.Wait{
			Class: schema.ClassTransient, Status: 503, Step: 12, Steps: 12,
			Since: now, Until: now.Add(waitsFor),
			Failures: schema.Failures{schema.ClassTransient: 12},
		})
	})
	if err = errors.Join(took, err); err != nil {
		return err
	}
	f.waitingStream = q.WaitingStream()
	f.waiting, err = f.readSample(f.waitingStream, e.WaitingSubject(q.Name), w)
	if err != nil {
		return err
	}
	return f.empty(f.waitingStream)
}

// empty removes all messages of a stream.
func (f *filler) empty(stream string) error {
	ctx, cancel := context.WithTimeout(context.Background(), samplesFor)
	defer cancel()
	s, err := f.js.Stream(ctx, stream)
	if err != nil {
		return err
	}
	return s.Purge(ctx)
}

// sampleCompletion reads the completion of the last event, with the ids of the webhook's account
// and of the event.
func (f *filler) sampleCompletion(w fake.Webhook) (err error) {
	f.completion, err = f.readSample(schema.CompletionsStream, schema.AllCompletions, w)
	f.completion.event = schema.LastToken(f.completion.subject)
	return err
}

// forget removes the completions of the account of a webhook.
func (f *filler) forget(ctx context.Context, w fake.Webhook) error {
	ctx, cancel := context.WithTimeout(ctx, forgetFor)
	defer cancel()
	s, err := f.js.Stream(ctx, schema.CompletionsStream)
	if err != nil {
		return err
	}
	subject := schema.AccountCompletions(schema.Provider(w.Provider), w.Account)
	return s.Purge(ctx, jetstream.WithPurgeSubject(subject))
}

// readSample reads the last message of a subject.
func (f *filler) readSample(stream, subject string, w fake.Webhook) (sample, error) {
	ctx, cancel := context.WithTimeout(context.Background(), samplesFor)
	defer cancel()
	s, err := f.js.Stream(ctx, stream)
	if err != nil {
		return sample{}, err
	}
	m, err := s.GetLastMsgForSubject(ctx, subject)
	if err != nil {
		return sample{}, err
	}
	return sampleOf(m, w), nil
}

// keep stores completions, copies of the sample about many accounts.
func (f *filler) keep(ctx context.Context, from, to int) error {
	return f.publish(ctx, schema.CompletionsStream, f.completion, from, to)
}

// letWait stores waiting events, copies of the sample.
func (f *filler) letWait(ctx context.Context, from, to int) error {
	return f.publish(ctx, f.waitingStream, f.waiting, from, to)
}

// publish publishes to-from copies of a sample. The stream must have gained as many messages.
func (f *filler) publish(ctx context.Context, name string, s sample, from, to int) error {
	ctx, cancel := context.WithTimeout(ctx, fillFor)
	defer cancel()
	target, err := f.js.Stream(ctx, name)
	if err != nil {
		return err
	}
	before := target.CachedInfo().State.Msgs
	account := newID(s.account)
	told := time.Now()
	for i := from; i < to; i++ {
		if i%completionsOfAccount == 0 {
			account = newID(s.account)
		}
		msg := s.copyWith(newID(s.event), account)
		_, err := f.js.PublishMsgAsync(msg, jetstream.WithStallWait(samplesFor))
		if err = errors.Join(err, ctx.Err()); err != nil {
			return fmt.Errorf("fill %s with %s: %w", name, grouped(to), err)
		}
		if f.progress != nil && time.Since(told) >= progressEvery {
			f.progress(i, to)
			told = time.Now()
		}
	}
	select {
	case <-f.js.PublishAsyncComplete():
	case <-ctx.Done():
		return fmt.Errorf("fill %s with %s: %w", name, grouped(to), ctx.Err())
	}
	info, err := target.Info(ctx)
	if err != nil {
		return err
	}
	if gained := int(info.State.Msgs - before); gained != to-from {
		return fmt.Errorf("%s has gained %s messages and not %s",
			name, grouped(gained), grouped(to-from))
	}
	return nil
}

// addDurables makes teams with one durable each. Every team reads the small snapshots, so that each
// completion of the load concerns every durable. Nobody takes from the durables.
func (f *filler) addDurables(ctx context.Context, from, to int) error {
	ctx, cancel := context.WithTimeout(ctx, fillFor)
	defer cancel()
	operator := stream.NewOperator(f.conn)
	for i := from; i < to; i++ {
		name := fmt.Sprintf("team-%d", i+1)
		team := stream.Team{
			Name: name, Durables: []string{name},
			Resources: []schema.Resource{schema.Employment, schema.Identity},
		}
		changes, err := operator.PlanTeam(ctx, team, stream.Reading{})
		if err == nil {
			err = operator.Apply(ctx, changes)
		}
		if err != nil {
			return fmt.Errorf("durable %s of %s: %w", grouped(i+1), grouped(to), err)
		}
	}
	return nil
}

// grouped writes a number with commas: 3,000,000.
func grouped(n int) string {
	text := fmt.Sprint(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}
