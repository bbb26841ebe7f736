//go:build containers

package compose

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/wagewire/wagewire/deploy/fake"
	"github.com/wagewire/wagewire/deploy/nats"
	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
	"github.com/wagewire/wagewire/schema/stream/streamtest"
)

var composeFlag = flag.String("compose", "",
	`"docker compose" or "docker-compose"; empty: the first of them that is there`)

const (
	// askEvery is the pause between two looks at a condition. askFor is how long a look may take: a
	// broker that loses a node may never answer.
	askEvery = 200 * time.Millisecond
	askFor   = 10 * time.Second
	// commandFor is longer than any command takes, on a machine however busy.
	commandFor = 20 * time.Minute
	// linesLogged is how many lines of a container's log a failed test prints.
	linesLogged = "20"
)

// composeCommand returns the command that starts the stacks.
func composeCommand(t *testing.T) []string {
	t.Helper()
	if *composeFlag != "" {
		return strings.Fields(*composeFlag)
	}
	for _, command := range [][]string{{"docker", "compose"}, {"docker-compose"}} {
		if exec.CommandContext(t.Context(), command[0],
			append(command[1:], "version")...).Run() == nil {
			return command
		}
	}
	t.Fatal("there is neither docker compose nor docker-compose")
	return nil
}

// stack is a project of docker compose with its own name and free ports.
type stack struct {
	t           *testing.T
	name        string
	command     []string // docker compose
	arguments   []string // what stands before its own command
	environment []string
	ports       map[string]int
}

// newStack makes a stack without starting it. The end of the test removes everything.
func newStack(t *testing.T, files ...string) *stack {
	t.Helper()
	t.TempDir() // the files of the test go after the stack that has them
	s := &stack{t: t, ports: map[string]int{}}
	known := slices.Collect(maps.Keys(settings(t, ".env.example")))
	for _, pair := range os.Environ() {
		name, _, _ := strings.Cut(pair, "=")
		if !slices.Contains(known, name) && !strings.HasPrefix(name, "COMPOSE_") {
			s.environment = append(s.environment, pair)
		}
	}
	for _, name := range []string{"INGRESS_PORT", "PROVIDERS_PORT", "NATS_PORT", "CONSOLE_PORT"} {
		s.ports[name] = streamtest.FreePort(t)
		s.environment = append(s.environment, fmt.Sprintf("%s=%d", name, s.ports[name]))
	}
	s.name = fmt.Sprintf("wagewire-test-%d", s.ports["INGRESS_PORT"])
	s.arguments = []string{"-p", s.name}
	for _, file := range files {
		s.arguments = append(s.arguments, "-f", file)
	}
	s.command = composeCommand(t)
	if s.command[0] != "docker" { // else up finds the other one
		s.environment = append(s.environment,
			"PATH="+dockerAlone(t)+string(os.PathListSeparator)+os.Getenv("PATH"))
	}
	t.Cleanup(s.remove)
	return s
}

// dockerAlone returns a directory with a docker command that has no compose.
func dockerAlone(t *testing.T) string {
	t.Helper()
	docker, err := exec.LookPath("docker")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	text := fmt.Sprintf("#!/bin/sh\n[ \"$1\" != compose ] || exit 1\nexec %q \"$@\"\n", docker)
	if err := os.WriteFile(filepath.Join(dir, "docker"), []byte(text), 0o700); err != nil {
		t.Fatal(err)
	}
	return dir
}

// remove removes the project. The test fails if docker compose leaves something behind.
func (s *stack) remove() {
	if s.t.Failed() {
		stdout, stderr, _ := s.run("logs", "--no-color", "--tail", linesLogged)
		s.t.Logf("the containers logged:\n%s%s", stdout, stderr)
	}
	all := "COMPOSE_PROFILES=demo,send,wagewire"
	s.environment = append(s.environment, all)
	_, stderr, err := s.run("down", "--volumes", "--remove-orphans", "--timeout", "1")
	if err != nil {
		s.t.Errorf("down: %v\n%s", err, stderr)
	}
	for _, kind := range []struct{ list, remove []string }{
		{[]string{"ps", "--all"}, []string{"rm", "--force", "--volumes"}},
		{[]string{"volume", "ls"}, []string{"volume", "rm"}},
		{[]string{"network", "ls"}, []string{"network", "rm"}},
	} {
		list := append(slices.Clone(kind.list), "--quiet", "--filter",
			"label=com.docker.compose.project="+s.name)
		if left := strings.Fields(s.docker(list...)); len(left) > 0 {
			s.t.Errorf("docker compose down leaves %d of docker %s", len(left),
				strings.Join(kind.list, " "))
			s.docker(append(slices.Clone(kind.remove), left...)...)
		}
	}
}

// execute runs a command at the root of the repository.
func (s *stack) execute(name string, args ...string) (stdout, stderr string, err error) {
	// Also when the test has ended.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(s.t.Context()), commandFor)
	defer cancel()
	command := exec.CommandContext(ctx, name, args...)
	command.Dir, command.Env = repository, s.environment
	var out, errs bytes.Buffer
	command.Stdout, command.Stderr = &out, &errs
	err = command.Run()
	return out.String(), errs.String(), err
}

// run runs docker compose.
func (s *stack) run(args ...string) (stdout, stderr string, err error) {
	command := slices.Concat(s.command, s.arguments, args)
	return s.execute(command[0], command[1:]...)
}

// compose runs docker compose and returns its output. The command must succeed.
func (s *stack) compose(args ...string) string {
	s.t.Helper()
	stdout, stderr, err := s.run(args...)
	if err != nil {
		s.t.Fatalf("docker compose %s: %v\n%s%s", strings.Join(args, " "), err, stdout, stderr)
	}
	return stdout
}

// up runs the script up with variables.
func (s *stack) up(variables ...string) (stdout, stderr string, err error) {
	before := s.environment
	defer func() { s.environment = before }()
	s.environment = slices.Concat(before, variables)
	return s.execute("deploy/compose/up", s.arguments...)
}

// docker runs the command of the engine and returns its output.
func (s *stack) docker(args ...string) string {
	s.t.Helper()
	stdout, stderr, err := s.execute("docker", args...)
	if err != nil {
		s.t.Errorf("docker %s: %v\n%s", strings.Join(args, " "), err, stderr)
	}
	return stdout
}

// logs returns the log of a container.
func (s *stack) logs(container string) string {
	s.t.Helper()
	stdout, stderr, err := s.execute("docker", "logs", container)
	if err != nil {
		s.t.Fatalf("docker logs %s: %v\n%s", container, err, stderr)
	}
	return stdout + stderr
}

// until calls ask until it returns no error, or until the test binary's time is up.
func (s *stack) until(what string, ask func(context.Context) error) {
	s.t.Helper()
	tick := time.NewTicker(askEvery)
	defer tick.Stop()
	late := streamtest.Late(s.t)
	for {
		look, end := context.WithTimeout(s.t.Context(), askFor)
		err := ask(look)
		end()
		if err == nil {
			return
		}
		select {
		case <-tick.C:
		case <-late:
			s.t.Fatalf("the test binary's time is up, and still not: %s: %v", what, err)
		}
	}
}

// containers returns the ids of a service's running containers.
func (s *stack) containers(service string) []string {
	s.t.Helper()
	return strings.Fields(s.compose("ps", "-q", service))
}

// healthy waits until the containers of the services are healthy.
func (s *stack) healthy(services ...string) {
	s.t.Helper()
	s.until("every container is healthy", func(context.Context) error {
		list := s.docker("ps", "--filter", "label=com.docker.compose.project="+s.name, "--format",
			`{{.Label "com.docker.compose.service"}} {{.Status}}`)
		is := map[string]string{}
		for line := range strings.Lines(list) {
			service, status, _ := strings.Cut(strings.TrimSpace(line), " ")
			is[service] = status
		}
		for _, service := range services {
			if !strings.Contains(is[service], "(healthy)") {
				return fmt.Errorf("%s is %q", service, is[service])
			}
		}
		return nil
	})
}

// team is the demonstration's team.
const team = "lending"

// connect connects to the broker from outside, with the demonstration's key of a role.
func (s *stack) connect(role string) *stream.Conn {
	s.t.Helper()
	config := stream.Config{
		URL:       s.broker(),
		CredsFile: demoFile(nats.SeedFile(role)),
		Domain:    stream.Domain,
	}
	if slices.Contains(s.arguments, clusterFile) {
		config.CAFile = demoFile(nats.CAFile)
	}
	conn, err := stream.Connect(config, role, zap.NewNop())
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(conn.Close)
	return conn
}

// broker returns the address of the broker from outside.
func (s *stack) broker() string { return fmt.Sprintf("nats://127.0.0.1:%d", s.ports["NATS_PORT"]) }

// completions returns all stored completions, by id.
func completions(ctx context.Context, conn *stream.Conn) (map[string]schema.Completion, error) {
	all := map[string]schema.Completion{}
	err := stream.NewOperator(conn).Scan(ctx, schema.CompletionsStream,
		stream.Selection{Filters: []string{schema.AllCompletions}}, func(m stream.Stored) error {
			var c schema.Completion
			if err := json.Unmarshal(m.Body, &c); err != nil {
				return err
			}
			id := schema.WithoutAccount(c.ID) // each person has one account
			if _, twice := all[id]; twice {
				return fmt.Errorf("two completions have the id %s", id)
			}
			all[id] = c
			return nil
		})
	return all, err
}

// expected returns the ids of the completions that a webhook must have.
func expected(w fake.Sent) []string {
	e := schema.Event{Provider: schema.Provider(w.Provider), ID: w.ID, Type: w.Type}
	var ids []string
	for _, r := range schema.Lookup(e.Provider, e.Type).Workers {
		ids = append(ids, e.CompletionKey(r))
	}
	return ids
}

// completed waits for the completions of the webhooks, which are about one person, and returns all
// stored completions. The completions of a deleted link are erased.
func (s *stack) completed(conn *stream.Conn, sent []fake.Sent) map[string]schema.Completion {
	s.t.Helper()
	var all map[string]schema.Completion
	s.until("every webhook has its last word", func(ctx context.Context) (err error) {
		if all, err = completions(ctx, conn); err != nil {
			return err
		}
		deleted := slices.ContainsFunc(sent, func(w fake.Sent) bool {
			return w.Type == "link-deleted" && all[expected(w)[0]].Data.Outcome == schema.Deleted
		})
		for _, w := range sent {
			for _, id := range expected(w) {
				if _, has := all[id]; !has && (!deleted || w.Provider != fake.Truv) {
					return fmt.Errorf("%s %s has no completion %s", w.Type, w.ID, id)
				}
			}
		}
		return nil
	})
	return all
}

// send runs the command that a person types. Every webhook must be stored.
func (s *stack) send(what string) []fake.Sent { return s.sent("run", "--rm", "send", what) }

// sendAgain is send while a node is down. It starts no stopped service, and sends a refused webhook
// again.
func (s *stack) sendAgain(what string) []fake.Sent {
	return s.sent("run", "--rm", "--no-deps", "send", what, "--retry")
}

func (s *stack) sent(command ...string) []fake.Sent {
	s.t.Helper()
	var sent []fake.Sent
	for line := range strings.Lines(s.compose(command...)) {
		var w fake.Sent
		if n, err := fmt.Sscan(line, &w.Provider, &w.Type, &w.ID, &w.Status); n != 4 ||
			w.Status != 200 {
			s.t.Fatalf("%s printed %q: %v", strings.Join(command, " "), line, err)
		}
		sent = append(sent, w)
	}
	return sent
}

// late is how far the clock of the fakes in the test is behind. The data of the fakes in the
// containers is then newer than the webhooks, as with real providers.
const late = time.Minute

// fakes starts fake providers in the test process, which send webhooks to the stack, and makes a
// person.
func (s *stack) fakes() (*fake.Providers, *fake.Person) {
	fakes := fake.New(fake.Config{
		WebhookURL: fmt.Sprintf("http://127.0.0.1:%d/webhooks", s.ports["INGRESS_PORT"]),
		Now:        func() time.Time { return time.Now().Add(-late) },
	})
	s.t.Cleanup(fakes.Close)
	return fakes, fakes.Person(fake.PersonOptions{Seed: seed})
}

// seed makes the same person in every process.
const seed = 17

// introduce makes the person in the fakes of the container, which forget every person when they
// end.
func (s *stack) introduce(p *fake.Person) {
	s.t.Helper()
	s.until("the fakes know the person", func(ctx context.Context) error {
		url := fmt.Sprintf("http://127.0.0.1:%d/control/people", s.ports["PROVIDERS_PORT"])
		request, err := http.NewRequestWithContext(ctx, http.MethodPost, url,
			strings.NewReader(fmt.Sprintf(`{"seed": %d}`, seed)))
		if err != nil {
			return err
		}
		request.Close = true
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			return err
		}
		defer response.Body.Close()
		text, err := io.ReadAll(response.Body)
		if err == nil && !bytes.Contains(text, []byte(p.AccountID)) {
			err = fmt.Errorf("answered %d: %s", response.StatusCode, text)
		}
		return err
	})
}

// deliver sends a webhook. The webhook must be stored. If duplicate is true, a copy of it must be
// stored already. Any webhook may be a duplicate: ingress tries again if the broker is slow.
func (s *stack) deliver(fakes *fake.Providers, w fake.Webhook, duplicate bool) fake.Sent {
	s.t.Helper()
	answer, err := fakes.Send(s.t.Context(), w)
	var says struct{ Duplicate *bool }
	if err := errors.Join(err, json.Unmarshal(answer.Body, &says)); err != nil ||
		answer.Status != 200 || says.Duplicate == nil || duplicate && !*says.Duplicate {
		s.t.Fatalf("%s was answered %d %s, want 200 and duplicate %t; %v", w.Type, answer.Status,
			answer.Body, duplicate, err)
	}
	return fake.Sent{Provider: w.Provider, ID: w.ID, Type: w.Type, Account: w.Account,
		Status: answer.Status}
}

// event makes a webhook about the person.
func (s *stack) event(fakes *fake.Providers, p *fake.Person, webhookType string) fake.Webhook {
	s.t.Helper()
	w, err := fakes.Event(p, webhookType, fake.EventOptions{})
	if err != nil {
		s.t.Fatal(err)
	}
	return w
}
