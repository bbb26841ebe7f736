package console

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wagewire/wagewire/deploy/health"
	"github.com/wagewire/wagewire/deploy/trace"
	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
)

// receivedAt is when the webhooks of these tests came.
var receivedAt = time.Date(2024, 5, 6, 7, 8, 9, 0, time.UTC)

// canary is a value of a record. No page shows it, and no log line.
const canary = "canary-of-a-net-pay"

// income is a webhook about the income of an account.
func income(id, account string) schema.Event {
	return schema.Event{
		Provider: schema.Pinwheel, ID: id, Type: "income.added", Resource: schema.Income,
		Action: schema.ActionAdded, AccountID: account, Body: bodyOf(account),
		OccurredAt: receivedAt.Add(-3 * time.Second), ReceivedAt: receivedAt,
	}
}

// truvLink is a webhook of the other provider.
func truvLink(id string) schema.Event {
	return schema.Event{
		Provider: schema.Truv, ID: id, Type: "link-connected", Resource: schema.Link,
		Action: schema.ActionAdded, AccountID: "a-3", ReceivedAt: receivedAt, Body: []byte(`{}`),
	}
}

// bodyOf is the body of a webhook of the account.
func bodyOf(account string) []byte {
	body, _ := json.Marshal(map[string]any{
		"net": canary, "payload": map[string]string{"account_id": account},
	}) // of texts only
	return body
}

// publish stores webhooks.
func (b *bench) publish(events ...schema.Event) {
	b.Helper()
	for _, e := range events {
		if duplicate, err := b.op.PublishEvent(b.Context(), e); duplicate || err != nil {
			b.Fatalf("publish %s: duplicate %t, %v", e.Key(), duplicate, err)
		}
	}
}

// complete stores a completion of an event, with the records.
func (b *bench) complete(e schema.Event, o schema.Outcome, records ...string) schema.Completion {
	b.Helper()
	c := schema.NewCompletion(e, e.Resource, o, receivedAt.Add(2*time.Second))
	c.Data.AccountID = &e.AccountID
	c.Data.StoredAt = receivedAt.Add(time.Millisecond)
	c.Data.TakenAt = receivedAt.Add(time.Second)
	for _, record := range records {
		c.Data.Records = append(c.Data.Records, json.RawMessage(record))
	}
	_, err := b.op.PublishCompletion(b.Context(), e, c)
	b.must(err)
	return c
}

// takeNext lets a worker take the next event of the income queue, and settle it as said.
func (b *bench) takeNext(settle func(*stream.Delivery) error) {
	b.Helper()
	q, _ := schema.QueueNamed("pinwheel_income")
	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	b.must(b.op.Queue(q).Consume(ctx, stream.Taking{Hands: 1}, func(d *stream.Delivery) {
		defer cancel()
		b.must(d.Err)
		b.must(settle(d))
	}))
}

// die makes a dead letter of the next event of the income queue.
func (b *bench) die() {
	b.Helper()
	b.takeNext(func(d *stream.Delivery) error {
		l := d.DeadLetter(schema.ClassPermanent, schema.ReasonRejected, receivedAt)
		b.must(b.op.PublishDeadLetter(b.Context(), l))
		return d.Never(schema.ReasonRejected)
	})
}

// outage is the wait of an event whose provider is down.
func outage() schema.Wait {
	return schema.Wait{
		Class: schema.ClassTransient, Status: 503, Endpoint: "/v1/accounts/{account_id}/income",
		Step: 3, Steps: 12, Since: receivedAt,
		Until:    time.Now().Add(time.Hour).UTC().Truncate(time.Second),
		Failures: schema.Failures{schema.ClassTransient: 3},
	}
}

func TestAnEventTellsItsLife(t *testing.T) {
	e := income("e-1", "a-1")
	for promise, test := range map[string]struct {
		happens func(*bench)
		path    string
		status  int
		says    []string
	}{
		"stored: it is ready": {
			func(b *bench) { b.publish(e) }, "/events/pinwheel:e-1", http.StatusOK,
			[]string{
				"The webhook", `href="/accounts/pinwheel/a-1"`, `href="/queues/pinwheel_income"`,
				`<time datetime="2024-05-06T07:08:06Z">`, "occurred, says the provider",
				"stored as 1 of WAGEWIRE_EVENTS", ">ready<", "wagewire trace pinwheel:e-1<",
			},
		},
		"by the id alone": {
			func(b *bench) { b.publish(e) }, "/events/e-1", http.StatusOK, []string{"The webhook"},
		},
		"waiting: why, at which step, and until when": {
			func(b *bench) {
				b.publish(e)
				b.takeNext(func(d *stream.Delivery) error { return d.Wait(outage()) })
			},
			"/events/pinwheel:e-1", http.StatusOK,
			[]string{
				">waiting<", "transient, 503 from /v1/accounts/{account_id}/income, step 3 of 12",
				"3 failures: transient=3", "next try, in ", `class="ahead"`,
			},
		},
		"paused: why the queue takes no events": {
			func(b *bench) {
				b.publish(e)
				q, _ := schema.QueueNamed("pinwheel_income")
				b.must(b.op.Pause(b.Context(), q, time.Now().Add(trace.PauseForever)))
			},
			"/events/pinwheel:e-1", http.StatusOK, []string{"the queue is paused until resumed"},
		},
		"completed: the outcome, and where the time went": {
			func(b *bench) { b.publish(e); b.complete(e, schema.Succeeded, `{"id":"r"}`) },
			"/events/pinwheel:e-1", http.StatusOK,
			[]string{
				">succeeded<", "completed: succeeded, 1 attempt, 1 record", "<svg", `role="img"`,
				"until received 3s; until stored 1ms; until taken, with its waits 999ms; " +
					"at a worker, until completed 1s", "<strong>5s</strong>",
			},
		},
		"completed after failures: how many there were": {
			func(b *bench) {
				b.publish(e)
				c := schema.NewCompletion(e, e.Resource, schema.Failed, receivedAt.Add(time.Second))
				c.Data.AccountID = &e.AccountID
				c.Data.Attempts = 4
				_, err := b.op.PublishCompletion(b.Context(), e, c)
				b.must(err)
			},
			"/events/pinwheel:e-1", http.StatusOK,
			[]string{`<span class="mark bad">failed</span>`, "3 attempts failed before the last one"},
		},
		"completed: other accounts are not looked for, and how to": {
			func(b *bench) {
				b.publish(e, income("e-2", "a-2"))
				b.complete(e, schema.Succeeded)
			},
			"/events/pinwheel:e-1", http.StatusOK,
			[]string{"are not looked for", `href="/events/pinwheel:e-1?all=1"`},
		},
		"dead: the letter, and the redrive that ended it": {
			func(b *bench) {
				b.publish(e)
				b.die()
				again := e
				again.Redrive = 1
				_, err := b.op.Redrive(b.Context(), e, "pinwheel_income", 1)
				b.must(err)
				b.complete(again, schema.Succeeded)
			},
			"/events/pinwheel:e-1", http.StatusOK,
			[]string{
				">dead letter<", `href="/dead/1"`, "class permanent, reason rejected",
				"sent again as", `href="#event-pinwheel:e-1:r1"`, "Redrive 1",
				"sent again to pinwheel_income alone",
			},
		},
		"a redrive alone": {
			func(b *bench) {
				b.publish(e)
				_, err := b.op.Redrive(b.Context(), e, "", 1)
				b.must(err)
			},
			"/events/pinwheel:e-1:r1", http.StatusOK, []string{"Redrive 1"},
		},
		"erased: what is left": {
			func(b *bench) {
				b.publish(e)
				b.complete(e, schema.Deleted)
				for _, step := range b.op.ErasureSteps(e.Provider, e.Account()) {
					b.must(step.Run(b.Context()))
				}
				b.must(b.op.EraseEvents(b.Context(), e.Provider, e.Account()))
			},
			"/events/pinwheel:e-1", http.StatusOK,
			[]string{"the event is gone: an erasure removes", "the account is erased"},
		},
		"an account's id: the search finds it": {
			func(b *bench) { b.publish(e) }, "/events/a-1", http.StatusNotFound,
			[]string{`href="/search?q=a-1"`},
		},
		"unknown in all: the command does not see more": {
			func(*bench) {}, "/events/pinwheel:nobody?all=1", http.StatusNotFound,
			[]string{"Nothing of event pinwheel:nobody is on the streams"},
		},
		"an id of two providers: whose each webhook is": {
			func(b *bench) {
				b.publish(e, truvLink("e-1"))
				_, err := b.op.Redrive(b.Context(), e, "", 1)
				b.must(err)
			}, "/events/e-1", http.StatusOK,
			[]string{
				"<h1>Event e-1</h1>", "Several webhooks have this id", "The webhook of Pinwheel",
				"Redrive 1 of Pinwheel", "The webhook of Truv", "<dd>Truv</dd>",
				"wagewire trace e-1<",
			},
		},
		"unknown: where it was looked for": {
			func(*bench) {}, "/events/pinwheel:nobody", http.StatusNotFound,
			[]string{"Nothing of event pinwheel:nobody is on the streams", "older than they keep",
				"wagewire trace pinwheel:nobody --all"},
		},
	} {
		t.Run(promise, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			test.happens(b)
			got := b.get(test.path, ritaToken)
			b.wants(got, test.status, test.says...)
			if strings.Contains(got.body, canary) {
				t.Error("the page has a record or a body")
			}
			if strings.Contains(got.body, "Nor is there an account") {
				t.Error("the page speaks of an account, and has not looked")
			}
			if strings.Contains(test.path, "all=1") && strings.Contains(got.body, "--all") {
				t.Error("the page offers a command that sees nothing more")
			}
		})
	}
}

func TestALineWithoutATimeStaysWithItsQueue(t *testing.T) {
	at := func(minutes int) time.Time {
		return receivedAt.Add(time.Duration(minutes) * time.Minute)
	}
	line := func(queue, text string, at time.Time) moment {
		return moment{Incident: trace.Incident{At: at, Text: text}, queue: queue}
	}
	v := lifeView{moments: []moment{
		line("", "stored", at(1)), line("", "erased", time.Time{}),
		line("a", "dead", at(3)), line("a", "note of a", time.Time{}),
		line("b", "paused", time.Time{}), line("b", "completed", at(2)),
		line("b", "note of b", time.Time{}),
	}}
	v.sort(at(9))
	var got []string
	for _, m := range v.moments {
		got = append(got, m.Text)
	}
	want := []string{"stored", "erased", "paused", "completed", "note of b", "dead", "note of a"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestAPageThatStaysAsItIsSaysSo(t *testing.T) {
	b := newBench(t)
	e := income("stays", "acct")
	b.publish(e)
	b.die()
	b.read()
	const line = `This page does not update itself. <a href="">Load again</a>`
	account := string(accountPath(schema.Pinwheel, schema.Token("acct")))
	for _, path := range []string{
		"/dead", "/dead/1", "/quarantine", string(eventPath(e.Key())), account,
	} {
		b.wants(b.get(path, ritaToken), http.StatusOK, line)
	}
	for _, path := range []string{"/", "/queues", "/queues/pinwheel_income", "/feed"} {
		got := b.get(path, ritaToken)
		if strings.Contains(got.body, line) || !strings.Contains(got.body, "/changes") {
			t.Errorf("%s follows what happens, and says something else", path)
		}
	}
}

func TestHostileNamesAreText(t *testing.T) {
	const hostile = "<script>alert(1)</script>\x1b[31m\u202e'\"&"
	b := newBench(t)
	e := income(hostile, hostile)
	b.publish(e)
	b.complete(e, schema.Failed)
	path := string(eventPath(hostile))
	for _, page := range []string{
		path, string(eventPath(e.Key())), string(accountPath(schema.Pinwheel, e.Account())),
		"/accounts/" + strings.TrimPrefix(path, "/events/") + "/" + strings.TrimPrefix(path, "/events/"),
		"/search?q=" + strings.TrimPrefix(path, "/events/"),
		"/search?q=another" + strings.TrimPrefix(path, "/events/"),
		"/events/another" + strings.TrimPrefix(path, "/events/"),
	} {
		got := b.get(page, ritaToken)
		for _, raw := range []string{"<script>alert", "\x1b", "\u202e"} {
			if strings.Contains(got.body, raw) {
				t.Errorf("%s has %q: %s", page, raw, short(got.body))
			}
		}
	}
	got := b.get("/events/another"+strings.TrimPrefix(path, "/events/"), ritaToken)
	b.wants(got, http.StatusNotFound, "&lt;script&gt;", `\x1b[31m\u202e`)
	if strings.Contains(got.body, "wagewire trace") {
		t.Error("a command line has a name that a shell reads otherwise")
	}
}

func TestABrokerThatIsAwayIsSaid(t *testing.T) {
	b := newBench(t)
	b.publish(income("e-1", "a-1"))
	b.server.Stop()
	b.watch.show(health.Unknown(errors.New("no servers")))
	for _, path := range []string{
		"/events/pinwheel:e-1", "/accounts/pinwheel/a-1", "/search?q=e-1",
	} {
		b.wants(b.get(path, ritaToken), http.StatusServiceUnavailable, "NATS has not answered since")
	}
}

func TestThePartsOfABarFillIt(t *testing.T) {
	for promise, parts := range map[string][]trace.Part{
		"alike":             {{For: time.Second}, {For: time.Second}},
		"one is very long":  {{For: time.Millisecond}, {For: time.Hour}, {}},
		"all are nothing":   {{}, {}},
		"the clocks differ": {{IsSkewed: true}, {For: time.Second}},
	} {
		at := 0.0
		for i, s := range newBar(&trace.Completion{}, parts).segments() {
			if s.width < barLeast*0.9 || s.x < at-0.01 || s.x > at+0.01 {
				t.Errorf("%s: part %d is %+v, want it at %f", promise, i, s, at)
			}
			at += s.width
		}
		if at < barWidth-0.01 || at > barWidth+0.01 {
			t.Errorf("%s: it is %f wide", promise, at)
		}
	}
}
