package simulation

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"go.uber.org/zap"

	"github.com/wagewire/wagewire/deploy/fake"
	"github.com/wagewire/wagewire/deploy/ledger"
	"github.com/wagewire/wagewire/deploy/simulation/report"
	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
	"github.com/wagewire/wagewire/schema/stream/broker"
	"github.com/wagewire/wagewire/workers/fetch"
)

// Config is how to run a schedule.
type Config struct {
	// Server is a running server without streams. It runs when Run returns.
	Server Server
	// Dir is an empty directory for the secrets.
	Dir string
	// Log takes the logs of all processes. Nil: nobody reads them.
	Log *zap.Logger
	// WithoutFence provisions a completions stream that takes a second completion of an event.
	WithoutFence bool
}

// violationsMax is the number of violations after which a run notes no more.
const violationsMax = 100

// world is the line with everything around it, in one bubble.
type world struct {
	schedule Schedule
	config   Config
	began    time.Time
	// ctx ends with the run.
	ctx  context.Context
	stop context.CancelFunc
	env  map[string]string

	broker      *natsServer
	brokerHolds holds
	api         *pipes
	doors       doors
	fake        *fake.Providers
	gate        *gate
	ledger      *ledger.Ledger
	served      *ledger.Served
	watch       *watch
	team        *team
	metrics     metrics
	processes   map[string]*process
	people      []*fake.Person

	kills, stops     atomic.Int64
	sent, unanswered atomic.Int64

	mu         sync.Mutex
	violations []report.Violation
	redrives   map[string]int // by key
	stale      map[int]int    // faults by person
	// lastEnd is when a process or the broker last ended.
	lastEnd time.Time
	// completions is the number of completions in the end.
	completions int
}

// Run runs a schedule in the bubble of a test, and reports what happened. All goroutines have ended
// when it returns.
func Run(ctx context.Context, s Schedule, c Config) (report.Report, error) {
	if c.Log == nil {
		c.Log = zap.NewNop()
	}
	w := &world{
		schedule: s, config: c, began: time.Now(), env: map[string]string{},
		broker: &natsServer{Server: c.Server}, api: newPipes(), ledger: ledger.New(),
		processes: map[string]*process{}, redrives: map[string]int{}, stale: map[int]int{},
	}
	w.ctx, w.stop = context.WithCancel(ctx)
	w.served = ledger.NewServed()
	w.gate = newGate(w)
	w.watch = newWatch(w)
	w.team = &team{world: w, seen: map[string]int{}}
	defer w.stop()
	if err := w.build(); err != nil {
		return report.Report{}, err
	}
	return w.run()
}

// build makes the parts. It starts no process.
func (w *world) build() error {
	w.fake = fake.New(fake.Config{
		WebhookURL: "http://ingress/webhooks", PageMax: pageMax,
		Transport: &http.Transport{DialContext: w.doors.dial, DisableKeepAlives: true},
	})
	for _, p := range schema.Providers() {
		path := secretFile(w.config.Dir, p)
		secret := fake.Secret(string(p)) + "\n"
		if err := os.WriteFile(path, []byte(secret), 0o600); err != nil {
			return err
		}
		w.env[p.Variable("SECRETS_FILE")] = path
		w.env[fetch.SecretVariable(p)] = path
		for name, value := range fake.Environment(string(p), "http://127.0.0.1") {
			w.env[p.Variable(name)] = value
		}
		rate := w.schedule.Rates[p]
		w.env[p.Variable("RATE_PER_S")] = strconv.FormatFloat(rate, 'g', -1, 64)
	}
	for _, p := range w.schedule.People {
		person := w.fake.Person(fake.PersonOptions{
			Paystubs: p.Paystubs, Shifts: p.Shifts, Seed: p.Seed, EarlierPaystubs: p.Earlier,
		})
		w.people = append(w.people, person)
		records := ledger.NewPerson(person)
		for _, id := range []string{person.AccountID, person.EndUserID, person.LinkID} {
			w.ledger.AddPerson(id, records)
		}
	}
	for _, command := range commands() {
		for n := range replicas {
			name := instance(command, n)
			w.processes[name] = &process{
				world: w, name: name, command: command, serve: serveOf(command),
			}
		}
	}
	return w.broker.open(w.watch.subscribe)
}

// pageMax is the size of the largest page of a list.
const pageMax = 25

// run lives through the schedule, and counts.
func (w *world) run() (report.Report, error) {
	var all sync.WaitGroup
	providers := &http.Server{Handler: w.gate} //nolint:gosec // no network
	all.Go(func() { _ = providers.Serve(w.api) })
	defer func() {
		w.stop()
		w.fake.Close()
		_ = w.api.Close()
		_ = providers.Close()
		all.Wait()
		w.broker.close()
	}()
	if err := w.provision(); err != nil {
		return report.Report{}, err
	}
	for _, p := range w.processes {
		p.start()
	}
	all.Go(func() { w.team.run(w.ctx) })
	w.live()
	w.heal()
	w.drain()
	for _, p := range w.processes {
		w.end(p, (*life).finish)
	}
	for _, p := range w.processes {
		p.lives.Wait()
	}
	for range 2 { // the second takes what came to a team that died with completions in hand
		w.team.take(w.ctx)
		w.pass(2 * time.Minute)
	}
	err := w.check()
	return w.report(), err
}

// topology is what this release provisions. The count in the end needs every message, so nothing
// gets too old in a fortnight and the 16 hours after it.
func (w *world) topology() schema.Topology {
	t := broker.SmallTopology()
	for i, s := range t.Streams {
		if s.MaxAge > 0 {
			t.Streams[i].MaxAge = max(s.MaxAge, longFor+24*time.Hour)
		}
	}
	if w.config.WithoutFence {
		for i := range t.Streams {
			t.Streams[i].CreateOnce = false
		}
	}
	return t
}

func (w *world) provision() error {
	var err error
	w.operate(func(ctx context.Context, o *stream.Operator) error {
		err = o.Provision(ctx, w.topology())
		if err != nil {
			return err
		}
		changes, planned := o.PlanTeam(ctx, stream.Team{
			Name: teamName, Durables: []string{teamName}, Resources: schema.WorkerResources(),
		}, stream.Reading{})
		err = planned
		if err == nil {
			err = o.Apply(ctx, changes)
		}
		return err
	})
	return err
}

// live sends the webhooks and lets the faults happen, at their times.
func (w *world) live() {
	var all sync.WaitGroup
	for _, v := range w.schedule.Visits {
		all.Go(func() {
			w.passUntil(v.At)
			w.visit(v)
		})
	}
	for _, f := range w.schedule.Faults {
		all.Go(func() {
			w.passUntil(f.At)
			end := rowOf(f).begin(w, f)
			w.passUntil(f.At + f.For)
			end()
		})
	}
	w.passUntil(w.schedule.For)
	all.Wait() // the last webhooks may be repeated for a while
}

// heal makes room in the streams, which a fault could not do while the broker was stopped.
func (w *world) heal() {
	for _, name := range fillable() {
		w.makeRoom(name)
	}
}

// drainFor is how long the line may take until nothing waits. It is longer than the longest step.
const drainFor = 16 * time.Hour

// drain waits until no event is ready, in hand or waiting, and no state lacks a completion.
func (w *world) drain() {
	const (
		look  = 5 * time.Minute
		empty = 2 // looks in a row: an event may begin to wait between two questions
	)
	deadline := time.Now().Add(drainFor)
	for n := 0; n < empty; {
		w.pass(look)
		left := w.left()
		if len(left) == 0 {
			n++
			continue
		}
		n = 0
		if time.Now().After(deadline) {
			w.violate("unfinished", "queues", "%v after the last fault: %s",
				drainFor, strings.Join(left, ", "))
			return
		}
	}
}

// left describes the queues that are not empty, and the completions that no state has yet.
func (w *world) left() (left []string) {
	w.operate(func(ctx context.Context, o *stream.Operator) error {
		_, queues, err := o.Status(ctx)
		if err != nil {
			return err
		}
		for _, q := range queues {
			if q.Ready+q.Replays+uint64(q.InHand)+uint64(q.Waiting) > 0 {
				left = append(left, fmt.Sprintf("%s: %d ready, %d replays, %d in hand, %d waiting",
					q.Name, q.Ready, q.Replays, q.InHand, q.Waiting))
			}
		}
		accounts, err := o.AccountsProgress(ctx)
		if n := accounts.Left(); n > 0 {
			left = append(left, fmt.Sprintf("%s: %d completions", schema.AccountsConsumer, n))
		}
		return err
	})
	return left
}

// sleep waits for a time, or for the end of ctx or of the run.
func (w *world) sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	case <-w.ctx.Done():
	}
}

// pass lets virtual time pass.
func (w *world) pass(d time.Duration) { w.sleep(w.ctx, d) }

func (w *world) passUntil(at time.Duration) { w.pass(time.Until(w.began.Add(at))) }

// Dial connects an operator to the broker: world is a nats.CustomDialer.
func (w *world) Dial(_, _ string) (net.Conn, error) { return w.broker.dial() }

// connect connects a command to the broker.
func (w *world) connect(
	dialer nats.CustomDialer, command, process string,
) (*stream.Conn, error) {
	config := w.broker.Config()
	config.Dialer = dialer
	return stream.Connect(config, "wagewire-"+command, w.log(process))
}

func (w *world) getenv(name string) string { return w.env[name] }

func (w *world) log(process string) *zap.Logger {
	return w.config.Log.With(zap.String("process", process))
}

// violate notes a broken promise.
func (w *world) violate(what, id, why string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.violations) < violationsMax {
		at := time.Since(w.began).Round(time.Second)
		w.violations = append(w.violations, report.Violation{
			What: what, ID: id, Why: fmt.Sprintf("at %v: ", at) + fmt.Sprintf(why, args...),
		})
	}
}

// isAbout reports whether an id is an account of a person, by number from 1.
func (w *world) isAbout(account string, person int) bool {
	p := w.people[person-1]
	return account == p.AccountID || account == p.EndUserID || account == p.LinkID
}

// setStale begins or ends stale data about a person.
func (w *world) setStale(person, change int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stale[person] += change
	w.fake.ClearFaults()
	for person, n := range w.stale {
		if n > 0 {
			p := w.people[person-1]
			for _, id := range []string{p.AccountID, p.EndUserID, p.LinkID} {
				_, _ = w.fake.AddFault(fake.Fault{Path: id, Stale: true})
			}
		}
	}
}

func (w *world) isStale(account string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for person, n := range w.stale {
		if n > 0 && w.isAbout(account, person) {
			return true
		}
	}
	return false
}
