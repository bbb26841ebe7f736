package simulation_test

import (
	"flag"
	"strconv"
	"strings"
	"testing"

	"go.uber.org/zap"

	"github.com/wagewire/wagewire/deploy/simulation"
	"github.com/wagewire/wagewire/deploy/simulation/report"
	"github.com/wagewire/wagewire/schema/stream/streamtest"
)

// The flags of a test binary that runs a single schedule, as package seeds starts it.
var (
	seed     = flag.Uint64("seed", 0, "the seed of the schedule")
	without  = flag.String("without", "", "numbers of faults to leave out: 2,5,7")
	flawName = flag.String("flaw", "", "no-fence: provision without the fence")
	reportTo = flag.String("report", "", "the file for the report")
	logTo    = flag.String("log", "", "a file for the logs of all processes")
)

// run runs a schedule in a bubble.
func run(t *testing.T, s simulation.Schedule, c simulation.Config) (r report.Report) {
	t.Helper()
	c.Dir = t.TempDir()
	streamtest.InBubble(t, true, func(t *testing.T, server *streamtest.BubbleServer) {
		c.Server = server
		var err error
		r, err = simulation.Run(t.Context(), s, c)
		if err != nil {
			t.Error(err)
		}
	})
	return r
}

func TestSchedule(t *testing.T) {
	s := simulation.Plan(*seed)
	var numbers []int
	for text := range strings.SplitSeq(*without, ",") {
		if text == "" {
			continue
		}
		n, err := strconv.Atoi(text)
		if err != nil {
			t.Fatalf("-without: %v", err)
		}
		numbers = append(numbers, n)
	}
	config := simulation.Config{WithoutFence: *flawName == "no-fence"}
	if *logTo != "" {
		log := zap.NewDevelopmentConfig()
		log.OutputPaths = []string{*logTo}
		var err error
		config.Log, err = log.Build()
		if err != nil {
			t.Fatal(err)
		}
	}
	tell(t, report.Report{Seed: s.Seed, Running: true, Steps: s.Lines()})
	r := run(t, s.Without(numbers...), config)
	r.Steps = s.Lines()
	tell(t, r)
	for _, v := range r.Violations {
		t.Errorf("%s: %s: %s", v.What, v.ID, v.Why)
	}
	t.Logf("%.0f virtual hours, %d webhooks, %d events, %d completions, %d of %d faults took effect, "+
		"%d kills, %d waits", r.Hours, r.Webhooks, r.Events, r.Completions, r.Fired, r.Faults,
		r.Kills, r.Waits)
	for i, step := range r.Steps {
		t.Logf("%2d %s", i, step)
	}
}

// tell writes the report for the program that started this one.
func tell(t *testing.T, r report.Report) {
	t.Helper()
	if *reportTo == "" {
		return
	}
	if err := r.Write(*reportTo); err != nil {
		t.Fatal(err)
	}
}
