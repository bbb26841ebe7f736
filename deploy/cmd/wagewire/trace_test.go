package main

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sync/errgroup"

	"github.com/wagewire/wagewire/deploy/trace"
	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
	"github.com/wagewire/wagewire/schema/stream/streamtest"
)

// traced is what trace says of each life, as "event queue state".
func (b *bench) traced(name string) []string {
	b.Helper()
	var said struct {
		Event string
		Lives []trace.Life
	}
	b.must(json.Unmarshal([]byte(b.runs(0, "trace", name, "--json").stdout), &said))
	if said.Event != name {
		b.Errorf("trace of %q, want %q", said.Event, name)
	}
	var states []string
	for _, l := range said.Lives {
		if len(l.Queues) == 0 {
			states = append(states, l.Event)
		}
		for _, f := range l.Queues {
			states = append(states, l.Event+" "+f.Queue+" "+string(f.State))
		}
	}
	return states
}

func TestEveryEndingIsTraced(t *testing.T) {
	const incomeWaiting = "WAGEWIRE_WAITING_PINWHEEL_INCOME"
	const income = " pinwheel_income "
	const reports = " pinwheel_verification_reports "
	in := func(b *bench) schema.Event { return b.event("income.added", "e-1", "a-1") }
	for promise, test := range map[string]struct {
		lives func(*bench) // what happens to e-1
		want  []string
		says  []string
	}{
		"no worker has taken it": {
			func(b *bench) { b.publish(in(b)) },
			[]string{"pinwheel:e-1" + income + "ready"},
			[]string{
				"pinwheel:e-1  income.added  account a-1\n",
				"2024-05-06T07:08:09Z  occurred, says the provider\n", "2024-05-06T07:08:09Z  received\n",
				"stored as 1 of WAGEWIRE_EVENTS, wagewire.events.pinwheel.income.added.a-1, ", "  pinwheel_income: ready\n",
			},
		},
		"a worker has it": {
			func(b *bench) {
				b.publish(in(b))
				c, err := b.js.Consumer(b.Context(), schema.EventsStream, "pinwheel_income")
				b.must(err)
				_, err = c.Next(jetstream.FetchMaxWait(waitDefault))
				b.must(err)
			},
			[]string{"pinwheel:e-1" + income + "in_hand"},
			[]string{"pinwheel_income: in hand\n"},
		},
		"it waits for its next try": {
			func(b *bench) { b.publish(in(b)); b.letWait("pinwheel_income", outage()) },
			[]string{"pinwheel:e-1" + income + "waiting"},
			[]string{
				"pinwheel_income: waiting\n",
				"2024-05-06T07:08:09Z    began to wait: transient, 503 from /v1/accounts/{account_id}/income, step 3 of 12\n",
				"4 failures: not_ready=1 transient=3\n",
				tomorrow.Format(time.RFC3339) + "    next try, in ",
			},
		},
		"it waits for what the webhook announced": {
			func(b *bench) {
				b.publish(in(b))
				late := outage()
				late.Class = schema.ClassNotReady
				late.Status = 404
				b.letWait("pinwheel_income", late)
			},
			[]string{"pinwheel:e-1" + income + "waiting"},
			[]string{
				"began to wait: not_ready, 404 from /v1/accounts/{account_id}/income, step 3 of 12\n",
				"the provider does not have all yet that the webhook announced: ",
			},
		},
		"it waits, and its queue is paused": {
			func(b *bench) {
				b.publish(in(b))
				b.letWait("pinwheel_income", outage())
				b.runs(0, "pause", "pinwheel_income")
			},
			[]string{"pinwheel:e-1" + income + "waiting"},
			[]string{"the queue is paused until resumed\n"},
		},
		"it is ready, and the provider refuses our credentials": {
			func(b *bench) { b.publish(in(b)); b.refuse("pinwheel_income") },
			[]string{"pinwheel:e-1" + income + "ready"},
			[]string{
				"the queue is paused since 2024-05-06T07:08:09Z: the provider refuses our credentials\n",
				"unauthorized, 401 from /v1/accounts/{account_id}/income\n",
				"an event asks again in ", "refused until now: 4 probes\n",
			},
		},
		"its time to wait is over, and no worker has taken it": {
			func(b *bench) {
				b.publish(in(b))
				b.letWait("pinwheel_income", outage())
				b.runs(0, "retry", "e-1", "--yes")
			},
			[]string{"pinwheel:e-1" + income + "ready"},
			[]string{"among the retries: no worker has taken it since\n", "step 3 of 12\n"},
		},
		"its time to wait is over, and a worker has it": {
			func(b *bench) {
				b.publish(in(b))
				b.letWait("pinwheel_income", outage())
				b.runs(0, "retry", "e-1", "--yes")
				b.takeRetry("pinwheel_income")
			},
			[]string{"pinwheel:e-1" + income + "in_hand"},
			[]string{"among the retries: a worker has taken it since\n"},
		},
		"it is a backfill, and no worker has taken it": {
			func(b *bench) { b.publish(backfill(in(b))) },
			[]string{"pinwheel:e-1" + income + "ready"},
			[]string{"sent as a backfill, stored as 1 of WAGEWIRE_EVENTS"},
		},
		"it is a backfill, and a worker has put it behind fresh events": {
			func(b *bench) {
				b.publish(backfill(in(b)))
				b.putBehind("pinwheel_income")
			},
			[]string{"pinwheel:e-1" + income + "ready"},
			[]string{"among the replays: no worker has taken it since\n"},
		},
		"it is a backfill, and waits for its next try": {
			func(b *bench) {
				b.publish(backfill(in(b)))
				b.letWait("pinwheel_income", outage())
			},
			[]string{"pinwheel:e-1" + income + "waiting"},
			[]string{"step 3 of 12\n", "next try, in "},
		},
		"it is a backfill whose time to wait is over": {
			func(b *bench) {
				b.publish(backfill(in(b)))
				b.letWait("pinwheel_income", outage())
				b.runs(0, "retry", "e-1", "--yes")
			},
			[]string{"pinwheel:e-1" + income + "ready"},
			[]string{"among the replays: no worker has taken it since\n", "step 3 of 12\n"},
		},
		"it is a backfill whose deliveries ran out, and a worker has kept it": {
			func(b *bench) {
				b.publish(backfill(in(b)))
				b.putBehind("pinwheel_income")
				b.exhaust(incomeWaiting, "pinwheel_income_replays", 2)
				b.work(nil, schema.Income)
				b.completed("pinwheel:e-1:income")
			},
			[]string{"pinwheel:e-1" + income + "completed"},
			[]string{"deliveries ran out after 2\n", "completed: failed, 1 attempt, 0 records"},
		},
		"it waits in one of two queues": {
			func(b *bench) {
				b.publish(b.event("paystubs.fully_synced", "e-1", "a-1"))
				b.letWait("pinwheel_income", outage())
			},
			[]string{"pinwheel:e-1" + income + "waiting", "pinwheel:e-1 pinwheel_paystubs ready"},
			nil,
		},
		"it waited, and is completed": {
			func(b *bench) {
				b.publish(in(b))
				b.letWait("pinwheel_income", outage())
				b.runs(0, "retry", "e-1", "--yes")
				b.work(nil, schema.Income)
				b.completed("pinwheel:e-1:income")
			},
			[]string{"pinwheel:e-1" + income + "completed"},
			[]string{"completed: succeeded, 5 attempts, 1 record\n"},
		},
		"it is completed": {
			func(b *bench) {
				b.publish(in(b))
				b.work(nil, schema.Income)
				b.completed("pinwheel:e-1:income")
			},
			[]string{"pinwheel:e-1" + income + "completed"},
			[]string{"completed: succeeded, 1 attempt, 1 record\n"},
		},
		"it is completed without all that was announced": {
			func(b *bench) {
				e := in(b)
				b.publish(e)
				c := schema.NewCompletion(e, schema.Income, schema.Succeeded, receivedAt)
				c.Data.Missing = []string{"i-1", "i-2"}
				c.Data.Stale = true
				_, err := b.conn.PublishCompletion(b.Context(), e, c)
				b.must(err)
			},
			[]string{"pinwheel:e-1" + income + "completed"},
			[]string{"completed: succeeded, 1 attempt, 0 records, missing=2, stale\n"},
		},
		"it is completed by two queues, apart": {
			func(b *bench) {
				b.publish(b.event("paystubs.fully_synced", "e-1", "a-1"))
				b.work(nil, schema.Income)
				b.completed("pinwheel:e-1:income")
			},
			[]string{"pinwheel:e-1" + income + "completed",
				"pinwheel:e-1 pinwheel_paystubs ready"},
			nil,
		},
		"it failed, and has a dead letter": {
			func(b *bench) {
				b.publish(in(b))
				b.work([]string{"e-1"}, schema.Income)
				b.completed("pinwheel:e-1:income")
				b.queueAt("pinwheel_income",
					func(q *jetstream.ConsumerInfo) bool { return q.NumAckPending == 0 })
			},
			[]string{"pinwheel:e-1" + income + "completed"},
			[]string{"dead letter 1: class permanent, reason rejected, 1 attempt\n",
				"completed: failed, 1 attempt, 0 records, class permanent, code no_such_thing\n"},
		},
		"it is redriven and completed": {
			func(b *bench) {
				b.publish(in(b))
				p, _ := b.work([]string{"e-1"}, schema.Income)
				b.completed("pinwheel:e-1:income")
				p.recovers()
				b.runs(0, "dead", "redrive", "1", "--yes")
				b.completed("pinwheel:e-1:r1:income")
			},
			[]string{"pinwheel:e-1" + income + "completed",
				"pinwheel:e-1:r1" + income + "completed"},
			[]string{"sent again to pinwheel_income alone, stored as 2 of WAGEWIRE_EVENTS"},
		},
		"it has a dead letter and no completion": {
			func(b *bench) {
				b.publish(in(b))
				b.die(schema.ClassPoison, schema.ReasonUndecodable, receivedAt, in(b))
			},
			[]string{"pinwheel:e-1" + income + "dead_letter"},
			[]string{"it has no completion"},
		},
		"its deliveries ran out, and no worker has seen that": {
			func(b *bench) {
				b.publish(in(b))
				b.exhaust(schema.EventsStream, "pinwheel_income", 2)
			},
			[]string{"pinwheel:e-1" + income + "exhausted"},
			[]string{"deliveries ran out after 2\n",
				"a worker of the queue publishes it anew among the retries or replays\n"},
		},
		"its deliveries ran out, and it goes on among the retries": {
			func(b *bench) {
				b.publish(in(b))
				b.exhaust(schema.EventsStream, "pinwheel_income", 2)
				b.runs(0, "pause", "pinwheel_income")
				b.work(nil, schema.Income)
				b.retriesAt("pinwheel_income", func(q *jetstream.ConsumerInfo) bool {
					return q.NumPending == 1
				})
			},
			[]string{"pinwheel:e-1" + income + "ready"},
			[]string{"deliveries ran out after 2\n", "no worker has taken it since\n",
				"the queue is paused until resumed\n"},
		},
		"its deliveries as a retry ran out, and no worker has seen that": {
			func(b *bench) {
				b.publish(in(b))
				b.letWait("pinwheel_income", outage())
				b.runs(0, "retry", "e-1", "--yes")
				b.exhaust(incomeWaiting, "pinwheel_income", 2)
			},
			[]string{"pinwheel:e-1" + income + "exhausted"},
			[]string{"deliveries ran out after 2\n", "its dead letter and completion are to come"},
		},
		"its deliveries as a retry ran out, and a worker has kept it": {
			func(b *bench) {
				b.publish(in(b))
				b.letWait("pinwheel_income", outage())
				b.runs(0, "retry", "e-1", "--yes")
				b.exhaust(incomeWaiting, "pinwheel_income", 2)
				b.work(nil, schema.Income)
				b.completed("pinwheel:e-1:income")
			},
			[]string{"pinwheel:e-1" + income + "completed"},
			[]string{"deliveries ran out after 2\n",
				"dead letter 1: class exhausted, reason deliveries_ran_out, 5 attempts\n",
				"completed: failed, 5 attempts, 0 records, class exhausted"},
		},
		"its completion is gone": {
			func(b *bench) {
				b.publish(in(b))
				b.settle(schema.QueuesOf(schema.Income)[0])
			},
			[]string{"pinwheel:e-1" + income + "settled"},
			[]string{"no completion is kept of it"},
		},
		"its account is erased behind it": {
			func(b *bench) {
				b.publish(in(b))
				b.settle(schema.QueuesOf(schema.Income)[0])
				b.erase(in(b))
			},
			[]string{"pinwheel:e-1" + income + "erased"},
			[]string{"the account is erased\n", "nothing is kept of it"},
		},
		"it erased its account": {
			func(b *bench) {
				b.publish(b.event("link-deleted", "e-1", "a-1"))
				b.work(nil, schema.Link)
				b.completed("truv:e-1:link")
			},
			[]string{"truv:e-1 truv_erasures completed"},
			[]string{"the account is erased\n", "completed: deleted, 1 attempt, 0 records\n"},
		},
		"it erased its account, and is gone with the account's webhooks": {
			func(b *bench) {
				b.publish(b.event("link-deleted", "e-1", "a-1"))
				b.work(nil, schema.Link)
				b.completed("truv:e-1:link")
				s, err := b.js.Stream(b.Context(), schema.EventsStream)
				b.must(err)
				b.must(s.Purge(b.Context()))
			},
			[]string{"truv:e-1 truv_erasures completed"},
			[]string{
				"the event is gone: an erasure removes the account's webhooks\n",
				"completed: deleted, 1 attempt, 0 records\n",
			},
		},
		"it names a person with two accounts": {
			func(b *bench) {
				p, _ := b.work(nil, schema.VerificationReports)
				p.knows("a-1", "a-2")
				b.publish(b.event("verification_reports.refreshed", "e-1", "u-1"))
				b.completed("pinwheel:e-1:verification_reports:a-1")
				b.completed("pinwheel:e-1:verification_reports:a-2")
			},
			[]string{"pinwheel:e-1" + reports + "completed"},
			[]string{
				"pinwheel:e-1  verification_reports.refreshed  account h_",
				"account a-1 completed: succeeded, 1 attempt, 1 record\n",
				"account a-2 completed: succeeded, 1 attempt, 1 record\n",
			},
		},
		"it names a person without an account": {
			func(b *bench) {
				b.work(nil, schema.VerificationReports)
				b.publish(b.event("verification_reports.refreshed", "e-1", "u-1"))
				b.completed("pinwheel:e-1:verification_reports")
			},
			[]string{"pinwheel:e-1" + reports + "completed"},
			[]string{
				"account " + schema.HashToken("u-1") +
					" completed: succeeded, 1 attempt, 1 record\n",
			},
		},
		"it names a person, is sent again, and is gone": {
			func(b *bench) {
				p, stop := b.work(nil, schema.VerificationReports)
				p.knows("a-1")
				b.publish(b.event("verification_reports.refreshed", "e-1", "u-1"))
				b.completed("pinwheel:e-1:verification_reports:a-1")
				b.runs(0, "replay", "--queue", "pinwheel_verification_reports", "--since", "all",
					"--yes")
				b.completed("pinwheel:e-1:r1:verification_reports:a-1")
				stop()
				s, err := b.js.Stream(b.Context(), schema.EventsStream)
				b.must(err)
				b.must(s.Purge(b.Context()))
			},
			[]string{"pinwheel:e-1" + reports + "completed",
				"pinwheel:e-1:r1" + reports + "completed"},
			[]string{
				"pinwheel:e-1:r1  verification_reports.refreshed  account " +
					schema.HashToken("u-1") + "\n",
				"the event is gone from its stream\n", "account a-1 completed: succeeded",
			},
		},
		"no queue reads it": {
			func(b *bench) {
				e := in(b)
				t := schema.Lookup(schema.Pinwheel, "bill.added")
				e.Type, e.Resource, e.Action = t.Name, t.Resource, t.Action
				b.publish(e)
			},
			[]string{"pinwheel:e-1"},
			[]string{"no queue reads it: it is stored, nothing more\n"},
		},
		"it is gone, and its completions and dead letter are not": {
			func(b *bench) {
				b.publish(in(b))
				p, stop := b.work([]string{"e-1"}, schema.Income)
				b.completed("pinwheel:e-1:income")
				b.queueAt("pinwheel_income",
					func(q *jetstream.ConsumerInfo) bool { return q.NumAckPending == 0 })
				p.recovers()
				b.runs(0, "replay", "--queue", "pinwheel_income", "--account", "a-1", "--yes")
				b.completed("pinwheel:e-1:r1:income")
				stop()
				s, err := b.js.Stream(b.Context(), schema.EventsStream)
				b.must(err)
				b.must(s.Purge(b.Context()))
			},
			[]string{"pinwheel:e-1" + income + "completed",
				"pinwheel:e-1:r1" + income + "completed"},
			[]string{"the event is gone from its stream\n", "dead letter 1: ", "completed: failed",
				"completed: succeeded"},
		},
	} {
		t.Run(promise, func(t *testing.T) {
			b := newBench(t)
			test.lives(b)
			if diff := cmp.Diff(test.want, b.traced("e-1")); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			contains(t, b.runs(0, "trace", "e-1").stdout, test.says...)
		})
	}
}

func TestAnEventIsFoundByEachOfItsNames(t *testing.T) {
	b := newBench(t)
	e, odd := b.event("income.added", "e-1", "a-1"), b.event("income.added", "an id.with:r1", "a-1")
	b.publish(e, odd)
	if _, err := b.conn.Redrive(t.Context(), e, "pinwheel_income", 1); err != nil {
		t.Fatal(err)
	}
	const at = " pinwheel_income ready"
	for name, want := range map[string][]string{
		"e-1":             {"pinwheel:e-1" + at, "pinwheel:e-1:r1" + at},
		"pinwheel:e-1":    {"pinwheel:e-1" + at, "pinwheel:e-1:r1" + at},
		"pinwheel:e-1:r1": {"pinwheel:e-1:r1" + at},
		"an id.with:r1":   {odd.Key() + at},
		odd.Key():         {odd.Key() + at},
	} {
		if diff := cmp.Diff(want, b.traced(name)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	for _, name := range []string{"e-2", "truv:e-1", "pinwheel:e-1:r2", "plaid:e-1"} {
		contains(t, b.runs(1, "trace", name).stderr, "nothing of event "+name+" is on the streams")
	}
}

func TestATraceSaysThatItDoesNotLookForOtherAccounts(t *testing.T) {
	const hint = "other accounts with this id are not looked for"
	for promise, test := range map[string]struct {
		other func(*bench) // what is stored besides e-1 of a-1
		all   string       // the event that --all finds besides e-1
	}{
		"no event is left": {func(*bench) {}, ""},
		"another account has the id, too": {
			func(b *bench) {
				_, err := b.conn.Redrive(b.Context(), b.event("income.added", "e-1", "a-2"), "", 1)
				b.must(err)
			}, "pinwheel:e-1:r1",
		},
		"another provider has the id, too": {
			func(b *bench) { b.publish(b.event("link-deleted", "e-1", "a-2")) }, "truv:e-1",
		},
	} {
		t.Run(promise, func(t *testing.T) {
			b := newBench(t)
			b.publish(b.event("income.added", "e-1", "a-1"))
			_, stop := b.work(nil, schema.Income)
			b.completed("pinwheel:e-1:income")
			stop()
			test.other(b)
			want := []string{"pinwheel:e-1 pinwheel_income completed"}
			if diff := cmp.Diff(want, b.traced("e-1")); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			says := strings.Contains(b.runs(0, "trace", "e-1").stderr, hint)
			if says != (test.all != "") {
				t.Errorf("says that it does not look for others: %t", says)
			}
			all := b.runs(0, "trace", "e-1", "--all")
			contains(t, all.stdout, "pinwheel:e-1  ", test.all)
			if strings.Contains(all.stderr, hint) {
				t.Errorf("with --all it says that it does not look at all")
			}
		})
	}
}

// settle settles the next event of a queue, without a completion.
func (b *bench) settle(q schema.Queue) {
	b.Helper()
	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	b.must(b.conn.Queue(q).Consume(ctx, stream.Taking{Hands: 1}, func(d *stream.Delivery) {
		cancel()
		b.must(d.Done())
	}))
}

// backfill is the event as an operator sends it for an account linked long ago.
func backfill(e schema.Event) schema.Event {
	e.Backfill = true
	return e
}

// putBehind puts the only event of the queue behind fresh events, as a worker does.
func (b *bench) putBehind(queue string) {
	b.Helper()
	q, _ := schema.QueueNamed(queue)
	ctx, cancel := context.WithCancel(b.Context())
	var worker errgroup.Group
	worker.Go(func() error {
		return b.conn.Queue(q).Consume(ctx, stream.Taking{Hands: 1}, func(d *stream.Delivery) {
			b.Errorf("%s was not put behind", d.Event.Key())
		})
	})
	streamtest.Eventually(b, "the event is among the replays of "+queue, func() bool {
		lane := q.ReplaysLane()
		c, err := b.js.Consumer(b.Context(), lane.Stream, lane.Consumer)
		b.must(err)
		return c.CachedInfo().NumPending == 1
	})
	cancel()
	b.must(worker.Wait())
}

// exhaust lets the messages of a consumer run out of deliveries, as workers do that die of them. It
// returns when the broker has said so.
func (b *bench) exhaust(from, consumer string, most int) {
	b.Helper()
	c, err := b.js.Consumer(b.Context(), from, consumer)
	b.must(err)
	config := c.CachedInfo().Config
	config.MaxDeliver, config.AckWait = most, 50*time.Millisecond
	c, err = b.js.UpdateConsumer(b.Context(), from, config)
	b.must(err)
	advisories, err := b.js.Stream(b.Context(), schema.AdvisoriesStream)
	b.must(err)
	before := advisories.CachedInfo().State.LastSeq
	for range most {
		var err error
		streamtest.Eventually(b, "the event is delivered again", func() bool { // and never settled
			_, err = c.Next(jetstream.FetchMaxWait(waitDefault))
			return !errors.Is(err, nats.ErrTimeout)
		})
		b.must(err)
	}
	for {
		s, err := b.js.Stream(b.Context(), schema.AdvisoriesStream)
		b.must(err)
		if s.CachedInfo().State.LastSeq > before {
			return
		}
		// The broker says so when it is asked for another.
		if _, err := c.Next(jetstream.FetchMaxWait(checkEvery)); !errors.Is(err, nats.ErrTimeout) {
			b.Fatalf("a delivery over the most there are: %v", err)
		}
	}
}

func TestAnEventThatKillsEveryWorkerHasItsLastWord(t *testing.T) {
	b := newBench(t)
	b.publish(b.event("income.added", "e-1", "a-1"))
	b.letWait("pinwheel_income", outage())
	b.runs(0, "retry", "e-1", "--yes")
	b.exhaust("WAGEWIRE_WAITING_PINWHEEL_INCOME", "pinwheel_income", 3)
	p, _ := b.work(nil, schema.Income)
	c := b.completed("pinwheel:e-1:income")
	if c.Data.Outcome != schema.Failed || c.Data.Error == nil ||
		c.Data.Error.Class != string(schema.ClassExhausted) || *c.Data.AccountID != "a-1" {
		t.Errorf("got %+v", c)
	}
	contains(t, b.runs(0, "dead", "list", "--class", "exhausted").stdout, "pinwheel_income",
		"deliveries_ran_out", "pinwheel:e-1\n")
	p.mu.Lock()
	asked := len(p.asked)
	p.mu.Unlock()
	if asked > 0 {
		t.Errorf("it was worked on once more")
	}
	contains(t, b.runs(0, "dead", "redrive", "1", "--yes").stdout,
		"sent to pinwheel_income as pinwheel:e-1:r1")
	if c := b.completed("pinwheel:e-1:r1:income"); c.Data.Outcome != schema.Succeeded {
		t.Errorf("got %+v", c)
	}
	if text := strings.Join(b.all(), ", "); text != "pinwheel:e-1:income failed, pinwheel:e-1:r1:income succeeded" {
		t.Errorf("completions %s", text)
	}
}
