package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
	"github.com/wagewire/wagewire/schema/stream/streamtest"
)

// nowhere is where no broker can be: the port is reserved.
const nowhere = "nats://127.0.0.1:1"

// small are the flags of streamtest.Topology.
func small(more ...string) []string {
	var args []string
	topology := schema.DefaultTopology()
	for _, s := range limitsOf(&topology) {
		if s.MaxBytes > 0 {
			args = append(args, "--max-bytes", s.Name+"=64MiB")
		}
	}
	return append(args, more...)
}

func provision(verb string, flags ...string) []string {
	return append([]string{"provision", verb}, flags...)
}

func startBroker(t *testing.T) *streamtest.Server {
	t.Helper()
	s, err := streamtest.Start(streamtest.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Stop)
	return s
}

// odd starts a nats-server unlike those of streamtest, and returns its address.
func odd(t *testing.T, options server.Options) string {
	t.Helper()
	options.Host = "127.0.0.1"
	options.Port = server.RANDOM_PORT
	options.NoLog = true
	options.NoSigs = true
	options.StoreDir = t.TempDir()
	s, err := server.NewServer(&options)
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	streamtest.Eventually(t, "nats-server is ready",
		func() bool { return s.ReadyForConnections(time.Second) })
	return s.ClientURL()
}

// created counts the lines of a plan that create something.
func created(plan string) int { return strings.Count("\n"+plan, "\n+ ") }

func lastLine(text string) string {
	text = strings.TrimSuffix(text, "\n")
	return text[strings.LastIndex(text, "\n")+1:]
}

func changesOf(t *testing.T, conn *stream.Operator, topology schema.Topology) []string {
	t.Helper()
	changes, err := conn.Plan(t.Context(), topology)
	if err != nil {
		t.Fatal(err)
	}
	var texts []string
	for _, c := range changes {
		texts = append(texts, c.String())
	}
	return texts
}

func TestPlanPrintsTheDifferenceAndChangesNothing(t *testing.T) {
	s := startBroker(t)
	for range 2 {
		got := wagewire(t, s.Getenv(), provision("plan")...)
		if got.code != 0 || got.stderr != "" {
			t.Fatalf("got %+v", got)
		}
		for _, want := range []string{
			"+ stream WAGEWIRE_EVENTS\n    subjects: wagewire.events.>\n",
			"+ object store WAGEWIRE_RECORDS\n", "+ queue truv_link\n",
			"    max_bytes: 2147483648\n",
		} {
			if !strings.Contains(got.stdout, want) {
				t.Errorf("it does not print %q but\n%s", want, got.stdout)
			}
		}
		want := fmt.Sprintf("%d to create, 0 to change, 0 refused", created(got.stdout))
		if last := lastLine(got.stdout); last != want {
			t.Errorf("the last line is %q, want %q", last, want)
		}
	}
}

func TestApplyMakesWhatPlanPrinted(t *testing.T) {
	s := startBroker(t)
	plan := wagewire(t, s.Getenv(), provision("plan", small()...)...)
	got := wagewire(t, s.Getenv(), provision("apply", small()...)...)
	applied := fmt.Sprintf("applied: %d created, 0 changed\n", created(plan.stdout))
	if want := (result{stdout: plan.stdout + applied}); got != want {
		t.Errorf("apply: (-want +got):\n%s", cmp.Diff(want, got, cmp.AllowUnexported(result{})))
	}
	op := stream.NewOperator(s.Connect(t))
	if left := changesOf(t, op, streamtest.Topology()); len(left) > 0 {
		t.Errorf("it is not done:\n%s", strings.Join(left, "\n"))
	}
	for _, verb := range []string{"plan", "apply"} {
		got := wagewire(t, s.Getenv(), provision(verb, small()...)...)
		if want := (result{stdout: "nothing to change\n"}); got != want {
			t.Errorf("%s again: got %+v, want %+v", verb, got, want)
		}
	}
}

func TestApplyChangesWhatIsSafe(t *testing.T) {
	s, conn := streamtest.New(t)
	flags := small("--max-bytes", "WAGEWIRE_EVENTS=32MiB", "--max-age", "WAGEWIRE_DEAD_LETTERS=30d",
		"--max-age", "WAGEWIRE_RECORDS=0", "--shrink", "WAGEWIRE_EVENTS",
		"--shrink", "WAGEWIRE_DEAD_LETTERS")
	got := wagewire(t, s.Getenv(), provision("apply", flags...)...)
	want := `~ stream WAGEWIRE_EVENTS
    max_bytes: 67108864 -> 33554432
~ stream WAGEWIRE_DEAD_LETTERS
    max_age: 2160h0m0s -> 720h0m0s
~ object store WAGEWIRE_RECORDS
    max_age: 528h0m0s -> 0s
0 to create, 3 to change, 0 refused
applied: 0 created, 3 changed
`
	if diff := cmp.Diff(result{stdout: want}, got, cmp.AllowUnexported(result{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if changed := changesOf(t, stream.NewOperator(conn), streamtest.Topology()); len(changed) != 3 {
		t.Errorf("the broker has %d changes, want 3:\n%s", len(changed),
			strings.Join(changed, "\n"))
	}
}

func TestWithExitCodePlanTellsADifferenceFromNone(t *testing.T) {
	s, _ := streamtest.New(t)
	same := provision("plan", small("--exit-code")...)
	if got := wagewire(t, s.Getenv(), same...); got.code != 0 {
		t.Errorf("nothing differs: got %+v, want exit code 0", got)
	}
	if got := wagewire(t, s.Getenv(), provision("plan", "--exit-code")...); got.code != 3 ||
		got.stderr != "" {
		t.Errorf("sizes differ: got %+v, want exit code 3", got)
	}
}

func TestAChangeThatLosesDataIsRefusedWithAllOthers(t *testing.T) {
	s, conn := streamtest.New(t)
	publishCompletions(t, conn,
		completed("pinwheel", "income.added", "e-1", "a-1", schema.Income, schema.Succeeded))
	flags := small("--max-bytes", "WAGEWIRE_COMPLETIONS=1", "--max-bytes",
		"WAGEWIRE_QUARANTINE=1MiB", "--shrink", "all")
	got := wagewire(t, s.Getenv(), provision("apply", flags...)...)
	for _, want := range []string{
		"! stream WAGEWIRE_COMPLETIONS: refused: ", "~ stream WAGEWIRE_QUARANTINE",
		"\n0 to create, 1 to change, 1 refused\n",
	} {
		if !strings.Contains(got.stdout, want) {
			t.Errorf("it does not print %q but\n%s", want, got.stdout)
		}
	}
	if want := `stream WAGEWIRE_COMPLETIONS: to keep the stored data, run it with --max-bytes WAGEWIRE_COMPLETIONS=67108864
wagewire provision apply: refused 1 of 2 changes, nothing was applied
`; got.code != 1 || got.stderr != want {
		t.Errorf("exit code %d, want 1; stderr (-want +got):\n%s", got.code,
			cmp.Diff(want, got.stderr))
	}
	if changed := changesOf(t, stream.NewOperator(conn), streamtest.Topology()); len(changed) > 0 {
		t.Errorf("something was changed:\n%s", strings.Join(changed, "\n"))
	}
	if got := wagewire(t, s.Getenv(), provision("plan", flags...)...); got.code != 0 ||
		!strings.Contains(got.stdout, "1 refused") {
		t.Errorf("plan: got %+v, want exit code 0 and what would be refused", got)
	}
}

// makeFormerStream makes the stream that held the waiting events of all queues, in the place of the
// queues' streams. n events wait in a queue.
func (b *bench) makeFormerStream(queue string, n int) {
	b.Helper()
	for _, q := range schema.Queues() {
		b.must(b.js.DeleteStream(b.Context(), q.WaitingStream()))
	}
	_, err := b.js.CreateStream(b.Context(), jetstream.StreamConfig{
		Name: schema.FormerWaitingStream, AllowMsgSchedules: true,
		Subjects: []string{"wagewire.waiting.>", "wagewire.retries.>"},
	})
	b.must(err)
	for i := range n {
		e := b.event("income.added", fmt.Sprint("e-", i), "a-1")
		_, err := b.js.PublishMsg(b.Context(), &nats.Msg{
			Subject: e.WaitingSubject(queue),
			Header: nats.Header{
				jetstream.ScheduleHeader:       {"@at " + tomorrow.Format(time.RFC3339)},
				jetstream.ScheduleTargetHeader: {schema.RetriesSubject(queue, e.Account())},
			},
		})
		b.must(err)
	}
}

func TestApplyMovesWaitingEventsAndSaysHowFarItIs(t *testing.T) {
	b := newBench(t)
	b.makeFormerStream("pinwheel_income", progressEvery+1)
	move := "~ stream WAGEWIRE_WAITING: move 101 waiting events and 0 retries to the streams of " +
		"their queues, then delete it\n"
	contains(t, b.runs(0, provision("plan", small()...)...).stdout, move, " 0 refused\n")
	got := b.runs(0, provision("apply", small()...)...)
	contains(t, got.stdout, move, "applied: ")
	contains(t, got.stderr, "100 of 101\n")
	if n := len(b.waiting()); n != progressEvery+1 {
		t.Errorf("%d events wait", n)
	}
	if again := b.runs(0, provision("plan", small()...)...); again.stdout != "nothing to change\n" {
		t.Errorf("planned again: %s", again.stdout)
	}
}

func TestWaitingEventsOfAQueueThatIsGoneAreNotThrownAway(t *testing.T) {
	b := newBench(t)
	b.makeFormerStream("acme_pay", 1)
	got := b.runs(1, provision("apply", small()...)...)
	contains(t, got.stdout, "! stream WAGEWIRE_WAITING: refused: it holds events of the queue "+
		"acme_pay, which this release does not have\n")
	contains(t, got.stderr, "stream WAGEWIRE_WAITING: let the workers of the former release "+
		"finish these events, or delete them", "nothing was applied\n")
}

func TestWhatToDoInsteadOfARefusedChange(t *testing.T) {
	for promise, test := range map[string]struct {
		what   string
		fields []stream.Field
		want   string
	}{
		"a size is kept": {
			"stream X", []stream.Field{{Name: "max_bytes", Have: "100", Want: "10"}},
			"run it with --max-bytes X=100",
		},
		"an age is kept": {
			"object store X", []stream.Field{{Name: "max_age", Have: "336h0m0s", Want: "24h0m0s"}},
			"run it with --max-age X=336h0m0s",
		},
		"no limit on the size": {
			"stream X", []stream.Field{{Name: "max_bytes", Have: "-1", Want: "10"}},
			"--max-bytes X=SIZE with more than it holds",
		},
		"an age of waiting events is kept with the flag of the events": {
			"stream WAGEWIRE_WAITING_TRUV_LINK",
			[]stream.Field{{Name: "max_age", Have: "336h0m0s", Want: "24h0m0s"}},
			"run it with --max-age WAGEWIRE_EVENTS=336h0m0s",
		},
		"both are kept": {
			"stream X",
			[]stream.Field{{Name: "max_age", Have: "0s"}, {Name: "max_bytes", Have: "9"}},
			"--max-age X=0s and --max-bytes X=9",
		},
		"what no flag sets is done by hand": {
			"stream X", []stream.Field{{Name: "storage", Have: "Memory", Want: "File"}},
			"with the nats command",
		},
		"a queue is made again, by hand too": {
			"queue x", []stream.Field{{Name: "ack_policy"}}, "with the nats command",
		},
	} {
		t.Run(promise, func(t *testing.T) {
			got := adviceOnRefusal(stream.Change{What: test.what, Fields: test.fields})
			if !strings.HasPrefix(got, test.what+": ") || !strings.Contains(got, test.want) {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestABrokerThatComesLaterIsWaitedFor(t *testing.T) {
	s := startBroker(t)
	s.Stop()
	later := begin(t, s.Getenv(), provision("apply", small("--wait", "10m")...)...)
	later.stderr.await(t, "waiting up to 10m0s for NATS at "+s.URL()+"\n")
	if err := s.Restart(); err != nil {
		t.Fatal(err)
	}
	if code, last := later.ends(t), lastLine(later.stdout.String()); code != 0 ||
		!strings.HasPrefix(last, "applied: ") {
		t.Errorf("exit code %d and %q, want 0 and what was applied, with\n%s", code, last,
			later.stderr)
	}
}

func TestAnInterruptEndsTheWait(t *testing.T) {
	waiting := begin(t, env("NATS_URL", nowhere), provision("apply", "--wait", "10m")...)
	waiting.stderr.await(t, "waiting")
	waiting.interrupt()
	if code := waiting.ends(t); code != 1 ||
		!strings.Contains(waiting.stderr.String(), "interrupted") {
		t.Errorf("exit code %d, want 1, with\n%s", code, waiting.stderr)
	}
}

func TestABrokerThatWantsCredentialsSaysSo(t *testing.T) {
	url := odd(t, server.Options{JetStream: true, Username: "u", Password: "p"})
	// How long the broker takes to refuse a connection depends on the machine.
	streamtest.Eventually(t, "the error says that NATS_CREDS_FILE is needed", func() bool {
		got := wagewire(t, env("NATS_URL", url), provision("apply", "--wait", "1s")...)
		return got.code == 1 &&
			strings.Contains(got.stderr, "Authorization Violation: set NATS_CREDS_FILE")
	})
}

func TestABrokerThatIsNoUseIsOneClearLine(t *testing.T) {
	for promise, test := range map[string]struct {
		url   func(*testing.T) string
		flags []string
		want  []string
	}{
		"none there": {
			func(*testing.T) string { return nowhere }, []string{"--wait", "0"},
			[]string{"NATS_URL: nats://127.0.0.1:1: no answer within 0s: nats is not connected"},
		},
		"none there, and the password does not print": {
			func(*testing.T) string { return "nats://user:hunter2@127.0.0.1:1, token@127.0.0.1:1" },
			[]string{"--wait", "0"},
			[]string{"NATS_URL: nats://127.0.0.1:1,nats://127.0.0.1:1: no answer"},
		},
		"no URL, and the password does not print": {
			func(*testing.T) string { return "nats://user:hunter2@127.0.0.1:port" }, nil,
			[]string{"NATS_URL: it is not a URL"},
		},
		"one without JetStream": {
			func(t *testing.T) string { return odd(t, server.Options{}) }, nil,
			[]string{"NATS_URL: nats://",
				"JetStream is not enabled: start nats-server with --jetstream"},
		},
		"one without the room": {
			func(t *testing.T) string {
				return odd(t, server.Options{JetStream: true, JetStreamMaxStore: 1 << 20})
			}, nil,
			[]string{"apply stream WAGEWIRE_EVENTS", "insufficient storage resources",
				"lower --max-bytes"},
		},
		"one server for three replicas": {
			func(t *testing.T) string { return odd(t, server.Options{JetStream: true}) },
			small("--replicas", "3"),
			[]string{"apply stream WAGEWIRE_EVENTS", "lower --replicas to 1"},
		},
	} {
		t.Run(promise, func(t *testing.T) {
			got := wagewire(t, env("NATS_URL", test.url(t)), provision("apply", test.flags...)...)
			lines := strings.Split(strings.TrimSpace(got.stderr), "\n")
			last := lines[len(lines)-1]
			if got.code != 1 || strings.Contains(got.stderr, "hunter2") ||
				strings.Contains(got.stderr, "token") {
				t.Errorf("exit code %d, want 1, and no password in\n%s", got.code, got.stderr)
			}
			if len(lines) > 2 || len(lines) == 2 && !strings.HasPrefix(lines[0], "waiting up to ") {
				t.Errorf("it says more than that it waited, and why it ended:\n%s", got.stderr)
			}
			for _, want := range test.want {
				if !strings.Contains(last, want) {
					t.Errorf("it does not say %q but\n%s", want, last)
				}
			}
		})
	}
}
