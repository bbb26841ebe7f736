package health_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/wagewire/wagewire/deploy/health"
	"github.com/wagewire/wagewire/schema/stream"
	"github.com/wagewire/wagewire/schema/stream/streamtest"
)

func TestAReadingIsToldBeforeAndAfter(t *testing.T) {
	t.Parallel()
	_, conn := streamtest.New(t)
	op := stream.NewOperator(conn)
	for promise, row := range map[string]struct {
		limit time.Duration
		away  string
	}{
		"a reading within the limit": {time.Minute, ""},
		"one that would take longer": {time.Nanosecond, context.DeadlineExceeded.Error()},
	} {
		t.Run(promise, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			var told []string
			health.ReadAgain(ctx, op, health.Config{}, health.Again{
				Every: time.Millisecond,
				Limit: row.limit,
				Begin: func() { told = append(told, "begin") },
				Show: func(s health.State) {
					told = append(told, "show")
					if s.Away != row.away && (row.away == "" || !strings.Contains(s.Away, row.away)) {
						t.Errorf("it is away: %q", s.Away)
					}
					if len(told) == 4 {
						cancel()
					}
				},
			})
			if got := strings.Join(told, " "); got != "begin show begin show" {
				t.Errorf("it tells %s", got)
			}
		})
	}
}
