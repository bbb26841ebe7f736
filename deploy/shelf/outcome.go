package shelf

// Result says what happened to a message that was to leave the shelf, or what would happen.
type Result string

// The results.
const (
	// Sent messages are stored as events again.
	Sent Result = "sent"
	// SentBefore messages were stored as events before, and are only deleted.
	SentBefore Result = "sent before"
	// Gone messages had left the shelf: somebody else has sent or discarded them.
	Gone Result = "gone"
	// Discarded messages are deleted for good.
	Discarded Result = "discarded"
	// Kept messages have an obstacle, and stay on the shelf.
	Kept Result = "kept"
)

// Outcome is what happened to a message, or for a preview what would happen.
type Outcome struct {
	Result Result
	// Obstacle is why a message is kept.
	Obstacle string
	// Key is the key of the stored event, and Type its type.
	Key  string
	Type string
	// Redrive is the number of the redrive, 0 for the webhook's own event.
	Redrive int
	// Queue is the queue of a redrive, "" if every queue of its type gets the event.
	Queue string
	// HasRival is true if another body has the id of the webhook. The event is then a redrive.
	HasRival bool
}

// PreviewMax is how many messages a plan or a dry run looks at, one by one.
const PreviewMax = 300

// IsOff reports whether the message is off the shelf now.
func (o Outcome) IsOff() bool { return o.Result != Kept }
