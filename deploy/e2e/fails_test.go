package e2e

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/rogpeppe/go-internal/testscript"
)

// Below each line that must fail is a part of its error.
const failing = `
nats stops
	nothing runs yet: begin with up
up
person
worker payroll stops
	no worker payroll
worker link rests
	"rests" is neither stops nor starts
send employment.added status=503
	answered 200, not 503
send employment.added colour=red
	colour=: it takes id=
send employment.added id=e
fault path=employment status=1000
	status 1000 is not between
await e failed
	e ended succeeded
await e succeeded after=1h
	e took
none e
	e has 1 completions
verbatim e 2
	there are 1 records
count events 7
	there are 2
count people 1
	usage: count
count waiting 1
	there are 0
stream events new
	a stream of 2 messages cannot be made "new"
retry pinwheel_employment
	0 events wait
retry payroll
	payroll has 0 queues
retry employment
	employment has 2 queues: name one queue
wagewire accounts lend
	exit status 2
waiting pinwheel_employment 1
	usage: waiting RESOURCE CLASS N
calls /employment 1
	there were 2 calls
every-id
	nothing was announced
! once
	there is no ! for it

send income.added id=i
await i succeeded
send paystubs.fully_synced id=all
await all succeeded
	all is completed by [paystubs income], and has
await all income succeeded
verbatim i 1
	is not, or not once, what the API serves

idle
once
worker paystubs stops
send paystubs.added id=p
every-id
	paystubs.added p: completion found: false
once
	no completion pinwheel:p:paystubs, and no tombstone
worker paystubs starts
await p succeeded
once
await e succeeded
cp stdout e.json
publish wagewire.completions.pinwheel.employment.elsewhere.e e.json
once
	two completions have the id pinwheel:e:employment
publish wagewire.completions.pinwheel.income.elsewhere.x broken.json
await x succeeded
	validate:

no-canaries
publish wagewire.quarantine.CANARY broken.json
no-canaries
	the subject wagewire.quarantine.

-- broken.json --
{}
`

// TestCommandsFail runs lines that must fail. A command that cannot fail proves nothing.
func TestCommandsFail(t *testing.T) {
	t.Parallel()
	lines, files, _ := strings.Cut(failing, "\n-- ")
	var script strings.Builder
	var want []string // "<line>: |<part of the error>"
	n := 0
	for line := range strings.Lines(lines) {
		if part, ok := strings.CutPrefix(line, "\t"); ok {
			want = append(want, fmt.Sprintf("failing.txtar:%d: |%s", n, strings.TrimSpace(part)))
			continue
		}
		n++
		script.WriteString(line)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "failing.txtar"),
		[]byte(script.String()+"\n-- "+files), 0o600); err != nil {
		t.Fatal(err)
	}
	p := params(t, dir, startInProcess)
	p.ContinueOnError = true
	p.Cmds["publish"] = publish
	r := &recorder{}
	testscript.RunT(r, p)

	var failed []string
	for line := range strings.Lines(r.log.String()) {
		if text, ok := strings.CutPrefix(strings.TrimSpace(line), "FAIL: "); ok {
			failed = append(failed, text[strings.LastIndex(text, "failing.txtar"):])
		}
	}
	for i := range max(len(want), len(failed)) {
		if i >= len(want) || i >= len(failed) {
			t.Fatalf("%d lines failed, %d must\n%s", len(failed), len(want), &r.log)
		}
		where, part, _ := strings.Cut(want[i], "|")
		if !strings.HasPrefix(failed[i], where) || !strings.Contains(failed[i], part) {
			t.Fatalf("want %s...%s\ngot  %s\n%s", where, part, failed[i], &r.log)
		}
	}
}

// publish SUBJECT FILE stores a message that no part of Wagewire would store. CANARY stands for a
// text of the person's data.
func publish(ts *testscript.TestScript, _ bool, args []string) {
	s := ts.Value(scriptKey{}).(*script)
	subject := strings.ReplaceAll(args[0], "CANARY", s.canaries[0])
	_, err := s.js.PublishMsg(s.ctx,
		&nats.Msg{Subject: subject, Data: []byte(ts.ReadFile(args[1]))})
	ts.Check(err)
}

// recorder is a test that may fail, and records its log.
type recorder struct{ log bytes.Buffer }

func (r *recorder) Run(_ string, f func(testscript.T)) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		f(r)
	}()
	<-done
}

func (r *recorder) Log(args ...any) { fmt.Fprintln(&r.log, args...) }
func (r *recorder) Fatal(args ...any) {
	r.Log(append([]any{"fatal:"}, args...)...)
	r.FailNow()
}
func (r *recorder) Skip(args ...any) { r.Fatal(args...) }
func (r *recorder) FailNow()         { runtime.Goexit() }
func (r *recorder) Parallel()        {}
func (r *recorder) Verbose() bool    { return false }
