package main

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
	// apiDelay is the slow API's.
	apiDelay = 20 * time.Millisecond
	// countEvery is how often completions are counted while they are waited for.
	countEvery = 5 * time.Millisecond
)

// round takes every figure once, for each setting of the broker.
func (b *bench) round(ctx context.Context) (r round, err error) {
	for setting, l := range b.lines {
		f := &r[setting]
		if f.null, err = b.requests(ctx); err != nil {
			return r, fmt.Errorf("null handler: %w", err)
		}
		if f.raw, err = b.publishes(ctx, l); err != nil {
			return r, fmt.Errorf("publish: %w", err)
		}
		if f.ingress, err = b.accepted(ctx, l); err != nil {
			return r, fmt.Errorf("ingress: %w", err)
		}
		if f.completions, err = b.completions(ctx, l, 0); err != nil {
			return r, fmt.Errorf("completions: %w", err)
		}
		if f.completionsSlow, err = b.completions(ctx, l, apiDelay); err != nil {
			return r, fmt.Errorf("completions with a slow API: %w", err)
		}
	}
	return r, nil
}

// serveNull is the handler that ingress is compared with, served with the same limits, until ctx ends.
func serveNull(ctx context.Context, addr string) error {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	return serving.Serve(ctx, listener, &http.Server{
		Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.ReadAll(r.Body) // the sender fails, too
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
		Transport: &http.Transport{MaxIdleConns: 2 * senders, MaxIdleConnsPerHost: senders, IdleConnTimeout: time.Minute},
		Timeout:   15 * time.Second,
	}
}

// request is a webhook that is ready to be sent, so that making it is not measured.
type request struct {
	provider string
	header   http.Header
	body     []byte
}

// signed makes n webhooks after the given ones in turn, each with an id of its own.
func signed(n int, like ...fake.Webhook) []request {
	requests := make([]request, n)
	now := time.Now()
	for i := range requests {
		webhook := like[i%len(like)]
		body := bytes.ReplaceAll(webhook.Body, []byte(webhook.ID), []byte(newID(webhook.ID)))
		header := http.Header{"Content-Type": {"application/json"}}
		secret := map[string]string{fake.Pinwheel: pinwheelSecret, fake.Truv: truvSecret}[webhook.Provider]
		if err := fake.Sign(webhook.Provider, header, secret, now, body); err != nil {
			panic(err) // the bench makes webhooks of known providers alone
		}
		requests[i] = request{webhook.Provider, header, body}
	}
	return requests
}

// newID is a new id as long as the one given and made alike.
func newID(like string) string {
	id := []byte(like)
	for i, c := range id {
		if c != '-' {
			id[i] = "0123456789abcdef"[rand.N(16)]
		}
	}
	return string(id)
}

// together calls do with 0, 1, … from as many goroutines as there are senders, until all n are done or limit has passed. It
// returns how many were done and how long that took.
func (b *bench) together(ctx context.Context, n int, limit time.Duration, do func(ctx context.Context, sender, i int) error) (int, time.Duration, error) {
	var next atomic.Int64
	var done atomic.Int64
	group, ctx := errgroup.WithContext(ctx)
	began := time.Now()
	for sender := range b.config.senders {
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

// send posts the requests and wants 200 for each.
func (b *bench) send(ctx context.Context, url string, requests []request, limit time.Duration) (int, time.Duration, error) {
	return b.together(ctx, len(requests), limit, func(ctx context.Context, _, i int) error {
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, url+requests[i].provider, bytes.NewReader(requests[i].body))
		if err != nil {
			return err
		}
		r.Header = requests[i].header
		response, err := b.client.Do(r)
		if err != nil {
			return err
		}
		defer response.Body.Close()
		if text, err := io.ReadAll(response.Body); err != nil || response.StatusCode != http.StatusOK {
			return errors.Join(fmt.Errorf("answered %d %s", response.StatusCode, text), err)
		}
		return nil
	})
}

// requests are b.
func (b *bench) requests(ctx context.Context) (figure, error) {
	requests := signed(b.config.requestsMax, b.stored)
	return b.metered(func() (int, time.Duration, error) {
		return b.send(ctx, b.nullURL+"/", requests, b.config.slice)
	}, b.null)
}

// accepted is c. The stream's own count has to agree with the answers.
func (b *bench) accepted(ctx context.Context, l *line) (figure, error) {
	requests := signed(b.config.requestsMax, b.stored)
	return b.counted(ctx, l, func() (int, time.Duration, error) {
		return b.send(ctx, l.webhooksURL, requests, b.config.slice)
	}, l.ingress, l.nats)
}

// publishes are a: what ingress has stored is published again, under new ids.
func (b *bench) publishes(ctx context.Context, l *line) (figure, error) {
	like, err := b.event(ctx, l)
	if err != nil {
		return figure{}, err
	}
	messages := make([]*nats.Msg, b.config.senders) // one a sender: it has one publish in hand at a time
	for i := range messages {
		messages[i] = &nats.Msg{Subject: like.Subject, Data: like.Data, Header: nats.Header{}}
		for key, values := range like.Header {
			messages[i].Header[key] = values
		}
	}
	id := like.Header.Get(jetstream.MsgIDHeader)
	ids := make([]string, b.config.requestsMax)
	for i := range ids {
		ids[i] = newID(id)
	}
	return b.counted(ctx, l, func() (int, time.Duration, error) {
		return b.together(ctx, len(ids), b.config.slice, func(ctx context.Context, sender, i int) error {
			_, err := l.js.PublishMsg(ctx, messages[sender], jetstream.WithMsgID(ids[i]), jetstream.WithExpectStream(schema.EventsStream))
			return err
		})
	}, l.nats)
}

// event has ingress store one webhook and returns the message.
func (b *bench) event(ctx context.Context, l *line) (*jetstream.RawStreamMsg, error) {
	if _, _, err := b.send(ctx, l.webhooksURL, signed(1, b.stored), b.config.completionsFor); err != nil {
		return nil, err
	}
	info, err := l.events.Info(ctx)
	if err != nil {
		return nil, err
	}
	return l.events.GetMsg(ctx, info.State.LastSeq)
}

// counted measures load that the events stream must have gained, all of it and nothing else.
func (b *bench) counted(ctx context.Context, l *line, load func() (int, time.Duration, error), on ...*process) (figure, error) {
	before, err := l.events.Info(ctx)
	if err != nil {
		return figure{}, err
	}
	f, err := b.metered(load, on...)
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

// workersAt is where figure.cpu has the workers, together.
const workersAt = 3

// metered measures load, with the processor time that this process and those it works on have used.
func (b *bench) metered(load func() (int, time.Duration, error), on ...*process) (f figure, err error) {
	pids := []int{os.Getpid()}
	for _, p := range on {
		pids = append(pids, p.pid())
	}
	var before []time.Duration
	for _, pid := range pids {
		used, _ := cpuUsed(pid) // 0 where the system does not tell
		before = append(before, used)
	}
	if f.n, f.took, err = load(); err != nil {
		return f, err
	}
	for i, pid := range pids {
		used, _ := cpuUsed(pid)
		if used -= before[i]; i > workersAt {
			f.cpu[workersAt] += used
		} else {
			f.cpu = append(f.cpu, used)
		}
	}
	return f, nil
}

// completions are d: from the first webhook to the last completion.
func (b *bench) completions(ctx context.Context, l *line, delay time.Duration) (f figure, err error) {
	b.fake.ClearFaults()
	if delay > 0 {
		if _, err := b.fake.AddFault(fake.Fault{Delay: fake.Duration(delay)}); err != nil {
			return f, err
		}
	}
	before, err := l.completions.Info(ctx)
	if err != nil {
		return f, err
	}
	requests := signed(b.config.events, b.completed...)
	ctx, cancel := context.WithTimeout(ctx, b.config.completionsFor)
	defer cancel()
	return b.metered(func() (n int, took time.Duration, err error) {
		began := time.Now()
		if _, _, err := b.send(ctx, l.webhooksURL, requests, b.config.completionsFor); err != nil {
			return 0, 0, err
		}
		every := time.NewTicker(countEvery)
		defer every.Stop()
		for {
			now, err := l.completions.Info(ctx)
			if err != nil {
				return n, took, fmt.Errorf("%d of %d completed: %w", n, len(requests), err)
			}
			if n, took = int(now.State.Msgs-before.State.Msgs), time.Since(began); n >= len(requests) {
				return n, took, nil
			}
			<-every.C
		}
	}, append([]*process{l.ingress, l.nats}, l.workers...)...)
}
