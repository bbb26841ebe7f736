package console

import (
	"net/http"

	"go.uber.org/zap"

	"github.com/wagewire/wagewire/deploy/plain"
)

// audit logs what a person does: one line before an action, and one with its result. The fields
// have no record, no body and no token.
func (c *Console) audit(r *http.Request, p person, action string, fields ...zap.Field) {
	c.auditOf(r.RemoteAddr, p, action, fields...)
}

// auditOf logs what happens for a person after the request, which came from the peer.
func (c *Console) auditOf(peer string, p person, action string, fields ...zap.Field) {
	c.log.Info("console action", append([]zap.Field{
		zap.String("action", action),
		zap.String("person", plain.Text(p.name)),
		zap.String("peer", peer),
	}, fields...)...)
}

// auditRefusal logs that a person, or a stranger, lacks the role that the address needs.
func (c *Console) auditRefusal(r *http.Request, p person, role Role) {
	c.audit(r, p, "refused", zap.String("address", r.Pattern), zap.String("needs", string(role)))
}
