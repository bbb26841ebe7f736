package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream/streamtest"
)

const testConsole = "https://wagewire.example.com"

// withConsole runs the command where the installation has a console.
func (b *bench) withConsole(args ...string) result {
	b.Helper()
	return wagewire(b.T, b.with(map[string]string{"CONSOLE_URL": testConsole + "/"}), args...)
}

func TestACommandPrintsTheAddressOfThePage(t *testing.T) {
	b := newBench(t)
	dead := b.event("income.added", "e-1", "a-1")
	again := dead
	again.Redrive = 1
	hostile := b.event("income.added", "a/b?c#d<x>", "a-2")
	b.publish(dead, again, hostile)
	b.die(schema.ClassPermanent, schema.ReasonRejected, receivedAt, dead)
	b.quarantine(schema.Pinwheel, schema.QuarantineJSON, []byte("{"))
	for promise, row := range map[string]struct {
		args  []string
		lines []string // that have the address, in their order
	}{
		"trace ends with the page of the event": {
			[]string{"trace", "pinwheel:e-1:r1"},
			[]string{"  page: " + testConsole + "/events/pinwheel:e-1:r1"},
		},
		"trace has the page of the webhook's own event, and of each redrive": {
			[]string{"trace", "e-1"},
			[]string{
				"  page: " + testConsole + "/events/pinwheel:e-1",
				"  page: " + testConsole + "/events/pinwheel:e-1:r1",
			},
		},
		"trace has the hash of a hostile id": {
			[]string{"trace", "a/b?c#d<x>"},
			[]string{"  page: " + testConsole + "/events/pinwheel:" + schema.HashToken("a/b?c#d<x>")},
		},
		"dead show ends with the page of the letter": {
			[]string{"dead", "show", "1"}, []string{"page: " + testConsole + "/dead/1"},
		},
		"quarantine show ends with the page of the webhook": {
			[]string{"quarantine", "show", "1"}, []string{"page: " + testConsole + "/quarantine/1"},
		},
		"status has the first page": {[]string{"status"}, []string{"pages: " + testConsole}},
	} {
		t.Run(promise, func(t *testing.T) {
			got := b.withConsole(row.args...)
			var lines []string
			for line := range strings.Lines(got.stdout) {
				if strings.Contains(line, testConsole) {
					lines = append(lines, strings.TrimSuffix(line, "\n"))
				}
			}
			if diff := cmp.Diff(row.lines, lines); diff != "" || got.stderr != "" {
				t.Errorf("lines (-want +got):\n%s\n%s", diff, got.stderr)
			}
			isLast := strings.HasSuffix(got.stdout, row.lines[len(row.lines)-1]+"\n")
			if row.args[0] != "status" && !isLast {
				t.Errorf("the address is not the last line of\n%s", got.stdout)
			}
			if got := b.wagewire(row.args...).stdout; strings.Contains(got, "page") {
				t.Errorf("without a console it has a page:\n%s", got)
			}
		})
	}
}

func TestTheStatusHasThePagesAfterTheFindings(t *testing.T) {
	getenv := env("NATS_URL", "nats://127.0.0.1:1", "CONSOLE_URL", testConsole)
	got := wagewire(t, getenv, "status", "--wait", "0s")
	if !strings.HasSuffix(got.stdout, "\npages: "+testConsole+"\n\n") ||
		!strings.HasPrefix(got.stdout, "BAD") {
		t.Errorf("the status of a broker that is away is\n%s", got.stdout)
	}
}

func TestJSONHasTheAddressOfThePage(t *testing.T) {
	b := newBench(t)
	e := b.event("income.added", "e-1", "a-1")
	b.publish(e)
	b.die(schema.ClassPermanent, schema.ReasonRejected, receivedAt, e)
	b.quarantine(schema.Pinwheel, schema.QuarantineJSON, []byte("{"))
	type object struct {
		Console string
		Lives   []struct{ Console, Event string }
	}
	for promise, row := range map[string]struct {
		args []string
		want string
	}{
		"trace":           {[]string{"trace", "e-1"}, testConsole + "/events/pinwheel:e-1"},
		"dead show":       {[]string{"dead", "show", "1"}, testConsole + "/dead/1"},
		"quarantine show": {[]string{"quarantine", "show", "1"}, testConsole + "/quarantine/1"},
		"status":          {[]string{"status"}, testConsole},
	} {
		t.Run(promise, func(t *testing.T) {
			args := slices.Concat(row.args, []string{"--json"})
			var got object
			b.must(json.Unmarshal([]byte(b.withConsole(args...).stdout), &got))
			if row.args[0] == "trace" {
				if len(got.Lives) != 1 || got.Lives[0].Event != "pinwheel:e-1" {
					t.Fatalf("lives %+v", got.Lives)
				}
				got.Console = got.Lives[0].Console
			}
			if got.Console != row.want {
				t.Errorf("console %q, want %q", got.Console, row.want)
			}
			if text := b.wagewire(args...).stdout; strings.Contains(text, `"console"`) {
				t.Errorf("without a console it has one: %s", text)
			}
		})
	}
}

func TestTheMetricsHaveTheAddressOfTheConsole(t *testing.T) {
	b := newBench(t)
	addr := fmt.Sprintf("127.0.0.1:%d", streamtest.FreePort(t))
	begin(t, b.with(map[string]string{"CONSOLE_URL": testConsole}), "metrics", "--addr", addr)
	streamtest.Eventually(t, "the metric of the console is served", func() bool {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+addr+"/metrics", nil)
		b.must(err)
		answer, err := http.DefaultClient.Do(r)
		if err != nil { // it does not listen yet
			return false
		}
		defer answer.Body.Close()
		text, err := io.ReadAll(answer.Body)
		b.must(err)
		return strings.Contains(string(text), `wagewire_console_info{url="`+testConsole+`"} 1`)
	})
}

func TestAWrongAddressOfTheConsoleIsRefused(t *testing.T) {
	b := newBench(t)
	getenv := b.with(map[string]string{"CONSOLE_URL": testConsole + "/console"})
	for name, args := range map[string][]string{
		"trace":           {"e-1"},
		"dead show":       {"1"},
		"quarantine show": {"1"},
		"status":          {},
		"metrics":         {"--addr", "127.0.0.1:0"},
	} {
		got := wagewire(t, getenv, append(strings.Fields(name), args...)...)
		want := result{1, "", "wagewire " + name + ": CONSOLE_URL: the URL has a path, and the " +
			"pages have no prefix: end it after the host\n"}
		if diff := diffResults(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
