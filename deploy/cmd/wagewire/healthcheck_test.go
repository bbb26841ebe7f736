package main

import (
	"strings"
	"testing"
	"time"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream/streamtest"
)

func TestAHealthcheckIsOfWhatAnEventNeeds(t *testing.T) {
	b := newBench(t)
	// A healthcheck has a time limit. On a slow machine it may need more than one attempt.
	streamtest.Eventually(t, "where an event can be stored: exit code 0 and no output",
		func() bool {
			return wagewire(t, b.server.Getenv(), "healthcheck") == (result{})
		})
	b.must(b.js.DeleteStream(t.Context(), schema.EventsStream))
	for promise, test := range map[string]struct {
		getenv func(string) string
		want   string
	}{
		"no stream": {b.server.Getenv(),
			"wagewire healthcheck: stream WAGEWIRE_EVENTS is not there: run: wagewire provision apply\n"},
		"no streams": {startBroker(t).Getenv(),
			"wagewire healthcheck: stream WAGEWIRE_EVENTS is not there: run: wagewire provision apply\n"},
		"no NATS": {env("NATS_URL", nowhere),
			"wagewire healthcheck: NATS_URL: nats://127.0.0.1:1: "},
	} {
		t.Run(promise, func(t *testing.T) {
			t.Parallel()
			streamtest.Eventually(t, "exit code 1 and the line "+test.want, func() bool {
				got := wagewire(t, test.getenv, "healthcheck")
				return got.code == 1 && got.stdout == "" && strings.Count(got.stderr, "\n") == 1 &&
					strings.HasPrefix(got.stderr, test.want)
			})
		})
	}
	const containersLimit = 5 * time.Second // HEALTHCHECK --timeout of deploy/docker/Dockerfile
	if healthcheckFor >= containersLimit {
		t.Errorf("it takes %s, and the container's limit is %s", healthcheckFor, containersLimit)
	}
}
