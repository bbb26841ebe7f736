//go:build containers

package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/moby/moby/api/types/network"
	"github.com/moby/moby/client"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/testcontainers/testcontainers-go/exec"
	"golang.org/x/sync/errgroup"

	"github.com/wagewire/wagewire/deploy/fake"
	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream/streamtest"
)

// These tests need containers: they kill, cut off, add and remove processes while webhooks come.
// Each test counts at the end: every webhook answered 200 has exactly one completion. No test
// limits the number of 503s, or of webhooks without an answer: whether the broker stores a webhook
// in time depends on the machine. The tests of ingress check the time of an answer. The tests run
// one after the other, because a second stack would use the same disk.

const (
	// endless is more webhooks than a test sends, and not more than the fakes remember.
	endless = 10_000
	// leadMax is how many webhooks come beyond those that a test waits for. However long something
	// else takes, webhooks are left for the rest of the test.
	leadMax = 3000
	// webhookEvery is the pause between two webhooks. A small machine can keep up.
	webhookEvery = 20 * time.Millisecond
)

// upContainers starts a stack of containers that ends with the test. The script has the commands
// for the stack.
func upContainers(t *testing.T, variables map[string]string, files ...string) (*script,
	*containers) {
	t.Helper()
	freePort := func() int { return streamtest.FreePort(t) }
	s := newScript(untilLate(t), nil)
	t.Cleanup(s.stop)
	c, err := startContainers(s.ctx, freePort, variables, files...)
	if err != nil {
		t.Fatal(err)
	}
	s.stack = c
	t.Cleanup(func() {
		if t.Failed() {
			t.Log("the parts logged:\n" + s.lastLines())
		}
		if err := s.close(); err != nil {
			t.Error(err)
		}
	})
	if err := s.connect(); err != nil {
		t.Fatal(err)
	}
	return s, c
}

// load is a series of webhooks from the fakes. After an answer 5xx, or without an answer, the fakes
// send a webhook again later, as providers do.
type load struct {
	group   errgroup.Group
	sent    atomic.Int64 // answered 200
	awaited atomic.Int64 // the test waits for so many
	enough  chan struct{}
	end     sync.Once
}

// load sends webhooks of the types in turn, about a new person. It begins a webhook every so often,
// without waiting for the answers, until it has begun most webhooks or finish is called. It pauses
// while it is leadMax webhooks ahead of the test.
func (s *script) load(t *testing.T, most int, every time.Duration, types ...string) *load {
	t.Helper()
	var p person
	if err := s.control(http.MethodPost, "people", map[string]int{"paystubs": 4, "shifts": 4},
		&p); err != nil {
		t.Fatal(err)
	}
	l := &load{enough: make(chan struct{})}
	t.Cleanup(func() {
		if t.Failed() {
			s.stop() // ends the wait for further attempts
		}
		_ = l.finish()
	})
	l.group.Go(func() error {
		pace := time.NewTicker(every)
		defer pace.Stop()
		for begun := 0; begun < most; {
			select {
			case <-pace.C:
			case <-l.enough:
				return nil
			}
			if int64(begun) < l.awaited.Load()+leadMax {
				what := types[begun%len(types)]
				l.group.Go(func() error { return s.deliver(l, p, what) })
				begun++
			}
		}
		return nil
	})
	return l
}

func (s *script) deliver(l *load, p person, typ string) error {
	var sent fake.Sent
	webhook := map[string]any{"type": typ, "account": p.AccountID, "retry": true}
	if err := s.control(http.MethodPost, "webhooks", webhook, &sent); err != nil {
		return err
	}
	if sent.Status != 200 {
		return fmt.Errorf("%s %s was answered %d %s in the end", sent.Type, sent.ID, sent.Status,
			sent.Error)
	}
	l.sent.Add(1)
	return nil
}

// finish begins no more webhooks, and waits for the last answers.
func (l *load) finish() error {
	l.end.Do(func() { close(l.enough) })
	return l.group.Wait()
}

// wait waits until all webhooks are answered.
func (l *load) wait() error {
	l.awaited.Store(math.MaxInt32)
	return l.group.Wait()
}

// reaches waits until n webhooks are answered 200.
func (s *script) reaches(t *testing.T, l *load, n int64) {
	t.Helper()
	l.awaited.Store(n)
	s.wait(t, fmt.Sprintf("%d webhooks answered", n),
		func(context.Context) (bool, error) { return l.sent.Load() >= n, nil })
}

func (s *script) wait(t *testing.T, what string, done func(context.Context) (bool, error)) {
	t.Helper()
	if err := s.waitFor(what, done); err != nil {
		t.Fatal(err)
	}
}

// tally waits until the queues are idle. It fails unless exactly the webhooks answered 200 have a
// completion, and every other answer lets the sender try again. It returns the number of answers by
// status, with 0 for no answer.
func (s *script) tally(t *testing.T, l *load) map[int]int {
	t.Helper()
	if err := s.settled(); err != nil {
		t.Fatal(err)
	}
	wanted, stored, erased, err := s.sums()
	if err != nil {
		t.Fatal(err)
	}
	if sent := int(l.sent.Load()); wanted != sent || stored != sent || erased != 0 {
		t.Fatalf("%d webhooks were answered 200: %d of %d completions are stored, %d are erased",
			sent, stored, wanted, erased)
	}
	var attempts []fake.Sent
	if err := s.control(http.MethodGet, "webhooks", nil, &attempts); err != nil {
		t.Fatal(err)
	}
	answers := map[int]int{}
	unanswered := map[string]int{}
	for _, a := range attempts {
		answers[a.Status]++
		if a.Status == 0 {
			unanswered[a.Error]++
		}
		if a.Status != 200 && a.Status != 0 && a.Status < 500 {
			t.Errorf("%s %s was answered %d: its provider would never send it again", a.Type, a.ID,
				a.Status)
		}
	}
	t.Logf("%d webhooks, each completed once; answers: %v; without an answer: %v", wanted, answers,
		unanswered)
	return answers
}

// fast lets workers call the fakes without a limit.
func fast() map[string]string {
	return map[string]string{"PINWHEEL_RATE_PER_S": "1000", "TRUV_RATE_PER_S": "1000"}
}

// each has a type for every worker with webhooks that name the account and have one completion. The
// webhooks of verification-reports and of tax-forms are of other kinds.
var each = []string{"employment.added", "identity.added", "income.added", "paystubs.added",
	"shifts.added", "link-connected", "bank-accounts-created"}

// The broker is killed while webhooks come, for longer than ingress tries to publish, and started
// again.
func TestContainersBrokerKilled(t *testing.T) {
	s, c := upContainers(t, fast(), composeFile)
	const webhooks = 2000
	l := s.load(t, webhooks, 4*time.Millisecond, each...)
	s.reaches(t, l, webhooks/2)
	if err := c.Kill(natsPart); err != nil {
		t.Fatal(err)
	}
	s.wait(t, "a webhook that is refused", func(context.Context) (bool, error) {
		var sent []fake.Sent
		err := s.control(http.MethodGet, "webhooks", nil, &sent)
		return slices.ContainsFunc(sent, func(w fake.Sent) bool { return w.Status == 503 }), err
	})
	if err := c.Start(natsPart); err != nil {
		t.Fatal(err)
	}
	if err := l.wait(); err != nil {
		t.Fatal(err)
	}
	if got := l.sent.Load(); got != webhooks {
		t.Errorf("%d of %d webhooks were answered 200", got, webhooks)
	}
	answers := s.tally(t, l)
	if answers[503] == 0 {
		t.Error("no webhook was answered 503 while the broker was down")
	}
}

// A node of three is cut off while webhooks come, and connected again later: the node that ingress
// is connected to and that leads the events stream.
func TestContainersNodeCutOff(t *testing.T) {
	s, c := upContainers(t, fast(), composeFile, clusterFile)
	l := s.load(t, endless, webhookEvery, each...)
	s.reaches(t, l, 200)
	node, leader, err := c.serverOf("ingress")
	if err != nil {
		t.Fatal(err)
	}
	s.wait(t, leader+" to lead the events stream", func(ctx context.Context) (bool, error) {
		now, err := s.leader(ctx)
		if err != nil || now == leader {
			return err == nil, err
		}
		// The answer may come from the new leader or not at all. The next look sees the leader.
		_, err = s.nats.RequestWithContext(ctx,
			"$JS.API.STREAM.LEADER.STEPDOWN."+schema.EventsStream,
			fmt.Appendf(nil, `{"placement":{"preferred":%q}}`, leader))
		return false, err
	})
	if err := c.disconnect(node); err != nil {
		t.Fatal(err)
	}
	s.wait(t, "another leader", func(ctx context.Context) (bool, error) {
		now, err := s.leader(ctx)
		return now != "" && now != leader, err
	})
	s.reaches(t, l, l.sent.Load()+200)
	if err := c.connect(node); err != nil {
		t.Fatal(err)
	}
	s.wait(t, "the node to have caught up", s.caughtUp)
	s.reaches(t, l, l.sent.Load()+200)
	if err := l.finish(); err != nil {
		t.Fatal(err)
	}
	s.tally(t, l)
}

// leader returns the name of the server that leads the events stream.
func (s *script) leader(ctx context.Context) (string, error) {
	stream, err := s.js.Stream(ctx, schema.EventsStream)
	if err != nil {
		return "", err
	}
	return stream.CachedInfo().Cluster.Leader, nil
}

// caughtUp reports whether all replicas of all streams are current.
func (s *script) caughtUp(ctx context.Context) (bool, error) {
	streams := s.js.ListStreams(ctx)
	n := 0
	for info := range streams.Info() {
		n++
		if info.Cluster.Leader == "" ||
			slices.ContainsFunc(info.Cluster.Replicas,
				func(r *jetstream.PeerInfo) bool { return !r.Current }) {
			return false, nil
		}
	}
	return n > 0, streams.Err()
}

// serverOf returns the broker that a client is connected to, and the name of the broker's server.
func (c *containers) serverOf(client string) (*part, string, error) {
	for _, p := range c.all() {
		name := c.project.Services[p.service].Environment["SERVER_NAME"]
		if name == nil {
			continue
		}
		_, output, err := p.Exec(c.ctx,
			[]string{"wget", "-q", "-O", "-", "http://127.0.0.1:8222/connz"}, exec.Multiplexed())
		if err != nil {
			return nil, "", err
		}
		var have struct {
			Connections []struct{ Name string }
		}
		if err := json.NewDecoder(output).Decode(&have); err != nil {
			return nil, "", fmt.Errorf("connections of %s: %w", *name, err)
		}
		if slices.ContainsFunc(have.Connections,
			func(is struct{ Name string }) bool { return is.Name == client }) {
			return p, *name, nil
		}
	}
	return nil, "", fmt.Errorf("%s is connected to no broker", client)
}

// disconnect takes a container off the network. Its peers get no message. connect puts it back.
func (c *containers) disconnect(p *part) error {
	_, err := c.engine.Client().NetworkDisconnect(c.ctx, c.network.ID,
		client.NetworkDisconnectOptions{Container: p.GetContainerID()})
	return err
}

func (c *containers) connect(p *part) error {
	_, err := c.engine.Client().NetworkConnect(c.ctx, c.network.ID, client.NetworkConnectOptions{
		Container:      p.GetContainerID(),
		EndpointConfig: &network.EndpointSettings{Aliases: p.aliases},
	})
	return err
}

// One worker becomes three while webhooks come, and then one again.
func TestContainersWorkerScaled(t *testing.T) {
	s, c := upContainers(t, nil, composeFile)
	l := s.load(t, endless, webhookEvery, "paystubs.added")
	s.reaches(t, l, 100)
	more := []string{"paystubs-2", "paystubs-3"}
	for _, name := range more {
		if err := c.add("paystubs", name); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range append(more, "paystubs") {
		p, err := c.named(name)
		if err != nil {
			t.Fatal(err)
		}
		before, err := c.jobs(s.ctx, p)
		if err != nil {
			t.Fatal(err)
		}
		s.wait(t, name+" to work", func(ctx context.Context) (bool, error) {
			n, err := c.jobs(ctx, p)
			return n > before, err
		})
	}
	for _, name := range more {
		if err := c.Stop(name); err != nil {
			t.Fatal(err)
		}
	}
	s.reaches(t, l, l.sent.Load()+100)
	if err := l.finish(); err != nil {
		t.Fatal(err)
	}
	s.tally(t, l)
}

// add makes another container of a service, and waits until it is ready.
func (c *containers) add(service, name string) error {
	p, err := c.create(c.ctx, c.project.Services[service], name)
	if err != nil {
		return err
	}
	return c.run(c.ctx, p)
}

// jobs returns how many jobs a worker has done.
func (c *containers) jobs(ctx context.Context, p *part) (n int, err error) {
	text, err := c.metricsOf(ctx, p)
	if err != nil {
		return 0, err
	}
	for line := range bytes.Lines(text) {
		if !bytes.HasPrefix(line, []byte("wagewire_worker_jobs_total{")) {
			continue
		}
		fields := strings.Fields(string(line))
		of, err := strconv.Atoi(fields[len(fields)-1])
		if err != nil {
			return 0, err
		}
		n += of
	}
	return n, nil
}

// Ingress is replaced while webhooks come: a second ingress starts under the same host name, then
// the first stops. A host name is not a load balancer. A sender may still connect to the first
// ingress, lose the connection, and send again. The promise is that nothing is lost, and that no
// answer forbids a sender to send again.
func TestContainersIngressRolled(t *testing.T) {
	s, c := upContainers(t, fast(), composeFile)
	l := s.load(t, endless, webhookEvery, each...)
	s.reaches(t, l, 200)
	if err := c.add("ingress", "ingress-2"); err != nil {
		t.Fatal(err)
	}
	if err := c.Stop("ingress"); err != nil {
		t.Fatal(err)
	}
	s.reaches(t, l, l.sent.Load()+200)
	if err := l.finish(); err != nil {
		t.Fatal(err)
	}
	s.tally(t, l)
}

// All containers are removed and made again on the same volume, as by docker compose down and up.
func TestContainersMadeAgain(t *testing.T) {
	s, c := upContainers(t, fast(), composeFile)
	l := s.load(t, 200, time.Millisecond, each...)
	if err := l.wait(); err != nil {
		t.Fatal(err)
	}
	body := []byte(`{"event": "payroll.exploded", "event_id": "kept", "payload": {"account_id": "somebody"}}`)
	post := func(want string) {
		t.Helper()
		status, answer, err := s.post(string(schema.Pinwheel), body)
		if err != nil || status != 200 || !bytes.Contains(answer, []byte(want)) {
			t.Fatalf("answered %d %s, %v: want 200 with %s", status, answer, err, want)
		}
	}
	post(`"id":"kept"`)
	s.tally(t, l)
	before, err := s.readAll(s.ctx, schema.CompletionsStream, schema.AllCompletions)
	if err != nil {
		t.Fatal(err)
	}

	if err := c.makeAgain(); err != nil {
		t.Fatal(err)
	}
	s.disconnect()
	if err := s.connect(); err != nil {
		t.Fatal(err)
	}
	after, err := s.readAll(s.ctx, schema.CompletionsStream, schema.AllCompletions)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.EqualFunc(before, after, func(a, b *jetstream.RawStreamMsg) bool {
		return a.Subject == b.Subject && a.Sequence == b.Sequence && bytes.Equal(a.Data, b.Data)
	}) || len(after) != 200 {
		t.Errorf("there were %d completions, now there are %d, or others", len(before), len(after))
	}
	post(`"duplicate":true`)
	if err := s.settled(); err != nil {
		t.Fatal(err)
	}
	wanted, stored, _, err := s.sums()
	if err != nil || wanted != 200 || stored != 200 {
		t.Errorf("%d of %d completions are stored: %v", stored, wanted, err)
	}
}

// makeAgain stops all containers, removes them, and makes them again.
func (c *containers) makeAgain() error {
	var group errgroup.Group
	for _, p := range c.all() {
		if !p.away {
			group.Go(func() error { return c.Stop(p.name) })
		}
	}
	return errors.Join(group.Wait(), c.removeParts(c.ctx), c.begin())
}
