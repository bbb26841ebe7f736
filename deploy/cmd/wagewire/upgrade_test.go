package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/wagewire/wagewire/ingress/webhook"
	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
	"github.com/wagewire/wagewire/schema/stream/streamtest"
)

// newFormerBench starts a broker with the streams and queues of the last release that only stored
// Truv's events of data. The file has them as the broker described them.
func newFormerBench(t *testing.T) *bench {
	t.Helper()
	t.Parallel()
	s := startBroker(t)
	nc, err := nats.Connect(s.URL())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{T: t, server: s, conn: stream.NewOperator(s.Connect(t)), js: js}
	for _, one := range b.formerStreams() {
		_, err := js.CreateStream(t.Context(), one.Stream)
		b.must(err)
		for _, c := range one.Consumers {
			_, err := js.CreateConsumer(t.Context(), one.Stream.Name, c)
			b.must(err)
		}
	}
	return b
}

// formerStream is a stream of the former release, with its consumers.
type formerStream struct {
	Stream    jetstream.StreamConfig
	Consumers []jetstream.ConsumerConfig
}

func (b *bench) formerStreams() []formerStream {
	b.Helper()
	text, err := os.ReadFile("testdata/topology-without-truv.json")
	b.must(err)
	var streams []formerStream
	b.must(json.Unmarshal(text, &streams))
	return streams
}

// formerTopology is what the former release asks of the broker.
func (b *bench) formerTopology() schema.Topology {
	b.Helper()
	subjects := map[string][]string{}
	filters := map[string][]string{}
	for _, one := range b.formerStreams() {
		subjects[one.Stream.Name] = one.Stream.Subjects
		if one.Stream.Name == schema.EventsStream {
			for _, c := range one.Consumers {
				filters[c.Durable] = c.FilterSubjects
			}
		}
	}
	topology := streamtest.Topology()
	streams := topology.Streams
	topology.Streams = nil
	for _, s := range streams {
		s.Subjects = subjects[s.Name]
		topology.Streams = append(topology.Streams, s)
	}
	queues := topology.Queues
	topology.Queues = nil
	for _, q := range queues {
		if former, ok := filters[q.Name]; ok {
			q.Subjects = former
			topology.Queues = append(topology.Queues, q)
		}
	}
	return topology
}

// named is an event with the least that a provider sends.
func (b *bench) named(p schema.Provider, of, id string) schema.Event {
	b.Helper()
	body := fmt.Sprintf(`{"webhook_id":%q,"event_type":%q,"link_id":"a-1"}`, id, of)
	if p == schema.Pinwheel {
		body = fmt.Sprintf(`{"event_id":%q,"event":%q,"payload":{"account_id":"a-1"}}`, id, of)
	}
	e, err := webhook.Parse(webhook.Received{Provider: p, Body: []byte(body), At: receivedAt})
	b.must(err)
	return e
}

// takes takes the next event of a queue, as a worker does.
func (b *bench) takes(queue string) jetstream.Msg {
	b.Helper()
	consumer, err := b.js.Consumer(b.Context(), schema.EventsStream, queue)
	b.must(err)
	msg, err := consumer.Next(jetstream.FetchMaxWait(5 * time.Minute))
	b.must(err)
	return msg
}

// state is what a queue has left of the events stream.
type state struct{ pending, inHand int }

func (b *bench) stateOf(queue string) state {
	b.Helper()
	consumer, err := b.js.Consumer(b.Context(), schema.EventsStream, queue)
	b.must(err)
	info, err := consumer.Info(b.Context())
	b.must(err)
	return state{int(info.NumPending), info.NumAckPending}
}

func TestAnUpgradeDeliversWhatWasOnlyStored(t *testing.T) {
	b := newFormerBench(t)
	b.publish(
		b.named(schema.Truv, "employment-created", "employment"),
		b.named(schema.Truv, "statements-created", "statements-1"),
		b.named(schema.Pinwheel, "paystubs.documents.added", "documents"),
		b.named(schema.Pinwheel, "tax_forms.added", "forms"),
		b.named(schema.Pinwheel, "paystubs.added", "done"),
		b.named(schema.Pinwheel, "paystubs.added", "in-hand"),
		b.named(schema.Pinwheel, "paystubs.added", "ready"),
		b.named(schema.Truv, "statements-updated", "statements-2"),
		b.named(schema.Truv, "link-connected", "link"),
	)
	b.must(b.takes("pinwheel_paystubs").DoubleAck(t.Context()))
	inHand := b.takes("pinwheel_paystubs")
	b.must(b.takes("truv_link").DoubleAck(t.Context()))
	b.must(b.takes("pinwheel_notices").DoubleAck(t.Context()))

	plan := b.runs(0, "provision", "plan").stdout
	contains(t, plan, "+ queue truv_paystubs\n", "+ queue truv_employment\n",
		"+ queue pinwheel_tax_forms\n", "~ queue pinwheel_paystubs\n",
		"queue truv_paystubs begins with 2 stored events\n",
		"queue truv_employment begins with 1 stored event\n",
		"before the workers start: wagewire pause pinwheel_tax_forms truv_employment truv_income "+
			"truv_paystubs\n")
	b.runs(0, "provision", "apply")
	contains(t, b.runs(0, "provision", "plan").stdout, "nothing to change\n")

	want := map[string]state{
		"truv_employment": {1, 0}, "truv_income": {1, 0}, "truv_paystubs": {2, 0},
		"truv_identity": {0, 0}, "truv_shifts": {0, 0}, "truv_bank_accounts": {0, 0},
		"truv_verification_reports": {0, 0}, "truv_link": {0, 0},
		"pinwheel_tax_forms": {1, 0}, "pinwheel_bank_accounts": {0, 0},
		"pinwheel_notices": {1, 0}, "pinwheel_paystubs": {1, 1},
	}
	got := map[string]state{}
	for queue := range want {
		got[queue] = b.stateOf(queue)
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(state{})); diff != "" {
		t.Errorf("what the queues have left (-want +got):\n%s", diff)
	}
	b.must(inHand.DoubleAck(t.Context())) // the delivery of before the upgrade still counts
	ready := b.takes("pinwheel_paystubs")
	if id := ready.Headers().Get("ce-id"); id != "ready" {
		t.Errorf("the next event is %s, want ready", id)
	}
	b.must(ready.DoubleAck(t.Context()))
	if id := b.takes("truv_paystubs").Headers().Get("ce-id"); id != "statements-1" {
		t.Errorf("the first event of the new queue is %s, want the oldest", id)
	}

	// The position of this queue is behind the event that it has only now begun to read.
	one := b.runs(0, "replay", "--queue", "pinwheel_paystubs", "--type",
		"paystubs.documents.added", "--yes")
	contains(t, one.stdout, "pinwheel:documents:r1  paystubs.documents.added\n")
	contains(t, one.stderr, "sent 1 to pinwheel_paystubs, left out 0\n")
	all := b.runs(0, "replay", "--queue", "truv_paystubs", "--since", "all", "--yes")
	contains(t, all.stderr, "sent 2 to truv_paystubs, left out 0\n")
}

func TestAPlanSaysHowLongTheStoredEventsTakeAtLeast(t *testing.T) {
	b := newFormerBench(t)
	for i := range 11 {
		b.publish(b.named(schema.Truv, "profile-created", fmt.Sprintf("p-%d", i)))
	}
	b.publish(b.named(schema.Truv, "shifts-created", "s-1"))
	contains(t, b.runs(0, "provision", "plan").stdout,
		"queue truv_identity begins with 11 stored events\n")
	budget := b.conn.Budget(schema.Truv)
	now, err := budget.Now(t.Context())
	b.must(err)
	_, _, err = budget.Swap(t.Context(), schema.Budget{}.WithHold(5, now, now, 0), 0)
	b.must(err)
	contains(t, b.runs(0, "provision", "plan").stdout,
		"queue truv_identity begins with 11 stored events: with one call each, "+
			"3s at 5 calls a second\n",
		"queue truv_shifts begins with 1 stored event\n")
}

// The steps of an upgrade pause the queue that gets a type more, so that no former worker takes an
// event that it cannot fetch.
func TestAPauseOfBeforeTheUpgradeKeepsNewTypesForNewWorkers(t *testing.T) {
	b := newFormerBench(t)
	b.runs(0, "pause", "pinwheel_paystubs")
	b.publish(
		b.named(schema.Pinwheel, "paystubs.added", "added"),
		b.named(schema.Pinwheel, "paystubs.documents.added", "documents"),
		b.named(schema.Truv, "statements-created", "statements"),
	)
	b.runs(0, "provision", "apply")
	b.runs(0, "pause", "truv_paystubs")
	for _, queue := range []string{"pinwheel_paystubs", "truv_paystubs"} {
		consumer, err := b.js.Consumer(t.Context(), schema.EventsStream, queue)
		b.must(err)
		if !consumer.CachedInfo().Paused {
			t.Errorf("%s gives events after the apply", queue)
		}
	}
	contains(t, b.runs(0, "resume", "pinwheel_paystubs").stdout, "pinwheel_paystubs: resumed\n")
	for _, want := range []string{"added", "documents"} {
		msg := b.takes("pinwheel_paystubs")
		if id := msg.Headers().Get("ce-id"); id != want {
			t.Errorf("the new worker takes %s, want %s", id, want)
		}
		b.must(msg.DoubleAck(t.Context()))
	}
	b.runs(0, "resume", "truv_paystubs")
	if id := b.takes("truv_paystubs").Headers().Get("ce-id"); id != "statements" {
		t.Errorf("the new queue gives %s, want statements", id)
	}
}

func TestTheWayBackNeedsNoProvision(t *testing.T) {
	b := newFormerBench(t)
	former := b.formerTopology()
	if changed := changesOf(t, b.conn, former); len(changed) > 0 {
		t.Fatalf("the former release would change its own topology:\n%s",
			strings.Join(changed, "\n"))
	}
	b.runs(0, "provision", "apply")

	changes, err := b.conn.Plan(t.Context(), former)
	b.must(err)
	var refused []string
	for _, c := range changes {
		if c.Refused != "" {
			refused = append(refused, c.What+": "+c.Refused)
		}
	}
	want := []string{"stream WAGEWIRE_ADVISORIES: subject $JS.EVENT.ADVISORY.CONSUMER." +
		"MAX_DELIVERIES.WAGEWIRE_WAITING_PINWHEEL_TAX_FORMS.> would no longer be stored"}
	if diff := cmp.Diff(want, refused); diff != "" {
		t.Errorf("what the former plan refuses (-want +got):\n%s", diff)
	}
	if err := b.conn.Apply(t.Context(), changes); !errors.Is(err, stream.ErrRefused) {
		t.Errorf("the former apply says %v", err)
	}
	contains(t, b.runs(0, "provision", "plan").stdout, "nothing to change\n")

	for _, q := range former.Queues {
		b.must(b.conn.Queue(q).Ready(t.Context())) // a former worker takes events
	}
	b.publish(
		b.named(schema.Pinwheel, "paystubs.documents.added", "documents"),
		b.named(schema.Pinwheel, "paystubs.added", "added"),
		b.named(schema.Truv, "statements-created", "statements"),
	)
	for _, want := range []string{"documents", "added"} { // also the type that it cannot fetch
		msg := b.takes("pinwheel_paystubs")
		if id := msg.Headers().Get("ce-id"); id != want {
			t.Errorf("a former worker takes %s, want %s", id, want)
		}
		b.must(msg.DoubleAck(t.Context()))
	}
	if got := b.stateOf("truv_paystubs"); got != (state{1, 0}) {
		t.Errorf("the new queue has %+v, want the event for when new workers run", got)
	}
	again := b.runs(0, "replay", "--queue", "pinwheel_paystubs", "--type",
		"paystubs.documents.added", "--yes")
	contains(t, again.stderr, "sent 1 to pinwheel_paystubs, left out 0\n")
}

// A durable that gets further filters begins to read them at its position, so a team whose durable
// changes late misses what new workers have stored until then.
func TestATeamReadsTheStoredEventsOfTruvIfItsDurableChangesFirst(t *testing.T) {
	tell := func(b *bench, e schema.Event) {
		b.Helper()
		c := schema.NewCompletion(e, schema.Paystubs, schema.Succeeded, receivedAt)
		_, err := b.conn.PublishCompletion(b.Context(), e, c)
		b.must(err)
	}
	for promise, row := range map[string]struct {
		late bool
		want []string
	}{
		"before the new workers start": {false, []string{"truv", "pinwheel"}},
		"too late":                     {true, []string{"pinwheel"}},
	} {
		t.Run(promise, func(t *testing.T) {
			b := newFormerBench(t)
			add := []string{"team", "add", "lending", "--resources", "paystubs",
				"--dir", secretsOf(t), "--yes"}
			b.runs(0, add...)
			durable, err := b.js.Consumer(t.Context(), schema.CompletionsStream, "lending")
			b.must(err)
			former := durable.CachedInfo().Config
			former.FilterSubjects = slices.DeleteFunc(former.FilterSubjects, func(f string) bool {
				return strings.Contains(f, ".truv.paystubs.")
			})
			if len(former.FilterSubjects) == len(durable.CachedInfo().Config.FilterSubjects) {
				t.Fatalf("the durable has no filter of Truv's paystubs: %v", former.FilterSubjects)
			}
			_, err = b.js.UpdateConsumer(t.Context(), schema.CompletionsStream, former)
			b.must(err)
			b.runs(0, "provision", "apply")

			if !row.late {
				b.runs(0, add...)
			}
			tell(b, b.named(schema.Truv, "statements-created", "statements"))
			tell(b, b.named(schema.Pinwheel, "paystubs.added", "paystubs"))
			var got []string
			for range row.want {
				msg, err := durable.Next(jetstream.FetchMaxWait(5 * time.Minute))
				b.must(err)
				b.must(msg.DoubleAck(t.Context()))
				got = append(got, strings.Split(msg.Subject(), ".")[2])
			}
			if row.late {
				b.runs(0, add...)
			}
			info, err := durable.Info(t.Context())
			b.must(err)
			if diff := cmp.Diff(row.want, got); diff != "" || info.NumPending > 0 {
				t.Errorf("the team gets, with %d more (-want +got):\n%s", info.NumPending, diff)
			}
		})
	}
}
