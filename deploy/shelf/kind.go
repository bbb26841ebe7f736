package shelf

import (
	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
)

// Kind is one of the two shelves. T is a message.
type Kind[T any] struct {
	// Stream has the messages.
	Stream string
	// Read reads a message. The number of a message is its sequence on the stream.
	Read   func(stream.Stored) T
	Number func(T) uint64
}

// Letters is the shelf of dead letters.
func Letters() Kind[stream.Letter] {
	return Kind[stream.Letter]{
		Stream: schema.DeadLettersStream,
		Read:   stream.ReadLetter,
		Number: func(l stream.Letter) uint64 { return l.Number },
	}
}

// Quarantine is the shelf of webhooks in quarantine.
func Quarantine() Kind[stream.Unread] {
	return Kind[stream.Unread]{
		Stream: schema.QuarantineStream,
		Read:   stream.ReadUnread,
		Number: func(u stream.Unread) uint64 { return u.Number },
	}
}
