package doctor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/process"
)

const (
	// webhooksPath is where ingress takes webhooks, without the provider.
	webhooksPath = "/webhooks"
	// addressFor limits the request to our address: as long as the most patient provider waits.
	addressFor = 15 * time.Second
	// answerBytesMax is how much of the answer is read, so that the connection can be closed well.
	answerBytesMax = 4 << 10
)

// WebhookURLVariable is the environment variable with our public address for webhooks.
const WebhookURLVariable = "WEBHOOK_URL"

// Variables are the variables that only an operator's command reads, for help texts and tables.
func Variables() []process.Variable {
	return []process.Variable{{
		Name: WebhookURLVariable,
		Help: "public address of ingress for webhooks, without the provider, such as " +
			"https://hooks.example.com/webhooks (none)",
	}}
}

// CheckURL returns an error if the text is no address for webhooks.
func CheckURL(text string) error {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil ||
		u.RawQuery != "" || u.Fragment != "" {
		return errors.New("not an address such as https://hooks.example.com/webhooks")
	}
	return nil
}

// AddressOf is the address for the webhooks of a provider, "" without a public address. The path
// /webhooks may be left out.
func AddressOf(base string, provider schema.Provider) string {
	if base == "" {
		return ""
	}
	base = strings.TrimRight(base, "/")
	if u, err := url.Parse(base); err == nil && u.Path == "" {
		base += webhooksPath
	}
	return base + "/" + string(provider)
}

// checkAddress sends a request without a signature to our address. Ingress refuses it with 401.
func (p Patient) checkAddress(ctx context.Context, provider schema.Provider) Check {
	const name = "address"
	of := string(provider)
	if p.WebhookURL == "" {
		return skipped(name, of, "set WEBHOOK_URL or --webhook-url: our public address")
	}
	address := AddressOf(p.WebhookURL, provider)
	status, err := postUnsigned(ctx, address)
	switch {
	case err != nil:
		return bad(name, of, fmt.Sprintf("%s does not answer: %v", address, err),
			"check the proxy in front of ingress, its certificate, and that ingress runs")
	case status == http.StatusUnauthorized:
		return ok(name, of, address+" refuses what is not signed")
	case status == http.StatusNotFound:
		return bad(name, of, address+" answers 404",
			"the address must end in /webhooks, and ingress must have "+
				provider.Variable("SECRETS_FILE"))
	case status >= 300 && status < 400:
		return bad(name, of, fmt.Sprintf("%s redirects (%d)", address, status),
			"give the address behind the redirect: providers need not follow it")
	case status >= http.StatusInternalServerError:
		return bad(name, of, fmt.Sprintf("%s answers %d", address, status),
			"see that ingress is ready: /readyz, and its log")
	default:
		return bad(name, of, fmt.Sprintf("%s answers %d, not 401", address, status),
			"see that the address is that of ingress")
	}
}

// postUnsigned returns the status of the answer. The error does not repeat the address.
func postUnsigned(ctx context.Context, address string) (status int, err error) {
	ctx, cancel := context.WithTimeout(ctx, addressFor)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, address, strings.NewReader("{}"))
	if err != nil {
		return 0, errors.New("it is no address")
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("User-Agent", "wagewire-doctor")
	transport := newTransport()
	defer transport.CloseIdleConnections()
	resp, err := transport.RoundTrip(r)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	_, _ = io.CopyN(io.Discard, resp.Body, answerBytesMax)
	return resp.StatusCode, nil
}
