package nats_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nats-io/nats-server/v2/server"
	natsgo "github.com/nats-io/nats.go"

	"github.com/wagewire/wagewire/deploy/nats"
	"github.com/wagewire/wagewire/schema/stream"
	"github.com/wagewire/wagewire/schema/stream/streamtest"
)

func TestClientsOfATLSNode(t *testing.T) {
	node := startNode(t, filepath.Join(copyInstallation(t), "tls.conf"), nil)
	address := node.Addr().String()
	key, err := natsgo.NkeyOptionFromSeed(filepath.Join(demo, nats.SeedFile(stream.RoleOperator)))
	must(t, err)

	t.Run("with the CA, a process works", func(t *testing.T) {
		b := broker{url: "tls://" + address, ca: filepath.Join(demo, nats.CAFile)}
		operator := b.connect(t, stream.RoleOperator)
		provision(t, operator, streamtest.Topology())
	})
	t.Run("without the CA, a client refuses the node", func(t *testing.T) {
		nc, err := natsgo.Connect("tls://"+address, key)
		if unknown, ok := errors.AsType[x509.UnknownAuthorityError](err); !ok {
			nc.Close()
			t.Errorf("error %v, want %T", err, unknown)
		}
	})
	t.Run("a client in plain text is refused", func(t *testing.T) {
		conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", address)
		must(t, err)
		defer conn.Close()
		lines := bufio.NewReader(conn)
		info, err := lines.ReadString('\n')
		must(t, err)
		if !strings.Contains(info, `"tls_required":true`) {
			t.Errorf("the node says %s", info)
		}
		_, err = conn.Write([]byte("CONNECT {}\r\nPING\r\n"))
		must(t, err)
		if rest, _ := io.ReadAll(lines); strings.Contains(string(rest), "PONG") {
			t.Errorf("the node answers %q", rest)
		}
	})
}

// startClusterNode starts a node of the cluster, with routes to other nodes.
func startClusterNode(t *testing.T, name string, to ...*server.Server) *server.Server {
	t.Helper()
	path := filepath.Join(copyInstallation(t), "cluster.conf")
	return startNode(t, path, func(o *server.Options) {
		o.ServerName = name
		o.JetStream = false // a node alone has no leader
		o.Cluster.Host = "127.0.0.1"
		o.Cluster.Port = server.RANDOM_PORT
		o.Routes = nil
		for _, node := range to {
			o.Routes = append(o.Routes, &url.URL{Scheme: "nats", Host: node.ClusterAddr().String()})
		}
	})
}

// dial opens a connection.
type dial = func(ctx context.Context, network, address string) (net.Conn, error)

// greeting returns the first line that a node says to another node.
func greeting(t *testing.T, dial dial, node *server.Server) (string, error) {
	t.Helper()
	conn, err := dial(t.Context(), "tcp", node.ClusterAddr().String())
	if err != nil {
		return "", err
	}
	defer conn.Close()
	if _, err := conn.Write([]byte("PING\r\n")); err != nil {
		return "", err
	}
	return bufio.NewReader(conn).ReadString('\n')
}

func TestOnlyNodesWithACertificateJoin(t *testing.T) {
	first := startClusterNode(t, "nats-1")
	second := startClusterNode(t, "nats-2", first)
	streamtest.Eventually(t, "two nodes find each other", func() bool {
		return first.NumRoutes() > 0 && second.NumRoutes() > 0
	})

	text, err := os.ReadFile(filepath.Join(demo, nats.CAFile))
	must(t, err)
	trust := x509.NewCertPool()
	trust.AppendCertsFromPEM(text)
	own, err := tls.LoadX509KeyPair(filepath.Join(demo, nats.NodeFile),
		filepath.Join(demo, nats.NodeKeyFile))
	must(t, err)
	dir := filepath.Join(t.TempDir(), "other")
	_, err = nats.Certs{ValidFor: day}.Write(dir)
	must(t, err)
	foreign, err := tls.LoadX509KeyPair(filepath.Join(dir, nats.NodeFile),
		filepath.Join(dir, nats.NodeKeyFile))
	must(t, err)
	for name, row := range map[string]struct {
		certificates []tls.Certificate
		joins        bool
	}{
		"a node with the certificate":                    {[]tls.Certificate{own}, true},
		"a node without a certificate":                   {nil, false},
		"a node with a certificate of another authority": {[]tls.Certificate{foreign}, false},
	} {
		t.Run(name, func(t *testing.T) {
			config := &tls.Config{RootCAs: trust, Certificates: row.certificates}
			dialer := tls.Dialer{Config: config}
			said, err := greeting(t, dialer.DialContext, first)
			if joins := strings.HasPrefix(said, "INFO "); joins != row.joins {
				t.Errorf("the node says %q, %v", said, err)
			}
		})
	}
	t.Run("a node in plain text", func(t *testing.T) {
		if said, err := greeting(t, new(net.Dialer).DialContext, first); err == nil {
			t.Errorf("the node says %q", said)
		}
	})
}
