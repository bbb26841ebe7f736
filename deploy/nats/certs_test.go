package nats_test

import (
	"crypto/tls"
	"crypto/x509"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wagewire/wagewire/deploy/nats"
)

const (
	day  = 24 * time.Hour
	year = 365 * day
)

// checkCerts checks that the node's certificate in a directory belongs to its key, that it ends as
// said, and that clients and nodes which trust the CA accept it for the hosts. It returns the CA.
func checkCerts(t *testing.T, dir string, end time.Time, hosts ...string) string {
	t.Helper()
	pair, err := tls.LoadX509KeyPair(filepath.Join(dir, nats.NodeFile),
		filepath.Join(dir, nats.NodeKeyFile))
	must(t, err)
	if !pair.Leaf.NotAfter.Equal(end) {
		t.Errorf("the certificate ends on %s, want %s", pair.Leaf.NotAfter, end)
	}
	ca, err := os.ReadFile(filepath.Join(dir, nats.CAFile))
	must(t, err)
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(ca) {
		t.Fatalf("%s has no certificate", nats.CAFile)
	}
	for _, host := range hosts {
		for _, usage := range []x509.ExtKeyUsage{
			x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth,
		} {
			_, err := pair.Leaf.Verify(x509.VerifyOptions{
				DNSName: host, Roots: pool, KeyUsages: []x509.ExtKeyUsage{usage},
			})
			if err != nil {
				t.Errorf("usage %d: %v", usage, err)
			}
		}
	}
	return string(ca)
}

// composeHosts are the names of the compose files, and of the machine that runs them.
var composeHosts = []string{"nats", "nats-1", "nats-2", "nats-3", "localhost", "127.0.0.1"}

func TestCerts(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new")
	certs := nats.Certs{Hosts: []string{"broker.example", "192.0.2.7"}, ValidFor: 30 * day}
	end, err := certs.Write(dir)
	must(t, err)
	if left := time.Until(end); left > 30*day || left < 29*day {
		t.Errorf("it ends in %s", left)
	}
	first := checkCerts(t, dir, end, slices.Concat(composeHosts, certs.Hosts)...)

	for _, name := range []string{nats.NodeFile, nats.NodeKeyFile} {
		if _, err := certs.Write(dir); err == nil || !strings.Contains(err.Error(), "exists already") {
			t.Errorf("with a %s: error %v", name, err)
		}
		must(t, os.Remove(filepath.Join(dir, name)))
	}
	end, err = nats.Certs{ValidFor: year}.Write(dir)
	must(t, err)
	if checkCerts(t, dir, end, composeHosts...) != first {
		t.Error("a new certificate of the nodes came with a new CA")
	}
}

func TestCertsRefuse(t *testing.T) {
	for name, row := range map[string]struct {
		spoil func(dir string) error
		life  time.Duration
		want  string
	}{
		"a CA without its key": {func(dir string) error {
			return os.Remove(filepath.Join(dir, nats.CAKeyFile))
		}, year, "is there without its key"},
		"a CA that is none": {func(dir string) error {
			return os.WriteFile(filepath.Join(dir, nats.CAFile), []byte("none"), 0o600)
		}, year, "is not in PEM"},
		"a CA that ends before": {func(string) error { return nil }, 11 * year, "choose a shorter life"},
		"a directory that others may enter": {func(dir string) error {
			return os.Chmod(dir, 0o755)
		}, year, "chmod 700"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "certs")
			_, err := nats.Certs{ValidFor: year}.Write(dir)
			must(t, err)
			must(t, os.Remove(filepath.Join(dir, nats.NodeFile)))
			must(t, os.Remove(filepath.Join(dir, nats.NodeKeyFile)))
			must(t, row.spoil(dir))
			_, err = nats.Certs{ValidFor: row.life}.Write(dir)
			if err == nil || !strings.Contains(err.Error(), row.want) {
				t.Errorf("error %v, want %q", err, row.want)
			}
			if _, err := os.Stat(filepath.Join(dir, nats.NodeFile)); err == nil {
				t.Error("it wrote a certificate")
			}
		})
	}
}

func TestTheDemonstrationsCertificateIsOfItsCA(t *testing.T) {
	pair, err := tls.LoadX509KeyPair(filepath.Join(demo, nats.NodeFile),
		filepath.Join(demo, nats.NodeKeyFile))
	must(t, err)
	checkCerts(t, demo, pair.Leaf.NotAfter, composeHosts...)
	if time.Until(pair.Leaf.NotAfter) < 10*year {
		t.Errorf("it ends on %s: make another with wagewire certs --days 10950", pair.Leaf.NotAfter)
	}
}
