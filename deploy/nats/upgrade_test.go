package nats_test

import (
	"context"
	"encoding/json"
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
	later := []string{ // the release without accounts had no such process
		stream.RoleAccounts, stream.WorkerRole(schema.Notices),
		stream.WorkerRole(schema.BankAccounts), stream.WorkerRole(schema.TaxForms),
	}
	for _, role := range stream.Roles() {
		if slices.Contains(later, role) {
			continue
		}
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
func (w *traffic) complete(
	t *testing.T, worker process, taking stream.Taking,
) (stop func()) {
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
		_ = worker.Queue(schema.QueuesOf(schema.Paystubs)[0]).Consume(ctx, taking, work)
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
	i.restoreFormerStream(t)
	lending := demoTeams(t)[0]
	durable, err := i.formerJetStream(t, team).CreateOrUpdateConsumer(t.Context(),
		schema.CompletionsStream, jetstream.ConsumerConfig{
			Durable: team, FilterSubject: schema.AllCompletions,
			AckPolicy: jetstream.AckExplicitPolicy,
		})
	must(t, err)

	var line traffic
	formerIngress := i.part(t, stream.RoleIngress, "")
	formerWorker := i.part(t, stream.WorkerRole(schema.Paystubs), "")
	i.letEventsWait(t, &line, formerIngress)
	stopFormerIngress := line.publish(t, "former", formerIngress)
	// This release does not know the former stream of the retries: see letEventsWait.
	stopFormerWorker := line.complete(t, formerWorker, stream.Taking{Hands: 2})
	line.more(t, "the former line works")

	public, seed := newSeed(t, i.dir)
	lending.Key = public
	i.upgrade(t, []stream.Team{lending})
	line.more(t, "the former line goes on")
	must(t, nextMessage(t, "a completion for the former key", durable).Ack())

	operator := i.part(t, stream.RoleOperator, stream.Domain)
	must(t, operator.Provision(t.Context(), schema.DefaultTopology()))
	stopFormerWorker() // without its stream of retries, a former worker takes no events
	endWaits(t, operator)

	ingress := i.part(t, stream.RoleIngress, stream.Domain)
	worker := i.part(t, stream.WorkerRole(schema.Paystubs), stream.Domain)
	stopIngress := line.publish(t, "new", ingress)
	line.complete(t, worker, every)
	line.more(t, "the new worker works for both")
	joined, err := i.dialSeed(t, seed).jetstream(t).Consumer(t.Context(), schema.CompletionsStream,
		team)
	must(t, err)
	must(t, nextMessage(t, "a completion for the team's key", joined).DoubleAck(t.Context()))
	stopFormerIngress()
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

// waitsUntil is when the events of letEventsWait are tried again, long after the test.
var waitsUntil = time.Now().Add(24 * time.Hour).UTC().Truncate(time.Second)

// formerWaits is how many events wait before the upgrade, and formerRetries how many retries are
// left. A worker of the former release has one of the retries in hand.
const (
	formerWaits   = 3
	formerRetries = 3
)

// formerJetStream connects a client of the former release with the key of a role or of the team.
func (i *installation) formerJetStream(t *testing.T, role string) jetstream.JetStream {
	t.Helper()
	inbox := role
	if role == team {
		inbox = "consumer"
	}
	c := i.dialSeed(t, filepath.Join(demo, seedFile(role)),
		natsgo.CustomInboxPrefix("_INBOX."+inbox))
	js, err := jetstream.New(c.Conn)
	must(t, err)
	return js
}

// restoreFormerStream makes the former stream of the waiting events in the place of the present
// ones.
func (i *installation) restoreFormerStream(t *testing.T) {
	t.Helper()
	full := i.formerJetStream(t, stream.RoleOperator)
	_, err := full.CreateStream(t.Context(), jetstream.StreamConfig{
		Name: schema.FormerWaitingStream, AllowMsgSchedules: true, MaxAge: 14 * 24 * time.Hour,
	})
	must(t, err)
	for _, q := range schema.Queues() {
		consumer, err := full.Consumer(t.Context(), q.WaitingStream(), q.Name)
		must(t, err)
		must(t, full.DeleteStream(t.Context(), q.WaitingStream()))
		_, err = full.CreateConsumer(t.Context(), schema.FormerWaitingStream,
			consumer.CachedInfo().Config)
		must(t, err)
	}
	s, err := full.Stream(t.Context(), schema.FormerWaitingStream)
	must(t, err)
	config := s.CachedInfo().Config
	config.Subjects = []string{"wagewire.waiting.>", "wagewire.retries.>"}
	_, err = full.UpdateStream(t.Context(), config)
	must(t, err)
}

// letEventsWait publishes events and lets them wait, as a worker of the former release. The former
// stream then has schedules and retries.
func (i *installation) letEventsWait(t *testing.T, line *traffic, ingress process) {
	t.Helper()
	q := schema.QueuesOf(schema.Paystubs)[0]
	worker := i.formerJetStream(t, stream.WorkerRole(q.Resource))
	events, err := worker.Consumer(t.Context(), schema.EventsStream, q.Name)
	must(t, err)
	for n := range formerWaits + formerRetries {
		e := webhook(typeOf(q), fmt.Sprint("waits-", n), "account")
		_, err := ingress.PublishEvent(t.Context(), e)
		must(t, err)
		line.published.Add(1)
		taken := nextMessage(t, "an event", events)
		_, err = worker.PublishMsg(t.Context(), formerRetry(t, q, e, taken, n < formerWaits),
			jetstream.WithExpectStream(schema.FormerWaitingStream))
		must(t, err)
		must(t, taken.DoubleAck(t.Context()))
	}
	retries, err := worker.Consumer(t.Context(), schema.FormerWaitingStream, q.Name)
	must(t, err)
	nextMessage(t, "a retry in hand", retries)
}

// formerRetry is the message of an event that waits, or whose time has come.
func formerRetry(
	t *testing.T, q schema.Queue, e schema.Event, taken jetstream.Msg, waits bool,
) *natsgo.Msg {
	t.Helper()
	meta, err := taken.Metadata()
	must(t, err)
	msg := &natsgo.Msg{Subject: schema.RetriesSubject(q.Name, e.Account()), Header: natsgo.Header{}}
	for key, values := range taken.Headers() {
		if !strings.HasPrefix(key, "Nats-") {
			msg.Header[key] = values
		}
	}
	msg.Header.Set("Wagewire-Queue", q.Name)
	msg.Header.Set("Wagewire-Event-Sequence", fmt.Sprint(meta.Sequence.Stream))
	if waits {
		msg.Header.Set(jetstream.ScheduleTargetHeader, msg.Subject)
		msg.Header.Set(jetstream.ScheduleHeader, "@at "+waitsUntil.Format(time.RFC3339))
		msg.Header.Set("Wagewire-Class", string(schema.ClassTransient))
		msg.Header.Set("Wagewire-Next-Try", waitsUntil.Format(time.RFC3339))
		msg.Subject = e.WaitingSubject(q.Name)
	}
	return msg
}

// endWaits checks that the events of letEventsWait still wait until their time, and then ends their
// waits.
func endWaits(t *testing.T, operator process) {
	t.Helper()
	ended := 0
	must(t, operator.Waiting(t.Context(), "*", "*", func(w stream.Waiting) error {
		if !w.Until.Equal(waitsUntil) {
			t.Errorf("%s waits until %s, want %s", w.Event.ID, w.Until, waitsUntil)
		}
		retried, err := operator.RetryNow(t.Context(), w)
		if retried {
			ended++
		}
		return err
	}))
	if ended != formerWaits {
		t.Errorf("%d events waited, want %d", ended, formerWaits)
	}
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
	line.complete(t, worker, every)
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

func TestNoBankAccountIsStoredWhileAFormerKeyIsRead(t *testing.T) {
	t.Parallel()
	i := newInstallation(t)
	provision(t, i.part(t, stream.RoleOperator, ""), schema.DefaultTopology())
	i.upgrade(t, nil)
	role := stream.WorkerRole(schema.BankAccounts)
	e := webhook(schema.Lookup(schema.Truv, "bank-accounts-created"), "e-1", "account")
	completion := schema.NewCompletion(e, schema.BankAccounts, schema.Succeeded, e.ReceivedAt)
	completion.Data.Records = []json.RawMessage{json.RawMessage(`{"account_number":"canary"}`)}
	full := i.dialSeed(t, filepath.Join(i.seeds, nats.SeedFile(stream.RoleOperator))).jetstream(t)
	worker := i.dialSeed(t, filepath.Join(i.seeds, nats.SeedFile(role)))
	for _, subject := range []string{
		e.CompletionSubject(schema.BankAccounts),
		"$O.WAGEWIRE_RECORDS.C.truv.bank_accounts.account.e-1.1",
	} {
		msg := &natsgo.Msg{Subject: subject, Data: []byte("canary")}
		a := attempt{make: func(*testing.T, jetstream.JetStream) *natsgo.Msg { return msg }}
		if err := a.try(t, worker, full); !errors.Is(err, errUnknown) {
			t.Errorf("%s: %v, want no responders", subject, err)
		}
	}

	i.finish(t)
	_, err := i.part(t, role, stream.Domain).PublishCompletion(t.Context(), e, completion)
	must(t, err)
	if stored := storedEver(t, full); stored[schema.CompletionsStream] != 1 {
		t.Errorf("%d completions are stored after the upgrade, want 1",
			stored[schema.CompletionsStream])
	}
}
