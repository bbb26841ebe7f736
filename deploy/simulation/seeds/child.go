package seeds

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/wagewire/wagewire/deploy/command"
	"github.com/wagewire/wagewire/deploy/simulation/report"
)

const (
	// runFor limits one run. The test binary then prints a dump of its goroutines and ends.
	runFor = 20 * time.Minute
	// crashed is the name of the violation of a simulation that crashed.
	crashed = "crash"
	// tailLines is how much of a crashed run's output is printed.
	tailLines = 30
)

// simulation is the test binary of the simulation.
type simulation struct {
	binary string
	// dir is the working directory of the runs.
	dir     string
	environ []string
	// flaw is a flaw of the streams, or "".
	flaw string
	// kept is the directory for the files of the runs. After a run, only the output of a run with
	// violations is left.
	kept string
}

// result is the result of a run.
type result struct {
	report.Report
	// output is the file with the output of a run with violations, "" after any other run.
	output string
}

// run runs the schedule of a seed, without the faults of the numbers. The error says why there was
// no run.
func (s *simulation) run(ctx context.Context, seed uint64, without []int) (result, error) {
	if ctx.Err() != nil {
		return result{}, context.Cause(ctx)
	}
	dir, err := os.MkdirTemp(s.kept, fmt.Sprintf("seed-%d-", seed))
	if err != nil {
		return result{}, err
	}
	defer func() { _ = os.RemoveAll(dir) }() // in the directory for temporary files
	output := filepath.Join(dir, "output")
	path := filepath.Join(dir, "report")
	failure, err := s.start(ctx, dir, output, s.args(seed, without, path))
	if err != nil {
		return result{}, err
	}
	r, err := judge(seed, failure, path, output)
	if err != nil || len(r.Violations) == 0 {
		return result{Report: r}, err
	}
	kept := dir + ".log"
	return result{Report: r, output: kept}, os.Rename(output, kept)
}

// args are the arguments of a run with the report in the file.
func (s *simulation) args(seed uint64, without []int, file string) []string {
	args := []string{
		"-test.run", "^TestSchedule$", "-test.timeout", runFor.String(),
		"-seed", strconv.FormatUint(seed, 10), "-report", file,
	}
	if len(without) > 0 {
		args = append(args, "-without", formatNumbers(without))
	}
	if s.flaw != "" {
		args = append(args, "-flaw", s.flaw)
	}
	return args
}

// start starts the binary and waits for the end. failure is the end of a test that failed.
func (s *simulation) start(
	ctx context.Context, dir, output string, args []string,
) (failure *exec.ExitError, err error) {
	temporary := filepath.Join(dir, "tmp")
	if err := os.Mkdir(temporary, 0o700); err != nil {
		return nil, err
	}
	file, err := os.Create(output)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }() // the process writes the file
	cmd := command.InOwnGroup(ctx, s.binary, args...)
	cmd.Dir = s.dir
	// Each run has one processor, so the number of runs at a time is the number of processors.
	cmd.Env = append(slices.Clone(s.environ), "GOMAXPROCS=1", "GOGC=400", "TMPDIR="+temporary)
	cmd.Stdout = file
	cmd.Stderr = file
	err = cmd.Run()
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return exit, nil
	}
	return nil, err
}

// judge reads the report of a run that has ended, and adds the violation of a crash.
func judge(seed uint64, failure *exec.ExitError, path, output string) (report.Report, error) {
	r, err := report.Read(path)
	missing := errors.Is(err, fs.ErrNotExist)
	if err != nil && !missing {
		return r, err
	}
	if !missing && r.Seed != seed {
		return r, fmt.Errorf("the simulation of seed %d reports seed %d", seed, r.Seed)
	}
	r.Seed = seed
	unfinished := missing || r.Running
	if !unfinished && (failure == nil || len(r.Violations) > 0) {
		return r, nil
	}
	how := "exit status 0"
	if failure != nil {
		how = failure.Error()
	}
	if unfinished {
		how += " without a report"
	}
	text, err := os.ReadFile(output)
	if err != nil {
		return r, err
	}
	r.Violations = append(r.Violations, report.Violation{
		What: crashed, ID: fmt.Sprintf("seed %d", seed), Why: explainCrash(how, string(text)),
	})
	return r, nil
}

// explainCrash returns how the process ended, the line of the output with the reason, and the last
// lines.
func explainCrash(how, output string) string {
	lines := strings.Split(strings.TrimSpace(output), "\n")
	isReason := func(line string) bool {
		return strings.HasPrefix(line, "panic: ") || strings.HasPrefix(line, "fatal error: ")
	}
	if i := slices.IndexFunc(lines, isReason); i >= 0 {
		how += ": " + lines[i]
	}
	last := lines[max(0, len(lines)-tailLines):]
	return how + "\n" + strings.Join(last, "\n")
}

// formatNumbers returns the form of -without and --without: "2,5,7".
func formatNumbers(numbers []int) string {
	var texts []string
	for _, n := range numbers {
		texts = append(texts, strconv.Itoa(n))
	}
	return strings.Join(texts, ",")
}
