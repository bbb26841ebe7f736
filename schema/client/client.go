package client

import (
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/rawjson"
)

// DefaultDomain is the JetStream domain of every installation of Wagewire.
const DefaultDomain = "wagewire"

const (
	reconnectWait   = 250 * time.Millisecond
	reconnectJitter = time.Second
	// pingEvery is the pause between two pings. After two pings without an answer the client
	// connects again.
	pingEvery = 10 * time.Second
	// answerFor is how long a request waits for the answer of the broker.
	answerFor = 5 * time.Second
	// statusHeader is the header of an answer without a message.
	statusHeader = "Status"
	statusGone   = "404"
	// traceParentHeader is the header of a completion with its trace context.
	traceParentHeader = "traceparent"
)

// ErrNoAccount means that no state of the account is stored: Wagewire has completed nothing of the
// account yet.
var ErrNoAccount = errors.New("the account has no state")

// Config says where the broker is, and who connects.
type Config struct {
	// URL is a server, or several separated by commas. If empty, nats://127.0.0.1:4222.
	URL string
	// Team is the name of the team, and of the durable of a Subscription without a name.
	Team string
	// SeedFile is the file with the seed of the team's key. If empty, no key is sent: the sandbox
	// needs none.
	SeedFile string
	// CAFile has the certificates to check the broker's certificate against. If empty, the system's
	// are used.
	CAFile string
	// Domain is the JetStream domain. If empty, DefaultDomain.
	Domain string
	// Log gets the kit's own lines. No line has a body, a name or an amount, and a line has an id
	// only as the token of a subject. If nil, slog.Default().
	Log *slog.Logger
	// Dialer opens the network connections, for example through a proxy. If nil, the system's
	// network is used.
	Dialer nats.CustomDialer
}

// ConfigFromEnv returns the configuration of a team's program: NATS_URL, NATS_SEED_FILE and
// NATS_CA_FILE by getenv, which is os.Getenv in a main.
func ConfigFromEnv(team string, getenv func(string) string) Config {
	return Config{
		URL: getenv("NATS_URL"), Team: team,
		SeedFile: getenv("NATS_SEED_FILE"), CAFile: getenv("NATS_CA_FILE"),
	}
}

// Client is a connection to the broker, safe for concurrent use. A broken connection is opened
// again without end.
type Client struct {
	nats   *nats.Conn
	js     jetstream.JetStream
	team   string
	domain string
	log    *slog.Logger
	// accounts has the accounts whose completions are with a handler.
	accounts locks
}

// Connect connects to the broker. The error names the variable to change, if the broker is not
// there, refuses the key, or a file cannot be read.
func Connect(ctx context.Context, config Config) (*Client, error) {
	c := &Client{
		team: config.Team, domain: cmp.Or(config.Domain, DefaultDomain),
		log: cmp.Or(config.Log, slog.Default()),
	}
	if schema.Token(c.domain) != c.domain {
		return nil, fmt.Errorf("%q is not the name of a JetStream domain", c.domain)
	}
	options, err := c.options(config)
	if err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	c.nats, err = nats.Connect(cmp.Or(config.URL, nats.DefaultURL), options...)
	if err != nil {
		return nil, explainConnect(err)
	}
	c.js, err = jetstream.NewWithDomain(c.nats, c.domain)
	if err != nil {
		c.nats.Close()
		return nil, err
	}
	return c, nil
}

// Close closes the connection. A Subscribe that still runs ends with an error.
func (c *Client) Close() { c.nats.Close() }

// waitForBroker waits until the connection is there. The error is ctx.Err(), or that the connection
// was closed for good.
func (c *Client) waitForBroker(ctx context.Context) error {
	if c.nats.IsConnected() {
		return nil
	}
	changed := c.nats.StatusChanged(nats.CONNECTED, nats.CLOSED)
	defer c.nats.RemoveStatusListener(changed)
	for !c.nats.IsConnected() { // the connection may be there since before changed
		if c.nats.IsClosed() {
			return nats.ErrConnectionClosed
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

func (c *Client) options(config Config) ([]nats.Option, error) {
	options := []nats.Option{
		nats.Name("wagewire-kit-go " + config.Team),
		nats.MaxReconnects(-1),
		nats.ReconnectWait(reconnectWait),
		nats.ReconnectJitter(reconnectJitter, reconnectJitter),
		nats.PingInterval(pingEvery),
		// By default the client gives up when the broker refuses the key twice, as a broker does
		// while an operator changes its configuration.
		nats.IgnoreAuthErrorAbort(),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			if err != nil {
				c.log.Warn("the broker is away", "error", err)
			}
		}),
		nats.ReconnectHandler(func(*nats.Conn) { c.log.Info("the broker is there again") }),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
			c.log.Warn("the broker reports an error", "error", err)
		}),
	}
	if config.Dialer != nil {
		options = append(options, nats.SetCustomDialer(config.Dialer))
	}
	if config.SeedFile != "" {
		key, err := nats.NkeyOptionFromSeed(config.SeedFile)
		if err != nil {
			return nil, fmt.Errorf("NATS_SEED_FILE: %s holds no seed of a team's key: %w",
				config.SeedFile, err)
		}
		options = append(options, key)
	}
	if config.CAFile != "" {
		text, err := os.ReadFile(config.CAFile)
		if err != nil {
			return nil, fmt.Errorf("NATS_CA_FILE: %w", err)
		}
		if !x509.NewCertPool().AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("NATS_CA_FILE: %s has no certificate in PEM", config.CAFile)
		}
		options = append(options, nats.RootCAs(config.CAFile))
	}
	return options, nil
}

func explainConnect(err error) error {
	if _, unreadable := errors.AsType[*url.Error](err); unreadable {
		return errors.New("NATS_URL is not a URL") // err quotes the URL with its password
	}
	if errors.Is(err, nats.ErrAuthorization) {
		return fmt.Errorf("NATS_SEED_FILE: the broker refuses the key, or wants one: the file "+
			"must have the seed that the operator gave to the team: %w", err)
	}
	return fmt.Errorf("NATS_URL: connect: %w", err)
}

// Account returns the last state of an account: whether its data is complete, and how new each part
// is. accountID is the provider's own id. The error is ErrNoAccount if there is no state.
func (c *Client) Account(
	ctx context.Context, p schema.Provider, accountID string,
) (schema.Account, error) {
	subject := schema.AccountSubject(p, schema.Token(accountID))
	text, err := c.directGet(ctx, schema.AccountsStream, subject)
	if errors.Is(err, errGone) {
		return schema.Account{}, ErrNoAccount
	}
	if err != nil {
		return schema.Account{}, fmt.Errorf("get the state of an account: %w", err)
	}
	if err := rawjson.Check(text, DepthMax); err != nil {
		return schema.Account{}, fmt.Errorf("read the state of an account: %w", err)
	}
	return schema.DecodeAccount(text)
}

// errGone means that a subject has no message.
var errGone = errors.New("no message")

// directGet returns the last message of a subject. The error is errGone if there is none.
func (c *Client) directGet(ctx context.Context, stream, subject string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, answerFor)
	defer cancel()
	request := fmt.Sprintf("$JS.%s.API.DIRECT.GET.%s.%s", c.domain, stream, subject)
	answer, err := c.nats.RequestWithContext(ctx, request, nil)
	if errors.Is(err, nats.ErrNoResponders) {
		return nil, fmt.Errorf("%w: the team has no right to read there: "+
			"ask the operator for the resources of the team", err)
	}
	if err != nil {
		return nil, err
	}
	switch status := answer.Header.Get(statusHeader); status {
	case "":
		return answer.Data, nil
	case statusGone:
		return nil, errGone
	default:
		return nil, fmt.Errorf("the broker answers with status %s", status)
	}
}
