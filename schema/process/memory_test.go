package process_test

import (
	"math"
	"runtime/debug"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/wagewire/wagewire/schema/process"
)

func TestTheMemoryLimitOfTheEnvironmentComesFirst(t *testing.T) {
	const chosen = 3 << 30
	before := debug.SetMemoryLimit(chosen) // as the runtime does at the start
	t.Cleanup(func() { debug.SetMemoryLimit(before) })
	t.Setenv("GOMEMLIMIT", "3GiB")
	process.LimitMemory(zap.NewNop())
	if limit := debug.SetMemoryLimit(-1); limit != chosen {
		t.Errorf("the limit is %d, want %d", limit, chosen)
	}
}

func TestAMemoryLimitThatCannotBeSetIsLogged(t *testing.T) {
	before := debug.SetMemoryLimit(1 << 40)
	t.Cleanup(func() { debug.SetMemoryLimit(before) })
	t.Setenv("AUTOMEMLIMIT", "2") // a share over 1 is a mistake
	core, lines := observer.New(zapcore.WarnLevel)
	process.LimitMemory(zap.New(core))
	if lines.FilterMessageSnippet("GOMEMLIMIT").Len() != 1 {
		t.Errorf("log lines %v, want one that names GOMEMLIMIT", lines.All())
	}
	if limit := debug.SetMemoryLimit(-1); limit <= 0 || limit == math.MaxInt64 {
		t.Errorf("the limit is %d, want the limit before", limit)
	}
}
