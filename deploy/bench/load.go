package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/wagewire/wagewire/deploy/fake"
)

// countEvery is the pause between two counts of the completions.
const countEvery = 5 * time.Millisecond

// measure starts a broker with both lines, measures every figure, and stops all of it.
func (b *bench) measure(ctx context.Context, s setting) (r results, err error) {
	before := len(b.undo)
	defer func() { err = errors.Join(err, b.stopTo(before)) }()
	on, err := b.startBroker(ctx, s)
	if err != nil {
		return r, err
	}
	r.setting = s
	ours, err := b.startOurs(ctx, on, workersOf(workedTypes()))
	if err != nil {
		return r, err
	}
	minimal, err := b.startLeast(ctx, on)
	if err != nil {
		return r, err
	}
	lines := pair[*line]{ours: ours, least: minimal}
	if err := r.measureRest(lines); err != nil {
		return r, err
	}
	for n := range b.config.Rounds + 1 {
		measured, err := b.round(ctx, lines, n)
		if err != nil {
			return r, fmt.Errorf("round %d: %w", n, err)
		}
		if n > 0 { // the first round warms the machine up
			r.rounds = append(r.rounds, measured)
		}
	}
	if err := r.measurePeak(); err != nil {
		return r, err
	}
	return r, b.measureLatency(ctx, lines, &r)
}

// pair has something of both lines.
type pair[T any] struct{ ours, least T }

// inTurn calls do for both lines, in an order that changes from round to round.
func inTurn[T any](lines pair[*line], n int, do func(*line) (T, error)) (got pair[T], err error) {
	first, second := lines.ours, lines.least
	if n%2 == 1 {
		first, second = second, first
	}
	for _, l := range []*line{first, second} {
		value, err := do(l)
		if err != nil {
			return got, err
		}
		if l == lines.ours {
			got.ours = value
		} else {
			got.least = value
		}
	}
	return got, nil
}

// round measures every figure once for each line.
func (b *bench) round(ctx context.Context, lines pair[*line], n int) (r round, err error) {
	r.ingress, err = inTurn(lines, n, func(l *line) (figure, error) {
		return b.storeWebhooks(ctx, l)
	})
	if err != nil {
		return r, fmt.Errorf("ingress: %w", err)
	}
	before, err := spendingOf(ctx, lines.ours.workers)
	if err != nil {
		return r, err
	}
	for i, k := range kinds {
		both, err := inTurn(lines, n, func(l *line) (figure, error) {
			return b.complete(ctx, l, b.worked[i], max(1, b.config.Events/k.share))
		})
		if err != nil {
			return r, fmt.Errorf("%s: %w", k.name, err)
		}
		r.kinds = append(r.kinds, both)
	}
	after, err := spendingOf(ctx, lines.ours.workers)
	if err != nil {
		return r, err
	}
	r.spent = after.minus(before)
	if r.spent.turns < float64(b.config.Events) {
		return r, fmt.Errorf("the workers counted %.0f calls for over %d webhooks",
			r.spent.turns, b.config.Events)
	}
	return r, nil
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
	// id is the id of the event.
	id     string
	header http.Header
	body   []byte
}

// signCopies makes n copies of the originals in turn, each with a new id.
func signCopies(n int, originals ...fake.Webhook) []request {
	requests := make([]request, n)
	now := time.Now()
	for i := range requests {
		original := originals[i%len(originals)]
		id := newID(original.ID)
		body := bytes.ReplaceAll(original.Body, []byte(original.ID), []byte(id))
		header := http.Header{"Content-Type": {"application/json"}}
		p := original.Provider
		if err := fake.Sign(p, header, fake.Secret(p), now, body); err != nil {
			panic(err) // the webhook comes from a fake
		}
		requests[i] = request{p, id, header, body}
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

// post posts a request. An answer other than 200 is an error.
func post(ctx context.Context, client *http.Client, url string, what request) error {
	body := bytes.NewReader(what.body)
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url+what.provider, body)
	if err != nil {
		return err
	}
	r.Header = what.header
	response, err := client.Do(r)
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

// send posts the requests, each of them once, from all senders.
func (b *bench) send(
	ctx context.Context, url string, requests []request, limit time.Duration,
) (int, time.Duration, error) {
	return b.runSenders(ctx, len(requests), limit, func(ctx context.Context, _, i int) error {
		return post(ctx, b.client, url, requests[i])
	})
}

// storeWebhooks measures ingress. The stream must have gained as many messages as were answered
// 200.
func (b *bench) storeWebhooks(ctx context.Context, l *line) (figure, error) {
	requests := signCopies(requestsMax, b.stored)
	before, err := l.events.Info(ctx)
	if err != nil {
		return figure{}, err
	}
	f, err := b.meter(l, func() (int, time.Duration, error) {
		return b.send(ctx, l.webhooksURL, requests, b.config.Slice)
	})
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

// meter measures a load, and meanwhile the processor time of the bench and of the line.
func (b *bench) meter(l *line, load func() (int, time.Duration, error)) (f figure, err error) {
	before := cpuOf(l)
	f.n, f.took, err = load()
	if err != nil {
		return f, err
	}
	f.cpu = cpuOf(l).minus(before)
	return f, nil
}

// cpu is processor time.
type cpu struct{ bench, ingress, workers, broker time.Duration }

func (c cpu) minus(before cpu) cpu {
	return cpu{
		bench:   c.bench - before.bench,
		ingress: c.ingress - before.ingress,
		workers: c.workers - before.workers,
		broker:  c.broker - before.broker,
	}
}

// cpuOf is the processor time of the bench and of a line until now. It is 0 if the system does not
// count processor time.
func cpuOf(l *line) cpu {
	sum := func(processes ...*process) (all time.Duration) {
		for _, p := range processes {
			used, _ := cpuUsed(p.pid())
			all += used
		}
		return all
	}
	own, _ := cpuUsed(os.Getpid())
	return cpu{own, sum(l.ingress), sum(l.workers...), sum(l.servers...)}
}

// complete measures the line from the first webhook to the last completion.
func (b *bench) complete(
	ctx context.Context, l *line, webhooks []fake.Webhook, events int,
) (figure, error) {
	before, err := l.completions.Info(ctx)
	if err != nil {
		return figure{}, err
	}
	requests := signCopies(events, webhooks...)
	ctx, cancel := context.WithTimeout(ctx, completionsFor)
	defer cancel()
	return b.meter(l, func() (n int, took time.Duration, err error) {
		began := time.Now()
		if _, _, err := b.send(ctx, l.webhooksURL, requests, completionsFor); err != nil {
			return 0, 0, err
		}
		n, err = l.awaitCompletions(ctx, before.State.Msgs, len(requests))
		return n, time.Since(began), err
	})
}

// awaitCompletions waits until the stream has n completions more than before.
func (l *line) awaitCompletions(ctx context.Context, before uint64, n int) (int, error) {
	every := time.NewTicker(countEvery)
	defer every.Stop()
	for {
		now, err := l.completions.Info(ctx)
		if err != nil {
			return 0, err
		}
		gained := int(now.State.Msgs - before)
		if gained >= n {
			return gained, nil
		}
		select {
		case <-ctx.Done():
			return gained, fmt.Errorf("%d of %d completed: %w", gained, n, ctx.Err())
		case <-every.C:
		}
	}
}
