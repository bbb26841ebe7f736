package stream

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/wagewire/wagewire/schema"
)

// Change is one difference between what the broker has and what it should have.
type Change struct {
	// What it is about: "stream WAGEWIRE_EVENTS", "queue pinwheel_paystubs".
	What string
	// Create says that it is not there at all. Otherwise Fields lists what differs.
	Create bool
	Fields []Field
	// Refused says why the change is not made, "" where it is safe.
	Refused string

	apply func(context.Context) error
}

// Field is one setting that differs.
type Field struct{ Name, Have, Want string }

// String is the change as `wagewire provision plan` prints it.
func (c Change) String() string {
	var b strings.Builder
	switch {
	case c.Create:
		fmt.Fprintf(&b, "+ %s", c.What)
	case c.Refused != "":
		fmt.Fprintf(&b, "! %s: refused: %s", c.What, c.Refused)
	default:
		fmt.Fprintf(&b, "~ %s", c.What)
	}
	for _, f := range c.Fields {
		if c.Create {
			fmt.Fprintf(&b, "\n    %s: %s", f.Name, f.Want)
		} else {
			fmt.Fprintf(&b, "\n    %s: %s -> %s", f.Name, f.Have, f.Want)
		}
	}
	return b.String()
}

// ErrRefused says that a change would lose data or cannot be made to what is there. Nothing of it was applied.
var ErrRefused = errors.New("refused")

// Plan compares the broker with the topology and returns what differs, in the order in which it would be applied. A cluster
// that is choosing a leader is asked again, until ctx ends.
func (o *Operator) Plan(ctx context.Context, t schema.Topology) ([]Change, error) {
	var changes []Change
	for _, s := range t.Streams {
		change, err := o.planStream(ctx, streamConfig(s, t.Replicas))
		if err != nil {
			return nil, fmt.Errorf("plan stream %s: %w", s.Name, err)
		}
		changes = append(changes, change...)
	}
	change, err := o.planRecords(ctx, t)
	if err != nil {
		return nil, fmt.Errorf("plan object store %s: %w", t.Records.Name, err)
	}
	changes = append(changes, change...)
	for _, q := range t.Queues {
		change, err := o.planQueue(ctx, "queue "+q.Name, schema.EventsStream, queueConfig(q, t.Lease))
		if err != nil {
			return nil, fmt.Errorf("plan queue %s: %w", q.Name, err)
		}
		changes = append(changes, change...)
		change, err = o.planQueue(ctx, "advisories of queue "+q.Name, schema.AdvisoriesStream, advisoriesConfig(q, t.Lease))
		if err != nil {
			return nil, fmt.Errorf("plan the advisories of queue %s: %w", q.Name, err)
		}
		changes = append(changes, change...)
	}
	return changes, nil
}

// Apply makes the changes of a plan. Where one of them is refused, none is made.
func (o *Operator) Apply(ctx context.Context, changes []Change) error {
	for _, change := range changes {
		if change.Refused != "" {
			return fmt.Errorf("%s: %w: %s", change.What, ErrRefused, change.Refused)
		}
	}
	for _, change := range changes {
		if err := change.apply(ctx); err != nil {
			return fmt.Errorf("apply %s: %w", change.What, err)
		}
	}
	return nil
}

// Provision plans and applies: what a process does that owns its broker, such as the sandbox.
func (o *Operator) Provision(ctx context.Context, t schema.Topology) error {
	changes, err := o.Plan(ctx, t)
	if err != nil {
		return err
	}
	return o.Apply(ctx, changes)
}

func streamConfig(s schema.Stream, replicas int) jetstream.StreamConfig {
	config := jetstream.StreamConfig{
		Name: s.Name, Description: s.Why, Subjects: s.Subjects,
		Retention: jetstream.LimitsPolicy, Storage: jetstream.FileStorage, Discard: jetstream.DiscardNew,
		MaxAge: s.MaxAge, MaxBytes: s.MaxBytes, MaxMsgs: -1, MaxMsgsPerSubject: -1, MaxMsgSize: -1, MaxConsumers: -1,
		Duplicates: s.Duplicates, Replicas: replicas, AllowMsgTTL: s.MessageTTL,
	}
	if s.MessageMax > 0 {
		config.MaxMsgSize = s.MessageMax
	}
	if s.CreateOnce {
		config.MaxMsgsPerSubject, config.DiscardNewPerSubject = 1, true
	}
	if s.MessageTTL {
		// The age stands on each message, but the tombstones (doc.go says why). Publishers read it here.
		config.MaxAge, config.Metadata = 0, map[string]string{metadataTTL: s.MaxAge.String()}
	}
	return config
}

func queueConfig(q schema.Queue, lease time.Duration) jetstream.ConsumerConfig {
	return jetstream.ConsumerConfig{
		Name: q.Name, Durable: q.Name, FilterSubjects: q.Subjects,
		AckPolicy: jetstream.AckExplicitPolicy, DeliverPolicy: jetstream.DeliverAllPolicy,
		AckWait: lease, MaxDeliver: schema.DeliveriesMax, MaxAckPending: schema.PendingMax,
	}
}

// advisoriesConfig is what a queue's workers learn from that deliveries ran out. It has no last delivery of its own.
func advisoriesConfig(q schema.Queue, lease time.Duration) jetstream.ConsumerConfig {
	return jetstream.ConsumerConfig{
		Name: q.Name, Durable: q.Name, FilterSubjects: []string{schema.ExhaustedSubject(q.Name)},
		AckPolicy: jetstream.AckExplicitPolicy, DeliverPolicy: jetstream.DeliverAllPolicy,
		AckWait: lease, MaxDeliver: -1, MaxAckPending: schema.PendingMax,
	}
}

func (o *Operator) planStream(ctx context.Context, want jetstream.StreamConfig) ([]Change, error) {
	change := Change{What: "stream " + want.Name}
	s, err := o.stream(ctx, want.Name)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		change.Create, change.Fields = true, streamFields(jetstream.StreamConfig{}, want)
		change.apply = func(ctx context.Context) error { _, err := o.js.CreateStream(ctx, want); return err }
		return []Change{change}, nil
	}
	if err != nil {
		return nil, err
	}
	info := s.CachedInfo()
	have := info.Config
	if change.Fields = streamFields(have, want); len(change.Fields) == 0 {
		return nil, nil
	}
	change.Refused = losesMessages(have, want, info.State)
	// What we have no opinion on stays as it is.
	updated := have
	updated.Description, updated.Subjects, updated.MaxAge, updated.MaxBytes = want.Description, want.Subjects, want.MaxAge, want.MaxBytes
	updated.MaxMsgs, updated.MaxMsgSize, updated.Duplicates, updated.Replicas = want.MaxMsgs, want.MaxMsgSize, want.Duplicates, want.Replicas
	updated.Discard, updated.MaxMsgsPerSubject, updated.DiscardNewPerSubject = want.Discard, want.MaxMsgsPerSubject, want.DiscardNewPerSubject
	updated.AllowMsgTTL, updated.AllowDirect = want.AllowMsgTTL, want.AllowDirect
	updated.Metadata = map[string]string{}
	maps.Copy(updated.Metadata, have.Metadata)
	maps.Copy(updated.Metadata, want.Metadata)
	change.apply = func(ctx context.Context) error { _, err := o.js.UpdateStream(ctx, updated); return err }
	return []Change{change}, nil
}

// losesMessages says why a change of a stream is not made: what is stored would go, or the broker cannot do it.
func losesMessages(have, want jetstream.StreamConfig, state jetstream.StreamState) string {
	switch {
	case have.Retention != want.Retention:
		return "the retention of a stream cannot be changed safely: move its messages to a new one"
	case have.Storage != want.Storage:
		return "the storage of a stream cannot be changed"
	case want.MaxAge > 0 && (have.MaxAge == 0 || want.MaxAge < have.MaxAge) && state.Msgs > 0 && time.Since(state.FirstTime) > want.MaxAge:
		return fmt.Sprintf("messages from %s are older than the new max_age and would be deleted", state.FirstTime.Format(time.RFC3339))
	case want.MaxBytes > 0 && state.Bytes > uint64(want.MaxBytes):
		return fmt.Sprintf("the stream holds %d bytes, more than the new max_bytes", state.Bytes)
	case have.MaxMsgsPerSubject != want.MaxMsgsPerSubject && want.MaxMsgsPerSubject > 0 && state.Msgs > state.NumSubjects:
		return "some subjects hold more than one message, which would be deleted"
	case have.AllowMsgTTL && !want.AllowMsgTTL:
		return "message TTLs cannot be turned off again"
	}
	for _, subject := range have.Subjects {
		if !slices.Contains(want.Subjects, subject) {
			return fmt.Sprintf("subject %s would no longer be stored", subject)
		}
	}
	return ""
}

func streamFields(have, want jetstream.StreamConfig) []Field {
	return differing([]Field{
		{"subjects", strings.Join(have.Subjects, " "), strings.Join(want.Subjects, " ")},
		{"retention", have.Retention.String(), want.Retention.String()},
		{"storage", have.Storage.String(), want.Storage.String()},
		{"discard", have.Discard.String(), want.Discard.String()},
		{"max_age", have.MaxAge.String(), want.MaxAge.String()},
		{"max_bytes", fmt.Sprint(have.MaxBytes), fmt.Sprint(want.MaxBytes)},
		{"max_msgs", fmt.Sprint(have.MaxMsgs), fmt.Sprint(want.MaxMsgs)},
		{"max_msg_size", fmt.Sprint(have.MaxMsgSize), fmt.Sprint(want.MaxMsgSize)},
		{"max_msgs_per_subject", fmt.Sprint(have.MaxMsgsPerSubject), fmt.Sprint(want.MaxMsgsPerSubject)},
		{"discard_new_per_subject", fmt.Sprint(have.DiscardNewPerSubject), fmt.Sprint(want.DiscardNewPerSubject)},
		{"duplicate_window", have.Duplicates.String(), want.Duplicates.String()},
		{"num_replicas", fmt.Sprint(have.Replicas), fmt.Sprint(want.Replicas)},
		{"allow_msg_ttl", fmt.Sprint(have.AllowMsgTTL), fmt.Sprint(want.AllowMsgTTL)},
		{metadataTTL, have.Metadata[metadataTTL], want.Metadata[metadataTTL]},
		{"allow_direct", fmt.Sprint(have.AllowDirect), fmt.Sprint(want.AllowDirect)},
	}, have.Name == "")
}

// planRecords compares the stream behind the object store. The store itself sets what it needs, so only ours is compared.
func (o *Operator) planRecords(ctx context.Context, t schema.Topology) ([]Change, error) {
	want := jetstream.ObjectStoreConfig{
		Bucket: t.Records.Name, Description: t.Records.Why, TTL: t.Records.MaxAge, MaxBytes: t.Records.MaxBytes,
		Storage: jetstream.FileStorage, Replicas: t.Replicas,
	}
	change := Change{What: "object store " + want.Bucket}
	fields := func(have jetstream.StreamConfig) []Field {
		return differing([]Field{
			{"max_age", have.MaxAge.String(), want.TTL.String()},
			{"max_bytes", fmt.Sprint(have.MaxBytes), fmt.Sprint(want.MaxBytes)},
			{"num_replicas", fmt.Sprint(have.Replicas), fmt.Sprint(want.Replicas)},
			// A publish that asks for a rollup of all deletes every object, and every worker may publish.
			{"allow_rollup_hdrs", fmt.Sprint(have.AllowRollup), "false"},
		}, have.Name == "")
	}
	s, err := o.stream(ctx, recordsStream)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		change.Create, change.Fields = true, fields(jetstream.StreamConfig{})
		change.apply = func(ctx context.Context) error {
			if _, err := o.js.CreateObjectStore(ctx, want); err != nil {
				return err
			}
			s, err := o.js.Stream(ctx, recordsStream)
			if err != nil {
				return err
			}
			config := s.CachedInfo().Config
			config.AllowRollup = false
			_, err = o.js.UpdateStream(ctx, config)
			return err
		}
		return []Change{change}, nil
	}
	if err != nil {
		return nil, err
	}
	info := s.CachedInfo()
	if change.Fields = fields(info.Config); len(change.Fields) == 0 {
		return nil, nil
	}
	updated := info.Config
	updated.MaxAge, updated.MaxBytes, updated.Replicas, updated.AllowRollup = want.TTL, want.MaxBytes, want.Replicas, false
	change.Refused = losesMessages(info.Config, updated, info.State)
	change.apply = func(ctx context.Context) error { _, err := o.js.UpdateStream(ctx, updated); return err }
	return []Change{change}, nil
}

func (o *Operator) planQueue(ctx context.Context, what, stream string, want jetstream.ConsumerConfig) ([]Change, error) {
	change := Change{What: what}
	var consumer jetstream.Consumer
	err := o.insist(ctx, func(ctx context.Context) (err error) {
		consumer, err = o.js.Consumer(ctx, stream, want.Name)
		return err
	})
	if errors.Is(err, jetstream.ErrConsumerNotFound) || errors.Is(err, jetstream.ErrStreamNotFound) {
		change.Create, change.Fields = true, queueFields(jetstream.ConsumerConfig{}, want)
		change.apply = func(ctx context.Context) error {
			_, err := o.js.CreateConsumer(ctx, stream, want)
			return err
		}
		return []Change{change}, nil
	}
	if err != nil {
		return nil, err
	}
	have := consumer.CachedInfo().Config
	if change.Fields = queueFields(have, want); len(change.Fields) == 0 {
		return nil, nil
	}
	if have.AckPolicy != want.AckPolicy || have.DeliverPolicy != want.DeliverPolicy {
		change.Refused = "the ack and deliver policy of a queue cannot be changed: delete the queue and apply again, every event kept is then delivered once more"
	}
	updated := have
	updated.AckWait, updated.MaxDeliver, updated.MaxAckPending, updated.BackOff = want.AckWait, want.MaxDeliver, want.MaxAckPending, nil
	updated.FilterSubject, updated.FilterSubjects = "", want.FilterSubjects
	change.apply = func(ctx context.Context) error {
		_, err := o.js.UpdateConsumer(ctx, stream, updated)
		return err
	}
	return []Change{change}, nil
}

func queueFields(have, want jetstream.ConsumerConfig) []Field {
	filters := have.FilterSubjects
	if have.FilterSubject != "" {
		filters = []string{have.FilterSubject}
	}
	return differing([]Field{
		{"filter_subjects", strings.Join(filters, " "), strings.Join(want.FilterSubjects, " ")},
		{"ack_policy", have.AckPolicy.String(), want.AckPolicy.String()},
		{"deliver_policy", have.DeliverPolicy.String(), want.DeliverPolicy.String()},
		{"ack_wait", have.AckWait.String(), want.AckWait.String()},
		{"max_deliver", fmt.Sprint(have.MaxDeliver), fmt.Sprint(want.MaxDeliver)},
		{"max_ack_pending", fmt.Sprint(have.MaxAckPending), fmt.Sprint(want.MaxAckPending)},
		{"backoff", fmt.Sprint(have.BackOff), fmt.Sprint(want.BackOff)},
	}, have.Durable == "")
}

// differing keeps the fields that differ; of something new, those that are set.
func differing(fields []Field, isNew bool) []Field {
	return slices.DeleteFunc(fields, func(f Field) bool {
		if isNew {
			return slices.Contains([]string{"", "0", "-1", "false", "[]", "0s"}, f.Want)
		}
		return f.Have == f.Want
	})
}
