package main

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
)

// consumers counts the consumers of every stream.
func (b *bench) consumers() int {
	b.Helper()
	n := 0
	streams := b.js.ListStreams(b.Context())
	for s := range streams.Info() {
		n += s.State.Consumers
	}
	b.must(streams.Err())
	return n
}

// filled has events, a completion, a dead letter, a waiting event and a webhook in quarantine.
func filled(t *testing.T) *bench {
	t.Helper()
	b := newBench(t)
	b.publish(b.event("income.added", "e-1", "a-1"))
	_, stop := b.work([]string{"e-1"}, schema.Income)
	b.completed("pinwheel:e-1:income")
	stop()
	b.publish(b.event("shifts.added", "e-2", "a-1"))
	b.letWait("pinwheel_shifts", outage())
	b.quarantine(schema.Truv, schema.QuarantineJSON, []byte("{"))
	return b
}

func TestLookingLeavesNothingBehind(t *testing.T) {
	b := filled(t)
	before := b.consumers()
	for _, line := range []string{
		"status", "status --json", "trace e-1", "trace e-2 --json", "find a-1", "find a-1 --json",
		"dead list", "dead show 1", "quarantine list", "quarantine show 1",
		"tail -n 1 --since all", "drift", "accounts list", "team list",
		"dead redrive --all --dry-run", "quarantine discard --all --dry-run",
		"retry --class transient --dry-run", "replay --queue pinwheel_income --since all --dry-run",
		"provision plan",
	} {
		got := b.wagewire(strings.Fields(line)...)
		if got.code != 0 {
			t.Errorf("wagewire %s: %+v", line, got)
		}
		if after := b.consumers(); after != before {
			t.Errorf("wagewire %s: %d consumers after it, %d before", line, after, before)
		}
	}
}

func TestLookingInVainLeavesNothingBehind(t *testing.T) {
	b := filled(t)
	before := b.consumers()
	for _, line := range []string{
		"trace nothing", "find nobody", "dead show 99", "quarantine show 99", "accounts show nobody",
	} {
		if got := b.wagewire(strings.Fields(line)...); got.code != 1 {
			t.Errorf("wagewire %s: %+v", line, got)
		}
	}
	broken := terminal{getenv: b.server.Getenv(), stdout: full{}, stderr: newWatched()}
	for _, line := range []string{"tail --since all", "find a-1", "drift", "accounts list"} {
		if code := execute(t.Context(), strings.Fields(line), broken); code == 2 {
			t.Errorf("wagewire %s: the command line is wrong", line)
		}
	}
	if after := b.consumers(); after != before {
		t.Errorf("%d consumers afterwards, %d before", after, before)
	}
}

// full is an output that takes nothing.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("no space left") }

func TestAnInterruptLeavesNothingBehind(t *testing.T) {
	b := filled(t)
	before := b.consumers()
	for _, test := range []struct{ line, says string }{
		{"tail --since all", "pinwheel"}, {"status --watch 10ms", "truv_link"},
	} {
		looking := begin(t, b.server.Getenv(), strings.Fields(test.line)...)
		looking.stdout.await(t, test.says)
		looking.interrupt()
		if code := looking.ends(t); code != 0 {
			t.Errorf("wagewire %s: exit code %d", test.line, code)
		}
	}
	// A scan is interrupted by the first line that is printed of it.
	ctx, cancel := context.WithCancel(t.Context())
	err := b.conn.Scan(ctx, schema.EventsStream, stream.Selection{}, func(stream.Stored) error {
		cancel()
		return nil
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("an interrupted scan ends with %v", err)
	}
	if after := b.consumers(); after != before {
		t.Errorf("%d consumers afterwards, %d before", after, before)
	}
}
