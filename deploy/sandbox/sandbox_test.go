package sandbox_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	natsgo "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/goleak"
	"go.uber.org/zap/zaptest"

	"github.com/wagewire/wagewire/deploy/fake"
	"github.com/wagewire/wagewire/deploy/nats"
	"github.com/wagewire/wagewire/deploy/sandbox"
	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
	"github.com/wagewire/wagewire/schema/stream/streamtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func up(t *testing.T, c sandbox.Config) *sandbox.Sandbox {
	t.Helper()
	c.Log = zaptest.NewLogger(t)
	s, err := sandbox.Up(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func closed(t *testing.T, s *sandbox.Sandbox) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
}

// next returns the next completion since the time.
func next(t *testing.T, s *sandbox.Sandbox, since time.Time) schema.Completion {
	t.Helper()
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	late := streamtest.Late(t)
	go func() {
		select {
		case <-late:
			cancel(errors.New("no completion came"))
		case <-ctx.Done():
		}
	}()
	tail, err := stream.NewOperator(s.Conn).Tail(ctx, "", since)
	if err != nil {
		t.Fatal(err)
	}
	defer tail.Close()
	c, err := tail.Next(ctx)
	if err != nil {
		t.Fatal(err, context.Cause(ctx))
	}
	return c
}

func get(t *testing.T, url string) (status int, body string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Close = true
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(text)
}

// event makes a webhook of the type about a new person.
func event(t *testing.T, s *sandbox.Sandbox, webhookType string) fake.Webhook {
	t.Helper()
	person := s.Fake.Person(fake.PersonOptions{})
	w, err := s.Fake.Event(person, webhookType, fake.EventOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// send sends the webhook until ingress stores it.
func send(t *testing.T, s *sandbox.Sandbox, w fake.Webhook) fake.Answer {
	t.Helper()
	answer, err := s.Fake.SendWithRetries(t.Context(), w)
	if err != nil || answer.Status != 200 {
		t.Fatalf("%s: answered %d %s %v", w.Type, answer.Status, answer.Body, err)
	}
	return answer
}

func TestUpIsReady(t *testing.T) {
	s := up(t, sandbox.Config{})
	defer closed(t, s)
	if status, body := get(t, s.AdminURL+"/readyz"); status != 200 {
		t.Errorf("readyz: %d %s", status, body)
	}
	want := slices.Sorted(slices.Values(schema.WorkerResources()))
	if got := s.Resources(); len(got) != 10 || !slices.Equal(got, want) {
		t.Errorf("workers of %v, want those of %v", got, want)
	}
	w := event(t, s, "identity.added")
	send(t, s, w)
	if c := next(t, s, time.Time{}); c.Data.Outcome != schema.Succeeded || c.Data.Event.ID != w.ID {
		t.Errorf("%s of %s", c.Data.Outcome, c.Data.Event.ID)
	}
	// A worker that has stopped has counted its jobs.
	if err := s.StopWorker(schema.Identity); err != nil {
		t.Fatal(err)
	}
	const counted = `wagewire_worker_jobs_total{class="",outcome="succeeded",` +
		`queue="pinwheel_identity",worker="identity"} 1`
	if _, body := get(t, s.AdminURL+"/metrics"); !strings.Contains(body, counted) {
		t.Errorf("the metrics do not count the job:\n%s", body)
	}
}

func TestDirIsKept(t *testing.T) {
	dir := t.TempDir()
	first := up(t, sandbox.Config{Dir: dir})
	w := event(t, first, "income.added")
	send(t, first, w)
	want := next(t, first, time.Time{})
	closed(t, first)

	second := up(t, sandbox.Config{Dir: dir})
	defer closed(t, second)
	if got := next(t, second, time.Time{}); got.ID != want.ID {
		t.Errorf("the first completion is %s, want %s", got.ID, want.ID)
	}
	if answer := send(t, second, w); !strings.Contains(string(answer.Body), `"duplicate":true`) {
		t.Errorf("the same webhook was answered %s", answer.Body)
	}
}

func TestAStartDoesNotUndoWhatAnOperatorEnlarged(t *testing.T) {
	dir := t.TempDir()
	first := up(t, sandbox.Config{Dir: dir})
	enlarged := streamtest.Topology()
	for i := range enlarged.Streams {
		enlarged.Streams[i].MaxBytes *= 2
	}
	must(t, stream.NewOperator(first.Conn).Provision(t.Context(), enlarged))
	closed(t, first)

	second := up(t, sandbox.Config{Dir: dir})
	defer closed(t, second)
	changes, err := stream.NewOperator(second.Conn).Plan(t.Context(), enlarged)
	must(t, err)
	if len(changes) > 0 {
		t.Errorf("the start changed %s", changes[0])
	}
}

// A sandbox has a team from the start. wagewire team adds others while the sandbox runs.
func TestTeamsRead(t *testing.T) {
	dir := t.TempDir()
	s := up(t, sandbox.Config{Dir: dir})
	defer closed(t, s)
	w := event(t, s, "income.added")
	send(t, s, w)
	want := next(t, s, time.Time{}).ID
	readsAs(t, s, "lending", want)

	operator := stream.NewOperator(s.Conn)
	keys := filepath.Join(dir, "keys")
	seed, public, err := nats.NewKey()
	must(t, err)
	must(t, nats.WriteTeamSeed(keys, "aid", seed))
	aid := stream.Team{
		Name: "aid", Durables: []string{"aid"}, Key: public,
		Resources: []schema.Resource{schema.Income},
	}
	changes, err := operator.PlanTeam(t.Context(), aid, stream.Reading{})
	must(t, err)
	must(t, operator.Apply(t.Context(), changes))
	durables, err := operator.Durables(t.Context())
	must(t, err)
	_, err = nats.WriteTeams(keys, stream.TeamsOf(durables))
	must(t, err)
	readsAs(t, s, "aid", want)
}

// readsAs waits until the team reads the completion with its own key.
func readsAs(t *testing.T, s *sandbox.Sandbox, team, want string) {
	t.Helper()
	keys := filepath.Dir(s.OperatorKey)
	key, err := natsgo.NkeyOptionFromSeed(filepath.Join(keys, nats.TeamSeedFile(team)))
	must(t, err)
	var durable jetstream.Consumer
	streamtest.Eventually(t, "the broker knows team "+team, func() bool {
		nc, err := natsgo.Connect(s.NATSURL, key)
		if err != nil {
			return false
		}
		js, err := jetstream.NewWithDomain(nc, stream.Domain)
		must(t, err)
		durable, err = js.Consumer(t.Context(), schema.CompletionsStream, team)
		if err != nil {
			nc.Close()
			return false
		}
		t.Cleanup(nc.Close)
		return true
	})
	m, err := durable.Next()
	must(t, err)
	var c schema.Completion
	must(t, json.Unmarshal(m.Data(), &c))
	if c.ID != want {
		t.Errorf("team %s reads %s, want %s", team, c.ID, want)
	}
	must(t, m.DoubleAck(t.Context()))
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestTemporaryDirGoes(t *testing.T) {
	place := t.TempDir()
	t.Setenv("TMPDIR", place)
	s := up(t, sandbox.Config{AdminPort: -1, ConsolePort: -1})
	if entries, err := os.ReadDir(place); err != nil || len(entries) != 1 {
		t.Fatalf("%v %v", entries, err)
	}
	if s.AdminURL != "" {
		t.Errorf("admin listens at %s", s.AdminURL)
	}
	if s.ConsoleURL != "" || s.ConsoleToken != "" {
		t.Errorf("the console listens at %s", s.ConsoleURL)
	}
	closed(t, s)
	if entries, err := os.ReadDir(place); err != nil || len(entries) != 0 {
		t.Errorf("left: %v %v", entries, err)
	}
}

func TestWorkersStopAndStart(t *testing.T) {
	s := up(t, sandbox.Config{})
	defer closed(t, s)
	for name, err := range map[string]error{
		"stop an unknown worker":          s.StopWorker("payroll"),
		"stop a part that is no worker":   s.StopWorker("ingress"),
		"start an unknown worker":         s.StartWorker("payroll"),
		"start a worker that runs":        s.StartWorker(schema.Link),
		"start a part that is no worker":  s.StartWorker("admin"),
		"start the broker as if a worker": s.StartWorker("nats"),
	} {
		if err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	for range 2 { // a second stop changes nothing
		if err := s.StopWorker(schema.Link); err != nil {
			t.Fatal(err)
		}
	}
	w := event(t, s, "link-connected")
	send(t, s, w)
	if calls := s.Fake.Calls(); calls.Total != 0 {
		t.Errorf("a stopped worker called: %v", calls)
	}
	if err := s.StartWorker(schema.Link); err != nil {
		t.Fatal(err)
	}
	if c := next(t, s, time.Time{}); c.Data.Event.ID != w.ID {
		t.Errorf("completed %s", c.Data.Event.ID)
	}
}

func TestNATSStopsAndStarts(t *testing.T) {
	s := up(t, sandbox.Config{})
	defer closed(t, s)
	s.StopNATS()
	if status, body := get(t, s.AdminURL+"/readyz"); status != 503 {
		t.Errorf("without a broker, readyz: %d %s", status, body)
	}
	if status, body := get(t, s.AdminURL+"/livez"); status != 200 {
		t.Errorf("without a broker, livez: %d %s", status, body)
	}
	if err := s.StartNATS(); err != nil {
		t.Fatal(err)
	}
	streamtest.Eventually(t, "the operator is connected again", func() bool {
		return s.Conn.Connected() == nil
	})
	w := event(t, s, "employment.added")
	send(t, s, w)
	if c := next(t, s, time.Time{}); c.Data.Event.ID != w.ID {
		t.Errorf("completed %s", c.Data.Event.ID)
	}
}

func TestCloseWithoutNATS(t *testing.T) {
	s := up(t, sandbox.Config{})
	s.StopNATS()
	closed(t, s)
}

func TestCannotStart(t *testing.T) {
	taken, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	port := taken.Addr().(*net.TCPAddr).Port
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	inTheWay := t.TempDir()
	if err := os.WriteFile(filepath.Join(inTheWay, "nats"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name   string
		config sandbox.Config
		part   string
	}{
		{"webhooks on a taken port", sandbox.Config{WebhooksPort: port}, sandbox.Webhooks},
		{"NATS on a taken port", sandbox.Config{NATSPort: port}, sandbox.NATS},
		{"providers on a taken port", sandbox.Config{ProvidersPort: port}, sandbox.Providers},
		{"admin on a taken port", sandbox.Config{AdminPort: port}, sandbox.Admin},
		{"the console on a taken port", sandbox.Config{ConsolePort: port}, sandbox.Console},
		{
			"a directory beneath a file",
			sandbox.Config{Dir: filepath.Join(file, "state")}, sandbox.Dir,
		},
		{"a file where the streams go", sandbox.Config{Dir: inTheWay}, sandbox.Dir},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, err := sandbox.Up(t.Context(), tt.config)
			part, ok := errors.AsType[*sandbox.PartError](err)
			if !ok || part.Part != tt.part || s != nil {
				t.Errorf("%v, %v", s, err)
			}
		})
	}
}
