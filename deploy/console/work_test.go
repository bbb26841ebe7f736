package console

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"

	"github.com/wagewire/wagewire/deploy/shelf"
)

// workFunc is work on one message.
type workFunc func(ctx context.Context) error

func (workFunc) stored(context.Context) (uint64, error) { return 1, nil }

func (workFunc) find(context.Context, int, func(int)) (selection, error) {
	return selection{matched: 1}, nil
}

func (workFunc) count() int { return 1 }

func (w workFunc) send(ctx context.Context, _ int) (uint64, shelf.Outcome, error) {
	return 1, shelf.Outcome{}, w(ctx)
}

func (workFunc) drop() {}

func TestAMessageInHandDelaysNoEnd(t *testing.T) {
	for promise, test := range map[string]struct {
		send workFunc
		why  string
		done int
	}{
		"the broker hangs": {
			func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() },
			errConsoleStops.Error(), 0,
		},
		"the broker is slow": {
			func(ctx context.Context) error {
				select {
				case <-time.After(actFor - time.Second):
					return nil
				case <-ctx.Done():
					return ctx.Err()
				}
			},
			"", 1,
		},
		"the console has a fault": {
			func(ctx context.Context) error { panic(ctx) }, errFault.Error(), 0,
		},
	} {
		t.Run(promise, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var actions []string
				one := &run{
					task: task{action: retryAction, rate: 1}, work: test.send,
					hands: make(chan struct{}, 1), may: mayAlways,
					tell: func() {}, connected: func() error { return nil },
					audit: func(_ actor, action string, _ ...zap.Field) {
						actions = append(actions, action)
					},
					now: report{State: runRunning, Starter: "anna", Chosen: 1, Result: newTally()},
				}
				ctx, cancel := context.WithCancelCause(t.Context())
				ended := make(chan struct{})
				go func() {
					defer close(ended)
					one.do(ctx)
				}()
				synctest.Wait()
				cancel(errConsoleStops)
				began := time.Now()
				<-ended
				if took := time.Since(began); took > actFor {
					t.Errorf("the run ended after %s", took)
				}
				last := one.get(time.Now())
				if last.Done != test.done || !strings.Contains(last.Why, test.why) ||
					!last.State.isOver() || len(actions) == 0 ||
					actions[len(actions)-1] != "retry ended" {
					t.Errorf("the report is %+v; the log has %q", last, actions)
				}
			})
		})
	}
}

// mayAlways lets everybody act.
func mayAlways(context.Context, person) error { return nil }
