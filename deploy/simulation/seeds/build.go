package seeds

import (
	"context"
	"path/filepath"

	"github.com/wagewire/wagewire/deploy/flaw"
)

// simulated is the directory of the simulation's package, from the root of the repository.
const simulated = "deploy/simulation"

// build builds the test binary of the simulation in dir. broken names a flaw, or is "".
func (c Config) build(ctx context.Context, dir, broken string) (*simulation, error) {
	s := &simulation{
		binary:  filepath.Join(dir, "simulation.test"),
		dir:     filepath.Join(c.Root, filepath.FromSlash(simulated)),
		environ: c.Environ,
		kept:    dir,
	}
	if broken == "" {
		c.print("building")
	} else {
		f, _ := flaw.Lookup(broken)
		c.print("building with the flaw %s: %s", broken, f.Does)
		if len(f.Edits) == 0 {
			s.flaw = broken
		}
	}
	return s, flaw.Go(ctx, c.Root, dir, broken, c.Environ, "test", "-c", "-o", s.binary,
		"./"+simulated)
}
