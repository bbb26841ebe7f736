package stream_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
	"github.com/wagewire/wagewire/schema/stream/streamtest"
)

func plan(t *testing.T, c *stream.Conn, topology schema.Topology) []stream.Change {
	t.Helper()
	changes, err := operator(c).Plan(t.Context(), topology)
	must(t, err)
	return changes
}

func texts(changes []stream.Change) (texts []string) {
	for _, change := range changes {
		texts = append(texts, change.String())
	}
	return texts
}

func TestPlanOfAnEmptyBrokerCreatesEverythingAndOfAProvisionedOneNothing(t *testing.T) {
	t.Parallel()
	s := streamtest.Run(t, streamtest.Config{})
	c := s.Connect(t)
	topology := schema.DefaultTopology()
	changes := plan(t, c, topology)
	want := []string{}
	for _, s := range topology.AllStreams() {
		want = append(want, "stream "+s.Name)
	}
	want = append(want, "object store "+topology.Records.Name)
	for _, erases := range []bool{true, false} {
		for _, q := range topology.Queues {
			if q.Erases != erases {
				continue
			}
			want = append(want, "queue "+q.Name, "retries of queue "+q.Name)
			if !erases {
				want = append(want, "replays of queue "+q.Name, "closures of queue "+q.Name)
			}
			want = append(want, "advisories of queue "+q.Name)
		}
	}
	want = append(want, "durable accounts")
	var got []string
	for _, change := range changes {
		got = append(got, change.What)
		if !change.Create || change.Refused != "" {
			t.Errorf("%s: create %v, refused %q", change.What, change.Create, change.Refused)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(`+ stream WAGEWIRE_COMPLETIONS
    subjects: wagewire.completions.> wagewire.tombstones.>
    retention: Limits
    storage: File
    discard: DiscardNew
    max_bytes: 4294967296
    max_msgs: 3000000
    max_msgs_per_subject: 1
    discard_new_per_subject: true
    duplicate_window: 10m0s
    num_replicas: 1
    allow_msg_ttl: true
    wagewire_message_ttl: 504h0m0s`, changes[1].String()); diff != "" {
		t.Errorf("as text (-want +got):\n%s", diff)
	}
	must(t, operator(c).Apply(t.Context(), changes))
	if again := plan(t, c, topology); len(again) != 0 {
		t.Errorf("applied and planned again: %s", texts(again))
	}
}

func TestProvisionMakesSafeChanges(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		promise string
		drift   func(*schema.Topology) // what is there
		change  string
	}{
		{"more max_age", func(topology *schema.Topology) {
			streamIn(topology, schema.EventsStream).MaxAge /= 2
		}, "~ stream WAGEWIRE_EVENTS\n    max_age: 168h0m0s -> 336h0m0s"},
		{"less max_age than nothing stored has", func(topology *schema.Topology) {
			streamIn(topology, schema.EventsStream).MaxAge *= 2
		}, "~ stream WAGEWIRE_EVENTS\n    max_age: 672h0m0s -> 336h0m0s"},
		{"another age of completions", func(topology *schema.Topology) {
			streamIn(topology, schema.CompletionsStream).MaxAge = time.Hour
		}, "~ stream WAGEWIRE_COMPLETIONS\n    wagewire_message_ttl: 1h0m0s -> 504h0m0s"},
		{"another window", func(topology *schema.Topology) {
			streamIn(topology, schema.EventsStream).Duplicates = time.Minute
		}, "~ stream WAGEWIRE_EVENTS\n    duplicate_window: 1m0s -> 24h0m0s"},
		{"more max_bytes", func(topology *schema.Topology) {
			streamIn(topology, schema.DeadLettersStream).MaxBytes = 4 << 20
		}, "~ stream WAGEWIRE_DEAD_LETTERS\n    max_bytes: 4194304 -> 67108864"},
		{"less max_bytes than is held", func(topology *schema.Topology) {
			streamIn(topology, schema.DeadLettersStream).MaxBytes = 128 << 20
		}, "~ stream WAGEWIRE_DEAD_LETTERS\n    max_bytes: 134217728 -> 67108864"},
		{"a first limit of messages", func(topology *schema.Topology) {
			streamIn(topology, schema.DeadLettersStream).MaxMessages = 0
		}, "~ stream WAGEWIRE_DEAD_LETTERS\n    max_msgs: -1 -> 250000"},
		{"more messages", func(topology *schema.Topology) {
			streamIn(topology, schema.EventsStream).MaxMessages = 1000
		}, "~ stream WAGEWIRE_EVENTS\n    max_msgs: 1000 -> 2000000"},
		{"another message size", func(topology *schema.Topology) {
			streamIn(topology, schema.EventsStream).MessageMax = 1024
		}, "~ stream WAGEWIRE_EVENTS\n    max_msg_size: 1024 -> 983040"},
		{"one more subject", func(topology *schema.Topology) {
			completions := streamIn(topology, schema.CompletionsStream)
			completions.Subjects = completions.Subjects[:1]
		}, "~ stream WAGEWIRE_COMPLETIONS\n    subjects: wagewire.completions.> -> wagewire.completions.> wagewire.tombstones.>"},
		{"create once", func(topology *schema.Topology) {
			streamIn(topology, schema.CompletionsStream).CreateOnce = false
		}, "~ stream WAGEWIRE_COMPLETIONS\n    max_msgs_per_subject: -1 -> 1\n    discard_new_per_subject: false -> true"},
		{"message TTLs", func(topology *schema.Topology) {
			streamIn(topology, schema.CompletionsStream).MessageTTL = false
		}, "~ stream WAGEWIRE_COMPLETIONS\n    max_age: 504h0m0s -> 0s\n    allow_msg_ttl: false -> true\n    wagewire_message_ttl:  -> 504h0m0s"},
		{"the object store", func(topology *schema.Topology) {
			topology.Records.MaxBytes = 4 << 20
		}, "~ object store WAGEWIRE_RECORDS\n    max_bytes: 4194304 -> 67108864"},
		{"a lease", func(topology *schema.Topology) {
			topology.Lease = time.Second
			topology.Queues = topology.Queues[:1]
		}, "~ queue pinwheel_employment\n    ack_wait: 1s -> 1m0s"},
		{"the subjects of a queue", func(topology *schema.Topology) {
			for i := range topology.Queues {
				if topology.Queues[i].Name == "pinwheel_income" {
					topology.Queues[i].Subjects = topology.Queues[i].Subjects[:1]
				}
			}
		}, "~ queue pinwheel_income\n    filter_subjects: wagewire.events.pinwheel.income.added.* -> wagewire.events.pinwheel.income.added.* wagewire.events.pinwheel.paystubs.fully_synced.*"},
	} {
		t.Run(test.promise, func(t *testing.T) {
			t.Parallel()
			_, c := start(t, test.drift)
			changes := plan(t, c, streamtest.Topology())
			if !slices.Contains(texts(changes), test.change) {
				t.Errorf("planned %q\nwant     %q", texts(changes), test.change)
			}
			must(t, operator(c).Apply(t.Context(), changes))
			if again := plan(t, c, streamtest.Topology()); len(again) != 0 {
				t.Errorf("applied and planned again: %s", texts(again))
			}
		})
	}
}

func TestProvisionRefusesWhatLosesMessagesAndThenDoesNothing(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		promise string
		there   func(broker) error // what is there
		want    func(*schema.Topology)
		says    string
	}{
		{"max_age below the oldest message", nil, func(topology *schema.Topology) {
			events := streamIn(topology, schema.EventsStream)
			events.MaxAge = 100 * time.Millisecond
			events.Duplicates = 100 * time.Millisecond
		}, "older than the new max_age"},
		{"max_bytes below what is held", nil, func(topology *schema.Topology) {
			streamIn(topology, schema.EventsStream).MaxBytes = 64
		},
			"more than the new max_bytes"},
		{"a subject less", nil, func(topology *schema.Topology) {
			completions := streamIn(topology, schema.CompletionsStream)
			completions.Subjects = completions.Subjects[:1]
		}, "subject wagewire.tombstones.> would no longer be stored"},
		{"create once over what is there twice", func(b broker) error {
			config := b.stream(schema.CompletionsStream).CachedInfo().Config
			config.MaxMsgsPerSubject, config.DiscardNewPerSubject = 2, false
			_, err := b.UpdateStream(b.t.Context(), config)
			for range 2 {
				_, published := b.Publish(b.t.Context(), "wagewire.completions.x", nil)
				err = errors.Join(err, published)
			}
			return err
		}, func(*schema.Topology) {}, "some subjects hold more than one message"},
		{"no more message TTLs", nil, func(topology *schema.Topology) {
			streamIn(topology, schema.CompletionsStream).MessageTTL = false
		},
			"cannot be turned off"},
		{"another retention", func(b broker) error {
			return b.recreate(schema.QuarantineStream, func(config *jetstream.StreamConfig) {
				config.Retention = jetstream.WorkQueuePolicy
			})
		}, func(*schema.Topology) {}, "retention"},
		{"another storage", func(b broker) error {
			return b.recreate(schema.QuarantineStream, func(config *jetstream.StreamConfig) {
				config.Storage = jetstream.MemoryStorage
			})
		}, func(*schema.Topology) {}, "storage"},
		{"another ack policy", func(b broker) error {
			config := b.queue(paystubsQueue).Config
			config.AckPolicy = jetstream.AckNonePolicy
			config.MaxAckPending, config.AckWait, config.MaxDeliver = 0, 0, -1
			deleted := b.DeleteConsumer(b.t.Context(), schema.EventsStream, config.Durable)
			return errors.Join(deleted, b.create(config))
		}, func(*schema.Topology) {}, "delete the queue and apply again"},
	} {
		t.Run(test.promise, func(t *testing.T) {
			t.Parallel()
			s, c := streamtest.New(t)
			b := look(t, s)
			publish(t, c, numbered(0, 1)...)
			if test.there != nil {
				must(t, test.there(b))
			}
			topology := streamtest.Topology()
			streamIn(&topology, schema.DeadLettersStream).MaxAge *= 2 // a safe change beside it
			test.want(&topology)
			var changes []stream.Change
			// In one row the message must first grow too old.
			streamtest.Eventually(t, "a refused change", func() bool {
				changes = plan(t, c, topology)
				return slices.ContainsFunc(changes, func(change stream.Change) bool {
					return change.Refused != ""
				})
			})
			err := operator(c).Apply(t.Context(), changes)
			if !errors.Is(err, stream.ErrRefused) || !strings.Contains(err.Error(), test.says) {
				t.Errorf("Apply = %v, want ErrRefused that says %q", err, test.says)
			}
			text := strings.Join(texts(changes), "\n")
			if !strings.Contains(text, "! ") || !strings.Contains(text, "refused: ") {
				t.Errorf("the plan is %s", text)
			}
			if diff := cmp.Diff(texts(changes), texts(plan(t, c, topology))); diff != "" {
				t.Errorf("something was applied:\n%s", diff)
			}
			if n := b.state(schema.EventsStream).Msgs; n != 1 {
				t.Errorf("%d events, want 1", n)
			}
		})
	}
}

// recreate replaces a stream by one with another setting that cannot be changed.
func (b broker) recreate(name string, change func(*jetstream.StreamConfig)) error {
	config := b.stream(name).CachedInfo().Config
	change(&config)
	if err := b.DeleteStream(b.t.Context(), name); err != nil {
		return err
	}
	_, err := b.CreateStream(b.t.Context(), config)
	return err
}

func (b broker) create(config jetstream.ConsumerConfig) error {
	_, err := b.CreateConsumer(b.t.Context(), schema.EventsStream, config)
	return err
}

func TestProvisionLeavesWhatItHasNoOpinionOn(t *testing.T) {
	t.Parallel()
	s, c := streamtest.New(t)
	b := look(t, s)
	config := b.stream(schema.CompletionsStream).CachedInfo().Config
	config.Compression = jetstream.S2Compression
	config.Metadata["owner"] = "payroll"
	config.AllowRollup = true
	_, err := b.UpdateStream(t.Context(), config)
	must(t, err)
	queue := b.queue(paystubsQueue).Config
	queue.Metadata = map[string]string{"owner": "payroll"}
	_, err = b.UpdateConsumer(t.Context(), schema.EventsStream, queue)
	must(t, err)
	if changes := plan(t, c, streamtest.Topology()); len(changes) != 0 {
		t.Errorf("planned %s", texts(changes))
	}
	topology := streamtest.Topology()
	completions := streamIn(&topology, schema.CompletionsStream)
	completions.MaxBytes *= 2
	completions.MaxAge *= 2
	topology.Lease *= 2
	streamtest.Provision(t, c, topology)
	got := b.stream(schema.CompletionsStream).CachedInfo().Config
	if got.Compression != jetstream.S2Compression || got.Metadata["owner"] != "payroll" ||
		!got.AllowRollup || got.MaxBytes != completions.MaxBytes {
		t.Errorf("the stream is now %+v", got)
	}
	queue = b.queue(paystubsQueue).Config
	if queue.Metadata["owner"] != "payroll" || queue.AckWait != topology.Lease {
		t.Errorf("the queue is now %+v", queue)
	}
}

func TestProvisionedAgainEventsAndQueuesStayWhereTheyWere(t *testing.T) {
	t.Parallel()
	s, c := streamtest.New(t)
	publish(t, c, numbered(0, 2)...)
	jobs, end, returned := hold(t, c, paystubsQueue, 1)
	j := next(t, "delivery", jobs)
	must(t, j.Done())
	end()
	j.release()
	next(t, "Consume returns", returned)
	streamtest.Provision(t, c, streamtest.Topology())
	jobs, _, _ = hold(t, s.Connect(t), paystubsQueue, 1)
	if j = next(t, "delivery", jobs); j.Event.ID != "1" {
		t.Errorf("event %s, want the next one", j.Event.ID)
	}
	must(t, j.Done())
}

func TestLimitsHoldBetweenEachOther(t *testing.T) {
	t.Parallel()
	topology := schema.DefaultTopology()
	events := streamIn(&topology, schema.EventsStream)
	completions := streamIn(&topology, schema.CompletionsStream)
	for promise, holds := range map[string]bool{
		"completions outlive the deliveries of events": completions.MaxAge > events.MaxAge,
		"records outlive completions":                  topology.Records.MaxAge >= completions.MaxAge,
		"a duplicate window is at most the max_age":    events.Duplicates <= events.MaxAge,
		"queues have a lease":                          topology.Lease > 0,
	} {
		if !holds {
			t.Error(fmt.Sprint("does not hold: ", promise))
		}
	}
}
