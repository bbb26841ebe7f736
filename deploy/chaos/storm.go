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
)

// storm sends webhooks while processes are killed and providers misbehave.
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
		r.gate.shut(m.outage, time.Now().Add(m.lasts), m.cut)
	} else if !r.addFault(&m) {
		return
	}
	r.faults[m.name]++
	r.journal.write(r.began, "provider: %s %s%s %v", m.name, m.outage, m.fault.Path, m.lasts)
}

// addFault gives a fault to the fake providers. It returns false if the fault is about a person and
// there is no person yet.
func (r *run) addFault(m *misbehaviour) bool {
	if m.aimed {
		account := r.load.account(m.whom)
		if account == "" {
			return false
		}
		r.gate.aim(account)
		m.fault.Path = "/accounts/" + account + "/"
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
		time.Since(r.began).Seconds(), r.ledger.accepted(), completed.Load(), killed, more)
}

// drain waits until every process runs and every queue is empty. Queues without progress for
// drainFor are a violation.
func (r *run) drain(ctx context.Context, check *check, completed *atomic.Int64) error {
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	fewest := -1
	progress := time.Now()
	printed := time.Now()
	for {
		total, queues, err := r.broker.countWaiting(ctx)
		switch {
		case err == nil && total == 0 && r.allRunning():
			return nil
		case err == nil && (fewest < 0 || total < fewest):
			fewest = total
			progress = time.Now()
		case time.Since(progress) > drainFor:
			check.violate(waiting, "queues", "no progress: %s (%v)",
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

func (r *run) allRunning() bool {
	return !slices.ContainsFunc(r.processes, func(p *process) bool { return !p.isRunning() })
}
