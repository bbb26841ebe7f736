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
		follow(ctx, r.began, kills(r.Seed, r.For, r.brokers, r.doors, r.workers), func(k kill) time.Duration { return k.at }, func(k kill) { r.kill(ctx, k) })
	})
	group.Go(func() {
		follow(ctx, r.began, misbehaviours(r.Seed, r.For), func(m misbehaviour) time.Duration { return m.at }, r.misbehave)
	})
	group.Go(func() { r.progress(ctx, completed) })
	group.Wait()
	r.fake.ClearFaults()
	r.gate.open()
}

func (r *run) process(name string) *process {
	return r.processes[slices.IndexFunc(r.processes, func(p *process) bool { return p.name == name })]
}

func (r *run) kill(ctx context.Context, k kill) {
	p := r.process(k.victim)
	var done bool
	switch {
	case len(r.brokers) > 1 && slices.Contains(r.brokers, k.victim) && !r.spare(ctx):
	case k.pause > 0:
		done = p.pause(ctx, k.pause)
	default:
		done = p.kill(k.down)
	}
	if done {
		r.journal.say(r.began, "%v", k)
	} else {
		r.skipped.Add(1)
		r.journal.say(r.began, "left out: %v", k)
	}
}

// spare reports whether a cluster can do without one node.
func (r *run) spare(ctx context.Context) bool {
	for _, name := range r.brokers {
		if !r.process(name).well() {
			return false
		}
	}
	return r.broker.healthy(ctx)
}

func (r *run) misbehave(m misbehaviour) {
	switch {
	case m.outage != "":
		r.gate.shut(m.outage, time.Now().Add(m.lasts), m.cut)
	case m.aimed:
		account := r.load.account(m.whom)
		if account == "" {
			return
		}
		r.gate.aim(account)
		m.fault.Path = "/accounts/" + account + "/"
		fallthrough
	default:
		if _, err := r.fake.AddFault(m.fault); err != nil {
			panic(err) // a wrong line in the schedule
		}
	}
	r.faults[m.name]++
	r.journal.say(r.began, "provider: %s %s%s %v", m.name, m.outage, m.fault.Path, m.lasts)
}

// progress prints a line every few seconds.
func (r *run) progress(ctx context.Context, completed *atomic.Int64) {
	tick := time.NewTicker(reportEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			r.line(completed, "")
		}
	}
}

func (r *run) line(completed *atomic.Int64, more string) {
	killed := 0
	for _, p := range r.processes {
		n, _, _, _ := p.report()
		killed += n
	}
	fmt.Fprintf(r.Out, "chaos: %4.0fs  accepted %d, completions %d, kills %d%s\n", time.Since(r.began).Seconds(), r.ledger.accepted(), completed.Load(), killed, more)
}

// drain waits until every process is back and every queue empty. Queues that do not move any more are a violation.
func (r *run) drain(ctx context.Context, check *check, completed *atomic.Int64) error {
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	fewest, moved, told := -1, time.Now(), time.Now()
	for {
		total, queues, err := r.broker.waiting(ctx)
		switch {
		case err == nil && total == 0 && !slices.ContainsFunc(r.processes, func(p *process) bool { return !p.well() }):
			return nil
		case err == nil && (fewest < 0 || total < fewest):
			fewest, moved = total, time.Now()
		case time.Since(moved) > drainFor:
			check.violate(waiting, "queues", "nothing moves: %s (%v)", strings.Join(queues, ", "), err)
			return nil
		}
		if time.Since(told) > reportEvery {
			told = time.Now()
			r.line(completed, fmt.Sprintf(", waiting %s", cmp.Or(strings.Join(queues, ", "), "for processes")))
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
		}
	}
}
