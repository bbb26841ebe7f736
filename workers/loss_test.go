package workers

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream/streamtest"
)

// An operator lowers max_payload of a running broker, and the next completion is over the new
// limit. The client library then gives up the connection, and a supervisor starts the worker again.
func TestACommandEndsWhenItsConnectionIsLostForGood(t *testing.T) {
	t.Parallel()
	server, conn := streamtest.New(t)
	asked := make(chan struct{}, 16)
	answer := make(chan struct{})
	once := sync.OnceFunc(func() { close(answer) })
	provider := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked <- struct{}{}
		<-answer
		fmt.Fprintf(w, `{"id":"rec-1","text":%q}`, strings.Repeat("x", 32<<10))
	}))
	t.Cleanup(provider.Close)
	t.Cleanup(once)
	env := []string{
		"NATS_URL=" + server.URL(), "TEST_SECRET_FILE=asks", "TEST_PROVIDER_URL=" + provider.URL,
	}
	c := start(t, env...)
	c.answers("/readyz", 200)
	e := employment(t, "large")
	if _, err := conn.PublishEvent(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	receive(t, "the worker asks the provider", asked)
	if err := server.SetPayloadMax(16 << 10); err != nil {
		t.Fatal(err)
	}
	once()
	err := receive(t, "the command ends", c.ended)
	if exit, ok := errors.AsType[*exec.ExitError](err); !ok || exit.ExitCode() != 1 {
		t.Errorf("the worker ended with %v, want exit code 1", err)
	}
	lines := strings.Split(strings.TrimSpace(c.log()), "\n")
	last := lines[len(lines)-1]
	for _, want := range []string{"closed the connection for good", "Maximum Payload Violation"} {
		if !strings.HasPrefix(last, "employment: ") || !strings.Contains(last, want) {
			t.Errorf("the last line is %q, want one that says %q", last, want)
		}
	}

	start(t, env...)
	e = employment(t, "large, too") // the first event is on lease for a minute
	if _, err := conn.PublishEvent(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	streamtest.Eventually(t, "the event is completed in smaller messages", func() bool {
		done, err := conn.Completed(t.Context(), e, schema.Employment)
		return done && err == nil
	})
}
