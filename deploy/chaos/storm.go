package chaos

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wagewire/wagewire/deploy/ledger"
)

// storm sends webhooks while processes are killed or restarted, and providers misbehave.
func (r *run) storm(ctx context.Context, completed *atomic.Int64) {
	ctx, cancel := context.WithTimeout(ctx, r.For)
	defer cancel()
	var group sync.WaitGroup
	group.Go(func() { r.load.send(ctx, time.Second/time.Duration(r.PerS)) })
	group.Go(func() {
		schedule := kills(r.Seed, r.For, r.brokers, r.doors, r.workers)
		at := func(k kill) time.Duration { return k.at }
		follow(ctx, r.began, schedule, at, func(k kill) { r.kill(ctx, k) })
	})
	group.Go(func() {
		schedule := misbehaviours(r.Seed, r.For)
		at := func(m misbehaviour) time.Duration { return m.at }
		follow(ctx, r.began, schedule, at, r.misbehave)
	})
	group.Go(func() {
		schedule := sieges(r.Seed, r.For)
		at := func(s siege) time.Duration { return s.at }
		follow(ctx, r.began, schedule, at, func(s siege) { r.besiege(ctx, s) })
	})
	group.Go(func() {
		schedule := waves(r.Seed, r.For)
		at := func(w wave) time.Duration { return w.at }
		follow(ctx, r.began, schedule, at, func(w wave) { r.flood(ctx, w) })
	})
	group.Go(func() { r.printProgress(ctx, completed) })
	group.Wait()
	r.fake.ClearFaults()
	r.gate.open()
}

func (r *run) process(name string) *process {
	i := slices.IndexFunc(r.processes, func(p *process) bool { return p.name == name })
	return r.processes[i]
}

// kill kills or pauses a process. A kill is left out if the process is down, or if the cluster
// needs the node.
func (r *run) kill(ctx context.Context, k kill) {
	p := r.process(k.victim)
	var done bool
	switch {
	case r.isClusterNode(k.victim) && !r.canLoseNode(ctx):
	case k.pause > 0:
		done = p.pause(ctx, k.pause)
	default:
		done = p.kill(k.down)
	}
	if done {
		r.journal.write(r.began, "%v", k)
	} else {
		r.skipped.Add(1)
		r.journal.write(r.began, "left out: %v", k)
	}
}

func (r *run) isClusterNode(name string) bool {
	return len(r.brokers) > 1 && slices.Contains(r.brokers, name)
}

// canLoseNode reports whether all nodes run and all replicas are current.
func (r *run) canLoseNode(ctx context.Context) bool {
	for _, name := range r.brokers {
		if !r.process(name).isRunning() {
			return false
		}
	}
	return r.broker.isHealthy(ctx)
}

func (r *run) misbehave(m misbehaviour) {
	if m.outage != "" {
		r.gate.shut(m.outage, outage{until: time.Now().Add(m.lasts), cut: m.cut})
	} else if !r.addFault(&m) {
		return
	}
	r.noteFault(m.name)
	r.journal.write(r.began, "provider: %s %s%s %v", m.name, m.outage, m.fault.Path, m.lasts)
}

// noteFault counts a fault for the report.
func (r *run) noteFault(name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.faults[name]++
}

// addFault gives a fault to the fake providers. It returns false if the fault is about a person and
// there is no person yet.
func (r *run) addFault(m *misbehaviour) bool {
	if m.aimed {
		account := r.load.account(m.whom, m.atTruv)
		if account == "" {
			return false
		}
		r.gate.served.Aim(account)
		m.fault.Path = "/accounts/" + account + "/"
		if m.atTruv {
			m.fault.Path = "/links/" + account + "/"
		}
	}
	if _, err := r.fake.AddFault(m.fault); err != nil {
		panic(err) // a wrong line in the schedule
	}
	return true
}

// printProgress prints a line every few seconds.
func (r *run) printProgress(ctx context.Context, completed *atomic.Int64) {
	tick := time.NewTicker(reportEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			r.printLine(completed, "")
		}
	}
}

func (r *run) printLine(completed *atomic.Int64, more string) {
	killed := 0
	for _, p := range r.processes {
		killed += p.history().kills
	}
	fmt.Fprintf(r.Out, "chaos: %4.0fs  accepted %d, completions %d, kills %d%s\n",
		time.Since(r.began).Seconds(), r.ledger.Accepted(), completed.Load(), killed, more)
}

// drain waits until every process runs, every queue is empty and no event waits. Queues without
// progress for drainFor are a violation.
func (r *run) drain(ctx context.Context, check *ledger.Check, completed *atomic.Int64) error {
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	d := drainage{fewest: -1, progress: time.Now()}
	printed := time.Now()
	for {
		total, queues, err := r.broker.countUnsettled(ctx)
		if err == nil {
			d.note(total, r.allRunning())
		}
		if d.empty >= emptyMin {
			check.SetDrained()
			return nil
		}
		if time.Since(d.progress) > drainFor {
			check.Violate(ledger.Waiting, "queues", "no progress: %s (%v)",
				strings.Join(queues, ", "), err)
			return nil
		}
		if time.Since(printed) > reportEvery {
			printed = time.Now()
			left := cmp.Or(strings.Join(queues, ", "), "for processes")
			r.printLine(completed, ", waiting "+left)
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
		}
	}
}

// emptyMin is how often in a row nothing may be left: an event may begin to wait between two
// questions to the broker.
const emptyMin = 2

// drainage is the progress of the queues.
type drainage struct {
	// fewest is the smallest number of unsettled events, -1 at first. progress is when the number
	// was first seen.
	fewest   int
	progress time.Time
	// empty is how often in a row nothing was left.
	empty int
}

func (d *drainage) note(total int, allRunning bool) {
	if total == 0 && allRunning {
		d.empty++
	} else {
		d.empty = 0
	}
	if d.fewest < 0 || total < d.fewest {
		d.fewest = total
		d.progress = time.Now()
	}
}

// calmSince returns the time since which ingress and the brokers run undisturbed. It returns false
// if one of them does not run.
func (r *run) calmSince() (since time.Time, calm bool) {
	return r.runningSince(append(slices.Clone(r.doors), r.brokers...))
}

// steadySince returns the time since which a caller has run undisturbed beside brokers that were
// settled. It returns false if the process or a broker does not run.
func (r *run) steadySince(caller string) (since time.Time, steady bool) {
	brokers, running := r.runningSince(r.brokers)
	name, start := parseCaller(caller)
	p := r.process(name)
	own, alive := p.runningSince()
	since = brokers.Add(settleFor)
	if own.After(since) {
		since = own
	}
	return since, running && alive && p.isStart(start)
}

// runningSince returns the time since which all the processes run undisturbed. It returns false if
// one of them does not run.
func (r *run) runningSince(names []string) (since time.Time, running bool) {
	for _, name := range names {
		began, running := r.process(name).runningSince()
		if !running {
			return time.Time{}, false
		}
		if began.After(since) {
			since = began
		}
	}
	return since, true
}

func (r *run) allRunning() bool {
	return !slices.ContainsFunc(r.processes, func(p *process) bool { return !p.isRunning() })
}
