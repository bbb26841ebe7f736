package client

// Poisoned is a completion that no delivery helps.
type Poisoned struct {
	// Stream and Sequence are the place of the message.
	Stream   string
	Sequence uint64
	// Raw is the whole message, which may be anything.
	Raw []byte
	// Reason is the kit's own text, or that of an error marked with Poison, and the stack of a
	// handler that panicked.
	Reason string
}
