package ingress

import (
	"cmp"
	"fmt"
	"net"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/wagewire/wagewire/ingress/webhook"
	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/process"
)

// Limits that no installation needs to change.
const (
	// BodyBytesMax is the broker's largest payload, 1 MiB, less headers.
	BodyBytesMax   = 896 << 10
	HeaderBytesMax = 16 << 10
	// RetryAfter is how long a 429 or a 503 asks the sender to wait.
	RetryAfter = 5 * time.Second
	// AnswerFor is the longest wait of a provider for an answer. Truv hangs up after 10 s, Pinwheel
	// after 15 s.
	AnswerFor = 5 * time.Second
)

const (
	// DefaultSignatureAgeMax leaves room for different clocks. Pinwheel repeats a webhook for 15
	// minutes, perhaps with the first signature.
	DefaultSignatureAgeMax = 20 * time.Minute
	// DefaultDrainFor is long enough for a load balancer that asks for readiness every second.
	// docker stop waits 10 s: 8 s remain for the requests in hand.
	DefaultDrainFor = 2 * time.Second
)

// Config is the choices of an installation.
type Config struct {
	// Addr is the listener for webhooks. Without a port, or with port 0, the system chooses the
	// port: see Server.Addr. ConfigFromEnv has the default.
	Addr string `env:"INGRESS_ADDR" envDefault:":8080" help:"listener for webhooks"`
	// Listener takes the connections in the place of Addr, for example a socket that another
	// process has opened. Nil: Addr is opened.
	Listener net.Listener
	// AdminAddr is the listener for /livez, /readyz and /metrics. Empty: nowhere.
	AdminAddr string
	// Providers has the choices for every provider. A provider without a file of secrets is not
	// served; at least one provider must have a file.
	Providers map[schema.Provider]ProviderConfig
	// TrustedProxies are the proxies in front of Addr. Empty: every connection is a sender's own.
	TrustedProxies TrustedProxies `env:"TRUSTED_PROXIES" help:"addresses and CIDR prefixes of the proxies in front of ingress, separated by commas: their X-Forwarded-For and PROXY protocol say whose the requests are (none)"`
	// DrainFor is how long webhooks are still received after readiness has gone. Meanwhile load
	// balancers learn to send elsewhere.
	DrainFor time.Duration
	Limits   Limits
	// Tracing takes the spans. nil: no spans.
	Tracing trace.TracerProvider
}

// ProviderConfig is the choices of an installation for a provider.
type ProviderConfig struct {
	// SecretsFile is the path of a file of secrets, one a line. Empty: the provider is not served.
	SecretsFile string
	// URL is the base URL of the provider's API, as the workers have it. Empty: the provider's own.
	// If a served provider has a real host, the demonstration's secrets are refused.
	URL string
	// SignatureAgeMax is the largest difference between the signed time and our clock, in either
	// direction. A webhook with a larger difference goes to quarantine. 0: no limit. The limit has
	// no effect if the provider signs no time.
	SignatureAgeMax time.Duration
}

// Names of a provider's variables, without the provider.
const (
	secretsFileName     = "SECRETS_FILE"
	urlName             = "URL"
	signatureAgeMaxName = "SIGNATURE_AGE_MAX"
)

// ConfigFromEnv reads ADMIN_ADDR and the variables that Variables lists. With ADMIN_ADDR, DrainFor
// is DefaultDrainFor. Without an admin listener nobody can see that readiness has gone, and
// DrainFor is 0.
func ConfigFromEnv(getenv func(string) string) (Config, error) {
	var c Config
	if err := process.ReadConfig(getenv, &c); err != nil {
		return Config{}, err
	}
	var admin process.Config
	if err := process.ReadConfig(getenv, &admin); err != nil {
		return Config{}, err
	}
	c.AdminAddr = admin.AdminAddr
	if c.AdminAddr != "" {
		c.DrainFor = DefaultDrainFor
	}
	c.Providers = make(map[schema.Provider]ProviderConfig)
	for _, p := range schema.Providers() {
		provider, err := providerFromEnv(p, getenv)
		if err != nil {
			return Config{}, err
		}
		c.Providers[p] = provider
	}
	return c, c.realAPI().CheckBrokerKey(getenv)
}

func providerFromEnv(p schema.Provider, getenv func(string) string) (ProviderConfig, error) {
	var c ProviderConfig
	var err error
	c.SecretsFile, err = process.ReadVariable(getenv, p.Variable(secretsFileName))
	if err != nil {
		return ProviderConfig{}, err
	}
	c.URL, err = process.ReadVariable(getenv, p.Variable(urlName))
	if err != nil {
		return ProviderConfig{}, err
	}
	c.SignatureAgeMax, err = signatureAgeMax(p, getenv)
	return c, err
}

// realAPI returns the setting of the first served provider with a real host, or the zero
// ProviderURL. Beside one real provider no key may be the demonstration's, because with the key of
// another provider anybody could write to the same streams.
func (c Config) realAPI() process.ProviderURL {
	for _, p := range schema.Providers() {
		provider := c.Providers[p]
		url := process.ProviderURL{Variable: p.Variable(urlName), Value: provider.URL}
		if provider.SecretsFile != "" && url.IsReal() {
			return url
		}
	}
	return process.ProviderURL{}
}

// signatureAgeMax reads the largest age of a provider's signatures. It returns 0, no limit, if the
// provider signs no time.
func signatureAgeMax(p schema.Provider, getenv func(string) string) (time.Duration, error) {
	if !webhook.SignsTime(p) {
		return 0, nil
	}
	variable := p.Variable(signatureAgeMaxName)
	text, err := process.ReadVariable(getenv, variable)
	if err != nil {
		return 0, err
	}
	if text == "" {
		return DefaultSignatureAgeMax, nil
	}
	age, err := time.ParseDuration(text)
	if err != nil || age < 0 {
		const wrong = "%s: %q is not a duration such as 20m, or 0 for no limit"
		return 0, fmt.Errorf(wrong, variable, text)
	}
	return age, nil
}

// Variables lists the variables of ingress alone: for the listener and for every provider.
func Variables() []process.Variable {
	variables := process.Variables(Config{})
	for _, p := range schema.Providers() {
		variables = append(variables, process.Variable{
			Name: p.Variable(secretsFileName),
			Help: fmt.Sprintf("file with %s's %s, one a line, each %d bytes or more, "+
				"all of them active; read again when it changes (none)",
				p.Title(), webhook.SecretsName(p), schema.SecretBytesMin),
		}, process.Variable{
			Name: p.Variable(urlName),
			Help: fmt.Sprintf("%s's API, as the workers have it; the demonstration's keys are "+
				"refused unless it is a fake's (the provider's own)", p.Title()),
		})
		if webhook.SignsTime(p) {
			variables = append(variables, process.Variable{
				Name:    p.Variable(signatureAgeMaxName),
				Default: "20m", // DefaultSignatureAgeMax
				Help: fmt.Sprintf("largest age of %s's signatures, in either direction; "+
					"quarantine keeps what is older or newer; 0 turns the check off", p.Title()),
			})
		}
	}
	return variables
}

// Limits are the times and numbers that tests make small. A zero stands for the default. TestLimits
// has the rules between the defaults.
type Limits struct {
	HeaderReadFor time.Duration // 5 s
	ReadFor       time.Duration // 10 s, header and body
	WriteFor      time.Duration // 10 s, from the answer on
	IdleFor       time.Duration // 60 s
	PublishFor    time.Duration // 4 s

	// InFlightMax and InFlightBytesMax limit the verified webhooks in hand.
	InFlightMax      int   // 1,024
	InFlightBytesMax int64 // 64 MiB

	// UnverifiedBytesMax limits the unverified bodies beyond the first BodyFreeBytes of each.
	UnverifiedBytesMax int64 // 32 MiB
	// PeerBytesMax is how many of UnverifiedBytesMax a peer holds before its bodies are the first
	// to be cut off.
	PeerBytesMax int64 // 2 MiB

	// ConnectionsMax limits the open connections.
	ConnectionsMax int // 2,048
	// ClosingMax limits the connections that were cut off and are not cleaned up.
	ClosingMax int // 1,024
}

func (l Limits) orDefaults() Limits {
	return Limits{
		HeaderReadFor:      cmp.Or(l.HeaderReadFor, 5*time.Second),
		ReadFor:            cmp.Or(l.ReadFor, 10*time.Second),
		WriteFor:           cmp.Or(l.WriteFor, 10*time.Second),
		IdleFor:            cmp.Or(l.IdleFor, 60*time.Second),
		PublishFor:         cmp.Or(l.PublishFor, 4*time.Second),
		InFlightMax:        cmp.Or(l.InFlightMax, 1024),
		InFlightBytesMax:   cmp.Or(l.InFlightBytesMax, 64<<20),
		UnverifiedBytesMax: cmp.Or(l.UnverifiedBytesMax, 32<<20),
		PeerBytesMax:       cmp.Or(l.PeerBytesMax, 2<<20),
		ConnectionsMax:     cmp.Or(l.ConnectionsMax, 2048),
		ClosingMax:         cmp.Or(l.ClosingMax, 1024),
	}
}
