package stream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/zap"

	"github.com/wagewire/wagewire/schema"
)

const (
	// busyFor is how long the broker holds a short request, of a busy queue. A stop may take as
	// long, because a short request is not withdrawn.
	busyFor = time.Second
	// idleFor is how long the broker holds a long request, of an idle queue, unless Config says it.
	idleFor = 30 * time.Second
	// beatsPerRequest divides the time of a long request into the pauses between two heartbeats of
	// the broker.
	beatsPerRequest = 6
	// silentFor is the silence after which a short request counts as lost.
	silentFor = 10 * time.Second
	// beatsMissed is the number of missing heartbeats after which a long request counts as lost.
	beatsMissed = 2
	// lateFor is how long after its time the end of a short request may come.
	lateFor = 5 * time.Second
	// lingerFor is how long an inbox stays open after the broker ended the request early. Events
	// that a former leader sent may still be on their way.
	lingerFor = 250 * time.Millisecond
	// gatherFor is how long a taker waits for more free hands while most are at work.
	gatherFor = time.Millisecond
	// gatherShare divides the hands into the number that is enough for a request.
	gatherShare = 4
	// flushFor is how long a withdrawal waits for the broker's confirmation.
	flushFor = 2 * time.Second
	// statusRoom is the number of heartbeats for which an inbox has room besides the events.
	statusRoom = 64
)

// Gate decides how many events a queue may take. A worker closes its gate while the provider
// refuses its credentials.
type Gate interface {
	// Admit returns how many events may be asked for now, from 0 to free. free and busy are the
	// numbers of hands without and with work, of one lane of the queue. Admit is called before each
	// request, and again when a hand becomes free or changed is closed. If changed is closed while
	// a request is open, the request ends, and the events that it still brings are given back.
	// Admit does not wait, and may be called by several goroutines at the same time.
	Admit(free, busy int) (n int, changed <-chan struct{})
}

// Taking says how Consume takes events.
type Taking struct {
	// Hands is how many events are in work at the same time, at least 1.
	Hands int
	// RetryHands is how many retries are in work at the same time, besides the events. If 0, the
	// retries are not taken, and the queue needs no durable for retries.
	RetryHands int
	// ReplayHands is how many replays are in work at the same time, besides the others. If 0, the
	// replays are not taken, and the queue needs no durable for replays.
	ReplayHands int
	// Gate may stop the taking. If nil, nothing stops it.
	Gate Gate
}

// handsFor is how many messages of the lane are in work at the same time.
func (t Taking) handsFor(lane schema.LaneName) int {
	switch lane {
	case schema.LaneRetries:
		return t.RetryHands
	case schema.LaneReplays:
		return t.ReplayHands
	default:
		return t.Hands
	}
}

// openGate admits an event for every free hand.
type openGate struct{}

func (openGate) Admit(free, _ int) (int, <-chan struct{}) { return free, nil }

// hands are the places for messages in work. The work may free its hand early, when only the
// confirmation of the settlement is missing. A goroutine works on message after message: a new
// goroutine would have to grow the stack for each.
type hands struct {
	// free holds a token for each hand without work.
	free chan struct{}
	// freed gets a value when a hand becomes free.
	freed chan struct{}
	// next has room for the work of every hand.
	next chan func(*hand)
	// early is the number of messages in work without a hand, at most one for each hand.
	early atomic.Int32
	// started is the number of goroutines.
	started int
	jobs    sync.WaitGroup
}

// hand is the hand of a message.
type hand struct {
	*hands

	// isFree is true if the hand was freed before the work has returned.
	isFree bool
}

func newHands(n int) *hands {
	h := &hands{
		free:  make(chan struct{}, n),
		freed: make(chan struct{}, 1),
		next:  make(chan func(*hand), n),
	}
	for range n {
		h.free <- struct{}{}
	}
	return h
}

// begin gives work to a free hand. A single goroutine may call begin.
func (h *hands) begin(work func(*hand)) {
	<-h.free
	busy := cap(h.free) - len(h.free)
	if h.started < busy+int(h.early.Load()) {
		h.started++
		h.jobs.Go(h.serve)
	}
	h.next <- work
}

// serve works on message after message.
func (h *hands) serve() {
	for work := range h.next {
		own := hand{hands: h}
		work(&own)
		own.end()
	}
}

// wait returns when the last work has returned. Nobody may call begin any more.
func (h *hands) wait() {
	close(h.next)
	h.jobs.Wait()
}

// freeEarly makes the hand free before the work has returned, unless as many messages are in work
// without a hand as there are hands.
func (h *hand) freeEarly() {
	if h.isFree {
		return
	}
	if int(h.early.Add(1)) > cap(h.free) {
		h.early.Add(-1)
		return
	}
	h.isFree = true
	h.put()
}

// end makes the hand free after the work.
func (h *hand) end() {
	if h.isFree {
		h.early.Add(-1)
	} else {
		h.put()
	}
}

func (h *hands) put() {
	h.free <- struct{}{}
	select {
	case h.freed <- struct{}{}:
	default: // the last value was not read yet
	}
}

// Why a taker ended a request, or the broker did. The takers handle these errors themselves, except
// errLost.
var (
	errChanged = errors.New("the gate changed")
	errStalled = errors.New("the broker is silent about an open request")
	errEnded   = errors.New("the broker ended a request")
	errLost    = errors.New("the connection was lost")
)

// taker takes messages from one durable consumer and hands them to work. At most one request is
// open at a time. A request never asks for more messages than there are free hands, so no message
// waits inside the process. The package comment tells why there are short and long requests.
type taker struct {
	conn     *Conn
	consumer jetstream.Consumer
	gate     Gate
	hands    *hands
	// work gets each message in a goroutine of its own. The lease is renewed until work returns.
	work func(jetstream.Msg)
	// renew gives back a message that was delivered often, so that its deliveries count from 1
	// again. If nil, such a message is given back as any other.
	renew func(jetstream.Msg)

	// next is the subject of the requests.
	next string
	// beatEvery is the pause between two heartbeats for a message in work.
	beatEvery time.Duration
	// inbox receives the messages of the requests, in came. The requests share the inbox until a
	// request is withdrawn or lost. inbox is nil before the first request.
	inbox *nats.Subscription
	came  chan *nats.Msg
	// lost gets a value when the connection is lost.
	lost chan nats.Status
	// idle is true if the last request brought nothing.
	idle bool
	// stalled is true from a lost request to the next sign of the broker.
	stalled bool
}

func (c *Conn) newTaker(
	consumer jetstream.Consumer, gate Gate, hands *hands, work, renew func(jetstream.Msg),
) *taker {
	if gate == nil {
		gate = openGate{}
	}
	info := consumer.CachedInfo()
	return &taker{
		conn: c, consumer: consumer, gate: gate, hands: hands, work: work, renew: renew,
		next:      c.apiSubject(apiNext, info.Stream+"."+info.Name),
		beatEvery: info.Config.AckWait / schema.HeartbeatsPerLease,
	}
}

// run takes messages until ctx ends or the broker does not serve the queue any more, and returns
// the reason. All messages that came are then in work or given back. run does not wait for the
// work.
func (t *taker) run(ctx context.Context) error {
	t.lost = t.conn.nats.StatusChanged(nats.RECONNECTING, nats.CLOSED)
	defer t.conn.nats.RemoveStatusListener(t.lost)
	defer t.closeInbox()
	for {
		n, changed, err := t.awaitAdmission(ctx)
		if err != nil {
			return err
		}
		r, err := t.ask(n)
		if err == nil {
			err = t.serve(ctx, r, changed)
		}
		if err != nil {
			info := t.consumer.CachedInfo()
			return fmt.Errorf("take from queue %s of stream %s: %w", info.Name, info.Stream, err)
		}
	}
}

// awaitAdmission waits until a hand is free, or more of them, and the gate lets a message in.
func (t *taker) awaitAdmission(ctx context.Context) (n int, changed <-chan struct{}, err error) {
	for ctx.Err() == nil {
		t.gatherHands(ctx)
		n, changed := t.admit()
		if n > 0 {
			return n, changed, nil
		}
		select {
		case <-t.hands.freed:
		case <-changed:
		case <-ctx.Done():
		}
	}
	return 0, nil, ctx.Err()
}

// gatherHands waits for more free hands if most are at work, for gatherFor at most: a request costs
// the broker as much as a message does, and one request serves all hands that are free.
func (t *taker) gatherHands(ctx context.Context) {
	isEnough := func() bool {
		free := len(t.hands.free)
		return free == 0 || free >= cap(t.hands.free)/gatherShare
	}
	if isEnough() {
		return
	}
	over := time.NewTimer(gatherFor)
	defer over.Stop()
	for !isEnough() {
		select {
		case <-t.hands.freed:
		case <-over.C:
			return
		case <-ctx.Done():
			return
		}
	}
}

// admit asks the gate how many of the free hands may ask for messages.
func (t *taker) admit() (n int, changed <-chan struct{}) {
	free := len(t.hands.free) // only the taker takes a free hand away
	if free == 0 {
		return 0, nil
	}
	n, changed = t.gate.Admit(free, cap(t.hands.free)-free)
	return min(n, free), changed
}

// request is an open request for messages.
type request struct {
	// rest is how many messages may still come.
	rest int
	// brought is true if a message came.
	brought bool
	// short is true for a request that is not withdrawn.
	short bool
	// until is when the broker ends the request.
	until time.Time
	// silentFor is the silence after which the request counts as lost.
	silentFor time.Duration
}

// pull is the body of a request, in the words of JetStream's protocol. Durations are nanoseconds.
type pull struct {
	Batch     int           `json:"batch"`
	Expires   time.Duration `json:"expires"`
	Heartbeat time.Duration `json:"idle_heartbeat,omitempty"`
}

// ask opens a request for up to n messages.
func (t *taker) ask(n int) (*request, error) {
	// While disconnected, the client would send the request after it connects again.
	if err := t.conn.Connected(); err != nil {
		return nil, err
	}
	body := pull{Batch: n, Expires: busyFor}
	silent := silentFor
	if t.idle {
		beat := t.conn.idleFor / beatsPerRequest
		body = pull{Batch: 1, Expires: t.conn.idleFor, Heartbeat: beat}
		silent = beatsMissed * beat
	}
	data, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	if err := t.openInbox(); err != nil {
		return nil, err
	}
	r := &request{
		rest: body.Batch, short: !t.idle, until: time.Now().Add(body.Expires), silentFor: silent,
	}
	if err := t.conn.nats.PublishRequest(t.next, t.inbox.Subject, data); err != nil {
		return nil, err
	}
	return r, nil
}

// openInbox opens an inbox, unless the inbox of the last request can be used again.
func (t *taker) openInbox() (err error) {
	if t.inbox != nil {
		return nil
	}
	t.came = make(chan *nats.Msg, cap(t.hands.free)+statusRoom)
	t.inbox, err = t.conn.nats.ChanSubscribe(t.conn.nats.NewInbox(), t.came)
	return err
}

// closeInbox lets nothing more come.
func (t *taker) closeInbox() {
	if t.inbox != nil {
		_ = t.inbox.Unsubscribe()
		t.inbox = nil
	}
}

// serve hands out what the request brings, until the request has ended. It returns an error if
// another request has no use.
func (t *taker) serve(ctx context.Context, r *request, changed <-chan struct{}) error {
	end := t.receive(ctx, r, changed)
	switch {
	case end == nil: // nothing more can come, so the next request has the same inbox
	case ctx.Err() != nil, errors.Is(end, errChanged):
		t.giveBackRest(r)
	default:
		t.handOutRest(ctx, r, end)
	}
	t.idle = end == nil && !r.brought
	if errors.Is(end, errStalled) {
		t.noteStall(true)
	}
	if ctx.Err() == nil && isPassing(end) {
		return nil
	}
	return end
}

// isPassing reports whether another request may follow at once after a request that ended so.
func isPassing(end error) bool {
	return end == nil || errors.Is(end, errChanged) ||
		errors.Is(end, errStalled) || errors.Is(end, errEnded)
}

// receive hands out what the request brings. It returns nil if no more can come, and otherwise the
// reason to end the request.
func (t *taker) receive(ctx context.Context, r *request, changed <-chan struct{}) error {
	silence := time.NewTimer(r.silentFor)
	defer silence.Stop()
	for r.rest > 0 {
		select {
		case msg := <-t.came:
			silence.Reset(r.silentFor)
			t.noteStall(false)
			if ended, err := t.accept(r, msg, t.handOutUntilDone(ctx, r)); ended {
				return err
			}
		case <-silence.C:
			return errStalled
		case <-t.lost:
			return errLost
		case <-changed:
			return errChanged
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// accept passes a message of the queue to keep, and reads a status of the request. ended is true if
// the broker has ended the request, and err is the reason, nil after its time.
func (t *taker) accept(
	r *request, msg *nats.Msg, keep func(*message),
) (ended bool, err error) {
	if msg.Reply != "" { // only a message of the queue can be acknowledged
		r.rest--
		r.brought = true
		keep(&message{conn: t.conn.nats, msg: msg})
		return false, nil
	}
	return readStatus(msg.Header.Get(statusHeader), msg.Header.Get(descriptionHeader))
}

// readStatus reads what the broker says about a request. The constants of the client library are
// not exported.
func readStatus(status, description string) (ended bool, err error) {
	switch {
	case status == "100": // a heartbeat
		return false, nil
	case status == "404", status == "408": // the time is over
		return true, nil
	case status == "503":
		return true, nats.ErrNoResponders
	case status == "409" && description == "Consumer Deleted":
		return true, jetstream.ErrConsumerDeleted
	case status == "409": // "Leadership Change", "Server Shutdown" and others that pass by
		return true, errEnded
	default:
		return true, fmt.Errorf("the broker refuses a request: %s %s", status, description)
	}
}

// handOut gives a message to a free hand.
func (t *taker) handOut(msg *message) {
	t.hands.begin(func(h *hand) {
		msg.hand = h
		workUnderLease(msg, t.beatEvery, func() { t.work(msg) })
	})
}

// handOutUntilDone returns a function that hands out a message, or gives it back after the end of
// ctx.
func (t *taker) handOutUntilDone(ctx context.Context, r *request) func(*message) {
	return func(msg *message) {
		if ctx.Err() != nil {
			t.giveBack(msg, r.untilEnd())
		} else {
			t.handOut(msg)
		}
	}
}

// untilEnd is how long the request may still bring a message, 0 if it brings none.
func (r *request) untilEnd() time.Duration {
	if r.rest == 0 {
		return 0
	}
	return max(0, time.Until(r.until))
}

// giveBack gives back a message of a request. A delay until the end of the request keeps the
// message from coming to the same request again. If the answer gets lost, the lease ends by itself.
// Each time costs a delivery, and nobody has worked on the message: so a message that was delivered
// often is renewed.
func (t *taker) giveBack(msg *message, delay time.Duration) {
	meta, err := msg.Metadata()
	isWornOut := err == nil && meta.NumDelivered > schema.DeliveriesInPlace
	switch {
	case isWornOut && t.renew != nil:
		t.renew(msg)
	case delay > 0:
		_ = msg.NakWithDelay(delay)
	default:
		_ = msg.Nak()
	}
}

// giveBackRest ends a request and gives back what still comes.
func (t *taker) giveBackRest(r *request) {
	if r.short {
		t.collect(r, time.Until(r.until)+lateFor, func(msg *message) {
			t.giveBack(msg, r.untilEnd())
		})
	}
	t.withdraw(r, func(msg *message) { t.giveBack(msg, 0) })
}

// handOutRest ends a request after end, and hands out what still comes.
func (t *taker) handOutRest(ctx context.Context, r *request, end error) {
	keep := t.handOutUntilDone(ctx, r)
	if !errors.Is(end, errStalled) && !errors.Is(end, errLost) {
		t.collect(r, lingerFor, keep)
	}
	t.withdraw(r, keep)
}

// collect passes messages to keep until the request is over: filled, ended by the broker, lost, or
// older than limit.
func (t *taker) collect(r *request, limit time.Duration, keep func(*message)) {
	over := time.NewTimer(limit)
	defer over.Stop()
	for r.rest > 0 {
		select {
		case msg := <-t.came:
			if ended, _ := t.accept(r, msg, keep); ended {
				return
			}
		case <-over.C:
			return
		case <-t.lost:
			return
		}
	}
}

// withdraw closes the inbox, and passes to keep what came before the broker knew. After
// flushFor without an answer of the broker, withdraw does not wait any more.
func (t *taker) withdraw(r *request, keep func(*message)) {
	// Connected learns of a lost connection a little later than the client, so the client is asked.
	// After a Drain without a connection, the client would subscribe to the inbox again at the next
	// connect, and then forget the inbox without a word to the broker. The broker would deliver the
	// next event there.
	if r.rest > 0 && t.conn.nats.IsConnected() {
		// Drain unsubscribes at the broker, and goes on to receive until the broker has confirmed.
		_ = t.inbox.Drain()
		_ = t.conn.nats.FlushTimeout(flushFor)
	}
	t.closeInbox()
	for {
		select {
		case msg := <-t.came:
			_, _ = t.accept(r, msg, keep)
		default:
			return
		}
	}
}

// noteStall logs that the broker became silent, or answers again.
func (t *taker) noteStall(stalled bool) {
	if stalled == t.stalled {
		return
	}
	t.stalled = stalled
	info := t.consumer.CachedInfo()
	fields := []zap.Field{zap.String("stream", info.Stream), zap.String("queue", info.Name)}
	if stalled {
		t.conn.log.Warn("queue stalled: the broker sends no heartbeats; asking anew", fields...)
	} else {
		t.conn.log.Info("queue answers again", fields...)
	}
}
