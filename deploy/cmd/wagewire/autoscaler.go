package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/wagewire/wagewire/deploy/command"
	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/process"
)

const (
	// monitoringFor limits a request to a monitoring port.
	monitoringFor = 5 * time.Second
	// monitoringBytesMax limits the answer. A durable takes about 1 KiB.
	monitoringBytesMax = 64 << 20
	// accountDefault is the account of the streams in deploy/nats/accounts.conf.
	accountDefault = "WAGEWIRE"
	// variableCA is the variable of the broker's clients that the monitoring port shares.
	variableCA = "NATS_CA_FILE"
)

func newAutoscalerCommand(t terminal) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "autoscaler",
		Short: "Check that an autoscaler sees the ready work of every queue",
		Long: `wagewire provision autoscaler asks the monitoring port of the broker what the scaler
nats-jetstream of KEDA asks: how much work each durable of each queue has, ready or in hand. An
autoscaler that asks for a wrong account gets an answer without durables, and then does not
scale with the work. This command says in one line what is wrong.

In a cluster, KEDA asks each server, because only the leader of a durable knows its work. So the
command asks each server too.`,
		Example: `  Check what KEDA will see:
    wagewire provision autoscaler --monitoring http://nats-headless:8222`,
	}
	monitoring := cmd.Flags().String("monitoring", "http://127.0.0.1:8222",
		"`URL` of the broker's monitoring port")
	account := cmd.Flags().String("account", accountDefault,
		"`name` of the broker's account with the streams")
	cmd.Args = command.NoArguments
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		base, err := url.Parse(*monitoring)
		if err != nil || base.Host == "" || base.Scheme != "http" && base.Scheme != "https" {
			return command.UsageError("--monitoring: write a URL, such as http://nats-headless:8222")
		}
		client, err := monitoringClient(t.getenv(variableCA))
		if err != nil {
			return err
		}
		return checkAutoscaler(cmd.Context(), t.stdout, monitor{client, base, *account})
	}
	command.AddEnvironment(cmd, []process.Variable{{Name: variableCA,
		Help: "certificates to trust, if the monitoring port serves HTTPS (the system's)"}})
	return cmd
}

// monitoringClient returns a client for the broker's monitoring ports, without a proxy. The file
// holds the certificates to trust, and "" means those of the system.
func monitoringClient(file string) (*http.Client, error) {
	var config tls.Config
	if file != "" {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", variableCA, err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("%s: %s holds no certificate in PEM", variableCA, file)
		}
	}
	return &http.Client{Transport: &http.Transport{TLSClientConfig: &config}}, nil
}

func checkAutoscaler(ctx context.Context, w io.Writer, m monitor) error {
	durables, err := m.durables(ctx)
	if err != nil {
		return err
	}
	if len(durables) == 0 {
		if err := m.explainNothing(ctx); err != nil {
			return err
		}
	}
	lanes := watchedLanes()
	for _, lane := range lanes {
		if !slices.Contains(durables, durable{lane.Stream, lane.Consumer}) {
			return fmt.Errorf("%s: no server leads the durable %s of stream %s: "+
				"run wagewire provision apply; "+
				"in a cluster, the monitoring port of each server must be open",
				m.base, lane.Consumer, lane.Stream)
		}
	}
	fmt.Fprintf(w, "an autoscaler sees the work of %d queues in account %s: %d durables\n",
		len(schema.Queues()), m.account, len(lanes))
	return nil
}

// watchedLanes are the lanes that an autoscaler reads: the work of each queue, and its closures.
func watchedLanes() []schema.Lane {
	var lanes []schema.Lane
	for _, q := range schema.Queues() {
		lanes = append(lanes, q.Lanes()...)
		if !q.Erases {
			lanes = append(lanes, q.ClosuresLane())
		}
	}
	return lanes
}

// monitor asks the monitoring ports of a broker, as the scaler nats-jetstream of KEDA does
// (kedacore/keda, pkg/scalers/nats_jetstream_scaler.go).
type monitor struct {
	client  *http.Client
	base    *url.URL
	account string
}

// durable is the name of a consumer.
type durable struct{ stream, consumer string }

// jetStreamReport is what /jsz answers.
type jetStreamReport struct {
	Accounts []struct {
		Name    string `json:"name"`
		Streams []struct {
			Name      string `json:"name"`
			Consumers []struct {
				Name    string `json:"name"`
				Cluster *struct {
					Leader string `json:"leader"`
				} `json:"cluster"`
			} `json:"consumer_detail"`
		} `json:"stream_detail"`
	} `json:"account_details"`
	Meta *struct {
		Size int `json:"cluster_size"`
	} `json:"meta_cluster"`
}

// serverReport is what /varz answers.
type serverReport struct {
	Name        string   `json:"server_name"`
	ConnectURLs []string `json:"connect_urls"`
	Cluster     struct {
		URLs []string `json:"urls"`
	} `json:"cluster"`
}

// durables returns the durables whose leader answers.
func (m monitor) durables(ctx context.Context) ([]durable, error) {
	var report jetStreamReport
	if err := m.get(ctx, m.base.Host, "/jsz", m.query(), &report); err != nil {
		return nil, err
	}
	if report.Meta == nil || report.Meta.Size < 2 {
		return durablesOf(report, m.account, ""), nil
	}
	hosts, err := m.hosts(ctx)
	if err != nil {
		return nil, err
	}
	var all []durable
	for _, host := range hosts {
		var server serverReport
		if err := m.get(ctx, host, "/varz", nil, &server); err != nil {
			return nil, err
		}
		var report jetStreamReport
		if err := m.get(ctx, host, "/jsz", m.query(), &report); err != nil {
			return nil, err
		}
		all = append(all, durablesOf(report, m.account, server.Name)...)
	}
	return all, nil
}

func (m monitor) query() url.Values {
	return url.Values{"acc": {m.account}, "consumers": {"true"}, "config": {"true"}}
}

// durablesOf returns the durables of the account that the server leads. A single server has no
// name here, and leads them all.
func durablesOf(report jetStreamReport, account, server string) []durable {
	var led []durable
	for _, a := range report.Accounts {
		if a.Name != account {
			continue
		}
		for _, s := range a.Streams {
			for _, c := range s.Consumers {
				if server == "" || c.Cluster != nil && c.Cluster.Leader == server {
					led = append(led, durable{s.Name, c.Name})
				}
			}
		}
	}
	return led
}

// hosts returns the monitoring ports of all servers of a cluster: the hosts that the servers
// advertise to clients, or else the servers' names under the host of the URL.
func (m monitor) hosts(ctx context.Context) ([]string, error) {
	var server serverReport
	if err := m.get(ctx, m.base.Host, "/varz", nil, &server); err != nil {
		return nil, err
	}
	var hosts []string
	for _, address := range server.ConnectURLs {
		host, _, _ := strings.Cut(address, ":")
		if port := m.base.Port(); port != "" {
			host = net.JoinHostPort(host, port)
		}
		hosts = append(hosts, host)
	}
	if len(hosts) > 0 {
		return hosts, nil
	}
	for _, address := range server.Cluster.URLs {
		name, _, _ := strings.Cut(address, ".")
		hosts = append(hosts, name+"."+m.base.Host)
	}
	return hosts, nil
}

// explainNothing returns why the account has no durable. It returns nil if the account has the
// streams: then only the leaders of the durables do not answer.
func (m monitor) explainNothing(ctx context.Context) error {
	var report jetStreamReport
	query := url.Values{"accounts": {"true"}, "streams": {"true"}}
	if err := m.get(ctx, m.base.Host, "/jsz", query, &report); err != nil {
		return err
	}
	for _, account := range report.Accounts {
		for _, s := range account.Streams {
			if s.Name != schema.EventsStream {
				continue
			}
			if account.Name == m.account {
				return nil
			}
			return fmt.Errorf("%s: the account %q has no durable of ours: "+
				"the streams are in the account %s: set --account to %s "+
				"(in the Helm chart, nats.account)",
				m.base, m.account, account.Name, account.Name)
		}
	}
	return fmt.Errorf("%s: the account %q has no durable of ours, and no account has the stream "+
		"%s: run wagewire provision apply on this broker", m.base, m.account, schema.EventsStream)
}

// get reads the answer of a monitoring port into v.
func (m monitor) get(ctx context.Context, host, path string, query url.Values, v any) error {
	ctx, cancel := context.WithTimeout(ctx, monitoringFor)
	defer cancel()
	at := url.URL{Scheme: m.base.Scheme, Host: host, Path: path, RawQuery: query.Encode()}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, at.String(), http.NoBody)
	if err != nil {
		return err
	}
	response, err := m.client.Do(request)
	if err != nil {
		return fmt.Errorf("ask the monitoring port: %w: KEDA may not reach it either: "+
			"set --monitoring (in the Helm chart, nats.monitoring) to a port that is open to pods "+
			"(http_port in the broker's configuration)", err)
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("ask the monitoring port: %s answered %s: "+
			"--monitoring must be the monitoring port of nats-server", at.Host, response.Status)
	}
	body := io.LimitReader(response.Body, monitoringBytesMax)
	if err := json.NewDecoder(body).Decode(v); err != nil {
		return fmt.Errorf("read the answer of %s: %w: "+
			"--monitoring must be the monitoring port of nats-server", at.Host, err)
	}
	return nil
}
