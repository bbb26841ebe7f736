package schema_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wagewire/wagewire/schema"
)

// ladderFor is how long the workers try again what may still work.
const ladderFor = 72 * time.Hour

func streamOf(t *testing.T, name string) schema.Stream {
	t.Helper()
	streams := schema.DefaultTopology().Streams
	i := slices.IndexFunc(streams, func(s schema.Stream) bool { return s.Name == name })
	if i < 0 {
		t.Fatalf("the topology has no stream %s", name)
	}
	return streams[i]
}

func TestTheQueuesAndTheirFilters(t *testing.T) {
	want := map[string][]string{
		"pinwheel_employment": {"wagewire.events.pinwheel.employment.added.*"},
		"pinwheel_identity":   {"wagewire.events.pinwheel.identity.added.*"},
		"pinwheel_income":     {"wagewire.events.pinwheel.income.added.*", "wagewire.events.pinwheel.paystubs.fully_synced.*"},
		"pinwheel_paystubs": {
			"wagewire.events.pinwheel.paystubs.added.*", "wagewire.events.pinwheel.paystubs.seven_days_synced.*",
			"wagewire.events.pinwheel.paystubs.thirty_days_synced.*", "wagewire.events.pinwheel.paystubs.ninety_days_synced.*",
			"wagewire.events.pinwheel.paystubs.fully_synced.*",
		},
		"pinwheel_shifts": {
			"wagewire.events.pinwheel.shifts.added.*", "wagewire.events.pinwheel.shifts.seven_days_synced.*",
			"wagewire.events.pinwheel.shifts.thirty_days_synced.*", "wagewire.events.pinwheel.shifts.ninety_days_synced.*",
			"wagewire.events.pinwheel.shifts.fully_synced.*",
		},
		"pinwheel_verification_reports": {"wagewire.events.pinwheel.verification_reports.refreshed.*"},
		"truv_link": {
			"wagewire.events.truv.link.connected.*", "wagewire.events.truv.link.disconnected.*", "wagewire.events.truv.link.deleted.*",
		},
	}
	got := map[string][]string{}
	for _, q := range schema.DefaultTopology().Queues {
		got[q.Name] = q.Subjects
		if q.Name != schema.QueueName(q.Provider, q.Resource) {
			t.Errorf("queue %s is not named by its provider %s and resource %s", q.Name, q.Provider, q.Resource)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("queues (-want +got):\n%s", diff)
	}
}

func TestAnEventReachesTheQueuesOfItsWorkersAndNoOther(t *testing.T) {
	for _, w := range schema.Catalogue() {
		e := schema.Event{Provider: w.Provider, Type: w.Name, Resource: w.Resource, Action: w.Action, AccountID: "a.1"}
		var want, got []string
		for _, r := range w.Workers {
			want = append(want, schema.QueueName(w.Provider, r))
		}
		for _, q := range schema.Queues() {
			for _, filter := range q.Subjects {
				if matches(filter, e.Subject()) {
					got = append(got, q.Name)
				}
			}
		}
		slices.Sort(want)
		slices.Sort(got)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("queues of %s (-want +got):\n%s", w.Name, diff)
		}
	}
}

func TestAWorkerServesTheQueuesOfItsResource(t *testing.T) {
	served := 0
	for _, r := range []schema.Resource{
		schema.Employment, schema.Identity, schema.Income, schema.Paystubs, schema.Shifts, schema.VerificationReports, schema.Link,
	} {
		queues := schema.QueuesOf(r)
		if len(queues) != 1 || queues[0].Resource != r {
			t.Errorf("QueuesOf(%s) = %v", r, queues)
		}
		served += len(queues)
	}
	if all := len(schema.Queues()); served != all || all != 7 {
		t.Errorf("%d of %d queues are served, want 7 of 7", served, all)
	}
	if queues := schema.QueuesOf(schema.Other); len(queues) != 0 {
		t.Errorf("QueuesOf(other) = %v", queues)
	}
}

func TestEverySubjectIsStoredInOneStream(t *testing.T) {
	e := employmentAdded()
	unknown := e
	other(&unknown, "a.b")
	nobody := e
	nobody.AccountID = ""
	for subject, want := range map[string]string{
		e.Subject():                                 schema.EventsStream,
		unknown.Subject():                           schema.EventsStream,
		nobody.Subject():                            schema.EventsStream,
		e.CompletionSubject(schema.Employment):      schema.CompletionsStream,
		nobody.CompletionSubject(schema.Employment): schema.CompletionsStream,
		schema.TombstoneSubject(schema.Truv, "a"):   schema.CompletionsStream,
		schema.DeadLetterSubject("truv_link", "a"):  schema.DeadLettersStream,
		schema.QuarantineSubject(schema.Truv):       schema.QuarantineStream,
		"$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES.WAGEWIRE_EVENTS.truv_link": schema.AdvisoriesStream,
		"$JS.EVENT.ADVISORY.CONSUMER.MSG_TERMINATED.WAGEWIRE_EVENTS.truv_link": schema.AdvisoriesStream,
	} {
		var got []string
		for _, s := range schema.DefaultTopology().Streams {
			for _, filter := range s.Subjects {
				if matches(filter, subject) {
					got = append(got, s.Name)
				}
			}
		}
		if diff := cmp.Diff([]string{want}, got); diff != "" {
			t.Errorf("streams of %s (-want +got):\n%s", subject, diff)
		}
	}
}

func TestWhatMustHoldBetweenTheLimits(t *testing.T) {
	topology := schema.DefaultTopology()
	events, completions := streamOf(t, schema.EventsStream), streamOf(t, schema.CompletionsStream)
	for promise, holds := range map[string]bool{
		"a lease survives a lost heartbeat":                        schema.HeartbeatsPerLease >= 3,
		"an event is kept for longer than it is tried":             events.MaxAge > ladderFor,
		"a completion outlives the last delivery of its event":     completions.MaxAge > events.MaxAge+ladderFor,
		"records do not vanish from under their completion":        topology.Records.MaxAge >= completions.MaxAge,
		"a dead letter outlives its event":                         streamOf(t, schema.DeadLettersStream).MaxAge > events.MaxAge,
		"an advisory is there as long as the event it speaks of":   streamOf(t, schema.AdvisoriesStream).MaxAge >= events.MaxAge,
		"the ids of a day are known":                               events.Duplicates >= 24*time.Hour,
		"only the events' stream limits a message by itself":       events.MessageMax > 0,
		"a webhook of the largest body fits, with its headers":     events.MessageMax >= 256<<10+4*schema.IDBytesMax,
		"a completion fits into a message of the broker's default": schema.CompletionBytesMax < 1<<20,
		"one account's completions are made once":                  completions.CreateOnce,
		"a tombstone may outlive the completions' age":             completions.MessageTTL,
		"an event is delivered more often than the ladder has rungs": schema.DeliveriesMax > 2*len([]time.Duration{
			30 * time.Second, 2 * time.Minute, 10 * time.Minute, 30 * time.Minute, 2 * time.Hour, 5 * time.Hour, // and then, until 72 h:
			10 * time.Hour, 10 * time.Hour, 10 * time.Hour, 10 * time.Hour, 10 * time.Hour, 10 * time.Hour, 10 * time.Hour,
		}),
		"a queue has room for all events of a bad day":     schema.PendingMax >= 10_000,
		"one server is enough, unless somebody wants more": topology.Replicas == 1,
	} {
		if !holds {
			t.Errorf("it does not hold that %s", promise)
		}
	}
}

func TestAStream(t *testing.T) {
	want := []string{schema.EventsStream, schema.CompletionsStream, schema.DeadLettersStream, schema.QuarantineStream, schema.AdvisoriesStream}
	var got []string
	for _, s := range append(schema.DefaultTopology().Streams, schema.DefaultTopology().Records) {
		if s.Name != schema.RecordsBucket {
			got = append(got, s.Name)
		}
		for promise, holds := range map[string]bool{
			"says why it is there":                                   s.Why != "",
			"forgets a message id before the message":                s.Duplicates <= s.MaxAge,
			"knows the ids of its messages for a while":              s.Duplicates > 0 || s.Name == schema.RecordsBucket,
			"has an end in time":                                     s.MaxAge > 0,
			"has an end in space":                                    s.MaxBytes > 0,
			"has subjects":                                           len(s.Subjects) > 0 || s.Name == schema.RecordsBucket,
			"takes one message a subject only if it has completions": s.CreateOnce == (s.Name == schema.CompletionsStream),
		} {
			if !holds {
				t.Errorf("it does not hold that stream %s %s", s.Name, promise)
			}
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("streams (-want +got):\n%s", diff)
	}
}

func TestATopologyIsTheCallersOwn(t *testing.T) {
	before := schema.DefaultTopology()
	before.Streams[0].Subjects[0], before.Queues[0].Subjects[0] = "changed", "changed"
	for _, s := range schema.DefaultTopology().Streams {
		if slices.Contains(s.Subjects, "changed") {
			t.Errorf("stream %s was changed from outside", s.Name)
		}
	}
	for _, q := range schema.DefaultTopology().Queues {
		if slices.Contains(q.Subjects, "changed") {
			t.Errorf("queue %s was changed from outside", q.Name)
		}
	}
}
