package stream

// Operator asks what an operator asks, and does what an operator does: status, scans, dead letters, redrives, pauses,
// provisioning. No process on the line needs an Operator. An Operator can do all that its Conn can.
type Operator struct{ *Conn }

// NewOperator returns an operator over the connection, which stays the caller's to close.
func NewOperator(c *Conn) *Operator { return &Operator{c} }
