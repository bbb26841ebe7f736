package main

import (
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
)

// with returns the environment of the bench with more variables.
func (b *bench) with(variables map[string]string) func(string) string {
	variables = maps.Clone(variables)
	return func(name string) string {
		if value, set := variables[name]; set {
			return value
		}
		return b.server.Getenv()(name)
	}
}

// limits returns the configuration of a stream on the broker.
func (b *bench) limits(name string) jetstream.StreamConfig {
	b.Helper()
	s, err := b.js.Stream(b.Context(), name)
	b.must(err)
	return s.CachedInfo().Config
}

// smallSizes is the variable with the sizes of streamtest.Topology.
func smallSizes() string {
	var sizes []string
	topology := schema.DefaultTopology()
	for _, s := range limitsOf(&topology) {
		if s.MaxBytes > 0 {
			sizes = append(sizes, s.Name+"=64MiB")
		}
	}
	return strings.Join(sizes, ",")
}

func TestAStreamNeverGetsLessWithoutShrink(t *testing.T) {
	const (
		size = 64 << 20 // of each stream before
		age  = 14 * day // of the events before
	)
	for promise, test := range map[string]struct {
		maxBytes, maxAge string // variables, beside the sizes of now
		flags            []string
		// holds is how many bytes of events are stored before.
		holds int
		// says are lines of apply, and differs is the exit code of plan --exit-code before it.
		says    []string
		differs int
		// code is the exit code of apply. bytes and age are what the events have then.
		code  int
		bytes int64
		age   time.Duration
	}{
		"the same wish changes nothing": {
			says: []string{"nothing to change\n"}, bytes: size, age: age,
		},
		"a variable enlarges": {
			maxBytes: "WAGEWIRE_EVENTS=96MiB", maxAge: "WAGEWIRE_EVENTS=15d",
			says: []string{
				"~ stream WAGEWIRE_EVENTS\n", "max_bytes: 67108864 -> 100663296\n",
				"max_age: 336h0m0s -> 360h0m0s\n",
			},
			differs: exitDiffers, bytes: 96 << 20, age: 15 * day,
		},
		"a flag wins over a variable": {
			maxBytes: "WAGEWIRE_EVENTS=96MiB", flags: []string{"--max-bytes", "WAGEWIRE_EVENTS=80MiB"},
			says:    []string{"max_bytes: 67108864 -> 83886080\n"},
			differs: exitDiffers, bytes: 80 << 20, age: age,
		},
		"a smaller size of a variable is not taken": {
			maxBytes: "WAGEWIRE_EVENTS=32MiB",
			says: []string{
				"= stream WAGEWIRE_EVENTS keeps 64MiB, more than the wished 32MiB: " +
					"--shrink changes it\n", "nothing to change\n",
			},
			bytes: size, age: age,
		},
		"a smaller size of a flag is not taken either": {
			flags: []string{"--max-bytes", "WAGEWIRE_EVENTS=32MiB"},
			says:  []string{"= stream WAGEWIRE_EVENTS keeps 64MiB, more than the wished 32MiB"},
			bytes: size, age: age,
		},
		"a shorter age is not taken, for the waiting events either": {
			maxAge: "WAGEWIRE_EVENTS=7d",
			says: []string{
				"= stream WAGEWIRE_EVENTS keeps messages 14d, longer than the wished 7d: " +
					"--shrink changes it\nnothing to change\n",
			},
			bytes: size, age: age,
		},
		"another stream is no permission": {
			maxBytes: "WAGEWIRE_EVENTS=32MiB", flags: []string{"--shrink", "WAGEWIRE_QUARANTINE"},
			says:  []string{"= stream WAGEWIRE_EVENTS keeps 64MiB", "nothing to change\n"},
			bytes: size, age: age,
		},
		"shrink takes what holds no data": {
			maxBytes: "WAGEWIRE_EVENTS=32MiB", maxAge: "WAGEWIRE_EVENTS=7d",
			flags: []string{"--shrink", "WAGEWIRE_EVENTS"}, holds: 1 << 20,
			says: []string{
				"max_bytes: 67108864 -> 33554432\n", "max_age: 336h0m0s -> 168h0m0s\n",
				"~ stream WAGEWIRE_WAITING_TRUV_LINK\n    max_age: 336h0m0s -> 168h0m0s\n",
			},
			differs: exitDiffers, bytes: 32 << 20, age: 7 * day,
		},
		"shrink of all takes it too": {
			maxBytes: "WAGEWIRE_EVENTS=32MiB", flags: []string{"--shrink", "all"},
			says:    []string{"max_bytes: 67108864 -> 33554432\n"},
			differs: exitDiffers, bytes: 32 << 20, age: age,
		},
		"stored data over the wished size stays, and provision goes on": {
			maxBytes: "WAGEWIRE_EVENTS=1MiB,WAGEWIRE_QUARANTINE=96MiB", holds: 2 << 20,
			says: []string{
				"= stream WAGEWIRE_EVENTS keeps 64MiB, more than the wished 1MiB",
				"~ stream WAGEWIRE_QUARANTINE\n",
			},
			differs: exitDiffers, bytes: size, age: age,
		},
		"shrink does not take what holds stored data": {
			maxBytes: "WAGEWIRE_EVENTS=1MiB", flags: []string{"--shrink", "WAGEWIRE_EVENTS"},
			holds:   2 << 20,
			says:    []string{"! stream WAGEWIRE_EVENTS: refused: the stream holds "},
			differs: exitDiffers, code: 1, bytes: size, age: age,
		},
	} {
		t.Run(promise, func(t *testing.T) {
			b := newBench(t)
			stored := b.fill(test.holds)
			variables := map[string]string{
				"STREAM_MAX_BYTES": replaceSizes(smallSizes(), test.maxBytes),
				"STREAM_MAX_AGE":   test.maxAge,
			}
			plan := wagewire(t, b.with(variables), provision("plan",
				append(test.flags, "--exit-code")...)...)
			if plan.code != test.differs {
				t.Errorf("plan: exit code %d, want %d, with\n%s%s", plan.code, test.differs,
					plan.stdout, plan.stderr)
			}
			got := wagewire(t, b.with(variables), provision("apply", test.flags...)...)
			if got.code != test.code {
				t.Errorf("apply: exit code %d, want %d, with\n%s%s", got.code, test.code,
					got.stdout, got.stderr)
			}
			contains(t, got.stdout, test.says...)
			events := b.limits(schema.EventsStream)
			if events.MaxBytes != test.bytes || events.MaxAge != test.age {
				t.Errorf("the events have %d bytes and %s, want %d and %s", events.MaxBytes,
					events.MaxAge, test.bytes, test.age)
			}
			if n := len(b.keys()); n != stored {
				t.Errorf("%d events are left of %d", n, stored)
			}
		})
	}
}

// fill stores events of so many bytes and returns their number.
func (b *bench) fill(bytes int) (events int) {
	b.Helper()
	const body = 512 << 10
	for ; events*body < bytes; events++ {
		e := b.event("income.added", "e-"+strings.Repeat("i", events+1), "a-1")
		e.Body = append([]byte(`{"padding":"`), strings.Repeat("x", body)...)
		e.Body = append(e.Body, `"}`...)
		b.publish(e)
	}
	return events
}

// replaceSizes puts the sizes of a list in the place of the same streams of another list.
func replaceSizes(sizes, by string) string {
	if by == "" {
		return sizes
	}
	for text := range strings.SplitSeq(by, ",") {
		name, _, _ := strings.Cut(text, "=")
		sizes = strings.Replace(sizes, name+"=64MiB", text, 1)
	}
	return sizes
}

func TestAStreamKeepsWhatAnOperatorGaveIt(t *testing.T) {
	b := newBench(t)
	variables := map[string]string{"STREAM_MAX_BYTES": smallSizes()}
	b.runs(0, provision("apply", small("--max-bytes", "WAGEWIRE_EVENTS=96MiB",
		"--max-age", "WAGEWIRE_COMPLETIONS=30d", "--max-age", "WAGEWIRE_RECORDS=0",
		"--max-age", "WAGEWIRE_DEAD_LETTERS=0")...)...)
	quarantine := b.limits(schema.QuarantineStream)
	quarantine.MaxBytes = -1
	_, err := b.js.UpdateStream(b.Context(), quarantine)
	b.must(err)
	for _, verb := range []string{"plan", "apply"} {
		got := wagewire(t, b.with(variables), provision(verb)...)
		want := strings.Join([]string{
			"= stream WAGEWIRE_EVENTS keeps 96MiB, more than the wished 64MiB",
			"= stream WAGEWIRE_COMPLETIONS keeps messages 30d, longer than the wished 21d",
			"= stream WAGEWIRE_DEAD_LETTERS keeps messages for ever, longer than the wished 90d",
			"= stream WAGEWIRE_QUARANTINE keeps any number of bytes, more than the wished 64MiB",
			"= object store WAGEWIRE_RECORDS keeps messages for ever, longer than the wished 22d",
			"",
		}, ": --shrink changes it\n") + "nothing to change\n"
		if got != (result{stdout: want}) {
			t.Errorf("%s: exit code %d\n%s%swant\n%s", verb, got.code, got.stdout, got.stderr, want)
		}
	}
}

func TestTheLimitOfMessagesGrowsWithTheBytes(t *testing.T) {
	for promise, test := range map[string]struct {
		environment map[string]string
		wish        wish
		want        int64
	}{
		"not by itself": {nil, wish{}, 2_000_000},
		"by a flag": {
			nil, wish{sizes: []string{"WAGEWIRE_EVENTS=20GiB"}}, 20_000_000,
		},
		"by a variable": {
			map[string]string{"STREAM_MAX_BYTES": "WAGEWIRE_EVENTS=4GiB"}, wish{}, 4_000_000,
		},
		"not below its default": {
			nil, wish{sizes: []string{"WAGEWIRE_EVENTS=1GiB"}}, 2_000_000,
		},
		"not if a flag has the number": {
			nil,
			wish{
				sizes: []string{"WAGEWIRE_EVENTS=20GiB"}, counts: []string{"WAGEWIRE_EVENTS=3000000"},
			},
			3_000_000,
		},
		"not if a variable has the number": {
			map[string]string{
				"STREAM_MAX_BYTES":    "WAGEWIRE_EVENTS=20GiB",
				"STREAM_MAX_MESSAGES": "WAGEWIRE_QUARANTINE=9, WAGEWIRE_EVENTS=1000",
			},
			wish{}, 1000,
		},
	} {
		t.Run(promise, func(t *testing.T) {
			topology, err := test.wish.topology(
				func(name string) string { return test.environment[name] })
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range topology.Streams {
				if s.Name == schema.EventsStream && s.MaxMessages != test.want {
					t.Errorf("%d messages, want %d", s.MaxMessages, test.want)
				}
			}
		})
	}
}

func TestAWishedNumberOfMessagesIsTheFirstLimitToo(t *testing.T) {
	b := newBench(t)
	variables := map[string]string{"STREAM_MAX_BYTES": smallSizes()}
	events := b.limits(schema.EventsStream)
	events.MaxMsgs = -1
	_, err := b.js.UpdateStream(b.Context(), events)
	b.must(err)
	stored := b.fill(2 << 20) // four events
	for _, test := range []struct {
		most int
		code int
		says string
	}{
		{3, 1, "refused: the stream holds 4 messages, more than the new max_msgs"},
		{5, 0, "max_msgs: -1 -> 5"},
	} {
		got := wagewire(t, b.with(variables), provision("apply", "--max-messages",
			fmt.Sprintf("WAGEWIRE_EVENTS=%d", test.most))...)
		if got.code != test.code {
			t.Errorf("exit code %d, want %d, with\n%s%s", got.code, test.code, got.stdout, got.stderr)
		}
		contains(t, got.stdout+got.stderr, test.says)
	}
	if stored != 4 || b.limits(schema.EventsStream).MaxMsgs != 5 {
		t.Errorf("%d events, and a limit of %d", stored, b.limits(schema.EventsStream).MaxMsgs)
	}
}

func TestAWishOfTheEnvironmentIsCheckedByItsName(t *testing.T) {
	for promise, test := range map[string]struct{ variable, value, want string }{
		"a stream that is none": {
			"STREAM_MAX_BYTES", "EVENTS=1GiB",
			`STREAM_MAX_BYTES: "EVENTS=1GiB": stream EVENTS: not one of WAGEWIRE_EVENTS, `,
		},
		"a size without its stream": {
			"STREAM_MAX_BYTES", "4GiB", `STREAM_MAX_BYTES: "4GiB": write STREAM=VALUE`,
		},
		"a size in no unit, behind a right one": {
			"STREAM_MAX_BYTES", "WAGEWIRE_EVENTS=4GiB,WAGEWIRE_COMPLETIONS=8Q",
			`STREAM_MAX_BYTES: "WAGEWIRE_COMPLETIONS=8Q": write 4GiB, 512MiB or a number of bytes`,
		},
		"a stream twice": {
			"STREAM_MAX_BYTES", "WAGEWIRE_EVENTS=4GiB,WAGEWIRE_EVENTS=8GiB",
			"STREAM_MAX_BYTES: WAGEWIRE_EVENTS stands there twice",
		},
		"a list with nothing behind the comma": {
			"STREAM_MAX_BYTES", "WAGEWIRE_EVENTS=4GiB,", `STREAM_MAX_BYTES: "": write STREAM=VALUE`,
		},
		"a size of a stream without one": {
			"STREAM_MAX_BYTES", "WAGEWIRE_PAUSES=1GiB", "WAGEWIRE_PAUSES has no limit of bytes",
		},
		"an age in no unit": {
			"STREAM_MAX_AGE", "WAGEWIRE_EVENTS=14",
			`STREAM_MAX_AGE: "WAGEWIRE_EVENTS=14": write 14d, 336h or 90m`,
		},
		"an age of a stream without one": {
			"STREAM_MAX_AGE", "WAGEWIRE_ACCOUNTS=1d", "WAGEWIRE_ACCOUNTS has no age",
		},
		"events that outlive their completions": {
			"STREAM_MAX_AGE", "WAGEWIRE_EVENTS=20d",
			"STREAM_MAX_AGE: with WAGEWIRE_EVENTS at 20d, WAGEWIRE_COMPLETIONS must be kept 23d at least",
		},
		"no copy":         {"STREAM_REPLICAS", "0", "STREAM_REPLICAS: 0 is not a number from 1 to 5"},
		"too many":        {"STREAM_REPLICAS", "6", "STREAM_REPLICAS: 6 is not a number from 1 to 5"},
		"copies in words": {"STREAM_REPLICAS", "three", `STREAM_REPLICAS: "three" is not a number`},
	} {
		t.Run(promise, func(t *testing.T) {
			got := wagewire(t, env("NATS_URL", nowhere, test.variable, test.value),
				provision("apply", "--wait", "0")...)
			if got.code == 0 || !strings.Contains(got.stderr, test.want) {
				t.Errorf("exit code %d, want %q but\n%s", got.code, test.want, got.stderr)
			}
		})
	}
}

func TestAWishForCopiesReachesTheBroker(t *testing.T) {
	b := newBench(t)
	copies := b.with(map[string]string{"STREAM_MAX_BYTES": smallSizes(), "STREAM_REPLICAS": "3"})
	contains(t, wagewire(t, copies, provision("plan")...).stdout,
		"~ stream WAGEWIRE_EVENTS\n    num_replicas: 1 -> 3\n")
	got := wagewire(t, copies, provision("plan", "--replicas", "1")...)
	if got.stdout != "nothing to change\n" {
		t.Errorf("the flag does not win: %s", got.stdout)
	}
}

func TestAgesThatDoNotFitTogether(t *testing.T) {
	b := newBench(t)
	events := b.limits(schema.EventsStream)
	events.MaxAge = 30 * day
	_, err := b.js.UpdateStream(b.Context(), events)
	b.must(err)
	const rule = "with WAGEWIRE_EVENTS at 30d, WAGEWIRE_COMPLETIONS must be kept 33d at least"
	got := b.runs(0, provision("apply", small()...)...)
	contains(t, got.stdout, "= stream WAGEWIRE_EVENTS keeps messages 30d")
	contains(t, got.stderr, "warning: ", rule)
	got = b.wagewire(provision("apply", small("--shrink", "WAGEWIRE_COMPLETIONS")...)...)
	if got.code == 0 {
		t.Error("shrink made it worse")
	}
	contains(t, got.stderr, rule)
}

func TestCopiesAreKept(t *testing.T) {
	var lines strings.Builder
	printKept(&lines, []stream.Kept{
		{What: "stream WAGEWIRE_EVENTS", Name: schema.EventsStream,
			Setting: stream.SettingReplicas, Have: 3, Want: 1},
		{What: "stream WAGEWIRE_WAITING_TRUV_LINK", Name: "WAGEWIRE_WAITING_TRUV_LINK",
			Setting: stream.SettingReplicas, Have: 3, Want: 1},
		{What: "stream WAGEWIRE_WAITING_TRUV_LINK", Name: "WAGEWIRE_WAITING_TRUV_LINK",
			Setting: stream.SettingAge, Have: int64(30 * day), Want: int64(14 * day)},
	})
	want := "= stream WAGEWIRE_EVENTS keeps 3 copies, more than the wished 1: --shrink changes it\n" +
		"= stream WAGEWIRE_WAITING_TRUV_LINK keeps messages 30d, longer than the wished 14d: " +
		"--shrink changes it\n"
	if got := lines.String(); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}
