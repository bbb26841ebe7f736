package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"

	"github.com/wagewire/wagewire/deploy/plain"
	"github.com/wagewire/wagewire/deploy/shelf"
	"github.com/wagewire/wagewire/schema"
)

func TestARedriveEndsInACompletionOfItsOwnAndOnlyOnItsQueue(t *testing.T) {
	b := newBench(t)
	p, _ := b.work([]string{"e-1"}, schema.Paystubs, schema.Income)
	b.publish(b.event("paystubs.fully_synced", "e-1", "a-1"))
	b.completed("pinwheel:e-1:paystubs")
	b.completed("pinwheel:e-1:income")
	p.recovers()
	list := b.runs(0, "dead", "list", "--queue", "pinwheel_income")
	contains(t, list.stdout, "pinwheel_income", "paystubs.fully_synced", "permanent", "rejected",
		"pinwheel:e-1\n")

	got := b.runs(0, "dead", "redrive", "--queue", "pinwheel_income", "--yes")
	contains(t, got.stdout, "sent to pinwheel_income as pinwheel:e-1:r1")
	contains(t, got.stderr, "redrove 1 of 1 dead letter\n")
	if c := b.completed("pinwheel:e-1:r1:income"); c.Data.Outcome != schema.Succeeded ||
		c.Data.Event.ID != "e-1" {
		t.Errorf("got %+v", c)
	}
	// The other queue is past the redrive when it has completed what comes after it.
	b.publish(b.event("paystubs.fully_synced", "e-2", "a-1"))
	b.completed("pinwheel:e-2:paystubs")
	b.completed("pinwheel:e-2:income")
	want := []string{
		"pinwheel:e-1:income failed", "pinwheel:e-1:paystubs failed",
		"pinwheel:e-1:r1:income succeeded",
		"pinwheel:e-2:income succeeded", "pinwheel:e-2:paystubs succeeded",
	}
	if diff := cmp.Diff(want, b.all()); diff != "" {
		t.Errorf("completions (-want +got):\n%s", diff)
	}
	if left := b.letters(); len(left) != 1 ||
		!strings.HasPrefix(slices.Collect(maps.Values(left))[0], "pinwheel_paystubs ") {
		t.Errorf("dead letters left: %v, want that of pinwheel_paystubs", left)
	}
}

func TestARedriveThatDiesAgainIsRedrivenUnderTheNextName(t *testing.T) {
	b := newBench(t)
	p, _ := b.work([]string{"e-1"}, schema.Income)
	b.publish(b.event("income.added", "e-1", "a-1"))
	b.completed("pinwheel:e-1:income")
	for n := 1; n <= 3; n++ {
		if n == 3 {
			p.recovers()
		}
		b.runs(0, "dead", "redrive", "--all", "--yes")
		b.completed(fmt.Sprintf("pinwheel:e-1:r%d:income", n))
	}
	want := []string{"pinwheel:e-1:income failed", "pinwheel:e-1:r1:income failed",
		"pinwheel:e-1:r2:income failed", "pinwheel:e-1:r3:income succeeded"}
	if diff := cmp.Diff(want, b.all()); diff != "" || len(b.letters()) > 0 {
		t.Errorf("dead letters %v, completions (-want +got):\n%s", b.letters(), diff)
	}
}

// An earlier release had no queues of erasures.
func TestARedriveOfAnErasureGoesToTheQueueOfErasures(t *testing.T) {
	b := newBench(t)
	e := b.event("link-deleted", "e-1", "a-1")
	b.publish(e)
	b.must(b.conn.PublishDeadLetter(t.Context(), schema.DeadLetter{
		Queue: "truv_link", Account: "a-1", Class: schema.ClassPoison, Reason: schema.ReasonPanic,
		Attempts: 1, Sequence: 1, At: receivedAt, Headers: b.headersOf(1), Body: e.Body,
	}))
	dry := b.runs(0, "dead", "redrive", "1", "--dry-run")
	contains(t, dry.stdout, "would be sent to truv_erasures as :r1")
	got := b.runs(0, "dead", "redrive", "1", "--yes")
	contains(t, got.stdout, "sent to truv_erasures as truv:e-1:r1")
	want := []string{"truv:e-1", "truv:e-1:r1 to truv_erasures"}
	if diff := cmp.Diff(want, b.keys()); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	contains(t, b.runs(0, "trace", "truv:e-1:r1").stdout, "  truv_erasures: ready\n")
}

func TestARedriveIsNeverEaten(t *testing.T) {
	const to = " to pinwheel_income"
	for promise, test := range map[string]struct {
		// before happens when the event has a dead letter of each queue.
		before func(*bench, schema.Event)
		args   []string
		want   []string // events after the first
		says   string
	}{
		"two queues gave up one event: each gets it under a name of its own": {
			func(*bench, schema.Event) {}, []string{"--all"},
			[]string{"pinwheel:e-1:r1" + to, "pinwheel:e-1:r2 to pinwheel_paystubs"},
			"redrove 2 of 2",
		},
		"the same, one after the other": {
			func(b *bench, _ schema.Event) {
				b.runs(0, "dead", "redrive", "1", "--yes")
			}, []string{"2"},
			[]string{"pinwheel:e-1:r1" + to, "pinwheel:e-1:r2 to pinwheel_paystubs"},
			"redrove 1 of 1",
		},
		"a crash before the deletion: it is deleted and not sent twice": {
			func(b *bench, e schema.Event) {
				_, err := b.conn.Redrive(b.Context(), e, "pinwheel_income", 1)
				b.must(err)
			}, []string{"1"},
			[]string{"pinwheel:e-1:r1" + to}, "was sent before as pinwheel:e-1:r1, deleted",
		},
		"a name that the broker remembers and nobody has any more": {
			func(b *bench, e schema.Event) {
				_, err := b.conn.Redrive(b.Context(), e, "pinwheel_income", 1)
				b.must(err)
				s, err := b.js.Stream(b.Context(), schema.EventsStream)
				b.must(err)
				b.must(s.DeleteMsg(b.Context(), 2))
			}, []string{"1"},
			[]string{"pinwheel:e-1:r1" + to}, "sent to pinwheel_income as pinwheel:e-1:r1",
		},
		"a name under which there is a completion, and no event any more": {
			func(b *bench, e schema.Event) {
				e.Redrive = 1
				_, err := b.conn.PublishCompletion(b.Context(), e,
					schema.NewCompletion(e, schema.Income, schema.Failed, receivedAt))
				b.must(err)
			}, []string{"1"},
			[]string{"pinwheel:e-1:r2" + to}, "sent to pinwheel_income as pinwheel:e-1:r2",
		},
		"another body that was released under the name": {
			func(b *bench, e schema.Event) {
				_, err := b.conn.Redrive(b.Context(), another(e), "", 1)
				b.must(err)
			}, []string{"1"},
			[]string{"pinwheel:e-1:r1", "pinwheel:e-1:r2" + to},
			"sent to pinwheel_income as pinwheel:e-1:r2",
		},
	} {
		t.Run(promise, func(t *testing.T) {
			b := newBench(t)
			e := b.event("paystubs.fully_synced", "e-1", "a-1")
			b.publish(e)
			b.die(schema.ClassTransient, schema.ReasonLadderEnded, receivedAt, e)
			test.before(b, e)
			got := b.runs(0, append([]string{"dead", "redrive", "--yes"}, test.args...)...)
			contains(t, got.stdout+got.stderr, test.says)
			if diff := cmp.Diff(test.want, b.keys()[1:]); diff != "" {
				t.Errorf("events (-want +got):\n%s", diff)
			}
		})
	}
}

func TestWhatCannotBeRedrivenStaysAndSaysWhy(t *testing.T) {
	b := newBench(t)
	ok := b.event("income.added", "e-ok", "a-ok")
	erased := b.event("income.added", "e-erased", "a-erased")
	b.publish(erased, ok)
	b.erase(erased)
	b.die(schema.ClassTransient, schema.ReasonLadderEnded, receivedAt, erased, ok)
	broken := nats.NewMsg(b.event("income.added", "x", "a-broken").Subject())
	broken.Data = []byte("{")
	if _, err := b.js.PublishMsg(t.Context(), broken); err != nil {
		t.Fatal(err)
	}
	b.die(schema.ClassPoison, schema.ReasonUndecodable, receivedAt,
		schema.Event{Provider: schema.Pinwheel, Type: "income.added", Queue: "pinwheel_income"})
	old := nats.NewMsg(schema.DeadLetterSubject("pinwheel_pay", "a-1"))
	old.Data = ok.Body
	m, _, err := b.conn.Message(t.Context(), schema.DeadLettersStream, 2)
	b.must(err)
	old.Header = m.Header
	old.Header.Del("Nats-Msg-Id")
	old.Header.Set("Wagewire-Queue", "pinwheel_pay")
	old.Header.Set("ce-subject", "a-ok")
	old.Subject = schema.DeadLetterSubject("pinwheel_pay", "a-ok")
	if _, err := b.js.PublishMsg(t.Context(), old); err != nil {
		t.Fatal(err)
	}

	dry := b.runs(1, "dead", "redrive", "--all", "--dry-run")
	contains(t, dry.stdout, "2  pinwheel:e-ok  would be sent to pinwheel_income as :r1")
	if len(b.letters()) != 4 || len(b.keys()) != 3 {
		t.Errorf("a dry run changed something: %v, %v", b.letters(), b.keys())
	}
	got := b.runs(1, "dead", "redrive", "--all", "--yes")
	contains(t, got.stdout,
		"1  pinwheel:e-erased  kept: its account is erased: discard it\n",
		"2  pinwheel:e-ok  sent to pinwheel_income as pinwheel:e-ok:r1\n",
		"kept: it cannot be decoded, only discarded: decode event: ",
		"kept: no queue pinwheel_pay reads income.added any more",
	)
	contains(t, got.stderr, "redrove 1 of 4 dead letters\n",
		"wagewire dead redrive: 3 dead letters could not be redriven\n")
	if left := b.letters(); len(left) != 3 || left[2] != "" {
		t.Errorf("left: %v", left)
	}
	contains(t, b.runs(0, "dead", "show", "3").stdout, "decodes", "no: decode event:")
}

func TestAnErasureThatDiedIsRedrivenThoughTheTombstoneStands(t *testing.T) {
	b := newBench(t)
	e := b.event("link-deleted", "e-1", "a-1")
	b.publish(e)
	b.erase(e)
	b.die(schema.ClassTransient, schema.ReasonLadderEnded, receivedAt, e)
	b.runs(0, "dead", "redrive", "1", "--yes")
	b.work(nil, schema.Link)
	if c := b.completed("truv:e-1:r1:link"); c.Data.Outcome != schema.Deleted {
		t.Errorf("got %+v", c)
	}
}

func TestOnlyTheDeadLettersThatAreChosenAreMeant(t *testing.T) {
	b := newBench(t)
	const hour = time.Hour
	events := []schema.Event{
		b.event("income.added", "e-1", "a-1"), b.event("shifts.added", "e-2", "a-1"),
		b.event("link-connected", "e-3", "a.2"),
		b.event("verification_reports.refreshed", "e-4", "person"),
	}
	b.publish(events...)
	for i, e := range events {
		class := schema.ClassTransient
		if i%2 == 1 {
			class = schema.ClassPermanent
		}
		b.die(class, schema.ReasonLadderEnded, receivedAt.Add(time.Duration(i)*hour), e)
	}
	at := func(hours int) string {
		return receivedAt.Add(time.Duration(hours) * hour).Format(time.RFC3339)
	}
	for promise, test := range map[string]struct {
		flags []string
		want  []int
	}{
		"all of them":                      {nil, []int{1, 2, 3, 4}},
		"a queue's":                        {[]string{"--queue", "pinwheel_shifts"}, []int{2}},
		"a class's":                        {[]string{"--class", "permanent"}, []int{2, 4}},
		"a provider's":                     {[]string{"--provider", "truv"}, []int{3}},
		"an account's":                     {[]string{"--account", "a-1"}, []int{1, 2}},
		"an account's whose id is no name": {[]string{"--account", "a.2"}, []int{3}},
		"the same, as the list shows it": {[]string{"--account", schema.Token("a.2")},
			[]int{3}},
		"a person's":                            {[]string{"--account", "person"}, []int{4}},
		"those since a time, which is included": {[]string{"--since", at(2)}, []int{3, 4}},
		"those until a time, which is not":      {[]string{"--until", at(2)}, []int{1, 2}},
		"those of a stretch of time": {[]string{"--since", at(1), "--until", at(3)},
			[]int{2, 3}},
		"all of these at once": {
			[]string{
				"--class", "permanent", "--provider", "pinwheel", "--account", "a-1", "--since", at(0),
			},
			[]int{2},
		},
		"none": {[]string{"--class", "contract"}, nil},
	} {
		t.Run(promise, func(t *testing.T) {
			b := *b
			b.T = t
			list := b.runs(0, append([]string{"dead", "list", "--json"}, test.flags...)...)
			var got []int
			for text := range strings.Lines(list.stdout) {
				var l shelf.LetterJSON
				b.must(json.Unmarshal([]byte(text), &l))
				got = append(got, int(l.Number))
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			dry := b.runs(0,
				append([]string{"dead", "discard", "--dry-run", "--all"}, test.flags...)...)
			if n := strings.Count(dry.stdout, "\n"); n != len(test.want)+min(len(test.want), 1) {
				t.Errorf("discard would take\n%s", dry.stdout)
			}
		})
	}
}

func TestTheListHasNoBodiesAndShowHasWhatIsAskedFor(t *testing.T) {
	b := newBench(t)
	e := b.event("income.added", "e-1", "a-1")
	b.publish(e)
	b.die(schema.ClassPermanent, schema.ReasonRejected, receivedAt, e)
	want := `NUMBER  AT                    QUEUE            TYPE          ACCOUNT  CLASS      REASON    ATTEMPTS  EVENT
1       2024-05-06T07:08:09Z  pinwheel_income  income.added  a-1      permanent  rejected  1         pinwheel:e-1
`
	if got := b.runs(0, "dead", "list"); got.stdout != want {
		t.Errorf("(-want +got):\n%s", cmp.Diff(want, got.stdout))
	}
	show := b.runs(0, "dead", "show", "1").stdout
	contains(t, show, "event           pinwheel:e-1\n", "occurred", "headers", "  ce-type ",
		"  Wagewire-Body-Sha256 ", "decodes         yes\n")
	if strings.Contains(show, "payload") {
		t.Errorf("it shows the body:\n%s", show)
	}
	if got := b.runs(0, "dead", "show", "1", "--body").stdout; !strings.HasPrefix(got, show) ||
		!strings.HasSuffix(got, "\n"+string(e.Body)) {
		t.Errorf("the body is not as it was received:\n%s", got)
	}
	var l shelf.LetterJSON
	b.must(json.Unmarshal([]byte(b.runs(0, "dead", "show", "1", "--json", "--body").stdout), &l))
	if l.Body == nil || *l.Body != string(e.Body) || len(l.Headers) == 0 ||
		l.Event != "pinwheel:e-1" || l.Sequence != 1 {
		t.Errorf("got %+v", l)
	}
	contains(t, b.runs(1, "dead", "show", "2").stderr,
		"there is no dead letter 2")
	contains(t, b.runs(1, "dead", "discard", "1", "--class", "transient", "--yes").stderr,
		"the flags do not choose dead letter 1")
}

func TestAtMostSoManyAreChosenTheOldestFirst(t *testing.T) {
	b := newBench(t)
	for _, id := range []string{"e-1", "e-2", "e-3"} {
		e := b.event("income.added", id, "a-1")
		b.publish(e)
		b.die(schema.ClassPermanent, schema.ReasonRejected, receivedAt, e)
	}
	contains(t, b.runs(0, "dead", "discard", "--all", "--most", "2", "--dry-run").stderr,
		"would discard 2 dead letters")
	contains(t, b.runs(0, "dead", "discard", "--all", "--most", "2", "--yes").stderr,
		"discarded 2 dead letters")
	contains(t, b.runs(0, "dead", "list").stdout, "pinwheel:e-3")
	contains(t, b.runs(0, "dead", "redrive", "--all", "--most", "5", "--yes").stderr,
		"redrove 1 of 1 dead letter")
}

func TestNothingIsDestroyedWithoutLeave(t *testing.T) {
	b := newBench(t)
	e := b.event("income.added", "e-1", "a-1")
	b.publish(e)
	b.die(schema.ClassPermanent, schema.ReasonRejected, receivedAt, e)
	b.quarantine(schema.Pinwheel, schema.QuarantineJSON, []byte("{"))
	for _, args := range [][]string{
		{"dead", "redrive", "1"}, {"dead", "discard", "1"},
		{"quarantine", "release", "1"}, {"quarantine", "discard", "1"},
		{"replay", "--queue", "pinwheel_income", "--since", "all"},
	} {
		t.Run(strings.Join(args, " "), func(t *testing.T) {
			b := *b
			b.T = t
			got := b.runs(2, args...)
			contains(t, got.stderr,
				"nobody is there to answer a question: give --yes, or --dry-run")
			for _, answer := range []string{"n\n", "\n", "", "yess\n"} {
				got := b.answering(answer, args...)
				if got.code != 1 || !strings.Contains(got.stderr, "? [y/N] wagewire ") ||
					!strings.HasSuffix(got.stderr, ": nothing was done\n") {
					t.Errorf("answer %q: got %+v", answer, got)
				}
			}
			if len(b.letters()) != 1 || len(b.keys()) != 1 {
				t.Errorf("something was done: %v, %v", b.letters(), b.keys())
			}
			if _, there, err := b.conn.Message(t.Context(), schema.QuarantineStream, 1); !there ||
				err != nil {
				t.Errorf("something was done to the quarantine: %v", err)
			}
		})
	}
	got := b.answering(" Yes\n", "dead", "discard", "--class", "permanent")
	if got.code != 0 || len(b.letters()) != 0 {
		t.Errorf("it was not discarded: %+v", got)
	} else {
		contains(t, got.stderr, "discard 1 dead letter for good (1 of pinwheel_income)? [y/N] ",
			"discarded 1 dead letter\n")
	}
	contains(t, b.runs(0, "dead", "discard", "--all", "--yes").stderr,
		"there is no such dead letter")
}

func TestAWebhookDoesNothingToAScreen(t *testing.T) {
	for body, want := range map[string]string{
		"{\"a\":\n\t\"é\"}":        "{\"a\":\n\t\"é\"}",
		"{\x1b[2J\r\u009b\xff\x7f": `{\x1b[2J\r\u009b\ufffd\x7f`,
		"\u202e":                   `\u202e`,
	} {
		if got := plain.Text(body); got != want {
			t.Errorf("%q is shown as %q, want %q", body, got, want)
		}
	}
}

func TestShowSaysFirstWhyAWorkerGaveUp(t *testing.T) {
	b := newBench(t)
	b.publish(b.event("income.added", "e-1", "a-1"))
	b.work([]string{"e-1"}, schema.Income)
	b.completed("pinwheel:e-1:income")
	const first = `status          400
endpoint        /v1/test
code            no_such_thing
message         get /v1/test: status 400 no_such_thing
number          1
`
	if got := b.runs(0, "dead", "show", "1").stdout; !strings.HasPrefix(got, first) {
		t.Errorf("it begins with other lines than\n%s:\n%s", first, got)
	}
	var l shelf.LetterJSON
	b.must(json.Unmarshal([]byte(b.runs(0, "dead", "show", "1", "--json").stdout), &l))
	if l.Status != 400 || l.Endpoint != "/v1/test" || l.Error == nil ||
		l.Error.Code != "no_such_thing" {
		t.Errorf("got %+v", l)
	}
	// A letter of an earlier release has no status, and a completion is kept for less time.
	b.publish(b.event("shifts.added", "e-2", "a-1"))
	b.die(schema.ClassTransient, schema.ReasonLadderEnded, receivedAt,
		b.event("shifts.added", "e-2", "a-1"))
	contains(t, b.runs(0, "dead", "show", "2").stdout,
		"status          -\nendpoint        -\ncode            -\n"+
			"message         no completion of it is stored\n")
}
