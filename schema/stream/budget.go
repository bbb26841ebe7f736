package stream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/wagewire/wagewire/schema"
)

// Budget is a provider's budget of calls on the broker: a key of the bucket schema.BudgetsBucket.
// It is safe for concurrent use.
type Budget struct {
	conn     *Conn
	provider schema.Provider
	subject  string
}

// Budget returns the provider's budget. The broker need not have the bucket yet.
func (c *Conn) Budget(p schema.Provider) *Budget {
	return &Budget{conn: c, provider: p, subject: schema.BudgetSubject(p)}
}

// Load reads the budget from the bucket's leader, with one request. Without a value, the budget is
// the zero value. The error is ErrNoQueue without a bucket, and that of schema.ParseBudget if the
// value cannot be read: the revision is then right, and Swap can replace the value.
func (b *Budget) Load(ctx context.Context) (read schema.Budget, revision uint64, err error) {
	which := messageRequest{LastFor: b.subject}
	m, err := b.conn.getMessage(ctx, schema.BudgetsStream, which)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return read, 0, nil
	}
	if err != nil {
		return read, 0, b.explain("read", err)
	}
	if len(m.Data) == 0 { // deleted with a client of key-value buckets
		return read, m.Sequence, nil
	}
	read, err = schema.ParseBudget(m.Data)
	if err != nil {
		return read, m.Sequence, b.explain("read", err)
	}
	return read, m.Sequence, nil
}

// Swap stores the budget, with one request, unless another process has changed the value since the
// revision. swapped is false if another process did, or if an earlier try stored the budget and its
// answer got lost.
func (b *Budget) Swap(
	ctx context.Context, budget schema.Budget, revision uint64,
) (next uint64, swapped bool, err error) {
	value, err := json.Marshal(budget)
	if err != nil {
		return 0, false, b.explain("encode", err)
	}
	msg := &nats.Msg{Subject: b.subject, Data: value}
	stored, err := b.conn.publish(ctx, schema.BudgetsStream, msg,
		jetstream.WithExpectLastSequencePerSubject(revision))
	switch {
	case codeOf(err) == codeWrongLastSequence:
		return 0, false, nil
	case err != nil:
		return 0, false, b.explain("store", err)
	default:
		return stored.Sequence, true, nil
	}
}

// Now asks the bucket's leader for its time, with one request. When Now returns, the leader's clock
// is later by the way back of the answer, and never earlier.
func (b *Budget) Now(ctx context.Context) (time.Time, error) {
	now, err := askUntilAnswered(ctx, b.conn, func(ctx context.Context) (time.Time, error) {
		var info struct {
			Time time.Time `json:"ts"`
		}
		err := b.conn.askStream(ctx, apiStreamInfo, schema.BudgetsStream, messageRequest{}, &info)
		return info.Time, err
	})
	if err != nil {
		return now, b.explain("ask for the time of", err)
	}
	return now, nil
}

// Watch calls changed with each budget that the broker has stored, and its revision, until stop is
// called: the broker publishes every stored value again, on a subject of its own. During a lost
// connection nothing is seen. The zero Budget stands for a value that cannot be read.
func (b *Budget) Watch(
	changed func(budget schema.Budget, revision uint64),
) (stop func(), err error) {
	subject := schema.StoredBudgetSubject(b.provider)
	watch, err := b.conn.nats.Subscribe(subject, func(m *nats.Msg) {
		revision, err := strconv.ParseUint(m.Header.Get(jetstream.SequenceHeader), 10, 64)
		if err != nil { // not from the broker
			return
		}
		budget, _ := schema.ParseBudget(m.Data)
		changed(budget, revision)
	})
	if err != nil {
		return nil, fmt.Errorf("watch %s: %w", subject, err)
	}
	return func() { _ = watch.Unsubscribe() }, nil
}

// Ready returns nil if calls may be made: the bucket is there, and its value is not from a newer
// release. An unreadable value is replaced at the next call.
func (b *Budget) Ready(ctx context.Context) error {
	_, _, err := b.Load(ctx)
	if errors.Is(err, schema.ErrBudgetUnreadable) {
		return nil
	}
	return err
}

// explain says whose budget an error is about, and what to do without a bucket.
func (b *Budget) explain(doing string, err error) error {
	if isMissing(err) {
		err = fmt.Errorf("bucket %s is not there: %w", schema.BudgetsBucket, ErrNoQueue)
	}
	return fmt.Errorf("%s the budget of %s: %w", doing, b.provider, err)
}

// BudgetStatus is the state of a provider's budget.
type BudgetStatus struct {
	Provider schema.Provider `json:"provider"`
	// At is the broker's time of the state.
	At time.Time `json:"at"`
	schema.Budget
	// Unreadable says why the value cannot be read, "" if it can.
	Unreadable string `json:"unreadable,omitempty"`
}

// Budgets reads the budgets of all providers that have one. The error is ErrNoQueue without a
// bucket.
func (o *Operator) Budgets(ctx context.Context) ([]BudgetStatus, error) {
	var all []BudgetStatus
	for _, p := range schema.Providers() {
		budget, revision, err := o.Budget(p).Load(ctx)
		now, noTime := o.Budget(p).Now(ctx)
		if noTime != nil {
			return nil, noTime
		}
		status := BudgetStatus{Provider: p, At: now.UTC(), Budget: budget}
		switch {
		case errors.Is(err, schema.ErrBudgetNewer), errors.Is(err, schema.ErrBudgetUnreadable):
			status.Unreadable = err.Error()
		case err != nil:
			return nil, err
		case revision == 0:
			continue // no process has called the provider yet
		}
		all = append(all, status)
	}
	return all, nil
}

// ResetBudget ends the hold of a provider, with its closure. It replaces the provider's budget by a
// new one, whose first turn is a second away: no turn is given twice. held is how long the hold
// would have lasted.
func (o *Operator) ResetBudget(
	ctx context.Context, p schema.Provider,
) (held time.Duration, err error) {
	b := o.Budget(p)
	for swapped := false; !swapped; {
		old, revision, err := b.Load(ctx)
		isBroken := errors.Is(err, schema.ErrBudgetNewer) ||
			errors.Is(err, schema.ErrBudgetUnreadable)
		if err != nil && !isBroken {
			return 0, err
		}
		now, err := b.Now(ctx)
		if err != nil {
			return 0, err
		}
		held = max(0, old.Hold.Until.Sub(now))
		_, swapped, err = b.Swap(ctx, old.Reset(now), revision)
		if err != nil {
			return 0, err
		}
	}
	closure := schema.ClosureSubject(string(p), schema.ClosureHeld)
	return held, o.EndClosure(ctx, closure)
}
