package stream

// Operator has the questions and commands of an operator: status, scans, dead letters, redrives,
// pauses, provisioning, teams. No process on the line needs an Operator. An Operator can do
// everything that its Conn can.
type Operator struct {
	*Conn
	// OnMove is told of each message that Apply has moved from one stream to another. total is the
	// planned number of messages. Without OnMove, nobody is told.
	OnMove func(moved, total int)
	// Keep is asked by Plan about each setting with more on the broker than the topology wishes:
	// bytes, age, copies. If Keep returns true, the stream keeps the setting, and Plan has no
	// change for the setting. Apply may ask again. Without Keep, Plan changes every such setting.
	Keep func(Kept) bool
}

// NewOperator returns an operator over the connection. The caller still closes the connection.
func NewOperator(c *Conn) *Operator { return &Operator{Conn: c} }
