package process

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"
)

const (
	// HealthcheckArg is the argument of a command to ask the running process for its health.
	HealthcheckArg = "healthcheck"
	// healthcheckFor is longer than readyFor, because a slow process then answers with the reason,
	// and shorter than the time limit of a container's healthcheck.
	healthcheckFor = 4 * time.Second
	// reasonBytesMax limits the reason in an error.
	reasonBytesMax = 4 << 10
)

// Healthcheck asks the process with /readyz at addr on this machine whether it is ready. If not,
// Healthcheck returns an error of one line. setting is the name of the variable or flag with the
// address, for errors about the address.
func Healthcheck(ctx context.Context, setting, addr string) error {
	ctx, cancel := context.WithTimeout(ctx, healthcheckFor)
	defer cancel()
	return askReady(ctx, setting, addr)
}

// askReady is Healthcheck without a time limit.
func askReady(ctx context.Context, setting, addr string) error {
	if addr == "" {
		return fmt.Errorf(
			"%s is not set: set it to where the process serves /readyz, such as :9090", setting)
	}
	url, err := readyURL(addr)
	if err != nil {
		return fmt.Errorf("%s: %w", setting, err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return fmt.Errorf("%s: %w", setting, err)
	}
	// The transport uses no proxy, because the process is on this machine.
	transport := &http.Transport{DisableKeepAlives: true}
	response, err := transport.RoundTrip(request)
	if err != nil {
		return fmt.Errorf("ask %s: %w", request.URL, err)
	}
	defer response.Body.Close()
	if response.StatusCode == http.StatusOK {
		return nil
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, reasonBytesMax))
	if err != nil {
		return fmt.Errorf("read the answer of %s: %w", request.URL, err)
	}
	reason := strings.Join(strings.Fields(string(body)), " ")
	return fmt.Errorf("not ready: %s", cmp.Or(reason, response.Status))
}

// readyURL returns the URL of /readyz for a listener's address.
func readyURL(addr string) (string, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return "", err
	}
	// A listener on the unspecified address of either family listens on 127.0.0.1 too.
	ip, err := netip.ParseAddr(host)
	if host == "" || err == nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return "http://" + net.JoinHostPort(host, port) + "/readyz", nil
}
