package nats_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	natsgo "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/wagewire/wagewire/deploy/nats"
	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
	"github.com/wagewire/wagewire/schema/stream/streamtest"
)

// installation is a running broker, and the directory with its configuration.
type installation struct {
	broker
	dir    string
	server *serverProcess
	// seeds is the directory with the seeds of the roles.
	seeds string
}

// newInstallation starts a broker with the configuration of the release before accounts. The keys
// are those of the demonstration, and its team has the key of all consumers.
func newInstallation(t *testing.T) *installation {
	t.Helper()
	i := &installation{dir: t.TempDir(), seeds: demo}
	former, err := os.ReadFile("testdata/former-users.conf")
	must(t, err)
	i.write(t, nats.AccountsFile, string(former))
	i.write(t, nats.KeysFile, formerKeys(t, ""))
	i.start(t, "")
	return i
}

// start starts the server with the configuration of the directory, on a free port. more is added to
// the configuration.
func (i *installation) start(t *testing.T, more string) {
	t.Helper()
	main, err := os.ReadFile("nats.conf")
	must(t, err)
	address := fmt.Sprintf("127.0.0.1:%d", streamtest.FreePort(t))
	own := strings.NewReplacer(
		`"0.0.0.0:4222"`, fmt.Sprintf("%q", address),
		`http: "127.0.0.1:8222"`, "",
		`"/data"`, fmt.Sprintf("%q", t.TempDir()),
		"$SERVER_NAME", fmt.Sprintf("%q", i.name()),
		"sync_interval: always", "",
	)
	i.write(t, "nats.conf", own.Replace(string(main))+more)
	i.server = startProcess(t, filepath.Join(i.dir, "nats.conf"))
	i.url = "nats://" + address
}

// name is the server's name.
func (i *installation) name() string { return filepath.Base(i.dir) }

// formerKeys are the lines of the former keys, with a prefix.
func formerKeys(t *testing.T, prefix string) string {
	t.Helper()
	lines := prefix + "CONSUMER: " + keyOf(t, team) + "\n"
	for _, role := range stream.Roles() {
		name := strings.ToUpper(strings.ReplaceAll(role, "-", "_"))
		lines += prefix + name + ": " + keyOf(t, role) + "\n"
	}
	return lines
}

func (i *installation) write(t *testing.T, name, text string) {
	t.Helper()
	must(t, os.WriteFile(filepath.Join(i.dir, name), []byte(text), 0o600))
}

// upgrade gives the installation new keys beside the former ones, and the configuration for the
// time of the upgrade.
func (i *installation) upgrade(t *testing.T, teams []stream.Team) {
	t.Helper()
	i.seeds = filepath.Join(t.TempDir(), "new")
	must(t, nats.WriteKeys(i.seeds))
	keys, err := os.ReadFile(filepath.Join(i.seeds, nats.KeysFile))
	must(t, err)
	i.write(t, nats.KeysFile, string(keys)+formerKeys(t, "FORMER_"))
	i.write(t, nats.TeamsFile, nats.Teams(teams))
	i.write(t, nats.AccountsFile, nats.AccountsForUpgrade())
	i.reload(t)
}

// finish leaves only the accounts. The broker refuses a line of a key that no user has.
func (i *installation) finish(t *testing.T) {
	t.Helper()
	keys, err := os.ReadFile(filepath.Join(i.seeds, nats.KeysFile))
	must(t, err)
	i.write(t, nats.KeysFile, string(keys))
	i.write(t, nats.AccountsFile, nats.Accounts())
	i.reload(t)
}

// reload reads the configuration twice: nats-server serves the imports of an account that a reload
// adds only after the next reload.
func (i *installation) reload(t *testing.T) {
	t.Helper()
	i.server.reload(t)
	i.server.reload(t)
}

// part connects a process of a role with the present keys.
func (i *installation) part(t *testing.T, role, domain string) process {
	t.Helper()
	return i.connectWith(t, stream.Config{
		URL: i.url, CredsFile: filepath.Join(i.seeds, nats.SeedFile(role)), Domain: domain,
	}, role)
}

// traffic is the events that go through the line.
type traffic struct {
	published atomic.Int64
	// completed leaves out a completion that the broker stored without an answer in time.
	completed atomic.Int64
	// slowest is the longest time that a publish took.
	slowest atomic.Int64
}

// publish publishes events as ingress, until stop is called. name begins their ids.
func (w *traffic) publish(t *testing.T, name string, ingress process) (stop func()) {
	t.Helper()
	return until(t, func(ctx context.Context) {
		for n := 0; ctx.Err() == nil; n++ {
			e := webhook(schema.Lookup(schema.Pinwheel, "paystubs.added"),
				fmt.Sprintf("%s-%d", name, n), "account")
			began := time.Now()
			if _, err := ingress.PublishEvent(context.Background(), e); err != nil {
				t.Errorf("event %s: %v", e.ID, err)
			}
			w.slowest.Store(max(w.slowest.Load(), int64(time.Since(began))))
			w.published.Add(1)
		}
	})
}

// complete completes the events as the worker of paystubs, until stop is called.
func (w *traffic) complete(t *testing.T, worker process) (stop func()) {
	t.Helper()
	work := func(d *stream.Delivery) {
		c := schema.NewCompletion(d.Event, schema.Paystubs, schema.Succeeded, d.Event.ReceivedAt)
		stored, err := worker.PublishCompletion(context.Background(), d.Event, c)
		if err := errors.Join(err, d.Done()); err != nil {
			t.Errorf("event %s: %v", d.Event.ID, err)
		}
		if stored {
			w.completed.Add(1)
		}
	}
	return until(t, func(ctx context.Context) {
		_ = worker.Queue(schema.QueuesOf(schema.Paystubs)[0]).Consume(ctx, both, work)
	})
}

// until runs a function until stop or the end of the test.
func until(t *testing.T, run func(context.Context)) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		run(ctx)
	}()
	stop = func() {
		cancel()
		<-done
	}
	t.Cleanup(stop)
	return stop
}

// more waits until more events have gone through the line.
func (w *traffic) more(t *testing.T, what string) {
	t.Helper()
	before := w.completed.Load()
	streamtest.Eventually(t, what, func() bool { return w.completed.Load() > before+20 })
}

// disconnections counts the lost connections of the processes.
func disconnections(processes ...process) (lost int) {
	for _, p := range processes {
		lost += p.log.FilterMessage("nats disconnected").Len()
	}
	return lost
}

func TestTheUpgradeToAccountsLosesNothing(t *testing.T) {
	t.Parallel()
	i := newInstallation(t)
	formerOperator := i.part(t, stream.RoleOperator, "")
	provision(t, formerOperator, schema.DefaultTopology())
	lending := demoTeams(t)[0]
	formerConsumer := i.dialSeed(t, filepath.Join(demo, seedFile(team)),
		natsgo.CustomInboxPrefix("_INBOX.consumer"))
	formerJS, err := jetstream.New(formerConsumer.Conn)
	must(t, err)
	durable, err := formerJS.CreateOrUpdateConsumer(t.Context(), schema.CompletionsStream,
		jetstream.ConsumerConfig{
			Durable: team, FilterSubject: schema.AllCompletions,
			AckPolicy: jetstream.AckExplicitPolicy,
		})
	must(t, err)

	var line traffic
	formerIngress := i.part(t, stream.RoleIngress, "")
	formerWorker := i.part(t, stream.WorkerRole(schema.Paystubs), "")
	stopFormerIngress := line.publish(t, "former", formerIngress)
	stopFormerWorker := line.complete(t, formerWorker)
	line.more(t, "the former line works")

	public, seed := newSeed(t, i.dir)
	lending.Key = public
	i.upgrade(t, []stream.Team{lending})
	line.more(t, "the former line goes on")
	must(t, nextMessage(t, "a completion for the former key", durable).Ack())

	ingress := i.part(t, stream.RoleIngress, stream.Domain)
	worker := i.part(t, stream.WorkerRole(schema.Paystubs), stream.Domain)
	stopIngress := line.publish(t, "new", ingress)
	line.complete(t, worker)
	line.more(t, "both lines work")
	joined, err := i.dialSeed(t, seed).jetstream(t).Consumer(t.Context(), schema.CompletionsStream,
		team)
	must(t, err)
	must(t, nextMessage(t, "a completion for the team's key", joined).DoubleAck(t.Context()))
	stopFormerIngress()
	stopFormerWorker()
	line.more(t, "the new line works alone")
	t.Logf("%d lost connections of the former line", disconnections(formerIngress, formerWorker))

	i.finish(t)
	line.more(t, "the new line goes on without the former keys")
	if _, err := i.tryDial(filepath.Join(demo, nats.SeedFile(stream.RoleIngress))); !errors.Is(err,
		natsgo.ErrAuthorization) {
		t.Errorf("a former key: %v", err)
	}
	stopIngress()
	if lost := disconnections(ingress, worker); lost > 0 {
		t.Errorf("%d connections of the new line were lost", lost)
	}
	i.checkComplete(t, &line)
}

// checkComplete waits until each published event has its completion, and checks that none has two.
func (i *installation) checkComplete(t *testing.T, line *traffic) {
	t.Helper()
	full := i.dialSeed(t, filepath.Join(i.seeds, nats.SeedFile(stream.RoleOperator))).jetstream(t)
	want := uint64(line.published.Load())
	var stored map[string]uint64
	streamtest.Eventually(t, "each event has its completion", func() bool {
		stored = storedEver(t, full)
		return stored[schema.CompletionsStream] >= want
	})
	if stored[schema.EventsStream] != want || stored[schema.CompletionsStream] != want {
		t.Errorf("%d events published, %d stored, %d completions stored", want,
			stored[schema.EventsStream], stored[schema.CompletionsStream])
	}
	t.Logf("%d events, the slowest publish took %s", want, time.Duration(line.slowest.Load()))
}

func TestANewTeamDisturbsNobody(t *testing.T) {
	t.Parallel()
	i := newInstallation(t)
	lending := demoTeams(t)[0]
	lending.Key, _ = newSeed(t, i.dir) // a key can have only one user, and the former one stays
	i.upgrade(t, []stream.Team{lending})
	i.finish(t)
	provision(t, i.part(t, stream.RoleOperator, stream.Domain), schema.DefaultTopology())
	full := i.dialSeed(t, filepath.Join(i.seeds, nats.SeedFile(stream.RoleOperator))).jetstream(t)
	makeDurables(t, full, lending)

	var line traffic
	ingress := i.part(t, stream.RoleIngress, stream.Domain)
	worker := i.part(t, stream.WorkerRole(schema.Paystubs), stream.Domain)
	line.publish(t, "e", ingress)
	line.complete(t, worker)
	line.more(t, "the line works")
	var teams []stream.Team
	for n := range 5 {
		public, seed := newSeed(t, i.dir)
		name := fmt.Sprint("team-", n)
		added := stream.Team{Name: name, Durables: []string{name}, Key: public,
			Resources: []schema.Resource{schema.Paystubs}}
		makeDurables(t, full, added)
		teams = append(teams, added)
		i.write(t, nats.TeamsFile, nats.Teams(append(slices.Clone(teams), lending)))
		i.reload(t)
		line.more(t, "the line goes on")
		durable, err := i.dialSeed(t, seed).jetstream(t).Consumer(t.Context(),
			schema.CompletionsStream, name)
		must(t, err)
		must(t, nextMessage(t, "a completion for "+name, durable).DoubleAck(t.Context()))
	}
	t.Logf("the slowest publish took %s", time.Duration(line.slowest.Load()))
	if lost := disconnections(ingress, worker); lost > 0 {
		t.Errorf("%d connections were lost", lost)
	}
}
