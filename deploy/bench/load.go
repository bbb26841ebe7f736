package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sync/errgroup"

	"github.com/wagewire/wagewire/deploy/fake"
	"github.com/wagewire/wagewire/schema"
	serving "github.com/wagewire/wagewire/schema/process"
)

const (
	// apiDelay is how long the slow API waits before an answer.
	apiDelay = 20 * time.Millisecond
	// countEvery is the pause between two counts of the completions.
	countEvery = 5 * time.Millisecond
)

// measure runs the rounds. The first round warms the machine up and does not count.
func (b *bench) measure(ctx context.Context) ([]round, error) {
	var rounds []round
	for n := range b.config.Rounds + 1 {
		r, err := b.round(ctx)
		if err != nil {
			return nil, fmt.Errorf("round %d: %w", n, err)
		}
		if n > 0 {
			rounds = append(rounds, r)
		}
	}
	return rounds, nil
}

// round measures every figure once for each setting of the broker.
func (b *bench) round(ctx context.Context) (r round, err error) {
	for setting, l := range b.lines {
		f := &r[setting]
		f.null, err = b.requestNull(ctx)
		if err != nil {
			return r, fmt.Errorf("null handler: %w", err)
		}
		f.raw, err = b.publish(ctx, l)
		if err != nil {
			return r, fmt.Errorf("publish: %w", err)
		}
		f.ingress, err = b.storeWebhooks(ctx, l)
		if err != nil {
			return r, fmt.Errorf("ingress: %w", err)
		}
		if err := b.completeBoth(ctx, l, f); err != nil {
			return r, err
		}
	}
	return r, nil
}

// completeBoth measures figure d with both APIs, and what the workers spent for the calls.
func (b *bench) completeBoth(ctx context.Context, l *line, f *figures) error {
	before, err := spendingOf(ctx, l.workers)
	if err != nil {
		return err
	}
	f.completions, err = b.complete(ctx, l, 0)
	if err != nil {
		return fmt.Errorf("completions: %w", err)
	}
	f.completionsSlow, err = b.complete(ctx, l, apiDelay)
	if err != nil {
		return fmt.Errorf("completions with a slow API: %w", err)
	}
	after, err := spendingOf(ctx, l.workers)
	if err != nil {
		return err
	}
	f.spent = after.minus(before)
	if f.spent.turns < float64(2*b.config.Events) {
		return fmt.Errorf("the workers counted %.0f calls for %d webhooks",
			f.spent.turns, 2*b.config.Events)
	}
	return nil
}

// ServeNull serves the null handler of figure b until ctx ends. The server has the limits of
// ingress.
func ServeNull(ctx context.Context, addr string) error {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	return serving.Serve(ctx, listener, &http.Server{
		Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.ReadAll(r.Body) // the sender sees the same error
		}),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      10 * time.Second,
		IdleTimeout:       60 * time.Second,
		MaxHeaderBytes:    16 << 10,
	})
}

func newClient(senders int) *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			MaxIdleConns:        2 * senders,
			MaxIdleConnsPerHost: senders,
			IdleConnTimeout:     time.Minute,
		},
		Timeout: 15 * time.Second,
	}
}

// request is a signed webhook, made before the measurement begins.
type request struct {
	provider string
	header   http.Header
	body     []byte
}

// signCopies makes n copies of the originals in turn, each with a new id.
func signCopies(n int, originals ...fake.Webhook) []request {
	requests := make([]request, n)
	now := time.Now()
	for i := range requests {
		original := originals[i%len(originals)]
		body := bytes.ReplaceAll(original.Body, []byte(original.ID), []byte(newID(original.ID)))
		header := http.Header{"Content-Type": {"application/json"}}
		p := original.Provider
		if err := fake.Sign(p, header, fake.Secret(p), now, body); err != nil {
			panic(err) // the webhook comes from a fake
		}
		requests[i] = request{p, header, body}
	}
	return requests
}

// newID returns a random id of the same length and form.
func newID(original string) string {
	id := []byte(original)
	for i, c := range id {
		if c != '-' {
			id[i] = "0123456789abcdef"[rand.N(16)]
		}
	}
	return string(id)
}

// runSenders calls do with 0, 1, … from a goroutine for each sender, until all n calls are done or
// limit has passed. It returns the number of calls and how long all of them took.
func (b *bench) runSenders(
	ctx context.Context, n int, limit time.Duration,
	do func(ctx context.Context, sender, i int) error,
) (int, time.Duration, error) {
	var next atomic.Int64
	var done atomic.Int64
	group, ctx := errgroup.WithContext(ctx)
	began := time.Now()
	for sender := range b.config.Senders {
		group.Go(func() error {
			for {
				i := int(next.Add(1)) - 1
				if i >= n || time.Since(began) >= limit {
					return nil
				}
				if err := do(ctx, sender, i); err != nil {
					return err
				}
				done.Add(1)
			}
		})
	}
	err := group.Wait()
	return int(done.Load()), time.Since(began), err
}

// send posts the requests. An answer other than 200 is an error.
func (b *bench) send(
	ctx context.Context, url string, requests []request, limit time.Duration,
) (int, time.Duration, error) {
	post := func(ctx context.Context, _, i int) error {
		body := bytes.NewReader(requests[i].body)
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, url+requests[i].provider, body)
		if err != nil {
			return err
		}
		r.Header = requests[i].header
		response, err := b.client.Do(r)
		if err != nil {
			return err
		}
		defer response.Body.Close()
		text, err := io.ReadAll(response.Body)
		if err != nil || response.StatusCode != http.StatusOK {
			return errors.Join(fmt.Errorf("answered %d %s", response.StatusCode, text), err)
		}
		return nil
	}
	return b.runSenders(ctx, len(requests), limit, post)
}

// requestNull measures figure b.
func (b *bench) requestNull(ctx context.Context) (figure, error) {
	requests := signCopies(requestsMax, b.stored)
	return b.meter(func() (int, time.Duration, error) {
		return b.send(ctx, b.nullURL+"/", requests, b.config.Slice)
	}, b.null)
}

// storeWebhooks measures figure c. The stream must have gained as many messages as were answered
// 200.
func (b *bench) storeWebhooks(ctx context.Context, l *line) (figure, error) {
	requests := signCopies(requestsMax, b.stored)
	return b.meterStored(ctx, l, func() (int, time.Duration, error) {
		return b.send(ctx, l.webhooksURL, requests, b.config.Slice)
	}, l.ingress, l.nats)
}

// publish measures figure a: a message stored by ingress is published under new ids.
func (b *bench) publish(ctx context.Context, l *line) (figure, error) {
	original, err := b.storeMessage(ctx, l)
	if err != nil {
		return figure{}, err
	}
	// A sender has a single publish in flight, so a message for each sender is enough.
	messages := make([]*nats.Msg, b.config.Senders)
	for i := range messages {
		messages[i] = &nats.Msg{
			Subject: original.Subject, Data: original.Data, Header: nats.Header{},
		}
		for key, values := range original.Header {
			messages[i].Header[key] = values
		}
	}
	id := original.Header.Get(jetstream.MsgIDHeader)
	ids := make([]string, requestsMax)
	for i := range ids {
		ids[i] = newID(id)
	}
	publish := func(ctx context.Context, sender, i int) error {
		_, err := l.js.PublishMsg(ctx, messages[sender],
			jetstream.WithMsgID(ids[i]), jetstream.WithExpectStream(schema.EventsStream))
		return err
	}
	return b.meterStored(ctx, l, func() (int, time.Duration, error) {
		return b.runSenders(ctx, len(ids), b.config.Slice, publish)
	}, l.nats)
}

// storeMessage lets ingress store a webhook and returns the stored message.
func (b *bench) storeMessage(ctx context.Context, l *line) (*jetstream.RawStreamMsg, error) {
	_, _, err := b.send(ctx, l.webhooksURL, signCopies(1, b.stored), completionsFor)
	if err != nil {
		return nil, err
	}
	info, err := l.events.Info(ctx)
	if err != nil {
		return nil, err
	}
	return l.events.GetMsg(ctx, info.State.LastSeq)
}

// meterStored measures a load. Every call must add a message to the events stream.
func (b *bench) meterStored(
	ctx context.Context, l *line, load func() (int, time.Duration, error), on ...*process,
) (figure, error) {
	before, err := l.events.Info(ctx)
	if err != nil {
		return figure{}, err
	}
	f, err := b.meter(load, on...)
	if err != nil {
		return f, err
	}
	after, err := l.events.Info(ctx)
	if err != nil {
		return f, err
	}
	if gained := int(after.State.Msgs - before.State.Msgs); gained != f.n {
		return f, fmt.Errorf("%d were accepted, but the stream has gained %d", f.n, gained)
	}
	return f, nil
}

// workersAt is the index of the sum of all workers in figure.cpu.
const workersAt = 3

// meter measures a load, and meanwhile the processor time of the bench and the given processes.
func (b *bench) meter(
	load func() (int, time.Duration, error), on ...*process,
) (f figure, err error) {
	pids := []int{os.Getpid()}
	for _, p := range on {
		pids = append(pids, p.pid())
	}
	var before []time.Duration
	for _, pid := range pids {
		used, _ := cpuUsed(pid) // 0 if the system does not count
		before = append(before, used)
	}
	f.n, f.took, err = load()
	if err != nil {
		return f, err
	}
	for i, pid := range pids {
		used, _ := cpuUsed(pid)
		used -= before[i]
		if i > workersAt {
			f.cpu[workersAt] += used
		} else {
			f.cpu = append(f.cpu, used)
		}
	}
	return f, nil
}

// complete measures figure d: from the first webhook to the last completion.
func (b *bench) complete(ctx context.Context, l *line, delay time.Duration) (figure, error) {
	b.fake.ClearFaults()
	if delay > 0 {
		if _, err := b.fake.AddFault(fake.Fault{Delay: fake.Duration(delay)}); err != nil {
			return figure{}, err
		}
	}
	before, err := l.completions.Info(ctx)
	if err != nil {
		return figure{}, err
	}
	requests := signCopies(b.config.Events, b.completed...)
	ctx, cancel := context.WithTimeout(ctx, completionsFor)
	defer cancel()
	processes := append([]*process{l.ingress, l.nats}, l.workers...)
	return b.meter(func() (n int, took time.Duration, err error) {
		began := time.Now()
		if _, _, err := b.send(ctx, l.webhooksURL, requests, completionsFor); err != nil {
			return 0, 0, err
		}
		every := time.NewTicker(countEvery)
		defer every.Stop()
		for {
			now, err := l.completions.Info(ctx)
			if err != nil {
				return n, took, fmt.Errorf("%d of %d completed: %w", n, len(requests), err)
			}
			n = int(now.State.Msgs - before.State.Msgs)
			took = time.Since(began)
			if n >= len(requests) {
				return n, took, nil
			}
			<-every.C
		}
	}, processes...)
}
