package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/wagewire/wagewire/deploy/fake"
	"github.com/wagewire/wagewire/deploy/sandbox"
	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
)

// demonstrationFor is when we stop waiting for last words: no retry ladder's later steps fit into a demonstration.
const demonstrationFor = 2 * time.Minute

// demonstrate plays a person who links a payroll account and prints each completion as it comes. complete says that all of
// them came.
func demonstrate(ctx context.Context, s *sandbox.Sandbox, tail *stream.Tail, p *printer) (complete bool, err error) {
	stop := ctx
	ctx, cancel := context.WithTimeout(ctx, demonstrationFor)
	defer cancel()
	d := &demo{tail: tail, printer: p, awaited: map[string]string{}, rows: map[string]*row{}}
	timeline := s.Fake.Timeline(s.Fake.Person(fake.PersonOptions{}))
	p.play(timeline)
	for _, w := range timeline {
		// In life a link is deleted long after everything else: what is in flight then has no last word, by design.
		if t := schema.Lookup(schema.Provider(w.Provider), w.Type); t.Action == schema.ActionDeleted {
			if err := d.wait(ctx); err != nil {
				return d.end(stop)
			}
		}
		answer, err := s.Fake.SendWithRetries(ctx, w)
		if err != nil {
			return false, err
		}
		if answer.Status != 200 {
			return false, fmt.Errorf("ingress answered %d to %s", answer.Status, w.Type)
		}
		d.sent(w)
	}
	_ = d.wait(ctx) // the summary says what is missing
	return d.end(stop)
}

// demo is what was sent and what came back.
type demo struct {
	tail    *stream.Tail
	printer *printer
	// awaited has the type of each completion that has not come, by its id.
	awaited map[string]string
	rows    map[string]*row
}

// row is one type of webhook in the summary.
type row struct {
	webhooks, completions, records, attempts int
	outcomes                                 map[schema.Outcome]int
	slowest                                  time.Duration
}

func (d *demo) sent(w fake.Webhook) {
	t := schema.Lookup(schema.Provider(w.Provider), w.Type)
	r := d.rows[w.Type]
	if r == nil {
		r = &row{outcomes: map[schema.Outcome]int{}}
		d.rows[w.Type] = r
	}
	r.webhooks++
	for _, resource := range t.Workers {
		d.awaited[schema.Event{Provider: t.Provider, ID: w.ID}.CompletionKey(resource)] = w.Type
	}
}

// wait prints completions until none is awaited.
func (d *demo) wait(ctx context.Context) error {
	for len(d.awaited) > 0 {
		c, err := d.tail.Next(ctx)
		if err != nil {
			return err
		}
		d.printer.completion(c)
		if _, ours := d.awaited[c.ID]; !ours {
			continue
		}
		delete(d.awaited, c.ID)
		r := d.rows[c.Data.Event.Type]
		r.completions++
		r.records += recordsOf(c)
		r.attempts += c.Data.Attempts
		r.outcomes[c.Data.Outcome]++
		r.slowest = max(r.slowest, tookOf(c))
	}
	return nil
}

// end prints the summary, unless somebody stopped the demonstration.
func (d *demo) end(stop context.Context) (complete bool, err error) {
	if err := stop.Err(); err != nil {
		return false, err
	}
	d.printer.summary(d.rows, slices.Sorted(maps.Values(d.awaited)))
	return len(d.awaited) == 0, nil
}

func recordsOf(c schema.Completion) int {
	if c.Data.RecordsRef != nil {
		return c.Data.RecordsRef.Count
	}
	return len(c.Data.Records)
}

// tookOf is the time from the webhook's arrival to its last word.
func tookOf(c schema.Completion) time.Duration { return c.Time.Sub(c.Data.Event.ReceivedAt) }
