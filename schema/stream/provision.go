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

// metadataTTL names the entry in a stream's metadata with the TTL of each message, for publishers.
const metadataTTL = "wagewire_message_ttl"

// metadataRole names the entry in a consumer's metadata with the role that reads from it.
const metadataRole = "wagewire.role"

// Change is a difference between the broker and the topology.
type Change struct {
	// What is the thing to change: "stream WAGEWIRE_EVENTS", "queue pinwheel_paystubs".
	What string
	// Create is true if the broker does not have it yet. Otherwise Fields are the settings that
	// differ.
	Create bool
	Fields []Field
	// Refused says why the change is not made. "" is a safe change.
	Refused string

	// Does says what is done, if a change is more than a change of settings.
	Does string

	apply func(context.Context) error
}

// Field is a differing setting.
type Field struct{ Name, Have, Want string }

// String is the change as `wagewire provision plan` prints it.
func (c Change) String() string {
	var b strings.Builder
	switch {
	case c.Create:
		fmt.Fprintf(&b, "+ %s", c.What)
	case c.Refused != "":
		fmt.Fprintf(&b, "! %s: refused: %s", c.What, c.Refused)
	case c.Does != "":
		fmt.Fprintf(&b, "~ %s: %s", c.What, c.Does)
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

// ErrRefused: a change would lose messages, or the broker cannot make it. Nothing of the plan was
// applied.
var ErrRefused = errors.New("refused")

// Plan compares the broker with the topology. It returns the differences in the order of Apply. If
// a cluster has no leader at the moment, Plan asks again until ctx ends.
//
// The error is ErrOldServer if the broker is too old for the topology.
func (o *Operator) Plan(ctx context.Context, t schema.Topology) ([]Change, error) {
	if err := o.checkServer(); err != nil {
		return nil, err
	}
	k := o.newKeeper()
	m, err := o.newMove(ctx, t, k)
	if err != nil {
		return nil, fmt.Errorf("plan stream %s: %w", schema.FormerWaitingStream, err)
	}
	changes := m.changes()
	change, err := o.planStreams(ctx, t.AllStreams(), t.Replicas, k)
	if err != nil {
		return nil, err
	}
	changes = append(changes, change...)
	change, err = o.planRecords(ctx, recordsConfig(t), k)
	if err != nil {
		return nil, fmt.Errorf("plan object store %s: %w", t.Records.Name, err)
	}
	changes = append(changes, change...)
	for _, q := range inOrder(t.Queues) {
		consumers, err := o.consumersOf(ctx, q, t.Lease, m)
		if err != nil {
			return nil, err
		}
		change, err := o.planConsumers(ctx, consumers)
		if err != nil {
			return nil, err
		}
		changes = append(changes, change...)
	}
	change, err = o.planAccounts(ctx, t)
	if err != nil {
		return nil, fmt.Errorf("plan the durable %s: %w", schema.AccountsConsumer, err)
	}
	return append(changes, change...), nil
}

// planAccounts plans the durable on the completions for the states of accounts. Its reader
// acknowledges a completion after the state is stored, so no delivery is the last.
func (o *Operator) planAccounts(ctx context.Context, t schema.Topology) ([]Change, error) {
	config := accountsConfig(t.Lease)
	return o.planConsumer(ctx, "durable "+config.Name, schema.CompletionsStream, config,
		consumerRules{
			fields: queueFields,
			refuse: func(have jetstream.ConsumerInfo, want jetstream.ConsumerConfig) string {
				if !isAccountsDurable(have.Config) {
					return "the durable is of a team, and the name is needed for the states of " +
						"accounts: make another durable for the team, and delete this one"
				}
				return reasonToRefuseQueue(have, want)
			},
			merge: mergeQueue,
		})
}

func accountsConfig(lease time.Duration) jetstream.ConsumerConfig {
	config := consumerConfig(
		schema.AccountsConsumer, []string{schema.AllCompletions}, -1, lease)
	config.MaxAckPending = schema.AccountsPendingMax
	config.Metadata = map[string]string{metadataRole: RoleAccounts}
	return config
}

// isAccountsDurable reports whether the durable is the one for the states of accounts. A team may
// have made a durable of the same name in an earlier release.
func isAccountsDurable(config jetstream.ConsumerConfig) bool {
	return config.Metadata[metadataRole] == RoleAccounts
}

// queueConsumer is one of the consumers of a queue.
type queueConsumer struct {
	what   string
	stream string
	config jetstream.ConsumerConfig
}

// consumersOf returns the consumers of a queue: those of its lanes, of its closures, and of its
// advisories.
func (o *Operator) consumersOf(
	ctx context.Context, q schema.Queue, lease time.Duration, m *move,
) ([]queueConsumer, error) {
	consumers := []queueConsumer{laneConsumer(q, q.EventsLane(), lease), m.retries(q)}
	if !q.Erases {
		replays := laneConsumer(q, q.ReplaysLane(), lease)
		var err error
		replays.config.PauseUntil, err = o.pauseOfEvents(ctx, q)
		if err != nil {
			return nil, fmt.Errorf("plan %s: %w", replays.what, err)
		}
		closures := laneConsumer(q, q.ClosuresLane(), lease)
		consumers = append(consumers, replays, closures)
	}
	advisories := queueConsumer{
		"advisories of queue " + q.Name, schema.AdvisoriesStream, advisoriesConfig(q, lease),
	}
	return append(consumers, advisories), nil
}

// pauseOfEvents returns when an operator's pause of the queue ends, nil without one. A release
// without a lane of replays may have begun the pause, which then holds for the new lane.
func (o *Operator) pauseOfEvents(ctx context.Context, q schema.Queue) (*time.Time, error) {
	events := q.EventsLane()
	consumer, err := askUntilAnswered(ctx, o.Conn,
		func(ctx context.Context) (jetstream.Consumer, error) {
			return o.js.Consumer(ctx, events.Stream, events.Consumer)
		})
	if isMissing(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	info := consumer.CachedInfo()
	if !info.Paused {
		return nil, nil
	}
	return info.Config.PauseUntil, nil
}

func (o *Operator) planConsumers(
	ctx context.Context, consumers []queueConsumer,
) ([]Change, error) {
	var changes []Change
	for _, c := range consumers {
		change, err := o.planQueue(ctx, c.what, c.stream, c.config)
		if err != nil {
			return nil, fmt.Errorf("plan %s: %w", c.what, err)
		}
		changes = append(changes, change...)
	}
	return changes, nil
}

// inOrder puts the queues of erasures first: an earlier release had no such queue, and another
// queue may lose a filter only after a queue of erasures has the filter.
func inOrder(queues []schema.Queue) []schema.Queue {
	return slices.SortedStableFunc(slices.Values(queues), func(a, b schema.Queue) int {
		switch {
		case a.Erases == b.Erases:
			return 0
		case a.Erases:
			return -1
		default:
			return 1
		}
	})
}

// Apply makes the changes of a plan. If one of them is refused, Apply makes none.
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

// Provision plans and applies, for a process with a broker of its own, such as the sandbox.
func (o *Operator) Provision(ctx context.Context, t schema.Topology) error {
	changes, err := o.Plan(ctx, t)
	if err != nil {
		return err
	}
	return o.Apply(ctx, changes)
}

func streamConfig(s schema.Stream, replicas int) jetstream.StreamConfig {
	config := jetstream.StreamConfig{
		Name:        s.Name,
		Description: s.Why,
		Subjects:    s.Subjects,
		Retention:   jetstream.LimitsPolicy,
		Storage:     jetstream.FileStorage,
		Discard:     jetstream.DiscardNew,
		MaxAge:      s.MaxAge,
		MaxBytes:    s.MaxBytes,
		Duplicates:  s.Duplicates,
		Replicas:    replicas,
		AllowMsgTTL: s.MessageTTL,
		// -1 is no limit.
		MaxMsgs:           -1,
		MaxMsgsPerSubject: -1,
		MaxMsgSize:        -1,
		MaxConsumers:      -1,
	}
	if s.MessageMax > 0 {
		config.MaxMsgSize = s.MessageMax
	}
	if s.MaxBytes == 0 {
		config.MaxBytes = -1
	}
	if s.MaxMessages > 0 {
		config.MaxMsgs = s.MaxMessages
	}
	config.AllowDirect = s.Direct
	if s.LastOnly {
		config.MaxMsgsPerSubject = 1
	}
	if s.Republish != "" {
		config.RePublish = &jetstream.RePublish{
			Source: s.Subjects[0], Destination: s.Republish + "{{wildcard(1)}}",
		}
	}
	if s.Schedules {
		config.AllowMsgSchedules = true
		config.Discard = jetstream.DiscardOld
	}
	if s.CreateOnce {
		config.MaxMsgsPerSubject = 1
		config.DiscardNewPerSubject = true
	}
	if s.MessageTTL {
		// Each message except a tombstone carries a TTL, for the reason in the package comment.
		// Publishers of completions find the age in the metadata.
		config.MaxAge = 0
		config.Metadata = map[string]string{metadataTTL: s.MaxAge.String()}
	}
	return config
}

func recordsConfig(t schema.Topology) jetstream.ObjectStoreConfig {
	return jetstream.ObjectStoreConfig{
		Bucket:      t.Records.Name,
		Description: t.Records.Why,
		TTL:         t.Records.MaxAge,
		MaxBytes:    t.Records.MaxBytes,
		Storage:     jetstream.FileStorage,
		Replicas:    t.Replicas,
	}
}

// laneConsumer is the consumer of a queue's lane.
func laneConsumer(q schema.Queue, lane schema.Lane, lease time.Duration) queueConsumer {
	if lane.Name == schema.LaneEvents {
		config := consumerConfig(lane.Consumer, lane.Subjects, schema.EventDeliveriesMax, lease)
		return queueConsumer{"queue " + q.Name, lane.Stream, config}
	}
	config := consumerConfig(lane.Consumer, lane.Subjects, schema.DeliveriesMax, lease)
	return queueConsumer{fmt.Sprintf("%s of queue %s", lane.Name, q.Name), lane.Stream, config}
}

// advisoriesConfig is the consumer for the queue's advisories about exhausted deliveries. The
// advisories themselves are delivered without a limit.
func advisoriesConfig(q schema.Queue, lease time.Duration) jetstream.ConsumerConfig {
	return consumerConfig(q.Name, q.ExhaustedSubjects(), -1, lease)
}

func consumerConfig(
	name string, subjects []string, deliveriesMax int, lease time.Duration,
) jetstream.ConsumerConfig {
	return jetstream.ConsumerConfig{
		Name:           name,
		Durable:        name,
		FilterSubjects: subjects,
		AckPolicy:      jetstream.AckExplicitPolicy,
		DeliverPolicy:  jetstream.DeliverAllPolicy,
		AckWait:        lease,
		MaxDeliver:     deliveriesMax,
		MaxAckPending:  schema.PendingMax,
	}
}

func (o *Operator) planStreams(
	ctx context.Context, streams []schema.Stream, replicas int, k *keeper,
) ([]Change, error) {
	var changes []Change
	for _, s := range streams {
		change, err := o.planStream(ctx, streamConfig(s, replicas), k)
		if err != nil {
			return nil, fmt.Errorf("plan stream %s: %w", s.Name, err)
		}
		changes = append(changes, change...)
	}
	return changes, nil
}

func (o *Operator) planStream(
	ctx context.Context, want jetstream.StreamConfig, k *keeper,
) ([]Change, error) {
	change := Change{What: "stream " + want.Name}
	s, err := o.lookUpStream(ctx, want.Name)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		k.adjustNew(&want)
		change.Create = true
		change.Fields = streamFields(jetstream.StreamConfig{}, want)
		change.apply = func(ctx context.Context) error {
			_, err := o.js.CreateStream(ctx, want)
			return err
		}
		return []Change{change}, nil
	}
	if err != nil {
		return nil, err
	}
	info := s.CachedInfo()
	k.adjust(change.What, want.Name, info, &want)
	change.Fields = streamFields(info.Config, want)
	if len(change.Fields) == 0 {
		return nil, nil
	}
	change.Refused = reasonToRefuse(info.Config, want, info.State)
	updated := mergeStream(info.Config, want)
	change.apply = func(ctx context.Context) error {
		_, err := o.js.UpdateStream(ctx, updated)
		return err
	}
	return []Change{change}, nil
}

// mergeStream sets the settings of the topology. All other settings, such as compression, stay as
// the broker has them.
func mergeStream(have, want jetstream.StreamConfig) jetstream.StreamConfig {
	merged := have
	merged.Description = want.Description
	merged.Subjects = want.Subjects
	merged.MaxAge = want.MaxAge
	merged.MaxBytes = want.MaxBytes
	merged.MaxMsgs = want.MaxMsgs
	merged.MaxMsgSize = want.MaxMsgSize
	merged.Duplicates = want.Duplicates
	merged.Replicas = want.Replicas
	merged.Discard = want.Discard
	merged.MaxMsgsPerSubject = want.MaxMsgsPerSubject
	merged.DiscardNewPerSubject = want.DiscardNewPerSubject
	merged.AllowMsgTTL = want.AllowMsgTTL
	merged.AllowMsgSchedules = want.AllowMsgSchedules
	merged.AllowDirect = want.AllowDirect
	merged.RePublish = want.RePublish
	merged.Metadata = map[string]string{}
	maps.Copy(merged.Metadata, have.Metadata)
	maps.Copy(merged.Metadata, want.Metadata)
	return merged
}

// reasonToRefuse says why a stream is not changed: messages would be lost, or the broker cannot
// make the change. "" is no reason.
func reasonToRefuse(have, want jetstream.StreamConfig, state jetstream.StreamState) string {
	shorter := want.MaxAge > 0 && (have.MaxAge == 0 || want.MaxAge < have.MaxAge)
	fewer := want.MaxMsgsPerSubject > 0 && have.MaxMsgsPerSubject != want.MaxMsgsPerSubject
	switch {
	case have.Retention != want.Retention:
		return "the retention of a stream cannot be changed safely: move its messages to a new one"
	case have.Storage != want.Storage:
		return "the storage of a stream cannot be changed"
	case shorter && state.Msgs > 0 && time.Since(state.FirstTime) > want.MaxAge:
		return fmt.Sprintf("messages from %s are older than the new max_age and would be deleted",
			state.FirstTime.Format(time.RFC3339))
	case want.MaxBytes > 0 && state.Bytes > uint64(want.MaxBytes):
		return fmt.Sprintf("the stream holds %d bytes, more than the new max_bytes", state.Bytes)
	case want.MaxMsgs > 0 && state.Msgs > uint64(want.MaxMsgs):
		return fmt.Sprintf("the stream holds %d messages, more than the new max_msgs", state.Msgs)
	case fewer && state.Msgs > state.NumSubjects:
		return "some subjects hold more than one message, which would be deleted"
	case have.AllowMsgTTL && !want.AllowMsgTTL:
		return "message TTLs cannot be turned off again"
	case have.AllowMsgSchedules && !want.AllowMsgSchedules:
		return "message schedules cannot be turned off again"
	}
	stored := slices.Concat(want.Subjects, schema.FormerAdvisoriesSubjects())
	for _, subject := range have.Subjects {
		if !slices.Contains(stored, subject) {
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
		{"max_msgs_per_subject",
			fmt.Sprint(have.MaxMsgsPerSubject), fmt.Sprint(want.MaxMsgsPerSubject)},
		{"discard_new_per_subject",
			fmt.Sprint(have.DiscardNewPerSubject), fmt.Sprint(want.DiscardNewPerSubject)},
		{"duplicate_window", have.Duplicates.String(), want.Duplicates.String()},
		{"num_replicas", fmt.Sprint(have.Replicas), fmt.Sprint(want.Replicas)},
		{"allow_msg_ttl", fmt.Sprint(have.AllowMsgTTL), fmt.Sprint(want.AllowMsgTTL)},
		{"allow_msg_schedules",
			fmt.Sprint(have.AllowMsgSchedules), fmt.Sprint(want.AllowMsgSchedules)},
		{metadataTTL, have.Metadata[metadataTTL], want.Metadata[metadataTTL]},
		{"allow_direct", fmt.Sprint(have.AllowDirect), fmt.Sprint(want.AllowDirect)},
		{"republish", republishOf(have), republishOf(want)},
	}, have.Name == "")
}

func republishOf(c jetstream.StreamConfig) string {
	if c.RePublish == nil {
		return ""
	}
	return c.RePublish.Source + " > " + c.RePublish.Destination
}

// planRecords compares the stream behind the object store. The object store makes most of the
// stream's settings, so Plan compares only the settings of the topology.
func (o *Operator) planRecords(
	ctx context.Context, want jetstream.ObjectStoreConfig, k *keeper,
) ([]Change, error) {
	change := Change{What: "object store " + want.Bucket}
	// limits are those of the stream behind the object store.
	limits := jetstream.StreamConfig{
		MaxAge:   want.TTL,
		MaxBytes: want.MaxBytes,
		Replicas: want.Replicas,
	}
	s, err := o.lookUpStream(ctx, recordsStream)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		k.adjustNew(&limits)
		want.Replicas = limits.Replicas
		change.Create = true
		change.Fields = recordsFields(jetstream.StreamConfig{}, want)
		change.apply = func(ctx context.Context) error { return o.createRecords(ctx, want) }
		return []Change{change}, nil
	}
	if err != nil {
		return nil, err
	}
	info := s.CachedInfo()
	k.adjust(change.What, want.Bucket, info, &limits)
	want.TTL = limits.MaxAge
	want.MaxBytes = limits.MaxBytes
	want.Replicas = limits.Replicas
	change.Fields = recordsFields(info.Config, want)
	if len(change.Fields) == 0 {
		return nil, nil
	}
	updated := info.Config
	updated.MaxAge = want.TTL
	updated.MaxBytes = want.MaxBytes
	updated.Replicas = want.Replicas
	updated.AllowRollup = false
	change.Refused = reasonToRefuse(info.Config, updated, info.State)
	change.apply = func(ctx context.Context) error {
		_, err := o.js.UpdateStream(ctx, updated)
		return err
	}
	return []Change{change}, nil
}

// createRecords makes the object store and then turns rollups off.
func (o *Operator) createRecords(ctx context.Context, want jetstream.ObjectStoreConfig) error {
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

func recordsFields(have jetstream.StreamConfig, want jetstream.ObjectStoreConfig) []Field {
	return differing([]Field{
		{"max_age", have.MaxAge.String(), want.TTL.String()},
		{"max_bytes", fmt.Sprint(have.MaxBytes), fmt.Sprint(want.MaxBytes)},
		{"num_replicas", fmt.Sprint(have.Replicas), fmt.Sprint(want.Replicas)},
		// A publish with a rollup of all subjects deletes every object, and every worker may
		// publish.
		{"allow_rollup_hdrs", fmt.Sprint(have.AllowRollup), "false"},
	}, have.Name == "")
}

func (o *Operator) planQueue(
	ctx context.Context, what, stream string, want jetstream.ConsumerConfig,
) ([]Change, error) {
	return o.planConsumer(ctx, what, stream, want, consumerRules{
		fields: queueFields, refuse: reasonToRefuseQueue, merge: mergeQueue,
	})
}

// consumerRules say how a kind of consumer is compared and changed.
type consumerRules struct {
	fields func(have, want jetstream.ConsumerConfig) []Field
	// refuse says why the consumer is not changed. "" is no reason.
	refuse func(have jetstream.ConsumerInfo, want jetstream.ConsumerConfig) string
	merge  func(have, want jetstream.ConsumerConfig) jetstream.ConsumerConfig
}

func (o *Operator) planConsumer(
	ctx context.Context, what, stream string, want jetstream.ConsumerConfig, rules consumerRules,
) ([]Change, error) {
	change := Change{What: what}
	lookUp := func(ctx context.Context) (jetstream.Consumer, error) {
		return o.js.Consumer(ctx, stream, want.Name)
	}
	consumer, err := askUntilAnswered(ctx, o.Conn, lookUp)
	if isMissing(err) {
		change.Create = true
		change.Fields = rules.fields(jetstream.ConsumerConfig{}, want)
		change.apply = func(ctx context.Context) error {
			_, err := o.js.CreateConsumer(ctx, stream, want)
			return err
		}
		return []Change{change}, nil
	}
	if errors.Is(err, jetstream.ErrNotPullConsumer) {
		change.Refused = "the broker pushes to the consumer, and its readers must pull: " +
			"delete the consumer, or choose another name"
		return []Change{change}, nil
	}
	if err != nil {
		return nil, err
	}
	have := consumer.CachedInfo().Config
	change.Fields = rules.fields(have, want)
	if len(change.Fields) == 0 {
		return nil, nil
	}
	change.Refused = rules.refuse(*consumer.CachedInfo(), want)
	updated := rules.merge(have, want)
	change.apply = func(ctx context.Context) error {
		_, err := o.js.UpdateConsumer(ctx, stream, updated)
		return err
	}
	return []Change{change}, nil
}

// reasonToRefuseQueue says why a queue is not changed. "" is no reason.
func reasonToRefuseQueue(info jetstream.ConsumerInfo, want jetstream.ConsumerConfig) string {
	have := info.Config
	if have.AckPolicy != want.AckPolicy || have.DeliverPolicy != want.DeliverPolicy {
		return "the ack and deliver policy of a queue cannot be changed: " +
			"delete the queue and apply again, every event kept is then delivered once more"
	}
	return ""
}

// mergeQueue sets the settings of the topology. All other settings stay as the broker has them.
func mergeQueue(have, want jetstream.ConsumerConfig) jetstream.ConsumerConfig {
	merged := have
	merged.AckWait = want.AckWait
	merged.MaxDeliver = want.MaxDeliver
	merged.MaxAckPending = want.MaxAckPending
	merged.BackOff = nil
	merged.FilterSubject = ""
	merged.FilterSubjects = want.FilterSubjects
	return merged
}

func queueFields(have, want jetstream.ConsumerConfig) []Field {
	return differing([]Field{
		{"filter_subjects", joinFilters(have), joinFilters(want)},
		{"ack_policy", have.AckPolicy.String(), want.AckPolicy.String()},
		{"deliver_policy", have.DeliverPolicy.String(), want.DeliverPolicy.String()},
		{"ack_wait", have.AckWait.String(), want.AckWait.String()},
		{"max_deliver", fmt.Sprint(have.MaxDeliver), fmt.Sprint(want.MaxDeliver)},
		{"max_ack_pending", fmt.Sprint(have.MaxAckPending), fmt.Sprint(want.MaxAckPending)},
		{"backoff", fmt.Sprint(have.BackOff), fmt.Sprint(want.BackOff)},
	}, have.Durable == "")
}

// filtersOf returns the subject filters of a consumer, none if it reads the whole stream.
func filtersOf(config jetstream.ConsumerConfig) []string {
	if config.FilterSubject != "" {
		return []string{config.FilterSubject}
	}
	return config.FilterSubjects
}

func joinFilters(config jetstream.ConsumerConfig) string {
	return strings.Join(filtersOf(config), " ")
}

// differing returns the differing fields. For a new thing, it returns the fields with a value.
func differing(fields []Field, isNew bool) []Field {
	return slices.DeleteFunc(fields, func(f Field) bool {
		if isNew {
			return slices.Contains([]string{"", "0", "-1", "false", "[]", "0s"}, f.Want)
		}
		return f.Have == f.Want
	})
}
