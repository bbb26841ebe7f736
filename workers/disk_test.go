package workers

import (
	"context"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
	"github.com/wagewire/wagewire/schema/stream/streamtest"
)

func TestABrokerWhoseDiskIsFullLosesNothingAndNothingOfOursIsRestarted(t *testing.T) {
	t.Parallel()
	const queue, fileBytesMax = "pinwheel_employment", 256 << 10
	dir := t.TempDir()
	port := streamtest.FreePort(t)
	stop := streamtest.StartProcess(t, dir, port, 0)
	b := newBenchAt(t, "nats://127.0.0.1:"+strconv.Itoa(port))
	if err := stream.NewOperator(b.conn).Provision(t.Context(), streamtest.Topology()); err != nil {
		t.Fatal(err)
	}
	stop()
	stop = streamtest.StartProcess(t, dir, port, fileBytesMax)
	streamtest.Eventually(b, "the broker is back",
		func() bool { return b.conn.Ready(t.Context()) == nil })

	large := `{"id":"rec-1","text":"` + strings.Repeat("x", 16<<10) + `"}`
	config := quick()
	config.StoreFor, config.Ladders.Retry = 300*time.Millisecond,
		[]time.Duration{300 * time.Millisecond}
	b.start(schema.Employment, fetchFunc(func(ctx context.Context, job Job) (Fetched, error) {
		return Fetched{}, bring(ctx, job, large)
	}), config)

	// Events come until the disk takes no more of them. A slow machine may refuse some before.
	var stored, refused []schema.Event
	for i, isFull := 0, false; !isFull; i++ {
		e := employment(t, fmt.Sprintf("full-%d", i),
			func(body map[string]any) { body["text"] = strings.Repeat("y", 4<<10) })
		ctx, cancel := context.WithTimeout(t.Context(),
			4*time.Second) // as ingress gives it, before its 503
		_, err := b.conn.PublishEvent(ctx, e)
		cancel()
		switch {
		case err != nil:
			if !strings.Contains(err.Error(), "the room on its volume") {
				t.Errorf("event %d: error %q, want one that says where to look", i, err)
			}
			refused = append(refused, e)
			isFull = largestFile(t, dir, schema.EventsStream)+int64(len(e.Body)) > fileBytesMax
		case len(stored) > fileBytesMax>>12:
			t.Fatalf("%d events, and the disk is not full", len(stored))
		default:
			stored = append(stored, e)
		}
	}
	streamtest.Eventually(b, "completions wait", func() bool {
		return b.metric("wagewire_worker_jobs_total",
			map[string]string{"queue": queue, "outcome": "later", "class": "not_stored"}) > 0
	})
	if n := len(b.completions()); n == 0 ||
		n >= len(stored) {
		t.Errorf("%d events and %d completions: one disk is not full", len(stored), n)
	}

	stop()
	streamtest.StartProcess(t, dir, port, 0)
	streamtest.Eventually(b, "the broker is back",
		func() bool { return b.conn.Ready(t.Context()) == nil })
	for _, e := range refused {
		if _, err := b.conn.PublishEvent(t.Context(), e); err != nil {
			t.Errorf("a refused event, sent again: %v", err)
		}
	}
	for _, e := range stored {
		b.sequence(e) // it is there
	}
	b.retryNow(queue)
	all := slices.Concat(stored, refused)
	for _, e := range all {
		if got := b.completed(e, schema.Employment); got.Data.Outcome != schema.Succeeded ||
			len(got.Data.Records) != 1 {
			t.Errorf("completion %+v", got.Data)
		}
	}
	b.idle(queue)
	events := len(b.all(schema.EventsStream, ">"))
	completions := len(b.completions())
	if events != len(all) || completions != len(all) {
		t.Errorf("%d events and %d completions of %d", events, completions, len(all))
	}
	if n := len(b.deadLetters("*", "*")); n != 0 {
		t.Errorf("%d dead letters", n)
	}
}

// largestFile is the size of the largest file of the stream below dir.
func largestFile(t *testing.T, dir, stream string) (size int64) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !strings.Contains(path, stream) {
			return nil //nolint:nilerr // the broker deletes files meanwhile
		}
		info, err := entry.Info()
		if err == nil {
			size = max(size, info.Size())
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return size
}
