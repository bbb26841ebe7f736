package trace

import (
	"context"
	"errors"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
)

// owner is an account of a provider, by its token.
type owner struct {
	provider schema.Provider
	account  string
}

// findOwners finds out whose the event is, because subjects have the account: of an account, the
// broker finds all messages at once. The id of an event is in the subjects of its completions and
// of a waiting event. If neither is there, findOwners reads the newest events, and then the newest
// dead letters. With tr.newest 0 it reads all of them in any case: another provider, or another
// account, may have an event with the same id.
func (tr *tracer) findOwners(ctx context.Context) error {
	for _, find := range []struct {
		by    func(context.Context) error
		reads bool // messages, and not subjects
	}{
		{tr.findOwnersOfCompletions, false},
		{tr.findOwnersOfWaiting, false},
		{tr.findOwnersOfEvents, true},
		{tr.findOwnersOfLetters, true},
	} {
		if find.reads && len(tr.owners) > 0 && tr.newest > 0 {
			return nil
		}
		if err := find.by(ctx); err != nil {
			return err
		}
	}
	return nil
}

// unowned are the wanted events, one of each provider, whose owners are not known. All but the keys
// of the events is unknown.
func (tr *tracer) unowned() []schema.Event {
	owned := map[schema.Provider]bool{}
	for o := range tr.owners {
		owned[o.provider] = true
	}
	var events []schema.Event
	for _, p := range tr.wanted.providers {
		if !owned[p] {
			e := schema.Event{Provider: p, ID: tr.wanted.id, Redrive: max(tr.wanted.redrive, 0)}
			events = append(events, e)
		}
	}
	return events
}

func (tr *tracer) findOwnersOfCompletions(ctx context.Context) error {
	for _, e := range tr.unowned() {
		completions, err := tr.completionsOf(ctx, e, "")
		if err != nil {
			return err
		}
		for _, c := range completions {
			tr.owners[owner{e.Provider, ownerOf(e, c)}] = true
		}
	}
	return nil
}

// ownerOf is the account of the event with the completion: the person, if the event names one.
func ownerOf(e schema.Event, c schema.Completion) string {
	e.Type = c.Data.Event.Type
	if e.NamesEndUser() && c.Data.AccountID != nil && c.Data.EndUserID != nil {
		return schema.HashToken(*c.Data.EndUserID)
	}
	return c.Subject
}

func (tr *tracer) findOwnersOfWaiting(ctx context.Context) error {
	for _, e := range tr.unowned() {
		err := tr.op.WaitingOf(ctx, e, func(w stream.Waiting) error {
			tr.addOwner(w.Event, w.Account)
			return nil
		})
		if err != nil && !errors.Is(err, stream.ErrNoQueue) { // of an earlier release
			return err
		}
	}
	return nil
}

func (tr *tracer) findOwnersOfEvents(ctx context.Context) error {
	which := stream.Selection{Newest: tr.newest}
	return tr.op.Headings(ctx, which, func(h stream.Heading) error {
		tr.eventsRead++
		tr.addOwner(h.Event, h.Account)
		return nil
	})
}

func (tr *tracer) findOwnersOfLetters(ctx context.Context) error {
	which := stream.Selection{HeadersOnly: true, Newest: tr.newest}
	return tr.op.Scan(ctx, schema.DeadLettersStream, which, func(m stream.Stored) error {
		l := stream.ReadLetter(m)
		tr.addOwner(l.Event, l.Account)
		return nil
	})
}

func (tr *tracer) addOwner(e schema.Event, account string) {
	if tr.wanted.Matches(e) {
		tr.owners[owner{e.Provider, account}] = true
	}
}
