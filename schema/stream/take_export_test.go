package stream

import (
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/zap"
)

// Over makes a Conn over a connection that the test has opened, and that is never lost.
func Over(t *testing.T, nc *nats.Conn, log *zap.Logger) *Conn {
	t.Helper()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	c := newConn(Config{}, log)
	c.nats = nc
	c.js = js
	c.up.Store(true)
	return c
}
