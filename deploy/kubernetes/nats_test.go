package kubernetes

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	broker "github.com/nats-io/nats-server/v2/server"
	core "k8s.io/api/core/v1"
)

// natsOptions returns the options of a server with the configuration in a directory. The public
// keys of the demonstration stand for those of an installation.
func natsOptions(t *testing.T, dir, file string) *broker.Options {
	t.Helper()
	t.Setenv("SERVER_NAME", "nats-0")
	t.Setenv("JETSTREAM_KEY", "a-key-for-this-test")
	for _, name := range []string{"keys.conf", "teams.conf"} {
		text, err := os.ReadFile(filepath.Join("..", "compose", "demo", name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	options, err := broker.ProcessConfigFile(filepath.Join(dir, file))
	if err != nil {
		t.Fatal(err)
	}
	return options
}

// trialOptions returns the options of the chart's own NATS.
func trialOptions(t *testing.T, v values) *broker.Options {
	t.Helper()
	dir := t.TempDir()
	for _, c := range of[*core.ConfigMap](render(t, v)) {
		for name, text := range c.Data {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	return natsOptions(t, dir, "kubernetes.conf")
}

func TestTheTrialNATSIsConfiguredAsEveryOther(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"nats.conf", "accounts.conf"} {
		text := []byte(brokerFile(t, name))
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want := natsOptions(t, dir, "nats.conf")
	got := trialOptions(t, with(t, "trial"))
	if got.HTTPHost != "0.0.0.0" || got.HTTPPort != 8222 {
		t.Errorf("the monitoring port is %s:%d, and KEDA cannot reach it", got.HTTPHost, got.HTTPPort)
	}
	if diff := cmp.Diff(settingsOf(want), settingsOf(got)); diff != "" {
		t.Errorf("(-deploy/nats +chart)\n%s", diff)
	}
}

// settingsOf returns the options that matter to the line.
func settingsOf(o *broker.Options) map[string]any {
	accounts := map[string]bool{}
	for _, a := range o.Accounts {
		accounts[a.Name] = true
	}
	keys := map[string]string{}
	for _, k := range o.Nkeys {
		keys[k.Account.Name] = k.Nkey
	}
	return map[string]any{
		"name": o.ServerName, "host": o.Host, "port": o.Port, "payload": o.MaxPayload,
		"store": o.StoreDir, "sync": o.SyncAlways, "file": o.JetStreamMaxStore,
		"memory": o.JetStreamMaxMemory, "key": o.JetStreamKey,
		"lame duck": o.LameDuckDuration, "grace": o.LameDuckGracePeriod,
		"accounts": accounts, "keys": keys, "system": o.SystemAccount,
	}
}

func TestTheTrialNATSEncryptsWithAKeyFromASecret(t *testing.T) {
	o := trialOptions(t, with(t, "overrides"))
	if o.JetStreamKey != "a-key-for-this-test" || o.JetStreamCipher != broker.ChaCha {
		t.Errorf("the cipher is %v", o.JetStreamCipher)
	}
	if want := int64(18 << 30); o.JetStreamMaxStore != want {
		t.Errorf("JetStream may store %d bytes, want %d", o.JetStreamMaxStore, want)
	}
}

// TestTheNATSValuesHaveTheSettingsOfOurBroker reads nats-values.yaml only: the chart of NATS is not
// rendered. The settings are those without which the broker would lose data or let strangers in.
func TestTheNATSValuesHaveTheSettingsOfOurBroker(t *testing.T) {
	v := readYAML(t, "nats-values.yaml")
	at := func(path string) any {
		var value any = v
		for name := range strings.SplitSeq(path, "/") {
			block, ok := value.(values)
			if !ok {
				return nil
			}
			value = block[name]
		}
		return value
	}
	for path, want := range map[string]any{
		"config/cluster/enabled":                              true,
		"config/cluster/replicas":                             3.0,
		"config/jetstream/merge/sync_interval":                "always",
		"config/jetstream/merge/key":                          "<< $JETSTREAM_KEY >>",
		"config/monitor/enabled":                              true,
		"config/merge/$include":                               "../nats-accounts/accounts.conf",
		"config/merge/max_payload":                            "<< 1MB >>",
		"natsBox/enabled":                                     false,
		"podTemplate/merge/spec/automountServiceAccountToken": false,
	} {
		if got := at(path); got != want {
			t.Errorf("%s is %v, want %v", path, got, want)
		}
	}
}

func TestEveryBrokerHasTheVersionOfTheTests(t *testing.T) {
	want := "tag: " + broker.VERSION + "-alpine"
	for _, file := range []string{filepath.Join(chartDir, "values.yaml"), "nats-values.yaml"} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(text), want) {
			t.Errorf("%s does not say %s", file, want)
		}
	}
}
