package stream

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/wagewire/wagewire/schema"
)

// States hands each the state of every account, in the order in which the states were stored.
func (o *Operator) States(ctx context.Context, each func(schema.Account) error) error {
	return o.Scan(ctx, schema.AccountsStream, Selection{}, func(m Stored) error {
		account, err := schema.DecodeAccount(m.Body)
		if err != nil {
			return fmt.Errorf("message %d: %w", m.Sequence, err)
		}
		return each(account)
	})
}

// AccountsOfCompletions returns the subjects of the accounts with a stored completion: each is the
// subject of a state. One scan of headers answers for all accounts.
func (o *Operator) AccountsOfCompletions(ctx context.Context) (map[string]bool, error) {
	subjects := map[string]bool{}
	which := Selection{Filters: []string{schema.AllCompletions}, HeadersOnly: true}
	err := o.Scan(ctx, schema.CompletionsStream, which, func(m Stored) error {
		if t := strings.Split(m.Subject, "."); len(t) > 4 {
			subjects[schema.AccountSubject(schema.Provider(t[2]), t[4])] = true
		}
		return nil
	})
	return subjects, err
}

// RestartAccounts lets the reader of completions begin again with the first stored completion. It
// deletes the durable and makes a new one. between runs while there is no durable, so no completion
// is delivered meanwhile; nil does nothing. After an error the same call may be made again.
func (o *Operator) RestartAccounts(
	ctx context.Context, between func(context.Context) error,
) error {
	config := accountsConfig(schema.LeaseFor)
	consumer, err := o.lookUpConsumer(ctx, schema.CompletionsStream, config.Name)
	switch {
	case err == nil:
		// The settings of the installation stay, such as its lease.
		config.AckWait = consumer.CachedInfo().Config.AckWait
		err = o.js.DeleteConsumer(ctx, schema.CompletionsStream, config.Name)
		if err != nil && !isMissing(err) {
			return fmt.Errorf("delete durable %s: %w", config.Name, err)
		}
	case !errors.Is(err, ErrNoQueue):
		return err
	}
	if between != nil {
		if err := between(ctx); err != nil {
			return err
		}
	}
	if _, err := o.js.CreateConsumer(ctx, schema.CompletionsStream, config); err != nil {
		return fmt.Errorf("make durable %s: %w", config.Name, err)
	}
	return nil
}

// PurgeStates deletes the state of every account.
func (o *Operator) PurgeStates(ctx context.Context) error {
	s, err := o.lookUpStream(ctx, schema.AccountsStream)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return fmt.Errorf("stream %s is not there: %w", schema.AccountsStream, ErrNoQueue)
	}
	if err == nil {
		err = s.Purge(ctx)
	}
	if err != nil {
		return fmt.Errorf("purge %s: %w", schema.AccountsStream, err)
	}
	return nil
}

// AccountsProgress says how far the reading of completions for the states of accounts is.
type AccountsProgress struct {
	// Pending completions were not delivered yet. InHand completions are delivered and not
	// settled.
	Pending uint64
	InHand  int
	// Requests counts the open requests for completions. Without a request, no worker is there, or
	// all its hands are busy.
	Requests int
}

// Left counts the completions that are not part of a state yet.
func (p AccountsProgress) Left() uint64 { return p.Pending + uint64(p.InHand) }

// AccountsProgress returns how far the reading of completions is. The error is ErrNoQueue if the
// durable does not exist.
func (o *Operator) AccountsProgress(ctx context.Context) (AccountsProgress, error) {
	consumer, err := o.lookUpConsumer(ctx, schema.CompletionsStream, schema.AccountsConsumer)
	if err != nil {
		return AccountsProgress{}, err
	}
	info := consumer.CachedInfo()
	return AccountsProgress{info.NumPending, info.NumAckPending, info.NumWaiting}, nil
}
