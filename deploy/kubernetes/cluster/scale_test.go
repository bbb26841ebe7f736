//go:build cluster

package cluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"

	"github.com/wagewire/wagewire/deploy/arrival"
	"github.com/wagewire/wagewire/deploy/fake"
	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
)

// What testdata/scale.yaml sets, and the work of the scenario.
const (
	scaleRate    = 16
	scaleMax     = 4
	scaleLatency = 600 * time.Millisecond
	scaleEvents  = 2000
	scaledWorker = "employment"
	scaledType   = "employment.added"
	scaledQueue  = "pinwheel_employment"
	// sampleEvery is the time between two samples.
	sampleEvery  = 2 * time.Second
	scalePicture = "../scaling.svg"
)

// slowCalls lets a call take as long as one to a real provider. Without the rate, the pods could
// make more calls a second than the rate and its burst.
var slowCalls = fake.Fault{Path: scaledWorker, Delay: fake.Duration(scaleLatency)}

// useScale upgrades the release to the values of the scenarios about autoscaling, and waits until
// the worker has the least number of pods.
func (r *release) useScale(t *testing.T, least int) {
	t.Helper()
	r.upgrade(t, "--values", "testdata/fakes.yaml", "--values", "testdata/scale.yaml",
		"--set", fmt.Sprintf("autoscaling.minimum=%d", least))
	r.ready(t)
	r.fakes.fail(t)
	r.replicasReach(t, least)
}

// replicas returns how many pods the worker is to have, and how many of them work.
func (r *release) replicas(ctx context.Context) (wanted, ready int, err error) {
	var d appsv1.Deployment
	if err := r.get(ctx, &d, "deployment", r.name+"-"+scaledWorker); err != nil {
		return 0, 0, err
	}
	return int(*d.Spec.Replicas), int(d.Status.ReadyReplicas), nil
}

// replicasReach waits until the worker is to have so many pods.
func (r *release) replicasReach(t *testing.T, n int) {
	t.Helper()
	until(t, fmt.Sprintf("%s has %d pods", scaledWorker, n), func(ctx context.Context) error {
		wanted, _, err := r.replicas(ctx)
		if err == nil && wanted != n {
			err = fmt.Errorf("it has %d", wanted)
		}
		return err
	})
}

// showScale sends some thousand webhooks to a worker without pods. The worker must grow to its
// maximum, keep the rate of the provider at every moment, complete all, and shrink to nothing.
func showScale(t *testing.T, r *release) {
	r.useScale(t, 0)
	r.fakes.fail(t, slowCalls)
	r.fakes.must(t, "DELETE", "calls", nil, nil)
	p := startPulse(t)
	s := r.startSampler(t)
	r.fakes.sendMany(t, scaledType, scaleEvents)
	until(t, "the worker has its maximum of pods", func(context.Context) error {
		if most := s.most(); most < scaleMax {
			return fmt.Errorf("it has had %d of %d", most, scaleMax)
		}
		return nil
	})
	r.settled(t, r.fakes)
	until(t, "the worker has no pod again", func(context.Context) error {
		if now := s.last().replicas; now > 0 {
			return fmt.Errorf("it has %d", now)
		}
		return nil
	})
	c := s.end()
	if most := c.most(); most > scaleMax {
		t.Errorf("the worker had %d pods, want %d at most", most, scaleMax)
	}
	r.checkRate(t, p)
	c.log(t)
	if *updateFlag {
		c.write(t)
	}
}

// checkRate fails the test if more calls arrived in a second than the rate and its burst allow. A
// second in which this machine stalled is not judged. Ten seconds always are, with an allowance.
func (r *release) checkRate(t *testing.T, p *arrival.Pulse) {
	t.Helper()
	calls, err := r.fakes.arrivals(t.Context(), fake.Pinwheel)
	if err != nil {
		t.Fatal(err)
	}
	burst := schema.Burst(scaleRate)
	inSecond, judged := arrival.Busiest(calls, time.Second, p.WasLate)
	inTen, _ := arrival.Busiest(calls, 10*time.Second,
		func(time.Time, time.Time) bool { return false })
	t.Logf("%d calls: at most %d in a second (allowed: %d), seen from %d calls without a stall of "+
		"this machine; at most %d in ten seconds", len(calls), inSecond, scaleRate+burst, judged, inTen)
	if inSecond > scaleRate+burst {
		t.Errorf("%d calls in a second, want %d at most", inSecond, scaleRate+burst)
	}
	const stalledMax = 2 // seconds whose calls may all arrive later, in these ten
	if limit := (10+stalledMax)*scaleRate + burst; inTen > limit {
		t.Errorf("%d calls in ten seconds, want %d at most", inTen, limit)
	}
}

// sampler looks at a worker again and again.
type sampler struct {
	end func() curve

	mu sync.Mutex
	c  curve
}

// last returns the last sample.
func (s *sampler) last() sample {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.c.samples) == 0 {
		return sample{}
	}
	return s.c.samples[len(s.c.samples)-1]
}

// startSampler begins to look at the worker.
func (r *release) startSampler(t *testing.T) *sampler {
	t.Helper()
	s := &sampler{c: curve{replicasMax: scaleMax, callsMax: scaleRate}}
	o := r.connect(t)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	began := time.Now()
	last := began
	go func() {
		defer close(ended)
		every(ctx, sampleEvery, func() {
			now, next, err := r.sample(ctx, o, last)
			if err != nil {
				if !errors.Is(err, context.Canceled) {
					t.Logf("a sample is missing: %v", err)
				}
				return
			}
			now.at = next.Sub(began)
			last = next
			s.mu.Lock()
			defer s.mu.Unlock()
			s.c.samples = append(s.c.samples, now)
			if len(s.c.samples)%5 == 0 {
				t.Logf("%3.0f s: %d pods, %d work, %d events, %.1f calls/s", now.at.Seconds(),
					now.replicas, now.ready, now.backlog, now.calls)
			}
		})
	}()
	s.end = sync.OnceValue(func() curve {
		cancel()
		<-ended
		return s.c
	})
	t.Cleanup(func() { s.end() })
	return s
}

// sample looks at the worker once. since is the time of the sample before.
func (r *release) sample(
	ctx context.Context, o *stream.Operator, since time.Time,
) (s sample, at time.Time, err error) {
	if s.replicas, s.ready, err = r.replicas(ctx); err != nil {
		return s, at, err
	}
	if s.backlog, err = backlog(ctx, o); err != nil {
		return s, at, err
	}
	calls, err := r.fakes.arrivals(ctx, fake.Pinwheel)
	at = time.Now()
	s.calls = float64(callsBetween(calls, since, at)) / at.Sub(since).Seconds()
	return s, at, err
}

// backlog returns how many events of the queue are ready or in hand.
func backlog(ctx context.Context, o *stream.Operator) (int, error) {
	_, queues, err := o.Status(ctx)
	if err != nil {
		return 0, err
	}
	for _, q := range queues {
		if q.Name == scaledQueue {
			return int(q.Ready+q.Replays) + q.InHand, nil
		}
	}
	return 0, fmt.Errorf("there is no queue %s", scaledQueue)
}

// most returns the largest number of pods so far.
func (s *sampler) most() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.c.most()
}

// most returns the largest number of pods.
func (c curve) most() (n int) {
	for _, s := range c.samples {
		n = max(n, s.replicas)
	}
	return n
}

// log prints the figures of the curve: how many calls a second each number of pods made.
func (c curve) log(t *testing.T) {
	t.Helper()
	for n := range c.most() + 1 {
		var calls float64
		var samples int
		for _, s := range c.samples {
			if s.ready == n && s.backlog > 0 {
				calls += s.calls
				samples++
			}
		}
		if samples > 0 {
			t.Logf("with %d working pods: %.1f calls/s in %d samples with work", n,
				calls/float64(samples), samples)
		}
	}
	t.Logf("0 -> %d -> 0 pods in %v, %d events", c.most(), c.length().Round(time.Second),
		scaleEvents)
}

// write draws the curve.
func (c curve) write(t *testing.T) {
	t.Helper()
	var picture bytes.Buffer
	if err := c.writeSVG(&picture); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(scalePicture, picture.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Logf("wrote %s", scalePicture)
}

// startPulse begins to notice when this machine has no processor for the test.
func startPulse(t *testing.T) *arrival.Pulse {
	t.Helper()
	p, err := arrival.NewPulse()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var group sync.WaitGroup
	group.Go(func() { p.Run(ctx) })
	t.Cleanup(func() {
		cancel()
		group.Wait()
	})
	return p
}
