package main

import (
	"encoding/json"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/wagewire/wagewire/ingress/webhook"
	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
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
	text, err := os.ReadFile("testdata/topology-without-truv.json")
	b.must(err)
	var streams []struct {
		Stream    jetstream.StreamConfig
		Consumers []jetstream.ConsumerConfig
	}
	b.must(json.Unmarshal(text, &streams))
	for _, one := range streams {
		_, err := js.CreateStream(t.Context(), one.Stream)
		b.must(err)
		for _, c := range one.Consumers {
			_, err := js.CreateConsumer(t.Context(), one.Stream.Name, c)
			b.must(err)
		}
	}
	return b
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
