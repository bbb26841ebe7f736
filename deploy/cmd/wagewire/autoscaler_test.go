package main

import (
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/wagewire/wagewire/schema/stream/streamtest"
)

// startMonitored starts a broker with a monitoring port and, if account is not empty, with the
// streams in that account.
func startMonitored(t *testing.T, account string) (monitoring string) {
	t.Helper()
	options := server.Options{
		Host: "127.0.0.1", Port: server.RANDOM_PORT,
		HTTPHost: "127.0.0.1", HTTPPort: server.RANDOM_PORT,
		JetStream: true, StoreDir: t.TempDir(), NoLog: true, NoSigs: true,
	}
	if account != "" {
		options.Accounts = []*server.Account{server.NewAccount(account)}
		options.NoAuthUser = "user"
		options.Users = []*server.User{{Username: "user", Account: options.Accounts[0]}}
	}
	s, err := server.NewServer(&options)
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	streamtest.Eventually(t, "nats-server is ready",
		func() bool { return s.ReadyForConnections(time.Second) })
	if account != "" {
		enableJetStream(t, s, account)
		got := wagewire(t, env("NATS_URL", s.ClientURL()), provision("apply", small()...)...)
		if got.code != 0 {
			t.Fatal(got.stderr)
		}
	}
	return "http://" + s.MonitorAddr().String()
}

func enableJetStream(t *testing.T, s *server.Server, account string) {
	t.Helper()
	a, err := s.LookupAccount(account)
	must(t, err)
	must(t, a.EnableJetStream(nil, nil))
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestTheAutoscalerCheckSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	provisioned := startMonitored(t, accountDefault)
	another := startMonitored(t, "PAYROLL")
	empty := startMonitored(t, "")
	secure := httptest.NewTLSServer(http.NotFoundHandler())
	t.Cleanup(secure.Close)
	for _, tc := range []struct {
		name string
		args []string
		code int
		want []string
	}{
		{"every durable is seen", []string{"--monitoring", provisioned}, 0,
			[]string{"in account WAGEWIRE"}},
		{"a wrong account: the right one is named", []string{"--monitoring", another}, 1,
			[]string{`account "WAGEWIRE"`, "set --account to PAYROLL", "nats.account"}},
		{"the right account of another name",
			[]string{"--monitoring", another, "--account", "PAYROLL"}, 0,
			[]string{"in account PAYROLL"}},
		{"a broker without streams", []string{"--monitoring", empty}, 1,
			[]string{"run wagewire provision apply"}},
		{"no monitoring port", []string{"--monitoring", "http://127.0.0.1:1"}, 1,
			[]string{"--monitoring", "nats.monitoring", "http_port"}},
		{"an HTTPS port of an unknown authority", []string{"--monitoring", secure.URL}, 1,
			[]string{"certificate"}},
		{"no URL", []string{"--monitoring", "nats:8222"}, 2, []string{"write a URL"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			got := wagewire(t, env(), provision("autoscaler", tc.args...)...)
			if got.code != tc.code {
				t.Errorf("exit code %d, want %d", got.code, tc.code)
			}
			for _, want := range tc.want {
				if !strings.Contains(got.stdout+got.stderr, want) {
					t.Errorf("the command does not say %q:\n%s%s", want, got.stdout, got.stderr)
				}
			}
			if tc.code == 1 && strings.Count(got.stderr, "\n") != 1 {
				t.Errorf("more than one line:\n%s", got.stderr)
			}
		})
	}
}

func TestTheAutoscalerCheckTrustsTheBrokersAuthority(t *testing.T) {
	t.Parallel()
	secure := httptest.NewTLSServer(http.HandlerFunc(
		func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, everyDurable("")) }))
	t.Cleanup(secure.Close)
	file := filepath.Join(t.TempDir(), "ca.pem")
	certificate := pem.EncodeToMemory(
		&pem.Block{Type: "CERTIFICATE", Bytes: secure.Certificate().Raw})
	must(t, os.WriteFile(file, certificate, 0o600))
	got := wagewire(t, env("NATS_CA_FILE", file), provision("autoscaler", "--monitoring", secure.URL)...)
	if got.code != 0 {
		t.Error(got.stderr)
	}
	must(t, os.WriteFile(file, []byte("no certificate"), 0o600))
	got = wagewire(t, env("NATS_CA_FILE", file), provision("autoscaler", "--monitoring", secure.URL)...)
	if got.code != 1 || !strings.Contains(got.stderr, "NATS_CA_FILE") {
		t.Errorf("a file without a certificate: %d, %s", got.code, got.stderr)
	}
}

// answers is an http.RoundTripper with an answer for each URL without its query.
type answers map[string]string

func (a answers) RoundTrip(r *http.Request) (*http.Response, error) {
	body, ok := a[r.URL.Host+r.URL.Path]
	if !ok {
		return nil, fmt.Errorf("no server at %s", r.URL.Host)
	}
	return &http.Response{
		StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader(body)), Request: r,
	}, nil
}

// everyDurable is the answer to /jsz of a server in a cluster whose durables have the leader. With
// no leader the server is single.
func everyDurable(leader string) string {
	var streams []string
	for _, lane := range watchedLanes() {
		streams = append(streams, fmt.Sprintf(
			`{"name":%q,"consumer_detail":[{"name":%q,"cluster":{"leader":%q}}]}`,
			lane.Stream, lane.Consumer, leader))
	}
	size := 1
	if leader != "" {
		size = 3
	}
	return fmt.Sprintf(`{"meta_cluster":{"cluster_size":%d},"account_details":`+
		`[{"name":"WAGEWIRE","stream_detail":[%s]}]}`, size, strings.Join(streams, ","))
}

func TestTheAutoscalerCheckAsksTheLeadersOfACluster(t *testing.T) {
	t.Parallel()
	names := `{"server_name":"nats-0","cluster":{"urls":["nats-0.nats.x:6222","nats-1.nats.x:6222"]}}`
	advertised := `{"server_name":"nats-0","connect_urls":["10.0.0.1:4222","10.0.0.2:4222"]}`
	for _, tc := range []struct {
		name    string
		answers answers
		want    string
	}{
		{"servers by name", answers{
			"nats:8222/jsz":         everyDurable("nats-1"),
			"nats:8222/varz":        names,
			"nats-0.nats:8222/varz": names,
			"nats-0.nats:8222/jsz":  everyDurable("nats-1"),
			"nats-1.nats:8222/varz": `{"server_name":"nats-1"}`,
			"nats-1.nats:8222/jsz":  everyDurable("nats-1"),
		}, ""},
		{"servers by advertised address", answers{
			"nats:8222/jsz":      everyDurable("nats-1"),
			"nats:8222/varz":     advertised,
			"10.0.0.1:8222/varz": advertised,
			"10.0.0.1:8222/jsz":  everyDurable("nats-1"),
			"10.0.0.2:8222/varz": `{"server_name":"nats-1"}`,
			"10.0.0.2:8222/jsz":  everyDurable("nats-1"),
		}, ""},
		{"the leader's monitoring port is closed", answers{
			"nats:8222/jsz":         everyDurable("nats-1"),
			"nats:8222/varz":        names,
			"nats-0.nats:8222/varz": names,
			"nats-0.nats:8222/jsz":  everyDurable("nats-1"),
		}, "no server at nats-1.nats:8222"},
		{"no server is the leader", answers{
			"nats:8222/jsz":         everyDurable("nats-2"),
			"nats:8222/varz":        names,
			"nats-0.nats:8222/varz": names,
			"nats-0.nats:8222/jsz":  everyDurable("nats-2"),
			"nats-1.nats:8222/varz": `{"server_name":"nats-1"}`,
			"nats-1.nats:8222/jsz":  everyDurable("nats-2"),
		}, "the monitoring port of each server must be open"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			m := monitor{
				client:  &http.Client{Transport: tc.answers},
				base:    &url.URL{Scheme: "http", Host: "nats:8222"},
				account: accountDefault,
			}
			err := checkAutoscaler(t.Context(), io.Discard, m)
			if tc.want == "" && err != nil {
				t.Errorf("error %v", err)
			}
			if tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)) {
				t.Errorf("error %v, want %q", err, tc.want)
			}
		})
	}
}
