package main

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wagewire/wagewire/deploy/shelf"
	"github.com/wagewire/wagewire/schema"
)

func TestEachReplayGivesEachEventACompletionOfItsOwn(t *testing.T) {
	b := newBench(t)
	b.work(nil, schema.Income)
	b.publish(b.event("income.added", "e-1", "a-1"), b.event("income.added", "e-2", "a-2"))
	for n := 1; n <= 2; n++ {
		got := b.runs(0, "replay", "--queue", "pinwheel_income", "--since", "all", "--yes")
		contains(t, got.stdout,
			fmt.Sprintf("pinwheel:e-1:r%d  income.added\npinwheel:e-2:r%d  income.added\n", n, n))
		contains(t, got.stderr,
			"2 events of pinwheel_income, received from 2024-05-06T07:08:09Z to 2024-05-06T07:08:09Z\n",
			"sent 2 to pinwheel_income, left out 0\n")
		b.completed(fmt.Sprintf("pinwheel:e-2:r%d:income", n))
	}
	want := []string{
		"pinwheel:e-1:income succeeded", "pinwheel:e-1:r1:income succeeded",
		"pinwheel:e-1:r2:income succeeded",
		"pinwheel:e-2:income succeeded", "pinwheel:e-2:r1:income succeeded",
		"pinwheel:e-2:r2:income succeeded",
	}
	if diff := cmp.Diff(want, b.all()); diff != "" {
		t.Errorf("completions (-want +got):\n%s", diff)
	}
}

func TestAReplayTakesNoNumberWithACompletionOfAPersonsAccount(t *testing.T) {
	b := newBench(t)
	e := b.event("verification_reports.refreshed", "e-1", "u-1")
	b.publish(e)
	first := e
	first.Redrive = 1
	first.Of = "a-1"
	c := schema.NewCompletion(first, schema.VerificationReports, schema.Succeeded, receivedAt)
	stored, err := b.conn.PublishCompletion(t.Context(), first, c)
	if err != nil || !stored {
		t.Fatalf("stored %t, %v", stored, err)
	}
	got := b.runs(0, "replay", "--queue", "pinwheel_verification_reports", "--since", "all",
		"--yes")
	contains(t, got.stdout, "pinwheel:e-1:r2  verification_reports.refreshed\n")
}

func TestAReplayTakesNoNumberWithACompletionOfAnotherAccount(t *testing.T) {
	b := newBench(t)
	b.publish(b.event("income.added", "e-1", "a-1"))
	first := b.event("income.added", "e-1", "a-2")
	first.Redrive = 1
	c := schema.NewCompletion(first, schema.Income, schema.Succeeded, receivedAt)
	stored, err := b.conn.PublishCompletion(t.Context(), first, c)
	if err != nil || !stored {
		t.Fatalf("stored %t, %v", stored, err)
	}
	got := b.runs(0, "replay", "--queue", "pinwheel_income", "--account", "a-1", "--yes")
	contains(t, got.stdout, "pinwheel:e-1:r2  income.added\n")
}

func TestAReplayIsForOneQueueEvenIfOthersReadTheType(t *testing.T) {
	b := newBench(t)
	p, _ := b.work(nil, schema.Paystubs, schema.Income)
	b.publish(b.event("paystubs.fully_synced", "e-1", "a-1"))
	b.completed("pinwheel:e-1:paystubs")
	b.completed("pinwheel:e-1:income")
	b.runs(0, "replay", "--queue", "pinwheel_income", "--type", "paystubs.fully_synced", "--yes")
	b.completed("pinwheel:e-1:r1:income")
	// The other queue is past the replay when it has completed what comes after it.
	b.publish(b.event("paystubs.added", "e-2", "a-1"))
	b.completed("pinwheel:e-2:paystubs")
	want := []string{"pinwheel:e-1:income succeeded", "pinwheel:e-1:paystubs succeeded",
		"pinwheel:e-1:r1:income succeeded", "pinwheel:e-2:paystubs succeeded"}
	if diff := cmp.Diff(want, b.all()); diff != "" {
		t.Errorf("completions (-want +got):\n%s", diff)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.asked) != 4 {
		t.Errorf("the provider was asked for %v", p.asked)
	}
}

func TestOnlyTheEventsThatAreChosenAreReplayed(t *testing.T) {
	b := newBench(t)
	hours := func(e schema.Event, n int) schema.Event {
		e.ReceivedAt = receivedAt.Add(time.Duration(n) * time.Hour)
		return e
	}
	e1 := b.event("paystubs.added", "e-1", "a-1")
	b.publish(e1, hours(b.event("paystubs.fully_synced", "e-2", "a-1"), 1),
		hours(b.event("paystubs.added", "e-3", "a.2"), 2),
		b.event("income.added", "e-4", "a-1"), b.event("link-connected", "e-5", "a-1"),
		hours(b.event("paystubs.added", "e-6", "a-erased"), 2))
	b.erase(b.event("paystubs.added", "e-6", "a-erased"))
	for _, of := range []struct {
		event schema.Event
		queue string
		n     int
	}{{e1, "pinwheel_paystubs", 1}, {another(e1), "", 2}} {
		if stored, err := b.conn.Redrive(t.Context(), of.event, of.queue, of.n); err != nil ||
			!stored {
			t.Fatal(stored, err)
		}
	}
	at := func(n int) string {
		return receivedAt.Add(time.Duration(n) * time.Hour).Format(time.RFC3339)
	}
	const first, second = "pinwheel:e-1:r3", "pinwheel:e-1:r3" // dry: each is the next
	for promise, test := range map[string]struct {
		flags []string
		want  []string
	}{
		"all that the queue reads, two bodies of one id as two": {[]string{"--since", "all"},
			[]string{first, "pinwheel:e-2:r1", "pinwheel:e-3:r1", "left out", second}},
		"a type": {[]string{"--type", "paystubs.fully_synced"},
			[]string{"pinwheel:e-2:r1"}},
		"two types": {[]string{"--type", "paystubs.fully_synced", "--type",
			"paystubs.added", "--account", "a-1"}, []string{first, "pinwheel:e-2:r1", second}},
		"an account": {[]string{"--account", "a.2"},
			[]string{"pinwheel:e-3:r1"}},
		"an account by its token": {[]string{"--account", schema.Token("a.2")},
			[]string{"pinwheel:e-3:r1"}},
		"since a time, which is included": {[]string{"--since", at(1)},
			[]string{"pinwheel:e-2:r1", "pinwheel:e-3:r1", "left out"}},
		"until a time, which is not": {[]string{"--until", at(1)}, []string{first, second}},
		"a stretch of time": {[]string{"--since", at(1), "--until", at(2)},
			[]string{"pinwheel:e-2:r1"}},
		"what of an erased account is not": {[]string{"--account", "a-erased"},
			[]string{"left out"}},
		"nothing": {[]string{"--since", at(10)}, nil},
	} {
		t.Run(promise, func(t *testing.T) {
			b := *b
			b.T = t
			got := b.runs(0,
				append([]string{"replay", "--queue", "pinwheel_paystubs", "--dry-run"},
					test.flags...)...)
			var keys []string
			for line := range strings.Lines(got.stdout) {
				key, _, _ := strings.Cut(line, "  ")
				if strings.Contains(line, "left out: its account is erased") {
					key = "left out"
				}
				keys = append(keys, key)
			}
			if diff := cmp.Diff(test.want, keys); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if n := len(b.keys()); n != 8 {
				t.Errorf("a dry run sent something: %d events", n)
			}
		})
	}
	b.runs(0, "replay", "--queue", "pinwheel_paystubs", "--since", "all", "--yes")
	want := []string{"pinwheel:e-1:r3", "pinwheel:e-2:r1", "pinwheel:e-3:r1", "pinwheel:e-1:r4"}
	for i := range want {
		want[i] += " to pinwheel_paystubs"
	}
	if diff := cmp.Diff(want, b.keys()[8:]); diff != "" {
		t.Errorf("sent (-want +got):\n%s", diff)
	}
}

func TestLongWorkSaysHowFarItIsAndWhereToGoOn(t *testing.T) {
	b := newBench(t)
	for i := range progressEvery + 1 {
		b.publish(b.event("income.added", fmt.Sprintf("e-%d", i), "a-1"))
	}
	replay := []string{"replay", "--queue", "pinwheel_income", "--account", "a-1", "--yes"}
	got := b.runs(0, append(replay, "--rate", "10000")...)
	contains(t, got.stderr,
		fmt.Sprintf("\n%d of %d\nsent %d to ", progressEvery, progressEvery+1, progressEvery+1))
	// The rate of one a second leaves time for an interrupt long before the last event, however
	// slow the machine is.
	slow := begin(t, b.server.Getenv(), append(replay, "--rate", "1")...)
	slow.stdout.await(t, "pinwheel:e-0:r2")
	slow.interrupt()
	if code := slow.ends(t); code != 1 {
		t.Errorf("exit code %d", code)
	}
	ended := regexp.MustCompile(`interrupted: after (\d+) of 101: .*; sent (\d+), to go on give --since 2024-05-06T07:08:09Z\n`)
	far := ended.FindStringSubmatch(slow.stderr.String())
	if far == nil || far[1] == "0" || far[1] != far[2] {
		t.Errorf("it does not say how far it is:\n%s", slow.stderr)
	}
}

func TestTheEventsOfAnAccountAreReplayedInTheirOrderUnderEachOfItsTokens(t *testing.T) {
	b := newBench(t)
	const id = "an id that is hashed"
	token := schema.Token(id)
	// An account may be named as the token of another.
	b.publish(b.event("income.added", "e-1", id), b.event("income.added", "e-2", token),
		b.event("income.added", "e-3", id), b.event("income.added", "e-4", token))
	got := b.runs(0, "replay", "--queue", "pinwheel_income", "--account", token, "--yes")
	want := "pinwheel:e-1:r1  income.added\npinwheel:e-2:r1  income.added\n" +
		"pinwheel:e-3:r1  income.added\npinwheel:e-4:r1  income.added\n"
	if diff := cmp.Diff(want, got.stdout); diff != "" {
		t.Errorf("sent (-want +got):\n%s", diff)
	}
}

func TestADryRunThatIsCutSaysWhatItDoesNotKnow(t *testing.T) {
	b := newBench(t)
	e := b.event("income.added", "e-1", "a-1")
	b.publish(e, b.event("income.added", "e-2", "a-2"))
	if _, err := b.conn.Redrive(t.Context(), e, "pinwheel_income", 1); err != nil {
		t.Fatal(err)
	}
	const most = 2 // the redrive is behind
	last, _, err := b.conn.Message(t.Context(), schema.EventsStream, most)
	b.must(err)
	at := last.At.UTC().Format(time.RFC3339Nano)
	for promise, test := range map[string]struct {
		until time.Time
		most  int
		key   string
		says  string
		not   string
	}{
		"where to go on, and no number of a redrive": {
			time.Time{}, most, "pinwheel:e-1  ", "to go on give --since " + at, "redrives after",
		},
		"no number of a redrive if the rest is after --until": {
			receivedAt.Add(time.Hour), most, "pinwheel:e-1  ", "and not for redrives after that",
			"--since",
		},
		"nothing, with the number, if it has seen all events": {
			time.Time{}, most + 1, "pinwheel:e-1:r2  ", "", "dry run looks",
		},
	} {
		t.Run(promise, func(t *testing.T) {
			r := replay{queueName: "pinwheel_income", Span: shelf.Span{Until: test.until}}
			r.dryRun = true
			var stdout, stderr strings.Builder
			s := session{terminal: terminal{stdout: &stdout, stderr: &stderr}, Operator: b.conn}
			b.must(r.check(s.terminal, true))
			f, err := r.find(t.Context(), s, test.most)
			b.must(err)
			b.must(r.sendAll(t.Context(), s, f))
			contains(t, stdout.String(), test.key)
			contains(t, r.unread(f), test.says)
			if strings.Contains(r.unread(f), test.not) {
				t.Errorf("it says %q", r.unread(f))
			}
		})
	}
}

func TestAReplayKeepsNoEventThatItsQueueDoesNotRead(t *testing.T) {
	b := newBench(t)
	events := []schema.Event{
		b.event("income.added", "e-1", "a-1"), b.event("paystubs.added", "e-2", "a-1"),
		b.event("paystubs.fully_synced", "e-3", "a-1"),
	}
	b.publish(events...)
	r := replay{queueName: "pinwheel_income", typeNames: []string{"income.added"}}
	r.yes = true
	s := session{Operator: b.conn}
	b.must(r.check(s.terminal, true))
	f, err := r.find(t.Context(), s, dryRunLook)
	b.must(err)
	var kept []string
	for _, e := range events {
		if len(f.past.Of(e)) > 0 {
			kept = append(kept, e.Key())
		}
	}
	if diff := cmp.Diff([]string{"pinwheel:e-1", "pinwheel:e-3"}, kept); diff != "" {
		t.Errorf("kept (-want +got):\n%s", diff)
	}
}
