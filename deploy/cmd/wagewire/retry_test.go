package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wagewire/wagewire/deploy/plain"
	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
	"github.com/wagewire/wagewire/schema/stream/streamtest"
)

// waiting are the keys of the events that wait, with their queues, in the order of the stream.
func (b *bench) waiting() []string {
	b.Helper()
	var keys []string
	b.must(b.conn.Waiting(b.Context(), "*", "*", func(w stream.Waiting) error {
		keys = append(keys, w.Queue+" "+w.Event.Key())
		return nil
	}))
	return keys
}

// without returns the words of all that are not among some.
func without(all, some []string) []string {
	var rest []string
	for _, word := range all {
		if !strings.Contains(strings.Join(some, ",")+",", word+",") {
			rest = append(rest, word)
		}
	}
	return rest
}

func TestOnlyTheChosenEventsAreTriedNow(t *testing.T) {
	const income = "pinwheel_income pinwheel:"
	const paystubs = "pinwheel_paystubs pinwheel:"
	all := []string{
		income + "e-1", income + "e-2", income + "e-1:r1", paystubs + "e-3", "truv_link truv:e-1",
	}
	for promise, test := range map[string]struct {
		args []string
		want []string
	}{
		"of a queue":                   {[]string{"truv_link"}, []string{all[4]}},
		"of two queues":                {[]string{"truv_link", "pinwheel_paystubs"}, all[3:]},
		"of an id, redrives too":       {[]string{"e-1"}, []string{all[0], all[2], all[4]}},
		"of a key, redrives too":       {[]string{"pinwheel:e-1"}, []string{all[0], all[2]}},
		"of a redrive alone":           {[]string{"pinwheel:e-1:r1"}, []string{all[2]}},
		"of two events":                {[]string{"e-2", "e-3"}, []string{all[1], all[3]}},
		"of a class":                   {[]string{"--class", "forbidden"}, []string{all[1], all[3]}},
		"of an account":                {[]string{"--account", "a.2"}, []string{all[1]}},
		"of an account by its token":   {[]string{"--account", schema.Token("a.2")}, []string{all[1]}},
		"of a queue and an event":      {[]string{"pinwheel_income", "e-1"}, []string{all[0], all[2]}},
		"of a class and an account":    {[]string{"--class", "transient", "--account", "a.2"}, nil},
		"of a class, queue and events": {[]string{"pinwheel_income", "e-1", "e-2", "--class", "forbidden"}, []string{all[1]}},
		"of no event":                  {[]string{"e-9"}, nil},
	} {
		t.Run(promise, func(t *testing.T) {
			b := newBench(t)
			b.makeWaitingEvents()
			if diff := cmp.Diff(all, b.waiting()); diff != "" {
				t.Fatalf("waiting before (-want +got):\n%s", diff)
			}
			got := b.runs(0, append([]string{"retry", "--yes"}, test.args...)...)
			if diff := cmp.Diff(without(all, test.want), b.waiting()); diff != "" {
				t.Errorf("waiting after (-want +got):\n%s", diff)
			}
			says := plain.Count(len(test.want), "event") + " tried now, 0 no longer waited\n"
			if len(test.want) == 0 {
				says = "no such event waits: wagewire status shows what waits\n"
			}
			if got.stderr != says {
				t.Errorf("stderr %q, want %q", got.stderr, says)
			}
		})
	}
}

// makeWaitingEvents lets five events wait, of three queues, two classes and three accounts.
func (b *bench) makeWaitingEvents() {
	b.Helper()
	e1 := b.event("income.added", "e-1", "a-1")
	forbidden := outage()
	forbidden.Class = schema.ClassForbidden
	b.publish(e1)
	b.letWait("pinwheel_income", outage())
	b.publish(b.event("income.added", "e-2", "a.2"))
	b.letWait("pinwheel_income", forbidden)
	if stored, err := b.conn.Redrive(b.Context(), e1, "pinwheel_income", 1); !stored {
		b.Fatalf("the redrive is not stored: %v", err)
	}
	b.letWait("pinwheel_income", outage())
	b.publish(b.event("paystubs.added", "e-3", "a-1"))
	b.letWait("pinwheel_paystubs", forbidden)
	b.publish(b.event("link-connected", "e-1", "a-3"))
	b.letWait("truv_link", outage())
}

func TestARetryCountsThenAsks(t *testing.T) {
	b := newBench(t)
	b.makeWaitingEvents()
	before := b.waiting()
	for promise, test := range map[string]struct {
		run  func() result
		code int
		says string
	}{
		"a dry run tries nothing": {
			func() result { return b.wagewire("retry", "--account", "a.2", "--dry-run") },
			0, "would try 1 event now\n",
		},
		"no is an answer": {
			func() result { return b.answering("n\n", "retry", "--account", "a.2") },
			1, "try 1 event now? [y/N] wagewire retry: nothing was done\n",
		},
	} {
		got := test.run()
		if got.code != test.code || !strings.HasSuffix(got.stderr, test.says) {
			t.Errorf("%s: got %+v", promise, got)
		}
		contains(t, got.stdout, "pinwheel_income  forbidden  1      in ")
		if diff := cmp.Diff(before, b.waiting()); diff != "" {
			t.Errorf("%s: waiting (-before +after):\n%s", promise, diff)
		}
	}
	got := b.answering("y\n", "retry", "pinwheel_income", "pinwheel_paystubs")
	contains(t, got.stdout, "QUEUE              CLASS      COUNT  NEXT TRY ",
		"\npinwheel_income    forbidden  1      in ", "\npinwheel_income    transient  2      in ",
		"\npinwheel_paystubs  forbidden  1      in ")
	if !strings.HasSuffix(got.stderr, "try 4 events now? [y/N] 4 events tried now, 0 no longer waited\n") {
		t.Errorf("got %+v", got)
	}
}

func TestARetriedEventIsWorkedOnAtOnce(t *testing.T) {
	b := newBench(t)
	b.publish(b.event("income.added", "e-1", "a-1"))
	b.letWait("pinwheel_income", outage())
	b.work(nil, schema.Income)
	b.runs(0, "retry", "pinwheel_income", "--yes")
	if c := b.completed("pinwheel:e-1:income"); c.Data.Outcome != schema.Succeeded {
		t.Errorf("got %+v", c)
	}
}

func TestARetrySaysThatAQueueTakesNoEvents(t *testing.T) {
	b := newBench(t)
	b.makeWaitingEvents()
	b.refuse("pinwheel_income")
	b.runs(0, "pause", "truv_link")
	const rests = " takes no events now: what is tried stays ready until the pause ends\n"
	got := b.runs(0, "retry", "--class", "transient", "--dry-run")
	contains(t, got.stderr,
		"pinwheel_income"+rests+"  the queue is paused since 2024-05-06T07:08:09Z: "+
			"the provider refuses our credentials\n",
		"  unauthorized, 401 from /v1/accounts/{account_id}/income\n",
		"truv_link"+rests+"  the queue is paused until resumed\n")
	if n := strings.Count(got.stderr, rests); n != 2 {
		t.Errorf("%d queues take no events, want 2:\n%s", n, got.stderr)
	}
	got = b.runs(0, "retry", "pinwheel_paystubs", "--dry-run")
	if strings.Contains(got.stderr, "paused") {
		t.Errorf("a queue without a pause: %s", got.stderr)
	}
}

func TestARetryOfManyEventsSaysHowFarItIs(t *testing.T) {
	b := newBench(t)
	for i := range progressEvery + 1 {
		b.publish(b.event("income.added", fmt.Sprintf("e-%d", i), "a-1"))
	}
	b.letWaitEach("pinwheel_income", outage(), progressEvery+1)
	// The rate of one a second leaves time for an interrupt long before the last event.
	slow := begin(t, b.server.Getenv(), "retry", "--account", "a-1", "--yes", "--rate", "1")
	streamtest.Eventually(t, "the first event is tried", func() bool {
		return len(b.waiting()) <= progressEvery
	})
	slow.interrupt()
	if code := slow.ends(t); code != 1 {
		t.Errorf("exit code %d", code)
	}
	contains(t, slow.stderr.String(), " of 101: ",
		" tried now, give the same command again for the rest\n")
	left := len(b.waiting())
	got := b.runs(0, "retry", "--account", "a-1", "--yes")
	contains(t, got.stderr, fmt.Sprintf("%d events tried now, 0 no longer waited\n", left))
	if len(b.waiting()) > 0 {
		t.Errorf("%d events still wait", len(b.waiting()))
	}
}
