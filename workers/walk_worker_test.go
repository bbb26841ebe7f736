package workers_test

import (
	"context"
	"encoding/json"
	"fmt"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
	"github.com/wagewire/wagewire/schema/stream/streamtest"
	"github.com/wagewire/wagewire/workers"
	"github.com/wagewire/wagewire/workers/api"
)

// worker is a process that serves the queues of links. Its handler asks the walk for every answer.
type worker struct {
	conn  *stream.Conn
	line  *streamtest.Line
	calls chan<- call
	// cancel begins the stop of the worker. ran gets the error of Run.
	cancel context.CancelFunc
	ran    chan error
	// dead is closed when the process is killed.
	dead chan struct{}
}

// call is a call of the handler, which waits for its answer.
type call struct {
	event   schema.Event
	attempt int
	at      time.Time
	reply   chan answer
}

func startWorker(s *streamtest.BubbleServer, calls chan<- call) *worker {
	w := &worker{
		line: streamtest.NewLine(s), calls: calls, ran: make(chan error, 1),
		dead: make(chan struct{}),
	}
	config := s.Config()
	config.Dialer = w.line
	var err error
	w.conn, err = stream.Connect(config, "link", zap.NewNop())
	require(err)
	source := workers.Source{
		Handler: w,
		Decode:  func(schema.Event) (workers.Payload, error) { return workers.Payload{}, nil },
	}
	sources := map[schema.Provider]workers.Source{schema.Truv: source}
	// Every event of a walk may be in hand at the same time, also among the retries.
	running := workers.New(schema.Link, sources, w.conn, workers.Config{Concurrency: 64},
		zap.NewNop(), prometheus.NewRegistry())
	ctx, cancel := context.WithCancel(context.Background())
	w.cancel = cancel
	go func() { w.ran <- running.Run(ctx) }()
	return w
}

// Fetch brings the answer that the walk gives. An erasure asks no provider.
func (w *worker) Fetch(ctx context.Context, job workers.Job) (workers.Fetched, error) {
	if job.Event.Erases() {
		return workers.Fetched{Outcome: schema.Deleted}, nil
	}
	reply := make(chan answer, 1)
	w.calls <- call{job.Event, job.Attempt, time.Now(), reply}
	select {
	case a := <-reply:
		return bringAnswer(ctx, job, a)
	case <-ctx.Done():
		return workers.Fetched{}, ctx.Err()
	case <-w.dead:
		return workers.Fetched{}, context.Canceled
	}
}

func bringAnswer(ctx context.Context, job workers.Job, a answer) (workers.Fetched, error) {
	const endpoint = "/v1/links/{id}"
	var status int
	switch a {
	case "200", "stale":
		err := job.Records.Add(ctx, api.Record{JSON: json.RawMessage(`{"id":"1"}`)})
		return workers.Fetched{Scope: schema.Snapshot, Stale: a == "stale"}, err
	case "cut":
		return workers.Fetched{}, &api.NetworkError{Endpoint: endpoint, Why: "connection cut"}
	case "broken":
		return workers.Fetched{}, &api.ContractError{Endpoint: endpoint, Why: "not JSON"}
	case "panic":
		panic("asked for by the walk")
	case "429+7m":
		status = 429
	default:
		if _, err := fmt.Sscan(string(a), &status); err != nil {
			panic(err)
		}
	}
	return workers.Fetched{}, &api.StatusError{
		Endpoint: endpoint, Status: status, RetryAfter: meanings[a].hold,
	}
}

// stopFor is more than a worker takes for its stop.
const stopFor = 5 * time.Minute

// end waits for the end of the worker.
func (w *worker) end() {
	w.cancel()
	select {
	case err := <-w.ran:
		w.conn.Close()
		require(err)
	case <-time.After(stopFor):
		failf("the worker does not stop")
	}
}

// kill ends the worker without a word to the broker.
func (w *worker) kill() {
	w.line.Kill()
	close(w.dead)
	synctest.Wait()
	w.end()
}
