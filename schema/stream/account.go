package stream

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/wagewire/wagewire/schema"
)

// Accounts reads the completions for the states of accounts, and stores the states. Several
// processes may do so at the same time.
type Accounts struct {
	conn *Conn
	// queue is the place of the durable consumer in logs and errors.
	queue *Queue
	// states knows whether the stream of the states stores.
	states *trial
}

// Accounts returns the reader of completions. The broker need not have its durable yet.
func (c *Conn) Accounts() *Accounts {
	queue := &Queue{conn: c, queue: schema.Queue{Name: schema.AccountsConsumer}}
	queue.logged.Store("")
	subject := schema.AccountSubject(schema.Providers()[0], trialName)
	return &Accounts{
		conn: c, queue: queue, states: c.newTrial(schema.AccountsStream, subject),
	}
}

// Ready returns nil if states can be kept: the connection is there, the server is new enough, the
// broker has the durable of completions, and the stream of the states passes a trial. ErrNoQueue
// says what to do.
func (a *Accounts) Ready(ctx context.Context) error {
	if err := a.conn.Connected(); err != nil {
		return err
	}
	if err := a.conn.checkServer(); err != nil {
		return err
	}
	_, err := a.conn.lookUpConsumer(ctx, schema.CompletionsStream, schema.AccountsConsumer)
	if err != nil {
		return err
	}
	_, err = a.conn.js.Stream(ctx, schema.AccountsStream)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return fmt.Errorf("stream %s is not there: %w", schema.AccountsStream, ErrNoQueue)
	}
	if err != nil {
		return fmt.Errorf("look up stream %s: %w",
			schema.AccountsStream, a.conn.explainDomain(err))
	}
	return a.states.passed(ctx)
}

// Told is one delivery of a completion to the reader.
type Told struct {
	// Completion is empty if Err is set.
	Completion schema.Completion
	// Err says why the message is no completion.
	Err error
	// Account is the account's token, from the subject.
	Account string
	Subject string
	// Sequence is the place of the completion on its stream.
	Sequence uint64

	msg jetstream.Msg
	ctx context.Context
}

// Consume hands completions to work until ctx ends, to as many hands at a time. A completion is on
// lease only while work has it, and heartbeats renew the lease. At the end Consume gives back the
// completions not yet handed to work, and returns when the last work has returned. If the broker is
// away, or if somebody deletes the durable and makes a new one, Consume waits.
func (a *Accounts) Consume(ctx context.Context, n int, work func(*Told)) {
	hands := newHands(n)
	a.queue.repeatUntilDone(ctx, func(ctx context.Context) error {
		durables := []durable{{schema.CompletionsStream, schema.AccountsConsumer, hands}}
		return a.queue.takeFrom(ctx, durables, nil, func(msg jetstream.Msg) {
			a.handOut(ctx, msg, work)
		}, nil)
	})
	hands.wait()
}

func (a *Accounts) handOut(ctx context.Context, msg jetstream.Msg, work func(*Told)) {
	t := &Told{
		Subject: msg.Subject(), msg: msg, ctx: context.WithoutCancel(ctx),
	}
	if meta, err := msg.Metadata(); err == nil { // without metadata the sequence is unknown
		t.Sequence = meta.Sequence.Stream
	}
	t.Completion, t.Account, t.Err = decodeCompletion(t.Subject, msg.Data())
	work(t)
}

// decodeCompletion reads a completion and the token of its account. The error says why the message
// is none, or why it does not belong to its subject.
func decodeCompletion(
	subject string, body []byte,
) (completion schema.Completion, account string, err error) {
	if err := schema.DecodeJSON(body, &completion); err != nil {
		return schema.Completion{}, "", fmt.Errorf("decode the completion on %s: %w", subject, err)
	}
	data := completion.Data
	_, account = schema.CompletionAccount(subject)
	if data.AccountID != nil {
		of := schema.Event{
			Provider: data.Provider, ID: data.Event.ID, AccountID: *data.AccountID,
			Redrive: schema.RedriveOf(completion.ID),
		}
		if want := of.CompletionSubject(data.Resource); want != subject {
			return schema.Completion{}, account, fmt.Errorf(
				"the completion on %s belongs to %s", subject, want)
		}
	}
	return completion, account, nil
}

// Done settles the completion: it is part of the stored state, or of none. Done returns after the
// broker has confirmed.
func (t *Told) Done() error {
	ctx, cancel := context.WithTimeout(t.ctx, settleFor)
	defer cancel()
	return t.settled("done", t.msg.DoubleAck(ctx))
}

// GiveBack lets the completion come again after the delay.
func (t *Told) GiveBack(delay time.Duration) error {
	return t.settled("given back", t.msg.NakWithDelay(delay))
}

// Never ends the deliveries of the completion.
func (t *Told) Never(reason schema.Reason) error {
	return t.settled("never", t.msg.TermWithReason(string(reason)))
}

func (t *Told) settled(how string, err error) error {
	if err != nil {
		return fmt.Errorf("settle completion %d of %s as %s: %w",
			t.Sequence, schema.AccountsConsumer, how, err)
	}
	return nil
}

// AccountState is the state of an account as the broker has it.
type AccountState struct {
	schema.Account
	// revision is the sequence of the state's message, 0 without one.
	revision uint64
}

// Exists reports whether the broker has a state.
func (s AccountState) Exists() bool { return s.revision > 0 }

// State reads the state of an account from the stream's leader. Without a state the account is the
// zero schema.Account. After ErrBadState it is that too, and StoreState replaces the message.
func (c *Conn) State(ctx context.Context, p schema.Provider, account string) (AccountState, error) {
	which := messageRequest{LastFor: schema.AccountSubject(p, account)}
	m, err := c.getMessage(ctx, schema.AccountsStream, which)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return AccountState{}, nil
	}
	if err != nil {
		return AccountState{}, fmt.Errorf("read the state of account %s: %w", account, err)
	}
	state := AccountState{revision: m.Sequence}
	state.Account, err = schema.DecodeAccount(m.Data)
	if err != nil {
		return state, fmt.Errorf("read the state of account %s, message %d of %s: %w: %w",
			account, m.Sequence, schema.AccountsStream, ErrBadState, err)
	}
	return state, nil
}

// StoreState stores the next state of an account, unless another process changed the state after it
// was read. stored is false if another process did, or if the broker's answer to an earlier try of
// ours got lost: the caller reads again. The error is ErrTooLarge if the broker takes no state of
// this size, and ErrFull if the stream has no room.
//
// The state of a deleted account does not just replace the one before: the broker overwrites that
// message first, because it names the person. Both steps may be repeated.
func (c *Conn) StoreState(
	ctx context.Context, read AccountState, next schema.Account,
) (stored bool, err error) {
	body, err := next.Encode()
	if err != nil {
		return false, err
	}
	revision := read.revision
	if next.Data.Status == schema.AccountDeleted && revision > 0 {
		if err := c.deleteMessage(ctx, schema.AccountsStream, revision); err != nil {
			return false, fmt.Errorf("erase the state of account %s: %w", next.Subject, err)
		}
		revision = 0
	}
	msg := &nats.Msg{
		Subject: schema.AccountSubject(next.Data.Provider, next.Subject),
		Data:    body,
		Header:  nats.Header{headerContentType: {schema.CloudEventsJSON}},
	}
	_, err = c.publish(ctx, schema.AccountsStream, msg,
		jetstream.WithExpectLastSequencePerSubject(revision))
	if codeOf(err) == codeWrongLastSequence {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("store the state of account %s: %w",
			next.Subject, markTooLarge(err))
	}
	return true, nil
}
