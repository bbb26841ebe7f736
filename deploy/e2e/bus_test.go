package e2e

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/wagewire/wagewire/deploy/fake"
	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/jsonschema/jsonschematest"
	"github.com/wagewire/wagewire/schema/stream"
)

// isAbsent reports whether err is of a broker that is down, or of a cluster without a leader.
func isAbsent(err error) bool {
	if answer, ok := errors.AsType[*jetstream.APIError](err); ok &&
		answer.Code == http.StatusServiceUnavailable {
		return true
	}
	return errors.Is(err, nats.ErrTimeout) || errors.Is(err, nats.ErrNoResponders) ||
		errors.Is(err, nats.ErrDisconnected) ||
		errors.Is(err, nats.ErrReconnectBufExceeded) ||
		errors.Is(err, jetstream.ErrNoStreamResponse) ||
		errors.Is(err, context.DeadlineExceeded)
}

// stored returns the messages of a stream that match the filter, oldest first.
func (s *script) stored(ctx context.Context, stream, filter string) ([]*jetstream.RawStreamMsg,
	error) {
	from, err := s.js.Stream(ctx, stream)
	if err != nil {
		return nil, err
	}
	var messages []*jetstream.RawStreamMsg
	for sequence := uint64(1); ; {
		m, err := from.GetMsg(ctx, sequence, jetstream.WithGetMsgSubject(filter))
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			return messages, nil
		}
		if err != nil {
			return nil, err
		}
		messages = append(messages, m)
		sequence = m.Sequence + 1
	}
}

// readAll is stored for streams of thousands of messages: a consumer reads many at a time.
func (s *script) readAll(
	ctx context.Context, name, filter string,
) ([]*jetstream.RawStreamMsg, error) {
	from, err := s.js.Stream(ctx, name)
	if err != nil {
		return nil, err
	}
	info, err := from.Info(ctx, jetstream.WithSubjectFilter(filter))
	if err != nil || len(info.State.Subjects) == 0 {
		return nil, err
	}
	consumer, err := from.OrderedConsumer(ctx, jetstream.OrderedConsumerConfig{
		FilterSubjects: []string{filter},
	})
	if err != nil {
		return nil, err
	}
	iterator, err := consumer.Messages()
	if err != nil {
		return nil, err
	}
	defer iterator.Stop()
	var messages []*jetstream.RawStreamMsg
	for {
		m, err := iterator.Next(jetstream.NextContext(ctx))
		if errors.Is(err, jetstream.ErrNoHeartbeat) {
			continue // the ordered consumer goes on after a pause
		}
		if err != nil {
			return nil, err
		}
		metadata, err := m.Metadata()
		if err != nil {
			return nil, err
		}
		messages = append(messages, &jetstream.RawStreamMsg{
			Subject: m.Subject(), Sequence: metadata.Sequence.Stream, Header: m.Headers(),
			Data: m.Data(), Time: metadata.Timestamp,
		})
		if metadata.NumPending == 0 {
			return messages, nil
		}
	}
}

// completion is a stored completion, with its bytes.
type completion struct {
	raw []byte
	schema.Completion
}

// completionsOf returns the stored completions of an event. An empty r stands for every resource.
func (s *script) completionsOf(ctx context.Context, id string, r schema.Resource) ([]completion,
	error) {
	messages, err := s.stored(ctx, schema.CompletionsStream,
		fmt.Sprintf("wagewire.completions.*.%s.*.%s", cmp.Or(r, "*"), schema.Token(id)))
	if err != nil {
		return nil, err
	}
	return decoded(messages)
}

func decoded(messages []*jetstream.RawStreamMsg) ([]completion, error) {
	var completions []completion
	for _, m := range messages {
		if err := jsonschematest.CheckCompletion(m.Data); err != nil {
			return nil, fmt.Errorf("%w\nin %s", err, m.Data)
		}
		c := completion{raw: m.Data}
		if err := json.Unmarshal(m.Data, &c.Completion); err != nil {
			return nil, err
		}
		completions = append(completions, c)
	}
	return completions, nil
}

// completionOf returns the only completion of an event, or of an event and a resource.
func (s *script) completionOf(ctx context.Context, id string, r schema.Resource) (c completion,
	found bool, err error) {
	all, err := s.completionsOf(ctx, id, r)
	if err != nil || len(all) == 0 {
		return c, false, err
	}
	c = all[0]
	if workers := schema.Lookup(c.Data.Provider, c.Data.Event.Type).Workers; r == "" &&
		len(workers) > 1 || len(all) > 1 {
		return c, false, fmt.Errorf("%s is completed by %s, and has %d: name the resource", id,
			workers, len(all))
	}
	return c, true, nil
}

// completionOfAccount returns the only completion of an event for an account.
func (s *script) completionOfAccount(ctx context.Context, id, account string) (c completion,
	found bool, err error) {
	messages, err := s.stored(ctx, schema.CompletionsStream, fmt.Sprintf(
		"wagewire.completions.*.*.%s.%s", schema.Token(account), schema.Token(id)))
	if err != nil {
		return c, false, err
	}
	all, err := decoded(messages)
	if err != nil || len(all) == 0 {
		return c, false, err
	}
	if len(all) > 1 {
		return c, false, fmt.Errorf("%s has %d completions of account %s", id, len(all), account)
	}
	return all[0], true, nil
}

// parseEvent reads the words ID [RESOURCE], and more words after them. last is the last word.
func parseEvent(args arguments, more int) (id string, r schema.Resource, last string, err error) {
	w := args.words
	switch len(w) - more {
	case 1:
	case 2:
		r = schema.Resource(w[1])
	default:
		return "", "", "", errors.New("the command takes ID [RESOURCE], and the arguments of doc.go")
	}
	return w[0], r, w[len(w)-1], nil
}

// stream NAME full|roomy|anew
func (s *script) switchStream(_ *testscript.TestScript, args arguments) error {
	names := map[string]string{"events": schema.EventsStream,
		"completions": schema.CompletionsStream}
	if err := args.only(); err != nil || len(args.words) != 2 || names[args.words[0]] == "" {
		return errors.Join(err, errors.New("usage: stream events|completions full|roomy|anew"))
	}
	if args.words[1] == "anew" {
		return s.makeAnew(names[args.words[0]])
	}
	stream, err := s.js.Stream(s.ctx, names[args.words[0]])
	if err != nil {
		return err
	}
	config := stream.CachedInfo().Config
	state := stream.CachedInfo().State
	switch {
	case args.words[1] == "roomy":
		config.MaxMsgs = -1
	case args.words[1] == "full" && state.Msgs > 0:
		config.MaxMsgs = int64(state.Msgs)
	default:
		return fmt.Errorf("a stream of %d messages cannot be made %q", state.Msgs, args.words[1])
	}
	_, err = s.js.UpdateStream(s.ctx, config)
	return err
}

// makeAnew deletes a stream with its consumers, and makes all of them again, empty.
func (s *script) makeAnew(name string) error {
	old, err := s.js.Stream(s.ctx, name)
	if err != nil {
		return err
	}
	var consumers []jetstream.ConsumerConfig
	list := old.ListConsumers(s.ctx)
	for info := range list.Info() {
		if info.Config.Durable != "" {
			consumers = append(consumers, info.Config)
		}
	}
	if err := errors.Join(list.Err(), s.js.DeleteStream(s.ctx, name)); err != nil {
		return err
	}
	if _, err := s.js.CreateStream(s.ctx, old.CachedInfo().Config); err != nil {
		return err
	}
	for _, config := range consumers {
		if _, err := s.js.CreateConsumer(s.ctx, name, config); err != nil {
			return err
		}
	}
	return nil
}

// await ID [RESOURCE] OUTCOME [after=D] [account=ID]
func (s *script) await(ts *testscript.TestScript, args arguments) error {
	id, r, outcome, err := parseEvent(args, 1)
	if err := errors.Join(err, args.only("after", "account")); err != nil {
		return err
	}
	var c completion
	err = s.waitFor("the completion of "+id, func(ctx context.Context) (found bool, err error) {
		if account, ok := args.pairs["account"]; ok {
			c, found, err = s.completionOfAccount(ctx, id, account)
			return found, err
		}
		c, found, err = s.completionOf(ctx, id, r)
		return found, err
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(ts.Stdout(), "%s\n", c.raw)
	if string(c.Data.Outcome) != outcome {
		return fmt.Errorf("%s ended %s", id, c.Data.Outcome)
	}
	if after, ok := args.pairs["after"]; ok {
		d, err := time.ParseDuration(after)
		if took := c.Time.Sub(c.Data.Event.ReceivedAt); err != nil || took < d {
			return errors.Join(err, fmt.Errorf("%s took %s", id, took))
		}
	}
	return nil
}

// none ID [RESOURCE]
func (s *script) none(_ *testscript.TestScript, args arguments) error {
	id, r, _, err := parseEvent(args, 0)
	if err := errors.Join(err, args.only()); err != nil {
		return err
	}
	if err := s.settled(); err != nil {
		return err
	}
	all, err := s.completionsOf(s.ctx, id, r)
	if err != nil || len(all) > 0 {
		return errors.Join(err, fmt.Errorf("%s has %d completions", id, len(all)))
	}
	return nil
}

// idle
func (s *script) idle(_ *testscript.TestScript, args arguments) error {
	return errors.Join(noWords(args), args.only(), s.settled())
}

func (s *script) settled() error {
	return s.waitFor("every queue to be idle, and no event to wait", s.isIdle)
}

// isIdle reports whether no queue has anything to do now or later. An event goes from the events to
// the waiting events and the retries or replays, and from there back to the waiting events. If the
// streams of both took no message during the look, no event moved past the look.
func (s *script) isIdle(ctx context.Context) (bool, error) {
	before, _, err := s.waitingState(ctx)
	if err != nil {
		return false, err
	}
	for _, q := range schema.Queues() {
		for _, lane := range q.Lanes() {
			consumer, err := s.js.Consumer(ctx, lane.Stream, lane.Consumer)
			if err != nil {
				return false, err
			}
			if info := consumer.CachedInfo(); info.NumPending > 0 || info.NumAckPending > 0 {
				return false, nil
			}
		}
	}
	after, waiting, err := s.waitingState(ctx)
	return before == after && waiting == 0, err
}

// waitingState counts the messages that the streams of the waiting events ever took, and the events
// that wait now.
func (s *script) waitingState(ctx context.Context) (taken uint64, waiting int, err error) {
	for _, q := range schema.Queues() {
		stream, err := s.js.Stream(ctx, q.WaitingStream())
		if err != nil {
			return 0, 0, err
		}
		filter := jetstream.WithSubjectFilter(schema.AccountWaiting("*", "*"))
		info, err := stream.Info(ctx, filter)
		if err != nil {
			return 0, 0, err
		}
		taken += info.State.LastSeq
		waiting += len(info.State.Subjects)
	}
	return taken, waiting, nil
}

// queueOf reads a word RESOURCE: the queue of the resource that calls a provider. If several
// providers have one, the word is the name of a queue.
func queueOf(args arguments) (schema.Queue, error) {
	if len(args.words) == 0 {
		return schema.Queue{}, errors.New("which RESOURCE?")
	}
	var found []schema.Queue
	for _, q := range schema.Queues() {
		isNamed := q.Name == args.words[0] || string(q.Resource) == args.words[0]
		if isNamed && !q.Erases {
			found = append(found, q)
		}
	}
	if len(found) != 1 {
		return schema.Queue{}, fmt.Errorf("%s has %d queues: name one queue", args.words[0], len(found))
	}
	return found[0], nil
}

// retried RESOURCE
func (s *script) retried(_ *testscript.TestScript, args arguments) error {
	q, err := queueOf(args)
	if err := errors.Join(err, args.only()); err != nil {
		return err
	}
	return s.waitFor("a second try", func(ctx context.Context) (bool, error) {
		consumer, err := s.js.Consumer(ctx, q.WaitingStream(), q.Name)
		if err != nil {
			return false, err
		}
		return consumer.CachedInfo().Delivered.Consumer > 0, nil
	})
}

// waiting RESOURCE CLASS N
func (s *script) waiting(ts *testscript.TestScript, args arguments) error {
	q, err := queueOf(args)
	if err := errors.Join(err, args.only()); err != nil || len(args.words) != 3 {
		return errors.Join(err, errors.New("usage: waiting RESOURCE CLASS N"))
	}
	class := schema.Class(args.words[1])
	var waiting []stream.Waiting
	err = s.waitFor("so many waiting events", func(ctx context.Context) (bool, error) {
		waiting, err = s.waitingIn(ctx, q)
		waiting = slices.DeleteFunc(waiting,
			func(w stream.Waiting) bool { return w.Class != class })
		return strconv.Itoa(len(waiting)) == args.words[2], err
	})
	for _, w := range waiting {
		fmt.Fprintf(ts.Stdout(), "%s %s %d %s %d/%d\n", w.Event.ID, w.Class, w.Status, w.Endpoint,
			w.Step, w.Steps)
	}
	return err
}

func (s *script) waitingIn(ctx context.Context, q schema.Queue) (waiting []stream.Waiting,
	err error) {
	err = stream.NewOperator(s.conn).Waiting(ctx, q.Name, "*", func(w stream.Waiting) error {
		waiting = append(waiting, w)
		return nil
	})
	return waiting, err
}

// retry RESOURCE
func (s *script) retry(_ *testscript.TestScript, args arguments) error {
	q, err := queueOf(args)
	if err := errors.Join(err, args.only()); err != nil || len(args.words) != 1 {
		return errors.Join(err, errors.New("usage: retry RESOURCE"))
	}
	waiting, err := s.waitingIn(s.ctx, q)
	if err != nil || len(waiting) == 0 {
		return errors.Join(err, fmt.Errorf("%d events wait", len(waiting)))
	}
	for _, w := range waiting {
		if _, err := stream.NewOperator(s.conn).RetryNow(s.ctx, w); err != nil {
			return err
		}
	}
	return nil
}

// recordsOf returns the records of a completion, from the record store if they are there.
func (s *script) recordsOf(c completion) ([]json.RawMessage, error) {
	ref := c.Data.RecordsRef
	if ref == nil {
		return c.Data.Records, nil
	}
	store, err := s.js.ObjectStore(s.ctx, ref.Bucket)
	if err != nil {
		return nil, err
	}
	body, err := store.GetBytes(s.ctx, ref.Name)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(body)
	records, err := s.conn.Records(s.ctx, *ref)
	switch {
	case err != nil:
		return nil, err
	case hex.EncodeToString(sum[:]) != ref.SHA256, int64(len(body)) != ref.Bytes,
		len(records) != ref.Count:
		return nil, fmt.Errorf("records_ref %+v is not of the %d bytes and %d records stored", *ref,
			len(body), len(records))
	}
	return records, nil
}

// verbatim ID [RESOURCE] N
func (s *script) verbatim(_ *testscript.TestScript, args arguments) error {
	id, r, count, err := parseEvent(args, 1)
	if err := errors.Join(err, args.only()); err != nil {
		return err
	}
	c, found, err := s.completionOf(s.ctx, id, r)
	if err != nil || !found {
		return errors.Join(err, fmt.Errorf("%s: completion found: %t", id, found))
	}
	records, err := s.recordsOf(c)
	if err != nil {
		return err
	}
	if strconv.Itoa(len(records)) != count {
		return fmt.Errorf("there are %d records", len(records))
	}
	served, err := s.servedOf(c)
	if err != nil {
		return err
	}
	for _, record := range records {
		id, err := idOf(record)
		if err != nil || !bytes.Equal(record, served[id]) {
			return errors.Join(err,
				fmt.Errorf("record %q is not, or not once, what the API serves:\n%s\n%s", id,
					record, served[id]))
		}
		delete(served, id)
	}
	return nil
}

// place is where messages are stored.
type place struct{ stream, filter string }

// count WHAT N
func (s *script) count(ts *testscript.TestScript, args arguments) error {
	places := map[string][]place{
		"completions":  {{schema.CompletionsStream, schema.AllCompletions}},
		"tombstones":   {{schema.CompletionsStream, "wagewire.tombstones.>"}},
		"events":       {{schema.EventsStream, ">"}},
		"dead_letters": {{schema.DeadLettersStream, ">"}},
		"quarantine":   {{schema.QuarantineStream, ">"}},
		"records":      {{"OBJ_" + schema.RecordsBucket, "$O." + schema.RecordsBucket + ".M.>"}},
	}
	for _, q := range schema.Queues() {
		places["waiting"] = append(places["waiting"], place{q.WaitingStream(), ">"})
	}
	if len(args.words) != 2 || places[args.words[0]] == nil {
		return errors.New("usage: count completions|tombstones|events|waiting|dead_letters|quarantine|" +
			"records N")
	}
	var messages []*jetstream.RawStreamMsg
	for _, p := range places[args.words[0]] {
		found, err := s.stored(s.ctx, p.stream, p.filter)
		if err != nil {
			return err
		}
		messages = append(messages, found...)
	}
	for _, m := range messages {
		fmt.Fprintln(ts.Stdout(), m.Subject)
		for _, name := range slices.Sorted(headerNames(m.Header)) {
			fmt.Fprintf(ts.Stdout(), "%s: %s\n", name, strings.Join(m.Header[name], ", "))
		}
		fmt.Fprintf(ts.Stdout(), "%s\n\n", m.Data)
	}
	if strconv.Itoa(len(messages)) != args.words[1] {
		return fmt.Errorf("there are %d", len(messages))
	}
	return nil
}

func headerNames(h nats.Header) func(func(string) bool) {
	return func(yield func(string) bool) {
		for name := range h {
			if !yield(name) {
				return
			}
		}
	}
}

// eventOf returns the fields of a stored event that the subjects of its completions need.
func eventOf(m *jetstream.RawStreamMsg) (schema.Event, error) {
	p, _, _, _, err := schema.ParseSubject(m.Subject)
	if err != nil {
		return schema.Event{}, err
	}
	redrive, _ := strconv.Atoi(m.Header.Get("Wagewire-Redrive")) // 0 for the webhook's own event
	e := schema.Event{
		Provider: p, ID: schema.OriginalID(m.Header.Get("ce-id"), redrive),
		Type: strings.TrimPrefix(m.Header.Get("ce-type"), string(p)+"."), Body: m.Data,
		Redrive: redrive, Queue: m.Header.Get("Wagewire-Queue"),
	}
	e.AccountID, err = schema.Lookup(p, e.Type).AccountIDIn(m.Data)
	return e, err
}

// every-id
func (s *script) everyID(ts *testscript.TestScript, args arguments) error {
	if err := errors.Join(noWords(args), args.only()); err != nil {
		return err
	}
	events, err := s.stored(s.ctx, schema.EventsStream, ">")
	if err != nil {
		return err
	}
	announcing := []schema.Resource{schema.Paystubs, schema.Shifts, schema.TaxForms}
	announced, missing := 0, 0
	for _, m := range events {
		e, err := eventOf(m)
		if err != nil {
			return err
		}
		t := schema.Lookup(e.Provider, e.Type)
		if t.Action != schema.ActionAdded || !slices.Contains(announcing, t.Resource) {
			continue
		}
		n, lacking, err := s.addedIn(e, t.Resource)
		if err != nil {
			return fmt.Errorf("%s %s: %w", e.Type, e.ID, err)
		}
		announced += n
		missing += lacking
	}
	if announced == 0 {
		return errors.New("nothing was announced as added")
	}
	fmt.Fprintf(ts.Stdout(), "%d announced, %d missing\n", announced, missing)
	return nil
}

func (s *script) addedIn(e schema.Event, r schema.Resource) (announced, missing int, err error) {
	var body struct {
		Payload struct {
			Added []struct {
				ID string `json:"id"`
			} `json:"added"`
		} `json:"payload"`
	}
	if err := json.Unmarshal(e.Body, &body); err != nil {
		return 0, 0, err
	}
	c, found, err := s.completionOf(s.ctx, e.ID, r)
	if err != nil || !found {
		return 0, 0, errors.Join(err, fmt.Errorf("completion found: %t", found))
	}
	records, err := s.recordsOf(c)
	if err != nil {
		return 0, 0, err
	}
	has := map[string]int{}
	for _, id := range c.Data.Missing {
		has[id]++
	}
	for _, record := range records {
		id, err := idOf(record)
		if err != nil {
			return 0, 0, err
		}
		has[id]++
	}
	for _, item := range body.Payload.Added {
		if has[item.ID] != 1 {
			return 0, 0, fmt.Errorf("id %s is there %d times", item.ID, has[item.ID])
		}
	}
	if len(has) != len(body.Payload.Added) {
		return 0, 0, fmt.Errorf("%d ids were announced, %d are there", len(body.Payload.Added),
			len(has))
	}
	return len(body.Payload.Added), len(c.Data.Missing), nil
}

// once
func (s *script) once(ts *testscript.TestScript, args arguments) error {
	if err := errors.Join(noWords(args), args.only()); err != nil {
		return err
	}
	expected, completed, erased, err := s.sums()
	if err == nil {
		err = s.states()
	}
	if err == nil {
		fmt.Fprintf(ts.Stdout(), "%d expected, %d completed, %d erased\n", expected, completed,
			erased)
	}
	return err
}

// sums counts expected completions, stored completions, and completions missing because their
// account is erased. It returns an error for a missing or repeated completion, and for a completion
// of a webhook that was not accepted.
func (s *script) sums() (wanted, stored, erased int, err error) {
	expected, err := s.accepted()
	if err != nil {
		return 0, 0, 0, err
	}
	messages, err := s.readAll(s.ctx, schema.CompletionsStream, schema.AllCompletions)
	if err != nil {
		return 0, 0, 0, err
	}
	completions, err := decoded(messages)
	if err != nil {
		return 0, 0, 0, err
	}
	ids := map[string]bool{}
	completed := map[string]bool{} // a person's accounts together
	for _, c := range completions {
		id := schema.WithoutAccount(c.ID)
		switch {
		case ids[c.ID]:
			return 0, 0, 0, fmt.Errorf("two completions have the id %s", c.ID)
		case expected[id] == "":
			return 0, 0, 0, fmt.Errorf("completion %s is of no webhook that was accepted", c.ID)
		}
		ids[c.ID] = true
		completed[id] = true
	}
	for id, tombstone := range expected {
		if completed[id] {
			continue
		}
		tombstones, err := s.stored(s.ctx, schema.CompletionsStream, tombstone)
		if err != nil {
			return 0, 0, 0, err
		}
		if len(tombstones) == 0 {
			return 0, 0, 0, fmt.Errorf("no completion %s, and no tombstone", id)
		}
		erased++
	}
	return len(expected), len(completed), erased, nil
}

// accepted returns the ids of the completions that the accepted webhooks must have, with the
// subject of the account's tombstone. Accepted webhooks are those that the fakes sent, and other
// stored events.
func (s *script) accepted() (map[string]string, error) {
	var sent []fake.Sent
	if err := s.control(http.MethodGet, "webhooks", nil, &sent); err != nil {
		return nil, err
	}
	var events []schema.Event
	for _, w := range sent {
		if w.Status == 200 && w.Type != "" {
			events = append(events,
				schema.Event{Provider: schema.Provider(w.Provider), ID: w.ID, Type: w.Type,
					AccountID: w.Account})
		}
	}
	stored, err := s.readAll(s.ctx, schema.EventsStream, ">")
	if err != nil {
		return nil, err
	}
	for _, m := range stored {
		e, err := eventOf(m)
		if err != nil {
			return nil, err
		}
		events = append(events, e)
	}
	expected := map[string]string{}
	for _, e := range events {
		for _, r := range schema.Lookup(e.Provider, e.Type).Workers {
			if e.Queue != "" && e.Queue != schema.QueueName(e.Provider, r) {
				continue
			}
			expected[e.CompletionKey(r)] = schema.TombstoneSubject(e.Provider, e.Account())
		}
	}
	for _, e := range events {
		if broughtNothing(e) {
			forgetOthers(expected, e)
		}
	}
	return expected, nil
}

// broughtNothing reports whether the event says that the provider's job brought no data. Only
// stored events have a body.
func broughtNothing(e schema.Event) bool {
	var body struct {
		Payload struct {
			Outcome string `json:"outcome"`
		} `json:"payload"`
	}
	if json.Unmarshal(e.Body, &body) != nil {
		return false
	}
	return body.Payload.Outcome != "" && body.Payload.Outcome != "success"
}

// forgetOthers removes the completions of the resources that act only if the provider's job
// succeeded.
func forgetOthers(expected map[string]string, e schema.Event) {
	for _, r := range schema.Lookup(e.Provider, e.Type).OnSuccess {
		delete(expected, e.CompletionKey(r))
	}
}

// no-canaries
func (s *script) noCanaries(_ *testscript.TestScript, args arguments) error {
	if err := errors.Join(noWords(args), args.only()); err != nil {
		return err
	}
	var logs, metrics []byte
	// A process writes its lines together, a moment later.
	err := s.waitFor("the logs and metrics of a deployment at work",
		func(ctx context.Context) (atWork bool, err error) {
			logs, err = s.stack.Logs()
			if err != nil {
				return false, err
			}
			metrics, err = s.stack.Metrics(ctx)
			return bytes.Contains(logs, []byte(`"job"`)) &&
				bytes.Contains(metrics, []byte("wagewire_worker_jobs_total")), err
		})
	if err != nil {
		return err
	}
	places := map[string][]byte{"logs": logs, "metrics": metrics}
	streams := []string{"OBJ_" + schema.RecordsBucket}
	for _, s := range schema.DefaultTopology().AllStreams() {
		streams = append(streams, s.Name)
	}
	for _, stream := range streams {
		messages, err := s.stored(s.ctx, stream, ">")
		if err != nil {
			return err
		}
		for _, m := range messages {
			places["subject "+m.Subject] = []byte(m.Subject)
			places["headers of "+m.Subject] = fmt.Append(places["headers of "+m.Subject], m.Header)
		}
	}
	for place, text := range places {
		for _, canary := range s.canaries {
			if bytes.Contains(text, []byte(canary)) {
				return fmt.Errorf("the %s hold %q", place, canary)
			}
		}
	}
	return nil
}
