package stream

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/zap"

	"github.com/wagewire/wagewire/schema"
)

const (
	reconnectWait   = 250 * time.Millisecond
	reconnectJitter = time.Second
	// pingEvery is the pause between two pings, if Config says nothing. After two pings without an
	// answer the client reconnects. The client's default takes minutes.
	pingEvery = 10 * time.Second
	// writeFor is how long a write may wait until the broker reads. Ingress has more time for a
	// webhook.
	writeFor = 2 * time.Second
	// headerBytesMax is the room that a message of ours leaves for its headers.
	headerBytesMax = 4 << 10
)

// Conn is a connection to the broker, safe for concurrent use. A broken connection is opened again
// without end. In the meantime publishes fail at once. After some errors the client library gives
// up: see AwaitLoss.
type Conn struct {
	nats *nats.Conn
	js   jetstream.JetStream
	// domain is Config.Domain.
	domain string
	// idleFor is Config.IdleFor.
	idleFor time.Duration
	log     *zap.Logger
	// tryFor is Config.TryFor.
	tryFor time.Duration
	// completionAge is how long a completion is kept, nil until the first completion needs it.
	completionAge atomic.Pointer[time.Duration]
	// events knows whether the events stream stores.
	events *trial
	// up says whether the connection is there. The client knows too, but answers no question while
	// it dials.
	up atomic.Bool
	// refused is the error of the last try to connect, nil after a success. The client itself
	// forgets the error.
	refused atomic.Pointer[error]
	// closing is set by Close.
	closing atomic.Bool
	// closed is closed after the last call of a handler.
	closed chan struct{}
	// lost is closed when the client library gives up the connection. lossReason is set before.
	lost       chan struct{}
	lossReason error
}

// Config says where the broker is, and who connects.
type Config struct {
	// URL is a server, or several separated by commas. If empty, nats.DefaultURL.
	URL string `env:"NATS_URL" envDefault:"nats://127.0.0.1:4222" help:"where NATS is"`
	// CredsFile is a .creds file, or a file with the seed of a user's nkey. If empty, no
	// credentials are sent.
	CredsFile string `env:"NATS_CREDS_FILE" help:"a .creds file, or a file with an nkey seed (none)"`
	// CAFile holds the certificates to check the server's certificate against. If empty, the
	// system's are used.
	CAFile string `env:"NATS_CA_FILE" help:"certificates to trust (the system's)"`
	// Domain is the name under which the account of this process reaches JetStream. If empty,
	// JetStream is in the account itself.
	Domain string `env:"NATS_JS_DOMAIN" help:"JetStream domain: wagewire, if the broker has an account for each role (none)"`
	// Dialer opens the network connections, for example through a proxy, or to a server in the same
	// process. If nil, the system's network is used.
	Dialer nats.CustomDialer
	// PingEvery is the pause between two pings. After two pings without an answer the connection
	// is opened again. If 0, 10 s.
	PingEvery time.Duration
	// IdleFor is how long the broker holds the request of a queue without events. A longer time
	// costs fewer messages. A request that gets lost without a break of the connection is noticed
	// after a third of the time. If 0, 30 s.
	IdleFor time.Duration
	// TryFor is how long a try waits for the broker's answer. After an answer that comes too late,
	// a message counts as stored before. If 0, 1.5 s.
	TryFor time.Duration
}

// Connect connects to the broker, and does not wait: if the broker is down or refuses the
// credentials, the connection tries again until success, and logs a refusal. Errors name the
// variable to change.
//
// The files of config are read again at each connect. An nkey alone stays the key of the first
// connect.
//
// The name is the name of the process. RoleOf derives the role from it. The broker's answers go to
// inboxes below _INBOX.<role>, so no other role has a right to read them.
func Connect(config Config, name string, log *zap.Logger) (*Conn, error) {
	files, err := fileOptions(config)
	if err != nil {
		return nil, err
	}
	c := newConn(config, log)
	connected := make(chan struct{})
	options := append(clientOptions(name, config), c.handlers(connected)...)
	options = append(options, files...)
	c.nats, err = nats.Connect(cmp.Or(config.URL, nats.DefaultURL), options...)
	if _, unreadable := errors.AsType[*url.Error](err); unreadable {
		return nil, errors.New("NATS_URL: it is not a URL") // err quotes the URL with its password
	}
	if err != nil {
		return nil, fmt.Errorf("NATS_URL: connect: %w", err)
	}
	c.js, err = newJetStream(c.nats, config.Domain)
	if err != nil {
		c.Close()
		return nil, err
	}
	if c.nats.IsConnected() {
		<-connected // the client may call the handler a little later
	}
	return c, nil
}

// newConn returns a Conn without a connection.
func newConn(config Config, log *zap.Logger) *Conn {
	c := &Conn{
		domain: config.Domain, idleFor: cmp.Or(config.IdleFor, idleFor), log: log,
		tryFor: cmp.Or(config.TryFor, tryFor),
		closed: make(chan struct{}), lost: make(chan struct{}),
	}
	c.events = c.newTrial(schema.EventsStream, trialEvent(schema.Providers()[0]).Subject())
	return c
}

// newJetStream returns the client of JetStream. Errors name the variable to change.
func newJetStream(nc *nats.Conn, domain string) (jetstream.JetStream, error) {
	if domain == "" {
		return jetstream.New(nc)
	}
	if schema.Token(domain) != domain {
		return nil, fmt.Errorf("NATS_JS_DOMAIN: %q is not a name of letters, digits, - and _",
			domain)
	}
	return jetstream.NewWithDomain(nc, domain)
}

// explainDomain adds what to change to the error of a broker that has no JetStream for this client.
// It returns other errors as they are.
func (c *Conn) explainDomain(err error) error {
	isUnknown := errors.Is(err, nats.ErrNoResponders)
	if !isUnknown && !errors.Is(err, jetstream.ErrJetStreamNotEnabledForAccount) {
		return err
	}
	advice := "enable JetStream for the account"
	switch {
	case c.domain != "":
		advice = fmt.Sprintf("these credentials have no JetStream domain %s: check "+
			"NATS_CREDS_FILE, and NATS_JS_DOMAIN (empty, if the broker has no accounts)", c.domain)
	case isUnknown:
		advice = "JetStream is not enabled: start nats-server with --jetstream, " +
			"or with a jetstream block in its configuration"
	}
	if c.domain == "" {
		advice += "; if the broker has an account for each role, set NATS_JS_DOMAIN to " + Domain
	}
	return fmt.Errorf("%w: %s", err, advice)
}

// apiSubject returns the subject of a request to JetStream: rest follows the name of the request.
func (c *Conn) apiSubject(request, rest string) string {
	if c.domain == "" {
		return request + rest
	}
	return DomainSubject(c.domain, request+rest)
}

func clientOptions(name string, config Config) []nats.Option {
	options := []nats.Option{
		nats.Name(name),
		nats.CustomInboxPrefix(inboxes + RoleOf(name)),
		nats.RetryOnFailedConnect(true),
		nats.MaxReconnects(-1),
		nats.ReconnectWait(reconnectWait),
		nats.ReconnectJitter(reconnectJitter, reconnectJitter),
		nats.PingInterval(cmp.Or(config.PingEvery, pingEvery)),
		// By default the client closes the connection for good when the broker refuses the login
		// twice.
		nats.IgnoreAuthErrorAbort(),
		// No buffer: the client would send a publish later, after we reported a failure and tried
		// again.
		nats.ReconnectBufSize(-1),
		// The client looks the host's name up while it dials, within the time limit of a dial.
		nats.SkipHostLookup(),
		// If the broker does not read, a write blocks all other writes: by default for a minute.
		nats.FlusherTimeout(writeFor),
		nats.ReconnectOnFlusherError(),
	}
	if config.Dialer != nil {
		options = append(options, nats.SetCustomDialer(config.Dialer))
	}
	return options
}

// handlers are the functions that the client calls when the connection changes. The first success
// closes connected.
func (c *Conn) handlers(connected chan<- struct{}) []nats.Option {
	return []nats.Option{
		nats.ConnectHandler(func(*nats.Conn) { // called once in the life of a connection
			c.recordSuccess()
			c.log.Info("nats connected")
			close(connected)
		}),
		nats.ReconnectHandler(func(*nats.Conn) {
			c.recordSuccess()
			c.log.Info("nats reconnected")
		}),
		nats.ReconnectErrHandler(func(nc *nats.Conn, err error) {
			isNew := c.refused.Load() == nil
			c.recordFailure(err)
			if isNew && !isLoginRefused(err) {
				servers := zap.Strings("servers", nc.Servers()) // without a password
				c.log.Warn("nats is not reachable", servers, zap.Error(err))
			}
		}),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			c.up.Store(false)
			if err != nil {
				c.recordFailure(err)
				c.log.Warn("nats disconnected", zap.Error(err))
			}
		}),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
			if isLoginRefused(err) { // reported here only after a first success
				c.recordFailure(err)
			} else {
				c.log.Warn("nats error", zap.Error(err))
			}
		}),
		nats.ClosedHandler(func(nc *nats.Conn) { // the last call
			if !c.closing.Load() {
				c.recordLoss(nc.LastError())
			}
			close(c.closed)
		}),
	}
}

// fileOptions reads the files of config once, so a wrong file is an error now. The client would
// read a wrong file again at each connect, and nobody would see the error.
func fileOptions(config Config) ([]nats.Option, error) {
	var options []nats.Option
	for _, file := range []struct {
		variable string
		path     string
		option   func(path string) (nats.Option, error)
	}{
		{"NATS_CREDS_FILE", config.CredsFile, credentials},
		{"NATS_CA_FILE", config.CAFile, certificates},
	} {
		if file.path == "" {
			continue
		}
		option, err := file.option(file.path)
		if err == nil {
			err = checkOption(option)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file.variable, err)
		}
		options = append(options, option)
	}
	return options, nil
}

// credentials reads a user's credentials: a JWT with its seed, or a seed alone.
func credentials(path string) (nats.Option, error) {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return nil, fmt.Errorf("%s is a directory: the file was missing when the container was "+
			"made, and a directory took its place: "+
			"remove the directory, put the file there, and make the container again", path)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("%w: it must be a file that this process may read", err)
	}
	if strings.Contains(string(text), "BEGIN NATS USER JWT") {
		return nats.UserCredentials(path), nil
	}
	option, err := seedOption(path)
	if err != nil {
		return nil, fmt.Errorf("%s is no .creds file, and holds no seed of a user's nkey "+
			"(begins with SU): wagewire nkeys makes seeds: %w", path, err)
	}
	return option, nil
}

func certificates(path string) (nats.Option, error) { return nats.RootCAs(path), nil }

// checkOption reads the file behind an option.
func checkOption(option nats.Option) error {
	var o nats.Options
	if err := option(&o); err != nil {
		return err
	}
	if o.SignatureCB != nil {
		_, err := o.SignatureCB(nil)
		return err
	}
	return nil
}

// isLoginRefused reports whether the broker refused our credentials, or wants credentials and got
// none.
func isLoginRefused(err error) bool {
	return errors.Is(err, nats.ErrAuthorization) ||
		errors.Is(err, nats.ErrAuthExpired) ||
		errors.Is(err, nats.ErrAuthRevoked) ||
		errors.Is(err, nats.ErrAccountAuthExpired)
}

func (c *Conn) recordSuccess() {
	c.refused.Store(nil)
	c.up.Store(true)
}

// recordFailure keeps the error of a try to connect. It logs refused credentials, once: nothing
// else shows why a process never becomes ready, and only another broker configuration or another
// file helps.
func (c *Conn) recordFailure(err error) {
	refused := isLoginRefused(err)
	if refused {
		err = fmt.Errorf("NATS_CREDS_FILE: the broker refuses these credentials, or wants some: %w",
			err)
	}
	last := c.refused.Swap(&err)
	if refused && (last == nil || !isLoginRefused(*last)) {
		c.log.Error("nats refuses the credentials", zap.Error(err))
	}
}

// Close closes the connection. It returns after the last log line. Nobody may use the connection
// any more.
func (c *Conn) Close() {
	c.closing.Store(true)
	c.nats.Close()
	<-c.closed
}

// payloadMax is the largest body of a message, in bytes: the broker's limit without the headers. An
// operator may change the limit at any time.
func (c *Conn) payloadMax() int {
	return max(1, int(c.nats.MaxPayload())-headerBytesMax)
}

// Connected returns nil if the connection is there, and the reason if not. It never waits.
func (c *Conn) Connected() error {
	if err := c.lossError(); err != nil {
		return err
	}
	if c.up.Load() {
		return nil
	}
	if refused := c.refused.Load(); refused != nil {
		return fmt.Errorf("nats is not connected: %w", *refused)
	}
	return errors.New("nats is not connected")
}
