package stream

// Operator has the questions and commands of an operator: status, scans, dead letters, redrives,
// pauses, provisioning, teams. No process on the line needs an Operator. An Operator can do
// everything that its Conn can.
type Operator struct {
	*Conn
	// OnMove is told of each message that Apply has moved from one stream to another. total is the
	// planned number of messages. Without OnMove, nobody is told.
	OnMove func(moved, total int)
}

// NewOperator returns an operator over the connection. The caller still closes the connection.
func NewOperator(c *Conn) *Operator { return &Operator{Conn: c} }
