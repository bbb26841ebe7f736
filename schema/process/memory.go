package process

import (
	"errors"
	"math"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"time"

	"github.com/KimMachineGun/automemlimit/memlimit"
	"go.uber.org/zap"
)

const (
	// memoryShare is the share of the container's memory up to which the process may grow before
	// the garbage collector works harder. The rest is for memory that the collector does not know.
	memoryShare = 0.9
	// memoryUnlimited is the memory of a container without a limit, or of no container.
	memoryUnlimited = 1 << 30
	// garbagePercent is GOGC: how much garbage may gather, as a share of the live data. The live
	// data of a process is a few MiB, so with the runtime's default of 100 the collector would run
	// some twenty times a second under load.
	garbagePercent = 400
	// restAfter is the time without a collection after which the process is at rest.
	restAfter = 10 * time.Second
)

// TuneMemory lets the garbage collector run rarely while there is memory, and harder near the
// memory limit of the container. Without the limit the kernel might kill the process for its
// garbage. A process at rest gives the memory of its garbage back. GOMEMLIMIT and GOGC in the
// environment come first. TuneMemory logs a limit that it cannot read. The caller must call stop.
func TuneMemory(log *zap.Logger) (stop func()) {
	bytes, err := memlimit.Set(
		memlimit.WithRatio(memoryShare), memlimit.WithProvider(containerMemory))
	if err != nil {
		log.Warn("no memory limit for the garbage collector: set GOMEMLIMIT", zap.Error(err))
	} else {
		log.Debug("memory limit for the garbage collector", zap.Int64("bytes", bytes))
	}
	hasLimit := err == nil && debug.SetMemoryLimit(-1) < math.MaxInt64 // -1 changes nothing
	//nolint:forbidigo // the runtime reads GOGC and GOMEMLIMIT there too
	if hasLimit && os.Getenv("GOGC") == "" {
		debug.SetGCPercent(garbagePercent)
	}
	end := make(chan struct{})
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		giveBackAtRest(end)
	}()
	return func() {
		close(end)
		<-ended
	}
}

// containerMemory is the memory of the container in bytes.
func containerMemory() (uint64, error) {
	bytes, err := memlimit.FromCgroup()
	if errors.Is(err, memlimit.ErrNoLimit) || errors.Is(err, memlimit.ErrNoCgroup) {
		return memoryUnlimited, nil
	}
	return bytes, err
}

// giveBackAtRest gives memory back to the system whenever a time of load is over, until end is
// closed.
func giveBackAtRest(end <-chan struct{}) {
	every := time.NewTicker(restAfter)
	defer every.Stop()
	var last uint64
	var givenBack uint64
	for {
		select {
		case <-end:
			return
		case <-every.C:
		}
		now := collections()
		if now == last && now != givenBack {
			debug.FreeOSMemory()
			givenBack = now
		}
		last = now
	}
}

// collections is how often the garbage collector has run by itself.
func collections() uint64 {
	samples := []metrics.Sample{{Name: "/gc/cycles/automatic:gc-cycles"}}
	metrics.Read(samples)
	return samples[0].Value.Uint64()
}
