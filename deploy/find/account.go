package find

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
)

// Account returns the entries of the account or the person, oldest first: at each of the providers,
// and under each of Tokens. It returns none if nothing of the account is on the streams.
func Account(
	ctx context.Context, op *stream.Operator, providers []schema.Provider, name string,
) ([]Entry, error) {
	s := &search{op: op}
	for _, p := range providers {
		for _, token := range Tokens(name) {
			if err := s.read(ctx, p, token); err != nil {
				return nil, err
			}
		}
	}
	return s.sorted(), nil
}

// Token returns the entries of the account with the token, oldest first.
func Token(
	ctx context.Context, op *stream.Operator, p schema.Provider, token string,
) ([]Entry, error) {
	s := &search{op: op}
	if err := s.read(ctx, p, token); err != nil {
		return nil, err
	}
	return s.sorted(), nil
}

// Place is an account at a provider, by its token.
type Place struct {
	Provider schema.Provider
	Token    string
}

// Places returns where the account or the person is known, without reading its messages.
func Places(ctx context.Context, op *stream.Operator, name string) ([]Place, error) {
	var places []Place
	for _, p := range schema.Providers() {
		for _, token := range Tokens(name) {
			isKnown, err := (&search{op: op}).isKnown(ctx, p, token)
			if err != nil {
				return nil, err
			}
			if isKnown {
				places = append(places, Place{p, token})
			}
		}
	}
	return places, nil
}

// isKnown reports whether the streams have something of the account.
func (s *search) isKnown(ctx context.Context, p schema.Provider, token string) (bool, error) {
	for _, one := range []struct{ stream, filter string }{
		{schema.EventsStream, schema.AccountEvents(p, "*", "*", token)},
		{schema.CompletionsStream, schema.AccountCompletions(p, token)},
	} {
		n, err := s.op.CountSince(ctx, one.stream, one.filter, time.Time{})
		if n > 0 || err != nil {
			return n > 0, err
		}
	}
	err := s.readState(ctx, p, token)
	if err == nil && len(s.entries) == 0 {
		err = s.readLetters(ctx, p, token)
	}
	return len(s.entries) > 0, err
}

// search collects the entries of an account.
type search struct {
	op      *stream.Operator
	entries []Entry
	// lacksWaiting: the broker lacks the stream of a queue's waiting events.
	lacksWaiting bool
}

func (s *search) sorted() []Entry {
	slices.SortStableFunc(s.entries, func(a, b Entry) int {
		return cmp.Or(a.At.Compare(b.At), strings.Compare(a.Event, b.Event))
	})
	return s.entries
}

// read adds the entries of an account.
func (s *search) read(ctx context.Context, p schema.Provider, token string) error {
	before := len(s.entries)
	s.lacksWaiting = false
	for _, read := range []func(context.Context, schema.Provider, string) error{
		s.readEvents, s.readWaiting, s.readCompletions, s.readLetters, s.readState,
	} {
		if err := read(ctx, p, token); err != nil {
			return err
		}
	}
	if s.lacksWaiting && len(s.entries) > before {
		s.add(Entry{Provider: p, What: Waiting, Account: token, Unreadable: true})
	}
	return nil
}

func (s *search) add(e Entry) {
	e.At = e.At.UTC()
	s.entries = append(s.entries, e)
}

func (s *search) readEvents(ctx context.Context, p schema.Provider, token string) error {
	which := stream.Selection{Filters: []string{schema.AccountEvents(p, "*", "*", token)}}
	return s.op.Headings(ctx, which, func(h stream.Heading) error {
		at := h.Event.ReceivedAt
		if h.Event.Redrive > 0 || at.IsZero() {
			at = h.At // the redrive came later than the webhook
		}
		s.add(Entry{
			At: at, Provider: p, What: Event, Account: token, Event: h.Event.Key(),
			Type: h.Event.Type, Queue: h.Event.Queue, Backfill: h.Event.Backfill,
		})
		return nil
	})
}

func (s *search) readWaiting(ctx context.Context, p schema.Provider, token string) error {
	err := s.op.Waiting(ctx, "*", token, func(w stream.Waiting) error {
		if w.Event.Provider == p {
			s.add(Entry{
				At: w.Since, Provider: p, What: Waiting, Account: token,
				Event: w.Event.Key(), Type: w.Event.Type, Queue: w.Queue, Class: w.Class,
				Attempts: w.Failures.Total(), NextTry: w.Until.UTC(),
			})
		}
		return nil
	})
	if errors.Is(err, stream.ErrNoQueue) { // the events of the other queues are there
		s.lacksWaiting = true
		return nil
	}
	return err
}

func (s *search) readCompletions(ctx context.Context, p schema.Provider, token string) error {
	which := stream.Selection{Filters: []string{schema.AccountCompletions(p, token)}}
	return s.op.Scan(ctx, schema.CompletionsStream, which, func(m stream.Stored) error {
		var c schema.Completion
		if schema.DecodeJSON(m.Body, &c) != nil {
			s.add(Entry{At: m.At, Provider: p, What: Completion, Account: token, Unreadable: true})
			return nil //nolint:nilerr // the other messages of the account are read
		}
		event, _, _ := schema.ParseCompletionKey(c.ID)
		e := Entry{
			At: c.Time, Provider: p, What: Completion, Account: token, Event: event,
			Type: c.Data.Event.Type, Resource: c.Data.Resource, Outcome: c.Data.Outcome,
			Attempts: c.Data.Attempts, Supported: c.Data.Supported,
		}
		if c.Data.Error != nil {
			e.Class = schema.Class(c.Data.Error.Class)
			e.Code = c.Data.Error.Code
		}
		s.add(e)
		return nil
	})
}

func (s *search) readLetters(ctx context.Context, p schema.Provider, token string) error {
	which := stream.Selection{
		Filters: []string{schema.DeadLetterSubject("*", token)}, HeadersOnly: true,
	}
	return s.op.Scan(ctx, schema.DeadLettersStream, which, func(m stream.Stored) error {
		l := stream.ReadLetter(m)
		if l.Event.Provider == p {
			s.add(Entry{
				At: l.At, Provider: p, What: Letter, Account: token, Event: l.Event.Key(),
				Type: l.Event.Type, Queue: l.Queue, Class: l.Class, Reason: l.Reason,
				Attempts: l.Attempts, Number: l.Number,
			})
		}
		return nil
	})
}

func (s *search) readState(ctx context.Context, p schema.Provider, token string) error {
	state, err := s.op.State(ctx, p, token)
	if err != nil && !errors.Is(err, stream.ErrBadState) {
		return err
	}
	if state.Exists() {
		s.add(Entry{
			At: state.Time, Provider: p, What: State, Account: token,
			Status: state.Data.Status, Unreadable: err != nil, Data: state.Data,
		})
	}
	which := stream.Selection{
		Filters: []string{schema.TombstoneSubject(p, token)}, HeadersOnly: true,
	}
	return s.op.Scan(ctx, schema.CompletionsStream, which, func(m stream.Stored) error {
		s.add(Entry{At: m.At, Provider: p, What: Tombstone, Account: token})
		return nil
	})
}
