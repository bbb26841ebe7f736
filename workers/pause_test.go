package workers

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/workers/api"
)

const restFor = time.Minute

func newTestPause() *pause {
	log := zap.NewNop()
	return newPause(nil, "queue", restFor, newClosures(nil, "queue", log), log,
		newMetrics(prometheus.NewRegistry()))
}

// admitted is how many of 16 events the queue may take now.
func admitted(p *pause) int {
	n, _ := p.Admit(16, 0)
	return n
}

// call makes a call about the account that ends with err.
func call(t *testing.T, p *pause, account string, err error) error {
	t.Helper()
	turn, ok := p.enter()
	if !ok {
		t.Fatal("the queue is paused, and no turn is left")
	}
	return turn.record(account, err)
}

var (
	errUnauthorized = &api.StatusError{Endpoint: "/v1/x", Status: 401}
	errForbidden    = &api.StatusError{Endpoint: "/v1/x", Status: 403}
)

// takeTurn gives this process the turn to probe, as a stored state of the broker does.
func takeTurn(p *pause) {
	state := p.state
	state.ProbeAt = time.Now().Add(restFor)
	p.unshared = false
	p.noteStored(comparison{state: state})
}

func TestARefusalStopsTheQueueUntilAProbeIsAccepted(t *testing.T) {
	p := newTestPause()
	if n := admitted(p); n != 16 {
		t.Fatalf("an open queue takes %d of 16", n)
	}
	underWay, _ := p.enter()
	if err := call(t, p, "a", errUnauthorized); !errors.Is(err, errUnauthorized) {
		t.Errorf("the error became %v", err)
	}
	if n := admitted(p); n != 0 {
		t.Errorf("a paused queue takes %d", n)
	}
	if _, ok := p.enter(); ok {
		t.Error("a job calls the provider though the queue is paused")
	}
	_ = underWay.record("b", nil)
	if n := admitted(p); n != 0 {
		t.Error("a call that was under way ended the pause")
	}

	takeTurn(p)
	if n := admitted(p); n != 1 {
		t.Errorf("the queue takes %d as a probe, want 1", n)
	}
	probe, ok := p.enter()
	if !ok || !probe.probes || admitted(p) != 0 {
		t.Errorf("a probe: %v %+v; while it asks the queue takes %d", ok, probe, admitted(p))
	}
	if _, ok := p.enter(); ok {
		t.Error("two probes at a time")
	}
	_ = probe.record("c", errUnauthorized)
	if p.state.Probes != 1 || admitted(p) != 0 {
		t.Errorf("after a refused probe: %+v, the queue takes %d", p.state, admitted(p))
	}

	takeTurn(p)
	_, changed := p.Admit(16, 0)
	_ = call(t, p, "d", nil)
	select {
	case <-changed:
	default:
		t.Error("nobody learns of the end of the pause")
	}
	if n := admitted(p); n != 16 {
		t.Errorf("after an accepted probe the queue takes %d of 16", n)
	}
}

func TestForbiddenAccountsPauseTheQueueOnlyInALongRunWithoutASuccess(t *testing.T) {
	account := func(n int) string { return fmt.Sprint("account-", n) }
	tests := []struct {
		promise string
		calls   func(*testing.T, *pause)
		paused  bool
	}{
		{"one account, refused again and again, does not", func(t *testing.T, p *pause) {
			for range 10 * ForbiddenAccountsMax {
				_ = call(t, p, account(1), errForbidden)
			}
		}, false},
		{"many accounts with a success between do not", func(t *testing.T, p *pause) {
			for i := range 10 * ForbiddenAccountsMax {
				_ = call(t, p, account(i), errForbidden)
				if i%(ForbiddenAccountsMax-1) == 0 {
					_ = call(t, p, account(i), nil)
				}
			}
		}, false},
		{"a failure of another class is no success", func(t *testing.T, p *pause) {
			for i := range ForbiddenAccountsMax {
				_ = call(t, p, account(i), errForbidden)
				if i < ForbiddenAccountsMax-1 {
					_ = call(t, p, account(i), &api.StatusError{Status: 503})
				}
			}
		}, true},
		{"many accounts in a row do", func(t *testing.T, p *pause) {
			for i := range ForbiddenAccountsMax {
				err := call(t, p, account(i), errForbidden)
				isLast := i == ForbiddenAccountsMax-1
				if errors.Is(err, errRefused) != isLast || !errors.Is(err, errForbidden) {
					t.Errorf("refusal %d ended with %v", i, err)
				}
			}
		}, true},
	}
	for _, test := range tests {
		t.Run(test.promise, func(t *testing.T) {
			p := newTestPause()
			test.calls(t, p)
			if got := admitted(p) == 0; got != test.paused {
				t.Errorf("paused: %v", got)
			}
			if test.paused && (p.state.Class != schema.ClassForbidden || p.state.Status != 403) {
				t.Errorf("the state is %+v", p.state)
			}
		})
	}
}

func TestAHoldStopsTheQueueForItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newTestPause()
		_ = call(t, p, "a", &api.StatusError{Status: 429, RetryAfter: time.Minute})
		_ = call(t, p, "b", &api.StatusError{Status: 429, RetryAfter: time.Second})
		n, changed := p.Admit(16, 0)
		if n != 0 {
			t.Errorf("a held queue takes %d", n)
		}
		began := time.Now()
		for n == 0 {
			<-changed
			n, changed = p.Admit(16, 0)
		}
		if held := time.Since(began); held != time.Minute || n != 16 {
			t.Errorf("after %v the queue takes %d, want 16 after the longer hold", held, n)
		}
	})
}

func TestTheStateOfAPauseIsReconciledWithTheBrokers(t *testing.T) {
	now := time.Now()
	refusal := schema.Pause{Paused: true, Since: now, Status: 401, ProbeAt: now.Add(time.Hour)}
	due := refusal
	due.ProbeAt = now.Add(-time.Second)
	tests := []struct {
		promise string
		local   schema.Pause
		news    bool
		read    schema.Pause
		store   bool
		takes   int
	}{
		{"neither is paused: nothing to do", schema.Pause{}, false, schema.Pause{}, false, 16},
		{"news of a refusal is stored", refusal, true, schema.Pause{}, true, 0},
		{"a refusal that the broker knows is no news", refusal, true, refusal, false, 0},
		{"news of the end is stored", schema.Pause{Since: now}, true, refusal, true, 16},
		{"a new process learns of the pause", schema.Pause{}, false, refusal, false, 0},
		{"another process ended the pause", refusal, false, schema.Pause{Since: now}, false, 16},
		{"another process has the turn to probe", refusal, false, refusal, false, 0},
		{"nobody has the turn: it is asked for", refusal, false, due, true, 0},
	}
	for _, test := range tests {
		t.Run(test.promise, func(t *testing.T) {
			p := newTestPause()
			p.state = test.local
			p.unshared = test.news
			found := p.reconcile(test.read)
			if found.store != test.store {
				t.Errorf("store: %v", found.store)
			}
			if n := admitted(p); n != test.takes {
				t.Errorf("the queue takes %d, want %d", n, test.takes)
			}
			if !test.store || test.news {
				return
			}
			p.noteStored(found)
			if n := admitted(p); n != 1 {
				t.Errorf("with the turn, the queue takes %d, want 1", n)
			}
			if diff := cmp.Diff(found.state, p.state); diff != "" {
				t.Errorf("(-stored +known):\n%s", diff)
			}
		})
	}
}
