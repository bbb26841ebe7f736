package client_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/client"
	"github.com/wagewire/wagewire/schema/stream/streamtest"
)

func TestConnectSaysWhatToChange(t *testing.T) {
	t.Parallel()
	i := serve(t)
	dir := t.TempDir()
	stranger := filepath.Join(dir, "stranger.nk")
	_, err := streamtest.MakeTeamKey(stranger)
	must(t, err)
	noSeed := filepath.Join(dir, "noseed.nk")
	must(t, os.WriteFile(noSeed, []byte("hunter2"), 0o600))
	missing := filepath.Join(dir, "missing")
	for promise, row := range map[string]struct {
		change func(*client.Config)
		want   string
	}{
		"the key of another":   {func(c *client.Config) { c.SeedFile = stranger }, "NATS_SEED_FILE"},
		"a file without a key": {func(c *client.Config) { c.SeedFile = noSeed }, "NATS_SEED_FILE"},
		"no file of a key":     {func(c *client.Config) { c.SeedFile = missing }, "NATS_SEED_FILE"},
		"no certificates":      {func(c *client.Config) { c.CAFile = missing }, "NATS_CA_FILE"},
		"files without any":    {func(c *client.Config) { c.CAFile = noSeed }, "NATS_CA_FILE"},
		"nobody listens":       {func(c *client.Config) { c.URL = "nats://127.0.0.1:1" }, "NATS_URL"},
		"no URL":               {func(c *client.Config) { c.URL = "nats://u:hunter2@:x" }, "NATS_URL"},
		"no domain":            {func(c *client.Config) { c.Domain = "a.b" }, "JetStream domain"},
	} {
		config := i.config
		row.change(&config)
		_, err := client.Connect(t.Context(), config)
		if err == nil || !strings.Contains(err.Error(), row.want) ||
			strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v, want %s", promise, err, row.want)
		}
	}
}

func TestTheEnvironmentSaysWhereTheBrokerIs(t *testing.T) {
	t.Parallel()
	env := map[string]string{
		"NATS_URL": "nats://broker:4222", "NATS_SEED_FILE": "lending.nk", "NATS_CA_FILE": "ca.pem",
		"TEAM": "other",
	}
	got := client.ConfigFromEnv(lending, func(name string) string { return env[name] })
	want := client.Config{
		URL: "nats://broker:4222", Team: lending, SeedFile: "lending.nk", CAFile: "ca.pem",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestTheLastStateOfAnAccountIsOneRequest(t *testing.T) {
	t.Parallel()
	i := serve(t)
	c := i.connect(t)
	for _, id := range []string{"a-1", "an id with spaces", "_", "h_fake"} {
		_, err := c.Account(t.Context(), schema.Pinwheel, id)
		if !errors.Is(err, client.ErrNoAccount) {
			t.Errorf("%q: %v", id, err)
		}
		i.send(t, schema.AccountSubject(schema.Pinwheel, schema.Token(id)),
			`{"data":{"account_id":"`+id+`","status":"linking"}}`)
		i.send(t, schema.AccountSubject(schema.Pinwheel, schema.Token(id)),
			`{"data":{"account_id":"`+id+`","status":"ready"}}`)
		got, err := c.Account(t.Context(), schema.Pinwheel, id)
		must(t, err)
		if got.Data.AccountID != id || got.Data.Status != schema.AccountReady {
			t.Errorf("%q: got %+v", id, got.Data)
		}
		_, err = c.Account(t.Context(), schema.Truv, id)
		if !errors.Is(err, client.ErrNoAccount) {
			t.Errorf("%q of the other provider: %v", id, err)
		}
	}
}
