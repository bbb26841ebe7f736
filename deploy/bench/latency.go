package bench

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/wagewire/wagewire/deploy/fake"
	"github.com/wagewire/wagewire/schema"
)

const (
	// loadShare is the share of our own rate at which latency is measured.
	loadShare = 0.5
	// reachedShare is the share of the wanted rate that counts as reached.
	reachedShare = 0.95
	// connectionsMax is how many requests may be on their way. More of them wait, and the wait
	// counts.
	connectionsMax = 256
)

// times are how long each of many webhooks took.
type times []time.Duration

// quantile returns the time that the given share of the webhooks did not exceed. The times must be
// sorted.
func (t times) quantile(share float64) time.Duration {
	return t[min(len(t)-1, int(share*float64(len(t))))]
}

// part is a part of the way of a webhook, and how long each webhook took for it.
type part struct {
	name  string
	times times
}

// timing is how long the webhooks of one line took at a constant rate.
type timing struct {
	parts []part
	// unreached says why there are no times: the rate was not reached.
	unreached string
}

// latency is the timing of both lines at the same rate.
type latency struct {
	name  string
	perS  float64
	lines pair[timing]
}

// measureLatency sends webhooks at half of the rate that our line has shown: to ingress alone, and
// through the whole line. Both lines get the same rate.
func (b *bench) measureLatency(ctx context.Context, lines pair[*line], r *results) error {
	small := 0 // the index of the small snapshots
	loads := []struct {
		latency

		webhooks  []fake.Webhook
		completed bool
	}{
		{
			latency{name: "without a worker", perS: r.spread(func(n round) float64 {
				return n.ingress.ours.perS()
			}).median},
			[]fake.Webhook{b.stored}, false,
		},
		{
			latency{name: kinds[small].name, perS: r.spread(func(n round) float64 {
				return n.kinds[small].ours.perS()
			}).median},
			b.worked[small], true,
		},
	}
	for _, load := range loads {
		load.perS *= loadShare
		n := max(1, int(load.perS*b.config.OpenFor.Seconds()))
		both, err := inTurn(lines, 0, func(l *line) (timing, error) {
			return b.timeAll(ctx, l, signCopies(n, load.webhooks...), load.perS, load.completed)
		})
		if err != nil {
			return fmt.Errorf("latency, %s: %w", load.name, err)
		}
		load.lines = both
		r.latency = append(r.latency, load.latency)
	}
	return nil
}

// timeAll sends the requests at a constant rate. Times count from when a request was due and not
// from when it was sent: a line that stalls does not hide the requests that it held up.
func (b *bench) timeAll(
	ctx context.Context, l *line, requests []request, perS float64, completed bool,
) (timing, error) {
	before, err := l.completions.Info(ctx)
	if err != nil {
		return timing{}, err
	}
	client := newRateClient()
	defer client.CloseIdleConnections()
	due, answers, err := sendAtRate(ctx, client, l.webhooksURL, requests, perS)
	if unreached, ok := errors.AsType[*unreachedError](err); ok {
		return timing{unreached: unreached.Error()}, nil
	}
	if err != nil {
		return timing{}, err
	}
	got := timing{parts: []part{{"webhook → 200", answers}}}
	if completed {
		waiting, cancel := context.WithTimeout(ctx, completionsFor)
		defer cancel()
		if _, err := l.awaitCompletions(waiting, before.State.Msgs, len(requests)); err != nil {
			return timing{unreached: err.Error()}, ctx.Err()
		}
		parts, err := l.readTimes(ctx, before.State.LastSeq+1, due)
		if err != nil {
			return timing{}, err
		}
		got.parts = append(got.parts, parts...)
	}
	for _, p := range got.parts {
		slices.Sort(p.times)
	}
	return got, nil
}

// unreachedError says that a line did not take the rate.
type unreachedError struct {
	got, wanted float64
	err         error
}

func (e *unreachedError) Error() string {
	if e.err != nil {
		return fmt.Sprintf("%.0f a second is not reached: %v", e.wanted, e.err)
	}
	return fmt.Sprintf("%.0f a second is not reached, but %.0f", e.wanted, e.got)
}

func newRateClient() *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			MaxConnsPerHost: connectionsMax, MaxIdleConnsPerHost: connectionsMax,
		},
		Timeout: completionsFor,
	}
}

// sendAtRate sends each request when it is due. It returns when each event was due, by its id, and
// the times from there to the answers. The error is an unreachedError if the receiver refuses a
// request, or takes the requests at a lower rate.
func sendAtRate(
	ctx context.Context, client *http.Client, url string, requests []request, perS float64,
) (due map[string]time.Time, answers times, err error) {
	due = make(map[string]time.Time, len(requests))
	answers = make(times, len(requests))
	failed := make(chan error, 1)
	var sending sync.WaitGroup
	began := time.Now()
	for i, what := range requests {
		at := began.Add(time.Duration(float64(i) / perS * float64(time.Second)))
		due[what.id] = at
		time.Sleep(time.Until(at))
		sending.Go(func() {
			err := post(ctx, client, url, what)
			answers[i] = time.Since(at)
			if err != nil {
				select {
				case failed <- err:
				default: // the first error is told
				}
			}
		})
	}
	sending.Wait()
	got := float64(len(requests)) / time.Since(began).Seconds()
	select {
	case err := <-failed:
		return nil, nil, cmp.Or(ctx.Err(), error(&unreachedError{wanted: perS, err: err}))
	default:
	}
	if got < reachedShare*perS {
		return nil, nil, &unreachedError{wanted: perS, got: got}
	}
	return due, answers, nil
}

// readTimes reads the completions of the events, from a sequence on. It returns the times from when
// each event was due to its completion at the broker. Completions of our line tell more: the parts
// of the way.
func (l *line) readTimes(
	ctx context.Context, from uint64, due map[string]time.Time,
) ([]part, error) {
	consumer, err := l.js.OrderedConsumer(ctx, l.completions.CachedInfo().Config.Name,
		jetstream.OrderedConsumerConfig{
			DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: from,
		})
	if err != nil {
		return nil, err
	}
	all := part{name: "webhook → completion"}
	ways := []part{
		{name: "  due → received"},
		{name: "  received → stored"}, {name: "  stored → taken"}, {name: "  taken → completed"},
	}
	messages, err := consumer.Messages()
	if err != nil {
		return nil, err
	}
	defer messages.Stop()
	defer context.AfterFunc(ctx, messages.Stop)()
	for range due {
		msg, err := messages.Next()
		if err != nil {
			return nil, err
		}
		meta, err := msg.Metadata()
		if err != nil {
			return nil, err
		}
		id := msg.Headers().Get(jetstream.MsgIDHeader)
		var c schema.Completion
		if json.Unmarshal(msg.Data(), &c) == nil && !c.Data.StoredAt.IsZero() {
			id = c.Data.Event.ID
			at := []time.Time{
				due[id], c.Data.Event.ReceivedAt, c.Data.StoredAt, c.Data.TakenAt, meta.Timestamp,
			}
			for i := range ways {
				ways[i].times = append(ways[i].times, at[i+1].Sub(at[i]))
			}
		}
		if due[id].IsZero() {
			return nil, fmt.Errorf("the stream has a completion of another event, %q", id)
		}
		all.times = append(all.times, meta.Timestamp.Sub(due[id]))
	}
	if len(ways[0].times) == 0 {
		return []part{all}, nil
	}
	return append([]part{all}, ways...), nil
}

// printLatency prints the quantiles of each part of the way.
func (r results) printLatency(w io.Writer) {
	fmt.Fprintf(w, "\nlatency at a constant rate, ms\tours p50\tp99\tp999\tleast p50\tp99\tp999\n")
	for _, l := range r.latency {
		fmt.Fprintf(w, "%s, %.0f a second\t\t\t\t\t\t\n", l.name, l.perS)
		for _, line := range []struct {
			name string
			timing
		}{{"ours", l.lines.ours}, {"least", l.lines.least}} {
			if line.unreached != "" {
				fmt.Fprintf(w, "  %s: %s\n", line.name, line.unreached)
			}
		}
		most := l.lines.ours.parts
		if len(l.lines.least.parts) > len(most) {
			most = l.lines.least.parts
		}
		for i, p := range most {
			fmt.Fprintf(w, "  %s\t%s\t%s\n",
				p.name, l.lines.ours.cells(i), l.lines.least.cells(i))
		}
	}
}

// cells are the quantiles of the part at the index, in milliseconds, or nothing without the part.
func (t timing) cells(i int) string {
	if i >= len(t.parts) {
		return "\t\t"
	}
	of := t.parts[i].times
	ms := func(share float64) float64 {
		return float64(of.quantile(share)) / float64(time.Millisecond)
	}
	return fmt.Sprintf("%.1f\t%.1f\t%.1f", ms(0.5), ms(0.99), ms(0.999))
}
