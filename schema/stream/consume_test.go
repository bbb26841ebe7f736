package stream_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
	"github.com/wagewire/wagewire/schema/stream/streamtest"
)

var paystubsQueue = queueOf(schema.Paystubs)

func numbered(first, n int) (events []schema.Event) {
	for i := range n {
		events = append(events, paystubs(fmt.Sprint(first+i), "account"))
	}
	return events
}

// observed opens a connection whose log the test can read.
func observed(t *testing.T, s *streamtest.Server) (*stream.Conn, *observer.ObservedLogs) {
	t.Helper()
	core, logs := observer.New(zap.InfoLevel)
	c, err := stream.Connect(stream.Config{URL: s.URL()}, t.Name(), zap.New(core))
	must(t, err)
	t.Cleanup(c.Close)
	return c, logs
}

// saysWhatToRun reports whether a log line has the cure for a missing queue.
func saysWhatToRun(line observer.LoggedEntry) bool {
	return strings.Contains(fmt.Sprint(line.ContextMap()["error"]), "run: wagewire provision apply")
}

func TestADeliveryWithoutItsHandIsFollowedByAnother(t *testing.T) {
	t.Parallel()
	s, c := streamtest.New(t)
	publish(t, c, numbered(0, 3)...)
	jobs, end, returned := hold(t, c, paystubsQueue, 1)
	first := next(t, "the first delivery", jobs)
	first.FreeHand()
	second := next(t, "a delivery beside the first", jobs)
	second.FreeHand() // one hand, so one delivery without
	if n := look(t, s).queue(paystubsQueue).NumAckPending; n != 2 {
		t.Errorf("%d events are taken, want 2", n)
	}
	must(t, first.Done())
	first.release()
	second.release()
	third := next(t, "a delivery after both", jobs)
	end()
	must(t, second.Done())
	must(t, third.Done())
	third.release()
	next(t, "Consume returns", returned)
}

func TestConsumeDeliversEachEventOnceAndTakesNothingAhead(t *testing.T) {
	t.Parallel()
	s, c := streamtest.New(t)
	b := look(t, s)
	const events, concurrency = 40, 3
	publish(t, c, numbered(0, events)...)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var mu sync.Mutex
	seen := map[string]int{}
	working := atomic.Int32{}
	taking := stream.Taking{Hands: concurrency}
	must(t, c.Queue(paystubsQueue).Consume(ctx, taking, func(d *stream.Delivery) {
		defer working.Add(-1)
		if n := working.Add(1); n > concurrency {
			t.Errorf("%d at a time, want %d", n, concurrency)
		}
		if n := b.queue(paystubsQueue).NumAckPending; n > concurrency {
			t.Errorf("%d events taken, want at most %d", n, concurrency)
		}
		if d.Err != nil || d.Attempt() != 1 ||
			d.Queue.Name != "pinwheel_paystubs" || d.Account != "account" {
			t.Errorf("delivery %+v", d)
		}
		if err := d.Done(); err != nil {
			t.Error(err)
		}
		mu.Lock()
		defer mu.Unlock()
		if seen[d.Event.ID]++; len(seen) == events {
			cancel()
		}
	}))
	for id, n := range seen {
		if n != 1 {
			t.Errorf("event %s was delivered %d times", id, n)
		}
	}
	if info := b.queue(paystubsQueue); info.NumAckPending != 0 || info.NumPending != 0 {
		t.Errorf("%d events on lease, %d to come; want none", info.NumAckPending, info.NumPending)
	}
}

func TestEveryQueueGetsItsOwnEvents(t *testing.T) {
	t.Parallel()
	_, c := streamtest.New(t)
	e := paystubs("full", "account")
	e.Type, e.Action = "paystubs.fully_synced", schema.ActionFullySynced
	publish(t, c, numbered(0, 1)...)
	publish(t, c, link("deleted", "account", schema.ActionDeleted), e,
		link("connected", "account", schema.ActionConnected))
	for _, test := range []struct {
		queue schema.Queue
		ids   []string
	}{
		{queueOf(schema.Paystubs), []string{"0", "full"}},
		{queueOf(schema.Income), []string{"full"}},
		{queueOf(schema.Link), []string{"connected"}},
		{queueNamed(schema.ErasuresName(schema.Truv)), []string{"deleted"}},
	} {
		jobs, end, returned := hold(t, c, test.queue, 1)
		for _, id := range test.ids {
			j := next(t, "delivery", jobs)
			if j.Err != nil || j.Event.ID != id {
				t.Errorf("%s got %q, %v; want %q", test.queue.Name, j.Event.ID, j.Err, id)
			}
			must(t, j.Done())
			j.release()
		}
		end()
		next(t, "Consume returns", returned)
	}
}

// Each round stops a worker while events are on the way. An event that is not given back would come
// again only after its lease of a day, and the test would not end.
func TestConsumeGivesBackTheEventsItHasNotBegun(t *testing.T) {
	t.Parallel()
	s, c := start(t, func(topology *schema.Topology) { topology.Lease = 24 * time.Hour })
	b := look(t, s)
	const rounds = 8
	seen := sync.Map{}
	count := atomic.Int32{}
	for round := range rounds {
		ctx, cancel := context.WithCancel(t.Context())
		var all sync.WaitGroup
		all.Go(func() {
			taking := stream.Taking{Hands: 8}
			must(t, c.Queue(paystubsQueue).Consume(ctx, taking, func(d *stream.Delivery) {
				cancel() // the other goroutines of Consume ask for an event, or are about to
				if err := d.Done(); err != nil {
					t.Error(err)
				}
				if _, twice := seen.LoadOrStore(d.Event.ID, true); !twice {
					count.Add(1)
				}
			}))
		})
		publish(t, c, numbered(round*8, 8)...)
		all.Wait()
		cancel()
	}
	t.Logf("%d of %d events were begun", count.Load(), rounds*8)
	jobs, end, returned := hold(t, c, paystubsQueue, 8)
	for count.Load() < rounds*8 {
		j := next(t, "an event that was given back", jobs)
		must(t, j.Done())
		j.release()
		if _, twice := seen.LoadOrStore(j.Event.ID, true); !twice {
			count.Add(1)
		}
	}
	end()
	next(t, "Consume returns", returned)
	if n := b.queue(paystubsQueue).NumAckPending; n != 0 {
		t.Errorf("%d events on lease", n)
	}
}

func TestConsumeWaitsForTheWorkInHand(t *testing.T) {
	t.Parallel()
	s, c := streamtest.New(t)
	publish(t, c, numbered(0, 3)...)
	jobs, end, returned := hold(t, c, paystubsQueue, 2)
	first, second := next(t, "delivery", jobs), next(t, "delivery", jobs)
	end()
	none(t, "Consume returned with work in hand", returned)
	must(t, first.Done())
	first.release()
	none(t, "Consume returned with work in hand", returned)
	must(t, second.Done())
	second.release()
	next(t, "Consume returns", returned)
	none(t, "an event was begun after the end", jobs)
	info := look(t, s).queue(paystubsQueue)
	if info.NumAckPending != 0 || info.NumPending+uint64(info.NumRedelivered) != 1 {
		t.Errorf("%d on lease, %d to come; want the third to come",
			info.NumAckPending, info.NumPending)
	}
}

func TestConsumeEndsWithoutABroker(t *testing.T) {
	t.Parallel()
	s, c := streamtest.New(t)
	publish(t, c, numbered(0, 1)...)
	jobs, end, returned := hold(t, c, paystubsQueue, 4)
	j := next(t, "delivery", jobs)
	s.Stop()
	streamtest.Eventually(t, "disconnected", func() bool { return c.Connected() != nil })
	if err := j.Done(); err == nil {
		t.Error("Done without a broker is nil")
	}
	j.release()
	end()
	next(t, "Consume returns", returned)
}

func TestAnEventThatIsGivenBackIsDeliveredAgainAtOnceAndUsesNothingUp(t *testing.T) {
	t.Parallel()
	s, c := streamtest.New(t)
	publish(t, c, numbered(0, 1)...)
	jobs, _, _ := holdTaking(t, c, paystubsQueue, stream.Taking{Hands: 1, RetryHands: 1})
	// Far more often than the broker delivers one message.
	for i := range 3 * schema.DeliveriesMax {
		j := next(t, "delivery", jobs)
		if j.Err != nil || j.Event.ID != "0" || j.Sequence != 1 || j.Attempt() != 1 {
			t.Fatalf("delivery %d: event %s (%d), attempt %d, error %v",
				i, j.Event.ID, j.Sequence, j.Attempt(), j.Err)
		}
		must(t, j.GiveBack())
		j.release()
	}
	j := next(t, "delivery", jobs)
	must(t, j.Done())
	if err := j.GiveBack(); err == nil {
		t.Error("settled twice without an error")
	}
	j.release()
	if all := look(t, s).all(schema.AdvisoriesStream, ">"); len(all) != 0 {
		t.Errorf("%d advisories: deliveries ran out", len(all))
	}
}

func TestDoneIsFinal(t *testing.T) {
	t.Parallel()
	s, c := streamtest.New(t)
	publish(t, c, numbered(0, 1)...)
	jobs, end, returned := hold(t, c, paystubsQueue, 1)
	j := next(t, "delivery", jobs)
	must(t, j.Done())
	info := look(t, s).queue(paystubsQueue)
	if info.NumAckPending != 0 || info.AckFloor.Stream != 1 {
		t.Errorf("Done returned before the broker knew: %d on lease", info.NumAckPending)
	}
	for how, settle := range map[string]func() error{
		"Done": j.Done, "GiveBack": j.GiveBack, "Never": func() error {
			return j.Never(schema.ReasonPanic)
		},
	} {
		if err := settle(); !errors.Is(err, jetstream.ErrMsgAlreadyAckd) {
			t.Errorf("%s after Done: %v", how, err)
		}
	}
	j.release()
	end()
	next(t, "Consume returns", returned)
	s.Stop()
	must(t, s.Restart())
	jobs, _, _ = hold(t, c, paystubsQueue, 1)
	streamtest.Eventually(t, "connected again", func() bool { return c.Connected() == nil })
	publish(t, c, numbered(1, 1)...)
	j = next(t, "delivery", jobs)
	if j.Event.ID != "1" {
		t.Errorf("after a restart event %s is delivered again", j.Event.ID)
	}
	must(t, j.Done())
}

func TestNeverEndsDeliveriesKeepsTheEventAndIsAdvised(t *testing.T) {
	t.Parallel()
	s, c := streamtest.New(t)
	b := look(t, s)
	publish(t, c, numbered(0, 2)...)
	jobs, _, _ := hold(t, c, paystubsQueue, 1)
	j := next(t, "delivery", jobs)
	must(t, j.Never(schema.ReasonContract))
	j.release()
	if j = next(t, "delivery", jobs); j.Event.ID != "1" {
		t.Errorf("event %s is delivered, want the next", j.Event.ID)
	}
	must(t, j.Done())
	j.release()
	streamtest.Eventually(t, "the broker's advisory", func() bool {
		return b.state(schema.AdvisoriesStream).Msgs == 1
	})
	m := b.all(schema.AdvisoriesStream, ">")[0]
	var advisory struct {
		Reason   string
		Sequence uint64 `json:"stream_seq"`
	}
	must(t, json.Unmarshal(m.Data, &advisory))
	if !strings.HasSuffix(m.Subject, ".MSG_TERMINATED.WAGEWIRE_EVENTS.pinwheel_paystubs") ||
		advisory.Reason != "contract_broken" || advisory.Sequence != 1 {
		t.Errorf("on %s: %s", m.Subject, m.Data)
	}
	info := b.queue(paystubsQueue)
	events := b.state(schema.EventsStream).Msgs
	if info.NumAckPending != 0 || info.NumPending != 0 || events != 2 {
		t.Errorf("%d on lease, %d to come, %d on the stream",
			info.NumAckPending, info.NumPending, events)
	}
}

// The test reads the heartbeats. It does not claim that the broker delivers the event only once: on
// a busy machine a heartbeat may come too late for a lease this short.
func TestHeartbeatsKeepTheLease(t *testing.T) {
	t.Parallel()
	s, c := streamtest.New(t)
	b := look(t, s)
	config := b.queue(paystubsQueue).Config
	config.AckWait = 300 * time.Millisecond
	_, err := b.UpdateConsumer(t.Context(), schema.EventsStream, config)
	must(t, err)
	nc, err := nats.Connect(s.URL())
	must(t, err)
	defer nc.Close()
	beats := make(chan *nats.Msg, 100)
	_, err = nc.ChanSubscribe("$JS.ACK."+schema.EventsStream+"."+paystubsQueue.Name+".>", beats)
	must(t, err)
	must(t, nc.FlushTimeout(time.Hour))
	publish(t, c, numbered(0, 1)...)
	jobs, _, _ := hold(t, c, paystubsQueue, 1)
	j := next(t, "delivery", jobs)
	for range schema.HeartbeatsPerLease * 2 {
		if beat := next(t, "a heartbeat", beats); string(beat.Data) != "+WPI" {
			t.Fatalf("the broker got %q while work had the event", beat.Data)
		}
	}
	must(t, j.Done())
}

func TestLeaseOfADeadWorkerEnds(t *testing.T) {
	t.Parallel()
	s, c := streamtest.New(t)
	b := look(t, s)
	config := b.queue(paystubsQueue).Config
	config.AckWait = 300 * time.Millisecond
	_, err := b.UpdateConsumer(t.Context(), schema.EventsStream, config)
	must(t, err)
	publish(t, c, numbered(0, 1)...)
	dead, err := b.Consumer(t.Context(), schema.EventsStream, paystubsQueue.Name)
	must(t, err)
	streamtest.Eventually(t, "the dead worker has the event", func() bool {
		_, err := dead.Next(jetstream.FetchMaxWait(time.Second))
		return err == nil
	})
	jobs, _, _ := hold(t, c, paystubsQueue, 1)
	j := next(t, "delivery", jobs)
	if j.Deliveries < 2 || j.Attempt() != 1 {
		t.Errorf("delivery %d, attempt %d: want a later delivery of the first attempt",
			j.Deliveries, j.Attempt())
	}
	j.release()
}

func TestConsumeWaitsForAQueueThatIsNotThere(t *testing.T) {
	t.Parallel()
	for promise, prepare := range map[string]func(*schema.Topology){
		"without a stream": func(topology *schema.Topology) {
			topology.Streams = topology.Streams[1:]
			topology.Queues = nil
		},
		"without a queue": func(topology *schema.Topology) { topology.Queues = nil },
	} {
		t.Run(promise, func(t *testing.T) {
			t.Parallel()
			s, _ := start(t, prepare)
			c, logs := observed(t, s)
			jobs, _, _ := hold(t, c, paystubsQueue, 4)
			streamtest.Eventually(t, "the log says what to do", func() bool {
				return logs.FilterMessage("queue not served").Len() > 0
			})
			streamtest.Provision(t, c, streamtest.Topology())
			publish(t, c, numbered(0, 1)...)
			must(t, next(t, "delivery", jobs).Done())
			lines := logs.FilterMessage("queue not served").All()
			if len(lines) != 1 || !saysWhatToRun(lines[0]) {
				t.Errorf("the log has %+v", lines)
			}
		})
	}
}

func TestConsumeGoesOnWhenItsQueueWasDeletedAndProvisionedAgain(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		promise string
		inHand  bool
		remove  func(context.Context, broker) error
	}{
		{"while it waits", false, func(ctx context.Context, b broker) error {
			return b.DeleteConsumer(ctx, schema.EventsStream, paystubsQueue.Name)
		}},
		{"while it works", true, func(ctx context.Context, b broker) error {
			return b.DeleteConsumer(ctx, schema.EventsStream, paystubsQueue.Name)
		}},
		{"with its stream", false, func(ctx context.Context, b broker) error {
			return b.DeleteStream(ctx, schema.EventsStream)
		}},
	} {
		t.Run(test.promise, func(t *testing.T) {
			t.Parallel()
			s, _ := streamtest.New(t)
			b := look(t, s)
			c, logs := observed(t, s)
			jobs, _, _ := hold(t, c, paystubsQueue, 1)
			publish(t, c, numbered(0, 1)...)
			j := next(t, "delivery", jobs)
			if !test.inHand {
				must(t, j.Done())
				j.release()
				streamtest.Eventually(t, "it waits", func() bool {
					return b.queue(paystubsQueue).NumWaiting == 1
				})
			}
			must(t, test.remove(t.Context(), b))
			j.release()
			streamtest.Eventually(t, "the log says what to do", func() bool {
				lines := logs.FilterMessage("queue not served").All()
				return slices.ContainsFunc(lines, saysWhatToRun)
			})
			streamtest.Provision(t, c, streamtest.Topology())
			publish(t, c, numbered(1, 1)...)
			for {
				j := next(t, "delivery", jobs)
				must(t, j.Done())
				j.release()
				if j.Event.ID == "1" {
					return
				}
			}
		})
	}
}

func TestConsumeGoesOnWhenTheServerRestartsAndStillTakesNothingAhead(t *testing.T) {
	t.Parallel()
	s, c := streamtest.New(t)
	b := look(t, s)
	const concurrency, events = 3, 24
	publish(t, c, numbered(0, events)...)
	jobs, end, returned := hold(t, c, paystubsQueue, concurrency)
	var held []job
	for range concurrency {
		held = append(held, next(t, "delivery", jobs))
	}
	for range 3 {
		s.Stop()
		streamtest.Eventually(t, "disconnected", func() bool { return c.Connected() != nil })
		must(t, s.Restart())
		streamtest.Eventually(t, "connected again", func() bool {
			return c.Connected() == nil && b.nats.IsConnected()
		})
	}
	seen := map[string]bool{}
	for {
		if n := b.queue(paystubsQueue).NumAckPending; n > concurrency {
			t.Errorf("%d events taken, want at most %d", n, concurrency)
		}
		j := held[0]
		must(t, j.Done())
		j.release()
		if seen[j.Event.ID] {
			t.Errorf("event %s was delivered twice", j.Event.ID)
		}
		seen[j.Event.ID] = true
		held = held[1:]
		if len(seen)+len(held) < events {
			held = append(held, next(t, "delivery", jobs))
		}
		if len(seen) == events {
			break
		}
	}
	end()
	next(t, "Consume returns", returned)

	// And while it waits.
	jobs, _, _ = hold(t, c, paystubsQueue, concurrency)
	streamtest.Eventually(t, "it waits", func() bool {
		return b.queue(paystubsQueue).NumWaiting == 1
	})
	s.Stop()
	must(t, s.Restart())
	streamtest.Eventually(t, "connected again", func() bool {
		return c.Connected() == nil && b.nats.IsConnected()
	})
	publish(t, c, numbered(events, concurrency)...)
	for range concurrency {
		must(t, next(t, "delivery", jobs).Done())
	}
}

func TestAMessageThatIsNoEventIsDeliveredWithAnError(t *testing.T) {
	t.Parallel()
	s, c := streamtest.New(t)
	b := look(t, s)
	publish(t, c, numbered(0, 1)...)
	good := b.all(schema.EventsStream, ">")[0]
	jobs, _, _ := hold(t, c, paystubsQueue, 1)
	first := next(t, "delivery", jobs)
	must(t, first.Done())
	first.release()
	type headers = func(nats.Header) nats.Header
	set := func(key, value string) headers {
		return func(h nats.Header) nats.Header {
			h.Set(key, value)
			return h
		}
	}
	without := func(key string) headers {
		return func(h nats.Header) nats.Header {
			h.Del(key)
			return h
		}
	}
	otherAccount := "wagewire.events.pinwheel.paystubs.added.other"
	for _, test := range []struct {
		promise string
		subject string
		header  headers
		body    string
		says    string
	}{
		{"no header at all", "", func(nats.Header) nats.Header { return nil }, "", "ce-time"},
		{"an unreadable time", "", set("ce-time", "yesterday"), "", "header ce-time"},
		{"no time of receipt", "", without("Wagewire-Received-At"), "", "Wagewire-Received-At"},
		{"a broken encoding in the id", "", set("ce-id", "%zz"), "", "header ce-id"},
		{"no id", "", without("ce-id"), "", "the id is empty"},
		{"another type", "", set("ce-type", "pinwheel.income.added"), "", "not the catalogue's"},
		{"another account in the subject", otherAccount, nil, "", "not the body's"},
		{"another body", "", nil, `{"payload":{"account_id":"account"}} `, "Wagewire-Body-Sha256"},
		{"a body that is no JSON", "", nil, `{`, "payload.account_id"},
		{"no body", "", nil, " ", "payload.account_id"},
		{"a header of the broker's", "", func(h nats.Header) nats.Header {
			last := fmt.Sprint(b.state(schema.EventsStream).LastSeq)
			h.Set("Nats-Expected-Last-Sequence", last)
			h.Set("ce-time", "")
			return h
		}, "", "header ce-time"},
	} {
		t.Run(test.promise, func(t *testing.T) {
			msg := &nats.Msg{Subject: good.Subject, Data: good.Data, Header: nats.Header{}}
			for key, values := range good.Header {
				if !strings.HasPrefix(key, "Nats-") {
					msg.Header[key] = values
				}
			}
			if test.subject != "" {
				msg.Subject = test.subject
			}
			if test.header != nil {
				msg.Header = test.header(msg.Header)
			}
			if test.body != "" {
				msg.Data = []byte(test.body)
			}
			ack, err := b.PublishMsg(t.Context(), msg)
			must(t, err)
			j := next(t, "delivery", jobs)
			if j.Err == nil || !strings.Contains(j.Err.Error(), test.says) {
				t.Errorf("error %v, want one that says %q", j.Err, test.says)
			}
			if j.Sequence != ack.Sequence || j.Attempt() != 1 || j.Account == "" ||
				j.Event.Provider != schema.Pinwheel || j.Event.Resource != schema.Paystubs {
				t.Errorf("delivery %+v", j.Delivery)
			}
			letter := j.DeadLetter(schema.ClassPoison, schema.ReasonUndecodable, received)
			must(t, c.PublishDeadLetter(t.Context(), letter))
			must(t, j.Never(schema.ReasonUndecodable))
			j.release()
		})
	}
}
