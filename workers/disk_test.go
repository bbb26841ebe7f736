package workers

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
	"github.com/wagewire/wagewire/schema/stream/streamtest"
)

// brokerVariable makes this test binary a nats-server with its store in that directory, on the port
// of TEST_PORT, until standard input ends. TEST_FILE_BYTES_MAX is how large the kernel lets its
// files become.
const brokerVariable = "WAGEWIRE_TEST_BROKER"

func runBroker(dir string, getenv func(string) string) int {
	port, err := strconv.Atoi(getenv("TEST_PORT"))
	if err != nil {
		return 2
	}
	if text := getenv("TEST_FILE_BYTES_MAX"); text != "" {
		limit, err := strconv.ParseUint(text, 10, 63)
		if err != nil {
			return 2
		}
		// A write past the limit is then an error, and does not end the process.
		signal.Ignore(syscall.SIGXFSZ)
		size := &syscall.Rlimit{Cur: limit, Max: limit}
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, size); err != nil {
			return 2
		}
	}
	server, err := streamtest.Start(streamtest.Config{Dir: dir, Port: port})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	fmt.Fprintln(os.Stderr, "ready")
	_, _ = io.Copy(io.Discard, os.Stdin)
	server.Stop()
	return 0
}

// startBroker starts a nats-server in a process of its own; stop returns when it has ended.
func startBroker(t *testing.T, dir string, port int, fileBytesMax int) (stop func()) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(context.Background(), self)
	cmd.Env = []string{brokerVariable + "=" + dir, "TEST_PORT=" + strconv.Itoa(port)}
	if fileBytesMax > 0 {
		cmd.Env = append(cmd.Env, "TEST_FILE_BYTES_MAX="+strconv.Itoa(fileBytesMax))
	}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	firstLine := make(chan string, 1)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		lines := bufio.NewReader(stderr)
		line, _ := lines.ReadString('\n')
		firstLine <- line
		_, _ = io.Copy(io.Discard, lines)
		_ = cmd.Wait()
	}()
	stop = sync.OnceFunc(func() {
		_ = stdin.Close()
		select {
		case <-ended:
		case <-streamtest.Late(t):
			_ = cmd.Process.Kill()
			<-ended
			t.Error("the test binary's time is up, and the broker has not ended")
		}
	})
	t.Cleanup(stop)
	if line := receive(t, "the broker is ready", firstLine); line != "ready\n" {
		t.Fatalf("the broker says %q", line)
	}
	return stop
}

// The broker is a process for which the kernel writes no file past a size (RLIMIT_FSIZE). It
// simulates a full disk as far as write(2) goes: the write ends in the middle of a block, the next
// is an error (EFBIG, not ENOSPC), and nothing tells the broker before. Unlike on a full disk each
// file is full by itself, and small ones can still be made: the queue's state is kept. It needs
// neither root nor a file system of its own.
func TestABrokerWhoseDiskIsFullLosesNothingAndNothingOfOursIsRestarted(t *testing.T) {
	t.Parallel()
	const queue, fileBytesMax = "pinwheel_employment", 256 << 10
	dir := t.TempDir()
	port := streamtest.FreePort(t)
	stop := startBroker(t, dir, port, 0)
	b := newBenchAt(t, "nats://127.0.0.1:"+strconv.Itoa(port))
	if err := stream.NewOperator(b.conn).Provision(t.Context(), streamtest.Topology()); err != nil {
		t.Fatal(err)
	}
	stop()
	stop = startBroker(t, dir, port, fileBytesMax)
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
		duplicate, err := b.conn.PublishEvent(ctx, e)
		cancel()
		switch {
		case err != nil:
			if !strings.Contains(err.Error(), "the room on its volume") {
				t.Errorf("event %d: error %q, want one that says where to look", i, err)
			}
			refused = append(refused, e)
			isFull = largestFile(t, dir, schema.EventsStream)+int64(len(e.Body)) > fileBytesMax
		case duplicate || len(stored) > fileBytesMax>>12:
			t.Fatalf("event %d: duplicate %v, and the disk not full", i, duplicate)
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
	startBroker(t, dir, port, 0)
	streamtest.Eventually(b, "the broker is back",
		func() bool { return b.conn.Ready(t.Context()) == nil })
	for _, e := range refused {
		if duplicate, err := b.conn.PublishEvent(t.Context(), e); err != nil {
			t.Errorf("a refused event, sent again: duplicate %v, error %v", duplicate, err)
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
