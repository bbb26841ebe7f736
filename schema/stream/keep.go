package stream

import (
	"maps"
	"math"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// Setting names a setting of a stream, for Operator.Keep.
type Setting string

// The settings for Operator.Keep.
const (
	SettingBytes    Setting = "max_bytes"
	SettingMessages Setting = "max_msgs"
	SettingAge      Setting = "max_age"
	SettingReplicas Setting = "num_replicas"
)

// Kept is a setting with more on the broker than the topology wishes.
type Kept struct {
	// What is the stream or object store, as in Change, and Name is the name alone.
	What string
	Name string
	// Setting says what Have and Want count: bytes, messages, nanoseconds of age, or copies. A Have
	// of 0 is without a limit. Want is above 0.
	Setting Setting
	Have    int64
	Want    int64
}

// keeper leaves streams as they are where they have more than the topology wishes.
type keeper struct {
	// ask is Operator.Keep. If nil, nothing is kept.
	ask func(Kept) bool
	// copies is the largest number of kept copies. A new stream gets as many, or the loss of a
	// server would end the new stream alone.
	copies int
}

func (o *Operator) newKeeper() *keeper { return &keeper{ask: o.Keep} }

// adjustNew changes the wish for a new stream.
func (k *keeper) adjustNew(want *jetstream.StreamConfig) {
	want.Replicas = max(want.Replicas, k.copies)
}

// roomShare is the filled share up to which a stream gets its first limit of messages.
const roomShare = 0.75

// adjust raises the wish to what the stream has, except where ask returns false. A stream of an
// earlier release has no limit of messages. It gets one if it has no more bytes than wished, and
// would not soon be full at the limit; otherwise ask decides.
func (k *keeper) adjust(
	what, name string, has *jetstream.StreamInfo, want *jetstream.StreamConfig,
) {
	if k.ask == nil {
		return
	}
	have := has.Config
	keeps := func(setting Setting, has, wants int64) bool {
		return withoutLimit(has) > withoutLimit(wants) &&
			k.ask(Kept{what, name, setting, max(has, 0), wants})
	}
	enlarged := keeps(SettingBytes, have.MaxBytes, want.MaxBytes)
	if enlarged {
		want.MaxBytes = have.MaxBytes
	}
	hasRoom := !enlarged && float64(has.State.Msgs) <= roomShare*float64(want.MaxMsgs)
	isFirst := have.MaxMsgs <= 0 && hasRoom
	if !isFirst && keeps(SettingMessages, have.MaxMsgs, want.MaxMsgs) {
		want.MaxMsgs = have.MaxMsgs
	}
	hasAge := ageOf(have)
	if keeps(SettingAge, int64(hasAge), int64(ageOf(*want))) {
		setAge(want, hasAge)
	}
	if keeps(SettingReplicas, int64(have.Replicas), int64(want.Replicas)) {
		want.Replicas = have.Replicas
		k.copies = max(k.copies, have.Replicas)
	}
}

// withoutLimit makes limits comparable: zero or less is more than every limit.
func withoutLimit(limit int64) int64 {
	if limit <= 0 {
		return math.MaxInt64
	}
	return limit
}

// ageOf returns how long the stream keeps a message, 0 for ever. If messages carry a TTL, ageOf
// returns the TTL of new messages.
func ageOf(config jetstream.StreamConfig) time.Duration {
	ttl, err := time.ParseDuration(config.Metadata[metadataTTL])
	if err != nil {
		return config.MaxAge
	}
	return ttl
}

// setAge sets the value of ageOf.
func setAge(config *jetstream.StreamConfig, age time.Duration) {
	if _, carried := config.Metadata[metadataTTL]; carried {
		config.Metadata = maps.Clone(config.Metadata)
		config.Metadata[metadataTTL] = age.String()
		return
	}
	config.MaxAge = age
}
