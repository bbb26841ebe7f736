package console

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"testing"
)

// serve serves the console with its own server, and returns the address.
func (b *bench) serve() (server *http.Server, addr string) {
	b.Helper()
	listener, err := new(net.ListenConfig).Listen(b.Context(), "tcp", "127.0.0.1:0")
	b.must(err)
	server = b.Server()
	go func() { _ = server.Serve(listener) }()
	b.Cleanup(func() { _ = server.Close() })
	return server, listener.Addr().String()
}

// A connection that sends a part of its form gets an answer, and does not delay the end of the
// console.
func TestASlowFormIsAnsweredAndEnds(t *testing.T) {
	for promise, request := range map[string]string{
		"a form of a page":              "POST /login",
		"a form that no page asked for": "GET /login",
	} {
		t.Run(promise, func(t *testing.T) {
			t.Parallel()
			b := newBenchWithoutBroker(t, Config{TokensFile: "…"})
			server, addr := b.serve()
			conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", addr)
			b.must(err)
			defer conn.Close()
			_, err = fmt.Fprintf(conn, "%s HTTP/1.1\r\nHost: %s\r\nContent-Length: 100\r\n"+
				"Content-Type: application/x-www-form-urlencoded\r\n\r\ntoken=x", request, addr)
			b.must(err)
			got, err := http.ReadResponse(bufio.NewReader(conn), nil)
			b.must(err)
			defer got.Body.Close()
			if got.StatusCode != http.StatusRequestTimeout || !got.Close {
				t.Errorf("status %d, the connection ends: %t", got.StatusCode, got.Close)
			}
			b.must(server.Shutdown(context.WithoutCancel(t.Context())))
		})
	}
}
