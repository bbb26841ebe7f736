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
	// HealthcheckArg is the argument that makes a command ask the process beside it whether it is ready, and no more.
	HealthcheckArg = "healthcheck"
	// healthcheckFor is longer than readyFor, so that a process that is late says why, and shorter than a container's limit.
	healthcheckFor = 4 * time.Second
	// answerBytesMax is what is read of the reason.
	answerBytesMax = 4 << 10
)

// Healthcheck asks the process that serves /readyz at addr on this machine, and returns an error of one line until it is
// ready. The setting is where addr is from, which an error of it names. An image without a shell has nothing else to ask with.
func Healthcheck(ctx context.Context, setting, addr string) error {
	if addr == "" {
		return fmt.Errorf("%s is not set: set it to where the process serves /readyz, such as :9090", setting)
	}
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("%s: %w", setting, err)
	}
	// Who listens on no address in particular, of either family, listens on this one.
	if ip, err := netip.ParseAddr(host); host == "" || err == nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	ctx, cancel := context.WithTimeout(ctx, healthcheckFor)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+net.JoinHostPort(host, port)+"/readyz", nil)
	if err != nil {
		return fmt.Errorf("%s: %w", setting, err)
	}
	transport := &http.Transport{DisableKeepAlives: true} // and no proxy: it is this machine
	response, err := transport.RoundTrip(request)
	if err != nil {
		return fmt.Errorf("ask %s: %w", request.URL, err)
	}
	defer response.Body.Close()
	if response.StatusCode == http.StatusOK {
		return nil
	}
	reason, err := io.ReadAll(io.LimitReader(response.Body, answerBytesMax))
	if err != nil {
		return fmt.Errorf("read the answer of %s: %w", request.URL, err)
	}
	return fmt.Errorf("not ready: %s", cmp.Or(strings.Join(strings.Fields(string(reason)), " "), response.Status))
}
