package stream

import (
	"cmp"
	"context"
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

// Headers of the messages on the streams. Those of an event are CloudEvents 1.0 in binary mode.
const (
	headerSpecVersion = "ce-specversion"
	headerID          = "ce-id"
	headerSource      = "ce-source"
	headerType        = "ce-type"
	headerSubject     = "ce-subject"
	headerTime        = "ce-time"
	headerContentType = "content-type"
	headerTraceParent = "traceparent"
	headerReceivedAt  = "Wagewire-Received-At"
	headerBodySHA256  = "Wagewire-Body-Sha256"
	headerOutcome     = "Wagewire-Outcome"
	headerQueue       = "Wagewire-Queue"
	headerClass       = "Wagewire-Class"
	headerReason      = "Wagewire-Reason"
	headerAttempts    = "Wagewire-Attempts"
	headerSequence    = "Wagewire-Event-Sequence"
	headerFailedAt    = "Wagewire-Failed-At"
	headerRedrive     = "Wagewire-Redrive"

	jsonContentType = "application/json"
	providerURN     = "urn:wagewire:provider:"

	// metadataTTL, in a stream's metadata, is the age that its publishers give each message.
	metadataTTL = "wagewire_message_ttl"
)

// Codes of the broker's answers, as nats-server 2.15 gives them.
const (
	codeWrongLastSequence = 10071
	codeStoreFailed       = 10077
	codeDuplicateInFlight = 10158
	codeConflictInFlight  = 10164
)

// Errors of what the broker refuses. All else is worth another try later.
var (
	// ErrErased: the account has a tombstone, nothing about it is stored any more.
	ErrErased = errors.New("the account is erased")
	// ErrFull: the stream has no room. Nothing was stored.
	ErrFull = schema.ErrFull
	// ErrNoQueue: the queue or its stream is not on the broker.
	ErrNoQueue = errors.New("run: wagewire provision apply")
)

const (
	reconnectWait   = 250 * time.Millisecond
	reconnectJitter = time.Second
	// pingEvery finds a broker that went without a word after two of them; the client's default takes minutes.
	pingEvery = 10 * time.Second
	// writeFor is how long a write may wait for the broker to read, within ingress's budget for an answer.
	writeFor = 2 * time.Second
	// fullShare is how full the events stream may be before ingress is no longer ready.
	fullShare = 0.95
)

// Conn is a connection to the broker, safe for concurrent use. It reconnects for ever; meanwhile publishes fail at once.
type Conn struct {
	nats *nats.Conn
	js   jetstream.JetStream
	log  *zap.Logger
	ttl  atomic.Pointer[time.Duration]
	// up is whether there is a connection. The client itself answers that, and all else, only when it is done dialing.
	up atomic.Bool
	// refused is why the last try to connect came to nothing: the client itself forgets it at once.
	refused atomic.Pointer[error]
	closed  chan struct{}
}

// Config says where the broker is, and who connects.
type Config struct {
	// URL is one server, or several with commas between. Empty: nats.DefaultURL.
	URL string `env:"NATS_URL" envDefault:"nats://127.0.0.1:4222" help:"where NATS is"`
	// CredsFile is a .creds file, or a file with the seed of a user's nkey. Empty: none.
	CredsFile string `env:"NATS_CREDS_FILE" help:"a .creds file, or a file with an nkey seed (none)"`
	// CAFile holds the certificates that the server's is checked against. Empty: the system's.
	CAFile string `env:"NATS_CA_FILE" help:"certificates to trust (the system's)"`
}

// Connect connects to the broker, with the credentials and certificates of c where they are set. It does
// not wait for the broker: one that is down, or that refuses the credentials, is tried until it takes the connection; what it
// refuses is logged. Errors name the variable to change.
//
// NATS_CREDS_FILE is a .creds file, or holds the seed of a user's nkey. Either is read again with every connect, but an nkey
// stays the one that it was at first.
//
// The name is the process's, of which its role is what is behind "wagewire-": see RoleOf. The broker's answers go to inboxes
// below _INBOX.<role>, so that no other role can be given the right to overhear them.
func Connect(config Config, name string, log *zap.Logger) (*Conn, error) {
	server := cmp.Or(config.URL, nats.DefaultURL)
	c := &Conn{log: log, closed: make(chan struct{})}
	first := make(chan struct{})
	options := []nats.Option{
		nats.Name(name),
		nats.CustomInboxPrefix(inboxes + RoleOf(name)),
		nats.RetryOnFailedConnect(true),
		nats.MaxReconnects(-1),
		nats.ReconnectWait(reconnectWait),
		nats.ReconnectJitter(reconnectJitter, reconnectJitter),
		nats.PingInterval(pingEvery),
		// Else the second refused login closes the connection for good.
		nats.IgnoreAuthErrorAbort(),
		// A publish while disconnected fails and is tried again by us: a buffer would send it later, unseen.
		nats.ReconnectBufSize(-1),
		// A dial has a limit, into which the look-up of the host's name then falls.
		nats.SkipHostLookup(),
		// A write to a broker that went without a word holds up all others: for a minute, by default, and then nothing is done.
		nats.FlusherTimeout(writeFor),
		nats.ReconnectOnFlusherError(),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			c.up.Store(false)
			if err != nil {
				c.refuse(err)
				log.Warn("nats disconnected", zap.Error(err))
			}
		}),
		nats.ReconnectErrHandler(func(_ *nats.Conn, err error) { c.refuse(err) }),
		nats.ReconnectHandler(func(*nats.Conn) { c.accepted(); log.Info("nats reconnected") }),
		// Called once; what comes later are reconnects.
		nats.ConnectHandler(func(*nats.Conn) { c.accepted(); log.Info("nats connected"); close(first) }),
		// The last of all callbacks.
		nats.ClosedHandler(func(*nats.Conn) { close(c.closed) }),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
			if loginRefused(err) { // the client tells of it here once it has been connected
				c.refuse(err)
			} else {
				log.Warn("nats error", zap.Error(err))
			}
		}),
	}
	for _, file := range []struct {
		variable string
		path     string
		option   func(string) (nats.Option, error)
	}{
		{"NATS_CREDS_FILE", config.CredsFile, credentials},
		{"NATS_CA_FILE", config.CAFile, func(path string) (nats.Option, error) { return nats.RootCAs(path), nil }},
	} {
		if file.path == "" {
			continue
		}
		option, err := file.option(file.path)
		if err == nil {
			err = try(option)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file.variable, err)
		}
		options = append(options, option)
	}
	nc, err := nats.Connect(server, options...)
	if _, unreadable := errors.AsType[*url.Error](err); unreadable {
		return nil, errors.New("NATS_URL: it is not a URL") // the error quotes it, password and all
	}
	if err != nil {
		return nil, fmt.Errorf("NATS_URL: connect: %w", err)
	}
	js, err := jetstream.New(nc)
	if err != nil {
		nc.Close()
		return nil, fmt.Errorf("NATS_URL: %w", err)
	}
	c.nats, c.js = nc, js
	if nc.IsConnected() {
		<-first // its handler may come a little later
	}
	return c, nil
}

// credentials are what a file says of who we are: a user's JWT and seed, or the seed alone.
func credentials(path string) (nats.Option, error) {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return nil, fmt.Errorf("%s is a directory: the file was missing when the container was made, and a directory took its place: "+
			"remove that, put the file there, and make the container again", path)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("%w: it must be a file that this process may read", err)
	}
	if strings.Contains(string(text), "BEGIN NATS USER JWT") {
		return nats.UserCredentials(path), nil
	}
	option, err := nats.NkeyOptionFromSeed(path)
	if err != nil {
		return nil, fmt.Errorf("%s holds neither the seed of a user's nkey, which begins with SU, nor is it a .creds file: "+
			"wagewire nkeys makes seeds: %w", path, err)
	}
	return option, nil
}

// loginRefused reports that the broker did not take our credentials, or that we had none.
func loginRefused(err error) bool {
	for _, refusal := range []error{nats.ErrAuthorization, nats.ErrAuthExpired, nats.ErrAuthRevoked, nats.ErrAccountAuthExpired} {
		if errors.Is(err, refusal) {
			return true
		}
	}
	return false
}

func (c *Conn) accepted() {
	c.refused.Store(nil)
	c.up.Store(true)
}

// refuse keeps why a try to connect came to nothing. Refused credentials are logged, once: nothing else says why a process
// is never ready, and only the broker's configuration or a new file mends it.
func (c *Conn) refuse(err error) {
	if loginRefused(err) {
		err = fmt.Errorf("NATS_CREDS_FILE: the broker refuses these credentials, or wants some: %w", err)
	}
	if last := c.refused.Swap(&err); loginRefused(err) && (last == nil || !loginRefused(*last)) {
		c.log.Error("nats refuses the credentials", zap.Error(err))
	}
}

// try reads the file behind an option now: else a wrong one is read again and again, unseen, with every connect.
func try(option nats.Option) error {
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

// Close closes the connection and returns when nothing more is logged. Whoever used it must have stopped.
func (c *Conn) Close() {
	c.nats.Close()
	<-c.closed
}

// Connected reports whether the broker is there right now. It answers at once.
func (c *Conn) Connected() error {
	if c.up.Load() {
		return nil
	}
	if refused := c.refused.Load(); refused != nil {
		return fmt.Errorf("nats is not connected: %w", *refused)
	}
	return errors.New("nats is not connected")
}

// Ready reports an error until an event can be stored: connected, the events stream there and less than 95 % full.
func (c *Conn) Ready(ctx context.Context) error {
	if err := c.Connected(); err != nil {
		return err
	}
	s, err := c.js.Stream(ctx, schema.EventsStream)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return fmt.Errorf("stream %s is not there: %w", schema.EventsStream, ErrNoQueue)
	}
	if err != nil {
		return fmt.Errorf("look up stream %s: %w", schema.EventsStream, err)
	}
	info := s.CachedInfo()
	if limit := info.Config.MaxBytes; limit > 0 && float64(info.State.Bytes) > fullShare*float64(limit) {
		return fmt.Errorf("stream %s: %w: %d of %d bytes", schema.EventsStream, ErrFull, info.State.Bytes, limit)
	}
	return nil
}

// answerOf is the broker's answer for why it refused, nil where the error is no answer of the broker.
func answerOf(err error) *jetstream.APIError {
	answer, _ := errors.AsType[*jetstream.APIError](err)
	return answer
}

// codeOf is the code of that answer, 0 where there is none.
func codeOf(err error) jetstream.ErrorCode {
	if answer := answerOf(err); answer != nil {
		return answer.ErrorCode
	}
	return 0
}

// headerValue and headerText carry any text in a header, as the CloudEvents binding for HTTP and NATS says: what is not
// printable ASCII, a space, a quote or a percent sign is percent-encoded.
func headerValue(text string) string {
	var b strings.Builder
	for i := range len(text) {
		if c := text[i]; c > ' ' && c < 0x7f && c != '"' && c != '%' {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

func headerText(value string) (string, error) { return url.PathUnescape(value) }
