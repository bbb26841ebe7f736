package stream_test

import (
	"context"
	"errors"
	"testing"

	"github.com/nats-io/nats.go"

	"github.com/wagewire/wagewire/schema/stream"
	"github.com/wagewire/wagewire/schema/stream/streamtest"
)

func TestASettlementWithoutAResponderIsSentAgain(t *testing.T) {
	t.Parallel()
	s := streamtest.Run(t, streamtest.Config{})
	connect := func() *nats.Conn {
		nc, err := nats.Connect(s.URL())
		must(t, err)
		t.Cleanup(nc.Close)
		return nc
	}
	worker := connect()
	settled := make(chan error, 1)
	go func() { settled <- stream.DoubleAck(t.Context(), worker, "acks") }()
	streamtest.Eventually(t, "the worker has heard that there is no responder", func() bool {
		return worker.Stats().InMsgs > 0
	})
	broker := connect()
	_, err := broker.Subscribe("acks", func(m *nats.Msg) { _ = m.Respond(nil) })
	must(t, err)
	must(t, next(t, "the settlement", settled))
}

func TestASettlementWithoutAResponderEndsWithItsTime(t *testing.T) {
	t.Parallel()
	s := streamtest.Run(t, streamtest.Config{})
	worker, err := nats.Connect(s.URL())
	must(t, err)
	t.Cleanup(worker.Close)
	ctx, cancel := context.WithCancel(t.Context())
	settled := make(chan error, 1)
	go func() { settled <- stream.DoubleAck(ctx, worker, "acks") }()
	streamtest.Eventually(t, "the worker has heard that there is no responder", func() bool {
		return worker.Stats().InMsgs > 0
	})
	cancel()
	err = next(t, "the end of the settlement", settled)
	if !errors.Is(err, nats.ErrNoResponders) && !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}
