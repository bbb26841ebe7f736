package main

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/wagewire/wagewire/deploy/fake"
	"github.com/wagewire/wagewire/deploy/sandbox"
	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
)

// silenceMax is how long a demonstration waits for the next completion. The later steps of a retry
// ladder take longer.
const silenceMax = 2 * time.Minute

// demonstrate plays a person with a new payroll account, one provider after the other, and prints
// each completion. Before a provider erases its data, demonstrate compares what the providers say.
// complete reports whether all completions came.
func demonstrate(
	ctx context.Context,
	s *sandbox.Sandbox,
	tail *stream.Tail,
	p *printer,
) (complete bool, err error) {
	d := &demo{
		tail: tail, operator: stream.NewOperator(s.Conn), printer: p, awaited: map[string]string{},
		rows: map[string]*row{},
	}
	timeline := s.Fake.Timeline(s.Fake.Person(fake.PersonOptions{}))
	p.play(timeline)
	for i, w := range timeline {
		// A link is deleted long after everything else. An event in flight at that time gets no
		// completion, so the demonstration waits before the deletion. It also waits before the next
		// provider, for the reader.
		erases := schema.Lookup(schema.Provider(w.Provider), w.Type).Erases
		isNext := i > 0 && timeline[i-1].Provider != w.Provider
		if erases || isNext {
			if err := d.wait(ctx); err != nil {
				return d.end(ctx)
			}
			p.println("")
		}
		if erases {
			rows, note, err := compare(ctx, d.operator, d.completions)
			if err != nil {
				return false, err
			}
			p.compare(rows, note)
			p.erase(w)
		}
		answer, err := s.Fake.SendWithRetries(ctx, w)
		if err != nil {
			return false, err
		}
		if answer.Status != http.StatusOK {
			return false, fmt.Errorf("ingress answered %d to %s", answer.Status, w.Type)
		}
		d.add(w)
	}
	_ = d.wait(ctx) // the summary names missing completions
	return d.end(ctx)
}

// demo counts the webhooks and completions of a demonstration.
type demo struct {
	tail     *stream.Tail
	operator *stream.Operator
	printer  *printer
	// awaited holds the type of each missing completion, by the completion's id without the account
	// of a person.
	awaited map[string]string
	rows    map[string]*row
	// completions are those that came, oldest first.
	completions []schema.Completion
}

// row is a type of webhook in the summary.
type row struct {
	webhooks, completions, records, attempts int
	outcomes                                 map[schema.Outcome]int
	slowest                                  time.Duration
}

// add counts a sent webhook and awaits its completions.
func (d *demo) add(w fake.Webhook) {
	t := schema.Lookup(schema.Provider(w.Provider), w.Type)
	r := d.rows[w.Type]
	if r == nil {
		r = &row{outcomes: map[schema.Outcome]int{}}
		d.rows[w.Type] = r
	}
	r.webhooks++
	event := schema.Event{Provider: t.Provider, ID: w.ID}
	for _, resource := range t.Workers {
		d.awaited[event.CompletionKey(resource)] = w.Type
	}
}

// wait prints completions until none is awaited.
func (d *demo) wait(ctx context.Context) error {
	for len(d.awaited) > 0 {
		c, err := d.next(ctx)
		if err != nil {
			return err
		}
		status, err := taskStatus(ctx, d.operator, c)
		if err != nil {
			return err
		}
		d.printer.completion(c, status)
		d.completions = append(d.completions, c)
		id := schema.WithoutAccount(c.ID)
		if _, awaited := d.awaited[id]; !awaited {
			continue
		}
		delete(d.awaited, id)
		r := d.rows[c.Data.Event.Type]
		r.completions++
		r.records += c.CountRecords()
		r.attempts += c.Data.Attempts
		r.outcomes[c.Data.Outcome]++
		r.slowest = max(r.slowest, timeTaken(c))
	}
	return nil
}

// next returns the next completion, or an error if none comes for silenceMax.
func (d *demo) next(ctx context.Context) (schema.Completion, error) {
	ctx, cancel := context.WithTimeout(ctx, silenceMax)
	defer cancel()
	return d.tail.Next(ctx)
}

// end prints the summary, unless the user stopped the demonstration.
func (d *demo) end(ctx context.Context) (complete bool, err error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	d.printer.summary(d.rows, slices.Sorted(maps.Values(d.awaited)))
	return len(d.awaited) == 0, nil
}

// timeTaken is the time from the webhook's arrival to the completion.
func timeTaken(c schema.Completion) time.Duration { return c.Time.Sub(c.Data.Event.ReceivedAt) }
