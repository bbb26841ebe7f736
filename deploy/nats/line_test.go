package nats_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/wagewire/wagewire/deploy/fake"
	"github.com/wagewire/wagewire/deploy/sandbox"
	"github.com/wagewire/wagewire/ingress"
	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
	"github.com/wagewire/wagewire/workers"
	"github.com/wagewire/wagewire/workers/api/pace"
	"github.com/wagewire/wagewire/workers/fetch"
)

// paystubsMany is more than fit into a completion of one message.
const paystubsMany = 400

// The whole line, each part with a connection of its own role: every webhook about a person has its
// completion, and a consumer reads the completion. A refusal fails the test.
func TestTheLineRunsOnLeastRights(t *testing.T) {
	t.Parallel()
	b := start(t, quick)
	provision(t, b.connect(t, stream.RoleOperator), schema.DefaultTopology())
	makeDurables(t, b.dial(t, stream.RoleOperator).jetstream(t), demoTeams(t)[0])

	env := map[string]string{}
	for _, p := range schema.Providers() {
		path := filepath.Join(demo, string(p)+".secret")
		text, err := os.ReadFile(path)
		if err != nil || string(text) != fake.Secret(string(p))+"\n" {
			t.Fatalf("%s is not the secret of the fakes: %v", path, err)
		}
		env[p.Variable("URL")] = "http://localhost" // until the fakes listen
		env[p.Variable("RATE_PER_S")] = "100"
		env[p.Variable("SECRETS_FILE")] = path
		env[fetch.SecretVariable(p)] = path
	}
	getenv := func(key string) string { return env[key] }

	config, err := ingress.ConfigFromEnv(getenv)
	must(t, err)
	config.Addr = "127.0.0.1:0"
	config.DrainFor = 0
	receiver, err := ingress.New(config, b.connect(t, stream.RoleIngress), zap.NewNop(),
		prometheus.NewRegistry())
	must(t, err)
	background(t, receiver.Run)

	fakes := fake.New(fake.Config{
		WebhookURL: "http://" + receiver.Addr() + "/webhooks", PageMax: sandbox.PageMax,
		RetryWait: time.Second,
	})
	api := httptest.NewServer(http.Handler(fakes))
	t.Cleanup(func() { fakes.Close(); api.Close() })
	for _, p := range schema.Providers() {
		for name, value := range fake.Environment(string(p), api.URL) {
			env[p.Variable(name)] = value
		}
	}
	// A busy machine may miss a time limit, so the ladders are long and have short steps.
	soon := slices.Repeat([]time.Duration{200 * time.Millisecond}, 1000)
	patient := workers.Config{StopFor: time.Second,
		Ladders: workers.Ladders{Retry: soon, NotReady: soon}}
	for _, r := range schema.WorkerResources() {
		conn := b.connect(t, stream.WorkerRole(r))
		handler, err := fetch.Open(r, workers.Surroundings{
			Getenv: getenv, Registry: prometheus.NewRegistry(), Log: zap.NewNop(),
			Budget: func(p schema.Provider) pace.Store { return conn.Budget(p) },
		})
		must(t, err)
		w := workers.New(r, handler, conn.Conn, patient, zap.NewNop(), prometheus.NewRegistry())
		becomesReady(t, w)
		background(t, w.Run)
	}

	ctx := t.Context()
	consumer := b.dial(t, team)
	reader := b.connect(t, team)
	completions, err := consumer.jetstream(t).Consumer(ctx, schema.CompletionsStream, team)
	must(t, err)
	objects := 0
	awaited := map[string]string{}
	wait := func() {
		for len(awaited) > 0 {
			msg := nextMessage(t, fmt.Sprintf("the completions of %v", awaited), completions)
			var c schema.Completion
			must(t, json.Unmarshal(msg.Data(), &c))
			if !c.Data.Outcome.HasRecords() && !isWordOfProvider(c.Data) {
				t.Errorf("%s: %s", c.ID, c.Data.Outcome)
			}
			if ref := c.Data.RecordsRef; ref != nil {
				if _, err := reader.Records(ctx, *ref); err != nil {
					t.Error(err)
				}
				objects++
			}
			delete(awaited, c.ID)
			must(t, msg.Ack())
		}
	}
	person := fakes.Person(fake.PersonOptions{Paystubs: paystubsMany})
	for _, w := range fakes.Timeline(person) {
		of := schema.Lookup(schema.Provider(w.Provider), w.Type)
		if of.Erases {
			wait() // an event in flight when its account is erased has no completion
		}
		answer, err := fakes.SendWithRetries(ctx, w)
		if err != nil || answer.Status != http.StatusOK {
			t.Fatalf("%s: %d %v", w.Type, answer.Status, err)
		}
		for _, r := range of.Workers {
			e := schema.Event{Provider: of.Provider, ID: w.ID}
			if of.NamesEndUser {
				e.Of = person.AccountID
			}
			awaited[e.CompletionKey(r)] = w.Type
		}
	}
	wait()
	if objects == 0 {
		t.Error("no completion was large: the object store was not used")
	}
	must(t, consumer.Flush())
	if err := consumer.LastError(); err != nil {
		t.Errorf("consumer: %v", err)
	}
}

// isWordOfProvider reports whether the outcome is the provider's own word, which needs no right:
// the account is deleted, or a task of Truv's goes on or has failed.
func isWordOfProvider(d schema.CompletionData) bool {
	isTask := d.Provider == schema.Truv && d.Action == schema.ActionStatusUpdated
	return d.Outcome == schema.Deleted || isTask && (d.Outcome == schema.Pending ||
		d.Error != nil && d.Error.Class == string(schema.ClassProvider))
}
