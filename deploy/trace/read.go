package trace

import (
	"context"
	"errors"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
)

func (tr *tracer) readEvents(ctx context.Context) error {
	var read uint64
	for o := range tr.owners {
		which := stream.Selection{
			Filters: []string{schema.AccountEvents(o.provider, "*", "*", o.account)},
		}
		err := tr.op.Headings(ctx, which, func(h stream.Heading) error {
			read++
			if tr.wanted.Matches(h.Event) {
				tr.lifeOf(h.Event, h.Account).Stored = newStored(h)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	tr.eventsRead = max(tr.eventsRead, read)
	return nil
}

// findUnread finds out whether there are events that trace did not look at.
func (tr *tracer) findUnread(ctx context.Context) error {
	if tr.newest == 0 { // trace looks at all
		return nil
	}
	stored, err := tr.op.CountMessages(ctx, schema.EventsStream)
	tr.isPartial = stored > tr.eventsRead
	return err
}

func (tr *tracer) readLetters(ctx context.Context) error {
	for o := range tr.owners {
		which := stream.Selection{
			Filters: []string{schema.DeadLetterSubject("*", o.account)}, HeadersOnly: true,
		}
		err := tr.op.Scan(ctx, schema.DeadLettersStream, which, func(m stream.Stored) error {
			if l := stream.ReadLetter(m); l.Event.Provider == o.provider {
				tr.addLetter(l)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (tr *tracer) addLetter(l stream.Letter) {
	if !tr.wanted.Matches(l.Event) {
		return
	}
	e := l.Event
	if e.Redrive == 0 {
		e.Queue = "" // the queue of the letter; the event itself went to every queue
	}
	tr.lifeOf(e, l.Account)
	tr.letters[e.Key()] = append(tr.letters[e.Key()], l)
}

// completionsOf reads the completions of an event once. The account may be unknown: "".
func (tr *tracer) completionsOf(
	ctx context.Context, e schema.Event, account string,
) ([]schema.Completion, error) {
	key := e.Key()
	if completions, isRead := tr.stored[key]; isRead {
		return completions, nil
	}
	completions, err := tr.op.CompletionsOf(ctx, e, account)
	if err == nil {
		tr.stored[key] = completions
	}
	return completions, err
}

// readCompletions looks up the completions of the known lives and of the wanted event. The event
// may be gone, so its redrives are tried one by one until a redrive has no completion.
func (tr *tracer) readCompletions(ctx context.Context) error {
	for _, l := range tr.sortedLives() {
		if _, err := tr.readCompletionsOf(ctx, l.event, l.Account); err != nil {
			return err
		}
	}
	for o := range tr.owners {
		for n := max(tr.wanted.redrive, 0); ; n++ {
			e := schema.Event{Provider: o.provider, ID: tr.wanted.id, Redrive: n}
			found, err := tr.readCompletionsOf(ctx, e, tr.completedAccount(o))
			if err != nil {
				return err
			}
			if !found || tr.wanted.redrive >= 0 {
				break
			}
		}
	}
	return nil
}

// completedAccount is the account of the owner's completions: "" if the events name a person, whose
// accounts nobody knows.
func (tr *tracer) completedAccount(o owner) string {
	for _, l := range tr.lives {
		if l.Account == o.account && l.event.NamesEndUser() {
			return ""
		}
	}
	return o.account
}

// readCompletionsOf looks up the completions of an event. It returns true if the event is known,
// from a life or a completion.
func (tr *tracer) readCompletionsOf(
	ctx context.Context, e schema.Event, account string,
) (found bool, err error) {
	if _, isRead := tr.completions[e.Key()]; isRead {
		return true, nil
	}
	completions, err := tr.completionsOf(ctx, e, account)
	if err != nil {
		return false, err
	}
	tr.completions[e.Key()] = nil
	for _, c := range completions {
		owner := ownerOf(e, c)
		e.Type = c.Data.Event.Type
		e.OccurredAt = c.Data.Event.OccurredAt
		e.ReceivedAt = c.Data.Event.ReceivedAt
		of := e
		if owner != c.Subject {
			of.Of = *c.Data.AccountID
		}
		// If the ids differ, the provider's id only looks like a redrive's.
		if c.ID == of.CompletionKey(c.Data.Resource) {
			tr.lifeOf(e, owner)
			tr.completions[e.Key()] = append(tr.completions[e.Key()], c)
		}
	}
	return len(completions) > 0, nil
}

// readWaits reads where the lives wait, and then their retries: a wait that ends in between has a
// retry.
func (tr *tracer) readWaits(ctx context.Context) error {
	for _, l := range tr.lives {
		if l.Stored == nil {
			continue
		}
		err := tr.op.WaitingOf(ctx, l.event, func(w stream.Waiting) error {
			if w.Event.Key() == l.Event { // events of two providers may share an id
				tr.waits[l.Event] = append(tr.waits[l.Event], w)
			}
			return nil
		})
		if err == nil {
			err = tr.op.RetriesOf(ctx, l.event, l.Account, func(r stream.Retry) error {
				tr.retries[l.Event] = append(tr.retries[l.Event], r)
				return nil
			})
		}
		// An earlier release had no such stream.
		if err != nil && !errors.Is(err, stream.ErrNoQueue) {
			return err
		}
	}
	return nil
}

// place is the place of a message: an event on the events stream, or a retry or replay on its
// stream.
type place struct {
	stream   string
	sequence uint64
}

// readEndings reads the broker's reports on the deliveries of the lives and of their retries.
func (tr *tracer) readEndings(ctx context.Context) error {
	places := map[place]bool{}
	for _, l := range tr.lives {
		for _, p := range tr.placesOf(l) {
			places[p] = true
		}
	}
	err := tr.op.Endings(ctx, func(e stream.Ended) error {
		if places[place{e.Stream, e.Sequence}] {
			tr.endings = append(tr.endings, e)
		}
		return nil
	})
	if errors.Is(err, stream.ErrNoQueue) {
		return nil
	}
	return err
}

// placesOf returns the places of the life's messages.
func (tr *tracer) placesOf(l *Life) []place {
	var places []place
	if l.Stored != nil {
		places = append(places, place{schema.EventsStream, l.Stored.Sequence})
	}
	for _, r := range tr.retries[l.Event] {
		places = append(places, place{r.Lane.Stream, r.Number})
	}
	return places
}

func (tr *tracer) readRefusals(ctx context.Context) (err error) {
	tr.refusals, err = ReadRefusals(ctx, tr.op)
	return err
}
