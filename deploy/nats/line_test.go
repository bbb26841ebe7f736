package nats_test

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/wagewire/wagewire/deploy/fake"
	"github.com/wagewire/wagewire/deploy/sandbox"
	"github.com/wagewire/wagewire/ingress"
	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
	"github.com/wagewire/wagewire/workers"
	"github.com/wagewire/wagewire/workers/fetch"
)

// paystubsMany make a completion too large for one message.
const paystubsMany = 400

// The whole line, each part with a connection of its own role: every webhook of a person's life gets its last word, and a
// consumer reads it. A process that is refused anything fails the test when it disconnects.
func TestTheLineRunsOnLeastRights(t *testing.T) {
	t.Parallel()
	b := start(t, quick)
	must(t, b.connect(t, stream.RoleOperator).Provision(t.Context(), schema.DefaultTopology()))

	env := map[string]string{"PINWHEEL_RATE_PER_S": "100", "TRUV_RATE_PER_S": "100", "TRUV_CLIENT_ID": fake.TruvClientID}
	for _, secret := range []struct{ file, text, signing, calling string }{
		{"pinwheel.secret", fake.Secret(fake.Pinwheel), "PINWHEEL_SECRETS_FILE", "PINWHEEL_API_SECRET_FILE"},
		{"truv.secret", fake.Secret(fake.Truv), "TRUV_SECRETS_FILE", "TRUV_ACCESS_SECRET_FILE"},
	} {
		path := filepath.Join(demo, secret.file)
		if text, err := os.ReadFile(path); err != nil || string(text) != secret.text+"\n" {
			t.Fatalf("%s is not the fakes' secret: %v", path, err)
		}
		env[secret.signing], env[secret.calling] = path, path
	}
	getenv := func(key string) string { return env[key] }

	config, err := ingress.ConfigFromEnv(getenv)
	must(t, err)
	config.Addr, config.DrainFor = "127.0.0.1:0", 0
	receiver, err := ingress.New(config, b.connect(t, stream.RoleIngress), zap.NewNop(), prometheus.NewRegistry())
	must(t, err)
	background(t, receiver.Run)

	fakes := fake.New(fake.Config{
		WebhookURL: "http://" + receiver.Addr() + "/webhooks", PageMax: sandbox.PageMax,
	})
	api := httptest.NewServer(http.Handler(fakes))
	t.Cleanup(func() { fakes.Close(); api.Close() })
	maps.Copy(env, map[string]string{"PINWHEEL_URL": api.URL + "/pinwheel", "TRUV_URL": api.URL + "/truv"})
	handlers, err := fetch.OpenAll(getenv, prometheus.NewRegistry())
	must(t, err)
	// A machine under load misses a time limit here and there: the next try is not 30 s away.
	soon := slices.Repeat([]time.Duration{200 * time.Millisecond}, 20)
	patient := workers.Config{StopFor: time.Second, Ladders: workers.Ladders{Retry: soon, NotReady: soon}}
	for r, handler := range handlers {
		conn := b.connect(t, stream.WorkerRole(r))
		w := workers.New(r, handler, conn.Conn, patient, zap.NewNop(), prometheus.NewRegistry())
		must(t, w.Ready(t.Context()))
		background(t, w.Run)
	}

	ctx, cancel := context.WithTimeout(t.Context(), 3*waitFor)
	defer cancel()
	consumer := b.dial(t, stream.RoleConsumer)
	js := consumer.jetstream(t)
	completions, err := js.CreateOrUpdateConsumer(ctx, schema.CompletionsStream, jetstream.ConsumerConfig{
		Durable: "lending", FilterSubject: schema.AllCompletions, AckPolicy: jetstream.AckExplicitPolicy,
	})
	must(t, err)
	objects := 0
	awaited := map[string]string{}
	wait := func() {
		for len(awaited) > 0 {
			msg, err := completions.Next(jetstream.FetchMaxWait(waitFor))
			if err != nil {
				t.Fatalf("%v; still to come: %v", err, awaited)
			}
			var c schema.Completion
			must(t, json.Unmarshal(msg.Data(), &c))
			if c.Data.Outcome != schema.Succeeded && c.Data.Outcome != schema.Deleted {
				t.Errorf("%s: %s", c.ID, c.Data.Outcome)
			}
			if ref := c.Data.RecordsRef; ref != nil {
				store, err := js.ObjectStore(ctx, ref.Bucket)
				must(t, err)
				if _, err := store.GetBytes(ctx, ref.Name); err != nil {
					t.Errorf("%s: %v", ref.Name, err)
				}
				objects++
			}
			delete(awaited, c.ID)
			must(t, msg.Ack())
		}
	}
	for _, w := range fakes.Timeline(fakes.Person(fake.PersonOptions{Paystubs: paystubsMany})) {
		of := schema.Lookup(schema.Provider(w.Provider), w.Type)
		if of.Action == schema.ActionDeleted {
			wait() // what is in flight when its account is erased has no last word
		}
		answer, err := fakes.SendWithRetries(ctx, w)
		if err != nil || answer.Status != http.StatusOK {
			t.Fatalf("%s: %d %v", w.Type, answer.Status, err)
		}
		for _, r := range of.Workers {
			awaited[schema.Event{Provider: of.Provider, ID: w.ID}.CompletionKey(r)] = w.Type
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
