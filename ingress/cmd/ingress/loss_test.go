package main

import (
	"errors"
	"io"
	"net/http"
	"os/exec"
	"strings"
	"testing"

	"github.com/wagewire/wagewire/schema/stream/streamtest"
)

// An operator lowers max_payload of a running broker. The client library gives up its connection
// at the first message over the new limit. A supervisor then starts ingress again.
func TestIngressEndsWhenItsConnectionIsLostForGood(t *testing.T) {
	t.Parallel()
	broker, _ := streamtest.New(t)
	c := start(t, broker.URL())
	c.awaitReady()
	if err := broker.SetPayloadMax(16 << 10); err != nil {
		t.Fatal(err)
	}
	c.answers("small", 0, http.StatusOK)
	c.answers("large", 32<<10, http.StatusServiceUnavailable)
	select {
	case err := <-c.ended:
		exit, ok := errors.AsType[*exec.ExitError](err)
		if !ok || exit.ExitCode() != 1 {
			t.Errorf("ingress ended with %v, want exit code 1", err)
		}
	case <-streamtest.Late(t):
		t.Fatal("the test binary's time is up, and ingress has not ended")
	}
	for _, want := range []string{"closed the connection for good", "Maximum Payload Violation"} {
		if !strings.HasPrefix(c.lastLine, "ingress: ") || !strings.Contains(c.lastLine, want) {
			t.Errorf("the last line is %q, want one that says %q", c.lastLine, want)
		}
	}

	again := start(t, broker.URL())
	again.awaitReady()
	again.answers("large", 32<<10, http.StatusServiceUnavailable)
	again.answers("small, too", 0, http.StatusOK)
	again.awaitReady()
	if got := again.metrics(); !strings.Contains(got,
		`wagewire_ingress_publish_total{result="too_large"} 1`) {
		t.Errorf("a webhook over the broker's limit has no result of its own:\n%s", got)
	}
}

// answers sends a webhook over a connection of its own.
func (c *command) answers(id string, paddingBytes, want int) {
	c.Helper()
	status, _, err := newSender(c.T).send(c.addr, webhook(id, paddingBytes))
	if err != nil || status != want {
		c.Errorf("webhook %q is answered %d, %v; want %d", id, status, err, want)
	}
}

func (c *command) awaitReady() {
	c.Helper()
	streamtest.Eventually(c, "ingress is ready", func() bool {
		ready, err := c.isReady(c.Context(), http.DefaultClient)
		return ready && err == nil
	})
}

func (c *command) metrics() string {
	c.Helper()
	answer, err := http.Get("http://" + c.admin + "/metrics")
	if err != nil {
		c.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		c.Fatal(err)
	}
	return string(text)
}
