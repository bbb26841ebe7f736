package stream

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/wagewire/wagewire/schema"
)

// States hands each the state of every account, in the order in which the states were stored. The
// error wraps ErrBadState for the messages that cannot be read, and the others were handed over.
func (o *Operator) States(ctx context.Context, each func(schema.Account) error) error {
	var unreadable error
	err := o.Scan(ctx, schema.AccountsStream, Selection{}, func(m Stored) error {
		account, bad := schema.DecodeAccount(m.Body)
		if bad == nil {
			return each(account)
		}
		unreadable = errors.Join(unreadable, fmt.Errorf("message %d of %s: %w: %w",
			m.Sequence, schema.AccountsStream, ErrBadState, bad))
		return nil
	})
	return errors.Join(err, unreadable)
}

// StoredCompletions are the subjects of all stored completions, and of the states of their
// accounts, as hashes: millions of them fit in the memory.
type StoredCompletions struct {
	seed     maphash.Seed
	subjects map[uint64]struct{}
}

// Has reports whether a completion with the subject was stored when the set was made, or any
// completion of the account whose state has the subject.
func (s StoredCompletions) Has(subject string) bool {
	_, ok := s.subjects[maphash.String(s.seed, subject)]
	return ok
}

func (s StoredCompletions) add(subject string) {
	s.subjects[maphash.String(s.seed, subject)] = struct{}{}
}

// StoredCompletions reads the headers of all stored completions.
func (o *Operator) StoredCompletions(ctx context.Context) (StoredCompletions, error) {
	s := StoredCompletions{seed: maphash.MakeSeed(), subjects: map[uint64]struct{}{}}
	which := Selection{Filters: []string{schema.AllCompletions}, HeadersOnly: true}
	err := o.Scan(ctx, schema.CompletionsStream, which, func(m Stored) error {
		s.add(m.Subject)
		s.add(schema.AccountSubject(schema.CompletionAccount(m.Subject)))
		return nil
	})
	return s, err
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

// AccountsProgress returns how far the reading of completions is. All completions stored before the
// call count. The error is ErrNoQueue if the durable does not exist.
func (o *Operator) AccountsProgress(ctx context.Context) (AccountsProgress, error) {
	consumer, err := o.lookUpConsumer(ctx, schema.CompletionsStream, schema.AccountsConsumer)
	if err != nil {
		return AccountsProgress{}, err
	}
	info := consumer.CachedInfo()
	progress := AccountsProgress{info.NumPending, info.NumAckPending, info.NumWaiting}
	if progress.Left() > 0 {
		return progress, nil
	}
	// The broker counts a message a moment after it has stored the message.
	_, err = o.nextMessage(
		ctx, schema.CompletionsStream, schema.AllCompletions, info.Delivered.Stream+1)
	switch {
	case err == nil:
		progress.Pending = 1
	case errors.Is(err, jetstream.ErrMsgNotFound):
		err = nil
	}
	return progress, err
}
