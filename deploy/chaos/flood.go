package chaos

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/wagewire/wagewire/deploy/fake"
	"github.com/wagewire/wagewire/deploy/flood"
)

// wave is a flood in the schedule of a run.
type wave struct {
	at      time.Duration
	attack  flood.Attack
	sources int
	lasts   time.Duration
}

const (
	waveForMin = 2 * time.Second
	waveForMax = 5 * time.Second
	// floodPerS leaves the processor to the workers, which share the machine with the flood.
	floodPerS = 200
	// manySources is how many source addresses half of the floods have.
	manySources = 1000
)

// waves makes the schedule of floods of a run. Every attack has its turn in each round. The first
// attack of the table begins every schedule, so the shortest run has the attack too.
func waves(seed uint64, length time.Duration) []wave {
	const (
		restMin = 500 * time.Millisecond
		restMax = 1500 * time.Millisecond
	)
	r := random(seed, streamWaves)
	attacks := flood.Attacks()
	order := r.Perm(len(attacks))
	order[slices.Index(order, 0)] = order[0]
	order[0] = 0
	var list []wave
	at := between(r, restMin, restMax)
	for n := 0; at < length; n++ {
		w := wave{
			at: at, attack: attacks[order[n%len(order)]], sources: 1,
			lasts: between(r, waveForMin, waveForMax),
		}
		if flood.HasManySources && r.IntN(2) == 0 {
			w.sources = manySources
		}
		list = append(list, w)
		at += w.lasts + between(r, restMin, restMax)
	}
	return list
}

// flood floods ingress for the time of the wave.
func (r *run) flood(ctx context.Context, w wave) {
	r.journal.write(r.began, "flood: %s from %d for %v", w.attack.Name, w.sources, w.lasts)
	ctx, cancel := context.WithTimeout(ctx, w.lasts)
	defer cancel()
	f, err := flood.Start(ctx, w.attack, flood.Config{
		Addr: r.door, Provider: fake.Truv, Sources: w.sources, PerS: floodPerS,
	})
	if err != nil {
		panic(fmt.Sprintf("a wrong line in the schedule: %v", err))
	}
	<-ctx.Done()
	tally := f.Stop()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.floods[w.attack.Name]++
	r.flooded.Add(tally)
}
