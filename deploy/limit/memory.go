package limit

import "github.com/wagewire/wagewire/schema"

// Memory of a server of NATS, in bytes. Measured with nats-server 2.15.2 by `make bench/commands`,
// with 3,000,000 completions, 1,000,000 events and 100,000 dead letters, a subject for each
// completion: see deploy/README.md.
const (
	// MemoryPerMessage is what a kept message takes: its entries in the indexes of sequences and of
	// subjects, with the ids that the broker remembers, whatever the size of the message.
	MemoryPerMessage = 280
	// MemoryAtRest is what a server takes without messages: connections, consumers, and the parts
	// of streams that were read or written of late.
	MemoryAtRest = 96 << 20
	// MemoryShare is the share of the memory that the messages may take. Go's garbage collector
	// needs the rest.
	MemoryShare = 0.85
)

// Memory is what a server of NATS needs for so many messages in its streams.
func Memory(messages uint64) uint64 { return MemoryAtRest + MemoryPerMessage*messages }

// Fits reports whether a server with so much memory can keep the messages.
func Fits(messages, memory uint64) bool {
	return float64(Memory(messages)) <= MemoryShare*float64(memory)
}

// MessagesMax is how many messages the streams of the topology hold when all of those with a limit
// of messages are full.
func MessagesMax(t schema.Topology) uint64 {
	var sum uint64
	for _, s := range t.AllStreams() {
		sum += uint64(max(s.MaxMessages, 0))
	}
	return sum
}
