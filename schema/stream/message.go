package stream

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// message is a message from a queue, as the inbox of a request received it. The client library
// makes a jetstream.Msg only for its own requests, so message settles by itself. Settlements and
// errors are those of the client library.
type message struct {
	conn    *nats.Conn
	msg     *nats.Msg
	settled atomic.Bool
	// hand is the hand with the message, nil before the work.
	hand *hand
}

var _ jetstream.Msg = (*message)(nil)

func (m *message) Data() []byte         { return m.msg.Data }
func (m *message) Headers() nats.Header { return m.msg.Header }
func (m *message) Subject() string      { return m.msg.Subject }
func (m *message) Reply() string        { return m.msg.Reply }

func (m *message) Metadata() (*jetstream.MsgMetadata, error) {
	meta, err := m.msg.Metadata()
	if err != nil {
		return nil, err
	}
	return &jetstream.MsgMetadata{
		Sequence:     jetstream.SequencePair(meta.Sequence),
		NumDelivered: meta.NumDelivered,
		NumPending:   meta.NumPending,
		Timestamp:    meta.Timestamp,
		Stream:       meta.Stream,
		Consumer:     meta.Consumer,
		Domain:       meta.Domain,
	}, nil
}

func (m *message) Ack() error  { return m.settle("+ACK") }
func (m *message) Nak() error  { return m.settle("-NAK") }
func (m *message) Term() error { return m.settle("+TERM") }

func (m *message) NakWithDelay(delay time.Duration) error {
	if delay <= 0 {
		return m.Nak()
	}
	return m.settle(fmt.Sprintf(`-NAK {"delay": %d}`, delay.Nanoseconds()))
}

func (m *message) TermWithReason(reason string) error { return m.settle("+TERM " + reason) }

func (m *message) InProgress() error {
	if m.settled.Load() {
		return jetstream.ErrMsgAlreadyAckd
	}
	return m.conn.Publish(m.msg.Reply, []byte("+WPI"))
}

// DoubleAck asks again until ctx ends if there is no responder. While the broker reads its
// configuration anew, an account has no imports for a moment.
func (m *message) DoubleAck(ctx context.Context) error {
	if m.settled.Load() {
		return jetstream.ErrMsgAlreadyAckd
	}
	_, err := askWhile(ctx, hasNoResponder, func() (*nats.Msg, error) {
		return m.conn.RequestWithContext(ctx, m.msg.Reply, []byte("+ACK"))
	})
	if err == nil {
		m.settled.Store(true)
	}
	return err
}

func hasNoResponder(err error) bool { return errors.Is(err, nats.ErrNoResponders) }

// settle sends a settlement. After an error, the caller may settle again.
func (m *message) settle(how string) error {
	if m.settled.Load() {
		return jetstream.ErrMsgAlreadyAckd
	}
	if err := m.conn.Publish(m.msg.Reply, []byte(how)); err != nil {
		return err
	}
	m.settled.Store(true)
	return nil
}
