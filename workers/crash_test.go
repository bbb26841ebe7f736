package workers

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream/streamtest"
	"github.com/wagewire/wagewire/workers/api"
)

// asks is a Handler that asks a provider over HTTP. In a process of its own it may die of it: by
// SIGKILL, before it has asked or when it has its answer.
type asks struct {
	url  string
	dies string
}

const (
	diesBefore = "before it has asked"
	diesAfter  = "with the answer"
)

func (a asks) Fetch(ctx context.Context, job Job) (Fetched, error) {
	if a.dies == diesBefore {
		die()
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, a.url, http.NoBody)
	if err != nil {
		return Fetched{}, err
	}
	request.Close = true
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return Fetched{}, err
	}
	defer response.Body.Close()
	record, err := io.ReadAll(response.Body)
	if err != nil {
		return Fetched{}, err
	}
	if a.dies == diesAfter {
		die()
	}
	if response.StatusCode != http.StatusOK {
		return Fetched{}, &api.StatusError{Endpoint: "/v1/x", Status: response.StatusCode}
	}
	return Fetched{Scope: schema.Snapshot}, bring(ctx, job, string(record))
}

func die() {
	_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	select {}
}

// relay stands between a worker process and the broker until the worker says a certain thing. From
// then on neither hears the other: the worker is stuck at that point, to be killed there.
type relay struct {
	listener net.Listener
	broker   string
	at       []byte
	// heard: the broker still gets what the worker said, and only the answer is lost.
	heard   bool
	reached chan struct{}
	stuck   atomic.Bool
	copies  sync.WaitGroup

	mu    sync.Mutex
	conns []net.Conn
}

func newRelay(t *testing.T, broker, at string, heard bool) *relay {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &relay{listener: l, broker: broker, at: []byte(at), heard: heard,
		reached: make(chan struct{})}
	r.copies.Go(r.accept)
	t.Cleanup(func() {
		_ = l.Close()
		r.hangUp()
		r.copies.Wait()
	})
	return r
}

func (r *relay) url() string { return "nats://" + r.listener.Addr().String() }

func (r *relay) hangUp() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range r.conns {
		_ = c.Close()
	}
}

func (r *relay) accept() {
	for {
		worker, err := r.listener.Accept()
		if err != nil {
			return
		}
		broker, err := net.Dial("tcp", r.broker)
		if err != nil {
			_ = worker.Close()
			continue
		}
		r.mu.Lock()
		r.conns = append(r.conns, worker, broker)
		r.mu.Unlock()
		r.copies.Go(func() { defer broker.Close(); r.copy(broker, worker, r.says) })
		r.copies.Go(func() {
			defer worker.Close()
			r.copy(worker, broker, func(_, _ []byte) bool { return !r.stuck.Load() })
		})
	}
}

// says tells whether the broker may hear what the worker says.
func (r *relay) says(before, now []byte) bool {
	if r.stuck.Load() {
		return false
	}
	if !bytes.Contains(append(before, now...), r.at) {
		return true
	}
	r.stuck.Store(true)
	close(r.reached)
	return r.heard
}

func (r *relay) copy(to io.Writer, from io.Reader, may func(before, now []byte) bool) {
	chunk, before := make([]byte, 64<<10), []byte(nil)
	for {
		n, err := from.Read(chunk)
		if n > 0 && may(before, chunk[:n]) {
			if _, err := to.Write(chunk[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
		before = bytes.Clone(chunk[max(0, n-len(r.at)):n]) // what is said may come in two reads
	}
}

// provides is a provider that counts how often it is asked.
func provides(t *testing.T, status int) (url string, asked *atomic.Int64) {
	t.Helper()
	asked = new(atomic.Int64)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, canaryRecord)
	}))
	t.Cleanup(server.Close)
	return server.URL, asked
}

// A worker in a process of its own gets SIGKILL at each point of a job's life; what another one
// then repeats is that step.
func TestAKilledWorkersStepIsRepeatedAndNothingMore(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		promise string
		status  int // of the provider's answers
		// dies is where the handler kills its process; else the process is killed when it says at,
		// and the broker has or has not heard it.
		dies, at string
		heard    bool
		// letters and completed are what is stored by then.
		letters   int
		completed bool
		calls     int64 // of the provider, by both
		outcome   schema.Outcome
	}{
		{promise: "after take: it is fetched for the first time", status: 200, dies: diesBefore,
			calls: 1, outcome: schema.Succeeded},
		{promise: "after fetch: it is fetched again", status: 200, dies: diesAfter, calls: 2,
			outcome: schema.Succeeded},
		{promise: "before publish: it is fetched again", status: 200,
			at: "HPUB wagewire.completions.", calls: 2, outcome: schema.Succeeded},
		{promise: "after publish, not knowing that it is stored: it is settled and not fetched",
			status: 200,
			at:     "HPUB wagewire.completions.", heard: true, completed: true, calls: 1,
			outcome: schema.Succeeded},
		{promise: "before settle: it is settled and not fetched", status: 200, at: "\r\n+ACK\r\n",
			completed: true, calls: 1, outcome: schema.Succeeded},
		{promise: "after the dead letter, before the completion: there is one dead letter",
			status: 422,
			at:     "HPUB wagewire.dead_letters.", heard: true, letters: 1, calls: 2,
			outcome: schema.Failed},
		{promise: "after the dead letter and the completion, before settle: it is settled only",
			status: 422, at: "\r\n+TERM", letters: 1, completed: true, calls: 1,
			outcome: schema.Failed},
	} {
		t.Run(row.promise, func(t *testing.T) {
			t.Parallel()
			const queue = "pinwheel_employment"
			b, e := newBench(t), employment(t, "killed")
			url, asked := provides(t, row.status)
			b.publish(e)

			natsURL := b.url
			env := []string{"WORKER_CONCURRENCY=1", "TEST_SECRET_FILE=asks", "TEST_PROVIDER_URL=" +
				url, "TEST_DIES=" + row.dies}
			var between *relay
			if row.at != "" {
				between = newRelay(t, natsURL[len("nats://"):], row.at, row.heard)
				natsURL = between.url()
			}
			c := start(t, append(env, "NATS_URL="+natsURL)...)
			if between != nil {
				receive(t, "the worker says "+row.at, between.reached)
				streamtest.Eventually(b, "what it said is stored", func() bool {
					return len(b.deadLetters(queue, e.Account())) == row.letters &&
						(b.completion(e, schema.Employment) != nil) == row.completed
				})
				if err := c.cmd.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
			err := receive(t, "the worker is dead", c.ended)
			if exit, ok := errors.AsType[*exec.ExitError](err); !ok ||
				exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
				t.Fatalf("it ended with %v, want by SIGKILL; it logged\n%s", err, c.log())
			}
			if between != nil {
				between.hangUp()
			}
			letters := len(b.deadLetters(queue, e.Account()))
			completed := b.completion(e, schema.Employment) != nil
			if letters != row.letters || completed != row.completed {
				t.Errorf("it left %d dead letters, and a completion: %v", letters, completed)
			}
			if info := b.queue(queue); info.NumAckPending != 1 {
				t.Fatalf("%d events are in hand, want the dead worker's", info.NumAckPending)
			}

			b.loseLease(queue, e)
			b.start(schema.Employment, asks{url: url}, quick())
			b.idle(queue)
			if got := b.completed(e, schema.Employment); got.Data.Outcome != row.outcome {
				t.Errorf("outcome %s, want %s", got.Data.Outcome, row.outcome)
			}
			if n := asked.Load(); n != row.calls {
				t.Errorf("the provider was asked %d times, want %d", n, row.calls)
			}
			if n := len(b.deadLetters(queue, e.Account())); n != row.letters {
				t.Errorf("%d dead letters, want %d", n, row.letters)
			}
		})
	}
}

// A worker in a process of its own gets SIGKILL while an event begins to wait. The event is never
// lost: its delivery, its schedule or both are there.
func TestAWorkerKilledWhileAnEventBeginsToWaitLosesNothing(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		promise string
		// at is what the worker says when it is killed, and heard whether the broker hears it.
		at    string
		heard bool
		// waits is the number of schedules that the killed worker left.
		waits int
	}{
		{"before the schedule is stored", "HPUB wagewire.waiting.", false, 0},
		{"after the schedule, not knowing that it is stored", "HPUB wagewire.waiting.", true, 1},
		{"after the schedule, before the acknowledgement", "\r\n+ACK\r\n", false, 1},
	} {
		t.Run(row.promise, func(t *testing.T) {
			t.Parallel()
			const queue = "pinwheel_employment"
			b := newBench(t)
			e := employment(t, "killed")
			down, _ := provides(t, http.StatusServiceUnavailable)
			b.publish(e)
			between := newRelay(t, b.url[len("nats://"):], row.at, row.heard)
			c := start(t, "NATS_URL="+between.url(), "WORKER_CONCURRENCY=1", "RETRY_LADDER=1h",
				"TEST_SECRET_FILE=asks", "TEST_PROVIDER_URL="+down)
			receive(t, "the worker says "+row.at, between.reached)
			b.waitsFor(queue, row.waits)
			if err := c.cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			_ = receive(t, "the worker is dead", c.ended)
			between.hangUp()
			if info := b.queue(queue); info.NumAckPending != 1 {
				t.Fatalf("%d events are in hand, want the dead worker's", info.NumAckPending)
			}

			// The next worker fails too, and takes the same step of the ladder.
			config := quick()
			config.Ladders.Retry = []time.Duration{time.Hour, time.Hour}
			b.loseLease(queue, e)
			stop := b.start(schema.Employment, asks{url: down}, config)
			b.logged(e, "later", 1)
			stop()
			w := b.waitsFor(queue, 1)[0]
			if w.Failures[schema.ClassTransient] != 1 || w.Step != 1 || w.Status != 503 {
				t.Errorf("it waits as %+v", w.Wait)
			}
			up, _ := provides(t, http.StatusOK)
			b.start(schema.Employment, asks{url: up}, quick())
			b.retryNow(queue)
			if got := b.completed(e, schema.Employment); got.Data.Outcome != schema.Succeeded ||
				got.Data.Attempts != 2 {
				t.Errorf("completion %+v", got.Data)
			}
			b.idle(queue)
			if n := len(b.completions()); n != 1 {
				t.Errorf("%d completions", n)
			}
		})
	}
}

// A worker process that dies with refused credentials in hand leaves nothing behind: no step of a
// ladder, and no word about the event.
func TestKillsWhileCredentialsAreRefusedTakeNoStep(t *testing.T) {
	t.Parallel()
	const queue = "pinwheel_employment"
	b, e := newBench(t), employment(t, "killed-often")
	url, asked := provides(t, http.StatusUnauthorized)
	b.publish(e)
	for range disturbances {
		c := start(t, "NATS_URL="+b.url, "TEST_SECRET_FILE=asks", "TEST_PROVIDER_URL="+url,
			"TEST_DIES="+diesAfter)
		if err := receive(t, "the worker is dead", c.ended); err == nil {
			t.Fatal("the worker stopped by itself")
		}
		b.loseEveryLease(queue)
	}
	if n := asked.Load(); n != disturbances {
		t.Fatalf("%d calls, want %d: a worker died without the event in hand", n, disturbances)
	}

	var calls atomic.Int64
	b.start(schema.Employment, fetchFunc(func(ctx context.Context, job Job) (Fetched, error) {
		if calls.Add(1) == 1 {
			return Fetched{}, &api.StatusError{Endpoint: "/v1/x", Status: 503}
		}
		return brings(ctx, job)
	}), quick())
	got := b.completed(e, schema.Employment)
	if got.Data.Outcome != schema.Succeeded || got.Data.Attempts != 2 {
		t.Errorf("outcome %s at attempt %d, want succeeded at 2: one failure, and then success",
			got.Data.Outcome, got.Data.Attempts)
	}
	b.idle(queue)
	if n := len(b.deadLetters(queue, "*")); n != 0 {
		t.Errorf("%d dead letters", n)
	}
}
