package stream_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/zap"

	"github.com/wagewire/wagewire/schema/stream"
	"github.com/wagewire/wagewire/schema/stream/streamtest"
)

func TestConnectToAServerThatIsDownWaitsForIt(t *testing.T) {
	t.Parallel()
	s, err := streamtest.Start(streamtest.Config{Dir: t.TempDir()})
	must(t, err)
	t.Cleanup(s.Stop)
	s.Stop()
	c := s.Connect(t)
	if err := c.Connected(); err == nil {
		t.Error("Connected is nil without a server")
	}
	if err := c.Ready(t.Context()); err == nil {
		t.Error("Ready is nil without a server")
	}
	must(t, s.Restart())
	eventually(t, "connected", func() bool { return c.Connected() == nil })
	must(t, c.Provision(t.Context(), streamtest.Topology()))
	publish(t, c, numbered(0, 1)...)
}

func TestConnectNamesTheVariableToChange(t *testing.T) {
	t.Parallel()
	garbage := filepath.Join(t.TempDir(), "garbage")
	must(t, os.WriteFile(garbage, []byte("garbage"), 0o600))
	for promise, env := range map[string][3]string{
		"credentials that are not there":    {"NATS_CREDS_FILE", garbage + "-", "no such file"},
		"credentials that are none":         {"NATS_CREDS_FILE", garbage, "key pair"},
		"a certificate that is not there":   {"NATS_CA_FILE", garbage + "-", "no such file"},
		"a certificate that is none":        {"NATS_CA_FILE", garbage, "root certificate"},
		"an address that cannot be parsed":  {"NATS_URL", "nats://[", "NATS_URL"},
		"an address with a port that isn't": {"NATS_URL", "nats://127.0.0.1:none", "NATS_URL"},
	} {
		t.Run(promise, func(t *testing.T) {
			c, err := stream.Connect(func(key string) string {
				if key == env[0] {
					return env[1]
				}
				return ""
			}, "test", zap.NewNop())
			if err == nil {
				c.Close()
				t.Fatal("no error")
			}
			if !strings.HasPrefix(err.Error(), env[0]+": ") || !strings.Contains(err.Error(), env[2]) {
				t.Errorf("error %q, want one of %s that says %q", err, env[0], env[2])
			}
		})
	}
}
