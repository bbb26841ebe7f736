package nats_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats-server/v2/server"
	natsgo "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nkeys"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
	"github.com/wagewire/wagewire/schema/stream/streamtest"
)

// attempt is a request that a role must not send.
type attempt struct {
	name string
	// make returns the request. full is a connection with all rights, for questions.
	make func(t *testing.T, full jetstream.JetStream) *natsgo.Msg
	// but are the roles that may do it, besides the operator.
	but []string
	// destroys is true if other attempts do not work afterwards.
	destroys bool
}

func request(subject, body string) func(*testing.T, jetstream.JetStream) *natsgo.Msg {
	return func(*testing.T, jetstream.JetStream) *natsgo.Msg {
		return &natsgo.Msg{Subject: subject, Data: []byte(body), Header: natsgo.Header{}}
	}
}

const api = "$JS.API."

// attempts returns all attempts.
func attempts() []attempt {
	consumer := func(name, more string) string {
		return fmt.Sprintf(`{"stream_name":"WAGEWIRE_EVENTS","config":{"name":%q,"ack_policy":"explicit"%s}}`, name, more)
	}
	all := []attempt{
		{name: "create a stream", make: request(api+"STREAM.CREATE.MINE",
			`{"name":"MINE","subjects":["mine.>"],"storage":"memory","max_bytes":1024}`)},
		{name: "change a stream", make: func(t *testing.T, full jetstream.JetStream) *natsgo.Msg {
			s, err := full.Stream(t.Context(), schema.QuarantineStream)
			must(t, err)
			config, err := json.Marshal(s.CachedInfo().Config)
			must(t, err)
			return &natsgo.Msg{Subject: api + "STREAM.UPDATE.WAGEWIRE_QUARANTINE", Data: config}
		}},
		{name: "purge a stream", make: request(api+"STREAM.PURGE.WAGEWIRE_COMPLETIONS", ""),
			destroys: true},
		{name: "delete a stream", make: request(api+"STREAM.DELETE.WAGEWIRE_EVENTS", ""),
			destroys: true},
		{name: "list the streams", make: request(api+"STREAM.LIST", "")},
		{name: "make a durable consumer of events",
			make: request(api+"CONSUMER.CREATE.WAGEWIRE_EVENTS.mine",
				consumer("mine", `,"durable_name":"mine"`))},
		{name: "make a durable consumer of events, the old way",
			make: request(api+"CONSUMER.DURABLE.CREATE.WAGEWIRE_EVENTS.old",
				consumer("old", `,"durable_name":"old"`))},
		{name: "make a consumer of events",
			make: request(api+"CONSUMER.CREATE.WAGEWIRE_EVENTS.passing.wagewire.events.>",
				consumer("passing", `,"filter_subject":"wagewire.events.>"`))},
		{name: "delete a queue",
			make:     request(api+"CONSUMER.DELETE.WAGEWIRE_EVENTS.pinwheel_paystubs", ""),
			destroys: true},
		{name: "pause a queue",
			make: request(api+"CONSUMER.PAUSE.WAGEWIRE_EVENTS.pinwheel_paystubs",
				`{"pause_until":"2099-01-01T00:00:00Z"}`), destroys: true},
		{name: "reset a queue",
			make:     request(api+"CONSUMER.RESET.WAGEWIRE_EVENTS.pinwheel_paystubs", `{"seq":1}`),
			destroys: true},

		{name: "delete an event", make: request(api+"STREAM.MSG.DELETE.WAGEWIRE_EVENTS",
			`{"seq":1}`), but: erasers(), destroys: true},
		{name: "delete a completion",
			make: request(api+"STREAM.MSG.DELETE.WAGEWIRE_COMPLETIONS", `{"seq":1}`),
			but:  erasers(), destroys: true},
		{name: "delete a dead letter",
			make: request(api+"STREAM.MSG.DELETE.WAGEWIRE_DEAD_LETTERS", `{"seq":1}`),
			but:  erasers(), destroys: true},
		{name: "delete from the quarantine",
			make:     request(api+"STREAM.MSG.DELETE.WAGEWIRE_QUARANTINE", `{"seq":1}`),
			destroys: true},

		{name: "read a completion",
			make: request(api+"STREAM.MSG.GET.WAGEWIRE_COMPLETIONS", `{"seq":1}`),
			but:  erasers()},
		{name: "read a dead letter",
			make: request(api+"STREAM.MSG.GET.WAGEWIRE_DEAD_LETTERS", `{"seq":1}`),
			but:  erasers()},
		{name: "read the quarantine",
			make: request(api+"STREAM.MSG.GET.WAGEWIRE_QUARANTINE", `{"seq":1}`)},
		{name: "read records", make: request(api+"STREAM.MSG.GET.OBJ_WAGEWIRE_RECORDS",
			`{"seq":1}`), but: workerRoles()},
		{name: "read records directly by their number",
			make: request(api+"DIRECT.GET.OBJ_WAGEWIRE_RECORDS", `{"seq":1}`)},
		{name: "read records directly by their subject",
			make: request(api+"DIRECT.GET.OBJ_WAGEWIRE_RECORDS."+seedChunk, ""),
			but:  []string{team}},
		{name: "read the names of records directly",
			make: request(api+"DIRECT.GET.OBJ_WAGEWIRE_RECORDS.$O.WAGEWIRE_RECORDS.M.first", "")},
		{name: "look up the completions", make: request(api+"STREAM.INFO.WAGEWIRE_COMPLETIONS", ""),
			but: workerRoles()},
		{name: "look up the events", make: request(api+"STREAM.INFO.WAGEWIRE_EVENTS", ""),
			but: append(workerRoles(), stream.RoleIngress)},
		{name: "look up the account", make: request(api+"INFO", "")},
		{name: "consume records",
			make: request(api+"CONSUMER.CREATE.OBJ_WAGEWIRE_RECORDS.mine.$O.WAGEWIRE_RECORDS.M.>",
				`{"stream_name":"OBJ_WAGEWIRE_RECORDS","config":{"name":"mine","filter_subject":"$O.WAGEWIRE_RECORDS.M.>"}}`)},
		{name: "consume completions",
			make: request(api+"CONSUMER.CREATE.WAGEWIRE_COMPLETIONS.mine.wagewire.completions.>",
				`{"stream_name":"WAGEWIRE_COMPLETIONS","config":{"name":"mine","ack_policy":"explicit","filter_subject":"wagewire.completions.>"}}`)},
		{name: "consume dead letters",
			make: request(api+"CONSUMER.CREATE.WAGEWIRE_DEAD_LETTERS.mine",
				`{"stream_name":"WAGEWIRE_DEAD_LETTERS","config":{"name":"mine","ack_policy":"explicit"}}`)},
		{name: "consume the quarantine",
			make: request(api+"CONSUMER.CREATE.WAGEWIRE_QUARANTINE.mine",
				`{"stream_name":"WAGEWIRE_QUARANTINE","config":{"name":"mine","ack_policy":"explicit"}}`)},
		{name: "read an event by its number",
			make: request(api+"STREAM.MSG.GET.WAGEWIRE_EVENTS", `{"seq":1}`),
			but:  append(workerRoles(), stream.RoleIngress)},

		{name: "publish an event", make: request("wagewire.events.pinwheel.paystubs.added.a", "{}"),
			but: []string{stream.RoleIngress}},
		{name: "publish to the quarantine",
			make: request(schema.QuarantineSubject(schema.Truv), "{}"),
			but:  []string{stream.RoleIngress}},
		{name: "publish a tombstone", make: request(schema.TombstoneSubject(schema.Truv, "a"), ""),
			but: []string{"link"}},
		{name: "publish a tombstone of Pinwheel's",
			make: request(schema.TombstoneSubject(schema.Pinwheel, "a"), "")},
		{name: "publish records of no account", make: request("$O.WAGEWIRE_RECORDS.C.x", "{}")},

		{name: "read the budgets", make: request(api+"STREAM.MSG.GET.KV_WAGEWIRE_BUDGETS",
			`{"seq":1}`), but: callersOf(schema.Providers()...)},
		{name: "delete a budget", make: request(api+"STREAM.MSG.DELETE.KV_WAGEWIRE_BUDGETS",
			`{"seq":1}`), destroys: true},
		{name: "delete a closure", make: request(api+"STREAM.MSG.DELETE.WAGEWIRE_CLOSURES",
			`{"seq":1}`), destroys: true},
		{name: "purge the budgets", make: request(api+"STREAM.PURGE.KV_WAGEWIRE_BUDGETS", ""),
			destroys: true},
	}
	all = append(all, attempt{name: "read the reports", make: request(
		api+"STREAM.MSG.GET.WAGEWIRE_REPORTS", `{"seq":1}`)})
	for _, grant := range stream.Grants() {
		all = append(all, attempt{name: "report as " + grant.Role,
			make: request(schema.ReportSubject(grant.Role, "1"), "{}"), but: []string{grant.Role}})
	}
	for _, p := range schema.Providers() {
		all = append(all, attempt{name: "write the budget of " + string(p),
			make: request(schema.BudgetSubject(p), "{}"), but: callersOf(p)})
	}
	for _, q := range schema.Queues() {
		own := []string{stream.WorkerRole(q.Resource)}
		all = append(all,
			attempt{name: "take from " + q.Name,
				make: request(api+"CONSUMER.MSG.NEXT.WAGEWIRE_EVENTS."+q.Name,
					`{"batch":1,"no_wait":true}`), but: own},
			attempt{name: "settle for " + q.Name, but: own,
				make: func(t *testing.T, full jetstream.JetStream) *natsgo.Msg {
					consumer, err := full.Consumer(t.Context(), schema.EventsStream, q.Name)
					must(t, err)
					taken := nextMessage(t, "an event of "+q.Name, consumer)
					return &natsgo.Msg{Subject: taken.Reply(), Data: []byte("+ACK")}
				}},
			attempt{name: "look up " + q.Name,
				make: request(api+"CONSUMER.INFO.WAGEWIRE_EVENTS."+q.Name, ""), but: own},
			attempt{name: "look up the advisories of " + q.Name,
				make: request(api+"CONSUMER.INFO.WAGEWIRE_ADVISORIES."+q.Name, ""), but: own},
			attempt{name: "complete for " + q.Name, but: own,
				make: request(fmt.Sprintf("wagewire.completions.%s.%s.a.%s", q.Provider,
					q.Resource, q.Name), "{}")},
			attempt{name: "publish records of " + q.Name, but: own,
				make: request(fmt.Sprintf("$O.WAGEWIRE_RECORDS.C.%s.%s.a.x.1", q.Provider,
					q.Resource), "{}")},
			attempt{name: "let an event wait for " + q.Name, but: own,
				make: request(webhook(typeOf(q), "new", "a").WaitingSubject(q.Name), "")},
			attempt{name: "retry for " + q.Name, but: own,
				make: request(schema.RetriesSubject(q.Name, "a"), "")},
			attempt{name: "look up the retries of " + q.Name, but: own,
				make: request(api+"CONSUMER.INFO."+q.WaitingStream()+"."+q.Name, "")},
			attempt{name: "take a retry of " + q.Name, but: own,
				make: request(api+"CONSUMER.MSG.NEXT."+q.WaitingStream()+"."+q.Name,
					`{"batch":1,"no_wait":true}`)},
			attempt{name: "read a retry of " + q.Name, but: withErasures(q),
				make: request(api+"STREAM.MSG.GET."+q.WaitingStream(), `{"seq":1}`)},
			attempt{name: "delete a retry of " + q.Name, but: withErasures(q), destroys: true,
				make: request(api+"STREAM.MSG.DELETE."+q.WaitingStream(), `{"seq":1}`)},
			attempt{name: "purge the waiting events of " + q.Name, destroys: true,
				make: request(api+"STREAM.PURGE."+q.WaitingStream(), "")},
			attempt{name: "say that the provider refuses " + q.Name, but: pausers(q),
				make: request(schema.PauseSubject(q.Name), "{}")},
			attempt{name: "give up for " + q.Name,
				make: request(schema.DeadLetterSubject(q.Name, "a"), "{}"), but: own},
		)
		if !q.Erases {
			all = append(all, replayAttempts(q)...)
		}
		if q.CallsProvider() {
			all = append(all, closureAttempts(q)...)
		}
	}
	return all
}

// replayAttempts are requests about the replays of a queue.
func replayAttempts(q schema.Queue) []attempt {
	own := []string{stream.WorkerRole(q.Resource)}
	replays := q.ReplaysLane()
	consumer := replays.Stream + "." + replays.Consumer
	return []attempt{
		{name: "replay for " + q.Name, but: own,
			make: request(schema.ReplaysSubject(q.Name, "a"), "")},
		{name: "look up the replays of " + q.Name, but: own,
			make: request(api+"CONSUMER.INFO."+consumer, "")},
		{name: "take a replay of " + q.Name, but: own,
			make: request(api+"CONSUMER.MSG.NEXT."+consumer, `{"batch":1,"no_wait":true}`)},
		{name: "pause the replays of " + q.Name,
			make: request(api+"CONSUMER.PAUSE."+consumer, "{}")},
	}
}

// closureAttempts are requests about the closures of a queue.
func closureAttempts(q schema.Queue) []attempt {
	own := []string{stream.WorkerRole(q.Resource)}
	return []attempt{
		{name: "say that " + q.Name + " is paused",
			make: request(q.ClosureSubject(schema.ClosurePaused), "")},
		{name: "say that the credentials of " + q.Name + " are refused", but: own,
			make: request(q.ClosureSubject(schema.ClosureRefused), "")},
		{name: "say that the provider of " + q.Name + " wants no calls", but: callersOf(q.Provider),
			make: request(q.ClosureSubject(schema.ClosureHeld), "")},
		{name: "say that the provider of " + q.Name + " is down", but: own,
			make: request(q.ClosureSubject(schema.ClosureDown), "")},
		{name: "say that every queue's provider is down for " + q.Name,
			make: request(schema.ClosureSubject(string(q.Provider), schema.ClosureDown), "")},
		{name: "take the closures of " + q.Name,
			make: request(api+"CONSUMER.MSG.NEXT.WAGEWIRE_CLOSURES."+q.Name,
				`{"batch":1,"no_wait":true}`)},
		{name: "look up the closures of " + q.Name,
			make: request(api+"CONSUMER.INFO.WAGEWIRE_CLOSURES."+q.Name, "")},
	}
}

// erasers are the roles that work for a provider whose accounts are erased: an account may be
// erased while they work on its event.
func erasers() []string {
	var roles []string
	for _, q := range schema.Queues() {
		if q.Erases {
			roles = append(roles, callersOf(q.Provider)...)
		}
	}
	return roles
}

// withErasures are the role of the queue, and the role that erases the accounts of its provider.
func withErasures(q schema.Queue) []string {
	roles := []string{stream.WorkerRole(q.Resource)}
	for _, other := range schema.Queues() {
		if other.Erases && other.Provider == q.Provider {
			roles = append(roles, stream.WorkerRole(other.Resource))
		}
	}
	return roles
}

// pausers are the roles that may pause the queue. No role pauses a queue without calls.
func pausers(q schema.Queue) []string {
	if !q.CallsProvider() {
		return nil
	}
	return []string{stream.WorkerRole(q.Resource)}
}

func workerRoles() []string {
	var roles []string
	for _, r := range schema.WorkerResources() {
		roles = append(roles, stream.WorkerRole(r))
	}
	return roles
}

// callersOf are the roles that call one of the providers.
func callersOf(providers ...schema.Provider) []string {
	var roles []string
	for _, q := range schema.Queues() {
		if q.CallsProvider() && slices.Contains(providers, q.Provider) {
			roles = append(roles, stream.WorkerRole(q.Resource))
		}
	}
	return roles
}

func (a attempt) allowed(role string) bool {
	return slices.Contains(a.but, role) || role == stream.RoleOperator
}

// seedChunk is the subject of a chunk that fill stores.
const seedChunk = "$O.WAGEWIRE_RECORDS.C.pinwheel.paystubs.a.seed.1"

// fill stores a message in every stream, and in every queue an event for each role.
func fill(t *testing.T, b broker, topology schema.Topology) {
	t.Helper()
	c := b.connect(t, stream.RoleOperator)
	provision(t, c, topology)
	js := b.dial(t, stream.RoleOperator).jetstream(t)
	makeDurables(t, js, demoTeams(t)[0])
	for _, q := range schema.Queues() {
		for n := range 3 * len(stream.Grants()) {
			_, err := js.Publish(t.Context(), webhook(typeOf(q), fmt.Sprint(n), "a").Subject(),
				[]byte("{}"))
			must(t, err)
		}
		for _, subject := range dueOf(q) {
			_, err := js.Publish(t.Context(), subject, []byte("{}"))
			must(t, err)
		}
	}
	for _, subject := range []string{
		"wagewire.completions.pinwheel.paystubs.a.first",
		schema.DeadLetterSubject("pinwheel_paystubs", "a"),
		schema.QuarantineSubject(schema.Pinwheel), "$O.WAGEWIRE_RECORDS.C.first",
		"$KV.WAGEWIRE_BUDGETS.other",
		schema.ClosureSubject("first", schema.ClosureDown),
		schema.ClosureSubject("truv_link", schema.ClosurePaused),
		"$O.WAGEWIRE_RECORDS.M.first", seedChunk, schema.ReportSubject("ingress", "first"),
	} {
		_, err := js.Publish(t.Context(), subject, []byte("{}"))
		must(t, err)
	}
}

// try sends the request and waits for the answer. It returns nil, errUnknown, or another error of
// the broker.
func (a attempt) try(t *testing.T, c client, full jetstream.JetStream) error {
	t.Helper()
	msg := a.make(t, full)
	msg.Subject = withDomain(msg.Subject)
	msg.Reply = c.NewInbox()
	answers := make(chan *natsgo.Msg, 1)
	sub, err := c.ChanSubscribe(msg.Reply, answers)
	must(t, err)
	defer func() { _ = sub.Unsubscribe() }()
	must(t, c.PublishMsg(msg))
	select {
	case err := <-c.refused:
		return err
	case answer := <-answers:
		return errorIn(answer)
	case <-streamtest.Late(t):
		return errors.New("neither an answer nor a refusal")
	}
}

// errUnknown means that the account of the client has no such subject.
var errUnknown = errors.New("no responders")

// errorIn returns the error in an answer.
func errorIn(answer *natsgo.Msg) error {
	status := answer.Header.Get("Status")
	if status == "503" && answer.Header.Get("Description") == "" {
		return errUnknown
	}
	if status != "" {
		return fmt.Errorf("status %s %s", status, answer.Header.Get("Description"))
	}
	var body struct {
		Error *jetstream.APIError `json:"error"`
	}
	if json.Unmarshal(answer.Data, &body) == nil && body.Error != nil {
		return body.Error
	}
	return nil
}

func TestWhatIsForbiddenHasNoAnswer(t *testing.T) {
	t.Parallel()
	b := start(t, quick)
	fill(t, b, schema.DefaultTopology())
	full := b.dial(t, stream.RoleOperator).jetstream(t)
	levels := func() []stream.Level {
		levels, _, err := b.connect(t, stream.RoleOperator).Status(t.Context())
		must(t, err)
		return levels
	}
	before := levels()
	tried := 0
	for _, grant := range everyGrant(t) {
		t.Run(grant.Role, func(t *testing.T) {
			c := b.dial(t, grant.Role)
			for _, a := range attempts() {
				if a.allowed(grant.Role) {
					continue
				}
				tried++
				if err := a.try(t, c, full); !errors.Is(err, errUnknown) {
					t.Errorf("%s: %v, want no responders", a.name, err)
				}
			}
		})
	}
	if diff := cmp.Diff(before, levels()); diff != "" {
		t.Errorf("an attempt changed a stream (-before +after):\n%s", diff)
	}
	t.Logf("%d tried", tried)
}

// Every attempt above fails for want of rights: in the account of the streams, every attempt works.
func TestWhatIsForbiddenWouldWorkWithTheRights(t *testing.T) {
	t.Parallel()
	unbound := func(o *server.Options) {
		quick(o)
		streams := streamsAccount(t, o)
		for _, user := range o.Nkeys {
			user.Account = streams
		}
	}
	shared := start(t, unbound)
	fill(t, shared, schema.DefaultTopology())
	for _, a := range attempts() {
		t.Run(a.name, func(t *testing.T) {
			b := shared
			if a.destroys {
				t.Parallel()
				b = start(t, unbound)
				fill(t, b, schema.DefaultTopology())
			}
			if err := a.try(t, b.dial(t, team),
				b.dial(t, stream.RoleOperator).jetstream(t)); err != nil {
				t.Error(err)
			}
		})
	}
}

// The roles in but can do the attempt. Without this test, a configuration that forbids everything
// would pass.
func TestWhatIsForbiddenToOthersIsAllowedToTheRole(t *testing.T) {
	t.Parallel()
	for _, a := range attempts() {
		for _, role := range append(slices.Clone(a.but), stream.RoleOperator) {
			if !a.destroys || !a.allowed(role) {
				continue
			}
			t.Run(a.name+" as "+role, func(t *testing.T) {
				t.Parallel()
				b := start(t, quick)
				fill(t, b, schema.DefaultTopology())
				if err := a.try(t, b.dial(t, role),
					b.dial(t, stream.RoleOperator).jetstream(t)); err != nil {
					t.Error(err)
				}
			})
		}
	}
	b := start(t, quick)
	fill(t, b, schema.DefaultTopology())
	full := b.dial(t, stream.RoleOperator).jetstream(t)
	for _, a := range attempts() {
		for _, role := range append(slices.Clone(a.but), stream.RoleOperator) {
			if a.destroys || !a.allowed(role) {
				continue
			}
			if err := a.try(t, b.dial(t, role), full); errors.Is(err, errUnknown) {
				t.Errorf("%s as %s: %v", a.name, role, err)
			}
		}
	}
}

// Every role may subscribe to every subject of its own account. Nothing of another account comes
// there, except the pauses of the role's own queues and the budgets of their providers.
func TestNobodyHearsWhatHappensInAnotherAccount(t *testing.T) {
	t.Parallel()
	b := start(t, quick)
	listeners := map[string]listener{}
	for _, grant := range append(everyGrant(t), stream.Grant{Role: stream.RoleOperator}) {
		listeners[grant.Role] = listen(t, b, grant)
	}
	everyoneIsBusy(t, b)
	for role, l := range listeners {
		foreign, own := l.heard(t)
		if len(foreign) > 0 && role != stream.RoleOperator {
			t.Errorf("%s hears %v", role, foreign)
		}
		if len(foreign) == 0 && role == stream.RoleOperator {
			t.Error("the operator hears nothing: the test proves nothing")
		}
		if len(own) != len(l.grant.Listens) {
			t.Errorf("%s hears %v, want %v", role, own, l.grant.Listens)
		}
	}
}

// listener is a client that listens to everything in the account of its role.
type listener struct {
	client
	grant    stream.Grant
	messages chan *natsgo.Msg
}

func listen(t *testing.T, b broker, grant stream.Grant) listener {
	t.Helper()
	l := listener{b.dial(t, grant.Role), grant, make(chan *natsgo.Msg, 100_000)}
	_, err := l.ChanSubscribe(">", l.messages)
	must(t, err)
	must(t, l.Flush())
	return l
}

// heard returns the subjects of the messages so far, without repeats: own are those that the role
// has the right to listen to.
func (l listener) heard(t *testing.T) (foreign, own []string) {
	t.Helper()
	must(t, l.Flush()) // messages before the flush come before its answer
	for len(l.messages) > 0 {
		subject := (<-l.messages).Subject
		if slices.Contains(l.grant.Listens, subject) {
			own = append(own, subject)
		} else {
			foreign = append(foreign, subject)
		}
	}
	slices.Sort(foreign)
	slices.Sort(own)
	return slices.Compact(foreign), slices.Compact(own)
}

// everyoneIsBusy publishes to every stream, and lets each role send a request and get the answer.
func everyoneIsBusy(t *testing.T, b broker) {
	t.Helper()
	fill(t, b, schema.DefaultTopology())
	operator := b.dial(t, stream.RoleOperator)
	full := operator.jetstream(t)
	for _, a := range attempts() {
		if !a.destroys {
			_ = a.try(t, operator, full)
		}
	}
}

func TestNobodyConnectsWithoutAKeyOfTheBroker(t *testing.T) {
	t.Parallel()
	b := start(t, quick)
	stranger, err := nkeys.CreateUser()
	must(t, err)
	public, err := stranger.PublicKey()
	must(t, err)
	for promise, options := range map[string][]natsgo.Option{
		"without a key":              nil,
		"with a name and a password": {natsgo.UserInfo("ingress", "ingress")},
		"with a token":               {natsgo.Token("ingress")},
		"with an unknown key":        {natsgo.Nkey(public, stranger.Sign)},
		"with a known key and another's seed": {natsgo.Nkey(keyOf(t, stream.RoleIngress),
			stranger.Sign)},
	} {
		nc, err := natsgo.Connect(b.url, options...)
		if err == nil {
			nc.Close()
		}
		if !errors.Is(err, natsgo.ErrAuthorization) {
			t.Errorf("%s: %v", promise, err)
		}
	}
	b.dial(t, stream.RoleIngress) // with its own
}

func keyOf(t *testing.T, role string) string {
	t.Helper()
	option, err := natsgo.NkeyOptionFromSeed(filepath.Join(demo, seedFile(role)))
	must(t, err)
	var o natsgo.Options
	must(t, option(&o))
	return o.Nkey
}
