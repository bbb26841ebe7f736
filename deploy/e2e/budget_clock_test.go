package e2e

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream/streamtest"
)

// secondsAheadVariable has the number of seconds by which the clock of a process with a wrong clock
// is ahead.
const secondsAheadVariable = "WAGEWIRE_TEST_SECONDS_AHEAD"

// The changes of the package time for a wrong clock: old and new texts. The clock of time.Now is
// ahead, and durations stay right.
var wrongClock = [][2]string{
	{"import (\n", "import (\n\t\"syscall\"\n"},
	{
		"\tsec, nsec, mono := runtimeNow()\n\tif mono == 0 {\n\t\treturn Time{uint64(nsec), sec + unix",
		"\tsec, nsec, mono := runtimeNow()\n\tsec += secondsAhead\n" +
			"\tif mono == 0 {\n\t\treturn Time{uint64(nsec), sec + unix",
	},
	{"// Now returns the current local time.\n", `
var secondsAhead = readSecondsAhead()

func readSecondsAhead() int64 {
	text, _ := syscall.Getenv("` + secondsAheadVariable + `")
	n, _ := atoi(text)
	return int64(n)
}

// Now returns the current local time.
`},
}

// writeWrongClock writes an overlay for the go command, and returns its path.
func writeWrongClock(t *testing.T) (overlay string) {
	t.Helper()
	root, err := exec.CommandContext(t.Context(), "go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	original := filepath.Join(strings.TrimSpace(string(root)), "src", "time", "time.go")
	text, err := os.ReadFile(original)
	if err != nil {
		t.Fatal(err)
	}
	code := string(text)
	for _, edit := range wrongClock {
		if n := strings.Count(code, edit[0]); n != 1 {
			t.Fatalf("%s has this text %d times, want once:\n%s", original, n, edit[0])
		}
		code = strings.Replace(code, edit[0], edit[1], 1)
	}
	changed := filepath.Join(t.TempDir(), "time.go")
	overlay = filepath.Join(t.TempDir(), "overlay.json")
	files, err := json.Marshal(map[string]map[string]string{"Replace": {original: changed}})
	if err != nil {
		t.Fatal(err)
	}
	for path, text := range map[string]string{changed: code, overlay: string(files)} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return overlay
}

// The clock of a process is two seconds ahead, the clock of another two seconds behind. Their build
// has the standard library anew, which takes a minute the first time.
func showWrongClocks(t *testing.T, _ string) {
	in, _ := newInstallation(t, buildWorkers(t, writeWrongClock(t)))
	n := callsIn(*budgetFor)
	in.publish("event", n+1, budgetResources()...)
	ahead := in.start(schema.Employment, secondsAheadVariable+"=2")
	behind := in.start(schema.Identity, secondsAheadVariable+"=-2")
	in.start(schema.Income)
	in.awaitReadiness(http.StatusOK, "")
	// Any time may pass between the start, the line and now.
	if at := ahead.firstLine(t); at.Before(ahead.began.Add(2 * time.Second)) {
		t.Errorf("the clock that should be ahead said %v after the start at %v", at, ahead.began)
	}
	if at := behind.firstLine(t); at.After(time.Now().Add(-2 * time.Second)) {
		t.Errorf("the clock that should be behind said %v in a line that is written", at)
	}
	in.finish(in.share(0, n))
}

// firstLine returns the time of the first line of the log, once the process has written the line.
func (w *worker) firstLine(t *testing.T) time.Time {
	t.Helper()
	var first []byte
	streamtest.Eventually(t, "the first line of the log", func() (whole bool) {
		first, _, whole = bytes.Cut(w.log.text(), []byte("\n"))
		return whole
	})
	var line struct{ Time time.Time }
	if err := json.Unmarshal(first, &line); err != nil {
		t.Fatal(err)
	}
	return line.Time
}
