package main

import (
	"bytes"
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/wagewire/wagewire/deploy/health"
	"github.com/wagewire/wagewire/deploy/trace"
	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
	"github.com/wagewire/wagewire/schema/stream/streamtest"
)

func TestTheStatusIsOneScreen(t *testing.T) {
	at := receivedAt.Add(3 * time.Hour)
	s := status{State: health.State{
		At: at,
		Streams: []stream.Level{
			{Name: schema.EventsStream, Messages: 12, MessagesMax: 16, Bytes: 1536 << 10,
				BytesMax: 3 << 20, Oldest: receivedAt},
			{Name: schema.QuarantineStream, BytesMax: -1},
			{Name: "WAGEWIRE_WAITING_TRUV_LINK", BytesMax: -1},
			{Name: "WAGEWIRE_WAITING_PINWHEEL_INCOME", Messages: 3, Bytes: 1536, BytesMax: -1,
				Oldest: at.Add(-time.Hour)},
			{Name: "WAGEWIRE_WAITING_PINWHEEL_SHIFTS", Messages: 1, Bytes: 512, BytesMax: -1,
				Oldest: at.Add(-2 * time.Hour)},
			{Name: "OBJ_WAGEWIRE_RECORDS", BytesMax: -1},
		},
		Queues: []stream.QueueStatus{
			{
				Name: "pinwheel_income", Ready: 7, InHand: 2, Redelivered: 1, Requests: 1,
				Oldest: at.Add(-90 * time.Second), PausedUntil: at.Add(time.Hour), Waiting: 3,
				Replays: 1999,
				WaitingByClass: []stream.WaitingCount{
					{Class: schema.ClassForbidden, Count: 1, Next: at, Last: at},
					{
						Class: schema.ClassTransient, Count: 2,
						Next: at.Add(4 * time.Minute), Last: at.Add(10 * time.Hour),
					},
				},
			},
			{Name: "truv_link", PausedUntil: at.Add(trace.PauseForever)},
			{Name: "pinwheel_shifts", Closures: []schema.ClosureReason{schema.ClosureHeld}},
			{Name: "pinwheel_paystubs", Closures: []schema.ClosureReason{
				schema.ClosureHeld, schema.ClosureDown,
			}},
			{Name: "pinwheel_verification_reports", Refusal: &schema.Pause{
				Paused: true, Since: receivedAt, Class: schema.ClassUnauthorized, Status: 401,
				Endpoint: "/v1/end_users/{end_user_id}/verification_reports/voie",
				ProbeAt:  at.Add(20 * time.Second), Probes: 4,
			}},
		},
		Budgets: []stream.BudgetStatus{
			{Provider: schema.Pinwheel, At: at, Budget: schema.Budget{
				RatePerS: 10, Hold: schema.BudgetHold{Until: at.Add(25 * time.Second)},
				Minute: schema.BudgetMinute{Began: at.Truncate(time.Minute), Turns: 9},
				LastMinute: schema.BudgetMinute{
					Began: at.Truncate(time.Minute).Add(-time.Minute),
					Turns: 594, Replays: 94, WaitedS: 3.21,
				},
			}},
			{Provider: schema.Truv, At: at, Unreadable: "read the budget of truv: too new"},
		},
		DeadLetters: []health.DeadCount{
			{Queue: "pinwheel_income", Class: schema.ClassTransient, Count: 3, Oldest: at},
			{Queue: "truv_link", Class: schema.ClassPoison, Count: 1, Oldest: at},
		},
		Processes: []health.RoleState{
			{Role: "income", Running: 2, Lost: 1, Versions: []string{"v1", "v2"}},
			{Role: "ingress", Lost: 1},
		},
		Missing: []string{schema.AdvisoriesStream, "pinwheel_identity"},
	},
		Quarantine: 2,
		Teams: []health.TeamLag{
			{
				Team: "lending", Durables: 2, Lag: 17, Oldest: at.Add(-50 * time.Hour),
				LostAt: at.Add(19 * day), Active: at.Add(-3 * time.Second), Abandoned: 1,
			},
			{Durables: 1},
		},
		Advice: stream.ErrNoQueue.Error(),
	}
	s.Findings = []health.Finding{
		{
			Name: health.RefusedCredentials, Severity: health.Bad,
			Text: "pinwheel refuses our key\x1b[2J",
			Do:   "replace it",
		},
		{Name: health.QueuePaused, Severity: health.Note, Text: "a queue is paused", Do: "resume"},
	}
	s.Verdict = s.Judge(s.Findings)
	want := `BAD   pinwheel refuses our key\x1b[2J: replace it (wagewire explain refused-credentials)
NOTE  a queue is paused: resume (wagewire explain queue-paused)

STREAM                MESSAGES  OF  BYTES   OF    FULL  OLDEST
WAGEWIRE_EVENTS       12        16  1.5MiB  3MiB  75%   3h0m
WAGEWIRE_QUARANTINE   0         -   0B      -     -     -
OBJ_WAGEWIRE_RECORDS  0         -   0B      -     -     -
WAGEWIRE_WAITING_*    4         -   2KiB    -     -     2h0m

QUEUE                          READY  IN HAND  WAITING  REPLAYS  OLDEST  REQUESTS  PAUSED
pinwheel_income                7      2        3        1999     1m30s   1         ends in 1h0m
truv_link                      0      0        0        0        -       0         until resumed
pinwheel_shifts                0      0        0        0        -       0         -
pinwheel_paystubs              0      0        0        0        -       0         provider down
pinwheel_verification_reports  0      0        0        0        -       0         refused

WAITING          CLASS      COUNT  NEXT TRY  LAST TRY
pinwheel_income  forbidden  1      now       now
pinwheel_income  transient  2      in 4m0s   in 10h0m

BUDGET    RATE  LAST MINUTE  REPLAYS  LONGEST WAIT  HELD
pinwheel  10/s  9.9/s        94       3.2s          until 2024-05-06T10:08:34Z (in 25s)
truv      -     -            -        -             not readable, see below

DEAD LETTERS     CLASS      COUNT
pinwheel_income  transient  3
truv_link        poison     1

TEAM     DURABLES  ABANDONED  LAG  OLDEST  LOST      ACTIVE
lending  2         1          17   2d2h    in 19d0h  3s
-        1         0          0    -       -         -

PROCESSES  RUNNING  LOST  VERSIONS
income     2        1     v1,v2
ingress    0        1     -

in quarantine: 2

pinwheel_verification_reports
  the queue is paused since 2024-05-06T07:08:09Z: the provider refuses our credentials
  unauthorized, 401 from /v1/end_users/{end_user_id}/verification_reports/voie
  an event asks again in 20s; refused until now: 4 probes

read the budget of truv: too new

not there: WAGEWIRE_ADVISORIES, pinwheel_identity: run: wagewire provision apply
`
	var got bytes.Buffer
	if err := s.print(&got, at); err != nil || got.String() != want {
		t.Errorf("%v (-want +got):\n%s", err, cmp.Diff(want, got.String()))
	}
	if lines := strings.Count(want, "\n"); lines > 48 {
		t.Errorf("%d lines", lines)
	}
	for line := range strings.Lines(want) {
		if len(line) > 101 { // 100 and the end of the line
			t.Errorf("longer than 100 columns: %s", line)
		}
	}
}

func TestTheStatusCountsWhatIsThere(t *testing.T) {
	b := newBench(t)
	events := []schema.Event{b.event("income.added", "e-1", "a-1"),
		b.event("paystubs.fully_synced", "e-2", "a-1")}
	b.publish(events...)
	b.die(schema.ClassTransient, schema.ReasonLadderEnded, receivedAt, events[0])
	b.quarantine(schema.Truv, schema.QuarantineJSON, []byte("{"))
	b.runs(0, "pause", "truv_link")
	income, _ := schema.QueueNamed("pinwheel_income")
	patient := streamtest.ConnectPatiently(t, b.server.URL()) // CloseFor asks once
	b.must(patient.Queue(income).CloseFor(t.Context(), schema.ClosureDown, time.Hour))
	var got status
	b.must(json.Unmarshal([]byte(b.runs(0, "status", "--json").stdout), &got))
	queues := map[string]stream.QueueStatus{}
	for _, q := range got.Queues {
		queues[q.Name] = q
	}
	if len(got.Streams) != 11+len(schema.Queues()) || got.Streams[0].Messages != 2 ||
		got.Streams[0].Oldest.IsZero() ||
		len(queues) != len(schema.Queues()) {
		t.Errorf("streams %+v", got.Streams)
	}
	if q := queues["pinwheel_income"]; q.Ready != 1 || q.InHand != 0 || q.Oldest.IsZero() ||
		!q.PausedUntil.IsZero() || !slices.Equal(q.Closures,
		[]schema.ClosureReason{schema.ClosureDown}) {
		t.Errorf("got %+v", q)
	}
	if q := queues["truv_link"]; q.Ready != 0 || q.PausedUntil.IsZero() ||
		!slices.Equal(q.Closures, []schema.ClosureReason{schema.ClosurePaused}) {
		t.Errorf("got %+v", q)
	}
	want := []health.DeadCount{{
		Queue: "pinwheel_income", Class: schema.ClassTransient, Count: 1,
		Oldest: got.DeadLetters[0].Oldest,
	}}
	diff := cmp.Diff(want, got.DeadLetters)
	if diff != "" || got.Quarantine != 1 || len(got.Missing) > 0 {
		t.Errorf("quarantine %d, missing %q, dead letters (-want +got):\n%s", got.Quarantine,
			got.Missing, diff)
	}
	contains(t, b.runs(0, "status").stdout, "\nin quarantine: 1\n",
		"pinwheel_income  transient  1\n", "until resumed\n", "provider down\n")
}

func TestWhatIsNotThereIsSaidWithWhatMakesIt(t *testing.T) {
	b := newBench(t)
	b.must(b.js.DeleteConsumer(t.Context(), schema.EventsStream, "pinwheel_income"))
	b.must(b.js.DeleteStream(t.Context(), schema.DeadLettersStream))
	contains(t, b.runs(4, "status").stdout,
		"BAD   not there: WAGEWIRE_DEAD_LETTERS, pinwheel_income: run wagewire provision apply (",
		"\nnot there: WAGEWIRE_DEAD_LETTERS, pinwheel_income: run: wagewire provision apply\n")
	var got status
	b.must(json.Unmarshal([]byte(wagewire(t, startBroker(t).Getenv(), "status", "--json").stdout),
		&got))
	if len(got.Missing) != 11+len(schema.Queues()) || got.Advice != "run: wagewire provision apply" {
		t.Errorf("a broker with nothing on it: %+v", got)
	}
	for _, args := range [][]string{
		{"dead", "list"}, {"quarantine", "list"}, {"trace", "e-1"},
		{"replay", "--queue", "pinwheel_income", "--since", "all", "--dry-run"},
		{"pause", "truv_link"}, {"resume", "truv_link"}, {"dead", "show", "1"},
	} {
		if got := wagewire(t, startBroker(t).Getenv(), args...); got.code != 1 ||
			!strings.Contains(got.stderr, "run: wagewire provision apply\n") {
			t.Errorf("%q: got %+v", args, got)
		}
	}
}

func TestTheStatusIsWatchedUntilCtrlC(t *testing.T) {
	b := newBench(t)
	for promise, args := range map[string][]string{
		"the interval behind":      {"status", "--watch", "1ms"},
		"the interval in the flag": {"status", "--watch=1ms"},
		"for another program":      {"status", "--watch=1ms", "--json"},
	} {
		t.Run(promise, func(t *testing.T) {
			watched := begin(t, b.server.Getenv(), args...)
			watched.stdout.awaitMatch(t, regexp.MustCompile(`(?s)truv_link.*truv_link.*truv_link`))
			watched.interrupt()
			if code := watched.ends(t); code != 0 || watched.stderr.String() != "" ||
				strings.Contains(watched.stdout.String(), clearScreen) {
				t.Errorf("exit code %d, stderr %q", code, watched.stderr)
			}
		})
	}
	t.Run("a screen is clearScreend before", func(t *testing.T) {
		var out bytes.Buffer
		s := session{terminal{stdout: &out, isScreen: true}, b.conn, 0}
		_, err := showStatus(t.Context(), s, health.Config{}, statusOptions{})
		if err != nil || !strings.HasPrefix(out.String(), clearScreen+"OK ") {
			t.Errorf("%v: %q", err, out.String())
		}
	})
}

func TestAWatchGoesOnWhenTheBrokerIsBack(t *testing.T) {
	b := newBench(t)
	watched := begin(t, b.server.Getenv(), "status", "--watch", "10ms")
	watched.stdout.await(t, "truv_link")
	b.server.Stop()
	watched.stdout.await(t, "BAD   wagewire cannot read NATS: nats is not connected")
	b.must(b.server.Restart())
	b.quarantine(schema.Truv, schema.QuarantineJSON, []byte("{"))
	watched.stdout.await(t, "in quarantine: 1")
	watched.interrupt()
	if code := watched.ends(t); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

func TestAPausedQueueRestsAndItsWorkersWithIt(t *testing.T) {
	b := newBench(t)
	got := b.runs(0, "pause", "pinwheel_income", "truv_link")
	if got.stdout != "pinwheel_income: paused until resumed\ntruv_link: paused until resumed\n" {
		t.Errorf("got %q", got.stdout)
	}
	p, _ := b.work(nil, schema.Income)
	b.publish(b.event("income.added", "e-1", "a-1"))
	// Its one hand has asked, and has not got it.
	b.queueAt("pinwheel_income", func(q *jetstream.ConsumerInfo) bool {
		return q.Paused && q.NumWaiting == 1 && q.NumPending == 1 && q.NumAckPending == 0
	})
	p.mu.Lock()
	if len(p.asked) > 0 {
		t.Errorf("it was worked on: %v", p.asked)
	}
	p.mu.Unlock()
	if got := b.runs(0, provision("apply", small()...)...); got.stdout != "nothing to change\n" {
		t.Errorf("provision apply has something to say of a pause: %q", got.stdout)
	}
	got = b.runs(0, "resume", "pinwheel_income", "pinwheel_shifts")
	if got.stdout != "pinwheel_income: resumed\npinwheel_shifts: was not paused\n" {
		t.Errorf("got %q", got.stdout)
	}
	b.completed("pinwheel:e-1:income")
	got = b.runs(0, "pause", "pinwheel_income", "--for", "2d")
	ends := regexp.MustCompile(`^pinwheel_income: paused until \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\n$`)
	if !ends.MatchString(got.stdout) {
		t.Errorf("got %q", got.stdout)
	}
}
