package stream

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
)

// errGivenUp says that the client library has given up the connection. The library does so after an
// error of the broker that it does not know, for example "maximum payload violation".
var errGivenUp = errors.New("nats closed the connection for good, only a new start opens another")

// errNoReason stands for a reason that the client library does not tell.
var errNoReason = errors.New("no reason is known")

// recordLoss keeps the reason why the client library has given up the connection.
func (c *Conn) recordLoss(reason error) {
	c.lossReason = fmt.Errorf("%w: %w", errGivenUp, cmp.Or(reason, errNoReason))
	close(c.lost)
}

// lossError returns the reason for the loss of the connection, nil if the connection is not lost.
func (c *Conn) lossError() error {
	select {
	case <-c.lost:
		return c.lossReason
	default:
		return nil
	}
}

// Lost returns a channel that is closed when the client library has given up the connection. Close
// does not close the channel.
func (c *Conn) Lost() <-chan struct{} { return c.lost }

// AwaitLoss waits until the client library gives up the connection, and returns the reason. Then
// only a new process helps. AwaitLoss returns nil when ctx ends first.
func (c *Conn) AwaitLoss(ctx context.Context) error {
	select {
	case <-c.lost:
		return c.lossReason
	case <-ctx.Done():
		return nil
	}
}

// RunWhileOpen calls run. When the client library gives up the connection, the context of run ends.
// RunWhileOpen then returns the reason for the loss, because an error of run is a consequence.
func (c *Conn) RunWhileOpen(ctx context.Context, run func(context.Context) error) error {
	ctx, stop := context.WithCancel(ctx)
	var watch sync.WaitGroup
	watch.Go(func() {
		if c.AwaitLoss(ctx) != nil {
			stop()
		}
	})
	err := run(ctx)
	stop()
	watch.Wait()
	if err != nil && c.nats.IsClosed() {
		<-c.closed // run may see the end before the client calls our handler with the reason
	}
	if lost := c.lossError(); lost != nil {
		return lost
	}
	return err
}
