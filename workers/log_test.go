package workers

import (
	"context"
	"testing"

	"go.uber.org/zap/zaptest/observer"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/process"
	"github.com/wagewire/wagewire/workers/api"
)

// installation is a configuration with the address of the console.
func installation(console process.Console) Config {
	c := quick()
	c.Console.URL = console
	return c
}

func TestTheLogLineOfADeadLetterHasThePageOfItsEvent(t *testing.T) {
	t.Parallel()
	const console = "https://wagewire.example.com"
	answering := func(status int) Handler {
		return fetchFunc(func(context.Context, Job) (Fetched, error) {
			return Fetched{}, &api.StatusError{Endpoint: "/v1/x", Status: status}
		})
	}
	for promise, row := range map[string]struct {
		console process.Console
		handler Handler
		id      string
		redrive int
		outcome string
		want    any // nil if the line has no address
	}{
		"a dead letter has the page": {
			console, answering(400), "dead", 0, "failed", console + "/events/pinwheel:dead",
		},
		"a dead letter of a redrive has the redrive's page": {
			console, answering(400), "dead", 2, "failed", console + "/events/pinwheel:dead:r2",
		},
		"a hostile id is not in the address, only its hash": {
			console, answering(400), "a/b?c#d<x>", 0, "failed",
			console + "/events/pinwheel:" + schema.HashToken("a/b?c#d<x>"),
		},
		"a try that fails has no page":   {console, answering(503), "later", 0, "later", nil},
		"success has no page":            {console, brings, "good", 0, "succeeded", nil},
		"without a console, no line has": {"", answering(400), "dead", 0, "failed", nil},
	} {
		t.Run(promise, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			e := employment(t, row.id)
			e.Redrive = row.redrive
			b.start(schema.Employment, row.handler, installation(row.console))
			b.publish(e)
			if got := b.logged(e, row.outcome, 1)["console"]; got != row.want {
				t.Errorf("the line has %v, want %v", got, row.want)
			}
		})
	}
}

func TestTheLogLineOfDeliveriesThatRanOutHasThePageOfItsEvent(t *testing.T) {
	t.Parallel()
	const queue = "pinwheel_employment"
	b := newBench(t)
	e := employment(t, "killer")
	b.publish(e)
	q := queueNamed(t, queue)
	b.retry(q)
	b.exhaust(queue)
	lane := q.LaneOf(q.DueSubject(e))
	b.takeFrom(lane.Stream, lane.Consumer) // by a worker that dies of it
	b.start(schema.Employment, brings, installation("https://wagewire.example.com"))
	line := func() *observer.ObservedLogs { return b.lines.FilterMessage("deliveries ran out") }
	b.until("the line", func() bool { return line().Len() == 1 })
	const want = "https://wagewire.example.com/events/pinwheel:killer"
	if got := line().All()[0].ContextMap()["console"]; got != want {
		t.Errorf("the line has %v, want %v", got, want)
	}
}

func TestTheLogLineOfAnEventWithoutAnIDHasNoPage(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	e := employment(t, "no-id")
	b.start(schema.Employment, brings, installation("https://wagewire.example.com"))
	if _, err := b.js.Publish(t.Context(), e.Subject(), e.Body); err != nil { // without headers
		t.Fatal(err)
	}
	b.until("the line", func() bool { return b.lines.FilterMessage("job").Len() == 1 })
	fields := b.lines.FilterMessage("job").All()[0].ContextMap()
	if fields["outcome"] != "failed" || fields["console"] != nil {
		t.Errorf("the line %v", fields)
	}
}
