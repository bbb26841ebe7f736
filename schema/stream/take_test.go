package stream_test

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
	"github.com/wagewire/wagewire/schema/stream/streamtest"
)

// pull is a request for events, as the broker gets it.
type pull struct {
	Batch     int           `json:"batch"`
	Expires   time.Duration `json:"expires"`
	Heartbeat time.Duration `json:"idle_heartbeat"`
	Inbox     string        `json:"-"`
}

// pulls subscribes to the requests for events of a stream.
func pulls(t *testing.T, nc *nats.Conn, name string) <-chan pull {
	t.Helper()
	seen := make(chan pull, 10_000)
	_, err := nc.Subscribe("$JS.API.CONSUMER.MSG.NEXT."+name+".>", func(m *nats.Msg) {
		p := pull{Inbox: m.Reply}
		if err := json.Unmarshal(m.Data, &p); err != nil {
			t.Error(err)
		}
		seen <- p
	})
	must(t, err)
	must(t, nc.FlushTimeout(time.Hour))
	return seen
}

// inBubble runs a test with a server of its own in virtual time. What the server sends on a
// connection arrives after the lag.
func inBubble(
	t *testing.T, jetStream bool,
	test func(t *testing.T, connect func(lag time.Duration) *nats.Conn),
) {
	streamtest.InBubble(t, jetStream, func(t *testing.T, s *streamtest.BubbleServer) {
		test(t, func(lag time.Duration) *nats.Conn {
			nc, err := nats.Connect(nats.DefaultURL, nats.SetCustomDialer(slowDialer{s, lag}))
			must(t, err)
			t.Cleanup(nc.Close)
			return nc
		})
	})
}

// soon waits for the next value, up to a minute of virtual time.
func soon[T any](t *testing.T, what string, from <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-from:
	case <-time.After(time.Minute):
		t.Fatalf("nothing came in a minute: %s", what)
	}
	return v
}

func TestAnIdleQueueCostsARequestInHalfAMinute(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, c *stream.Conn, b virtualBroker) {
		asked := pulls(t, b.nats, schema.EventsStream)
		jobs, _, _ := hold(t, c, paystubsQueue, 16)
		const minutes = 10
		pass(minutes * time.Minute)
		if n := len(asked); n < 2*minutes || n > 2*minutes+1 { // the first ones are shorter
			t.Errorf("%d requests in %d minutes, want %d", n, minutes, 2*minutes)
		}
		publish(t, c, numbered(0, 40)...)
		for range 16 {
			soon(t, "an event for every hand", jobs)
		}
	})
}

// seen counts the events that were done.
type seen struct {
	ids  sync.Map
	many atomic.Int32
}

// done settles a delivery. A second delivery of an event counts once.
func (s *seen) done(t *testing.T, d *stream.Delivery) {
	if err := d.Done(); err != nil {
		t.Error(err)
	}
	if _, twice := s.ids.LoadOrStore(d.Event.ID, true); !twice {
		s.many.Add(1)
	}
}

// comeAtOnce fails the test if some of the events are not delivered. The lease is so long that an
// event on lease does not come again.
func (s *seen) comeAtOnce(t *testing.T, c *stream.Conn, events int) {
	t.Helper()
	jobs, end, returned := hold(t, c, paystubsQueue, 8)
	for s.many.Load() < int32(events) {
		j := soon(t, "an event that was given back", jobs)
		s.done(t, j.Delivery)
		j.release()
	}
	end()
	soon(t, "Consume returns", returned)
}

// A worker stops while events are on the way to it, again and again.
func TestNoEventStaysOnLeaseAfterAStop(t *testing.T) {
	for _, test := range []struct {
		promise string
		// before is how long the worker waits for events before they come.
		before time.Duration
		events int
	}{
		{"of a busy queue", 0, 16},
		{"of an idle queue", 5 * time.Second, 1},
		{"of an idle queue that gets many events", 5 * time.Second, 16},
	} {
		t.Run(test.promise, func(t *testing.T) {
			inVirtualTime(t, func(t *testing.T, c *stream.Conn, _ virtualBroker) {
				var all seen
				const rounds = 30
				for round := range rounds {
					ctx, stop := context.WithCancel(t.Context())
					var working sync.WaitGroup
					working.Go(func() {
						must(t, c.Queue(paystubsQueue).Consume(ctx, stream.Taking{Hands: 8},
							func(d *stream.Delivery) { all.done(t, d) }))
					})
					time.Sleep(test.before) //nolint:forbidigo // virtual time
					working.Go(func() {
						events := numbered(round*test.events, test.events)
						publish(t, c, events[:test.events/2]...)
						working.Go(stop)
						publish(t, c, events[test.events/2:]...)
					})
					working.Wait()
				}
				t.Logf("%d of %d events were begun", all.many.Load(), rounds*test.events)
				all.comeAtOnce(t, c, rounds*test.events)
			})
		})
	}
}

// virtualBroker reads the server of a bubble, and opens connections.
type virtualBroker struct {
	broker
	connect func(lag time.Duration) *nats.Conn
}

// inVirtualTime is inBubble with every stream and queue, and a lease of a day.
func inVirtualTime(t *testing.T, test func(*testing.T, *stream.Conn, virtualBroker)) {
	inBubble(t, true, func(t *testing.T, connect func(time.Duration) *nats.Conn) {
		c := stream.Over(t, connect(0), zap.NewNop())
		topology := streamtest.Topology()
		topology.Lease = 24 * time.Hour
		must(t, operator(c).Provision(t.Context(), topology))
		nc := connect(0)
		js, err := jetstream.New(nc)
		must(t, err)
		test(t, c, virtualBroker{broker{t, nc, js}, connect})
	})
}

// pass lets virtual time pass.
func pass(d time.Duration) {
	time.Sleep(d) //nolint:forbidigo // virtual time
	synctest.Wait()
}

// slowDialer connects to a server. What the server sends arrives after the lag.
type slowDialer struct {
	server *streamtest.BubbleServer
	lag    time.Duration
}

func (d slowDialer) Dial(network, address string) (net.Conn, error) {
	conn, err := d.server.Dial(network, address)
	return slowConn{conn, d.lag}, err
}

type slowConn struct {
	net.Conn
	lag time.Duration
}

func (c slowConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	time.Sleep(c.lag) //nolint:forbidigo // virtual time
	return n, err
}

func TestAnEventOnItsWayWhenTheWorkerStopsIsGivenBack(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, c *stream.Conn, b virtualBroker) {
		const lag = 100 * time.Millisecond
		slow := stream.Over(t, b.connect(lag), zap.NewNop())
		jobs, end, returned := hold(t, slow, paystubsQueue, 4)
		pass(time.Minute)
		publish(t, c, numbered(0, 1)...)
		pass(lag / 2)
		end()
		soon(t, "Consume returns", returned)
		none(t, "an event was begun after the end", jobs)
		jobs, _, _ = hold(t, c, paystubsQueue, 4)
		if j := soon(t, "the event", jobs); j.Deliveries != 2 {
			t.Errorf("delivery %d: the event was not on its way when the worker stopped", j.Deliveries)
		}
	})
}

// The broker keeps the long request of an idle queue while the worker connects again. If the
// request's inbox had a subscriber again and nobody read from the inbox, the next event would go
// there, and stay on lease.
func TestNoEventGoesToTheRequestOfALostConnection(t *testing.T) {
	streamtest.InBubble(t, true, func(t *testing.T, s *streamtest.BubbleServer) {
		connect := func(dialer nats.CustomDialer) *stream.Conn {
			nc, err := nats.Connect(nats.DefaultURL, nats.SetCustomDialer(dialer),
				nats.ReconnectWait(time.Second), nats.MaxReconnects(-1))
			must(t, err)
			t.Cleanup(nc.Close)
			return stream.Over(t, nc, zap.NewNop())
		}
		c := connect(s)
		topology := streamtest.Topology()
		topology.Lease = 24 * time.Hour
		must(t, operator(c).Provision(t.Context(), topology))
		worker := streamtest.NewLine(s)
		jobs, _, _ := hold(t, connect(worker), paystubsQueue, 4)
		const rounds = 150 // the order of two goroutines of the client decides
		for n := range rounds {
			pass(12 * time.Second) // the queue is idle
			worker.Cut()
			pass(5 * time.Second) // the worker is connected again
			publish(t, c, numbered(n, 1)...)
			j := soon(t, "the event", jobs)
			must(t, j.Done())
			j.release()
		}
	})
}

// switched is a gate that a test switches.
type switched struct {
	mu      sync.Mutex
	most    int
	changed chan struct{}
}

func newGate(most int) *switched { return &switched{most: most, changed: make(chan struct{})} }

func (g *switched) Admit(_, busy int) (int, <-chan struct{}) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return max(0, g.most-busy), g.changed
}

// set lets up to most events be in work.
func (g *switched) set(most int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.most = most
	close(g.changed)
	g.changed = make(chan struct{})
}

func TestAGateStopsTheTaking(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, c *stream.Conn, b virtualBroker) {
		gate := newGate(8)
		jobs, end, returned := holdTaking(t, c, paystubsQueue,
			stream.Taking{Hands: 8, Gate: gate})
		pass(time.Minute)

		gate.set(0)
		pass(time.Second)
		publish(t, c, numbered(0, 3)...)
		pass(5 * time.Minute)
		none(t, "an event came through a closed gate", jobs)
		other, err := b.Consumer(t.Context(), schema.EventsStream, paystubsQueue.Name)
		must(t, err)
		msg, err := other.Next(jetstream.FetchMaxWait(time.Second))
		must(t, err)
		meta, err := msg.Metadata()
		must(t, err)
		if meta.NumDelivered != 1 {
			t.Errorf("delivery %d to another worker, want the first", meta.NumDelivered)
		}
		must(t, msg.Nak())

		gate.set(1)
		for range 3 {
			j := soon(t, "an event through a gate for one", jobs)
			pass(5 * time.Minute)
			none(t, "a second event at the same time", jobs)
			must(t, j.Done())
			j.release()
		}
		gate.set(8)
		publish(t, c, numbered(3, 8)...)
		var held []job
		for range 8 {
			held = append(held, soon(t, "an event through an open gate", jobs))
		}
		for _, j := range held {
			must(t, j.Done())
			j.release()
		}
		end()
		soon(t, "Consume returns", returned)
	})
}

func TestAClosingGateGivesBackWhatItsRequestBrings(t *testing.T) {
	for _, test := range []struct {
		promise string
		before  time.Duration
	}{
		{"of a busy queue", 0},
		{"of an idle queue", 5 * time.Second},
	} {
		t.Run(test.promise, func(t *testing.T) {
			inVirtualTime(t, func(t *testing.T, c *stream.Conn, _ virtualBroker) {
				gate := newGate(8)
				var all seen
				ctx, stop := context.WithCancel(t.Context())
				var working sync.WaitGroup
				working.Go(func() {
					taking := stream.Taking{Hands: 8, Gate: gate}
					must(t, c.Queue(paystubsQueue).Consume(ctx, taking,
						func(d *stream.Delivery) { all.done(t, d) }))
				})
				const rounds, events = 15, 8
				for round := range rounds {
					time.Sleep(test.before) //nolint:forbidigo // virtual time
					var both sync.WaitGroup
					both.Go(func() { publish(t, c, numbered(round*events, events)...) })
					both.Go(func() { gate.set(0) })
					both.Wait()
					gate.set(8)
				}
				pass(time.Minute)
				if n := all.many.Load(); n != rounds*events {
					t.Errorf("%d events were done in a minute, want %d", n, rounds*events)
				}
				stop()
				working.Wait()
			})
		})
	}
}

// shutGate admits an event in a second, and closes before the event can come.
type shutGate struct {
	open     atomic.Bool
	mu       sync.Mutex
	admitted time.Time
}

func (g *shutGate) Admit(free, _ int) (n int, changed <-chan struct{}) {
	g.mu.Lock()
	defer g.mu.Unlock()
	next := make(chan struct{})
	switch {
	case g.open.Load():
		return free, next
	case time.Since(g.admitted) < time.Second:
		time.AfterFunc(time.Second, func() { close(next) })
		return 0, next
	default:
		g.admitted = time.Now()
		close(next)
		return 1, next
	}
}

// The requests of two lanes are open when a paused queue asks its provider again. One lane gets the
// event that asks, and the other gives its event back. This costs a delivery each time.
func TestAnEventThatIsOftenGivenBackUsesUpNoDeliveries(t *testing.T) {
	for _, test := range []struct {
		promise string
		retry   bool
	}{
		{"a fresh event", false},
		{"a retry", true},
	} {
		t.Run(test.promise, func(t *testing.T) {
			inVirtualTime(t, func(t *testing.T, c *stream.Conn, b virtualBroker) {
				e := numbered(0, 1)[0]
				publish(t, c, e)
				if test.retry {
					must(t, c.Requeue(t.Context(), paystubsQueue, e, 1))
					must(t, b.DeleteConsumer(t.Context(), schema.EventsStream, paystubsQueue.Name))
					must(t, operator(c).Provision(t.Context(), streamtest.Topology()))
				}
				gate := new(shutGate)
				ctx, stop := context.WithCancel(t.Context())
				var working sync.WaitGroup
				came := make(chan int, 1)
				working.Go(func() {
					taking := stream.Taking{Hands: 1, RetryHands: 1, ReplayHands: 1, Gate: gate}
					must(t, c.Queue(paystubsQueue).Consume(ctx, taking, func(d *stream.Delivery) {
						if !gate.open.Load() { // it came before the gate closed
							must(t, d.GiveBack())
							return
						}
						must(t, d.Done())
						came <- d.Deliveries
					}))
				})
				pass(2 * schema.EventDeliveriesMax * time.Second)
				gate.open.Store(true)
				if n := soon(t, "the event", came); n > schema.DeliveriesInPlace+1 {
					t.Errorf("it comes with delivery %d", n)
				}
				stop()
				working.Wait()
			})
		})
	}
}

func TestTheRequestsNeverAskForMoreThanTheFreeHands(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, c *stream.Conn, b virtualBroker) {
		asked := pulls(t, b.nats, schema.EventsStream)
		jobs, _, _ := hold(t, c, paystubsQueue, 3)
		publish(t, c, numbered(0, 2)...)
		held := []job{soon(t, "delivery", jobs), soon(t, "delivery", jobs)}
		pass(time.Minute)
		publish(t, c, numbered(2, 5)...)
		held = append(held, soon(t, "delivery", jobs))
		pass(time.Minute)
		for range len(asked) {
			if p := <-asked; p.Batch > 3 {
				t.Errorf("a request for %d events with 3 hands", p.Batch)
			}
		}
		pass(5 * time.Minute)
		none(t, "a request without a free hand", asked)
		if n := b.queue(paystubsQueue).NumAckPending; n != 3 {
			t.Errorf("%d events on lease, want 3", n)
		}
		for _, j := range held {
			must(t, j.Done())
			j.release()
		}
		for range 3 {
			soon(t, "the next event", jobs)
		}
		if n := b.queue(paystubsQueue).NumAckPending; n != 3 {
			t.Errorf("%d events on lease, want 3", n)
		}
	})
}

// A subscription for each request would cost the broker more than the request.
func TestTheRequestsOfABusyQueueShareAnInbox(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, c *stream.Conn, b virtualBroker) {
		asked := pulls(t, b.nats, schema.EventsStream)
		jobs, _, _ := hold(t, c, paystubsQueue, 2)
		const events = 20
		publish(t, c, numbered(0, events)...)
		for range events {
			j := soon(t, "an event", jobs)
			must(t, j.Done())
			j.release()
		}
		synctest.Wait()
		requests := len(asked)
		if requests < events/2 {
			t.Fatalf("%d requests for %d events and 2 hands", requests, events)
		}
		inboxes := map[string]bool{}
		for range requests {
			inboxes[(<-asked).Inbox] = true
		}
		if len(inboxes) != 1 {
			t.Errorf("%d requests had %d inboxes, want one", requests, len(inboxes))
		}
	})
}

// silentBroker answers as a broker would that has a queue, and then loses every request for events
// without a word. answer says whether it sends heartbeats.
type silentBroker struct {
	asked  <-chan pull
	answer atomic.Bool
}

func newSilentBroker(t *testing.T, nc *nats.Conn) *silentBroker {
	t.Helper()
	b := &silentBroker{asked: pulls(t, nc, schema.EventsStream)}
	info, err := json.Marshal(jetstream.ConsumerInfo{
		Stream: schema.EventsStream, Name: paystubsQueue.Name,
		Config: jetstream.ConsumerConfig{AckWait: schema.LeaseFor},
	})
	must(t, err)
	_, err = nc.Subscribe("$JS.API.CONSUMER.INFO.>", func(m *nats.Msg) { _ = m.Respond(info) })
	must(t, err)
	_, err = nc.Subscribe("$JS.API.CONSUMER.MSG.NEXT.>", func(m *nats.Msg) {
		if b.answer.Load() {
			_ = m.RespondMsg(&nats.Msg{Header: nats.Header{"Status": {"100"}}})
		}
	})
	must(t, err)
	must(t, nc.FlushTimeout(time.Hour))
	return b
}

func TestABrokerThatSendsNoHeartbeatsIsAskedAnewAndLoggedOnce(t *testing.T) {
	inBubble(t, false, func(t *testing.T, connect func(time.Duration) *nats.Conn) {
		core, logs := observer.New(zap.InfoLevel)
		c := stream.Over(t, connect(0), zap.New(core))
		b := newSilentBroker(t, connect(0))
		_, end, returned := hold(t, c, paystubsQueue, 4)
		pass(65 * time.Second)
		inboxes := map[string]bool{}
		for range 7 {
			inboxes[soon(t, "a request for events", b.asked).Inbox] = true
		}
		none(t, "more than a request in 10 s", b.asked)
		if len(inboxes) != 7 {
			t.Errorf("7 requests had %d inboxes", len(inboxes))
		}
		if n := logs.FilterMessageSnippet("queue stalled").Len(); n != 1 {
			t.Errorf("logged %d times, want once", n)
		}
		b.answer.Store(true)
		pass(10 * time.Second)
		if n := logs.FilterMessage("queue answers again").Len(); n != 1 {
			t.Errorf("logged %d times that the broker answers, want once", n)
		}
		end()
		soon(t, "Consume returns", returned)
	})
}

func TestRetriesHaveHandsOfTheirOwn(t *testing.T) {
	t.Parallel()
	s, c := streamtest.New(t)
	retried(t, s, c, paystubsQueue, numbered(100, 1)[0])
	jobs, _, _ := holdTaking(t, c, paystubsQueue, stream.Taking{Hands: 2, RetryHands: 1})
	publish(t, c, numbered(0, 3)...)
	retries := 0
	for range 3 {
		if next(t, "two events and the retry", jobs).Retry {
			retries++
		}
	}
	if retries != 1 {
		t.Errorf("%d of the first three are retries, want 1", retries)
	}
	none(t, "a third event", jobs)
}

func TestAQueueWithoutTheDurableOfALaneIsNotServed(t *testing.T) {
	t.Parallel()
	for _, lane := range paystubsQueue.Lanes() {
		t.Run(string(lane.Name), func(t *testing.T) {
			t.Parallel()
			testQueueWithoutLane(t, lane)
		})
	}
}

func testQueueWithoutLane(t *testing.T, missing schema.Lane) {
	s, _ := streamtest.New(t)
	b := look(t, s)
	must(t, b.DeleteConsumer(t.Context(), missing.Stream, missing.Consumer))
	c, logs := observed(t, s)
	publish(t, c, numbered(0, 1)...)
	err := c.Queue(paystubsQueue).Ready(t.Context())
	if !errors.Is(err, stream.ErrNoQueue) || !strings.Contains(err.Error(), missing.Consumer) {
		t.Errorf("ready: %v", err)
	}
	jobs, _, _ := holdTaking(t, c, paystubsQueue, oneEach)
	streamtest.Eventually(t, "the log says what to do", func() bool {
		return logs.FilterMessage("queue not served").Len() > 0
	})
	for _, lane := range paystubsQueue.Lanes() {
		if lane.Name == missing.Name {
			continue
		}
		consumer, err := b.Consumer(t.Context(), lane.Stream, lane.Consumer)
		must(t, err)
		if n := consumer.CachedInfo().Delivered.Consumer; n != 0 {
			t.Errorf("%d of the %s were delivered", n, lane.Name)
		}
	}
	streamtest.Provision(t, c, streamtest.Topology())
	must(t, next(t, "delivery", jobs).Done())
	if lines := logs.FilterMessage("queue not served").All(); !saysWhatToRun(lines[0]) {
		t.Errorf("the log has %+v", lines)
	}
}
