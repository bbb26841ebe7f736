package schema_test

import (
	"slices"
	"testing"
	"time"

	"github.com/wagewire/wagewire/schema"
)

// ladderFor is the length of the workers' longest retry ladder, rounded up.
const ladderFor = 72 * time.Hour

func streamOf(t *testing.T, name string) schema.Stream {
	t.Helper()
	streams := schema.DefaultTopology().AllStreams()
	i := slices.IndexFunc(streams, func(s schema.Stream) bool { return s.Name == name })
	if i < 0 {
		t.Fatalf("the topology has no stream %s", name)
	}
	return streams[i]
}

func TestAQueueIsNamedByItsProviderAndResource(t *testing.T) {
	for _, q := range schema.DefaultTopology().Queues {
		want := schema.QueueName(q.Provider, q.Resource)
		if q.Erases {
			want = schema.ErasuresName(q.Provider)
		}
		if q.Name != want {
			t.Errorf("queue %s of %s and %s, want %s", q.Name, q.Provider, q.Resource, want)
		}
	}
}

func TestAnEventReachesTheQueuesOfItsWorkersAndNoOther(t *testing.T) {
	for _, w := range schema.Catalogue() {
		e := schema.Event{
			Provider: w.Provider, Type: w.Name, Resource: w.Resource, Action: w.Action,
			AccountID: "a.1",
		}
		var want, got []string
		for _, r := range w.Workers {
			want = append(want, queueOf(w, r))
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
		compare(t, "queues of "+w.Name, want, got)
	}
}

func TestAWorkerServesEveryQueueOfItsResource(t *testing.T) {
	want := map[schema.Resource][]schema.Queue{}
	for _, q := range schema.Queues() {
		want[q.Resource] = append(want[q.Resource], q)
	}
	for r, queues := range want {
		compare(t, "queues of "+string(r), queues, schema.QueuesOf(r))
	}
	if queues := schema.QueuesOf(schema.Other); len(queues) != 0 {
		t.Errorf("QueuesOf(other) = %v, want none", queues)
	}
}

func TestEverySubjectIsStoredInOneStream(t *testing.T) {
	e := employmentAdded()
	unknown := e
	setUnknownType(&unknown, "a.b")
	nobody := e
	nobody.AccountID = ""
	const advisory = "$JS.EVENT.ADVISORY.CONSUMER."
	for subject, want := range map[string]string{
		e.Subject():                                                      schema.EventsStream,
		unknown.Subject():                                                schema.EventsStream,
		nobody.Subject():                                                 schema.EventsStream,
		e.CompletionSubject(schema.Employment):                           schema.CompletionsStream,
		nobody.CompletionSubject(schema.Employment):                      schema.CompletionsStream,
		schema.TombstoneSubject(schema.Truv, "a"):                        schema.CompletionsStream,
		schema.AccountSubject(schema.Truv, "a"):                          schema.AccountsStream,
		schema.DeadLetterSubject("truv_link", "a"):                       schema.DeadLettersStream,
		schema.QuarantineSubject(schema.Truv):                            schema.QuarantineStream,
		e.WaitingSubject("pinwheel_employment"):                          "WAGEWIRE_WAITING_PINWHEEL_EMPLOYMENT",
		e.WaitingSubject("truv_erasures"):                                "WAGEWIRE_WAITING_TRUV_ERASURES",
		schema.RetriesSubject("truv_link", "a"):                          "WAGEWIRE_WAITING_TRUV_LINK",
		schema.ReplaysSubject("truv_link", "a"):                          "WAGEWIRE_WAITING_TRUV_LINK",
		schema.PauseSubject("truv_link"):                                 schema.PausesStream,
		schema.ClosureSubject("truv", schema.ClosureHeld):                schema.ClosuresStream,
		schema.ReportSubject("ingress", "1"):                             schema.ReportsStream,
		schema.BudgetSubject(schema.Truv):                                schema.BudgetsStream,
		advisory + "MAX_DELIVERIES.WAGEWIRE_WAITING_TRUV_LINK.truv_link": schema.AdvisoriesStream,
		advisory + "MSG_TERMINATED.WAGEWIRE_WAITING_TRUV_LINK.truv_link": schema.AdvisoriesStream,
		advisory + "MAX_DELIVERIES.WAGEWIRE_EVENTS.truv_link":            schema.AdvisoriesStream,
		advisory + "MSG_TERMINATED.WAGEWIRE_EVENTS.truv_link":            schema.AdvisoriesStream,
	} {
		var got []string
		for _, s := range schema.DefaultTopology().AllStreams() {
			for _, filter := range s.Subjects {
				if matches(filter, subject) {
					got = append(got, s.Name)
				}
			}
		}
		compare(t, "streams of "+subject, []string{want}, got)
	}
}

func TestWaitingEventsAreKeptAsLongAsEvents(t *testing.T) {
	topology := schema.DefaultTopology()
	for i := range topology.Streams {
		topology.Streams[i].MaxAge = time.Duration(i+3) * time.Hour
	}
	for _, s := range topology.WaitingStreams() {
		if s.MaxAge != topology.Streams[0].MaxAge {
			t.Errorf("%s keeps messages for %s", s.Name, s.MaxAge)
		}
	}
}

func TestASubjectOfAWaitingEventNamesItsQueue(t *testing.T) {
	e := employmentAdded()
	for subject, want := range map[string]string{
		e.WaitingSubject("truv_link"):               "truv_link",
		schema.RetriesSubject("truv_erasures", "a"): "truv_erasures",
		schema.ReplaysSubject("truv_link", "a"):     "truv_link",
		e.Subject():                                 "",
		schema.DeadLetterSubject("truv_link", "a"):  "",
		schema.FormerWaitingStream:                  "",
		"acme.waiting.truv_link.a.b":                "",
	} {
		if got := schema.WaitingQueue(subject); got != want {
			t.Errorf("%s: queue %q, want %q", subject, got, want)
		}
	}
}

func TestTheLimitsAgreeWithEachOther(t *testing.T) {
	topology := schema.DefaultTopology()
	events := streamOf(t, schema.EventsStream)
	completions := streamOf(t, schema.CompletionsStream)
	deadLetters := streamOf(t, schema.DeadLettersStream)
	advisories := streamOf(t, schema.AdvisoriesStream)
	waiting := streamOf(t, "WAGEWIRE_WAITING_TRUV_LINK")
	const bodyMax = 896 << 10
	const brokerMax = 1 << 20
	for promise, holds := range map[string]bool{
		"a lease survives lost heartbeats":        schema.HeartbeatsPerLease >= 3,
		"an event is kept past the ladder":        events.MaxAge > ladderFor,
		"a completion outlives its deliveries":    completions.MaxAge > events.MaxAge+ladderFor,
		"records outlive their completion":        topology.Records.MaxAge >= completions.MaxAge,
		"a dead letter outlives its event":        deadLetters.MaxAge > events.MaxAge,
		"an advisory is kept with its event":      advisories.MaxAge >= events.MaxAge,
		"the ids of a day are known":              events.Duplicates >= 24*time.Hour,
		"the events' stream limits a message":     events.MessageMax > 0,
		"the largest webhook fits":                events.MessageMax >= bodyMax+4*schema.IDBytesMax,
		"a dead letter fits the broker's default": schema.EventBytesMax+4<<10 < brokerMax,
		"a completion fits the broker's default":  schema.CompletionBytesMax < brokerMax,
		"a completion is created once":            completions.CreateOnce,
		"a tombstone may outlive completions":     completions.MessageTTL,
		"deliveries are a net, not a ladder":      schema.DeliveriesMax > 2*schema.DeliveriesInPlace,
		"a waiting event outlives its ladder":     waiting.MaxAge > ladderFor,
		"a waiting event is kept with its event":  waiting.MaxAge == events.MaxAge,
		"a queue has room for a bad day":          schema.PendingMax >= 10_000,
		"one server is enough by default":         topology.Replicas == 1,
	} {
		if !holds {
			t.Errorf("it does not hold that %s", promise)
		}
	}
}

func TestAStream(t *testing.T) {
	want := []string{
		schema.EventsStream, schema.CompletionsStream, schema.AccountsStream,
		schema.DeadLettersStream, schema.QuarantineStream, schema.PausesStream,
		schema.ClosuresStream, schema.ReportsStream, schema.BudgetsStream,
		schema.AdvisoriesStream,
		"WAGEWIRE_WAITING_PINWHEEL_EMPLOYMENT", "WAGEWIRE_WAITING_PINWHEEL_IDENTITY",
		"WAGEWIRE_WAITING_PINWHEEL_INCOME", "WAGEWIRE_WAITING_PINWHEEL_PAYSTUBS",
		"WAGEWIRE_WAITING_PINWHEEL_SHIFTS", "WAGEWIRE_WAITING_PINWHEEL_VERIFICATION_REPORTS",
		"WAGEWIRE_WAITING_PINWHEEL_LINK", "WAGEWIRE_WAITING_PINWHEEL_NOTICES",
		"WAGEWIRE_WAITING_PINWHEEL_TAX_FORMS", "WAGEWIRE_WAITING_PINWHEEL_BANK_ACCOUNTS",
		"WAGEWIRE_WAITING_TRUV_EMPLOYMENT", "WAGEWIRE_WAITING_TRUV_INCOME",
		"WAGEWIRE_WAITING_TRUV_IDENTITY", "WAGEWIRE_WAITING_TRUV_PAYSTUBS",
		"WAGEWIRE_WAITING_TRUV_SHIFTS", "WAGEWIRE_WAITING_TRUV_BANK_ACCOUNTS",
		"WAGEWIRE_WAITING_TRUV_VERIFICATION_REPORTS", "WAGEWIRE_WAITING_TRUV_LINK",
		"WAGEWIRE_WAITING_TRUV_ERASURES",
	}
	var got []string
	topology := schema.DefaultTopology()
	for _, s := range append(topology.AllStreams(), topology.Records) {
		if s.Name != schema.RecordsBucket {
			got = append(got, s.Name)
		}
		isCompletions := s.Name == schema.CompletionsStream
		isAccounts := s.Name == schema.AccountsStream
		isBucket := s.Name == schema.RecordsBucket
		for promise, holds := range map[string]bool{
			"says why it is there":                      s.Why != "",
			"forgets a message id before the message":   s.Duplicates <= s.MaxAge || s.MaxAge == 0,
			"knows the ids of its messages for a while": s.Duplicates > 0 || isBucket,
			"has an end in time, unless each message or account has one": s.MaxAge > 0 ||
				s.MessageTTL || isAccounts,
			"is read without its leader if it holds accounts": s.Direct == isAccounts,
			"has an end in space, unless it holds schedules or closures": s.MaxBytes > 0 ||
				s.Schedules || s.LastOnly || s.Name == schema.ClosuresStream,
			"has subjects": len(s.Subjects) > 0 || isBucket,
			"takes one message a subject for completions only": s.CreateOnce == isCompletions,
		} {
			if !holds {
				t.Errorf("it does not hold that stream %s %s", s.Name, promise)
			}
		}
	}
	compare(t, "streams", want, got)
}

func TestATopologyIsTheCallersOwn(t *testing.T) {
	before := schema.DefaultTopology()
	before.Streams[0].Subjects[0] = "changed"
	before.Queues[0].Subjects[0] = "changed"
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
