package main

import (
	"strings"
	"testing"
	"time"

	"github.com/wagewire/wagewire/schema"
)

func TestAHealthcheckIsOfWhatAnEventNeeds(t *testing.T) {
	b := newBench(t)
	if got := wagewire(t, b.server.Getenv(), "healthcheck"); got != (result{}) {
		t.Errorf("where an event can be stored: got %+v, want exit code 0 and nothing said", got)
	}
	b.must(b.js.DeleteStream(t.Context(), schema.EventsStream))
	for promise, test := range map[string]struct {
		getenv func(string) string
		want   string
	}{
		"no stream":  {b.server.Getenv(), "wagewire healthcheck: stream WAGEWIRE_EVENTS is not there: run: wagewire provision apply\n"},
		"no streams": {startBroker(t).Getenv(), "wagewire healthcheck: stream WAGEWIRE_EVENTS is not there: run: wagewire provision apply\n"},
		"no NATS":    {env("NATS_URL", nowhere), "wagewire healthcheck: NATS_URL: nats://127.0.0.1:1: "},
	} {
		t.Run(promise, func(t *testing.T) {
			t.Parallel()
			got := wagewire(t, test.getenv, "healthcheck")
			if got.code != 1 || got.stdout != "" || !strings.HasPrefix(got.stderr, test.want) || strings.Count(got.stderr, "\n") != 1 {
				t.Errorf("got %+v, want exit code 1 and the line %q", got, test.want)
			}
		})
	}
	const containersLimit = 5 * time.Second // HEALTHCHECK --timeout of deploy/docker/Dockerfile
	if healthcheckFor >= containersLimit {
		t.Errorf("it takes %s, and the container's limit is %s", healthcheckFor, containersLimit)
	}
}
