package forward

import (
	"context"
	"net/http"
)

// Dial opens a connection as the requests to a target on this machine do, to the address that a
// host has.
func (t *Target) Dial(ctx context.Context, address string) error {
	conn, err := t.client.Transport.(*http.Transport).DialContext(ctx, "tcp", address)
	if err != nil {
		return err
	}
	return conn.Close()
}

// HasProxy reports whether a request to the target may go to a proxy.
func (t *Target) HasProxy() bool { return t.client.Transport.(*http.Transport).Proxy != nil }

// ErrElsewhere is the error of a connection that would leave this machine.
var ErrElsewhere = errElsewhere
