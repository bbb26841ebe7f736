package chromium_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
	"golang.org/x/sync/errgroup"

	"github.com/wagewire/wagewire/deploy/console"
	"github.com/wagewire/wagewire/deploy/fake"
	"github.com/wagewire/wagewire/deploy/health"
	"github.com/wagewire/wagewire/deploy/sandbox"
	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/process"
	"github.com/wagewire/wagewire/schema/stream"
)

// installation is a sandbox with the demonstration's data, on which something is wrong. All tests
// share it, so a test acts on persons of its own.
type installation struct {
	box      *sandbox.Sandbox
	operator *stream.Operator
	// done is a webhook that was completed, of an account with all data. Its account is not erased.
	done fake.Webhook
	// erased is a webhook of an account that the provider has deleted.
	erased fake.Webhook
	// canaries are texts of the records of persons: no page may have them.
	canaries []string
	// waiting is a webhook whose calls fail for a while.
	waiting fake.Webhook
	// dead is a webhook with a dead letter. Its account has deadLetters of them.
	dead fake.Webhook
	// makeHostile stores hostile messages, once, and returns the event among them.
	makeHostile func() (schema.Event, error)

	// url is the address of the pages, without a path, and patterns are those of all addresses.
	url      string
	patterns []string
	// tokens is the file of the persons' tokens.
	tokens string
	// logged are the lines of the console's log.
	logged *observer.ObservedLogs
}

// The persons of the tests: anna acts, robin loses the token, and mallory has a hostile name.
const (
	annaToken    = "token-of-anna-who-acts"
	robinToken   = "token-of-robin-who-acts"
	malloryToken = "token-of-mallory-who-acts"

	persons = "anna act,reveal " + annaToken + "\n" +
		"robin act " + robinToken + "\n" +
		"<b>mallory</b>\u202e act,reveal " + malloryToken + "\n"
)

// hostile is a text that must be text wherever it is shown: HTML, quotes, the escape sequences of a
// terminal, and marks that turn the direction of text.
const hostile = `"><img src=x onerror=alert(1)><script>alert(2)</script>'` + "\x1b[31m\u202e{{.}}"

// deadLetters is how many dead letters the account of the installation's dead webhook has.
const deadLetters = 3

// pausedQueue is the queue that an operator has paused.
var pausedQueue = schema.QueueName(schema.Pinwheel, schema.Employment)

// installed is the installation of all tests.
var installed = sync.OnceValues(install)

func install() (*installation, error) {
	ctx := context.Background()
	box, err := sandbox.Up(ctx, sandbox.Config{AdminPort: -1, ConsolePort: -1})
	if err != nil {
		return nil, err
	}
	whenAllHaveEnded(func() { _ = box.Close() })
	in := &installation{box: box, operator: stream.NewOperator(box.Conn)}
	in.makeHostile = sync.OnceValues(in.storeHostile)
	for _, step := range []func(context.Context) error{
		in.playDemonstration, in.playErasure, in.pause, in.letFail, in.quarantine, in.serve,
	} {
		if err := step(ctx); err != nil {
			return nil, err
		}
	}
	return in, nil
}

// playDemonstration plays a person with a new payroll account, without the deletion at the end.
func (in *installation) playDemonstration(ctx context.Context) error {
	var sent []fake.Webhook
	person := in.box.Fake.Person(fake.PersonOptions{Seed: 7})
	in.canaries = append(in.canaries, person.Canaries()...)
	for _, w := range in.box.Fake.Timeline(person) {
		if !erases(w) {
			sent = append(sent, w)
		}
	}
	for _, w := range sent {
		if w.Type == "paystubs.added" && w.Provider == string(schema.Pinwheel) {
			in.done = w
		}
	}
	return in.complete(ctx, sent...)
}

// playErasure plays a person who deletes the account.
func (in *installation) playErasure(ctx context.Context) error {
	var last []fake.Webhook
	person := in.box.Fake.Person(fake.PersonOptions{Paystubs: 1, Shifts: 1})
	for _, w := range in.box.Fake.Timeline(person) {
		if erases(w) {
			last = append(last, w)
			in.erased = w
			continue
		}
		if err := in.complete(ctx, w); err != nil {
			return err
		}
	}
	return in.complete(ctx, last...)
}

func erases(w fake.Webhook) bool {
	return schema.Lookup(schema.Provider(w.Provider), w.Type).Erases
}

// complete sends webhooks and waits for all of their completions.
func (in *installation) complete(ctx context.Context, sent ...fake.Webhook) error {
	began := time.Now()
	tail, err := in.operator.Tail(ctx, "", began)
	if err != nil {
		return err
	}
	defer tail.Close()
	awaited := map[string]bool{}
	for _, w := range sent {
		if err := in.send(ctx, w); err != nil {
			return err
		}
		row := schema.Lookup(schema.Provider(w.Provider), w.Type)
		event := schema.Event{Provider: row.Provider, ID: w.ID}
		for _, resource := range row.Workers {
			awaited[event.CompletionKey(resource)] = true
		}
	}
	for len(awaited) > 0 {
		c, err := tail.Next(ctx)
		if err != nil {
			return err
		}
		delete(awaited, schema.WithoutAccount(c.ID))
	}
	return nil
}

// send sends a webhook until ingress stores it.
func (in *installation) send(ctx context.Context, w fake.Webhook) error {
	answer, err := in.box.Fake.SendWithRetries(ctx, w)
	if err == nil && answer.Status != http.StatusOK {
		err = fmt.Errorf("%s: answered %d %s", w.Type, answer.Status, answer.Body)
	}
	return err
}

// pause pauses a queue, as an operator does.
func (in *installation) pause(ctx context.Context) error {
	queue, exists := schema.QueueNamed(pausedQueue)
	if !exists {
		return errors.New("no queue " + pausedQueue)
	}
	return in.operator.Pause(ctx, queue, time.Now().Add(24*time.Hour))
}

// letFail makes dead letters, and an event that waits.
func (in *installation) letFail(ctx context.Context) error {
	dead, err := in.die(ctx, "paystubs.added", "income.added", "shifts.added")
	if err != nil {
		return err
	}
	in.dead = dead[0]
	later := in.box.Fake.Person(fake.PersonOptions{})
	_, err = in.box.Fake.AddFault(fake.Fault{Path: later.AccountID, Status: 503})
	if err != nil {
		return err
	}
	in.waiting, err = in.box.Fake.Event(later, "identity.added", fake.EventOptions{})
	if err != nil {
		return err
	}
	return in.send(ctx, in.waiting)
}

// die makes dead letters of webhooks of these types, all about a new person: the provider refuses
// the first call of each, and no further one.
func (in *installation) die(ctx context.Context, types ...string) (dead []fake.Webhook, err error) {
	person := in.box.Fake.Person(fake.PersonOptions{Paystubs: 1, Shifts: 1})
	in.canaries = append(in.canaries, person.Canaries()...)
	_, err = in.box.Fake.AddFault(fake.Fault{
		Path: person.AccountID, Status: http.StatusBadRequest, Times: len(types),
	})
	for _, webhookType := range types {
		w, makeErr := in.box.Fake.Event(person, webhookType, fake.EventOptions{})
		dead = append(dead, w)
		err = errors.Join(err, makeErr)
	}
	if err != nil {
		return nil, err
	}
	return dead, in.complete(ctx, dead...)
}

// quarantine sends signed webhooks that are no events.
func (in *installation) quarantine(ctx context.Context) error {
	for _, body := range []string{
		`{"event":`,
		`{"event": "paystubs.added", "event": "income.added"}`,
	} {
		if err := in.send(ctx, fake.Webhook{
			Provider: string(schema.Pinwheel), Body: []byte(body),
		}); err != nil {
			return err
		}
	}
	return nil
}

// storeHostile stores what a provider could send, and whoever has a key of a worker could store.
func (in *installation) storeHostile() (event schema.Event, err error) {
	ctx := context.Background()
	now := time.Now()
	body, err := json.Marshal(map[string]any{"event": hostile, "event_id": hostile})
	if err != nil {
		return event, err
	}
	event = schema.Event{
		Provider: schema.Pinwheel, ID: hostile, Type: hostile,
		Resource: schema.Paystubs, Action: "added", AccountID: hostile,
		OccurredAt: now, ReceivedAt: now, Body: body,
	}
	completion := schema.NewCompletion(event, schema.Paystubs, schema.Failed, now)
	completion.Data.Error = &schema.CompletionError{
		Class: hostile, Code: hostile, Type: hostile, Message: hostile,
	}
	if _, err := in.operator.PublishCompletion(ctx, event, completion); err != nil {
		return event, err
	}
	if _, err := in.operator.PublishEvent(ctx, event); err != nil {
		return event, err
	}
	headers, err := in.headersOf(ctx, event)
	if err != nil {
		return event, err
	}
	letter := schema.DeadLetter{
		Account: event.Account(),
		Class:   schema.Class(hostile), Reason: schema.Reason(hostile), Attempts: 1,
		Status: http.StatusTeapot, Endpoint: hostile, Sequence: 1, At: now,
		Headers: headers, Body: body,
	}
	// A list of kept messages opens if it has two.
	for _, resource := range []schema.Resource{schema.Paystubs, schema.Income} {
		letter.Queue = schema.QueueName(schema.Pinwheel, resource)
		if err := in.operator.PublishDeadLetter(ctx, letter); err != nil {
			return event, err
		}
	}
	return event, in.operator.PublishQuarantined(ctx, schema.Quarantined{
		Provider: schema.Truv, Reason: schema.QuarantineReason(hostile), ReceivedAt: now,
		Body: body,
	})
}

// headersOf returns the headers of a stored event.
func (in *installation) headersOf(
	ctx context.Context, event schema.Event,
) (headers map[string][]string, err error) {
	err = in.operator.Scan(ctx, schema.EventsStream,
		stream.Selection{Filters: []string{event.Subject()}}, func(m stream.Stored) error {
			headers = m.Header
			return nil
		})
	if err == nil && headers == nil {
		err = errors.New("the event is not stored: " + event.Key())
	}
	return headers, err
}

// serve serves the pages of the installation.
func (in *installation) serve(ctx context.Context) error {
	dir, err := os.MkdirTemp("", "wagewire-chromium-")
	if err != nil {
		return err
	}
	whenAllHaveEnded(func() { _ = os.RemoveAll(dir) })
	in.tokens = filepath.Join(dir, "tokens")
	if err := in.writeTokens(persons); err != nil {
		return err
	}
	core, logged := observer.New(zap.InfoLevel)
	in.logged = logged
	pages, err := console.New(console.Config{
		Addr: "127.0.0.1:0", TokensFile: in.tokens, Reveal: true, AnyoneReads: true,
	}, in.operator, health.Config{}, zap.New(core))
	if err != nil {
		return err
	}
	in.patterns = pages.Patterns()
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	in.url = "http://" + listener.Addr().String()
	ctx, cancel := context.WithCancel(ctx)
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return process.Serve(ctx, listener, pages.Server()) })
	group.Go(func() error { return pages.Run(ctx) })
	whenAllHaveEnded(func() {
		cancel()
		_ = group.Wait()
	})
	return nil
}

// writeTokens replaces the file of the persons' tokens.
func (in *installation) writeTokens(text string) error {
	return os.WriteFile(in.tokens, []byte(text), 0o600)
}
