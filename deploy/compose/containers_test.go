//go:build containers

package compose

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	natsgo "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/wagewire/wagewire/deploy/fake"
	"github.com/wagewire/wagewire/deploy/nats"
	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
)

// workerServices returns the names of the worker services.
func workerServices() []string {
	services := map[string]bool{}
	for _, q := range schema.Queues() {
		services[stream.WorkerRole(q.Resource)] = true
	}
	services[stream.RoleAccounts] = true
	return slices.Sorted(maps.Keys(services))
}

func TestContainersOfOneNode(t *testing.T) {
	s := newStack(t)
	secrets := copyOfTheDemonstration(t)
	check(t, os.Chmod(secrets, 0o700))
	s.environment = append(s.environment, "SECRETS_DIR="+secrets)
	began := time.Now()
	s.compose("up", "-d")
	t.Logf("up -d took %s", time.Since(began).Round(time.Millisecond))
	s.healthy(append(workerServices(), "nats", "ingress", "providers", "console")...)
	t.Logf("everything was healthy after %s", time.Since(began).Round(time.Millisecond))

	operator := s.connect(stream.RoleOperator)
	s.everyTypeGetsItsLastWord(operator)
	s.everybodyReadsTheConsole()
	s.oneWebhookIsSeenByWhoeverLooks()
	s.aTeamJoins(secrets)
	s.downAndUpLoseNothing(operator)
	s.threeWorkersShareAQueue(operator)
}

func (s *stack) everyTypeGetsItsLastWord(operator *stream.Conn) {
	sent := s.send("all")
	s.completed(operator, sent)
	types := map[string]bool{}
	for _, w := range sent {
		types[w.Type] = true
	}
	for _, want := range schema.Catalogue() {
		if len(want.Workers) > 0 && !types[want.Name] {
			s.t.Errorf("send all sends no %s", want.Name)
		}
	}
}

// everybodyReadsTheConsole checks that the console shows its first page to this machine, by the
// port that the stack publishes.
func (s *stack) everybodyReadsTheConsole() {
	s.t.Helper()
	s.until("the console shows its first page", func(ctx context.Context) error {
		url := fmt.Sprintf("http://127.0.0.1:%d/", s.ports["CONSOLE_PORT"])
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return err
		}
		request.Close = true
		response, err := http.DefaultTransport.RoundTrip(request)
		if err != nil {
			return err
		}
		defer response.Body.Close()
		if response.StatusCode != http.StatusOK {
			return fmt.Errorf("it answers %d", response.StatusCode)
		}
		return nil
	})
}

// oneWebhookIsSeenByWhoeverLooks checks that the team reads the completion with its own key, and
// that the worker logs the job.
func (s *stack) oneWebhookIsSeenByWhoeverLooks() {
	durable := s.durable(team, demoFile(nats.TeamSeedFile(team)))
	sent := s.send("paystubs.added")[0]
	c := s.completionOf(durable, sent.ID)
	if c.Data.Outcome != schema.Succeeded || len(c.Data.Records) == 0 {
		s.t.Errorf("it ended %s with %d records", c.Data.Outcome, len(c.Data.Records))
	}
	s.until("the worker logs it", func(context.Context) error {
		for line := range strings.Lines(s.compose("logs", "--no-color", "paystubs")) {
			if strings.Contains(line, sent.ID) && strings.Contains(line, `"outcome":"succeeded"`) {
				return nil
			}
		}
		return errors.New("no line has it")
	})
}

// aTeamJoins adds a team to the running stack, as the operator does. The team reads, and no other
// client loses its connection.
func (s *stack) aTeamJoins(secrets string) {
	const joins = "aid"
	lending := s.durable(team, demoFile(nats.TeamSeedFile(team)))
	before := s.connections()
	s.wagewire("team", "add", joins, "--resources", "paystubs", "--dir", secrets)
	for range 2 { // the first makes the account, the second its subscriptions
		s.compose("kill", "-s", "HUP", "nats")
	}
	durable := s.durable(joins, filepath.Join(secrets, nats.TeamSeedFile(joins)))
	sent := s.send("paystubs.added")[0]
	s.completionOf(durable, sent.ID)
	s.completionOf(lending, sent.ID)
	after := s.connections()
	for _, connection := range before {
		if !slices.Contains(after, connection) {
			s.t.Errorf("the broker has cut off %s", connection)
		}
	}
}

// connections lists the broker's clients, a line each: the number of the connection and the name.
func (s *stack) connections() []string {
	s.t.Helper()
	text := s.compose("exec", "-T", "nats", "wget", "-q", "-O", "-", "http://127.0.0.1:8222/connz")
	var answer struct {
		Connections []struct {
			CID  int    `json:"cid"`
			Name string `json:"name"`
		} `json:"connections"`
	}
	check(s.t, json.Unmarshal([]byte(text), &answer))
	var list []string
	for _, c := range answer.Connections {
		list = append(list, fmt.Sprint(c.CID, " ", c.Name))
	}
	if len(list) <= len(workerServices()) {
		s.t.Errorf("the broker has the connections %v", list)
	}
	return list
}

// wagewire runs the operator's command on this machine, outside the containers.
func (s *stack) wagewire(args ...string) {
	s.t.Helper()
	binary := filepath.Join(s.t.TempDir(), "wagewire")
	_, stderr, err := s.execute("go", "build", "-o", binary, "./deploy/cmd/wagewire")
	if err != nil {
		s.t.Fatalf("build wagewire: %v\n%s", err, stderr)
	}
	before := s.environment
	defer func() { s.environment = before }()
	s.environment = append(slices.Clone(before), "NATS_URL="+s.broker(),
		"NATS_CREDS_FILE="+filepath.Join(demoDir, nats.SeedFile(stream.RoleOperator)))
	stdout, stderr, err := s.execute(binary, args...)
	if err != nil {
		s.t.Fatalf("wagewire %s: %v\n%s%s", strings.Join(args, " "), err, stdout, stderr)
	}
}

// durable binds to the durable of a team, with the team's key.
func (s *stack) durable(name, seed string) jetstream.Consumer {
	s.t.Helper()
	key, err := natsgo.NkeyOptionFromSeed(seed)
	if err != nil {
		s.t.Fatal(err)
	}
	var durable jetstream.Consumer
	s.until("team "+name+" finds its durable", func(ctx context.Context) error {
		conn, err := natsgo.Connect(s.broker(), key)
		if err != nil {
			return err
		}
		js, err := jetstream.NewWithDomain(conn, stream.Domain)
		if err == nil {
			durable, err = js.Consumer(ctx, schema.CompletionsStream, name)
		}
		if err != nil {
			conn.Close()
			return err
		}
		s.t.Cleanup(conn.Close)
		return nil
	})
	return durable
}

// completionOf takes completions from a durable until that of the event.
func (s *stack) completionOf(durable jetstream.Consumer, event string) schema.Completion {
	s.t.Helper()
	var c schema.Completion
	s.until("the completion of "+event, func(context.Context) error {
		for c.Data.Event.ID != event {
			m, err := durable.Next()
			if err != nil {
				return err
			}
			c = schema.Completion{}
			if err := errors.Join(json.Unmarshal(m.Data(), &c), m.Ack()); err != nil {
				return err
			}
		}
		return nil
	})
	return c
}

func (s *stack) downAndUpLoseNothing(operator *stream.Conn) {
	fakes, person := s.fakes()
	s.compose(append([]string{"stop"}, workerServices()...)...)
	var webhooks []fake.Webhook
	var sent []fake.Sent
	for _, webhookType := range []string{"identity.added", "paystubs.added",
		"verification_reports.refreshed", "link-connected"} {
		w := s.event(fakes, person, webhookType)
		webhooks, sent = append(webhooks, w), append(sent, s.deliver(fakes, w, false))
	}
	before, err := completions(s.t.Context(), operator)
	if err != nil {
		s.t.Fatal(err)
	}
	s.compose("down")
	// They forget everybody, as providers do not: first they get to know the person again.
	s.compose("up", "-d", "providers")
	s.introduce(person)
	s.compose("up", "-d")

	after := s.completed(operator, sent)
	for id, was := range before {
		if diff := cmp.Diff(was, after[id]); diff != "" {
			s.t.Errorf("completion %s from before (-before +after)\n%s", id, diff)
		}
		delete(after, id)
	}
	for id, c := range after {
		if !c.Data.Outcome.HasRecords() {
			s.t.Errorf("completion %s says %s: %+v", id, c.Data.Outcome, c.Data.Error)
		}
	}
	if len(after) != len(sent) {
		s.t.Errorf("%d webhooks that waited have %d completions", len(sent), len(after))
	}
	for _, w := range webhooks {
		s.deliver(fakes, w, true)
	}
}

// half is the number of webhooks before two of three workers are removed, and the number after.
// Each worker makes ten calls a second, so the work takes seconds.
const half = 60

func (s *stack) threeWorkersShareAQueue(operator *stream.Conn) {
	fakes, person := s.fakes()
	s.introduce(person)
	before, err := completions(s.t.Context(), operator)
	if err != nil {
		s.t.Fatal(err)
	}
	s.compose("up", "-d", "--scale", "paystubs=3")
	containers := s.containers("paystubs")
	if len(containers) != 3 {
		s.t.Fatalf("%d containers are there", len(containers))
	}
	s.until("all three work", func(context.Context) error {
		for _, id := range containers {
			if !strings.Contains(s.logs(id), `"nats connected"`) {
				return fmt.Errorf("%s is not connected", id)
			}
		}
		return nil
	})
	var sent []fake.Sent
	load := func() {
		for range half {
			sent = append(sent, s.deliver(fakes, s.event(fakes, person, "paystubs.added"), false))
		}
	}
	load()
	s.until("each of three has done work", func(context.Context) error {
		for _, id := range containers {
			if !strings.Contains(s.logs(id), `"outcome":"succeeded"`) {
				return fmt.Errorf("%s has not", id)
			}
		}
		return nil
	})
	load()
	s.compose("up", "-d", "--scale", "paystubs=1")
	if left := s.containers("paystubs"); len(left) != 1 {
		s.t.Errorf("%d containers are left", len(left))
	}
	after := s.completed(operator, sent)
	if got := len(after) - len(before); got != len(sent) {
		s.t.Errorf("%d webhooks have %d completions", len(sent), got)
	}
	s.until("the queues are idle", func(ctx context.Context) error {
		_, queues, err := stream.NewOperator(operator).Status(ctx)
		for _, q := range queues {
			if q.Ready > 0 || q.InHand > 0 || q.Waiting > 0 {
				err = errors.Join(err, fmt.Errorf("%s has %d ready, %d in hand and %d waiting",
					q.Name, q.Ready, q.InHand, q.Waiting))
			}
		}
		return err
	})
}

func TestContainersOfThreeNodes(t *testing.T) {
	s := newStack(t, composeFile, clusterFile)
	began := time.Now()
	s.mustUp()
	t.Logf("up took %s", time.Since(began).Round(time.Millisecond))
	operator := s.connect(stream.RoleOperator)
	s.replicated(3)
	s.completed(operator, s.send("all"))

	node := s.containers("nats-2")[0]
	s.docker("kill", node)
	began = time.Now()
	s.completed(operator, s.sendAgain("all"))
	if is := strings.TrimSpace(s.docker("inspect", "--format", "{{.State.Status}}",
		node)); is != "exited" {
		t.Errorf("the node that was killed is %s", is)
	}
	t.Logf("without a node, send all and its last words took %s",
		time.Since(began).Round(time.Millisecond))

	s.mustUp()
	s.healthy("nats", "nats-2", "nats-3")
	s.replicated(3)
	s.completed(operator, s.send("all"))
}

// mustUp runs the script up. The script must print the addresses.
func (s *stack) mustUp() {
	s.t.Helper()
	stdout, stderr, err := s.up()
	if err != nil {
		s.t.Fatalf("up: %v\n%s%s", err, stdout, stderr)
	}
	for _, name := range []string{"INGRESS_PORT", "NATS_PORT"} {
		if !strings.Contains(stdout, fmt.Sprintf("://127.0.0.1:%d", s.ports[name])) {
			s.t.Errorf("up does not say that %s is %d:\n%s", name, s.ports[name], stdout)
		}
	}
}

// replicated waits until every stream has the number of replicas, and all of them are current.
func (s *stack) replicated(replicas int) {
	s.t.Helper()
	key, err := natsgo.NkeyOptionFromSeed(demoFile(nats.SeedFile(stream.RoleOperator)))
	if err != nil {
		s.t.Fatal(err)
	}
	conn, err := natsgo.Connect(s.broker(), key, natsgo.RootCAs(demoFile(nats.CAFile)),
		natsgo.RetryOnFailedConnect(true), natsgo.MaxReconnects(-1))
	if err != nil {
		s.t.Fatal(err)
	}
	defer conn.Close()
	js, err := jetstream.New(conn)
	if err != nil {
		s.t.Fatal(err)
	}
	names := []string{"OBJ_" + schema.RecordsBucket}
	for _, stream := range schema.DefaultTopology().Streams {
		names = append(names, stream.Name)
	}
	s.until("every stream is on every node", func(ctx context.Context) error {
		for _, name := range names {
			stream, err := js.Stream(ctx, name)
			if err != nil {
				return err
			}
			info := stream.CachedInfo()
			if info.Config.Replicas != replicas || info.Cluster == nil ||
				info.Cluster.Leader == "" || len(info.Cluster.Replicas) != replicas-1 {
				return fmt.Errorf("%s has %d replicas: %+v", name, info.Config.Replicas,
					info.Cluster)
			}
			for _, peer := range info.Cluster.Replicas {
				if !peer.Current || peer.Offline {
					return fmt.Errorf("%s on %s: %+v", name, peer.Name, *peer)
				}
			}
		}
		return nil
	})
}
