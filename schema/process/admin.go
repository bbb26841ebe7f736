package process

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

const (
	adminReadFor = 5 * time.Second
	readyFor     = 2 * time.Second
	shutdownFor  = 8 * time.Second
)

// Admin serves /livez, /readyz and /metrics at addr, the value of ADMIN_ADDR, until ctx ends.
// /livez always answers 200. /readyz answers 503 with the reason if ready returns an error. If addr
// is empty, Admin serves nothing and waits for the end of ctx.
func Admin(
	ctx context.Context, addr string,
	ready func(context.Context) error, metrics prometheus.Gatherer,
) error {
	listener, err := ListenAdmin(ctx, addr)
	if err != nil {
		return err
	}
	return ServeAdmin(ctx, listener, ready, metrics)
}

// ListenAdmin opens the listener of Admin, for a process that must know of a wrong address before
// it says that it is there. If addr is empty, the listener is nil.
func ListenAdmin(ctx context.Context, addr string) (net.Listener, error) {
	if addr == "" {
		return nil, nil //nolint:nilnil // as the comment says
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("ADMIN_ADDR: %w", err)
	}
	return listener, nil
}

// ServeAdmin is Admin on a listener of ListenAdmin.
func ServeAdmin(
	ctx context.Context, listener net.Listener,
	ready func(context.Context) error, metrics prometheus.Gatherer,
) error {
	if listener == nil {
		<-ctx.Done()
		return nil
	}
	return Serve(ctx, listener, &http.Server{
		Handler: AdminHandler(ready, metrics), ReadHeaderTimeout: adminReadFor,
	})
}

// AdminHandler returns the handler of Admin.
func AdminHandler(ready func(context.Context) error, metrics prometheus.Gatherer) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, "ok")
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), readyFor)
		defer cancel()
		if err := ready(ctx); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "ok")
	})
	mux.Handle("GET /metrics", promhttp.HandlerFor(metrics, promhttp.HandlerOpts{
		EnableOpenMetrics: true, // only this format has exemplars
	}))
	return mux
}

// Serve serves until ctx ends. Then Serve gives the requests in hand at most 8 s to finish and
// returns nil, or an error if a request did not finish in time.
func Serve(ctx context.Context, listener net.Listener, server *http.Server) error {
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	select {
	case err := <-served:
		return fmt.Errorf("serve %s: %w", listener.Addr(), err)
	case <-ctx.Done():
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownFor)
	defer cancel()
	err := server.Shutdown(last)
	if err != nil {
		_ = server.Close()
	}
	if serveErr := <-served; !errors.Is(serveErr, http.ErrServerClosed) {
		return fmt.Errorf("serve %s: %w", listener.Addr(), serveErr)
	}
	if err != nil {
		return fmt.Errorf("stop serving %s: %w", listener.Addr(), err)
	}
	return nil
}
