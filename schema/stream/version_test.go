package stream_test

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"

	"go.uber.org/zap"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
)

// serverOf speaks as much of the NATS protocol as a client needs to connect, and says its version.
func serverOf(t *testing.T, version string) (url string) {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	must(t, err)
	var clients sync.WaitGroup
	clients.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			clients.Go(func() {
				defer client.Close()
				fmt.Fprintf(client, "INFO {\"version\":%q,\"headers\":true,\"max_payload\":1048576}\r\n",
					version)
				lines := bufio.NewScanner(client)
				for lines.Scan() {
					if strings.HasPrefix(lines.Text(), "PING") {
						fmt.Fprint(client, "PONG\r\n")
					}
				}
			})
		}
	})
	t.Cleanup(func() { _ = listener.Close(); clients.Wait() })
	return "nats://" + listener.Addr().String()
}

func TestAServerThatLosesSchedulesIsRefused(t *testing.T) {
	t.Parallel()
	for version, refused := range map[string]bool{
		"2.11.9": true, "2.14.9": true, "2.15.1": true,
		"2.15.2": false, "2.15.2-RC.1": false, "2.15.10": false, "2.16.0-preview.1": false,
		"3.0.0": false, "dev": false,
	} {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			config := stream.Config{URL: serverOf(t, version)}
			c, err := stream.Connect(config, "wagewire-test", zap.NewNop())
			must(t, err)
			t.Cleanup(c.Close)
			ctx := t.Context()
			if !refused { // the server above has no streams to look at
				if err := c.CheckServer(); err != nil {
					t.Error(err)
				}
				return
			}
			_, plan := operator(c).Plan(ctx, schema.DefaultTopology())
			for what, err := range map[string]error{
				"ingress is ready":   c.Ready(ctx),
				"a worker is ready":  c.Queue(queueOf(schema.Paystubs)).Ready(ctx),
				"provision compares": plan,
			} {
				if !errors.Is(err, stream.ErrOldServer) ||
					!strings.Contains(err.Error(), version) ||
					!strings.Contains(err.Error(), "upgrade it to 2.15.2 or later") {
					t.Errorf("%s: %v", what, err)
				}
			}
		})
	}
}
