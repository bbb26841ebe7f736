package process

import (
	"errors"

	"github.com/KimMachineGun/automemlimit/memlimit"
	"go.uber.org/zap"
)

// memoryShare is the share of the container's memory up to which the process may grow before the
// garbage collector works harder. The rest is for memory that the collector does not know.
const memoryShare = 0.9

// LimitMemory tells the garbage collector the memory limit of the container. Without the limit the
// collector lets the garbage grow to the size of the live data, and the kernel may kill the process
// for its garbage. A GOMEMLIMIT in the environment comes first. LimitMemory does nothing outside of
// a container, and logs a limit that it cannot read.
func LimitMemory(log *zap.Logger) {
	bytes, err := memlimit.Set(memlimit.WithRatio(memoryShare))
	if err != nil && !errors.Is(err, memlimit.ErrNoCgroup) {
		log.Warn("no memory limit for the garbage collector: set GOMEMLIMIT", zap.Error(err))
		return
	}
	log.Debug("memory limit for the garbage collector", zap.Int64("bytes", bytes))
}
