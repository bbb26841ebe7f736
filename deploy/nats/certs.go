package nats

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"time"
)

// Files of certificates, in PEM. tls.conf and cluster.conf name the files of the nodes.
const (
	// CAFile has the certificate that clients and nodes trust: NATS_CA_FILE.
	CAFile = "nats_ca.pem"
	// CAKeyFile has the key that signs the certificates of nodes. No process needs it.
	CAKeyFile = "nats_ca_key.pem"
	// NodeFile has the certificate of every node.
	NodeFile = "nats_node.pem"
	// NodeKeyFile has the key of every node.
	NodeKeyFile = "nats_node_key.pem"
)

const (
	// caYears is the shortest life of a new CA, in years: clients keep its certificate.
	caYears = 10
	// clockSkewMax is how far the clock of a client may be behind the clock of the signer.
	clockSkewMax = time.Hour
)

// nodeHosts are the names and addresses at which clients and nodes reach a node of
// docker-compose.yml or cluster.yml.
var nodeHosts = []string{"nats", "nats-1", "nats-2", "nats-3", "localhost", "127.0.0.1"}

// Certs says which certificates to make.
type Certs struct {
	// Hosts are names and addresses of nodes, besides those of the compose files.
	Hosts []string
	// ValidFor is the life of the nodes' certificate.
	ValidFor time.Duration
}

// Write makes a certificate for the nodes, signed by the CA of the directory. Without a CA, Write
// makes one first. It makes the directory if necessary, and returns the end of the nodes'
// certificate. It returns an error, and writes nothing, if the nodes' files exist already or other
// users may enter the directory.
func (c Certs) Write(dir string) (end time.Time, err error) {
	if err := makePrivate(dir); err != nil {
		return time.Time{}, err
	}
	if path := present(dir, NodeFile, NodeKeyFile); path != "" {
		return time.Time{}, fmt.Errorf("%s exists already, and is not overwritten: "+
			"name another directory, or move the file away for a new one of the same CA", path)
	}
	now := time.Now().Truncate(time.Second) // as in a certificate
	ca, err := openCA(dir)
	if errors.Is(err, fs.ErrNotExist) {
		ca, err = createCA(dir, now, max(c.ValidFor, now.AddDate(caYears, 0, 0).Sub(now)))
	}
	if err != nil {
		return time.Time{}, fmt.Errorf("the CA: %w", err)
	}
	end = now.Add(c.ValidFor)
	if end.After(ca.cert.NotAfter) {
		return time.Time{}, fmt.Errorf("the CA in %s ends on %s, before the new certificate: "+
			"choose a shorter life, or make a new CA in another directory",
			dir, ca.cert.NotAfter.Format(time.DateOnly))
	}
	if err := c.createNode(dir, ca, now); err != nil {
		return time.Time{}, fmt.Errorf("the certificate of the nodes: %w", err)
	}
	return end, nil
}

// authority is a certificate that signs others, with its key.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// openCA reads the CA of a directory. The error is fs.ErrNotExist if the directory has none.
func openCA(dir string) (authority, error) {
	cert, err := readPEM(filepath.Join(dir, CAFile))
	if err != nil {
		return authority{}, err
	}
	key, err := readPEM(filepath.Join(dir, CAKeyFile))
	if errors.Is(err, fs.ErrNotExist) {
		return authority{}, fmt.Errorf("%s is there without its key %s: name another directory",
			filepath.Join(dir, CAFile), CAKeyFile)
	}
	if err != nil {
		return authority{}, err
	}
	var ca authority
	ca.cert, err = x509.ParseCertificate(cert)
	if err != nil {
		return authority{}, fmt.Errorf("%s: %w", CAFile, err)
	}
	ca.key, err = x509.ParseECPrivateKey(key)
	if err != nil {
		return authority{}, fmt.Errorf("%s: %w", CAKeyFile, err)
	}
	return ca, nil
}

// readPEM returns the content of a file with one PEM block.
func readPEM(path string) ([]byte, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, fmt.Errorf("%s is not in PEM", path)
	}
	return block.Bytes, nil
}

func createCA(dir string, now time.Time, validFor time.Duration) (authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return authority{}, err
	}
	template := x509.Certificate{
		Subject:               pkix.Name{CommonName: "Wagewire NATS CA"},
		NotBefore:             now.Add(-clockSkewMax),
		NotAfter:              now.Add(validFor),
		KeyUsage:              x509.KeyUsageCertSign,
		BasicConstraintsValid: true,
		IsCA:                  true,
		MaxPathLenZero:        true,
	}
	ca := authority{cert: &template, key: key}
	der, err := ca.sign(filepath.Join(dir, CAFile), &template, key)
	if err != nil {
		return authority{}, err
	}
	ca.cert, err = x509.ParseCertificate(der)
	if err != nil {
		return authority{}, err
	}
	return ca, createKey(filepath.Join(dir, CAKeyFile), key)
}

// createNode writes a certificate for a node, as a server for clients and as a client of the other
// nodes.
func (c Certs) createNode(dir string, ca authority, now time.Time) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	template := x509.Certificate{
		Subject:     pkix.Name{CommonName: "Wagewire NATS node"},
		NotBefore:   now.Add(-clockSkewMax),
		NotAfter:    now.Add(c.ValidFor),
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	for _, host := range append(nodeHosts, c.Hosts...) {
		if ip := net.ParseIP(host); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
			continue
		}
		template.DNSNames = append(template.DNSNames, host)
	}
	if _, err := ca.sign(filepath.Join(dir, NodeFile), &template, key); err != nil {
		return err
	}
	return createKey(filepath.Join(dir, NodeKeyFile), key)
}

// sign writes a certificate for the key, signed by the CA, to a new file. It returns the
// certificate in DER.
func (ca authority) sign(
	path string, template *x509.Certificate, key *ecdsa.PrivateKey,
) ([]byte, error) {
	der, err := x509.CreateCertificate(rand.Reader, template, ca.cert, key.Public(), ca.key)
	if err != nil {
		return nil, err
	}
	return der, createPEM(path, "CERTIFICATE", der)
}

func createKey(path string, key *ecdsa.PrivateKey) error {
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return err
	}
	return createPEM(path, "EC PRIVATE KEY", der)
}

func createPEM(path, kind string, der []byte) error {
	return create(path, string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})))
}
