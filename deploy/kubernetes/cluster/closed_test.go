//go:build cluster

package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/wagewire/wagewire/deploy/fake"
	"github.com/wagewire/wagewire/workers"
)

const (
	// closedEvents are ready while the queue is closed. They would ask for the maximum of pods.
	closedEvents = 300
	// closedFor is how long a closed queue is watched: the autoscaler asks several times.
	closedFor = 30 * time.Second
)

// showPause pauses the queue by the operator's command.
func showPause(t *testing.T, r *release) {
	r.useScale(t, 0)
	o := r.newOperator(t)
	r.fakes.fail(t, slowCalls)
	o.does(t, "pause", scaledQueue, "--for", "1h")
	r.fakes.sendMany(t, scaledType, closedEvents)
	r.checkNoGrowth(t, 0)
	o.does(t, "resume", scaledQueue)
	r.grows(t)
	r.settled(t, r.fakes)
}

// showHold lets the provider answer 429 once, and ask for no call for ten minutes.
func showHold(t *testing.T, r *release) {
	r.useScale(t, 0)
	o := r.newOperator(t)
	r.fakes.fail(t, slowCalls,
		fake.Fault{Path: scaledWorker, Status: 429, RetryAfter: "600", Times: 1})
	r.fakes.sendMany(t, scaledType, 1)
	o.sees(t, "held", true)
	r.fakes.sendMany(t, scaledType, closedEvents)
	r.checkNoGrowth(t, 1)
	o.does(t, "budget", "reset", fake.Pinwheel)
	o.does(t, "retry", "--class", "throttled", "--yes")
	r.grows(t)
	r.settled(t, r.fakes)
}

// showOutage lets the provider answer 503 to every call. A worker notices the outage after some
// events. One pod stays, and goes on trying. The closure ends some time after the outage.
func showOutage(t *testing.T, r *release) {
	r.useScale(t, 1)
	o := r.newOperator(t)
	r.fakes.fail(t, fake.Fault{Path: scaledWorker, Status: 503})
	r.fakes.sendMany(t, scaledType, workers.DownAfter+1)
	o.sees(t, "down", true)
	wanted, _, err := r.replicas(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	r.fakes.sendMany(t, scaledType, closedEvents)
	r.checkNoGrowth(t, wanted)
	r.fakes.fail(t, slowCalls)
	o.sees(t, "down", false)
	r.fakes.sendMany(t, scaledType, closedEvents)
	r.grows(t)
	r.settled(t, r.fakes)
}

// operator is the operator's command on this machine.
type operator struct {
	surroundings

	wagewire string
}

// newOperator returns the operator's command with the broker of the release.
func (r *release) newOperator(t *testing.T) operator {
	t.Helper()
	b := r.broker(t)
	return operator{r.with(
		"NATS_URL="+b.URL, "NATS_CREDS_FILE="+b.CredsFile, "NATS_JS_DOMAIN="+b.Domain,
	), r.wagewire}
}

// does runs the command.
func (o operator) does(t *testing.T, args ...string) (stdout string) {
	t.Helper()
	return o.must(t, o.wagewire, args...)
}

// readyWork returns the ready work that the autoscaler sees: the figure that KEDA gives to the
// HorizontalPodAutoscaler of the worker.
func (r *release) readyWork(ctx context.Context) (float64, error) {
	path := fmt.Sprintf(
		"/apis/external.metrics.k8s.io/v1beta1/namespaces/%s/composite-metric?labelSelector=%s",
		r.namespace, url.QueryEscape("scaledobject.keda.sh/name="+r.name+"-"+scaledWorker))
	text, err := r.run(ctx, "kubectl", "get", "--raw", path)
	if err != nil {
		return 0, err
	}
	var list struct {
		Items []struct{ Value resource.Quantity }
	}
	if err := json.Unmarshal([]byte(text), &list); err != nil {
		return 0, err
	}
	if len(list.Items) != 1 {
		return 0, fmt.Errorf("KEDA has %d figures for %s, want one", len(list.Items), scaledWorker)
	}
	return list.Items[0].Value.AsApproximateFloat64(), nil
}

// sees waits until the operator sees that the queue is, or is not, closed for a reason.
func (o operator) sees(t *testing.T, reason string, closed bool) {
	t.Helper()
	until(t, fmt.Sprintf("closed because it is %s: %t", reason, closed), func(context.Context) error {
		var status struct {
			Queues []struct {
				Name     string
				Closures []string
			}
		}
		if err := json.Unmarshal([]byte(o.does(t, "status", "--json")), &status); err != nil {
			return err
		}
		for _, q := range status.Queues {
			if q.Name == scaledQueue && slices.Contains(q.Closures, reason) == closed {
				return nil
			}
		}
		return errors.New("not yet")
	})
}

// checkNoGrowth watches a closed queue with ready events for a while. The autoscaler must see no
// work, and the worker must have so many pods at most.
func (r *release) checkNoGrowth(t *testing.T, most int) {
	t.Helper()
	o := r.connect(t)
	began := time.Now()
	looks := 0
	until(t, "the closed queue was watched", func(ctx context.Context) error {
		events, err := backlog(ctx, o)
		if err != nil {
			return err
		}
		seen, err := r.readyWork(ctx)
		if err != nil {
			return err
		}
		wanted, _, err := r.replicas(ctx)
		if err != nil {
			return err
		}
		if seen > 0 || wanted > most {
			t.Errorf("%d events are ready: KEDA sees %.0f, the worker has %d pods, want 0 and %d at most",
				events, seen, wanted, most)
		}
		looks++
		if time.Since(began) < closedFor {
			return fmt.Errorf("%d looks", looks)
		}
		t.Logf("in %d looks with %d events: no ready work for KEDA, %d pods", looks, events, wanted)
		return nil
	})
}

// grows waits until the worker is to have two pods.
func (r *release) grows(t *testing.T) {
	t.Helper()
	until(t, scaledWorker+" has two pods", func(ctx context.Context) error {
		wanted, _, err := r.replicas(ctx)
		if err == nil && wanted < 2 {
			err = fmt.Errorf("it has %d", wanted)
		}
		return err
	})
}
