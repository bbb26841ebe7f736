package chromium_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/wagewire/wagewire/deploy/fake"
	"github.com/wagewire/wagewire/deploy/sandbox"
	"github.com/wagewire/wagewire/schema"
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
	// waiting is a webhook whose calls fail for a while.
	waiting fake.Webhook
	// dead is a webhook with a dead letter.
	dead fake.Webhook
}

// hostile is a text that must be text wherever it is shown: HTML, quotes, the escape sequences of a
// terminal, and marks that turn the direction of text.
const hostile = `"><img src=x onerror=alert(1)><script>alert(2)</script>'` + "\x1b[31m\u202e{{.}}"

// pausedQueue is the queue that an operator has paused.
var pausedQueue = schema.QueueName(schema.Pinwheel, schema.Employment)

// installed is the installation of all tests.
var installed = sync.OnceValues(install)

func install() (*installation, error) {
	ctx := context.Background()
	box, err := sandbox.Up(ctx, sandbox.Config{AdminPort: -1})
	if err != nil {
		return nil, err
	}
	whenAllHaveEnded(func() { _ = box.Close() })
	in := &installation{box: box, operator: stream.NewOperator(box.Conn)}
	for _, step := range []func(context.Context) error{
		in.playDemonstration, in.playErasure, in.pause, in.letFail, in.quarantine, in.storeHostile,
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
	for _, w := range in.box.Fake.Timeline(in.box.Fake.Person(fake.PersonOptions{Seed: 7})) {
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
	for _, w := range in.box.Fake.Timeline(in.box.Fake.Person(fake.PersonOptions{Paystubs: 1, Shifts: 1})) {
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

// die makes dead letters of webhooks of these types, all about a new person: the provider refuses the
// first call of each, and no further one.
func (in *installation) die(ctx context.Context, types ...string) (dead []fake.Webhook, err error) {
	person := in.box.Fake.Person(fake.PersonOptions{Paystubs: 1, Shifts: 1})
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

// storeHostile stores what a provider, a worker or an attacker with a key could store.
func (in *installation) storeHostile(ctx context.Context) error {
	now := time.Now()
	body, err := json.Marshal(map[string]any{"event": hostile, "event_id": hostile})
	if err != nil {
		return err
	}
	e := schema.Event{
		Provider: schema.Pinwheel, ID: hostile, Type: "income.added",
		Resource: schema.Income, Action: "added", AccountID: hostile,
		OccurredAt: now, ReceivedAt: now, Body: body,
	}
	if _, err := in.operator.PublishEvent(ctx, e); err != nil {
		return err
	}
	return nil
}
