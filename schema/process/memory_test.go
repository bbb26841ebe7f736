package process_test

import (
	"math"
	"runtime/debug"
	"runtime/metrics"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/wagewire/wagewire/schema/process"
)

// keepMemorySettings sets a limit and GOGC as the runtime does at the start, and puts the settings
// of before back at the end of the test.
func keepMemorySettings(t *testing.T, limit int64, percent int) {
	t.Helper()
	limitBefore := debug.SetMemoryLimit(limit)
	percentBefore := debug.SetGCPercent(percent)
	t.Cleanup(func() {
		debug.SetMemoryLimit(limitBefore)
		debug.SetGCPercent(percentBefore)
	})
}

// gcPercent returns GOGC as it is now.
func gcPercent() uint64 {
	samples := []metrics.Sample{{Name: "/gc/gogc:percent"}}
	metrics.Read(samples)
	return samples[0].Value.Uint64()
}

func TestTheMemoryLimitOfTheEnvironmentComesFirst(t *testing.T) {
	const chosen = 3 << 30
	keepMemorySettings(t, chosen, 100)
	t.Setenv("GOMEMLIMIT", "3GiB")
	process.TuneMemory(zap.NewNop())()
	if limit := debug.SetMemoryLimit(-1); limit != chosen {
		t.Errorf("the limit is %d, want %d", limit, chosen)
	}
}

func TestAMemoryLimitThatCannotBeSetIsLogged(t *testing.T) {
	keepMemorySettings(t, 1<<40, 100)
	t.Setenv("AUTOMEMLIMIT", "2") // a share over 1 is a mistake
	core, lines := observer.New(zapcore.WarnLevel)
	process.TuneMemory(zap.New(core))()
	if lines.FilterMessageSnippet("GOMEMLIMIT").Len() != 1 {
		t.Errorf("log lines %v, want one that names GOMEMLIMIT", lines.All())
	}
	if limit := debug.SetMemoryLimit(-1); limit <= 0 || limit == math.MaxInt64 {
		t.Errorf("the limit is %d, want the limit before", limit)
	}
	if percent := gcPercent(); percent != 100 {
		t.Errorf("GOGC is %d without a limit, want 100", percent)
	}
}

func TestNoMoreGarbageGathersIfTheEnvironmentTurnsTheLimitOff(t *testing.T) {
	keepMemorySettings(t, math.MaxInt64, 100)
	t.Setenv("GOMEMLIMIT", "off")
	process.TuneMemory(zap.NewNop())()
	if percent := gcPercent(); percent != 100 {
		t.Errorf("GOGC is %d, want 100", percent)
	}
}

func TestThereIsAlwaysAMemoryLimit(t *testing.T) {
	keepMemorySettings(t, math.MaxInt64, 100)
	process.TuneMemory(zap.NewNop())()
	if limit := debug.SetMemoryLimit(-1); limit <= 0 || limit == math.MaxInt64 {
		t.Errorf("the limit is %d, want one of the container or of the package", limit)
	}
}

func TestGarbageGathersUnlessTheEnvironmentSetsGOGC(t *testing.T) {
	for promise, test := range map[string]struct {
		variable string
		want     uint64
	}{
		"without GOGC": {"", 400},
		"with GOGC":    {"70", 70},
	} {
		t.Run(promise, func(t *testing.T) {
			keepMemorySettings(t, 1<<40, 70)
			t.Setenv("GOGC", test.variable)
			process.TuneMemory(zap.NewNop())()
			if percent := gcPercent(); percent != test.want {
				t.Errorf("GOGC is %d, want %d", percent, test.want)
			}
		})
	}
}

func TestAProcessAtRestGivesMemoryBack(t *testing.T) {
	keepMemorySettings(t, 1<<40, 100)
	synctest.Test(t, func(t *testing.T) {
		stop := process.TuneMemory(zap.NewNop())
		defer stop()
		before := forcedCollections()
		for range 100 { // the collector may run by itself in the first of these times
			time.Sleep(10 * time.Second) //nolint:forbidigo // a synctest bubble
			synctest.Wait()
			if forcedCollections() > before {
				return
			}
		}
		t.Error("no memory was given back in the rest of 1000 seconds")
	})
}

// forcedCollections is how often the garbage collector has run because the program told it to.
func forcedCollections() uint64 {
	samples := []metrics.Sample{{Name: "/gc/cycles/forced:gc-cycles"}}
	metrics.Read(samples)
	return samples[0].Value.Uint64()
}
