package chaos

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
)

// siege is a time in which a provider refuses the calls about a resource with 401 or 429, and the
// workers of the resource are restarted again and again. Neither may cost an event a step of a
// ladder.
type siege struct {
	at       time.Duration
	resource string
	outage
	// lasts is the time of the refusal.
	lasts    time.Duration
	restarts []restart
}

// restart is the end of a resource's workers, which are started again at once.
type restart struct {
	// late is the time after the next refused call.
	late time.Duration
	// gentle is the instance that gets SIGTERM. The other instances get SIGKILL.
	gentle int
}

const (
	siegeForMin = 5 * time.Second
	siegeForMax = 8 * time.Second
	// refusalFor is how long a restart waits for a refused call. A paused queue makes no calls.
	refusalFor = 800 * time.Millisecond
	// restartsMax is more than the restarts of a siege.
	restartsMax = 100
	// restartLateMax is the longest time from a refused call to a restart. In this time a worker
	// lets its event wait, or stores a hold.
	restartLateMax = 6 * time.Millisecond
	// heldRestartLateMax is the same for every second restart in a siege of 429: a worker that
	// starts in a hold must hear of the hold.
	heldRestartLateMax = 2 * heldAfter
)

// sieges makes the schedule of sieges of a run.
func sieges(seed uint64, length time.Duration) []siege {
	const (
		restMin = time.Second
		restMax = 4 * time.Second
	)
	r := random(seed, streamSieges)
	order := r.Perm(len(resources)) // every resource has its turn
	var list []siege
	at := between(r, restMin, restMax)
	for n := 0; at < length; n++ {
		s := randomSiege(r, resources[order[n%len(order)]], refusals[n%len(refusals)])
		s.at = at
		list = append(list, s)
		at += s.lasts + between(r, restMin, restMax)
	}
	return list
}

// refusals are the answers of the sieges, in turn.
var refusals = []outage{
	{refusal: 429, retryAfter: "7"}, // a worker lets its events wait
	{refusal: 401},
	{refusal: 429, retryAfter: "2"}, // a worker keeps its events in hand
}

func randomSiege(r *rand.Rand, resource string, refusal outage) siege {
	s := siege{
		resource: resource, outage: refusal, lasts: between(r, siegeForMin, siegeForMax),
	}
	s.delay = between(r, 50*time.Millisecond, 800*time.Millisecond)
	for n := range restartsMax {
		late := restartLateMax
		if refusal.refusal == 429 && n%2 == 1 {
			late = heldRestartLateMax
		}
		s.restarts = append(s.restarts, restart{
			late: between(r, 0, late), gentle: r.IntN(2 * instances),
		})
	}
	return s
}

// besiege does the siege.
func (r *run) besiege(ctx context.Context, s siege) {
	s.until = time.Now().Add(s.lasts)
	r.gate.shut(s.resource, s.outage)
	r.noteFault(fmt.Sprint(s.refusal))
	r.journal.write(r.began, "siege: %d of %s for %v", s.refusal, s.resource, s.lasts)
	worker := stream.WorkerRole(schema.Resource(s.resource))
	for _, restart := range s.restarts {
		select {
		case <-ctx.Done():
			return
		case <-r.gate.nextRefusal():
			sleep(ctx, restart.late)
		case <-time.After(refusalFor):
		}
		if !time.Now().Before(s.until) {
			return
		}
		for i := range instances {
			r.restart(instanceName(worker, i), i == restart.gentle)
		}
	}
}

// restart ends a worker, which is started again at once. The restart is left out if the worker is
// down.
func (r *run) restart(name string, gently bool) {
	p := r.process(name)
	how := "SIGKILL"
	end := func() bool { return p.kill(0) }
	if gently {
		how = "SIGTERM"
		end = p.terminate
	}
	if !end() {
		r.skipped.Add(1)
		how = "left out: " + how
	}
	r.journal.write(r.began, "%s to %s", how, name)
}

func sleep(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

func instanceName(command string, i int) string { return fmt.Sprintf("%s-%d", command, i+1) }
