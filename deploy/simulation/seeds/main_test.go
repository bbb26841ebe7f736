package seeds

import (
	"bufio"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/wagewire/wagewire/deploy/simulation/report"
)

// The variables of a test binary that plays the simulation: which part, and an address or a file
// that the part needs.
const (
	partVariable = "WAGEWIRE_TEST_SIMULATION"
	withVariable = "WAGEWIRE_TEST_SIMULATION_WITH"
)

func TestMain(m *testing.M) {
	if part := os.Getenv(partVariable); part != "" {
		if err := play(part, os.Args[1:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// player is the test binary as the simulation.
type player struct {
	seed    uint64
	without []string
	flaw    string
	report  string
}

// play plays a part of the simulation, with the arguments of a run.
func play(part string, args []string) error {
	var p player
	without := ""
	flags := flag.NewFlagSet("simulation", flag.ContinueOnError)
	test := flags.String("test.run", "", "")
	limit := flags.Duration("test.timeout", 0, "")
	flags.Uint64Var(&p.seed, "seed", 0, "")
	flags.StringVar(&without, "without", "", "")
	flags.StringVar(&p.flaw, "flaw", "", "")
	flags.StringVar(&p.report, "report", "", "")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *test != "^TestSchedule$" || *limit != runFor {
		return fmt.Errorf("asked to run %s for %s", *test, *limit)
	}
	if without != "" {
		p.without = strings.Split(without, ",")
	}
	parts := map[string]func() error{
		"sound":      func() error { return p.write() },
		"violation":  func() error { return p.fail("lost") },
		"unwritten":  func() error { panic("deadlock: all goroutines in bubble are blocked") },
		"unfinished": p.panicAfterTheSteps,
		"silent":     func() error { return nil },
		"leak":       p.failWithoutViolation,
		"broken":     func() error { return os.WriteFile(p.report, []byte("{"), 0o600) },
		"stranger":   func() error { p.seed++; return p.write() },
		"told":       p.tell,
		"hanging":    hang,
	}
	act, ok := parts[part]
	if !ok {
		return fmt.Errorf("no part %q", part)
	}
	return act()
}

// steps is the schedule of every seed.
var steps = []string{
	"1h kill ingress", "2h outage of pinwheel", "3h full stream", "4h erasure", "5h kill worker",
	"6h restart of nats-server", "7h 429 of truv", "8h redrive",
}

// write writes a report with the violations.
func (p *player) write(violations ...report.Violation) error {
	left := len(steps) - len(p.without)
	return report.Report{
		Seed: p.seed, Hours: 500, Webhooks: 10, Events: 11, Completions: 12, Faults: left,
		Fired: left, Kills: 1, Waits: 5, Steps: steps, Violations: violations,
	}.Write(p.report)
}

// fail writes a report with a violation, and fails as a test does.
func (p *player) fail(what string) error {
	if err := p.write(report.Violation{What: what, ID: "e-1", Why: "gone"}); err != nil {
		return err
	}
	return fmt.Errorf("%s: e-1", what)
}

func (p *player) panicAfterTheSteps() error {
	early := report.Report{Seed: p.seed, Running: true, Steps: steps}
	if err := early.Write(p.report); err != nil {
		return err
	}
	panic("a worker panicked")
}

func (p *player) failWithoutViolation() error {
	if err := p.write(); err != nil {
		return err
	}
	return fmt.Errorf("found unexpected goroutines")
}

// tell prints what the run has been told.
func (p *player) tell() error {
	if _, err := os.Stat(os.Getenv("TMPDIR")); err != nil {
		return err
	}
	directory, err := os.Getwd()
	if err != nil {
		return err
	}
	fmt.Println("without", p.without, "flaw", p.flaw, "in", directory)
	for _, name := range []string{"GOMAXPROCS", "GOGC", "TMPDIR"} {
		fmt.Println(name, os.Getenv(name))
	}
	return p.fail("told")
}

// hang starts a second process like this one, connects to the test, and waits for the end of the
// connection, which never comes.
func hang() error {
	address := os.Getenv(withVariable)
	name, isChild := strings.CutPrefix(address, "child:")
	if !isChild {
		child := exec.Command(os.Args[0], os.Args[1:]...)
		child.Env = append(os.Environ(), withVariable+"=child:"+name)
		if err := child.Start(); err != nil {
			return err
		}
	}
	connection, err := net.Dial("tcp", name)
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintln(connection, "up"); err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, connection)
	return err
}

// awaitLine accepts a connection and reads a line. ended is closed with the connection.
func awaitLine(t *testing.T, listener net.Listener) (ended <-chan struct{}) {
	t.Helper()
	connection, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(connection)
	if line, err := lines.ReadString('\n'); line != "up\n" {
		t.Fatalf("a process says %q: %v", line, err)
	}
	end := make(chan struct{})
	go func() {
		defer close(end)
		_, _ = io.Copy(io.Discard, lines)
		connection.Close()
	}()
	return end
}

// newPlayer returns the simulation that this test binary plays.
func newPlayer(t *testing.T, part, with string) *simulation {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return &simulation{
		binary: self, dir: t.TempDir(), kept: t.TempDir(),
		environ: slices.Concat(os.Environ(), []string{partVariable + "=" + part,
			withVariable + "=" + with}),
	}
}
